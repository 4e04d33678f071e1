// Files of records: written and read back, cut anywhere, broken, and read by somebody else's program.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/record.h"
#include "record_random.h"

static char folder[] = "/tmp/postern-record-XXXXXX";
static char path[64];
static struct record r;

static int setup(void **state)
{
    (void)state;
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/records.ipfix", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_records(uint64_t seed, int count)
{
    struct record_random g = {.state = seed};
    struct record_writer *w;
    assert_int_equal(record_writer_open(path, 7, &w), 0);
    for (int i = 0; i < count; i++) {
        record_random_fill(&g, &r);
        assert_int_equal(record_writer_put(w, &r), 0);
    }
    assert_int_equal(record_writer_close(w), 0);
}

static struct record_reader_stats read_records(uint64_t seed)
{
    static struct record want;
    struct record_random g = {.state = seed};
    struct record_reader *rd;
    int rc;
    assert_int_equal(record_reader_open(path, &rd), 0);
    while ((rc = record_reader_next(rd, &r)) == 1) {
        record_random_fill(&g, &want);
        assert_memory_equal(&r, &want, sizeof want);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(record_reader_next(rd, &r), 0); // the end stays the end
    assert_null(record_reader_bad_value(rd));
    struct record_reader_stats s = *record_reader_stats(rd);
    record_reader_close(rd);
    return s;
}

static size_t load(uint8_t *out, size_t max)
{
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    size_t n = fread(out, 1, max, in);
    fclose(in);
    return n;
}

static void save(const uint8_t *data, size_t len)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(data, 1, len, out), len);
    fclose(out);
}

static void test_many_records(void **state)
{
    (void)state;
    write_records(21, 2000);
    struct record_reader_stats s = read_records(21);
    assert_int_equal(s.records, 2000);
    assert_true(s.messages > 10);
    assert_false(s.truncated);
    assert_int_equal(s.lost_records + s.bad_message + s.bad_set + s.bad_record + s.bad_value, 0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(s.octets, st.st_size);
    assert_int_equal(st.st_mode & 0137, 0); // not for everybody
}

static void test_same_records_same_file(void **state)
{
    (void)state;
    static uint8_t first[200000], second[200000];
    write_records(22, 200);
    size_t n = load(first, sizeof first);
    write_records(22, 200); // over the old one
    assert_int_equal(load(second, sizeof second), n);
    assert_memory_equal(first, second, n);
    write_records(22, 0);
    assert_int_equal(load(second, sizeof second), 0); // nothing said, nothing written
    assert_int_equal(read_records(22).records, 0);
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    static uint8_t data[200000];
    write_records(23, 12);
    size_t n = load(data, sizeof data);
    for (size_t cut = 0; cut <= n; cut += cut < 50 ? 1 : 97) {
        save(data, cut);
        struct record_reader_stats s = read_records(23);
        assert_int_equal(s.truncated, cut > 0);
        assert_int_equal(s.records, 0); // one message: it is whole or it is not there
    }
    save(data, n);
    assert_int_equal(read_records(23).records, 12);
    assert_false(read_records(23).truncated);
}

static void test_flushed_messages_are_whole(void **state)
{
    (void)state;
    struct record_random g = {.state = 24};
    struct record_writer *w;
    assert_int_equal(record_writer_open(path, 7, &w), 0);
    for (unsigned i = 1; i <= 5; i++) {
        record_random_fill(&g, &r);
        assert_int_equal(record_writer_put(w, &r), 0);
        assert_int_equal(record_writer_flush(w), 0);
        assert_int_equal(record_writer_flush(w), 0); // nothing new: nothing written
        struct record_reader_stats s = read_records(24);
        assert_int_equal(s.records, i);
        assert_int_equal(s.messages, i);
        assert_false(s.truncated);
    }
    assert_int_equal(record_writer_close(w), 0);
}

static void test_errors_of_the_system(void **state)
{
    (void)state;
    struct record_random g = {.state = 25};
    struct record_writer *w = NULL;
    struct record_reader *rd = NULL;
    char nowhere[128];
    snprintf(nowhere, sizeof nowhere, "%s/none/records", folder);
    assert_int_equal(record_writer_open(nowhere, 7, &w), -ENOENT);
    assert_int_equal(record_reader_open(nowhere, &rd), -ENOENT);
    assert_null(w);
    assert_null(rd);
    assert_int_equal(record_reader_open(folder, &rd), 0);
    assert_int_equal(record_reader_next(rd, &r), -EISDIR);
    assert_int_equal(record_reader_next(rd, &r), 0);
    record_reader_close(rd);
    record_reader_close(NULL);

    if (access("/dev/full", W_OK) != 0)
        skip();
    assert_int_equal(record_writer_open("/dev/full", 7, &w), 0);
    record_random_fill(&g, &r);
    assert_int_equal(record_writer_put(w, &r), 0);
    assert_int_equal(record_writer_flush(w), -ENOSPC);
    assert_int_equal(record_writer_put(w, &r), -ENOSPC); // a record behind a hole is not written
    assert_int_equal(record_writer_close(w), -ENOSPC);
}

static void test_impossible_records_are_not_written(void **state)
{
    (void)state;
    struct record_random g = {.state = 26};
    struct record_writer *w;
    assert_int_equal(record_writer_open(path, 7, &w), 0);
    record_random_plain(&g, &r);
    r.version = 9;
    assert_int_equal(record_writer_put(w, &r), -EINVAL);
    r.version = RECORD_VERSION;
    assert_int_equal(record_writer_put(w, &r), 0); // and the writer goes on
    assert_int_equal(record_writer_close(w), 0);
    struct record_reader *rd;
    assert_int_equal(record_reader_open(path, &rd), 0);
    assert_int_equal(record_reader_next(rd, &r), 1);
    assert_int_equal(record_reader_next(rd, &r), 0);
    record_reader_close(rd);
}

// "-": standard output, here a pipe.
static void test_standard_output(void **state)
{
    (void)state;
    static uint8_t got[65536];
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    pid_t child = fork();
    if (child == 0) {
        struct record_random g = {.state = 27};
        struct record_writer *w;
        dup2(fd[1], STDOUT_FILENO);
        close(fd[0]);
        close(fd[1]);
        record_random_fill(&g, &r);
        int rc = record_writer_open("-", 7, &w);
        if (rc == 0)
            rc = record_writer_put(w, &r);
        if (rc == 0)
            rc = record_writer_close(w);
        _exit(rc == 0 ? 0 : 1);
    }
    close(fd[1]);
    size_t n = 0;
    for (ssize_t k; (k = read(fd[0], got + n, sizeof got - n)) > 0;)
        n += (size_t)k;
    close(fd[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    save(got, n);
    assert_int_equal(read_records(27).records, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_many_records),         TEST(test_same_records_same_file),
        TEST(test_cut_anywhere),         TEST(test_flushed_messages_are_whole),
        TEST(test_errors_of_the_system), TEST(test_impossible_records_are_not_written),
        TEST(test_standard_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
