// The skeleton's order, run as a process: check, jobs from file to file, the loop with its signals,
// reload, the service manager, the rights that are dropped.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon_sample.h"

static struct sample_run run;

static int setup(void **state)
{
    (void)state;
    sample_init(&run);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sample_fini(&run);
    return 0;
}

static void check_prints_what_loads_again(void **state)
{
    (void)state;
    char path[160], printed[4096];
    snprintf(
        path, sizeof path, "%s",
        sample_file(&run, "p.yaml", "site: {name: 'a: b', timezone: UTC}\nsensor: {flows: 99}\n"));
    assert_int_equal(sample_run(&run, (const char *[]){"-c", path, "--check", NULL}), 0);
    snprintf(printed, sizeof printed, "%s", sample_text(&run, "out"));
    assert_string_equal(sample_text(&run, "err"), "");
    assert_non_null(strstr(printed, "  name: \"a: b\"\n"));
    assert_non_null(strstr(printed, "sensor:\n  flows: 99\n  low: 1\n"));
    assert_null(strstr(printed, "open loop")); // nothing was begun
    snprintf(path, sizeof path, "%s", sample_file(&run, "again.yaml", printed));
    assert_int_equal(sample_run(&run, (const char *[]){"-C", "--config", path, NULL}), 0);
    assert_string_equal(sample_text(&run, "out"), printed);
}

static void wrong_configuration(void **state)
{
    (void)state;
    char path[160], expected[600];
    snprintf(path, sizeof path, "%s",
             sample_file(&run, "p.yaml", "site:\n  port25: shut\nsensor:\n  flows: 5\n"));
    snprintf(
        expected, sizeof expected,
        "%s:2:11: site.port25: \"shut\" is not known; use one of open, blocked-before, "
        "blocked-after\n"
        "%s:4:10: sensor.flows: \"5\" is below 16; use a whole number from 16 to 1024, in flows\n",
        path, path);
    for (int check = 0; check < 2; check++) {
        assert_int_equal(sample_run(&run, (const char *[]){"-c", path, check ? "-C" : NULL, NULL}),
                         EX_CONFIG);
        assert_string_equal(sample_text(&run, "err"), expected);
        assert_string_equal(sample_text(&run, "out"), "");
    }
    sample_file(&run, "p.yaml", "sensor: {low: 5}\n");
    assert_int_equal(sample_run(&run, (const char *[]){"-c", path, "-C", NULL}), EX_CONFIG);
    assert_string_equal(sample_text(&run, "err"),
                        "postern-sample: error: sensor.low must be below sensor.high; lower it\n");
    sample_file(&run, "p.yaml", "site: {timezone: Nowhere}\n");
    assert_int_equal(sample_run(&run, (const char *[]){"-c", path, "-C", NULL}), EX_CONFIG);
    assert_non_null(strstr(sample_text(&run, "err"), "there is no time zone \"Nowhere\""));
    assert_int_equal(sample_run(&run, (const char *[]){"-c", "/nonexistent", "-C", NULL}),
                     EX_CONFIG);
    assert_string_equal(sample_text(&run, "err"),
                        "/nonexistent: cannot be read: No such file or "
                        "directory; name a readable file with --config\n");
}

static void a_job_from_file_to_file(void **state)
{
    (void)state;
    char path[160];
    snprintf(path, sizeof path, "%s", sample_file(&run, "p.yaml", "sensor: {flows: 77}\n"));
    const char *args[] = {"-r", "a", "-c", path, "-r", "b", "left", NULL};
    assert_int_equal(sample_run(&run, args), 0);
    assert_string_equal(sample_text(&run, "out"), "open loop=0\n"
                                                  "run loop=0 flows=77 site=postern\n"
                                                  "read a\nread b\noperand left\n");
}

static void failures_end_with_their_code(void **state)
{
    (void)state;
    assert_int_equal(sample_run(&run, (const char *[]){"--fail-open", NULL}), EX_UNAVAILABLE);
    assert_string_equal(sample_text(&run, "out"), "open loop=0\n");
    assert_int_equal(sample_run(&run, (const char *[]){"--fail-start", NULL}), EX_SOFTWARE);
    assert_string_equal(sample_text(&run, "out"), "open loop=0\nstart loop=1 flows=64\n");
    assert_non_null(strstr(sample_text(&run, "err"), "error: cannot start\n"));
}

static void serves_until_it_is_told_to_stop(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        sample_start(&run, (const char *[]){NULL});
        assert_true(sample_await(&run, "out", "start loop=1 flows=64\n"));
        kill(run.pid, SIGPIPE); // ignored
        kill(run.pid, SIGUSR1);
        assert_true(sample_await(&run, "out", "status flows=64 site=postern\n"));
        kill(run.pid, signals[i]);
        assert_int_equal(sample_wait(&run), 0);
        assert_string_equal(sample_text(&run, "out"),
                            "open loop=0\nstart loop=1 flows=64\n"
                            "status flows=64 site=postern\nstop loop=1\n");
    }
}

