// Minutes wait in memory until no more rows are due, then go to the files as sparse updates.
#include "series/writer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/rrdfile.h"
#include "common/series_coverage.h"
#include "series/keys.h"
#include "series/values.h"

enum {
    PATH_OCTETS = 4096,
    MINUTE_MS = 60000,
    COVERAGE_RING = 4096,
    ATTEMPTS_MAX = 1000000,
    SLOW_BURSTS = 3,
    ERRORS_A_ROUND = 16, // then the disk is the matter, not a file
};

struct series_writer {
    struct series_options o;
    struct series_keys keys;
    struct series_stats stats;
    struct distinct_budget budget;
    int64_t mark_ms;
    int64_t written_before; // minutes before this one are written
    int64_t creation_minute;
    uint32_t creations;
    // Seconds watched of the latest minutes, so that a gap is read from disk only when it is long.
    struct series_coverage_minute ring[COVERAGE_RING];
    int64_t ring_minute[COVERAGE_RING];
};

int series_writer_open(const struct series_options *o, struct series_writer **out)
{
    struct series_writer *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->o = *o;
    w->budget.sketches_max = 4096;
    w->written_before = INT64_MIN;
    w->creation_minute = INT64_MIN;
    for (size_t i = 0; i < COVERAGE_RING; i++)
        w->ring_minute[i] = -1;
    int rc = series_keys_init(&w->keys, o->keys_max);
    if (rc == 0 && mkdir(o->rrd_dir, 0750) != 0 && errno != EEXIST)
        rc = -errno;
    if (rc != 0) {
        series_writer_close(w);
        return rc;
    }
    *out = w;
    return 0;
}

static void note_error(struct series_writer *w, const char *text)
{
    w->stats.errors++;
    snprintf(w->stats.last_error, sizeof w->stats.last_error, "%s", text);
}

static int add_to(struct series_writer *w, enum series_kind kind, const char *name,
                  const struct minute_row *r)
{
    struct series_key *k = series_keys_get(&w->keys, kind, name);
    if (!k) {
        w->stats.keys_refused++;
        return 0;
    }
    uint32_t attempts = series_row_attempts(r);
    k->attempts += k->attempts < ATTEMPTS_MAX ? attempts : 0;
    // A burst, or as many as several bursts one by one: who is slow may be ticketed too.
    if (series_row_earns_file(r, w->o.burst_connections) ||
        k->attempts >= SLOW_BURSTS * w->o.burst_connections)
        k->earned = true;
    struct series_minute *m = series_key_minute(k, r->minute);
    if (!m)
        return -ENOMEM;
    series_minute_add(m, r, &w->budget);
    return 0;
}

int series_writer_row(struct series_writer *w, const struct minute_row *r)
{
    w->stats.rows++;
    if (!series_row_matters(r))
        return 0;
    if (r->minute < w->written_before) {
        w->stats.late_rows++;
        return 0;
    }
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
    size_t at = (size_t)(c->minute % COVERAGE_RING);
    struct series_coverage_minute m = {0};
    if (w->ring_minute[at] == c->minute)
        m = w->ring[at];
    // Several sensors: watched when any was, and as bad as the worst.
    if (c->seconds > m.seconds)
        m.seconds = c->seconds;
    if (c->loss_ppm > m.loss_ppm)
        m.loss_ppm = c->loss_ppm;
    m.alarms |= c->alarms;
    w->ring[at] = m;
    w->ring_minute[at] = c->minute;
    int rc = series_coverage_put(w->o.rrd_dir, c->minute, &m);
    if (rc != 0)
        note_error(w, strerror(-rc));
    return rc;
}

static bool was_watched(const struct series_writer *w, int64_t minute)
{
    size_t at = (size_t)(minute % COVERAGE_RING);
    if (w->ring_minute[at] == minute)
        return w->ring[at].seconds > 0;
    struct series_coverage_minute m;
    return series_coverage_get(w->o.rrd_dir, minute, 1, &m) == 0 && m.seconds > 0;
}

// The folders of a file, two levels below the kind's own.
static int make_folders(const char *path)
{
    char dir[PATH_OCTETS];
    snprintf(dir, sizeof dir, "%s", path);
    for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(dir, 0750) != 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return 0;
}

