// What moves the counting beside records, and all of it again after a start: in the order of the log.
#include <assert.h>
#include <errno.h>

#include "common/cursor.h"
#include "intake_parts.h"

// As the first four octets of an event; docs/formats/transport.md.
enum event { EVENT_SILENT = 1, EVENT_REFUSED = 2, EVENT_MUTE = 3 };

#define REFUSED_MAX 4096 // in one event; more is a damaged one

// ---- Events

static void begin_event(struct buf *b, enum event kind)
{
    buf_init(b, 64);
    buf_be(b, kind, 4);
}

// Takes `b`. Negative errno: it is not logged.
static int log_event(struct intake *in, struct buf *b, uint64_t *ordinal)
{
    struct spool_block block = {.kind = SPOOL_EVENT, .records = 1, .latest_ms = INT64_MIN};
    int rc = in->error ? in->error : b->failed ? -ENOMEM : intake_write_block(in);
    *ordinal = spool_ordinal(in->log);
    if (rc == 0)
        rc = spool_append(in->log, &block, buf_span(b));
    buf_fini(b);
    return rc;
}

// Logs it, then does it.
static int silence(struct intake *in, enum event kind, int64_t now_ms,
                   int (*fn)(struct collector *c))
{
    struct buf b;
    assert(!intake_replaying(in));
    begin_event(&b, kind);
    buf_be(&b, (uint64_t)now_ms, 8);
    uint64_t ordinal;
    int rc = log_event(in, &b, &ordinal);
    if (rc < 0)
        return intake_stall(in, rc, false);
    journal_writer_at(collector_journal(in->collector), ordinal);
    rc = fn(in->collector);
    return rc < 0 ? intake_stall(in, rc, true) : 0;
}

int intake_silent(struct intake *in, int64_t now_ms)
{
    return silence(in, EVENT_SILENT, now_ms, collector_silent);
}

int intake_mute(struct intake *in, int64_t now_ms)
{
    if (!collector_waits_for_sensors(in->collector))
        return 0;
    int rc = silence(in, EVENT_MUTE, now_ms, collector_mute);
    return rc < 0 ? rc : 1;
}

int intake_refuse(struct intake *in, const struct intake_refused *run, bool *put)
{
    struct record_id last = run->id;
    struct buf b;
    uint64_t ordinal;
    last.sequence += run->count - 1;
    *put = !in->error;
    if (in->error)
        return in->error;
    assert(run->id.sequence > 0 && run->count > 0 && run->count <= REFUSED_MAX);
    if (collector_knows(in->collector, &run->id) && collector_knows(in->collector, &last)) {
        in->repeats += run->count;
        return 0;
    }
    begin_event(&b, EVENT_REFUSED);
    buf_be(&b, run->id.domain, 4);
    buf_be(&b, run->id.epoch, 8);
    buf_be(&b, run->id.sequence, 8);
    buf_be(&b, run->count, 4);
    buf_be(&b, run->lost, 4);
    int rc = log_event(in, &b, &ordinal);
    *put = rc == 0;
    if (rc < 0)
        return intake_stall(in, rc, false);
    if (intake_replaying(in))
        in->replay.put++;
    else
        collector_refused(in->collector, &run->id, run->count, run->lost);
    return 0;
}

static int take_event(struct intake *in, struct span payload)
{
    struct cursor c = cursor_of(payload);
    uint32_t kind = cursor_u32(&c);
    if (kind == EVENT_SILENT)
        return collector_silent(in->collector);
    if (kind == EVENT_MUTE)
        return collector_mute(in->collector);
    struct record_id id = {.domain = cursor_u32(&c)};
    id.epoch = cursor_u64(&c);
    id.sequence = cursor_u64(&c);
    uint32_t count = cursor_u32(&c), lost = cursor_u32(&c);
    if (kind == EVENT_REFUSED && !c.failed && count <= REFUSED_MAX)
        collector_refused(in->collector, &id, count, lost != 0);
    return 0;
}

// ---- Replay

static void seed(struct intake *in, struct span payload)
{
    struct cursor c = cursor_of(payload);
    while (cursor_left(&c) >= 20) {
        struct record_id highest = {.domain = cursor_u32(&c)};
        highest.epoch = cursor_u64(&c);
        highest.sequence = cursor_u64(&c);
        collector_seed(in->collector, &highest);
    }
}

// The block that comes next. 1; 0: there is none.
static int begin_replayed(struct intake *in)
{
    struct replay *p = &in->replay;
    int rc = spool_reader_next(p->reader, &p->block, &p->payload);
    if (rc <= 0)
        return rc;
    if (p->block.kind == SPOOL_POSITIONS && p->first)
        seed(in, p->payload);
    p->first = false;
    p->ordinal = p->block.ordinal;
    ipfix_decoder_reset(p->decoder);
    if (p->block.kind == SPOOL_RECORDS)
        return 1;
    struct span event = p->payload;
    p->payload = (struct span){0};
    if (p->block.kind != SPOOL_EVENT)
        return 1;
    journal_writer_at(collector_journal(in->collector), p->ordinal++);
    rc = take_event(in, event);
    return rc < 0 ? rc : 1;
}

// The next record of the block. 1; 0: it has no more.
static int take_replayed(struct intake *in)
{
    struct replay *p = &in->replay;
    struct record r;
    while (ipfix_decoder_next(p->decoder, &r) != 1) {
        if (p->payload.len == 0)
            return 0;
        size_t n = ipfix_decoder_feed(p->decoder, p->payload);
        p->payload = span_cut(p->payload, n, p->payload.len);
    }
    journal_writer_at(collector_journal(in->collector), p->ordinal++);
    in->replayed++;
    int rc = collector_take_checked(in->collector, &r);
    return rc < 0 ? rc : 1;
}

void intake_end_replay(struct intake *in)
{
    ipfix_decoder_free(in->replay.decoder);
    spool_reader_free(in->replay.reader);
    in->replay = (struct replay){0};
}

// At the end of what is written. What was gathered meanwhile comes next. 1: there is some; 0: none, the end.
static int at_end(struct intake *in)
{
    if (in->gathering && in->block.records > 0) {
        int rc = intake_write_block(in);
        return rc < 0 ? rc : 1;
    }
    intake_end_replay(in);
    return 0;
}

int intake_replay(struct intake *in, uint64_t records)
{
    if (!intake_replaying(in) || in->error)
        return in->error;
    uint64_t until = in->replayed + (records > 2 * in->replay.put ? records : 2 * in->replay.put);
    in->replay.put = 0;
    while (in->replayed < until) {
        bool taking = true; // a record or an event, whose rows could not be written
        int rc = take_replayed(in);
        if (rc == 0) {
            rc = begin_replayed(in);
            taking = in->replay.block.kind == SPOOL_EVENT;
        }
        if (rc == 0) {
            rc = at_end(in);
            taking = false;
            if (rc == 0)
                return 0;
        }
        if (rc < 0)
            return intake_stall(in, rc, taking);
    }
    return 1;
}

bool intake_replaying(const struct intake *in)
{
    return in->replay.reader != NULL;
}
