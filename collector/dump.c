// Reads a journal from end to end, for one of three purposes, and says what was wrong with it.
#include "dump.h"

#include <errno.h>
#include <string.h>

#include "common/journal.h"
#include "common/timefmt.h"
#include "dump_entry.h"

struct day {
    uint32_t day;
    uint64_t rows, coverages, sites, octets, octets_before;
    int64_t first, last; // minutes of rows
};

struct reading {
    const struct dump_filter *filter;
    FILE *out;
    int (*take)(struct reading *g, const struct journal_entry *e);
    struct journal_stats stats; // so far
    struct journal_cursor at;
    struct day day, sum;
};

static void say_damage(const char *dir, struct journal_reader *r, FILE *errors)
{
    char text[JOURNAL_DAMAGE_TEXT_MAX];
    while (journal_reader_damage(r, text))
        fprintf(errors, "%s/%s\n", dir, text);
}

struct unreadable {
    const char *dir, *key_dir;
    FILE *errors;
};

static void say_day(uint32_t day, uint64_t segments, void *ctx)
{
    const struct unreadable *u = ctx;
    fprintf(u->errors, "%s: day %08u: %llu segments unreadable, their key is not in %s\n", u->dir,
            day, (unsigned long long)segments, u->key_dir);
}

// What the reading passed over. `rc`: how it ended; the whole's result.
static int say_what_is_missing(struct unreadable *u, const struct journal_stats *stats, int rc)
{
    if (rc >= 0 && stats->bad_blocks > 0)
        fprintf(u->errors, "%s: %llu damaged or undecipherable places were passed over\n", u->dir,
                (unsigned long long)stats->bad_blocks);
    if (stats->shredded > 0)
        fprintf(u->errors, "%s: %llu segments of shredded days were passed over\n", u->dir,
                (unsigned long long)stats->shredded);
    if (u->key_dir && (stats->shredded > 0 || stats->bad_blocks > 0))
        journal_unreadable(u->dir, u->key_dir, say_day, u);
    if (stats->unchained > 0)
        fprintf(u->errors,
                "%s: %llu segments of earlier formats are unchained: whether one is missing or "
                "shorter cannot be told\n",
                u->dir, (unsigned long long)stats->unchained);
    if (stats->shredded > 0 && stats->blocks == 0) {
        fprintf(u->errors,
                "%s: no segment could be opened; is collector.journal_keys the right folder?\n",
                u->dir);
        rc = rc < 0 ? rc : -EINVAL;
    }
    if (rc == 0 && stats->torn)
        fprintf(u->errors, "%s: the last block is not whole (a writer at work, or a crash)\n",
                u->dir);
    return rc < 0 ? rc : stats->bad_blocks > 0 || stats->torn ? -EINVAL : 0;
}

// Reads all there is; `out` NULL: only for its soundness.
static int read_all(const char *dir, const char *key_dir, struct reading *g, FILE *errors)
{
    struct journal_reader *r;
    const struct journal_entry *e;
    struct journal_stats *stats = &g->stats;
    const char *where = dir;
    int rc = journal_check(dir);
    if (rc < 0) {
        fprintf(errors, "%s: %s\n", dir, journal_check_text(rc));
        return rc;
    }
    rc = journal_reader_open(dir, NULL, key_dir, &r);
    if (rc < 0) {
        fprintf(errors, "%s: %s\n", dir, strerror(-rc));
        return rc;
    }
    if (g->filter && g->filter->from_ms)
        journal_reader_skip_to(r, g->filter->from_ms / 60000);
    while ((rc = journal_next(r, &e)) == 1) {
        g->stats = *journal_reader_stats(r);
        g->at = journal_reader_cursor(r);
        int taken = g->take(g, e);
        if (taken < 0) {
            rc = taken;
            // Closed or full: the journal is not to blame.
            where = rc == -ENOMEM ? dir : "standard output";
            break;
        }
    }
    say_damage(dir, r, errors);
    *stats = *journal_reader_stats(r);
    journal_reader_close(r);
    if (rc < 0)
        fprintf(errors, "%s: %s\n", where, strerror(-rc));
    struct unreadable days = {dir, key_dir, errors};
    return say_what_is_missing(&days, stats, rc);
}

static int64_t minute_of(const struct journal_entry *e)
{
    switch (e->kind) {
    case JOURNAL_ROW: return e->row.minute;
    case JOURNAL_COVERAGE: return e->coverage.minute;
    case JOURNAL_SITE: return e->site.minute;
    default: return e->mark_ms / 60000;
    }
}

