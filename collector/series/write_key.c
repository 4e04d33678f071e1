// A gap is written as what it was, before the minute that ends it: one update at the end of each
// stretch that was watched (0) or not (unknown). Without it the next value would stand for all of it.
#include "series/write_key.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "common/series_notes.h"
#include "series/sight.h"

enum { GAP_UPDATES_MAX = 255, DAY_S = 86400, FORECAST_MINUTES = 60 };

int key_writer_init(struct key_writer *kw, const struct series_options *o,
                    struct distinct_budget *budget, struct series_stats *stats,
                    char error[static RRDFILE_ERROR_MAX])
{
    *kw = (struct key_writer){.rrd_dir = o->rrd_dir,
                              .budget = budget,
                              .stats = stats,
                              .creations_max = o->creations_a_minute,
                              .together = o->together > 1 ? o->together : 1};
    int rc = series_files_open(o->rrd_dir, o->layout, o->rrdcached, o->together > 1, &kw->files,
                               error);
    return rc == 0 ? watched_open(o->rrd_dir, &kw->watched) : rc;
}

void key_writer_fini(struct key_writer *kw)
{
    series_files_close(kw->files);
    watched_close(kw->watched);
    free(kw->uncommitted);
    *kw = (struct key_writer){0};
}

void key_writer_error(struct key_writer *kw, const char *text)
{
    kw->stats->errors++;
    kw->errors_in_a_row++;
    snprintf(kw->stats->last_error, sizeof kw->stats->last_error, "%s", text);
}

int key_writer_lease(struct series_key *k, struct series_minute *m, const struct minute_row *r)
{
    char text[PARTY_TEXT_MAX];
    if (r->party.kind == 0)
        return 0;
    uint64_t party = hash_octets(HASH_ADDRESS, span_of_text(party_format(&r->party, text)));
    if (party == k->party && !(r->flags & MINUTE_LEASE_START))
        return 0;
    // Nobody's from the start is what is taken of a key without notes.
    bool first_is_nobody = k->party == 0 && r->party.kind == PARTY_PROVISIONAL;
    k->party = party;
    if (first_is_nobody)
        return 0;
    char *copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    free(m->party);
    m->party = copy;
    return 0;
}

static void note_lease(struct key_writer *kw, struct series_key *k, struct series_minute *m)
{
    struct series_notes notes;
    if (!m->party)
        return;
    int rc = 0;
    bool known = false;
    if (!k->leased) { // of an earlier run, or none
        rc = series_notes_read(kw->rrd_dir, k->kind, k->name, &notes);
        if (rc == 0) {
            const struct series_lease *last = notes.leases ? &notes.lease[notes.leases - 1] : NULL;
            known = last && (strcmp(last->party, m->party) == 0 || last->start_s / 60 > m->minute);
            series_notes_free(&notes);
        }
        k->leased = true;
    }
    if (rc == 0 && !known)
        rc = series_notes_put_lease(kw->rrd_dir, k->kind, k->name, m->minute, m->party);
    if (rc != 0)
        key_writer_error(kw, strerror(-rc));
    free(m->party);
    m->party = NULL;
}

// true: there is a file now.
static bool ensure_file(struct key_writer *kw, struct series_key *k)
{
    char error[RRDFILE_ERROR_MAX] = "";
    if (k->file == SERIES_FILE_UNKNOWN && series_files_look(kw->files, k, error) != 0) {
        key_writer_error(kw, error);
        return false;
    }
    if (k->file == SERIES_FILE_THERE)
        return true;
    if (!k->earned || k->count == 0 || k->minute[0].minute >= kw->before_minute)
        return false;
    // A spoofed scan must not fill a disk; the few series of everybody are not held up by one.
    if (k->kind == SERIES_SUBSCRIBER && kw->creations >= kw->creations_max) {
        kw->stats->files_waiting++;
        return false;
    }
    kw->creations += k->kind == SERIES_SUBSCRIBER;
    // From the day's beginning on, as a gap before the first sample: the first rows of the coarse
    // archives are then averages of all their minutes, not of the latest alone.
    int64_t start_s = k->minute[0].minute * SERIES_STEP_S;
    start_s -= start_s % DAY_S;
    int rc = series_files_create(kw->files, k, start_s, error);
    if (rc != 0) {
        key_writer_error(kw, error[0] ? error : strerror(-rc));
        return false;
    }
    kw->stats->files_created++;
    k->is_new = true;
    return true;
}

static struct rrdfile_update silence(int64_t t_s, bool watched)
{
    struct rrdfile_update u = {.t_s = t_s};
    for (unsigned s = 0; s < SERIES_SOURCES; s++)
        u.value[s] = watched ? 0.0 : NAN;
    return u;
}

