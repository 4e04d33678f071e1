// Records into blocks that stand by themselves: each begins with the templates it uses. While a block cannot be written it is
// kept, and records are refused once it is full.
#include "spool.h"

#include <errno.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/ipfix.h"

#define MESSAGE_OCTETS 16384
#define BLOCK_OCTETS   65536
// As many segments as a full spool has: what is acknowledged is given back in such pieces.
#define SEGMENTS 32

struct sensor_spool {
    struct spool *log;
    struct ipfix_encoder *encoder;
    uint32_t domain;
    struct spool_block block; // being gathered
    struct buf payload;
    struct sensor_spool_stats stats;
};

// A segment without records would not say how far the sensor had come.
static void begin_segment(void *ctx, struct spool *log)
{
    struct record_id last;
    struct buf b;
    (void)ctx;
    if (!spool_last(log, &last))
        return;
    buf_init(&b, 64);
    buf_be(&b, last.domain, 4);
    buf_be(&b, last.epoch, 8);
    buf_be(&b, last.sequence, 8);
    struct spool_block positions = {.kind = SPOOL_POSITIONS, .latest_ms = INT64_MIN};
    if (!b.failed)
        spool_append(log, &positions, buf_span(&b));
    buf_fini(&b);
}

int sensor_spool_open(const char *dir, uint64_t octets_max, uint32_t domain,
                      struct sensor_spool **out)
{
    struct sensor_spool *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    struct spool_options o = {.octets_max = octets_max, .segment_octets = octets_max / SEGMENTS};
    s->domain = domain;
    buf_init(&s->payload, SPOOL_BLOCK_MAX);
    s->encoder = ipfix_encoder_new(domain, MESSAGE_OCTETS);
    int rc = s->encoder ? spool_open(dir, &o, &s->log) : -ENOMEM;
    if (rc < 0) {
        sensor_spool_close(s);
        return rc;
    }
    spool_on_segment(s->log, begin_segment, s);
    *out = s;
    return 0;
}

void sensor_spool_close(struct sensor_spool *s)
{
    if (!s)
        return;
    spool_close(s->log);
    ipfix_encoder_free(s->encoder);
    buf_fini(&s->payload);
    free(s);
}

static int end_message(struct sensor_spool *s)
{
    struct span m = ipfix_encoder_take(s->encoder);
    buf_bytes(&s->payload, m.data, m.len);
    return s->payload.failed ? -ENOMEM : 0;
}

int sensor_spool_write(struct sensor_spool *s)
{
    if (s->block.records == 0)
        return 0;
    uint64_t failures = spool_stats(s->log)->failures;
    int rc = end_message(s);
    if (rc == 0)
        rc = spool_append(s->log, &s->block, buf_span(&s->payload));
    s->stats.error = rc;
    s->stats.at_bound = rc == -ENOSPC && spool_stats(s->log)->failures == failures;
    if (rc < 0)
        return rc;
    s->block = (struct spool_block){0};
    buf_clear(&s->payload);
    ipfix_encoder_reset(s->encoder);
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

static int refuse(struct sensor_spool *s)
{
    s->stats.refused++;
    return -ENOSPC;
}

static int put(void *state, const struct record *r)
{
    struct sensor_spool *s = state;
    bool other = s->block.records > 0 && s->block.epoch != r->id.epoch;
    if ((other || s->payload.len >= BLOCK_OCTETS - MESSAGE_OCTETS) && sensor_spool_write(s) < 0)
        return refuse(s);
    int rc = ipfix_encoder_put(s->encoder, r);
    if (rc == -ENOBUFS && (rc = end_message(s)) == 0)
        rc = ipfix_encoder_put(s->encoder, r);
    if (rc == -ENOMEM)
        return refuse(s);
    if (rc < 0)
        return rc;
    struct spool_block *b = &s->block;
    if (b->records++ == 0)
        *b = (struct spool_block){.kind = SPOOL_RECORDS,
                                  .records = 1,
                                  .domain = s->domain,
                                  .epoch = r->id.epoch,
                                  .first = r->id.sequence,
                                  .latest_ms = INT64_MIN};
    b->last = r->id.sequence;
    if (time_of(r) > b->latest_ms)
        b->latest_ms = time_of(r);
    s->stats.records++;
    return 0;
}

static int flush(void *state, int64_t now_ms)
{
    struct sensor_spool *s = state;
    (void)now_ms;
    int rc = sensor_spool_write(s);
    if (rc < 0)
        return rc;
    s->stats.error = spool_sync(s->log);
    s->stats.at_bound = false;
    return s->stats.error;
}

static int close_spool(void *state)
{
    return flush(state, 0);
}

struct sink sensor_spool_sink(struct sensor_spool *s)
{
    static const struct sink_kind kind = {
        .name = "spool", .put = put, .flush = flush, .close = close_spool};
    return (struct sink){.kind = &kind, .state = s};
}

struct spool *sensor_spool_log(struct sensor_spool *s)
{
    return s->log;
}

uint32_t sensor_spool_waiting(const struct sensor_spool *s)
{
    return s->block.records;
}

const struct sensor_spool_stats *sensor_spool_stats(const struct sensor_spool *s)
{
    return &s->stats;
}