static void reload(void **state)
{
    (void)state;
    char path[160];
    snprintf(path, sizeof path, "%s",
             sample_file(&run, "p.yaml", "site: {name: one}\nsensor: {flows: 20}\n"));
    sample_start(&run, (const char *[]){"-c", path, NULL});
    assert_true(sample_await(&run, "out", "start loop=1 flows=20\n"));

    sample_file(&run, "p.yaml", "site: {name: two}\nsensor: {flows: 30}\n");
    kill(run.pid, SIGHUP);
    assert_true(sample_await(&run, "out", "reload 20 -> 30 site=two\n"));
    assert_true(sample_await(&run, "err", "configuration reloaded, hash "));

    sample_file(&run, "p.yaml", "site: {name: three}\nsensor: {flows: 5}\n"); // out of range
    kill(run.pid, SIGHUP);
    assert_true(sample_await(&run, "err", "the configuration was not reloaded; the old one stays"));
    // Why stands in the log as what it is, not beside it.
    char why[200];
    snprintf(why, sizeof why, "Z postern-sample: error: %s:2:", path);
    assert_non_null(strstr(sample_text(&run, "err"), why));
    kill(run.pid, SIGUSR1);
    assert_true(sample_await(&run, "out", "status flows=30 site=two\n"));

    sample_file(&run, "p.yaml", "sensor: {flows: 40, low: 9}\n"); // contradicts itself
    kill(run.pid, SIGHUP);
    assert_true(sample_await(&run, "err", "sensor.low must be below sensor.high"));
    // What was opened, or who the program has become, cannot be taken over.
    sample_file(
        &run, "p.yaml",
        "site: {user: nobody, run_directory: /nowhere, sandbox: off}\nsensor: {flows: 50}\n");
    kill(run.pid, SIGHUP);
    assert_true(sample_await(&run, "err", "site.user: a change needs a restart"));
    assert_true(sample_await(&run, "err", "site.run_directory: a change needs a restart"));
    assert_true(sample_await(&run, "err", "site.sandbox: a change needs a restart"));
    kill(run.pid, SIGTERM);
    assert_int_equal(sample_wait(&run), 0);
    assert_null(strstr(sample_text(&run, "out"), "-> 40"));
    assert_null(strstr(sample_text(&run, "out"), "-> 50"));
}

static void a_refused_reload_changes_nothing(void **state)
{
    (void)state;
    char path[160];
    snprintf(path, sizeof path, "%s", sample_file(&run, "p.yaml", "site: {name: one}\n"));
    sample_start(&run, (const char *[]){"-c", path, "--refuse-reload", NULL});
    assert_true(sample_await(&run, "out", "start loop=1 flows=64\n"));
    sample_file(&run, "p.yaml", "site: {name: two}\nsensor: {flows: 30}\n");
    kill(run.pid, SIGHUP);
    assert_true(sample_await(&run, "err", "the configuration was not reloaded"));
    kill(run.pid, SIGUSR1);
    assert_true(sample_await(&run, "out", "status flows=64 site=one\n"));
    kill(run.pid, SIGTERM);
    assert_int_equal(sample_wait(&run), 0);
}

static void the_service_manager_hears(void **state)
{
    (void)state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char text[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s/notify", run.folder);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 10},
               sizeof(struct timeval));
    setenv("NOTIFY_SOCKET", at.sun_path, 1);
    setenv("WATCHDOG_USEC", "100000", 1);
    char path[160];
    snprintf(path, sizeof path, "%s", sample_file(&run, "p.yaml", "sensor: {flows: 17}\n"));
    sample_start(&run, (const char *[]){"-c", path, NULL});
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    static const struct {
        int send;
        const char *expect;
    } steps[] = {
        {0, "READY=1"},          {0, "STATUS=degraded: few flows"}, {0, "WATCHDOG=1"},
        {0, "WATCHDOG=1"},       {SIGHUP, "RELOADING=1"},           {0, "READY=1"},
        {SIGTERM, "STOPPING=1"},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        bool ticks = strcmp(steps[i].expect, "WATCHDOG=1") == 0;
        if (steps[i].send)
            kill(run.pid, steps[i].send);
        do {
            ssize_t n = recv(fd, text, sizeof text - 1, 0);
            text[n > 0 ? n : 0] = '\0';
        } while (!ticks && strcmp(text, "WATCHDOG=1") == 0);
        assert_string_equal(text, steps[i].expect);
    }
    assert_int_equal(sample_wait(&run), 0);
    close(fd);
}