static size_t gap_updates(struct key_writer *kw, uint64_t set, int64_t from_s, int64_t to_s,
                          struct rrdfile_update *out)
{
    size_t n = 0;
    for (int64_t at = from_s / SERIES_STEP_S, to = to_s / SERIES_STEP_S; at < to;) {
        bool watched;
        at = watched_stretch(kw->watched, set, at, to, &watched);
        if (n == GAP_UPDATES_MAX) { // out of room: the rest is one stretch that ends unknown
            out[n - 1] = silence(to_s, false);
            return n;
        }
        out[n++] = silence(at * SERIES_STEP_S, watched);
    }
    return n;
}

// The minute has been written before: what came now is added beside the file.
static int amend(struct key_writer *kw, struct series_key *k, const struct series_minute *m)
{
    struct series_notes notes;
    struct series_sample *s;
    size_t n;
    struct series_range r = {.start_s = m->minute * SERIES_STEP_S,
                             .end_s = (m->minute + 1) * SERIES_STEP_S,
                             .step_s = SERIES_STEP_S};
    if (kw->repeating) {
        kw->stats->repeated++;
        return 0;
    }
    int rc = series_notes_read(kw->rrd_dir, k->kind, k->name, &notes);
    if (rc != 0)
        return rc;
    bool known = false;
    for (size_t i = 0; i < notes.amendments; i++)
        known = known ||
                (notes.amendment[i].minute == m->minute && notes.amendment[i].cut_ms >= m->cut_ms);
    series_notes_free(&notes);
    if (known) {
        kw->stats->repeated++;
        return 0;
    }
    series_files_flush(kw->files, k);
    rc = series_fetch(kw->rrd_dir, k->kind, k->name, &r, &s, &n);
    if (rc != 0)
        return rc;
    struct series_amendment a = {.minute = m->minute, .cut_ms = m->cut_ms};
    for (unsigned v = 0; v < SERIES_SOURCES; v++) {
        double before = n == 1 && !isnan(s[0].average[v]) ? s[0].average[v] : 0;
        a.delta[v] = m->value[v];
        a.total[v] = before + m->value[v];
    }
    free(s);
    kw->stats->amendments++;
    return series_notes_put_amendment(kw->rrd_dir, k->kind, k->name, &a);
}

static int write_minute(struct key_writer *kw, struct series_key *k, struct series_minute *m,
                        char error[static RRDFILE_ERROR_MAX])
{
    struct rrdfile_update updates[GAP_UPDATES_MAX + 1];
    int64_t start_s = m->minute * SERIES_STEP_S, end_s = start_s + SERIES_STEP_S;
    series_minute_finish(m, kw->budget);
    note_lease(kw, k, m);
    if (end_s <= k->last_s) {
        int rc = amend(kw, k, m);
        if (rc != 0)
            snprintf(error, RRDFILE_ERROR_MAX, "%.80s: %s", k->name, strerror(-rc));
        return rc;
    }
    uint64_t set;
    int rc = sight_before(kw, k, m, &set);
    if (rc != 0) {
        snprintf(error, RRDFILE_ERROR_MAX, "%.80s: notes: %s", k->name, strerror(-rc));
        return rc;
    }
    size_t n = gap_updates(kw, set, k->last_s, start_s, updates);
    updates[n].t_s = end_s;
    memcpy(updates[n].value, m->value, sizeof m->value);
    rc = series_files_update(kw->files, k, updates, n + 1, error);
    if (rc != 0)
        return rc;
    rc = sight_note(kw, k, m);
    if (rc != 0)
        key_writer_error(kw, strerror(-rc));
    k->is_new = false;
    k->last_s = end_s;
    kw->errors_in_a_row = 0;
    kw->stats->minutes_written++;
    kw->stats->updates += n + 1;
    return 0;
}

// The forecast looks at every minute, so silence is written as it passes; what failed it is said in
// the coverage. Up to an hour a call, the rest as a gap.
static int follow_time(struct key_writer *kw, struct series_key *k, int64_t to_s,
                       char error[static RRDFILE_ERROR_MAX])
{
    struct rrdfile_update updates[FORECAST_MINUTES + GAP_UPDATES_MAX];
    size_t n = 0;
    uint64_t set;
    if (to_s <= k->last_s)
        return 0;
    int rc = sight_before(kw, k, NULL, &set);
    if (rc != 0)
        return rc;
    int64_t from_s = k->last_s;
    if (to_s - from_s > FORECAST_MINUTES * SERIES_STEP_S) {
        n = gap_updates(kw, set, from_s, to_s - FORECAST_MINUTES * SERIES_STEP_S, updates);
        from_s = to_s - FORECAST_MINUTES * SERIES_STEP_S;
    }
    for (int64_t t = from_s; t < to_s; t += SERIES_STEP_S)
        updates[n++] = silence(t + SERIES_STEP_S, watched_at(kw->watched, set, t / SERIES_STEP_S));
    rc = series_files_update(kw->files, k, updates, n, error);
    if (rc == 0) {
        k->last_s = to_s;
        kw->stats->updates += n;
    }
    return rc;
}

