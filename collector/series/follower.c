// The cursor file has two lines: where to read on from, and up to where everything was given to the
// writer before. When it is lost or damaged, the series of everybody says how far that was.
#include "series/follower.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/timefmt.h"

#define CLOCK_MS (2 * 86400000LL) // no sensor's reports come that late

enum { PLACES = 1024, ENTRIES_A_STEP = 512, KEYS_A_STEP = 256, MINUTE_MS = 60000 };

// A place in the journal and the mark it was reached at.
struct place {
    struct journal_cursor cursor;
    int64_t mark_ms;
};

struct follower {
    struct series_writer *writer; // borrowed
    struct journal_reader *reader;
    char *cursor_path;
    int64_t waiting_minutes;
    struct place place[PLACES]; // oldest first
    size_t places;
    int64_t mark_ms;
    struct journal_cursor repeated_until; // what lies before was read by an earlier run
    int64_t repeated_until_ms;            // instead, when no place is known: marks before it were
    bool repeating;
    bool ends; // at `end`
    struct journal_cursor end;
    uint64_t errors_before;
    bool in_round;
    int64_t jump_ms; // the journal's time went on to here by more than CLOCK_MS; 0: it did not
    char clock[FOLLOWER_CLOCK_MAX];
};

static void note_place(struct follower *f, int64_t mark_ms)
{
    // One a minute is enough: the cursor only moves by whole minutes.
    if (f->places > 0 && mark_ms / MINUTE_MS == f->place[f->places - 1].mark_ms / MINUTE_MS)
        return;
    if (f->places == PLACES) { // the oldest stays, of the others every second one
        size_t kept = 1;
        for (size_t i = 2; i < PLACES; i += 2)
            f->place[kept++] = f->place[i];
        f->places = kept;
    }
    f->place[f->places++] = (struct place){journal_reader_cursor(f->reader), mark_ms};
}

// Time that jumps ahead and comes back is a wrong clock's: files hold so much time behind their newest row, and what
// lies further back has left them.
static void note_time(struct follower *f, int64_t t_ms)
{
    char ahead[TIME_TEXT_MAX], back[TIME_TEXT_MAX];
    if (f->jump_ms == 0 || t_ms >= f->jump_ms - CLOCK_MS || f->clock[0])
        return;
    snprintf(f->clock, sizeof f->clock,
             "the journal goes on to %s and then comes back to %s: earlier time has left the files",
             time_format(f->jump_ms, ahead), time_format(t_ms, back));
    log_warning("%s; %s", f->clock, follower_clock_fix);
}

static int save_cursor(const char *path, const struct journal_cursor *from,
                       const struct journal_cursor *given)
{
    char text[JOURNAL_CURSOR_MAX], until[JOURNAL_CURSOR_MAX], temporary[4096];
    journal_cursor_format(from, text);
    journal_cursor_format(given, until);
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return -ENAMETOOLONG;
    FILE *out = fopen(temporary, "we");
    if (!out)
        return -errno;
    int rc = fprintf(out, "%s\n%s\n", text, until) < 0 ? -EIO : 0;
    if (fclose(out) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(temporary, path) != 0)
        rc = -errno;
    return rc;
}

static bool is_before(const struct journal_cursor *a, const struct journal_cursor *b)
{
    if (a->day != b->day)
        return a->day < b->day;
    if (a->segment != b->segment)
        return a->segment < b->segment;
    return a->offset != b->offset ? a->offset < b->offset : a->entry < b->entry;
}

// The newest place from which nothing that is still held would be missed. While entries are read again,
// what an earlier run was given stays what was given: to stop there must not make them count twice.
static void advance_cursor(struct follower *f)
{
    if (f->repeating && f->repeated_until_ms > 0)
        return;
    int64_t safe_minute = series_writer_safe_before(f->writer);
    int64_t needed_minute = safe_minute > f->waiting_minutes ? safe_minute - f->waiting_minutes : 1;
    size_t passed = 0;
    while (passed < f->places && f->place[passed].mark_ms / MINUTE_MS < needed_minute)
        passed++;
    if (passed == 0)
        return;
    struct place safe = f->place[passed - 1];
    // The place stays: the mark behind it may change when it does not.
    f->places -= passed - 1;
    memmove(f->place, f->place + passed - 1, f->places * sizeof f->place[0]);
    struct journal_cursor given = journal_reader_cursor(f->reader);
    if (f->repeating && is_before(&given, &f->repeated_until))
        given = f->repeated_until;
    int rc = save_cursor(f->cursor_path, &safe.cursor, &given);
    if (rc != 0)
        log_error("%s: %s: after a restart older minutes are read again", f->cursor_path,
                  strerror(-rc));
}

// Both lines of a cursor file: how many are cursors, from the first on.
static int read_cursors(const char *path, struct journal_cursor *from, struct journal_cursor *given)
{
    char text[JOURNAL_CURSOR_MAX] = "", until[JOURNAL_CURSOR_MAX] = "";
    FILE *in = fopen(path, "re");
    if (!in)
        return -errno;
    bool read = fgets(text, sizeof text, in) != NULL;
    bool both = read && fgets(until, sizeof until, in) != NULL;
    fclose(in);
    text[strcspn(text, "\n")] = until[strcspn(until, "\n")] = '\0';
    if (!read || journal_cursor_parse(text, from) != 0)
        return 0;
    return both && journal_cursor_parse(until, given) == 0 ? 2 : 1;
}

