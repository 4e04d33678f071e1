// The journal: what is put comes back in order; torn tails, damage, a reader beside the writer, cursors.
#include "journal_fixture.h"

static void comes_back(void **state)
{
    struct fixture *f = *state;
    struct journal_writer *w = writer(f->dir, NULL);
    // Both static: compared whole, and there nothing stands between the members.
    static struct coverage_minute cover = {
        .minute = MINUTE_ONE,
        .seconds = 59,
        .loss_ppm = 1234,
        .alarms = COVERAGE_DOUBLED,
        .closed_by_timeout = true,
        .sum = {.t_ms = MINUTE_ONE * 60000LL + 60000,
                .sensor = "edge-1",
                .process = 3,
                .leg = COVERAGE_LEG_PNI,
                .nat = COVERAGE_NAT_OUTSIDE,
                .port25 = COVERAGE_PORT25_BLOCKED_AFTER,
                .tier = COVERAGE_TIER_C,
                .profile = COVERAGE_FULL_ENVELOPE,
                .sampling = 64,
                .alarms = COVERAGE_DOUBLED,
                .last = true},
    };
    uint64_t v = 10;
#define X(name, element, text) cover.sum.name = v++;
    COVERAGE_COUNTERS(X)
#undef X
    static const struct minute_site site = {MINUTE_ONE, "north", 1, 2, 3, 4, 5, 6, 7, 8, 9};
    put_rows(w, 10, MINUTE_ONE);
    assert_int_equal(journal_put_coverage(w, &cover), 0);
    assert_int_equal(journal_put_site(w, &site), 0);
    commit(w, MINUTE_ONE);
    assert_int_equal(journal_writer_close(w), 0);

    struct journal_reader *r = reader(f->dir, NULL, NULL);
    const struct journal_entry *e;
    assert_int_equal(journal_next(r, &e), 1);
    assert_int_equal(e->kind, JOURNAL_COVERAGE);
    assert_memory_equal(&e->coverage, &cover, sizeof cover);
    assert_int_equal(journal_next(r, &e), 1);
    assert_int_equal(e->kind, JOURNAL_SITE);
    assert_memory_equal(&e->site, &site, sizeof site);
    for (unsigned i = 0; i < 10; i++) { // by key, however they were put
        assert_int_equal(journal_next(r, &e), 1);
        assert_int_equal(e->kind, JOURNAL_ROW);
        struct minute_row row = sample_row(i, MINUTE_ONE);
        assert_true(sample_equal(&row, &e->row));
        minute_row_fini(&row, NULL);
    }
    assert_int_equal(journal_next(r, &e), 1);
    assert_int_equal(e->kind, JOURNAL_MARK);
    assert_int_equal(e->mark_ms, (MINUTE_ONE + 1) * 60000LL);
    assert_int_equal(journal_next(r, &e), 0);
    const struct journal_stats *s = journal_reader_stats(r);
    assert_int_equal(s->blocks, 1);
    assert_int_equal(s->rows, 10);
    assert_int_equal(s->coverages, 1);
    assert_int_equal(s->sites, 1);
    assert_int_equal(s->bad_blocks, 0);
    assert_false(s->torn);
    journal_reader_close(r);
}

static void same_rows_same_octets(void **state)
{
    struct fixture *f = *state;
    char path[2][128], first[80];
    uint8_t octets[2][65536];
    ssize_t len[2];
    snprintf(first, sizeof first, "%s/a", f->dir);
    const char *dirs[2] = {first, f->keys};
    for (int i = 0; i < 2; i++) {
        struct journal_writer *w = writer(dirs[i], NULL);
        put_rows(w, 30, MINUTE_ONE);
        commit(w, MINUTE_ONE);
        journal_writer_close(w);
        segment_path(dirs[i], path[i]);
        int fd = open(path[i], O_RDONLY);
        len[i] = read(fd, octets[i], sizeof octets[i]);
        close(fd);
    }
    assert_int_equal(len[0], len[1]);
    assert_memory_equal(octets[0], octets[1], (size_t)len[0]);
    scratch_remove(first);
}

