// The journal's files: segments by day and size, one writer at a time, a full disk, encryption by day key and
// its shredding.
#include "journal_fixture.h"

static void segments_by_size(void **state)
{
    struct fixture *f = *state;
    char text[256];
    struct journal_options small = {.segment_octets_max = 3000};
    struct journal_writer *w = writer(f->dir, &small);
    for (int i = 0; i < 4; i++) {
        put_rows(w, 2, MINUTE_ONE + i);
        commit(w, MINUTE_ONE + i);
    }
    // A mark of an earlier day goes on in the segment that is open: readers never go back.
    commit(w, MINUTE_ONE - 5000);
    journal_writer_close(w);
    w = writer(f->dir, &small);
    commit(w, MINUTE_ONE + 9);
    journal_writer_close(w);
    unsigned segments = 0;
    DIR *d = opendir(f->dir);
    for (struct dirent *e; (e = readdir(d));)
        segments += e->d_name[0] != '.';
    closedir(d);
    assert_in_range(segments, 2, 5);
    struct journal_reader *r = reader(f->dir, NULL, NULL);
    assert_string_equal(letters(r, text), "RRMRRMRRMRRMMM");
    journal_reader_close(r);
}

static void one_writer_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct journal_writer *w = writer(f->dir, NULL), *second = NULL;
    struct journal_options plain = {0};
    assert_int_equal(journal_writer_open(f->dir, &plain, &second), -EBUSY);
    journal_writer_close(w);
    w = writer(f->dir, NULL);
    journal_writer_close(w);
}

static void encrypted_by_day(void **state)
{
    struct fixture *f = *state;
    char text[256], path[160];
    struct journal_options o = {.key_dir = f->keys};
    struct journal_writer *w = writer(f->dir, &o);
    put_rows(w, 2, MINUTE_ONE);
    commit(w, MINUTE_ONE);
    journal_writer_close(w);
    w = writer(f->dir, &o); // goes on with the same key
    put_rows(w, 1, MINUTE_ONE + 1);
    commit(w, MINUTE_ONE + 1);
    put_rows(w, 1, MINUTE_ONE + 1440);
    commit(w, MINUTE_ONE + 1440);
    journal_writer_close(w);

    struct journal_reader *r = reader(f->dir, NULL, f->keys);
    assert_string_equal(letters(r, text), "RRMRMRM");
    journal_reader_close(r);
    // Without keys nothing is read, and it is said.
    r = reader(f->dir, NULL, NULL);
    assert_string_equal(letters(r, text), "");
    assert_true(journal_reader_stats(r)->bad_blocks > 0);
    journal_reader_close(r);
    // A key that others may read is refused.
    snprintf(path, sizeof path, "%s/%08u.key", f->keys, journal_day(MINUTE_ONE * 60000LL));
    assert_int_equal(chmod(path, 0644), 0);
    r = reader(f->dir, NULL, f->keys);
    const struct journal_entry *e;
    assert_int_equal(journal_next(r, &e), -EPERM);
    journal_reader_close(r);
    // The day is shredded: what is left is the other day.
    assert_int_equal(unlink(path), 0);
    r = reader(f->dir, NULL, f->keys);
    assert_string_equal(letters(r, text), "RM");
    journal_reader_close(r);
}

static void encryption_binds_the_header(void **state)
{
    (void)state;
    struct journal_sealer *s = journal_sealer_new();
    struct journal_key key = {.day = 20250101, .id = 1, .octet = {1, 2, 3}};
    struct journal_block b = {.mark_ms = 60000, .rows = 0};
    struct buf block, raw;
    buf_init(&block, 1 << 20);
    buf_init(&raw, 1 << 20);
    static const char text[] = "a secret";
    assert_int_equal(journal_seal(s, &b, span_of(text, sizeof text), &key, &block), 0);
    struct span header = span_of(block.data, JOURNAL_BLOCK_HEADER);
    struct span stored = span_of(block.data + JOURNAL_BLOCK_HEADER, b.stored);
    assert_null(memmem(stored.data, stored.len, "secret", 6));
    assert_int_equal(journal_unseal(s, &b, header, stored, &key, &raw), 0);
    assert_memory_equal(raw.data, text, sizeof text);
    assert_int_equal(journal_unseal(s, &b, header, stored, NULL, &raw), -ENOKEY);
    // The mark moved to another time: the payload's checksum is right, the seal is not.
    struct journal_block moved = b;
    moved.mark_ms = 120000;
    uint8_t other[JOURNAL_BLOCK_HEADER];
    journal_block_put(&moved, other);
    assert_int_equal(journal_unseal(s, &moved, span_of(other, sizeof other), stored, &key, &raw),
                     -EINVAL);
    key.octet[0] ^= 1;
    assert_int_equal(journal_unseal(s, &b, header, stored, &key, &raw), -EINVAL);
    buf_fini(&block);
    buf_fini(&raw);
    journal_sealer_free(s);
}

static void a_full_disk(void **state)
{
    struct fixture *f = *state;
    char text[256], path[128];
    struct journal_writer *w = writer(f->dir, NULL);
    put_rows(w, 1, MINUTE_ONE);
    commit(w, MINUTE_ONE);
    segment_path(f->dir, path);
    // The file may not be written for a while: as good as a full disk.
    struct journal_options o = {.segment_octets_max = 1};
    journal_writer_close(w);
    w = writer(f->dir, &o);
    put_rows(w, 1, MINUTE_ONE + 1);
    char blocker[160];
    snprintf(blocker, sizeof blocker, "%.*s000002.pj", (int)strlen(path) - 9, path);
    assert_int_equal(mkdir(blocker, 0700), 0);
    assert_true(journal_commit(w, (MINUTE_ONE + 2) * 60000LL) < 0);
    assert_int_equal(rmdir(blocker), 0);
    commit(w, MINUTE_ONE + 1); // nothing was lost meanwhile
    journal_writer_close(w);
    struct journal_reader *r = reader(f->dir, NULL, NULL);
    assert_string_equal(letters(r, text), "RMRM");
    journal_reader_close(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(segments_by_size), TEST(one_writer_at_a_time),        TEST(encrypted_by_day),
        TEST(a_full_disk),      TEST(encryption_binds_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
