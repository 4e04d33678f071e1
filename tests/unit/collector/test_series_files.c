// The folder of a series writer: everybody's series with their forecast, sensors, an older layout, the
// lock, a full disk, tables that are full, and a real rrdcached.
#include "series_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/rrdcached.h"
#include "common/rrdfile.h"
#include "common/series_coverage.h"

enum { FIRST = 1774137600 / 60, DAY = 1440 };

static char dir[SCRATCH_MAX];

static int setup(void **state)
{
    (void)state;
    return scratch_make(dir);
}

static int teardown(void **state)
{
    (void)state;
    return scratch_remove(dir);
}

static const char *path_of(enum series_kind kind, const char *name, char out[static 512])
{
    char relative[SERIES_PATH_MAX];
    snprintf(out, 512, "%s/%s", dir, series_path(kind, name, relative));
    return out;
}

// Four days of a daily curve, then a fifth that loses its mail at noon: an anomaly in the coverage
// within ten minutes, and none before.
static void forecast(void **state)
{
    (void)state;
    enum { NOON = 4 * DAY + 720 };
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    for (int64_t m = 0; m < NOON + 30; m++) {
        struct coverage_minute c = {.minute = FIRST + m, .seconds = 60, .sum.sensor = "edge-1"};
        double day = cos((double)(m % DAY) / DAY * 2 * 3.14159265358979);
        double noise = (double)((m * 7919) % 101 - 50) / 50;
        c.sum.packets = (uint64_t)(100000 * (1.5 - day) + 3000 * noise);
        c.sum.mail_flows = m < NOON ? (uint64_t)(1000 * (1.5 - day) + 30 * noise) : 0;
        assert_int_equal(series_writer_coverage(w, &c), 0);
        series_writer_mark(w, (FIRST + m + 1) * 60000LL);
    }
    series_writer_close(w);
    static struct series_coverage_minute m[NOON + 30];
    assert_int_equal(series_coverage_get(dir, NULL, FIRST, NOON + 30, m), 0);
    for (int i = 0; i < NOON; i++)
        assert_int_equal(m[i].alarms & COVERAGE_ANOMALY, 0);
    int first = NOON;
    while (first < NOON + 30 && !(m[first].alarms & COVERAGE_ANOMALY))
        first++;
    assert_in_range(first, NOON + 3, NOON + 10);
    char **names;
    size_t n;
    assert_int_equal(series_names(dir, SERIES_SENSOR, &names, &n), 0);
    assert_int_equal(n, 1);
    assert_string_equal(names[0], "edge-1");
    free(names);
    struct series_sample *s = rig_read(dir, SERIES_SENSOR, "edge-1", FIRST + NOON - 1,
                                       FIRST + NOON + 1, 60, &n);
    assert_in_range((int64_t)s[0].average[SERIES_SENSOR_MAIL_FLOWS], 2400, 2600);
    assert_true(s[1].average[SERIES_SENSOR_MAIL_FLOWS] == 0);
    assert_in_range((int64_t)s[1].average[SERIES_SENSOR_PACKETS], 240000, 260000);
    free(s);
}

// The processes of a sensor are one series; POPs and classes have theirs.
static void aggregates(void **state)
{
    (void)state;
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    for (uint16_t p = 0; p < 2; p++) {
        struct coverage_minute c = {.minute = FIRST,
                                    .seconds = 60,
                                    .loss_ppm = 10u + p,
                                    .sum = {.sensor = "edge 1", .process = p, .packets = 500}};
        assert_int_equal(series_writer_coverage(w, &c), 0);
    }
    rig_put(w, (struct rig_row){"192.0.2.1", FIRST, .established = 2, .pop = "north",
                                .network_class = "residential", .first_peer = 0, .peers = 3});
    rig_put(w, (struct rig_row){"192.0.2.2", FIRST, .established = 3, .pop = "north",
                                .network_class = "business", .first_peer = 2, .peers = 3});
    series_writer_mark(w, (FIRST + 1) * 60000LL);
    size_t n;
    struct series_sample *s = rig_read(dir, SERIES_SENSOR, "edge 1", FIRST, FIRST + 1, 60, &n);
    assert_true(s[0].average[SERIES_SENSOR_PACKETS] == 1000);
    assert_true(s[0].average[SERIES_SENSOR_LOSS_PPM] == 11);
    free(s);
    s = rig_read(dir, SERIES_POP, "north", FIRST, FIRST + 1, 60, &n);
    assert_true(s[0].average[SERIES_ESTABLISHED] == 5 && s[0].average[SERIES_PEERS] == 5);
    free(s);
    s = rig_read(dir, SERIES_CLASS, "business", FIRST, FIRST + 1, 60, &n);
    assert_true(s[0].average[SERIES_ESTABLISHED] == 3);
    free(s);
    series_writer_close(w);
}