static void read_while_written(void **state)
{
    struct fixture *f = *state;
    char text[256];
    struct journal_reader *r = reader(f->dir, NULL, NULL);
    assert_string_equal(letters(r, text), ""); // nothing there yet
    struct journal_writer *w = writer(f->dir, NULL);
    put_rows(w, 2, MINUTE_ONE);
    assert_string_equal(letters(r, text), "");
    commit(w, MINUTE_ONE);
    assert_string_equal(letters(r, text), "RRM");
    assert_string_equal(letters(r, text), "");
    commit(w, MINUTE_ONE + 1);
    put_rows(w, 1, MINUTE_ONE + 2);
    commit(w, MINUTE_ONE + 2);
    commit(w, MINUTE_ONE + 1440); // the next day: another segment
    assert_string_equal(letters(r, text), "MRMM");
    journal_reader_close(r);
    journal_writer_close(w);
}

static void torn_at_every_octet(void **state)
{
    struct fixture *f = *state;
    char path[128], text[256];
    struct journal_writer *w = writer(f->dir, NULL);
    struct minute_row row = sample_head(1, MINUTE_ONE);
    journal_put_row(w, &row);
    commit(w, MINUTE_ONE);
    segment_path(f->dir, path);
    off_t first = size_of(path);
    row = sample_head(2, MINUTE_ONE + 1);
    journal_put_row(w, &row);
    commit(w, MINUTE_ONE + 1);
    journal_writer_close(w);
    off_t whole = size_of(path);
    uint8_t *octets = malloc((size_t)whole);
    int fd = open(path, O_RDWR);
    assert_int_equal(read(fd, octets, (size_t)whole), whole);

    for (off_t len = 0; len < whole; len++) {
        forget_last(f->dir); // a crash comes before it is said what was written
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, octets, (size_t)len, 0), len);
        struct journal_reader *r = reader(f->dir, NULL, NULL);
        assert_string_equal(letters(r, text), len < first ? "" : "RM");
        // Torn is what is neither empty nor ends with a block.
        bool ends = len == JOURNAL_SEGMENT_HEADER || len == first;
        assert_int_equal(journal_reader_stats(r)->torn, !ends);
        assert_int_equal(journal_reader_stats(r)->bad_blocks, 0);
        // The writer cuts it and goes on; the same reader sees what comes then.
        w = writer(f->dir, NULL);
        assert_int_equal(journal_torn_octets(w), ends                           ? 0
                                                 : len < JOURNAL_SEGMENT_HEADER ? len
                                                 : len < first ? len - JOURNAL_SEGMENT_HEADER
                                                               : len - first);
        row = sample_head(3, MINUTE_ONE + 2);
        journal_put_row(w, &row);
        commit(w, MINUTE_ONE + 2);
        journal_writer_close(w);
        assert_string_equal(letters(r, text), "RM");
        journal_reader_close(r);
        if (len < JOURNAL_SEGMENT_HEADER) { // it was begun anew, under its name
            close(fd);
            fd = open(path, O_RDWR);
        }
    }
    close(fd);
    free(octets);
}

#define CHAIN_MINUTES (JOURNAL_CHAIN_MS / 60000)

