// Blocks gather while records are taken; before a journal block is written, and a few times a second, they are written and
// synced. A segment begins between two blocks, with the sequences as they are then.
#include "intake_parts.h"

#include <errno.h>
#include <stdlib.h>

#define MESSAGE_OCTETS 16384
#define BLOCK_OCTETS   262144
#define SEGMENT_OCTETS (64u << 20)
// Rows of a minute are in the journal when the watermark has passed it.
#define CLOSED_MS (2 * 60000)

// ---- Blocks

static struct ipfix_encoder *encoder_of(struct intake *in, uint32_t domain)
{
    size_t i = domain % ENCODERS;
    if (in->encoder[i] && in->domain[i] == domain)
        return in->encoder[i];
    ipfix_encoder_free(in->encoder[i]);
    in->encoder[i] = ipfix_encoder_new(domain, MESSAGE_OCTETS);
    in->domain[i] = domain;
    return in->encoder[i];
}

static int end_message(struct intake *in)
{
    struct span m = ipfix_encoder_take(in->gathering);
    buf_bytes(&in->payload, m.data, m.len);
    return in->payload.failed ? -ENOMEM : 0;
}

int intake_write_block(struct intake *in)
{
    if (!in->gathering || in->block.records == 0)
        return 0;
    int rc = end_message(in);
    if (rc == 0)
        rc = spool_append(in->log, &in->block, buf_span(&in->payload));
    if (rc < 0)
        return rc;
    in->gathering = NULL;
    buf_clear(&in->payload);
    return 0;
}

static int begin_block(struct intake *in, uint32_t domain)
{
    // A segment begins with what was taken before it: not while that is less than what was logged.
    int rc = intake_replaying(in) ? 0 : spool_turn(in->log);
    if (rc < 0)
        return rc;
    in->gathering = encoder_of(in, domain);
    if (!in->gathering)
        return -ENOMEM;
    ipfix_encoder_reset(in->gathering);
    in->block = (struct spool_block){
        .kind = SPOOL_RECORDS, .domain = domain, .latest_ms = INT64_MIN};
    return 0;
}

static int64_t time_of(const struct record *r)
{
    switch (r->kind) {
    case RECORD_COVERAGE: return r->coverage.t_ms;
    case RECORD_MAIL: return r->mail.t_ms;
    default: return r->flow.outcome_ms > r->flow.end_ms ? r->flow.outcome_ms : r->flow.end_ms;
    }
}

static void note(struct spool_block *b, const struct record *r)
{
    if (b->records++ == 0) {
        b->epoch = r->id.epoch;
        b->first = r->id.sequence;
    }
    if (b->epoch != r->id.epoch || r->id.sequence == 0)
        b->epoch = b->first = b->last = 0;
    else
        b->last = r->id.sequence;
    if (time_of(r) > b->latest_ms)
        b->latest_ms = time_of(r);
}

// What came as our encoder would say it is taken over octet by octet.
static int encode(struct intake *in, const struct record *r, const struct ipfix_octets *octets)
{
    if (octets && octets->template_id > 0)
        return ipfix_encoder_put_octets(in->gathering, octets, r);
    return ipfix_encoder_put(in->gathering, r);
}

// Puts the record into a block. 0; negative errno: it is not in.
static int log_record(struct intake *in, const struct record *r, const struct ipfix_octets *octets)
{
    int rc = 0;
    if (in->gathering && (in->block.domain != r->id.domain || in->payload.len >= BLOCK_OCTETS))
        rc = intake_write_block(in);
    if (rc == 0 && !in->gathering)
        rc = begin_block(in, r->id.domain);
    if (rc == 0)
        rc = encode(in, r, octets);
    if (rc == -ENOBUFS && (rc = end_message(in)) == 0)
        rc = encode(in, r, octets);
    if (rc == 0)
        note(&in->block, r);
    return rc;
}

// A segment says with which sequences it begins.
static void put_position(void *ctx, const struct record_id *highest)
{
    struct buf *b = ctx;
    buf_be(b, highest->domain, 4);
    buf_be(b, highest->epoch, 8);
    buf_be(b, highest->sequence, 8);
}

static void begin_segment(void *ctx, struct spool *log)
{
    struct intake *in = ctx;
    struct spool_block b = {.kind = SPOOL_POSITIONS, .latest_ms = INT64_MIN};
    struct buf positions;
    buf_init(&positions, SPOOL_BLOCK_MAX);
    collector_positions(in->collector, put_position, &positions);
    if (!positions.failed && positions.len > 0)
        spool_append(log, &b, buf_span(&positions));
    buf_fini(&positions);
}

// ---- Durable

static int before_commit(void *ctx)
{
    struct intake *in = ctx;
    int rc = intake_write_block(in);
    return rc < 0 ? rc : spool_sync(in->log);
}

// What is older than the state needs. Rows of minutes that are not closed always need their records.
static void trim(struct intake *in)
{
    uint64_t segment;
    int64_t latest_ms, now_ms = collector_watermark(in->collector);
    while (now_ms != WATERMARK_NONE && spool_oldest(in->log, &segment, &latest_ms)) {
        bool old = latest_ms < now_ms - in->options.keep_ms;
        bool large = spool_stats(in->log)->octets > in->options.octets_max &&
                     latest_ms < now_ms - CLOSED_MS;
        if ((!old && !large) || spool_remove(in->log, segment) == 0)
            return;
    }
}

int intake_stall(struct intake *in, int rc, bool taking)
{
    in->error = rc;
    in->taking = taking;
    return rc;
}

