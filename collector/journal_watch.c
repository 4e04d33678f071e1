// What the writer found is logged once each, however often a commit meets it again.
#include "journal_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define EACH_MS 10000

struct journal_watch {
    struct loop *loop;
    int timer;
    struct journal_writer *writer;
    char *journal;
    int error; // of the last look
    char said[JOURNAL_DAMAGE_TEXT_MAX];
};

static const char *fix_of(int rc)
{
    switch (-rc) {
    case EBUSY: return "another collector writes this journal; use another folder";
    case EACCES:
    case EPERM:
    case EROFS: return "the collector's user must be able to write there";
    case ENOENT:
    case ENOTDIR: return "the journal is a folder, and the folder above it must be there";
    case ENOSPC:
    case EDQUOT: return "make room on its disk";
    default: return NULL;
    }
}

int journal_watch_open(const char *journal, const struct journal_options *options, FILE *errors,
                       struct journal_writer **out)
{
    int rc = journal_writer_open(journal, options, out);
    char damage[JOURNAL_DAMAGE_TEXT_MAX];
    if (rc == -ENOKEY)
        fprintf(errors,
                "collector.journal_keys: %s: no folder that this user can read and write; make it "
                "(mkdir -m 700), or correct the path\n",
                options->key_dir);
    else if (rc < 0 && fix_of(rc))
        fprintf(errors, "%s: %s; %s\n", journal, strerror(-rc), fix_of(rc));
    else if (rc < 0)
        fprintf(errors, "%s: %s\n", journal, strerror(-rc));
    while (rc == 0 && journal_writer_damage(*out, damage))
        fprintf(errors, "%s/%s\n", journal, damage);
    return rc;
}

static void look(struct loop *l, int64_t now_ms, void *ctx)
{
    struct journal_watch *j = ctx;
    char text[JOURNAL_DAMAGE_TEXT_MAX];
    (void)l;
    (void)now_ms;
    int rc = journal_writer_look(j->writer);
    while (journal_writer_damage(j->writer, text))
        if (strcmp(text, j->said) != 0) {
            log_error("%s/%s", j->journal, text);
            memcpy(j->said, text, sizeof text);
        }
    if (rc < 0 && rc != j->error)
        log_error("%s: %s; nothing is acknowledged until the folder is back", j->journal,
                  strerror(-rc));
    j->error = rc;
}

struct journal_watch *journal_watch_new(struct loop *l, struct journal_writer *w,
                                        const char *journal)
{
    struct journal_watch *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->loop = l;
    j->writer = w;
    j->journal = strdup(journal);
    j->timer = j->journal ? loop_every(l, EACH_MS, look, j) : -1;
    if (j->timer <= 0) {
        journal_watch_free(j);
        return NULL;
    }
    return j;
}

void journal_watch_free(struct journal_watch *j)
{
    if (!j)
        return;
    if (j->timer > 0)
        loop_cancel(j->loop, j->timer);
    free(j->journal);
    free(j);
}

void journal_watch_status(const struct journal_watch *j, struct control_status *s)
{
    uint64_t gone, keys;
    char text[300];
    if (!j)
        return;
    journal_writer_lost(j->writer, &gone, &keys);
    control_status_counter(s, "journal_places_lost", gone);
    control_status_counter(s, "journal_keys_lost", keys);
    if (j->error < 0) {
        snprintf(text, sizeof text,
                 "the journal's folder %.150s is gone and cannot be made (%s): nothing is "
                 "acknowledged",
                 j->journal, strerror(-j->error));
        control_status_problem(s, 2, "journal-folder", text,
                               "put the folder back; or make it for the collector's user, and "
                               "restart the collector");
    }
    if (gone > 0)
        control_status_problem(s, 1, "journal-taken-away",
                               "the journal, or a segment, was taken away while it was written",
                               "the log names it; put it back; postern journal verify says what "
                               "is missing");
    if (keys > 0)
        control_status_problem(s, 1, "journal-key",
                               "a day's key was gone: what was written with it can be read by "
                               "nobody; a new segment was begun under a new key",
                               "put the key file back if it was not deleted on purpose");
}