static bool wanted(const struct dump_filter *f, const struct journal_entry *e)
{
    char text[SUBSCRIBER_TEXT_MAX];
    int64_t minute = minute_of(e);
    if (!f)
        return true;
    if ((f->from_ms && (minute + 1) * 60000 <= f->from_ms) ||
        (f->to_ms && minute * 60000 >= f->to_ms))
        return false;
    return !f->key || (e->kind == JOURNAL_ROW &&
                       strcmp(subscriber_key_format(&e->row.key, text), f->key) == 0);
}

static int write_entry(struct reading *g, const struct journal_entry *e)
{
    if (!wanted(g->filter, e))
        return 0;
    json_t *line = dump_entry(e);
    int rc = line ? json_write_line(g->out, line) : -ENOMEM;
    json_decref(line);
    return rc;
}

int dump_journal(const char *dir, const char *key_dir, const struct dump_filter *filter, FILE *out,
                 FILE *errors)
{
    struct reading g = {.filter = filter, .out = out, .take = write_entry};
    return read_all(dir, key_dir, &g, errors);
}

static int pass(struct reading *g, const struct journal_entry *e)
{
    (void)g;
    (void)e;
    return 0;
}

int dump_verify(const char *dir, const char *key_dir, FILE *out, FILE *errors)
{
    struct reading g = {.take = pass};
    int rc = read_all(dir, key_dir, &g, errors);
    const struct journal_stats s = g.stats;
    if (rc < 0 && rc != -EINVAL)
        return rc;
    fprintf(out,
            "%llu segments, %llu blocks, %llu rows, %llu coverage minutes, %llu site minutes; %llu "
            "octets, %llu before compression; %llu damaged\n",
            (unsigned long long)s.segments, (unsigned long long)s.blocks,
            (unsigned long long)s.rows, (unsigned long long)s.coverages,
            (unsigned long long)s.sites, (unsigned long long)s.octets,
            (unsigned long long)s.octets_raw, (unsigned long long)s.bad_blocks);
    return rc;
}

// ---- By day

static void print_day(const struct day *d, const char *name, FILE *out)
{
    char first[TIME_TEXT_MAX] = "-", last[TIME_TEXT_MAX] = "-";
    if (d->rows > 0) {
        time_format(d->first * 60000, first);
        time_format(d->last * 60000, last);
    }
    fprintf(out, "%-8s %12llu %10llu %8llu %14llu %8.1f  %s  %s\n", name,
            (unsigned long long)d->rows, (unsigned long long)d->coverages,
            (unsigned long long)d->sites, (unsigned long long)d->octets,
            d->rows ? (double)d->octets / (double)d->rows : 0, first, last);
}

static void add_day(struct day *sum, const struct day *d)
{
    if (d->rows > 0 && (sum->rows == 0 || d->first < sum->first))
        sum->first = d->first;
    if (d->rows > 0 && (sum->rows == 0 || d->last > sum->last))
        sum->last = d->last;
    sum->rows += d->rows;
    sum->coverages += d->coverages;
    sum->sites += d->sites;
    sum->octets += d->octets;
}

static void end_day(struct reading *g)
{
    char name[16];
    if (g->day.day == 0)
        return;
    snprintf(name, sizeof name, "%08u", g->day.day);
    print_day(&g->day, name, g->out);
    add_day(&g->sum, &g->day);
    g->day = (struct day){.octets_before = g->day.octets_before + g->day.octets};
}

static int count(struct reading *g, const struct journal_entry *e)
{
    if (g->day.day != g->at.day)
        end_day(g);
    struct day *d = &g->day;
    d->day = g->at.day;
    d->octets = g->stats.octets - d->octets_before;
    d->coverages += e->kind == JOURNAL_COVERAGE;
    d->sites += e->kind == JOURNAL_SITE;
    if (e->kind != JOURNAL_ROW)
        return 0;
    if (d->rows == 0 || e->row.minute < d->first)
        d->first = e->row.minute;
    if (d->rows == 0 || e->row.minute > d->last)
        d->last = e->row.minute;
    d->rows++;
    return 0;
}

int dump_stat(const char *dir, const char *key_dir, FILE *out, FILE *errors)
{
    struct reading g = {.out = out, .take = count};
    if (journal_check(dir) < 0) // says so, and no empty table
        return read_all(dir, key_dir, &g, errors);
    fprintf(out, "%-8s %12s %10s %8s %14s %8s  %-20s  %s\n", "day", "rows", "coverage", "site",
            "octets", "octets/row", "first minute", "last minute");
    int rc = read_all(dir, key_dir, &g, errors);
    end_day(&g);
    print_day(&g.sum, "all", out);
    return rc;
}