int intake_sync(struct intake *in)
{
    if (in->error)
        return in->error;
    int rc = before_commit(in);
    if (rc < 0)
        return intake_stall(in, rc, false);
    if (!intake_replaying(in))
        trim(in);
    return 0;
}

bool intake_stalled(const struct intake *in)
{
    return in->error != 0;
}

int intake_retry(struct intake *in)
{
    int rc = before_commit(in);
    if (rc == 0 && in->taking)
        rc = collector_retry(in->collector);
    if (rc == 0)
        in->error = 0;
    else
        in->error = rc;
    return rc;
}

// ---- Records

int intake_put(struct intake *in, const struct record *r, const struct ipfix_octets *octets,
               bool *put)
{
    *put = false;
    if (in->error)
        return in->error;
    // What a sensor sends again after a lost connection need not stand in the log twice; where it does it is taken once.
    if (r->id.sequence > 0 && collector_knows(in->collector, &r->id)) {
        *put = true;
        in->repeats++;
        return 0;
    }
    int rc = log_record(in, r, octets);
    if (rc == -EINVAL) { // record_check says no: the collector counts it, and needs no log for that
        *put = true;
        rc = collector_take(in->collector, r);
        return rc < 0 ? intake_stall(in, rc, true) : 0;
    }
    if (rc < 0)
        return intake_stall(in, rc, false);
    *put = true;
    if (intake_replaying(in)) {
        in->replay.put++;
        return 0;
    }
    journal_writer_at(collector_journal(in->collector),
                      spool_ordinal(in->log) + in->block.records - 1);
    rc = collector_take_checked(in->collector, r);
    return rc < 0 ? intake_stall(in, rc, true) : 0;
}

void intake_fetch(const struct intake *in, const struct record *r, size_t count)
{
    collector_fetch(in->collector, r, count);
}

// ---- Whole

int intake_open(const struct intake_options *options, struct collector *c, FILE *errors,
                struct intake **out)
{
    struct intake *in = calloc(1, sizeof *in);
    if (!in)
        return -ENOMEM;
    struct spool_options o = {.octets_max = UINT64_MAX,
                              .segment_octets = options->segment_octets ? options->segment_octets
                                                                        : SEGMENT_OCTETS,
                              .caller_turns = true};
    in->options = *options;
    in->collector = c;
    buf_init(&in->payload, SPOOL_BLOCK_MAX);
    int rc = spool_open(options->dir, &o, &in->log);
    struct journal_position done = {0};
    if (rc == 0)
        rc = journal_find_position(options->journal, options->journal_keys, spool_id(in->log),
                                   &done);
    if (rc == -ENOENT)
        rc = 0;
    if (rc == 0) {
        spool_on_segment(in->log, begin_segment, in);
        journal_writer_live(collector_journal(c), spool_id(in->log), &done, before_commit, in);
        in->replay.first = true;
        in->replay.reader = spool_reader_new(in->log);
        in->replay.decoder = ipfix_decoder_new();
        if (!in->replay.reader || !in->replay.decoder)
            rc = -ENOMEM;
    }
    if (rc < 0) {
        fprintf(errors, "%s: %s\n", options->dir,
                rc == -EBUSY ? "another collector has it; use another folder" : strerror(-rc));
        intake_close(in);
        return rc;
    }
    *out = in;
    return 0;
}

void intake_close(struct intake *in)
{
    if (!in)
        return;
    intake_end_replay(in);
    spool_close(in->log);
    for (size_t i = 0; i < ENCODERS; i++)
        ipfix_encoder_free(in->encoder[i]);
    buf_fini(&in->payload);
    free(in);
}

static void status_replay(const struct intake *in, struct control_status *s)
{
    uint64_t end = spool_ordinal(in->log) + (in->gathering ? in->block.records : 0);
    uint64_t left = intake_replaying(in) ? end - in->replay.ordinal : 0;
    char text[200];
    control_status_counter(s, "intake_to_replay", left);
    if (!intake_replaying(in))
        return;
    snprintf(text, sizeof text,
             "the intake is counted again since the start: %llu records are left; those that come "
             "are kept and acknowledged, their minutes come behind",
             (unsigned long long)left);
    control_status_problem(s, 1, "intake-replay", text, "it ends by itself");
}

void intake_status(const struct intake *in, struct control_status *s)
{
    const struct spool_stats *p = spool_stats(in->log);
    char text[160];
    control_status_counter(s, "intake_octets", p->octets);
    control_status_counter(s, "intake_segments", p->segments);
    control_status_counter(s, "intake_syncs", p->syncs);
    control_status_counter(s, "intake_failures", p->failures);
    control_status_counter(s, "intake_bad_blocks", p->bad_blocks);
    control_status_counter(s, "intake_torn_octets", p->torn_octets);
    control_status_counter(s, "intake_replayed", in->replayed);
    status_replay(in, s);
    control_status_counter(s, "intake_repeats", in->repeats);
    if (in->error) {
        snprintf(text, sizeof text, "the %s cannot be written: %s; nothing is acknowledged",
                 in->taking ? "journal" : "intake", strerror(-in->error));
        control_status_problem(s, 2, "disk", text,
                               "make room; it goes on by itself, sensors keep their records");
    }
    if (p->bad_blocks > 0)
        control_status_problem(s, 1, "intake-damaged",
                               "a part of the intake was damaged and could not be counted again",
                               "see whether the disk of collector.intake is sound");
}