// A configuration whose control socket lies in the test's folder; returns the configuration's path.
static const char *with_socket(const char *own)
{
    static char path[160];
    char text[400];
    snprintf(text, sizeof text, "site: {run_directory: %s/run}\nsensor: {%s}\n", run.folder, own);
    snprintf(path, sizeof path, "%s", sample_file(&run, "p.yaml", text));
    return path;
}

// The answer to `command` with one argument; NULL with `error`.
static json_t *ask(const char *socket, const char *command, const char *key, const char *value,
                   char error[static 400])
{
    char path[160];
    json_t *result = NULL, *request = json_pack("{s:s, s:s}", "command", command, key, value);
    snprintf(path, sizeof path, "%s/run/%s.sock", run.folder, socket);
    int rc = control_ask(path, request, 5000, &result, error);
    json_decref(request);
    assert_int_equal(rc == 0, result != NULL);
    return result;
}

static void expect_text(json_t *j, const char *key, const char *want)
{
    assert_string_equal(json_string_value(key[0] ? json_object_get(j, key) : j), want);
    json_decref(j);
}

static void answers_on_its_socket(void **state)
{
    (void)state;
    char error[400], folder[96];
    sample_start(&run,
                 (const char *[]){"-c", with_socket("flows: 16"), "--instance", "eth1", NULL});
    assert_true(sample_await(&run, "out", "start loop=1 flows=16\n"));
    json_t *j = ask("postern-sample@eth1", "status", "a", "b", error);
    const json_t *counters = json_object_get(j, "counters");
    assert_int_equal(json_integer_value(json_object_get(counters, "flows")), 16);
    assert_int_equal(json_integer_value(json_object_get(j, "pid")), run.pid);
    assert_string_equal(json_string_value(json_object_get(j, "state")), "degraded");
    assert_string_equal(json_string_value(json_object_get(j, "instance")), "eth1");
    assert_int_equal(strlen(json_string_value(json_object_get(j, "since"))), 24);
    assert_true(json_is_object(json_object_get(j, "rates")));
    expect_text(j, "program", "postern-sample");
    expect_text(ask("postern-sample@eth1", "lookup", "address", "here", error), "", "here");
    assert_null(ask("postern-sample@eth1", "dance", "a", "b", error));
    assert_string_equal(error, "no dance here");

    assert_null(ask("postern-sample@eth1", "loglevel", "level", "loud", error));
    assert_non_null(strstr(error, "use error, warning, info or debug"));
    expect_text(ask("postern-sample@eth1", "loglevel", "level", "warning", error), "level",
                "warning");
    expect_text(ask("postern-sample@eth1", "loglevel", "a", "b", error), "level", "warning");

    with_socket("flows: 17");
    j = ask("postern-sample@eth1", "reload", "a", "b", error);
    assert_non_null(j);
    json_decref(j);
    assert_true(sample_await(&run, "out", "reload 16 -> 17"));
    with_socket("flows: 5");
    assert_null(ask("postern-sample@eth1", "reload", "a", "b", error));
    assert_non_null(strstr(error, "sensor.flows: \"5\" is below 16"));
    assert_non_null(strstr(error, "the old one stays in force"));

    kill(run.pid, SIGTERM);
    assert_int_equal(sample_wait(&run), 0);
    snprintf(folder, sizeof folder, "%s/run", run.folder);
    assert_int_equal(rmdir(folder), 0); // the socket is gone
}

static void without_a_socket_it_goes_on(void **state)
{
    (void)state;
    char path[160];
    snprintf(path, sizeof path, "%s",
             sample_file(&run, "p.yaml", "site: {run_directory: /proc/none}\n"));
    sample_start(&run, (const char *[]){"-c", path, NULL});
    assert_true(sample_await(&run, "out", "start loop=1"));
    const char *warning = strstr(sample_text(&run, "err"), "no control socket at /proc/none/");
    assert_non_null(warning);
    assert_non_null(strstr(warning, "going on without it: as root: install -d -m 750"));
    kill(run.pid, SIGUSR1);
    assert_true(sample_await(&run, "out", "status flows=64"));
    kill(run.pid, SIGTERM);
    assert_int_equal(sample_wait(&run), 0);
    assert_int_equal(sample_run(&run, (const char *[]){"--instance", "a/b", NULL}), EX_USAGE);
    assert_non_null(strstr(sample_text(&run, "err"), "a name is letters, digits"));
}