static bool load_cursor(struct follower *f, struct journal_cursor *out)
{
    int n = read_cursors(f->cursor_path, out, &f->repeated_until);
    f->repeating = n == 2;
    if (n == 0)
        log_warning("%s: no cursor in it; reading the journal from its start", f->cursor_path);
    return n > 0;
}

int follower_until(struct follower *f, const char *other_rrd_dir)
{
    struct journal_cursor from;
    char path[4096];
    if (snprintf(path, sizeof path, "%s/cursor", other_rrd_dir) >= (int)sizeof path)
        return -ENAMETOOLONG;
    f->ends = read_cursors(path, &from, &f->end) == 2;
    return f->ends ? 0 : -ENOENT;
}

int follower_open(const char *journal, const char *rrd_dir, struct series_writer *w,
                  uint32_t waiting_minutes, struct follower **out)
{
    struct follower *f = calloc(1, sizeof *f);
    struct journal_cursor cursor;
    if (!f)
        return -ENOMEM;
    f->writer = w;
    f->waiting_minutes = waiting_minutes;
    int rc = asprintf(&f->cursor_path, "%s/cursor", rrd_dir) < 0 ? -ENOMEM : 0;
    if (rc == 0) {
        bool resumed = load_cursor(f, &cursor);
        rc = journal_reader_open(journal, resumed ? &cursor : NULL, NULL, &f->reader);
    }
    if (rc != 0) {
        follower_close(f);
        return rc;
    }
    // Without a cursor, as far as everybody's series goes was given before: nothing counts twice.
    int64_t last_s;
    if (f->repeating && series_last(rrd_dir, SERIES_SITE, SERIES_SITE_NAME, &last_s) == 0)
        f->jump_ms = last_s * 1000;
    if (!f->repeating && series_last(rrd_dir, SERIES_SITE, SERIES_SITE_NAME, &last_s) == 0) {
        f->repeating = true;
        f->repeated_until_ms = last_s * 1000;
    }
    series_writer_repeating(w, f->repeating);
    // Where this run began is safe at any time.
    f->place[f->places++] = (struct place){journal_reader_cursor(f->reader), 0};
    *out = f;
    return 0;
}

static int end_round(struct follower *f, bool stops_on_error)
{
    f->in_round = false;
    if (stops_on_error && series_writer_stats(f->writer)->errors > f->errors_before)
        return -EIO;
    advance_cursor(f);
    return FOLLOWER_MORE;
}

static void on_mark(struct follower *f, int64_t mark_ms)
{
    note_time(f, mark_ms);
    if (f->mark_ms > 0 && mark_ms > f->mark_ms + CLOCK_MS)
        f->jump_ms = mark_ms;
    f->mark_ms = mark_ms;
    note_place(f, mark_ms);
    f->errors_before = series_writer_stats(f->writer)->errors;
    f->in_round = series_writer_begin(f->writer, mark_ms);
}

// Rows are given between rounds, so what the writer holds of the repeated part is written in rounds
// of that part: the one in which it ends is the last.
static void note_repetition(struct follower *f)
{
    struct journal_cursor at = journal_reader_cursor(f->reader);
    if (!f->repeating || f->mark_ms < f->repeated_until_ms ||
        (f->repeated_until_ms == 0 && is_before(&at, &f->repeated_until)))
        return;
    f->repeating = false;
    series_writer_repeating(f->writer, false);
}

static bool has_come_to_end(const struct follower *f)
{
    struct journal_cursor at = journal_reader_cursor(f->reader);
    return !is_before(&at, &f->end);
}

int follower_step(struct follower *f, bool stops_on_error)
{
    if (f->in_round) {
        if (!series_writer_work(f->writer, KEYS_A_STEP))
            return FOLLOWER_MORE;
        int rc = end_round(f, stops_on_error);
        note_repetition(f);
        return rc;
    }
    for (int i = 0; i < ENTRIES_A_STEP && !f->in_round; i++) {
        const struct journal_entry *e;
        if (f->ends && has_come_to_end(f))
            return FOLLOWER_AT_END;
        int rc = journal_next(f->reader, &e);
        if (rc <= 0)
            return rc < 0 ? rc : FOLLOWER_AT_END;
        if (e->kind == JOURNAL_ROW)
            note_time(f, e->row.minute * MINUTE_MS);
        if (e->kind == JOURNAL_ROW)
            rc = series_writer_row(f->writer, &e->row);
        else if (e->kind == JOURNAL_COVERAGE)
            rc = series_writer_coverage(f->writer, &e->coverage);
        else if (e->kind == JOURNAL_MARK)
            on_mark(f, e->mark_ms);
        if (rc == -ENOMEM)
            return rc;
        if (!f->in_round && e->kind == JOURNAL_MARK)
            note_repetition(f);
    }
    return FOLLOWER_MORE;
}

void follower_finish(struct follower *f)
{
    series_writer_finish(f->writer);
    advance_cursor(f);
}

int64_t follower_mark_ms(const struct follower *f)
{
    return f->mark_ms;
}

const char *follower_clock(const struct follower *f)
{
    return f->clock;
}

const struct journal_stats *follower_journal(const struct follower *f)
{
    return journal_reader_stats(f->reader);
}

bool follower_damage(struct follower *f, char out[static JOURNAL_DAMAGE_TEXT_MAX])
{
    return journal_reader_damage(f->reader, out);
}

void follower_close(struct follower *f)
{
    if (!f)
        return;
    journal_reader_close(f->reader);
    free(f->cursor_path);
    free(f);
}