// A folder of version 1 gets its forecasts and keeps its values; a newer one is left alone.
static void older_layout(void **state)
{
    (void)state;
    char path[512], error[RRDFILE_ERROR_MAX], why[300];
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    rig_watch(w, FIRST, FIRST + 5);
    rig_put(w, (struct rig_row){"192.0.2.1", FIRST, .established = 2});
    series_writer_mark(w, (FIRST + 2) * 60000LL);
    series_writer_close(w);
    path_of(SERIES_SITE, SERIES_SITE_NAME, path);
    struct rrdfile_shape shape = {0};
    assert_int_equal(rrdfile_convert(path, shape, error), 0); // as version 1 made it
    char layout[SCRATCH_MAX + 16];
    snprintf(layout, sizeof layout, "%s/layout", dir);
    unlink(layout);
    w = rig_open(dir, (struct series_options){0});
    series_writer_close(w);
    assert_int_equal(rrdfile_check(path, &shape, NULL, error), 0);
    assert_true(shape.forecast);
    size_t n;
    struct series_sample *s = rig_read(dir, SERIES_SITE, SERIES_SITE_NAME, FIRST, FIRST + 1, 60,
                                       &n);
    assert_true(s[0].average[SERIES_ESTABLISHED] == 2);
    free(s);
    struct series_options o = {.rrd_dir = dir, .keys_max = 10, .layout = SERIES_REDUCED};
    assert_int_equal(series_writer_open(&o, &w, why), -EPROTO);
    assert_non_null(strstr(why, "rebuild"));
    FILE *out = fopen(layout, "w");
    assert_non_null(out);
    fputs("99 full\n", out);
    fclose(out);
    o.layout = SERIES_FULL;
    assert_int_equal(series_writer_open(&o, &w, why), -EPROTO);
    assert_non_null(strstr(why, "99"));
}

static void one_writer_at_a_time(void **state)
{
    (void)state;
    char why[300];
    struct series_writer *w = rig_open(dir, (struct series_options){0}), *second;
    struct series_options o = {.rrd_dir = dir, .keys_max = 10};
    assert_int_equal(series_writer_open(&o, &second, why), -EBUSY);
    assert_non_null(strstr(why, "stop it first"));
    series_writer_close(w);
    series_writer_close(rig_open(dir, (struct series_options){0}));
}

// The reduced layout is read by the same calls.
static void reduced(void **state)
{
    (void)state;
    char path[512];
    struct series_writer *w = rig_open(dir, (struct series_options){.layout = SERIES_REDUCED});
    rig_watch(w, FIRST, FIRST + 600);
    rig_put(w, (struct rig_row){"192.0.2.1", FIRST, .established = 30});
    series_writer_mark(w, (FIRST + 2) * 60000LL);
    rig_put(w, (struct rig_row){"192.0.2.1", FIRST + 599, .established = 1});
    series_writer_mark(w, (FIRST + 601) * 60000LL);
    series_writer_close(w);
    struct stat st;
    assert_int_equal(stat(path_of(SERIES_SUBSCRIBER, "192.0.2.1", path), &st), 0);
    assert_in_range(st.st_size, 140000, 155000);
    struct series_range r = {.start_s = FIRST * 60LL, .end_s = (FIRST + 600) * 60LL};
    struct series_sample *s;
    size_t n;
    assert_int_equal(series_fetch(dir, SERIES_SUBSCRIBER, "192.0.2.1", &r, &s, &n), 0);
    assert_int_equal(r.step_s, 600); // minutes reach back four hours only
    assert_true(s[0].average[0] == 3 && s[0].maximum[0] == 30 && s[59].maximum[0] == 1);
    free(s);
}

// What librrd keeps to itself when a disk is full: a child with a limit on file sizes stands for it.
static void full_disk_is_said(void **state)
{
    (void)state;
    char path[512], error[RRDFILE_ERROR_MAX] = "";
    snprintf(path, sizeof path, "%s/x.rrd", dir);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit limit = {100000, 100000};
        sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
        setrlimit(RLIMIT_FSIZE, &limit);
        int rc = rrdfile_create(path, (struct rrdfile_shape){0}, FIRST * 60LL, error);
        bool said = strstr(error, "too large") && strstr(error, path);
        _exit(rc == -EIO && said && access(path, F_OK) != 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

// More who knock than the table holds: those who earned nothing make room.
static void table_makes_room(void **state)
{
    (void)state;
    struct series_writer *w = rig_open(
        dir,
        (struct series_options){.keys_max = 40, .waiting_total_max = 10, .burst_connections = 9});
    rig_watch(w, FIRST, FIRST + 10);
    char name[32];
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "192.0.2.%d", i);
        rig_put(w, (struct rig_row){name, FIRST, .unanswered = 1, .established = i < 5});
    }
    assert_true(series_writer_stats(w)->keys_refused > 0);
    series_writer_mark(w, (FIRST + 2) * 60000LL);
    assert_true(series_writer_stats(w)->keys_evicted > 0);
    uint64_t refused = series_writer_stats(w)->keys_refused;
    rig_put(w, (struct rig_row){"192.0.2.200", FIRST + 3, .established = 1});
    assert_int_equal(series_writer_stats(w)->keys_refused, refused);
    series_writer_mark(w, (FIRST + 5) * 60000LL);
    assert_int_equal(series_writer_stats(w)->files_created, 7); // five, the site, and the last
    series_writer_close(w);
}

