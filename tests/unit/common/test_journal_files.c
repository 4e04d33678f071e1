// The journal's files: segments by day and size, one writer at a time, a full disk, encryption by day key and
// its shredding.
#include "journal_fixture.h"
#include "minute_old.h"

static void segments_by_size(void **state)
{
    struct fixture *f = *state;
    char text[256];
    struct journal_options small = {.segment_octets_max = 5000};
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
    char damage[JOURNAL_DAMAGE_TEXT_MAX];
    assert_true(journal_reader_damage(r, damage));
    assert_non_null(strstr(damage, "no keys are given"));
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
    assert_int_equal(journal_reader_stats(r)->bad_blocks, 0); // on purpose: no damage
    assert_int_equal(journal_reader_stats(r)->shredded, 1);
    assert_false(journal_reader_damage(r, damage));
    journal_reader_close(r);
}

// Damage is said with its file and place, once; and by the writer that goes on behind it.
static void damage_is_named(void **state)
{
    struct fixture *f = *state;
    char text[256], path[128], want[64], damage[JOURNAL_DAMAGE_TEXT_MAX];
    struct journal_writer *w = writer(f->dir, NULL);
    for (int i = 0; i < 4; i++) { // each a chain of its own
        put_rows(w, 1, MINUTE_ONE + 15 * i);
        commit(w, MINUTE_ONE + 15 * i);
    }
    assert_false(journal_writer_damage(w, damage));
    journal_writer_close(w);
    segment_path(f->dir, path);
    // The second block's header: found by walking the first.
    int fd = open(path, O_RDWR);
    uint8_t header[JOURNAL_BLOCK_HEADER_MAX];
    struct journal_block b;
    assert_true(journal_block_at(fd, JOURNAL_SEGMENT_HEADER, 1 << 20, &b, header));
    uint64_t second = JOURNAL_SEGMENT_HEADER + b.header + b.stored;
    assert_int_equal(pwrite(fd, "X", 1, (off_t)second + 9), 1);
    // The first block's payload, too.
    assert_int_equal(pwrite(fd, "X", 1, (off_t)second - 3), 1);
    close(fd);
    struct journal_reader *r = reader(f->dir, NULL, NULL);
    assert_string_equal(letters(r, text), "RMRM");
    assert_int_equal(journal_reader_stats(r)->bad_blocks, 2);
    assert_true(journal_reader_damage(r, damage));
    snprintf(want, sizeof want, ".000001.pj, octet %d: a block whose", JOURNAL_SEGMENT_HEADER);
    assert_non_null(strstr(damage, want));
    assert_true(journal_reader_damage(r, damage));
    snprintf(want, sizeof want, ".000001.pj, octet %llu: octets that", (unsigned long long)second);
    assert_non_null(strstr(damage, want));
    assert_false(journal_reader_damage(r, damage));
    journal_reader_close(r);
    w = writer(f->dir, NULL);
    assert_true(journal_writer_damage(w, damage));
    assert_non_null(strstr(damage, want));
    assert_false(journal_writer_damage(w, damage));
    journal_writer_close(w);
}

static bool exists(const char *dir, uint32_t day, uint32_t number)
{
    char path[160], name[JOURNAL_NAME_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, journal_segment_name(day, number, name));
    return access(path, F_OK) == 0;
}

static bool key_exists(const struct fixture *f, uint32_t day)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%08u.key", f->keys, day);
    return access(path, F_OK) == 0;
}

