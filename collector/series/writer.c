// Keys with minutes to write stand in a queue; a round goes through it once.
#include "series/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "series/files.h"
#include "series/layout.h"
#include "series/sight.h"
#include "series/write_key.h"

enum {
    MINUTE_MS = 60000,
    ATTEMPTS_MAX = 1000000,
    SLOW_BURSTS = 3,
    ERRORS_IN_A_ROW = 16, // then the disk is the matter, not a file: the rest waits for a round
    WAITING_TOTAL = 1000000,
    SKETCHES_MAX = 4096,
    COMMIT_KEYS = 2000, // in one batch of rrdcached
    // When so many of a batch of keys had to wait for the disk to read, the heads of those that follow
    // are asked for ahead: one wait a file instead of three.
    BATCH = 64,
    COLD_WAITS = BATCH / 4,
};

// Clocks that were never set say 1970, or the end of 32 bits: librrd knows nothing before 1980, and
// a mark of 2106 would let no minute be written until then.
enum { MINUTE_LEAST = 347155200 / 60, MINUTE_MOST = 4102444800 / 60 }; // 1981 to 2099

struct series_writer {
    struct series_options o;
    struct series_keys keys;
    struct key_writer kw;
    struct series_stats stats;
    struct distinct_budget budget;
    int lock;
    int64_t mark_ms;
    int64_t written_before;    // minutes before this one are written, but for those in the queue
    size_t waiting;            // minutes held for keys without a file
    bool evict;                // the table was full since the last round
    struct series_key **queue; // borrowed
    size_t queued, queue_cap;
    // The round: `at` of the queue is next, what stays is moved to `kept`.
    bool in_round;
    size_t at, kept;
    int64_t safe_before, round_safe;
    long waits; // major faults of the process at the batch's beginning
    bool cold;
};

// Series of everybody together go on from minute to minute, so they are known from the start.
static int know_aggregates(struct series_writer *w)
{
    static const enum series_kind kinds[] = {SERIES_POP, SERIES_CLASS, SERIES_SENSOR};
    bool known = series_keys_get(&w->keys, SERIES_SITE, SERIES_SITE_NAME) != NULL;
    for (size_t i = 0; known && i < sizeof kinds / sizeof kinds[0]; i++) {
        char **names;
        size_t count;
        int rc = series_names(w->o.rrd_dir, kinds[i], &names, &count);
        if (rc != 0)
            return rc;
        for (size_t n = 0; known && n < count; n++)
            known = series_keys_get(&w->keys, kinds[i], names[n]) != NULL;
        free(names);
    }
    return known ? 0 : -ENOMEM;
}

static bool enqueue(struct series_writer *w, struct series_key *k)
{
    if (k->queued)
        return true;
    if (w->queued == w->queue_cap) {
        size_t cap = w->queue_cap ? w->queue_cap * 2 : 1024;
        struct series_key **q = reallocarray(w->queue, cap, sizeof(struct series_key *));
        if (!q)
            return false;
        w->queue = q;
        w->queue_cap = cap;
    }
    w->queue[w->queued++] = k;
    k->queued = true;
    return true;
}

int series_writer_open(const struct series_options *o, struct series_writer **out,
                       char why[static 300])
{
    struct series_writer *w = calloc(1, sizeof *w);
    char error[RRDFILE_ERROR_MAX] = "";
    if (!w)
        return -ENOMEM;
    *w = (struct series_writer){.o = *o, .lock = -1, .written_before = INT64_MIN};
    w->safe_before = INT64_MIN;
    w->budget.sketches_max = SKETCHES_MAX;
    if (w->o.waiting_total_max == 0)
        w->o.waiting_total_max = WAITING_TOTAL;
    why[0] = '\0';
    int rc = layout_open(o->rrd_dir, o->layout, &w->lock, why);
    if (rc == 0)
        rc = series_keys_init(&w->keys, o->keys_max);
    if (rc == 0)
        rc = key_writer_init(&w->kw, o, &w->budget, &w->stats, error);
    if (rc == 0)
        rc = know_aggregates(w);
    for (size_t i = 0; rc == 0 && i < w->keys.count; i++)
        if (!enqueue(w, w->keys.key[i]))
            rc = -ENOMEM;
    if (rc != 0) {
        if (!why[0])
            snprintf(why, 300, "%s", error[0] ? error : strerror(-rc));
        series_writer_close(w);
        return rc;
    }
    *out = w;
    return 0;
}

