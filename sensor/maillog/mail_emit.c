// See mail_emit.h.
#include "maillog/mail_emit.h"

#include <stdlib.h>

#define SECOND_MS 1000
#define PAUSE_MS  (INT64_C(6) * 3600 * SECOND_MS)

struct mail_emit {
    struct mail_emit_config config;
    struct record record;
    uint64_t epoch, sequence, count, count_said;
    int64_t now_ms, next_ms, watermark_ms;
    int error;
};

struct mail_emit *mail_emit_new(const struct mail_emit_config *config)
{
    struct mail_emit *e = calloc(1, sizeof *e);
    if (e)
        e->config = *config;
    return e;
}

void mail_emit_free(struct mail_emit *e)
{
    free(e);
}

static void put(struct mail_emit *e, uint8_t kind)
{
    e->record.version = RECORD_VERSION;
    e->record.kind = kind;
    e->record.id = (struct record_id){e->config.domain, e->epoch, ++e->sequence};
    e->count++;
    if (!e->config.sink)
        return;
    int rc = sink_put(e->config.sink, &e->record);
    if (rc != 0 && e->error == 0)
        e->error = rc;
}

static void say_coverage(struct mail_emit *e, int64_t t_ms, bool last)
{
    memset(&e->record, 0, sizeof e->record);
    e->record.coverage = e->config.declared;
    e->record.coverage.t_ms = t_ms;
    e->record.coverage.last = last;
    e->record.coverage.records = e->count - e->count_said;
    e->count_said = e->count;
    put(e, RECORD_COVERAGE);
    e->watermark_ms = t_ms;
}

void mail_emit_record(struct mail_emit *e, struct record_mail *r)
{
    mail_emit_advance(e, r->t_ms);
    const struct network *n = r->client.family ? network_file_find(e->config.networks, &r->client)
                                               : NULL;
    if (n) {
        r->client_asn = n->asn;
        memcpy(r->client_country, n->country, sizeof r->client_country);
    }
    memset(&e->record, 0, sizeof e->record);
    e->record.mail = *r;
    if (e->record.mail.t_ms < e->watermark_ms)
        e->record.mail.t_ms = e->watermark_ms;
    put(e, RECORD_MAIL);
}

void mail_emit_advance(struct mail_emit *e, int64_t t_ms)
{
    if (e->epoch == 0) {
        e->epoch = t_ms > 0 ? (uint64_t)t_ms * 1000 : 1;
        e->next_ms = (t_ms / SECOND_MS + 1) * SECOND_MS;
        e->now_ms = t_ms;
    }
    if (t_ms <= e->now_ms)
        return;
    e->now_ms = t_ms;
    for (int64_t to = e->next_ms + PAUSE_MS; e->next_ms <= t_ms && e->next_ms < to;
         e->next_ms += SECOND_MS)
        say_coverage(e, e->next_ms, false);
    if (e->next_ms <= t_ms)
        e->next_ms = (t_ms / SECOND_MS + 1) * SECOND_MS;
}

void mail_emit_finish(struct mail_emit *e)
{
    if (e->epoch > 0)
        say_coverage(e, e->now_ms + 1, true);
}

int mail_emit_error(const struct mail_emit *e)
{
    return e->error;
}

uint64_t mail_emit_count(const struct mail_emit *e)
{
    return e->count;
}