static void damage_is_passed_over(void **state)
{
    struct fixture *f = *state;
    char path[128], text[256];
    struct journal_writer *w = writer(f->dir, NULL);
    off_t end[4];
    for (int i = 0; i < 4; i++) { // each a chain of its own
        put_rows(w, 1, MINUTE_ONE + CHAIN_MINUTES * i);
        commit(w, MINUTE_ONE + CHAIN_MINUTES * i);
        segment_path(f->dir, path);
        end[i] = size_of(path);
    }
    journal_writer_close(w);
    // In the header, and in the payload, of the second block.
    off_t places[] = {end[0] + 9, end[1] - 9};
    int fd = open(path, O_RDWR);
    for (int i = 0; i < 2; i++) {
        uint8_t was, other;
        assert_int_equal(pread(fd, &was, 1, places[i]), 1);
        other = was ^ 0x10;
        assert_int_equal(pwrite(fd, &other, 1, places[i]), 1);
        struct journal_reader *r = reader(f->dir, NULL, NULL);
        assert_string_equal(letters(r, text), "RMRMRM");
        assert_int_equal(journal_reader_stats(r)->bad_blocks, 1);
        journal_reader_close(r);
        // A writer does not take it for a torn tail.
        w = writer(f->dir, NULL);
        assert_int_equal(journal_torn_octets(w), 0);
        journal_writer_close(w);
        assert_int_equal(size_of(path), end[3]);
        assert_int_equal(pwrite(fd, &was, 1, places[i]), 1);
    }
    close(fd);
}

// Where the blocks of a segment begin, and whether they begin a chain.
static unsigned blocks_of(const char *path, uint64_t at[static 64], bool first[static 64])
{
    unsigned n = 0;
    int fd = open(path, O_RDONLY);
    uint64_t size = (uint64_t)size_of(path);
    struct journal_block b;
    uint8_t header[JOURNAL_BLOCK_HEADER_MAX];
    for (uint64_t next = JOURNAL_SEGMENT_HEADER;
         n < 64 && journal_block_at(fd, next, size, &b, header);
         next += (uint64_t)b.header + b.stored) {
        first[n] = b.back == 0;
        at[n++] = next;
    }
    close(fd);
    return n;
}

// Blocks of a chain need those before them: damage takes the rest of its chain with it, and no more.
static void damage_ends_with_its_chain(void **state)
{
    struct fixture *f = *state;
    char path[128], text[256];
    uint64_t at[64];
    bool first[64];
    struct journal_writer *w = writer(f->dir, NULL);
    struct minute_row row;
    for (int i = 0; i < 2 * CHAIN_MINUTES + 4; i++) {
        row = sample_head(1, MINUTE_ONE + i);
        assert_int_equal(journal_put_row(w, &row), 0);
        commit(w, MINUTE_ONE + i);
    }
    journal_writer_close(w);
    segment_path(f->dir, path);
    unsigned blocks = blocks_of(path, at, first), chain = 1;
    assert_int_equal(blocks, 2 * CHAIN_MINUTES + 4);
    for (; !first[chain]; chain++)
        ;
    assert_int_equal(chain, CHAIN_MINUTES + 1);
    unsigned chains = 0;
    for (unsigned i = 0; i < blocks; i++)
        chains += first[i];
    assert_int_equal(chains, 3);
    int fd = open(path, O_RDWR);
    for (unsigned hit = 0; hit < blocks; hit++) {
        unsigned lost = 1;
        while (hit + lost < blocks && !first[hit + lost])
            lost++;
        off_t place = (off_t)(hit + 1 < blocks ? at[hit + 1] : (uint64_t)size_of(path)) - 2;
        uint8_t was, other;
        assert_int_equal(pread(fd, &was, 1, place), 1);
        other = was ^ 0x10;
        assert_int_equal(pwrite(fd, &other, 1, place), 1);
        struct journal_reader *r = reader(f->dir, NULL, NULL);
        assert_int_equal(strlen(letters(r, text)), 2 * (blocks - lost));
        assert_int_equal(journal_reader_stats(r)->bad_blocks, lost);
        char damage[JOURNAL_DAMAGE_TEXT_MAX];
        assert_true(journal_reader_damage(r, damage));
        assert_non_null(strstr(damage, "whose checksum or seal is wrong"));
        assert_int_equal(journal_reader_damage(r, damage), lost > 1);
        if (lost > 1)
            assert_non_null(strstr(damage, "without a damaged one before it"));
        journal_reader_close(r);
        assert_int_equal(pwrite(fd, &was, 1, place), 1);
    }
    close(fd);
}

