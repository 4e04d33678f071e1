// Records that cannot be written: the log says so once with the fix, and once that it is over.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "lost.h"
#include "outlet.h"
#include "scratch.h"

static FILE *written;
static int saved_stderr;

static void log_begin(void)
{
    fflush(stderr);
    written = tmpfile();
    assert_non_null(written);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(fileno(written), STDERR_FILENO) >= 0);
    log_open("postern-sensor");
    log_set_level(LOG_LEVEL_INFO);
}

static void log_end(char *text, size_t size)
{
    fflush(stderr);
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    rewind(written);
    size_t n = fread(text, 1, size - 1, written);
    text[n] = '\0';
    fclose(written);
}

static unsigned lines(const char *text)
{
    unsigned n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void must_say(const char *text, const char *what)
{
    if (!strstr(text, what))
        print_error("\"%s\" is not in:\n%s", what, text);
    assert_non_null(strstr(text, what));
}

// Seconds of a disk: '.' goes well, 'r' refuses three records, 'e' fails with none refused.
static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *name, *seconds;
        int quiet_s; // behind them
        bool ends;
        unsigned lines;
        const char *last;
    } table[] = {
        {"nothing is wrong", "....", 100, true, 0, ""},
        {"it begins", ".rrrrrrrr", 0, false, 1, "W: full: records are lost; make room"},
        {"not yet over", "rr", 59, false, 1, "records are lost"},
        {"over", "rr", 61, true, 2, "W: records are written again; 6 were lost in 2 s"},
        {"room now and then is no end", "r..r..r..r", 61, true, 2, "12 were lost in 10 s"},
        {"a failure that lost none", "e", 61, true, 2, "0 were lost in 1 s"},
        {"it ends with the sensor", "rr", 0, true, 2, "W: 6 records were lost"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char text[4096];
        struct lost l = {0};
        int64_t now_ms = 1000000;
        log_begin();
        for (const char *c = table[i].seconds; *c; c++, now_ms += 1000) {
            for (int n = 0; *c == 'r' && n < 3; n++)
                lost_count(&l, 1);
            lost_look(&l, "W", *c == 'e' ? -EIO : 0, "full", "make room", now_ms);
        }
        for (int n = 0; n < table[i].quiet_s; n++, now_ms += 1000)
            lost_look(&l, "W", 0, "full", "make room", now_ms);
        if (table[i].ends)
            lost_end(&l, "W");
        log_end(text, sizeof text);
        if (lines(text) != table[i].lines)
            print_error("%s: %s", table[i].name, text);
        assert_int_equal(lines(text), table[i].lines);
        must_say(text, table[i].last);
    }
}

// It begins anew when it had been over; and a clock that is set back delays the end, no more.
static void test_again(void **state)
{
    (void)state;
    char text[4096];
    struct lost l = {0};
    log_begin();
    lost_look(&l, "W", -ENOSPC, "full", "make room", 1000000000);
    lost_look(&l, "W", 0, "full", "make room", 1000);
    lost_look(&l, "W", 0, "full", "make room", 1000 + LOST_QUIET_MS);
    lost_look(&l, "W", -ENOSPC, "full", "make room", 2000 + LOST_QUIET_MS);
    log_end(text, sizeof text);
    assert_int_equal(lines(text), 3);
    must_say(text, "written again; 0 were lost in 1 s");
}

static void fill(struct record *r, uint64_t sequence)
{
    memset(r, 0, sizeof *r);
    r->version = RECORD_VERSION;
    r->kind = RECORD_COVERAGE;
    r->id = (struct record_id){.domain = 1, .epoch = 1, .sequence = sequence};
    snprintf(r->coverage.sensor, sizeof r->coverage.sensor, "s");
    r->coverage.leg = 1;
    r->coverage.sampling = 1;
    r->coverage.t_ms = (int64_t)sequence * 1000;
}

// A second: `n` records, and what behind them is to be durable.
static void second(struct sink *sink, unsigned n, uint64_t *sequence)
{
    struct record r;
    for (unsigned i = 0; i < n; i++) {
        fill(&r, ++*sequence);
        sink_put(sink, &r);
    }
    sink_flush(sink, (int64_t)*sequence * 1000);
}

static void test_file(void **state)
{
    (void)state;
    char text[4096];
    struct sink sink;
    uint64_t sequence = 0;
    log_begin();
    assert_int_equal(sink_file_open("/dev/full", 1, &sink), 0);
    for (int i = 0; i < 4; i++)
        second(&sink, 2, &sequence);
    assert_int_equal(sink_close(&sink), -ENOSPC);
    log_end(text, sizeof text);
    assert_int_equal(lines(text), 2);
    must_say(
        text,
        "warning: /dev/full: No space left on device: records are lost; make room for them and "
        "restart the sensor");
    must_say(text, "/dev/full: 8 records were lost");
}

static void test_spool_at_its_bound(void **state)
{
    (void)state;
    char dir[SCRATCH_MAX], text[4096];
    struct outlet *outlet;
    uint64_t sequence = 0;
    assert_int_equal(scratch_make(dir), 0);
    struct sensor_conf conf = {.spool = dir, .spool_max = 200000, .domain = 1};
    log_begin();
    assert_int_equal(outlet_open(&conf, 0, &outlet), 0);
    struct sink sink = outlet_sink(outlet, false);
    for (int i = 0; i < 10; i++)
        second(&sink, 1000, &sequence);
    struct control_status *status = control_status_new("postern-sensor");
    assert_int_equal(outlet_status(outlet, status, 0), COVERAGE_SPOOL_FULL);
    json_t *doc = control_status_json(status);
    json_t *problem = json_array_get(json_object_get(doc, "problems"), 0);
    assert_string_equal(json_string_value(json_object_get(problem, "text")),
                        "the spool is full: records are lost");
    json_decref(doc);
    control_status_free(status);
    sink_close(&sink);
    outlet_close(outlet);
    log_end(text, sizeof text);
    scratch_remove(dir);
    assert_int_equal(lines(text), 2);
    must_say(text,
             ": the spool is full: records are lost; restore the connection to the collector, "
             "or raise sensor.spool_max");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_spool_at_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
