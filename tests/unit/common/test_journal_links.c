// The journal's segments in their chain: what happens to files is found and named, what retention or a crash did is no
// damage; and what a writer does when its place or its key is taken away.
#include "journal_fixture.h"
#include "minute_old.h"

#define DAY_MINUTES 1440

struct at { // a segment of the journal below
    uint32_t day, number;
};

static uint32_t day_of(int64_t minute)
{
    return journal_day((minute + 1) * 60000);
}

static const char *path_of(const char *dir, uint32_t day, uint32_t number, char out[static 160])
{
    char name[JOURNAL_NAME_MAX];
    snprintf(out, 160, "%s/%s", dir, journal_segment_name(day, number, name));
    return out;
}

static void put_minute(struct journal_writer *w, int64_t minute)
{
    put_rows(w, 1, minute);
    commit(w, minute);
}

// Segments 1 to 3 of a day and 1 to 2 of the next, a minute in each.
#define SEGMENTS 5
static void make(const char *dir, const char *keys, struct at at[static SEGMENTS])
{
    struct journal_options o = {.segment_octets_max = 1, .key_dir = keys};
    struct journal_writer *w = writer(dir, &o);
    for (int i = 0; i < SEGMENTS; i++) {
        int64_t minute = MINUTE_ONE + (i < 3 ? i : DAY_MINUTES + i);
        put_minute(w, minute);
        at[i] = (struct at){day_of(minute), (uint32_t)(i < 3 ? i + 1 : i - 2)};
    }
    journal_writer_close(w);
}

// What a reader of all finds: the entries, and in `said` the places, a line each.
static uint64_t look(const char *dir, const char *keys, char text[static 256],
                     char said[static 4096])
{
    char damage[JOURNAL_DAMAGE_TEXT_MAX];
    struct journal_reader *r = reader(dir, NULL, keys);
    letters(r, text);
    size_t n = 0;
    said[0] = '\0';
    while (n < 3500 && journal_reader_damage(r, damage))
        n += (size_t)snprintf(said + n, 4096 - n, "%s\n", damage);
    uint64_t bad = journal_reader_stats(r)->bad_blocks;
    journal_reader_close(r);
    return bad;
}

static void copy_file(const char *from, const char *to)
{
    uint8_t octets[65536];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    ssize_t n = read(in, octets, sizeof octets);
    assert_true(n > 0);
    assert_int_equal(write(out, octets, (size_t)n), n);
    close(in);
    close(out);
}

static void cut(const char *path, off_t size)
{
    assert_int_equal(truncate(path, size), 0);
}

enum deed { REMOVE, TAKE_OUT, CUT_AT_BLOCK, CUT_WITHIN, EMPTY, RENAME, COPY, LENGTHEN, EXCHANGE };

static void do_deed(const struct fixture *f, enum deed deed, struct at a, struct at b)
{
    char path[160], other[160], third[176];
    path_of(f->dir, a.day, a.number, path);
    path_of(f->dir, b.day, b.number, other);
    int fd;
    switch (deed) {
    case REMOVE: assert_int_equal(unlink(path), 0); break;
    case TAKE_OUT:
        snprintf(third, sizeof third, "%s.out", path);
        assert_int_equal(rename(path, third), 0);
        break;
    case CUT_AT_BLOCK: cut(path, JOURNAL_SEGMENT_HEADER); break;
    case CUT_WITHIN: cut(path, JOURNAL_SEGMENT_HEADER + 30); break;
    case EMPTY: cut(path, 0); break;
    case RENAME: assert_int_equal(rename(path, other), 0); break;
    case COPY: copy_file(path, other); break;
    case LENGTHEN:
        fd = open(path, O_WRONLY | O_APPEND);
        assert_int_equal(write(fd, "x", 1), 1);
        close(fd);
        break;
    case EXCHANGE:
        snprintf(third, sizeof third, "%s/x", f->dir);
        assert_int_equal(rename(path, third), 0);
        assert_int_equal(rename(other, path), 0);
        assert_int_equal(rename(third, other), 0);
        break;
    }
}