// A row whose hashes the blocks before it have said, behind each thing that ends a chain: a new writer, a new segment, a
// commit that failed. Read from any of these blocks on, it is whole.
static void what_ends_a_chain(void **state)
{
    struct fixture *f = *state;
    struct journal_options o = {0};
    char blocker[160], name[JOURNAL_NAME_MAX];
    struct minute_row row = sample_row(1, MINUTE_ONE);
    struct journal_writer *w = writer(f->dir, &o);
    for (int i = 0; i < 8; i++) {
        int64_t day = i >= 4 ? 1440 : 0;
        assert_int_equal(minute_row_time(&row, MINUTE_ONE + day + i, row.cut_ms + 60000), 0);
        assert_int_equal(journal_put_row(w, &row), 0);
        if (i == 4) { // its segment cannot be made at once
            snprintf(blocker, sizeof blocker, "%s/%s", f->dir,
                     journal_segment_name(journal_day((row.minute + 1) * 60000), 1, name));
            assert_int_equal(mkdir(blocker, 0700), 0);
            assert_true(journal_commit(w, (row.minute + 1) * 60000) < 0);
            assert_int_equal(rmdir(blocker), 0);
        }
        commit(w, row.minute);
        if (i == 1) {
            journal_writer_close(w);
            w = writer(f->dir, &o);
        }
    }
    journal_writer_close(w);
    struct journal_reader *r = reader(f->dir, NULL, NULL);
    struct journal_cursor at[8];
    const struct journal_entry *e;
    for (int i = 0; i < 8; i++) {
        at[i] = journal_reader_cursor(r);
        assert_int_equal(journal_next(r, &e), 1);
        assert_int_equal(journal_next(r, &e), 1);
    }
    journal_reader_close(r);
    for (int i = 0; i < 8; i++) {
        r = reader(f->dir, &at[i], NULL);
        for (int left = i; left < 8; left++) {
            assert_int_equal(journal_next(r, &e), 1);
            assert_int_equal(e->kind, JOURNAL_ROW);
            assert_int_equal(e->row.minute, MINUTE_ONE + (left >= 4 ? 1440 : 0) + left);
            assert_int_equal(minute_row_time(&row, e->row.minute, e->row.cut_ms), 0);
            assert_true(sample_equal(&row, &e->row));
            assert_int_equal(journal_next(r, &e), 1);
            assert_int_equal(e->kind, JOURNAL_MARK);
        }
        assert_int_equal(journal_next(r, &e), 0);
        assert_int_equal(journal_reader_stats(r)->bad_blocks, 0);
        journal_reader_close(r);
    }
    minute_row_fini(&row, NULL);
}

// A minute of many rows is a frame of its own between small blocks, and ends their chain.
static void a_large_block_between_small_ones(void **state)
{
    struct fixture *f = *state;
    char path[128];
    uint64_t at[64];
    bool first[64];
    struct journal_writer *w = writer(f->dir, NULL);
    put_rows(w, 1, MINUTE_ONE);
    commit(w, MINUTE_ONE);
    put_rows(w, 60, MINUTE_ONE + 1);
    commit(w, MINUTE_ONE + 1);
    put_rows(w, 1, MINUTE_ONE + 2);
    commit(w, MINUTE_ONE + 2);
    journal_writer_close(w);
    segment_path(f->dir, path);
    assert_int_equal(blocks_of(path, at, first), 3);
    assert_true(first[0] && !first[1] && first[2]);
    struct journal_reader *r = reader(f->dir, NULL, NULL);
    const struct journal_entry *e;
    for (unsigned block = 0; block < 3; block++) {
        unsigned rows = block == 1 ? 60 : 1;
        for (unsigned i = 0; i < rows; i++) {
            struct minute_row row = sample_row(i, MINUTE_ONE + block);
            assert_int_equal(journal_next(r, &e), 1);
            assert_true(sample_equal(&row, &e->row));
            minute_row_fini(&row, NULL);
        }
        assert_int_equal(journal_next(r, &e), 1);
        assert_int_equal(e->kind, JOURNAL_MARK);
    }
    journal_reader_close(r);
}

