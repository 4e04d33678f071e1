// The journal into an engine. See follow.h.
#include "follow.h"

#include <errno.h>
#include <string.h>

#include "common/journal.h"
#include "common/log.h"

int follow_open(struct follow *f, const char *folder, const struct journal_cursor *from,
                const char *journal_keys)
{
    f->folder = folder;
    int rc = journal_check(folder);
    if (rc == 0)
        rc = journal_reader_open(folder, from, journal_keys, &f->reader);
    if (rc == 0)
        return 0;
    const char *fix = journal_check_text(rc);
    log_error("%s: %s", folder, fix ? fix : strerror(-rc));
    return EX_NOINPUT;
}

void follow_close(struct follow *f)
{
    if (f->reader)
        journal_reader_close(f->reader);
    f->reader = NULL;
}

static int take(struct follow *f, const struct journal_entry *e, const struct journal_cursor *from,
                const struct journal_cursor *to)
{
    for (size_t i = 0; i < FOLLOW_ENGINES && f->engine[i]; i++) {
        int rc = 0;
        switch (e->kind) {
        case JOURNAL_ROW: rc = engine_row(f->engine[i], &e->row, from, to); break;
        case JOURNAL_COVERAGE: engine_coverage(f->engine[i], &e->coverage); break;
        case JOURNAL_SITE: engine_site(f->engine[i], &e->site); break;
        case JOURNAL_MARK: engine_mark(f->engine[i], e->mark_ms); break;
        default: break;
        }
        if (rc != 0)
            return rc;
    }
    if (e->kind == JOURNAL_MARK && e->mark_ms > f->last_ms)
        f->last_ms = e->mark_ms;
    return 0;
}

static bool is_past(const struct follow *f, const struct journal_entry *e)
{
    int64_t t_ms = e->kind == JOURNAL_ROW    ? e->row.cut_ms
                   : e->kind == JOURNAL_MARK ? e->mark_ms
                                             : 0;
    return f->until_ms != 0 && t_ms > f->until_ms;
}

static void say_damage(struct follow *f)
{
    char text[JOURNAL_DAMAGE_TEXT_MAX];
    while (journal_reader_damage(f->reader, text)) {
        f->damaged++;
        log_error("%s/%s", f->folder, text);
    }
}

int follow_take(struct follow *f, uint64_t entries)
{
    const struct journal_entry *e;
    struct journal_cursor from = journal_reader_cursor(f->reader);
    int rc = 0;
    uint64_t n = 0;
    while (!f->past && (entries == 0 || n++ < entries) && (rc = journal_next(f->reader, &e)) > 0) {
        struct journal_cursor to = journal_reader_cursor(f->reader);
        if (is_past(f, e)) {
            // Rows of a block are sorted by party, so later ones may still be early enough; its mark ends it.
            f->past = e->kind == JOURNAL_MARK;
        } else {
            int taken = take(f, e, &from, &to);
            if (taken != 0)
                return taken;
        }
        from = to;
    }
    say_damage(f);
    return f->past ? 0 : rc;
}