static void rights_are_dropped(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("not root: the change of user is not tested\n");
        skip();
    }
    char path[160];
    snprintf(path, sizeof path, "%s", sample_file(&run, "p.yaml", "site: {user: nobody}\n"));
    assert_int_equal(sample_run(&run, (const char *[]){"-c", path, "--rights", NULL}), 0);
    static const char *const lines[] = {
        "\nUid:\t65534\t65534\t65534\t65534\n",
        "\nGid:\t65534\t65534\t65534\t65534\n",
        "\nGroups:\t65534 \n",
        "\nCapInh:\t0000000000000000\n",
        "\nCapPrm:\t0000000000000000\n",
        "\nCapEff:\t0000000000000000\n",
        "\nCapBnd:\t0000000000000000\n",
        "\nCapAmb:\t0000000000000000\n",
        "\nNoNewPrivs:\t1\n",
    };
    const char *text = sample_text(&run, "out");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (!strstr(text, lines[i]))
            fail_msg("not in:\n%s%s", text, lines[i]);
    }
    assert_null(strstr(sample_text(&run, "err"), "running as root"));
}

// A capability that the program declares outlives the user; the others do not.
static void a_capability_is_kept(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("not root: there are no capabilities to keep\n");
        skip();
    }
    char path[160];
    snprintf(path, sizeof path, "%s", sample_file(&run, "p.yaml", "site: {user: nobody}\n"));
    assert_int_equal(sample_run(&run, (const char *[]){"-c", path, "--rights", "--keep", NULL}), 0);
    static const char *const lines[] = {
        "\nUid:\t65534\t65534\t65534\t65534\n", "\nCapInh:\t0000000000000000\n",
        "\nCapPrm:\t0000000000002000\n",        "\nCapEff:\t0000000000002000\n",
        "\nCapBnd:\t0000000000002000\n",        "\nCapAmb:\t0000000000000000\n",
    };
    const char *text = sample_text(&run, "out");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (!strstr(text, lines[i]))
            fail_msg("not in:\n%s%s", text, lines[i]);
    }
}

static void it_shuts_itself_in(void **state)
{
    (void)state;
#ifdef POSTERN_COVERAGE
    print_message("skipped: the sandbox of a build with counters is open\n");
    skip();
#endif
    assert_int_equal(sample_run(&run, (const char *[]){"--try", NULL}), 0);
    // The kernel may lack one of the two; what it has is closed, and the rest is said.
    bool whole = strstr(sample_text(&run, "err"), "the sandbox is not whole") == NULL;
    const char *out = sample_text(&run, "out");
    if (whole)
        assert_non_null(strstr(out, "open Permission denied\n"
                                    "socket Operation not permitted\n"
                                    "exec Operation not permitted\n"));
    else
        assert_null(strstr(out, "open done\nsocket done\n"));

    char path[160];
    snprintf(path, sizeof path, "%s", sample_file(&run, "p.yaml", "site: {sandbox: off}\n"));
    assert_int_equal(sample_run(&run, (const char *[]){"-c", path, "--try", NULL}), 0);
    assert_non_null(strstr(sample_text(&run, "out"), "open done\nsocket done\n"));
    assert_non_null(strstr(sample_text(&run, "err"), "site.sandbox is off"));
}

static void users_that_do_not_do(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"site: {user: postern-nobody-has-this}\n", "there is no user \"postern-nobody-has-this\""},
        {"site: {user: root}\n", "\"root\" is root; name an ordinary user"},
    };
    if (geteuid() != 0) {
        print_message("not root: site.user is not looked at\n");
        skip();
    }
    for (size_t i = 0; i < 2; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s", sample_file(&run, "p.yaml", cases[i].text));
        assert_int_equal(sample_run(&run, (const char *[]){"-c", path, NULL}), EX_CONFIG);
        assert_non_null(strstr(sample_text(&run, "err"), cases[i].error));
        assert_string_equal(sample_text(&run, "out"), "open loop=0\n");
    }
}

static void without_a_user_new_privileges_are_off(void **state)
{
    (void)state;
    assert_int_equal(sample_run(&run, (const char *[]){"--rights", NULL}), 0);
    assert_non_null(strstr(sample_text(&run, "out"), "\nNoNewPrivs:\t1\n"));
    bool warned = strstr(sample_text(&run, "err"), "running as root; set site.user") != NULL;
    assert_int_equal(warned, geteuid() == 0);
}

int main(int argc, char **argv)
{
    if (getenv("POSTERN_TEST_DAEMON"))
        return daemon_main(argc, argv, &sample_spec);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(check_prints_what_loads_again, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_configuration, setup, teardown),
        cmocka_unit_test_setup_teardown(a_job_from_file_to_file, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_end_with_their_code, setup, teardown),
        cmocka_unit_test_setup_teardown(serves_until_it_is_told_to_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(reload, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_reload_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_service_manager_hears, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_on_its_socket, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_socket_it_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(rights_are_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_capability_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(it_shuts_itself_in, setup, teardown),
        cmocka_unit_test_setup_teardown(users_that_do_not_do, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_user_new_privileges_are_off, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