// Of a key that has no file, the latest minutes alone are held: fewer when all together are many.
static void forget_oldest(struct series_writer *w, struct series_key *k)
{
    uint32_t most = w->waiting > w->o.waiting_total_max ? 1 : w->o.waiting_minutes_max;
    if (k->count <= most)
        return;
    uint32_t n = k->count - most;
    series_key_drop(k, n, &w->budget);
    w->waiting -= n;
    w->stats.dropped_minutes += n;
}

static void count_waiting(struct series_writer *w)
{
    w->waiting = 0;
    for (size_t i = 0; i < w->keys.count; i++)
        if (w->keys.key[i]->file != SERIES_FILE_THERE)
            w->waiting += w->keys.key[i]->count;
}

static struct series_key *key_for(struct series_writer *w, enum series_kind kind, const char *name)
{
    struct series_key *k = series_keys_get(&w->keys, kind, name);
    if (!k) {
        w->stats.keys_refused++;
        w->evict = true;
    }
    return k;
}

static struct series_minute *minute_for(struct series_writer *w, struct series_key *k,
                                        int64_t minute)
{
    uint32_t before = k->count;
    struct series_minute *m = series_key_minute(k, minute);
    if (m && k->count > before && k->file != SERIES_FILE_THERE)
        w->waiting++;
    return m;
}

// A minute that has been written and comes again is an amendment to it; its rows are added up
// among themselves only.
static int add_to(struct series_writer *w, enum series_kind kind, const char *name,
                  const struct minute_row *r)
{
    struct series_key *k = key_for(w, kind, name);
    if (!k)
        return 0;
    uint32_t attempts = series_row_attempts(r);
    k->attempts += k->attempts < ATTEMPTS_MAX ? attempts : 0;
    // A burst, or as many as several bursts one by one: who is slow may be ticketed too.
    if (kind != SERIES_SUBSCRIBER || series_row_earns_file(r, w->o.burst_connections) ||
        k->attempts >= SLOW_BURSTS * w->o.burst_connections)
        k->earned = true;
    struct series_minute *m = minute_for(w, k, r->minute);
    if (!m)
        return -ENOMEM;
    series_minute_add(m, r, &w->budget);
    if (kind == SERIES_SUBSCRIBER)
        m->sensors |= sight_of_row(w->kw.watched, r);
    if (kind == SERIES_SUBSCRIBER && key_writer_lease(k, m, r) != 0)
        return -ENOMEM;
    if (k->earned || k->file != SERIES_FILE_NONE)
        return enqueue(w, k) ? 0 : -ENOMEM;
    forget_oldest(w, k);
    return 0;
}

static bool is_time(struct series_writer *w, int64_t minute)
{
    if (minute >= MINUTE_LEAST && minute < MINUTE_MOST)
        return true;
    w->stats.times_refused++;
    return false;
}

int series_writer_row(struct series_writer *w, const struct minute_row *r)
{
    w->stats.rows++;
    if (!is_time(w, r->minute) || !series_row_matters(r))
        return 0;
    char name[SUBSCRIBER_TEXT_MAX];
    int rc = add_to(w, SERIES_SUBSCRIBER, subscriber_key_format(&r->key, name), r);
    if (rc == 0)
        rc = add_to(w, SERIES_SITE, SERIES_SITE_NAME, r);
    if (rc == 0 && r->pop[0])
        rc = add_to(w, SERIES_POP, r->pop, r);
    if (rc == 0 && r->network_class[0])
        rc = add_to(w, SERIES_CLASS, r->network_class, r);
    return rc;
}

int series_writer_coverage(struct series_writer *w, const struct coverage_minute *c)
{
    if (!is_time(w, c->minute))
        return 0;
    int rc = watched_put(w->kw.watched, c);
    if (rc != 0) {
        key_writer_error(&w->kw, strerror(-rc));
        return rc;
    }
    if (c->seconds == 0 || !c->sum.sensor[0])
        return 0;
    struct series_key *k = key_for(w, SERIES_SENSOR, c->sum.sensor);
    struct series_minute *m = k ? minute_for(w, k, c->minute) : NULL;
    if (k && !m)
        return -ENOMEM;
    if (!k)
        return 0;
    k->earned = true;
    series_minute_add_sensor(m, c);
    return enqueue(w, k) ? 0 : -ENOMEM;
}

void series_writer_repeating(struct series_writer *w, bool repeating)
{
    for (size_t i = 0; w->kw.repeating && !repeating && i < w->queued; i++)
        key_writer_drop_repeated(&w->kw, w->queue[i]);
    w->kw.repeating = repeating;
    count_waiting(w);
}