// Four days, the last of two segments: old days go with their keys, then the oldest by size.
static void old_days_are_shredded(void **state)
{
    struct fixture *f = *state;
    struct journal_options o = {.key_dir = f->keys, .segment_octets_max = 100};
    struct journal_writer *w = writer(f->dir, &o);
    uint32_t day[4];
    char text[256];
    uint64_t removed = 0;
    for (int i = 0; i < 4; i++) {
        day[i] = journal_day((MINUTE_ONE + 1440LL * i) * 60000);
        put_rows(w, 1, MINUTE_ONE + 1440 * i);
        commit(w, MINUTE_ONE + 1440 * i);
    }
    put_rows(w, 1, MINUTE_ONE + 1440 * 3 + 1);
    commit(w, MINUTE_ONE + 1440 * 3 + 1);
    struct journal_reader *r = reader(f->dir, NULL, f->keys);
    const struct journal_entry *e;
    assert_int_equal(journal_next(r, &e), 1); // a reader in the middle of the first day
    assert_int_equal(journal_retain(f->dir, f->keys, day[1], 0, &removed), 0);
    assert_int_equal(removed, 1);
    assert_false(exists(f->dir, day[0], 1));
    assert_false(key_exists(f, day[0]));
    assert_true(exists(f->dir, day[1], 1) && key_exists(f, day[1]));
    assert_string_equal(letters(r, text), "MRMRMRMRM"); // goes on
    journal_reader_close(r);
    // Too large: everything but the segment that is written, whose day keeps its key.
    assert_int_equal(journal_retain(f->dir, f->keys, day[1], 1, &removed), 0);
    assert_int_equal(removed, 3);
    assert_false(key_exists(f, day[1]) || key_exists(f, day[2]));
    assert_true(key_exists(f, day[3]));
    assert_false(exists(f->dir, day[3], 1));
    assert_true(exists(f->dir, day[3], 2));
    put_rows(w, 1, MINUTE_ONE + 1440 * 3 + 2);
    commit(w, MINUTE_ONE + 1440 * 3 + 2);
    r = reader(f->dir, NULL, f->keys);
    assert_string_equal(letters(r, text), "RMRM");
    assert_int_equal(journal_reader_stats(r)->bad_blocks, 0);
    journal_reader_close(r);
    // Nothing to do; a key that cannot be deleted keeps its segments.
    assert_int_equal(journal_retain(f->dir, f->keys, day[3], 0, &removed), 0);
    assert_int_equal(removed, 0);
    assert_int_equal(journal_retain(f->dir, "/nonexistent", day[3] + 1, 0, &removed), 0);
    journal_writer_close(w);
}

static void no_journal_at_all(void **state)
{
    struct fixture *f = *state;
    char path[160];
    assert_int_equal(journal_check(f->dir), -ENODATA);
    snprintf(path, sizeof path, "%s/none", f->dir);
    assert_int_equal(journal_check(path), -ENOENT);
    assert_non_null(strstr(journal_check_text(-ENODATA), "no journal in this folder"));
    journal_writer_close(writer(f->dir, NULL)); // nothing written yet, but a journal
    assert_int_equal(journal_check(f->dir), 0);
}

static void encryption_binds_the_header(void **state)
{
    (void)state;
    struct journal_sealer *s = journal_sealer_new();
    struct journal_key key = {.day = 20250101, .id = 1, .octet = {1, 2, 3}};
    struct journal_block b = {.mark_ms = 60000, .rows = 0};
    struct buf block, raw, all;
    buf_init(&all, 1 << 20);
    buf_init(&block, 1 << 20);
    buf_init(&raw, 1 << 20);
    static const char text[] = "a secret";
    static const char hashes[16] = "another secret";
    assert_int_equal(journal_seal(s, &b, span_of(text, sizeof text), span_of(hashes, sizeof hashes),
                                  &key, &block),
                     0);
    struct span header = span_of(block.data, b.header);
    struct span stored = span_of(block.data + b.header, b.stored);
    assert_null(memmem(stored.data, stored.len, "secret", 6));
    assert_int_equal(journal_unseal(s, &b, header, stored, &key, &raw, &all), 0);
    assert_int_equal(raw.len, sizeof text);
    assert_memory_equal(raw.data, text, sizeof text);
    assert_int_equal(all.len, sizeof hashes);
    assert_memory_equal(all.data, hashes, sizeof hashes);
    assert_int_equal(journal_unseal(s, &b, header, stored, NULL, &raw, &all), -ENOKEY);
    // The mark moved to another time: the payload's checksum is right, the seal is not.
    struct journal_block moved = b;
    moved.mark_ms = 120000;
    uint8_t other[JOURNAL_BLOCK_HEADER_MAX];
    moved.header = (uint8_t)journal_block_put(&moved, other);
    assert_int_equal(
        journal_unseal(s, &moved, span_of(other, moved.header), stored, &key, &raw, &all), -EINVAL);
    key.octet[0] ^= 1;
    assert_int_equal(journal_unseal(s, &b, header, stored, &key, &raw, &all), -EINVAL);
    buf_fini(&all);
    buf_fini(&block);
    buf_fini(&raw);
    journal_sealer_free(s);
}