static void cursors(void **state)
{
    struct fixture *f = *state;
    char text[256], all[256];
    struct journal_writer *w = writer(f->dir, NULL);
    for (int i = 0; i < 3; i++) {
        put_rows(w, 3, MINUTE_ONE + i);
        commit(w, MINUTE_ONE + i);
    }
    put_rows(w, 1, MINUTE_ONE + 2000);
    commit(w, MINUTE_ONE + 2000);
    journal_writer_close(w);
    struct journal_reader *r = reader(f->dir, NULL, NULL);
    letters(r, all);
    journal_reader_close(r);
    assert_string_equal(all, "RRRMRRRMRRRMRM");
    // Whatever was read before, a reader that begins at the cursor reads the rest.
    for (size_t n = 0; n <= strlen(all); n++) {
        const struct journal_entry *e;
        r = reader(f->dir, NULL, NULL);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(journal_next(r, &e), 1);
        struct journal_cursor at = journal_reader_cursor(r), parsed;
        journal_reader_close(r);
        char line[JOURNAL_CURSOR_MAX];
        journal_cursor_format(&at, line);
        assert_int_equal(journal_cursor_parse(line, &parsed), 0);
        assert_memory_equal(&parsed, &at, sizeof at);
        r = reader(f->dir, &parsed, NULL);
        assert_string_equal(letters(r, text), all + n);
        journal_reader_close(r);
    }
    // A segment that retention took away: the next one is read.
    char path[128];
    segment_path(f->dir, path);
    unlink(path);
    struct journal_cursor gone = {.day = 20250101, .segment = 1, .offset = 4711, .entry = 3};
    r = reader(f->dir, &gone, NULL);
    assert_string_equal(letters(r, text), "RM");
    journal_reader_close(r);
}

static void cursor_texts(void **state)
{
    (void)state;
    struct journal_cursor c;
    char line[JOURNAL_CURSOR_MAX];
    assert_int_equal(journal_cursor_parse("20261122.000001:4096", &c), 0);
    assert_int_equal(c.day, 20261122);
    assert_int_equal(c.segment, 1);
    assert_int_equal(c.offset, 4096);
    assert_string_equal(journal_cursor_format(&c, line), "20261122.000001:4096");
    static const char *const bad[] = {
        "",
        "20261122",
        "20261122.000001",
        "20261122.000001:",
        "2026112x.000001:1",
        "20261122.00001:1",
        "20261122.000001:1 ",
        "20261122.000001:-1",
        "20261122.000001:99999999999999999999",
        "20261122.000001:1:",
        "20261122.000001:1:4294967296",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (journal_cursor_parse(bad[i], &c) != -EINVAL)
            fail_msg("taken: %s", bad[i]);
}

static void skipping_by_time(void **state)
{
    struct fixture *f = *state;
    char text[256];
    struct journal_writer *w = writer(f->dir, NULL);
    for (int i = 0; i < 5; i++) {
        if (i != 3)
            put_rows(w, 2, MINUTE_ONE + i);
        commit(w, MINUTE_ONE + i);
    }
    put_rows(w, 1, MINUTE_ONE); // an amendment
    commit(w, MINUTE_ONE + 5);
    journal_writer_close(w);
    struct journal_reader *r = reader(f->dir, NULL, NULL);
    journal_reader_skip_to(r, MINUTE_ONE + 3);
    assert_string_equal(letters(r, text), "MRRMRM");
    assert_int_equal(journal_reader_stats(r)->blocks, 3);
    journal_reader_close(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(damage_ends_with_its_chain),
        TEST(what_ends_a_chain),
        TEST(a_large_block_between_small_ones),
        TEST(comes_back),
        TEST(same_rows_same_octets),
        TEST(read_while_written),
        TEST(torn_at_every_octet),
        TEST(damage_is_passed_over),
        TEST(cursors),
        TEST(cursor_texts),
        TEST(skipping_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