static pid_t start_rrdcached(char address[static 128], bool journal)
{
    snprintf(address, 128, "unix:%s/sock", dir);
    pid_t pid = fork();
    if (pid == 0) {
        char pid_file[128], base[SCRATCH_MAX];
        prctl(PR_SET_PDEATHSIG, SIGTERM); // a test that fails leaves none behind
        snprintf(pid_file, sizeof pid_file, "%s/pid", dir);
        snprintf(base, sizeof base, "%s", dir);
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        execl("/usr/bin/rrdcached", "rrdcached", "-g", "-l", address, "-p", pid_file, "-b", base,
              "-w", "600", "-f", "1200", journal ? "-j" : NULL, base, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 100 && access(address + 5, F_OK) != 0; i++)
        usleep(50000);
    return pid;
}

static void stop_rrdcached(pid_t pid)
{
    kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static double last_value(const char *name, int64_t minute)
{
    size_t n;
    struct series_sample *s = rig_read(dir, SERIES_SUBSCRIBER, name, minute, minute + 1, 60, &n);
    double v = s[0].average[SERIES_ESTABLISHED];
    free(s);
    return v;
}

static void through_rrdcached(void **state)
{
    (void)state;
    char address[128], path[512], error[RRDFILE_ERROR_MAX], name[32];
    struct rrdcached *c;
    if (access("/usr/bin/rrdcached", X_OK) != 0) {
        print_message("rrdcached is not installed; scripts/setup installs it\n");
        skip();
    }
    assert_int_equal(rrdcached_open("relative", 1000, &c), -EINVAL);
    pid_t pid = start_rrdcached(address, false);
    struct series_options o = {.rrdcached = address};
    struct series_writer *w = rig_open(dir, o);
    rig_watch(w, FIRST, FIRST + 60);
    for (int m = 0; m < 4; m++) {
        for (int i = 0; i < 50; i++) {
            snprintf(name, sizeof name, "192.0.2.%d", i);
            rig_put(w, (struct rig_row){name, FIRST + 2 * m, .established = (uint64_t)(m + i + 1)});
        }
        series_writer_mark(w, (FIRST + 2 * m + 1) * 60000LL);
    }
    assert_int_equal(series_writer_stats(w)->errors, 0);
    // Still in memory there, until somebody asks for it.
    path_of(SERIES_SUBSCRIBER, "192.0.2.9", path);
    int64_t last_s;
    assert_int_equal(rrdfile_last(path, &last_s, error), 0);
    assert_true(last_s <= FIRST * 60LL);
    assert_int_equal(rrdcached_open(address, 2000, &c), 0);
    assert_int_equal(rrdcached_flush(c, path), 0);
    assert_int_equal(rrdfile_last(path, &last_s, error), 0);
    assert_int_equal(last_s, (FIRST + 7) * 60LL);
    for (int m = 0; m < 4; m++) {
        assert_true(last_value("192.0.2.9", FIRST + 2 * m) == m + 10);
        assert_true(m == 3 || last_value("192.0.2.9", FIRST + 2 * m + 1) == 0);
    }
    assert_int_equal(rrdcached_flush(c, "/nowhere/x.rrd"), 0);
    // Refused lines are counted with their reason.
    struct rrdfile_update u = {.t_s = FIRST * 60LL};
    size_t refused;
    snprintf(path, sizeof path, "%s/with blank.rrd", dir);
    assert_int_equal(rrdcached_put(c, path, &u, 1), 0);
    assert_int_equal(rrdcached_commit(c, &refused, error), 0);
    assert_int_equal(refused, 1);
    assert_non_null(strstr(error, "with blank.rrd"));
    rrdcached_close(c);
    // It goes away: minutes wait, and are written when it is back.
    stop_rrdcached(pid);
    rig_put(w, (struct rig_row){"192.0.2.9", FIRST + 20, .established = 77});
    series_writer_mark(w, (FIRST + 22) * 60000LL);
    assert_true(series_writer_stats(w)->errors > 0);
    assert_int_equal(series_writer_safe_before(w), FIRST + 20); // a restart must not miss it
    pid = start_rrdcached(address, false);
    series_writer_mark(w, (FIRST + 23) * 60000LL);
    series_writer_close(w);
    stop_rrdcached(pid); // writes what it holds
    assert_true(last_value("192.0.2.9", FIRST + 20) == 77);
    assert_true(last_value("192.0.2.9", FIRST + 19) == 0);
}

// Its crash: with its journal nothing is lost; without it, what it held is, which is said before, and
// comes back with a rebuild.
static void rrdcached_crashes(void **state)
{
    (void)state;
    char address[128];
    if (access("/usr/bin/rrdcached", X_OK) != 0) {
        print_message("rrdcached is not installed; scripts/setup installs it\n");
        skip();
    }
    for (int journal = 0; journal < 2; journal++) {
        enum { OTHERS = 400 };
        const char *name = journal ? "192.0.2.31" : "192.0.2.30";
        int64_t first = FIRST + 500 * journal;
        pid_t pid = start_rrdcached(address, journal);
        struct series_writer *w = rig_open(dir, (struct series_options){.rrdcached = address});
        rig_watch(w, first, first + OTHERS + 10);
        for (int m = 0; m < 3; m++) {
            rig_put(w, (struct rig_row){name, first + 2 * m, .established = 5});
            series_writer_mark(w, (first + 2 * m + 1) * 60000LL);
        }
        assert_int_equal(series_writer_stats(w)->errors, 0);
        assert_true(series_writer_stats(w)->may_lose == !journal);
        // More than is given again, so that the rest comes from its journal, or is lost.
        for (int m = 6; m < OTHERS; m++) {
            for (int i = 0; i < 4; i++) {
                char other[32];
                snprintf(other, sizeof other, "198.51.100.%d", i);
                rig_put(w, (struct rig_row){other, first + m, .established = 1});
            }
            series_writer_mark(w, (first + m + 1) * 60000LL);
        }
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        unlink(address + 5);
        char pid_file[SCRATCH_MAX + 8];
        snprintf(pid_file, sizeof pid_file, "%s/pid", dir);
        unlink(pid_file);
        pid = start_rrdcached(address, journal);
        rig_put(w, (struct rig_row){name, first + OTHERS, .established = 7});
        series_writer_mark(w, (first + OTHERS + 2) * 60000LL); // finds the connection gone
        series_writer_mark(w, (first + OTHERS + 3) * 60000LL);
        char why[sizeof series_writer_stats(w)->last_error];
        memcpy(why, series_writer_stats(w)->last_error, sizeof why);
        series_writer_close(w);
        struct rrdcached *c;
        assert_int_equal(rrdcached_open(address, 2000, &c), 0);
        assert_int_equal(rrdcached_flush_series(c, dir, SERIES_SUBSCRIBER, name), 0);
        assert_int_equal(rrdcached_flush_series(c, dir, SERIES_SUBSCRIBER, "198.51.100.3"), 0);
        rrdcached_close(c);
        stop_rrdcached(pid);
        if (last_value(name, first + OTHERS) != 7)
            fail_msg("journal %d: %g after the crash; %s", journal,
                     last_value(name, first + OTHERS), why);
        for (int m = 0; m < 3; m++)
            assert_true(last_value(name, first + 2 * m) == (journal ? 5 : 0));
        // What was taken last its journal has not yet: it was given again.
        for (int m = OTHERS - 20; m < OTHERS; m++)
            assert_true(last_value("198.51.100.3", first + m) == 1);
    }
    // Built anew from the rows, as a rebuild does.
    char again[SCRATCH_MAX], lossy[SCRATCH_MAX];
    assert_int_equal(scratch_make(again), 0);
    memcpy(lossy, dir, sizeof lossy);
    memcpy(dir, again, sizeof dir);
    struct series_writer *w = rig_open(dir, (struct series_options){0});
    rig_watch(w, FIRST, FIRST + 20);
    for (int m = 0; m < 3; m++)
        rig_put(w, (struct rig_row){"192.0.2.30", FIRST + 2 * m, .established = 5});
    series_writer_mark(w, (FIRST + 12) * 60000LL);
    series_writer_close(w);
    for (int m = 0; m < 3; m++)
        assert_true(last_value("192.0.2.30", FIRST + 2 * m) == 5);
    scratch_remove(again);
    memcpy(dir, lossy, sizeof dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(forecast, setup, teardown),
        cmocka_unit_test_setup_teardown(aggregates, setup, teardown),
        cmocka_unit_test_setup_teardown(older_layout, setup, teardown),
        cmocka_unit_test_setup_teardown(one_writer_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(reduced, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(table_makes_room, setup, teardown),
        cmocka_unit_test_setup_teardown(rrdcached_crashes, setup, teardown),
        cmocka_unit_test_setup_teardown(through_rrdcached, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