static void begin(struct series_writer *w, int64_t before_minute)
{
    w->written_before = before_minute;
    w->stats.files_waiting = 0;
    w->kw.errors_in_a_row = 0;
    w->kw.before_minute = before_minute;
    w->kw.creations = 0;
    w->at = w->kept = 0;
    w->round_safe = before_minute;
    w->in_round = true;
}

bool series_writer_begin(struct series_writer *w, int64_t mark_ms)
{
    if (mark_ms > w->mark_ms && is_time(w, mark_ms / MINUTE_MS))
        w->mark_ms = mark_ms;
    int64_t settled_ms = w->mark_ms - w->o.settle_ms;
    if (w->in_round || settled_ms <= 0 || settled_ms / MINUTE_MS <= w->written_before)
        return false;
    begin(w, settled_ms / MINUTE_MS);
    return true;
}

static void stay(struct series_writer *w, struct series_key *k)
{
    w->queue[w->kept++] = k;
    if (k->count > 0 && k->minute[0].minute < w->round_safe &&
        (k->earned || k->file == SERIES_FILE_THERE))
        w->round_safe = k->minute[0].minute;
}

static void end_round(struct series_writer *w)
{
    if (w->kw.uncommitted_count > 0)
        key_writer_commit(&w->kw);
    w->queued = w->kept;
    w->safe_before = w->round_safe;
    w->in_round = false;
    if (w->evict) {
        w->stats.keys_evicted += series_keys_evict(&w->keys, &w->budget);
        w->evict = false;
        count_waiting(w);
    }
}

static void work_one(struct series_writer *w, struct series_key *k)
{
    bool full = w->kw.errors_in_a_row >= ERRORS_IN_A_ROW;
    bool had_file = k->file == SERIES_FILE_THERE;
    uint32_t before = k->count;
    bool stays = full || key_writer_write(&w->kw, k);
    if (!had_file && k->file == SERIES_FILE_THERE)
        w->waiting -= before;
    if (k->file == SERIES_FILE_NONE)
        forget_oldest(w, k);
    if (stays && (k->earned || k->file != SERIES_FILE_NONE))
        stay(w, k);
    else
        k->queued = false;
}

static void read_ahead(struct series_writer *w)
{
    if (w->at % BATCH == 0) {
        struct rusage u;
        if (getrusage(RUSAGE_SELF, &u) != 0)
            return;
        w->cold = w->at > 0 && u.ru_majflt - w->waits >= COLD_WAITS;
        w->waits = u.ru_majflt;
    }
    if (w->cold && w->at + BATCH < w->queued)
        series_files_prefetch(w->kw.files, w->queue[w->at + BATCH]);
}

bool series_writer_work(struct series_writer *w, size_t keys)
{
    if (!w->in_round)
        return true;
    for (; keys > 0 && w->at < w->queued; keys--, w->at++) {
        read_ahead(w);
        work_one(w, w->queue[w->at]);
        if (w->kw.uncommitted_count >= COMMIT_KEYS)
            key_writer_commit(&w->kw);
    }
    if (w->at < w->queued)
        return false;
    end_round(w);
    return true;
}

int64_t series_writer_safe_before(const struct series_writer *w)
{
    return w->safe_before;
}

int64_t series_writer_mark(struct series_writer *w, int64_t mark_ms)
{
    if (series_writer_begin(w, mark_ms))
        series_writer_work(w, SIZE_MAX);
    return w->safe_before;
}

void series_writer_finish(struct series_writer *w)
{
    series_writer_work(w, SIZE_MAX);
    int64_t before = (w->mark_ms + MINUTE_MS - 1) / MINUTE_MS; // the one that is not full, too
    w->kw.together = 1;
    // The creation rate spreads a burst over minutes; at the journal's end there are none left.
    uint64_t created;
    do {
        created = w->stats.files_created;
        begin(w, before > w->written_before ? before : w->written_before);
        series_writer_work(w, SIZE_MAX);
    } while (w->stats.files_waiting > 0 && w->stats.files_created > created);
}

const struct series_stats *series_writer_stats(const struct series_writer *w)
{
    struct series_stats *s = (struct series_stats *)&w->stats;
    s->keys = w->keys.count;
    return s;
}

void series_writer_close(struct series_writer *w)
{
    if (!w)
        return;
    key_writer_fini(&w->kw);
    series_keys_fini(&w->keys, &w->budget);
    free(w->queue);
    if (w->lock >= 0)
        close(w->lock);
    free(w);
}