static int look_at_forecast(struct key_writer *kw, const struct series_key *k, int64_t from_s)
{
    uint64_t failures = 0;
    int64_t first_s = k->last_s - from_s > FORECAST_MINUTES * SERIES_STEP_S
                          ? k->last_s - FORECAST_MINUTES * SERIES_STEP_S
                          : from_s;
    if (k->last_s <= first_s)
        return 0;
    int rc = series_files_failures(kw->files, k, first_s, k->last_s, &failures);
    for (int i = 0; rc == 0 && i < FORECAST_MINUTES; i++) {
        int64_t minute = first_s / SERIES_STEP_S + i;
        if (!(failures >> i & 1) || !watched_at(kw->watched, k->seen.noted, minute))
            continue;
        kw->stats->anomalies++;
        rc = watched_alarm(kw->watched, k->seen.noted, minute, COVERAGE_ANOMALY);
    }
    return rc;
}

static uint32_t due_minutes(const struct key_writer *kw, const struct series_key *k)
{
    uint32_t n = 0;
    while (n < k->count && k->minute[n].minute < kw->before_minute)
        n++;
    return n;
}

static bool write_together(struct key_writer *kw, struct series_key *k)
{
    char error[RRDFILE_ERROR_MAX] = "";
    int64_t from_s = k->last_s;
    uint32_t due = due_minutes(kw, k), done = 0;
    int rc = 0;
    for (; rc == 0 && done < due; done += rc == 0) {
        rc = follow_time(kw, k, k->minute[done].minute * SERIES_STEP_S, error);
        if (rc == 0)
            rc = write_minute(kw, k, &k->minute[done], error);
    }
    series_key_drop(k, done, kw->budget);
    if (rc == 0)
        rc = follow_time(kw, k, kw->before_minute * SERIES_STEP_S, error);
    if (rc == 0)
        rc = look_at_forecast(kw, k, from_s);
    if (rc != 0)
        key_writer_error(kw, error[0] ? error : strerror(-rc));
    return true; // of every round
}

void key_writer_drop_repeated(struct key_writer *kw, struct series_key *k)
{
    char error[RRDFILE_ERROR_MAX] = "";
    uint32_t n = 0;
    if (k->file == SERIES_FILE_UNKNOWN && series_files_look(kw->files, k, error) != 0)
        key_writer_error(kw, error);
    if (k->file != SERIES_FILE_THERE)
        return;
    while (n < k->count && (k->minute[n].minute + 1) * SERIES_STEP_S <= k->last_s)
        n++;
    kw->stats->repeated += n;
    series_key_drop(k, n, kw->budget);
}

static bool note_uncommitted(struct key_writer *kw, struct series_key *k, int64_t last_s,
                             uint32_t minutes)
{
    if (kw->uncommitted_count == kw->uncommitted_cap) {
        size_t cap = kw->uncommitted_cap ? kw->uncommitted_cap * 2 : 1024;
        struct uncommitted *u = reallocarray(kw->uncommitted, cap, sizeof *u);
        if (!u)
            return false;
        kw->uncommitted = u;
        kw->uncommitted_cap = cap;
    }
    kw->uncommitted[kw->uncommitted_count++] = (struct uncommitted){k, last_s, minutes};
    return true;
}

bool key_writer_write(struct key_writer *kw, struct series_key *k)
{
    char error[RRDFILE_ERROR_MAX] = "";
    if (!ensure_file(kw, k))
        return k->count > 0;
    if (k->kind != SERIES_SUBSCRIBER)
        return write_together(kw, k);
    uint32_t due = due_minutes(kw, k), done = 0;
    if (due == 0 || due < kw->together)
        return k->count > 0;
    int64_t last_s = k->last_s;
    int rc = 0;
    for (; rc == 0 && done < due; done += rc == 0)
        rc = write_minute(kw, k, &k->minute[done], error);
    if (rc != 0)
        key_writer_error(kw, error);
    if (!series_files_are_cached(kw->files, k) || !note_uncommitted(kw, k, last_s, done)) {
        series_key_drop(k, done, kw->budget);
        return k->count > 0;
    }
    return true; // until the commit; the next round finds it empty
}

void key_writer_commit(struct key_writer *kw)
{
    char error[RRDFILE_ERROR_MAX] = "";
    size_t refused;
    int rc = series_files_commit(kw->files, &refused, error);
    kw->stats->may_lose = series_files_may_lose(kw->files);
    if (rc != 0 || refused > 0)
        key_writer_error(kw, error);
    for (size_t i = 0; i < kw->uncommitted_count; i++) {
        struct uncommitted *u = &kw->uncommitted[i];
        if (rc == 0)
            series_key_drop(u->key, u->minutes, kw->budget);
        else
            u->key->last_s = u->last_s;
    }
    kw->uncommitted_count = 0;
}
