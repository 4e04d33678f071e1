// Days count from today in UTC, as segments are named.
#include "retention.h"

#include <stdlib.h>
#include <string.h>

#include "common/journal_format.h"
#include "common/log.h"

#define EACH_MS (60 * 60 * 1000)
#define DAY_MS  INT64_C(86400000)

struct retention {
    struct loop *loop;
    int timer;
    char *journal;
    const struct collector_conf *conf;
    uint64_t removed, failures;
};

static void look(struct loop *l, int64_t now_ms, void *ctx)
{
    struct retention *r = ctx;
    (void)l;
    uint64_t removed;
    uint32_t from = journal_day(now_ms - (r->conf->journal_days - 1) * DAY_MS);
    int rc = journal_retain(r->journal, r->conf->journal_keys, from,
                            (uint64_t)r->conf->journal_size, &removed);
    r->removed += removed;
    if (removed > 0)
        log_info("%s: %llu segments of days that are over were removed", r->journal,
                 (unsigned long long)removed);
    if (rc < 0) {
        r->failures++;
        log_error("%s: old days cannot be removed: %s; see to the rights of the folder and of "
                  "collector.journal_keys",
                  r->journal, strerror(-rc));
    }
}

struct retention *retention_new(struct loop *l, const char *journal, const struct collector_conf *c,
                                int64_t now_ms)
{
    struct retention *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->loop = l;
    r->conf = c;
    r->journal = strdup(journal);
    r->timer = r->journal ? loop_every(l, EACH_MS, look, r) : -1;
    if (r->timer <= 0) {
        retention_free(r);
        return NULL;
    }
    look(l, now_ms, r);
    return r;
}

void retention_free(struct retention *r)
{
    if (!r)
        return;
    if (r->timer > 0)
        loop_cancel(r->loop, r->timer);
    free(r->journal);
    free(r);
}

void retention_reload(struct retention *r, const struct collector_conf *conf)
{
    r->conf = conf;
}

void retention_status(const struct retention *r, struct control_status *s)
{
    if (!r)
        return;
    control_status_counter(s, "journal_segments_removed", r->removed);
    if (r->failures > 0)
        control_status_problem(
            s, 1, "journal-retention", "old days of the journal could not be removed",
            "see the log; the folder and collector.journal_keys must be writable");
}
