// A journal in a temporary folder, for tests of its writer and reader.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/journal_format.h"
#include "minute_sample.h"
#include "scratch.h"

#define MINUTE_ONE 29000000 // 2025-02-19T13:20Z

struct fixture {
    char dir[SCRATCH_MAX], keys[SCRATCH_MAX];
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    return f && scratch_make(f->dir) == 0 && scratch_make(f->keys) == 0 ? 0 : -1;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    scratch_remove(f->dir);
    scratch_remove(f->keys);
    free(f);
    return 0;
}

static inline struct journal_writer *writer(const char *dir, const struct journal_options *options)
{
    struct journal_options plain = {.sync = false};
    struct journal_writer *w = NULL;
    assert_int_equal(journal_writer_open(dir, options ? options : &plain, &w), 0);
    return w;
}

static inline struct journal_reader *reader(const char *dir, const struct journal_cursor *from,
                                            const char *keys)
{
    struct journal_reader *r = NULL;
    assert_int_equal(journal_reader_open(dir, from, keys, &r), 0);
    return r;
}

static inline void put_rows(struct journal_writer *w, unsigned count, int64_t minute)
{
    for (unsigned i = 0; i < count; i++) {
        struct minute_row row = sample_row((i * 7919) % count, minute);
        assert_int_equal(journal_put_row(w, &row), 0);
        minute_row_fini(&row, NULL);
    }
}

static inline void commit(struct journal_writer *w, int64_t minute)
{
    assert_int_equal(journal_commit(w, (minute + 1) * 60000), 0);
}

// Rows, coverage, sites and marks that are left to read, as a line: "CSRRM".
static inline const char *letters(struct journal_reader *r, char out[static 256])
{
    const struct journal_entry *e;
    size_t n = 0;
    int rc;
    while ((rc = journal_next(r, &e)) == 1 && n < 255)
        out[n++] = "?RCSM"[e->kind];
    assert_int_equal(rc, 0);
    out[n] = '\0';
    return out;
}

static inline struct journal_cursor first_segment(const char *dir)
{
    struct journal_cursor best = {0};
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));) {
        uint32_t day, number;
        if (journal_segment_parse(e->d_name, &day, &number) == 0 &&
            (best.day == 0 || day < best.day))
            best = (struct journal_cursor){.day = day, .segment = number};
    }
    closedir(d);
    return best;
}

static inline void segment_path(const char *dir, char out[static 128])
{
    struct journal_cursor c = first_segment(dir);
    char name[JOURNAL_NAME_MAX];
    snprintf(out, 128, "%s/%s", dir, journal_segment_name(c.day, c.segment, name));
}

static inline off_t size_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

// As if a writer had been killed before it said what it wrote last.
static inline void forget_last(const char *dir)
{
    char path[160];
    snprintf(path, sizeof path, "%s/" JOURNAL_LAST, dir);
    unlink(path);
}