static void deeds_are_found(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum deed deed;
        int segment, other; // of the five; 5 and more: the last day's number so far behind
        uint64_t bad;
        const char *read; // entries
        const char *said[2];
    } cases[] = {
        {REMOVE, 1, 0, 1, "RMRMRMRM", {"000002.pj, octet 0: missing"}},
        {REMOVE, 0, 0, 1, "RMRMRMRM", {"000001.pj, octet 0: missing"}},
        {REMOVE, 2, 0, 1, "RMRMRMRM", {"000003.pj, octet 0: missing"}},
        {REMOVE, 3, 0, 1, "RMRMRMRM", {"000001.pj, octet 0: missing"}},
        {CUT_AT_BLOCK, 0, 0, 1, "RMRMRMRM", {"000001.pj, octet 64: the file ends here"}},
        {CUT_AT_BLOCK, 2, 0, 1, "RMRMRMRM", {"000003.pj, octet 64: the file ends here"}},
        {REMOVE, 4, 0, 1, "RMRMRMRM", {"000002.pj, octet 0: missing"}},
        {TAKE_OUT, 0, 0, 0, "RMRMRMRM", {""}}, // on purpose: not read, and not missed
        {TAKE_OUT, 1, 0, 0, "RMRMRMRM", {""}},
        {TAKE_OUT, 3, 0, 0, "RMRMRMRM", {""}},
        {TAKE_OUT, 4, 0, 0, "RMRMRMRM", {""}},
        {CUT_AT_BLOCK, 4, 0, 1, "RMRMRMRM", {"000002.pj, octet 64: the file ends here"}},
        {CUT_WITHIN, 4, 0, 1, "RMRMRMRM", {"000002.pj, octet 64: the file ends here"}},
        {EMPTY, 4, 0, 1, "RMRMRMRM", {"000002.pj, octet 0: the file ends here"}},
        {EMPTY, 1, 0, 1, "RMRMRMRM", {"000002.pj, octet 0: the file is empty"}},
        {RENAME, 1, 6, 2, "RMRMRMRMRM", {"000002.pj, octet 0: missing", "was renamed"}},
        {COPY, 1, 6, 1, "RMRMRMRMRM", {"a copy of another segment"}},
        {COPY, 4, 7, 1, "RMRMRMRMRM", {"a copy of another segment"}},
        {LENGTHEN, 2, 0, 2, "RMRMRMRMRM", {"000003.pj, octet ", "longer than it was"}},
        {EXCHANGE, 0, 1, 2, "RMRMRMRMRM", {"000001.pj, octet 0: the file was renamed"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct at at[SEGMENTS];
        char text[256], said[4096];
        make(f->dir, NULL, at);
        assert_int_equal(look(f->dir, NULL, text, said), 0);
        assert_string_equal(text, "RMRMRMRMRM");
        int other = cases[i].other;
        struct at b = other < SEGMENTS ? at[other]
                                       : (struct at){at[4].day, (uint32_t)(other - SEGMENTS + 3)};
        do_deed(f, cases[i].deed, at[cases[i].segment], b);
        uint64_t bad = look(f->dir, NULL, text, said);
        if (bad != cases[i].bad || strcmp(text, cases[i].read) != 0 ||
            !strstr(said, cases[i].said[0]) ||
            (cases[i].said[1] && !strstr(said, cases[i].said[1])))
            fail_msg("case %zu: %llu places, read %s: %s", i, (unsigned long long)bad, text, said);
        // A writer goes on behind all of it, and says no more than is so.
        struct journal_writer *w = writer(f->dir, NULL);
        put_minute(w, MINUTE_ONE + 2 * DAY_MINUTES);
        journal_writer_close(w);
        uint64_t again = look(f->dir, NULL, text, said);
        if (again != bad || strlen(text) != strlen(cases[i].read) + 2)
            fail_msg("case %zu, gone on: %llu places, read %s: %s", i, (unsigned long long)again,
                     text, said);
        scratch_remove(f->dir);
    }
}

// Two blocks change places: each is sound, the digest is not.
static void other_blocks(void **state)
{
    struct fixture *f = *state;
    char text[256], said[4096], path[128];
    uint64_t at[3] = {JOURNAL_SEGMENT_HEADER};
    uint8_t header[JOURNAL_BLOCK_HEADER_MAX], octets[2][65536];
    struct journal_block b;
    struct journal_options keyed = {.key_dir = f->keys};
    struct journal_writer *w = writer(f->dir, &keyed);
    put_minute(w, MINUTE_ONE);
    journal_writer_close(w);
    w = writer(f->dir, &keyed); // begins a chain of its own
    put_minute(w, MINUTE_ONE + 1);
    put_minute(w, MINUTE_ONE + DAY_MINUTES);
    journal_writer_close(w);
    segment_path(f->dir, path);
    int fd = open(path, O_RDWR);
    for (int i = 0; i < 2; i++) {
        assert_true(journal_block_at(fd, at[i], (uint64_t)size_of(path), &b, header));
        at[i + 1] = at[i] + b.header + b.stored;
        assert_int_equal(pread(fd, octets[i], at[i + 1] - at[i], (off_t)at[i]),
                         (ssize_t)(at[i + 1] - at[i]));
    }
    size_t first = at[1] - at[0], second = at[2] - at[1];
    assert_int_equal(pwrite(fd, octets[1], second, (off_t)at[0]), (ssize_t)second);
    assert_int_equal(pwrite(fd, octets[0], first, (off_t)(at[0] + second)), (ssize_t)first);
    close(fd);
    assert_int_equal(look(f->dir, f->keys, text, said), 1);
    assert_string_equal(text, "RMRMRM");
    assert_non_null(strstr(said, "other blocks stand here"));
}

// Retention, by age and by size, is no damage; who removes more by hand is found.
static void what_retention_removed(void **state)
{
    struct fixture *f = *state;
    struct at at[SEGMENTS];
    char text[256], said[4096], path[160];
    uint64_t removed;
    make(f->dir, NULL, at);
    assert_int_equal(journal_retain(f->dir, NULL, at[3].day, 0, &removed), 0);
    assert_int_equal(removed, 3);
    assert_int_equal(look(f->dir, NULL, text, said), 0);
    assert_string_equal(text, "RMRM");
    assert_int_equal(journal_retain(f->dir, NULL, at[3].day, 1, &removed), 0);
    assert_int_equal(removed, 1);
    assert_int_equal(look(f->dir, NULL, text, said), 0);
    assert_string_equal(text, "RM");
    struct journal_options small = {.segment_octets_max = 1};
    struct journal_writer *w = writer(f->dir, &small);
    put_minute(w, MINUTE_ONE + DAY_MINUTES + 7);
    journal_writer_close(w);
    assert_int_equal(look(f->dir, NULL, text, said), 0);
    assert_int_equal(unlink(path_of(f->dir, at[4].day, at[4].number, path)), 0);
    assert_int_equal(look(f->dir, NULL, text, said), 1);
    assert_non_null(strstr(said, "missing"));
    // A marker that was written half says nothing.
    snprintf(path, sizeof path, "%s/" JOURNAL_FIRST, f->dir);
    cut(path, 20);
    assert_int_equal(look(f->dir, NULL, text, said), 1);
    // Nor is it wanted on a disk that does not take it: what must go goes.
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    w = writer(f->dir, &small);
    put_minute(w, MINUTE_ONE + 3 * DAY_MINUTES);
    assert_true(journal_retain(f->dir, NULL, at[4].day + 1, 0, &removed) < 0);
    assert_int_equal(removed, 1);
    journal_writer_close(w);
    assert_int_equal(rmdir(path), 0);
}

// Killed at any octet of the newest segment: the next writer goes on, and nothing is called damaged.
static void killed_at_every_octet(void **state)
{
    struct fixture *f = *state;
    struct at at[SEGMENTS];
    char text[256], said[4096], path[160];
    uint8_t octets[65536];
    make(f->dir, NULL, at);
    path_of(f->dir, at[4].day, at[4].number, path);
    int fd = open(path, O_RDONLY);
    ssize_t whole = read(fd, octets, sizeof octets);
    close(fd);
    assert_true(whole > JOURNAL_SEGMENT_HEADER);
    struct journal_options o = {.segment_octets_max = 1};
    for (ssize_t len = 0; len < whole; len++) {
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
        assert_int_equal(write(fd, octets, (size_t)len), len);
        close(fd);
        forget_last(f->dir);
        assert_int_equal(look(f->dir, NULL, text, said), 0);
        assert_string_equal(text, "RMRMRMRM");
        struct journal_writer *w = writer(f->dir, &o);
        put_minute(w, MINUTE_ONE + DAY_MINUTES + 9);
        put_minute(w, MINUTE_ONE + DAY_MINUTES + 10);
        journal_writer_close(w);
        if (look(f->dir, NULL, text, said) != 0 || strlen(text) != 12)
            fail_msg("cut to %zd: read %s: %s", len, text, said);
        for (uint32_t n = at[4].number; n < at[4].number + 3; n++) {
            char later[160];
            unlink(path_of(f->dir, at[4].day, n, later));
        }
    }
}

// All are gone: the end says so.
static void all_removed(void **state)
{
    struct fixture *f = *state;
    struct at at[SEGMENTS];
    char text[256], said[4096], path[160];
    make(f->dir, NULL, at);
    for (int i = 0; i < SEGMENTS; i++)
        assert_int_equal(unlink(path_of(f->dir, at[i].day, at[i].number, path)), 0);
    assert_int_equal(look(f->dir, NULL, text, said), 1);
    assert_string_equal(text, "");
    assert_non_null(strstr(said, "000002.pj, octet 0: missing"));
}

// A version before this was killed within a block: the next writer cuts that, and nothing is called damaged.
static void killed_before_the_chain(void **state)
{
    struct fixture *f = *state;
    char text[256], said[4096], path[160];
    snprintf(path, sizeof path, "%s/%d.000001.pj", f->dir, OLD_DAY);
    FILE *out = fopen(path, "wbe");
    assert_int_equal(fwrite(old_segment_2_octets, 1, sizeof old_segment_2_octets - 1, out),
                     sizeof old_segment_2_octets - 1);
    fclose(out);
    struct journal_writer *w = writer(f->dir, NULL);
    put_rows(w, 1, MINUTE_ONE);
    assert_int_equal(journal_commit(w, OLD_MARK_2_MS + 1), 0);
    journal_writer_close(w);
    assert_int_equal(look(f->dir, NULL, text, said), 0);
}

// Segments of versions before are read, and said to be unchained; the first of this one names them.
static void unchained(void **state)
{
    struct fixture *f = *state;
    char text[256], said[4096], path[160];
    snprintf(path, sizeof path, "%s/%d.000001.pj", f->dir, OLD_DAY);
    FILE *out = fopen(path, "wbe");
    assert_int_equal(fwrite(old_segment_2_octets, 1, sizeof old_segment_2_octets, out),
                     sizeof old_segment_2_octets);
    fclose(out);
    struct journal_options small = {.segment_octets_max = 1};
    struct journal_writer *w = writer(f->dir, &small);
    for (int i = 0; i < 2; i++) {
        put_rows(w, 1, MINUTE_ONE);
        assert_int_equal(journal_commit(w, OLD_MARK_2_MS + 1 + i), 0);
    }
    journal_writer_close(w);
    struct journal_reader *r = reader(f->dir, NULL, NULL);
    assert_string_equal(letters(r, text), "RRMRMRMRM");
    assert_int_equal(journal_reader_stats(r)->segments, 3);
    assert_int_equal(journal_reader_stats(r)->unchained, 1);
    assert_int_equal(journal_reader_stats(r)->bad_blocks, 0);
    journal_reader_close(r);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(look(f->dir, NULL, text, said), 1);
    assert_non_null(strstr(said, "000001.pj, octet 0: missing"));
}

// ---- What is taken away under a writer

static const struct journal_options synced = {.sync = true};

static void lost(const struct journal_writer *w, uint64_t gone, uint64_t keys)
{
    uint64_t g, k;
    journal_writer_lost(w, &g, &k);
    assert_int_equal(g, gone);
    assert_int_equal(k, keys);
}

static void a_segment_is_removed(void **state)
{
    struct fixture *f = *state;
    char text[256], said[4096], path[128], damage[JOURNAL_DAMAGE_TEXT_MAX];
    struct journal_writer *w = writer(f->dir, &synced);
    put_minute(w, MINUTE_ONE);
    struct journal_reader *r = reader(f->dir, NULL, NULL); // follows
    assert_string_equal(letters(r, text), "RM");
    segment_path(f->dir, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(journal_writer_look(w), 0);
    lost(w, 1, 0);
    assert_true(journal_writer_damage(w, damage));
    assert_non_null(strstr(damage, "000001.pj, octet "));
    assert_non_null(strstr(damage, "was removed or replaced while it was written"));
    put_minute(w, MINUTE_ONE + 1);
    put_minute(w, MINUTE_ONE + 2);
    lost(w, 1, 0);
    assert_string_equal(letters(r, text), "RMRM");
    journal_reader_close(r);
    assert_int_equal(look(f->dir, NULL, text, said), 1);
    assert_string_equal(text, "RMRM");
    assert_non_null(strstr(said, "000001.pj, octet 0: missing"));
    // Replaced by a copy: what is written would not be in what the name leads to.
    char second[160], copy[160];
    path_of(f->dir, day_of(MINUTE_ONE), 2, second);
    snprintf(copy, sizeof copy, "%s/copy", f->dir);
    copy_file(second, copy);
    assert_int_equal(rename(copy, second), 0);
    put_minute(w, MINUTE_ONE + 3);
    lost(w, 2, 0);
    journal_writer_close(w);
    assert_int_equal(look(f->dir, NULL, text, said), 1); // still the first alone
    assert_string_equal(text, "RMRMRM");
}

static void the_folder_is_moved(void **state)
{
    struct fixture *f = *state;
    char text[256], said[4096], moved[80], damage[JOURNAL_DAMAGE_TEXT_MAX];
    snprintf(moved, sizeof moved, "%s.moved", f->dir);
    struct journal_writer *w = writer(f->dir, &synced);
    put_minute(w, MINUTE_ONE);
    struct journal_reader *r = reader(f->dir, NULL, NULL);
    assert_string_equal(letters(r, text), "RM");
    assert_int_equal(rename(f->dir, moved), 0);
    // A file stands where the folder was: a commit fails, and keeps what it had.
    int fd = open(f->dir, O_CREAT | O_WRONLY, 0600);
    close(fd);
    put_rows(w, 1, MINUTE_ONE + 1);
    assert_true(journal_commit(w, (MINUTE_ONE + 2) * 60000LL) < 0);
    assert_true(journal_writer_look(w) < 0);
    lost(w, 1, 0);
    assert_int_equal(unlink(f->dir), 0);
    commit(w, MINUTE_ONE + 1);
    lost(w, 1, 0);
    assert_true(journal_writer_damage(w, damage));
    assert_non_null(strstr(damage, "folder was moved or removed"));
    put_minute(w, MINUTE_ONE + 2);
    assert_string_equal(letters(r, text), "RMRM"); // goes on there
    journal_reader_close(r);
    // Brought together again all is there.
    char from[160], to[160];
    assert_int_equal(look(f->dir, NULL, text, said), 1);
    assert_int_equal(look(moved, NULL, text, said), 0);
    assert_int_equal(rename(path_of(moved, day_of(MINUTE_ONE), 1, from),
                            path_of(f->dir, day_of(MINUTE_ONE), 1, to)),
                     0);
    assert_int_equal(look(f->dir, NULL, text, said), 0);
    assert_string_equal(text, "RMRMRM");
    // Another one has the folder by now.
    scratch_remove(moved);
    assert_int_equal(rename(f->dir, moved), 0);
    struct journal_writer *other = writer(f->dir, NULL);
    put_rows(w, 1, MINUTE_ONE + 3);
    assert_int_equal(journal_commit(w, (MINUTE_ONE + 4) * 60000LL), -EBUSY);
    journal_writer_close(other);
    commit(w, MINUTE_ONE + 3);
    journal_writer_close(w);
    scratch_remove(moved);
}

static void a_key_is_removed(void **state)
{
    struct fixture *f = *state;
    char text[256], said[4096], key[160], damage[JOURNAL_DAMAGE_TEXT_MAX];
    struct journal_options o = {.sync = true, .key_dir = f->keys};
    snprintf(key, sizeof key, "%s/%08u.key", f->keys, day_of(MINUTE_ONE));
    struct journal_writer *w = writer(f->dir, &o);
    put_minute(w, MINUTE_ONE);
    journal_writer_close(w);
    assert_int_equal(unlink(key), 0);
    // At the next start: said, a new segment under a new key, and the old one as it was.
    char first[160];
    off_t size = size_of(path_of(f->dir, day_of(MINUTE_ONE), 1, first));
    w = writer(f->dir, &o);
    lost(w, 0, 1);
    assert_true(journal_writer_damage(w, damage));
    assert_non_null(strstr(damage, "000001.pj, octet 0: its day's key is gone"));
    assert_int_equal(access(key, F_OK), -1); // not made in passing
    put_minute(w, MINUTE_ONE + 1);
    assert_int_equal(size_of(first), size);
    assert_int_equal(look(f->dir, f->keys, text, said), 1);
    assert_string_equal(text, "RM");
    assert_non_null(strstr(said, "000001.pj, octet 0: encrypted with another key"));
    // While it is written, too; a reader that knew the old key takes the new one for what follows.
    struct journal_reader *r = reader(f->dir, NULL, f->keys);
    assert_string_equal(letters(r, text), "RM");
    assert_int_equal(unlink(key), 0);
    put_minute(w, MINUTE_ONE + 2);
    lost(w, 0, 2);
    assert_int_equal(access(key, F_OK), 0);
    assert_string_equal(letters(r, text), "RM");
    journal_reader_close(r);
    journal_writer_close(w);
    // The folder of keys is missing: nothing begins, and nothing is read as shredded.
    struct journal_writer *none = NULL;
    o.key_dir = "/nonexistent/keys";
    assert_int_equal(journal_writer_open(f->dir, &o, &none), -ENOKEY);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(deeds_are_found),
        TEST(other_blocks),
        TEST(what_retention_removed),
        TEST(killed_at_every_octet),
        TEST(unchained),
        TEST(all_removed),
        TEST(killed_before_the_chain),
        TEST(a_segment_is_removed),
        TEST(the_folder_is_moved),
        TEST(a_key_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