static void old_segment(const struct fixture *f, const uint8_t *octets, size_t len)
{
    char path[160];
    journal_writer_close(writer(f->dir, NULL));
    snprintf(path, sizeof path, "%s/%d.000001.pj", f->dir, OLD_DAY);
    FILE *out = fopen(path, "wbe");
    assert_non_null(out);
    assert_int_equal(fwrite(octets, 1, len, out), len);
    fclose(out);
}

static void segments_of_version_2(void **state)
{
    struct fixture *f = *state;
    char text[256];
    const struct journal_entry *e;
    struct minute_row want[3] = {sample_head(2, MINUTE_ONE), old_row(), old_row()};
    want[2].minute++;
    want[2].cut_ms += 60000;
    old_segment(f, old_segment_2_octets, sizeof old_segment_2_octets);
    struct journal_reader *r = reader(f->dir, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(journal_next(r, &e), 1);
        assert_int_equal(e->kind, JOURNAL_ROW);
        assert_true(sample_equal(&e->row, &want[i]));
        if (i == 0)
            continue;
        assert_int_equal(journal_next(r, &e), 1);
        assert_int_equal(e->kind, JOURNAL_MARK);
    }
    assert_true(e->mark_ms == OLD_MARK_2_MS);
    assert_int_equal(journal_next(r, &e), 0);
    assert_int_equal(journal_reader_stats(r)->bad_blocks, 0);
    journal_reader_close(r);
    // A writer leaves it as it is, and goes on in a new one.
    struct journal_writer *w = writer(f->dir, NULL);
    assert_int_equal(journal_torn_octets(w), 0);
    put_rows(w, 1, MINUTE_ONE);
    assert_int_equal(journal_commit(w, OLD_MARK_2_MS + 1), 0);
    journal_writer_close(w);
    r = reader(f->dir, NULL, NULL);
    assert_string_equal(letters(r, text), "RRMRMRM");
    journal_reader_close(r);
    for (int i = 0; i < 3; i++)
        minute_row_fini(&want[i], NULL);
}

// Older segments are read, and left as they are: a writer goes on in a new one.
static void segments_of_version_1(void **state)
{
    struct fixture *f = *state;
    char text[256];
    const struct journal_entry *e;
    struct minute_row want = old_row();
    old_segment(f, old_segment_octets, sizeof old_segment_octets);
    struct journal_reader *r = reader(f->dir, NULL, NULL);
    assert_int_equal(journal_next(r, &e), 1);
    assert_int_equal(e->kind, JOURNAL_ROW);
    assert_true(sample_equal(&e->row, &want));
    assert_int_equal(journal_next(r, &e), 1);
    assert_int_equal(e->kind, JOURNAL_MARK);
    assert_true(e->mark_ms == OLD_MARK_MS);
    assert_int_equal(journal_next(r, &e), 0);
    assert_int_equal(journal_reader_stats(r)->bad_blocks, 0);
    struct journal_cursor behind = journal_reader_cursor(r);
    journal_reader_close(r);

    struct journal_writer *w = writer(f->dir, NULL);
    assert_int_equal(journal_torn_octets(w), 0);
    put_rows(w, 2, want.minute);
    assert_int_equal(journal_commit(w, OLD_MARK_MS + 1), 0);
    journal_writer_close(w);
    r = reader(f->dir, NULL, NULL);
    assert_string_equal(letters(r, text), "RMRRM");
    journal_reader_close(r);
    r = reader(f->dir, &behind, NULL);
    assert_string_equal(letters(r, text), "RRM");
    journal_reader_close(r);
    minute_row_fini(&want, NULL);
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
        TEST(segments_by_size),      TEST(one_writer_at_a_time),        TEST(encrypted_by_day),
        TEST(a_full_disk),           TEST(encryption_binds_the_header), TEST(damage_is_named),
        TEST(no_journal_at_all),     TEST(old_days_are_shredded),       TEST(segments_of_version_1),
        TEST(segments_of_version_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