// A key without file: is it one already (an earlier run made it), may it be made now?
static bool ensure_file(struct series_writer *w, struct series_key *k, const char *path)
{
    char error[RRDFILE_ERROR_MAX];
    if (k->has_file)
        return true;
    if (rrdfile_last(path, &k->last_s, error) == 0) {
        k->has_file = true;
        return true;
    }
    if (!k->earned || k->count == 0)
        return false;
    if (w->creations >= w->o.creations_a_minute) {
        w->stats.files_waiting++;
        return false;
    }
    w->creations++;
    int64_t start_s = k->minute[0].minute * SERIES_STEP_S;
    int rc = make_folders(path);
    if (rc == 0)
        rc = rrdfile_create(path, start_s, error);
    else
        snprintf(error, sizeof error, "%.100s: %s", path, strerror(-rc));
    if (rc != 0) {
        note_error(w, error);
        return false;
    }
    w->stats.files_created++;
    k->has_file = true;
    k->last_s = start_s;
    return true;
}

// The updates of a silence from `from` to `to` (both on a step): one at the end of each stretch that
// was watched (0) or not (unknown).
static size_t gap_updates(const struct series_writer *w, int64_t from_s, int64_t to_s,
                          struct rrdfile_update *out, size_t max)
{
    size_t n = 0;
    for (int64_t t = from_s; t < to_s;) {
        bool watched = was_watched(w, t / SERIES_STEP_S);
        while (t < to_s && was_watched(w, t / SERIES_STEP_S) == watched)
            t += SERIES_STEP_S;
        // Out of room: the rest of the gap is one stretch that ends unknown.
        struct rrdfile_update *u = &out[n < max ? n : max - 1];
        u->t_s = t;
        for (unsigned s = 0; s < SERIES_SOURCES; s++)
            u->value[s] = watched && n < max ? 0.0 : NAN;
        n += n < max;
    }
    return n;
}

static void write_minute(struct series_writer *w, struct series_key *k, const char *path,
                         struct series_minute *m)
{
    enum { GAP_UPDATES_MAX = 255 };
    struct rrdfile_update updates[GAP_UPDATES_MAX + 1];
    char error[RRDFILE_ERROR_MAX];
    int64_t start_s = m->minute * SERIES_STEP_S, end_s = start_s + SERIES_STEP_S;
    series_minute_finish(m, &w->budget);
    if (end_s <= k->last_s) {
        w->stats.late_rows++;
        return;
    }
    size_t n = gap_updates(w, k->last_s, start_s, updates, GAP_UPDATES_MAX);
    updates[n].t_s = end_s;
    memcpy(updates[n].value, m->value, sizeof m->value);
    if (rrdfile_update(path, updates, n + 1, error) != 0) {
        note_error(w, error);
        return;
    }
    k->last_s = end_s;
    w->stats.minutes_written++;
    w->stats.updates += n + 1;
}

static void forget_oldest(struct series_writer *w, struct series_key *k)
{
    while (k->count > w->o.waiting_minutes_max) {
        series_minute_finish(&k->minute[0], &w->budget);
        series_key_drop(k, 1);
        w->stats.dropped_minutes++;
    }
}

static void write_key(struct series_writer *w, struct series_key *k, int64_t before_minute)
{
    if (k->count == 0 || k->minute[0].minute >= before_minute)
        return;
    char relative[SERIES_PATH_MAX], path[PATH_OCTETS];
    series_path(k->kind, k->name, relative);
    snprintf(path, sizeof path, "%s/%s", w->o.rrd_dir, relative);
    if (!ensure_file(w, k, path)) {
        forget_oldest(w, k);
        return;
    }
    size_t done = 0;
    while (done < k->count && k->minute[done].minute < before_minute)
        write_minute(w, k, path, &k->minute[done++]);
    series_key_drop(k, done);
}

// All keys once; a full disk ends the round, and what was not written waits for the next.
static void write_round(struct series_writer *w, int64_t before_minute)
{
    uint64_t errors = w->stats.errors;
    w->stats.files_waiting = 0;
    for (size_t i = 0; i < w->keys.count && w->stats.errors - errors < ERRORS_A_ROUND; i++)
        write_key(w, w->keys.key[i], before_minute);
}

static void write_before(struct series_writer *w, int64_t before_minute)
{
    if (before_minute <= w->written_before)
        return;
    w->written_before = before_minute;
    w->creations = 0;
    write_round(w, before_minute);
}

int64_t series_writer_mark(struct series_writer *w, int64_t mark_ms)
{
    if (mark_ms > w->mark_ms)
        w->mark_ms = mark_ms;
    int64_t settled_ms = w->mark_ms - w->o.settle_ms;
    if (settled_ms > 0)
        write_before(w, settled_ms / MINUTE_MS);
    return w->written_before;
}

void series_writer_finish(struct series_writer *w)
{
    write_before(w, w->mark_ms / MINUTE_MS + 1);
    // The creation rate spreads a burst over minutes; at the journal's end there are none left.
    uint64_t created;
    do {
        created = w->stats.files_created;
        w->creations = 0;
        write_round(w, w->written_before);
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
    series_keys_fini(&w->keys, &w->budget);
    free(w);
}
