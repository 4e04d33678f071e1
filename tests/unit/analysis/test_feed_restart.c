// The feed killed at any point and started again: no change is lost, none repeated, whatever the place
// in verdicts, store and feed file.
#include "feed_bench.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "feed/output.h"
#include "feed/source.h"

#define VERDICTS 24

static void write_verdicts(const struct place *p, size_t from, size_t to, const char *mode)
{
    FILE *f = fopen(p->verdicts, mode);
    assert_non_null(f);
    for (size_t i = from; i < to; i++) {
        // Three parties open, are updated and close in turn.
        enum verdict_event event = i % 8 == 0   ? VERDICT_OPENED
                                   : i % 8 == 7 ? VERDICT_CLOSED
                                                : VERDICT_UPDATED;
        struct verdict v = make_verdict(event, (unsigned)(i / 8), (int64_t)i * 7 * HOUR_MS);
        json_t *j = verdict_to_json(&v);
        assert_int_equal(json_write_line(f, j), 0);
        json_decref(j);
    }
    assert_int_equal(fclose(f), 0);
}

// One run of the program's loop, a verdict a transaction. It ends after `steps` steps, as a kill
// would: without closing anything. A verdict has three: within the transaction, after the commit,
// after the feed file. 0: there was nothing more to do.
static int run_until(const struct place *p, int steps)
{
    char cursor[SOURCE_CURSOR_MAX], error[160];
    struct ticket_store *store = NULL;
    struct source source;
    struct output output;
    struct feed feed;
    struct keyed_hash_key key = keyed_hash_key_replay();
    struct verdict v;
    if (ticket_store_open(p->db, true, &store, error) != 0 ||
        ticket_store_cursor(store, cursor, sizeof cursor) != 0 ||
        source_open(&source, p->verdicts, cursor) != 0 ||
        feed_init(&feed, store, &feed_bench_rule, &key) != 0 ||
        output_open(&output, p->feed, store) != 0)
        return 2;
    for (;;) {
        if (ticket_store_begin(store) != 0)
            return 2;
        int got = source_next(&source, &v, error);
        if (got < 0 || (got > 0 && feed_take(&feed, &v) != 0))
            return 2;
        if (steps-- == 0)
            _exit(1);
        if (ticket_store_commit(store, source_cursor(&source, cursor)) != 0)
            return 2;
        if (steps-- == 0)
            _exit(1);
        if (output_follow(&output, store) != 0)
            return 2;
        if (steps-- == 0) {
            // Torn in the middle of a line, as a full disk or a power cut would leave it.
            if (write(output.fd, "{\"by\":\"ana", 10) != 10)
                return 2;
            _exit(1);
        }
        if (got == 0)
            break;
    }
    output_close(&output);
    source_close(&source);
    ticket_store_close(store);
    return 0;
}

static int run_killed(const struct place *p, int steps)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(run_until(p, steps));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), 2);
    return WEXITSTATUS(status);
}

static char *read_feed(const struct place *p)
{
    FILE *f = fopen(p->feed, "r");
    struct stat st;
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    char *text = calloc(1, (size_t)st.st_size + 1);
    assert_int_equal(fread(text, 1, (size_t)st.st_size, f), st.st_size);
    fclose(f);
    return text;
}

static void killed_anywhere(void **state)
{
    const struct place *p = *state;
    write_verdicts(p, 0, VERDICTS, "w");
    assert_int_equal(run_killed(p, INT32_MAX), 0);
    char *whole = read_feed(p);
    assert_non_null(strstr(whole, "\"change\":24,"));
    // A second run over the same verdicts adds nothing.
    assert_int_equal(run_killed(p, INT32_MAX), 0);
    char *again = read_feed(p);
    assert_string_equal(whole, again);
    free(again);
    // Killed every few steps, at each of the three places in turn.
    for (int stride = 1; stride <= 8; stride++) {
        remove_store(p);
        unlink(p->feed);
        int runs = 0;
        while (run_killed(p, stride + 2) != 0)
            assert_true(++runs < 200);
        again = read_feed(p);
        assert_string_equal(whole, again);
        free(again);
    }
    free(whole);
}

static void verdicts_that_grow(void **state)
{
    const struct place *p = *state;
    write_verdicts(p, 0, VERDICTS, "w");
    assert_int_equal(run_killed(p, INT32_MAX), 0);
    char *whole = read_feed(p);
    remove_store(p);
    unlink(p->feed);
    write_verdicts(p, 0, 10, "w");
    assert_int_equal(run_killed(p, INT32_MAX), 0);
    // Half a line is not read until it is whole.
    FILE *f = fopen(p->verdicts, "a");
    fputs("{\"half\":", f);
    fclose(f);
    assert_int_equal(run_killed(p, INT32_MAX), 0);
    write_verdicts(p, 0, 10, "w");
    write_verdicts(p, 10, VERDICTS, "a");
    assert_int_equal(run_killed(p, INT32_MAX), 0);
    char *again = read_feed(p);
    assert_string_equal(whole, again);
    free(again);
    free(whole);
}

static void another_file_is_noticed(void **state)
{
    const struct place *p = *state;
    char cursor[SOURCE_CURSOR_MAX], error[160];
    struct source s;
    struct verdict v;
    write_verdicts(p, 0, 4, "w");
    assert_int_equal(source_open(&s, p->verdicts, ""), 0);
    assert_int_equal(source_next(&s, &v, error), 1);
    assert_int_equal(source_next(&s, &v, error), 1);
    source_cursor(&s, cursor);
    source_close(&s);
    assert_int_equal(source_open(&s, p->verdicts, cursor), 0);
    assert_int_equal(source_next(&s, &v, error), 1);
    source_close(&s);
    write_verdicts(p, 1, 4, "w");
    assert_int_equal(source_open(&s, p->verdicts, cursor), -ESTALE);
    write_verdicts(p, 0, 1, "w");
    assert_int_equal(source_open(&s, p->verdicts, cursor), -ESTALE);
    assert_int_equal(source_open(&s, p->verdicts, "12:a"), -EINVAL);
    assert_int_equal(source_open(&s, p->verdicts, "1:2:3"), -EINVAL);
}

static void broken_lines(void **state)
{
    const struct place *p = *state;
    char error[160];
    struct source s;
    struct verdict v;
    FILE *f = fopen(p->verdicts, "w");
    fputs("not json\n\n{\"v\":1}\n", f);
    fclose(f);
    write_verdicts(p, 0, 1, "a");
    assert_int_equal(source_open(&s, p->verdicts, ""), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(source_next(&s, &v, error), -EINVAL);
    assert_int_equal(source_next(&s, &v, error), 1);
    assert_int_equal(source_next(&s, &v, error), 0);
    assert_int_equal(s.bad_lines, 3);
    source_close(&s);
}

static void wrong_feed_file(void **state)
{
    const struct place *p = *state;
    char error[160];
    struct ticket_store *store;
    struct output o;
    write_verdicts(p, 0, 4, "w");
    assert_int_equal(run_killed(p, INT32_MAX), 0);
    remove_store(p);
    assert_int_equal(ticket_store_open(p->db, true, &store, error), 0);
    // Further than the store.
    assert_int_equal(output_open(&o, p->feed, store), -EPROTO);
    FILE *f = fopen(p->feed, "w");
    fputs("some log\n", f);
    fclose(f);
    assert_int_equal(output_open(&o, p->feed, store), -EPROTO);
    ticket_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(killed_anywhere),         PLACE_TEST(verdicts_that_grow),
        PLACE_TEST(another_file_is_noticed), PLACE_TEST(broken_lines),
        PLACE_TEST(wrong_feed_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
