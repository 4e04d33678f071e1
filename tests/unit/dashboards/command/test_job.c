// Children: their ends are told apart, they cannot reach a network, and the order of captures is
// asked of one.
#include "command/job.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "command/capture_order.h"
#include "command/state_dir.h"

static char self[4096];

static int run(const char *word, bool sandboxed, struct job_result *result)
{
    char *argv[] = {self, (char *)word, NULL};
    const struct job job = {.label = "child", .argv = argv, .sandboxed = sandboxed};
    return job_run(&job, result);
}

// What this program does when it is its own child.
static int child(const char *word)
{
    struct rlimit core;
    if (strcmp(word, "three") == 0)
        return 3;
    if (strcmp(word, "crash") == 0)
        return kill(getpid(), SIGKILL);
    if (strcmp(word, "stop-parent") == 0) {
        kill(getppid(), SIGTERM);
        pause();
        return 0;
    }
    if (strcmp(word, "network") == 0) {
        bool inet = socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EACCES;
        bool inet6 = socket(AF_INET6, SOCK_DGRAM, 0) >= 0 || errno != EACCES;
        bool packet = socket(AF_PACKET, SOCK_RAW, 0) >= 0 || errno != EACCES;
        bool local = socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
        return inet << 3 | inet6 << 2 | packet << 1 | !local;
    }
    if (strcmp(word, "limits") == 0)
        return getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max != 0;
    if (strcmp(word, "stdin") == 0)
        return getchar() == EOF ? 0 : 1;
    return 99;
}

static void test_ends(void **state)
{
    (void)state;
    struct job_result result;
    assert_int_equal(run("three", false, &result), 0);
    assert_int_equal(result.status, 3);
    assert_int_equal(result.signal, 0);
    assert_int_equal(run("crash", false, &result), 0);
    assert_int_equal(result.signal, SIGKILL);
    assert_int_equal(run("stdin", false, &result), 0);
    assert_int_equal(result.status, 0);
}

static void test_no_such_program(void **state)
{
    (void)state;
    char *argv[] = {"/nonexistent/program", NULL};
    const struct job job = {.label = "none", .argv = argv};
    struct job_result result;
    assert_int_equal(job_run(&job, &result), -ENOENT);
}

static void test_sandbox(void **state)
{
    (void)state;
    struct job_result result;
    assert_int_equal(run("network", true, &result), 0);
    assert_int_equal(result.status, 0);
    assert_int_equal(run("limits", true, &result), 0);
    assert_int_equal(result.status, 0);
    // Outside of the sandbox the same child has its sockets: the test can fail.
    assert_int_equal(run("network", false, &result), 0);
    assert_true(result.status & 8);
}

// Being stopped ends the child first, then the wait, and is told.
static void test_stop(void **state)
{
    (void)state;
    struct job_result result;
    assert_int_equal(run("stop-parent", false, &result), 0);
    assert_int_equal(result.stopped, SIGTERM);
}

static void test_find_program(void **state)
{
    (void)state;
    char found[4096];
    const char *name = strrchr(self, '/') + 1;
    assert_int_equal(job_find_program(name, found, sizeof found), 0);
    assert_string_equal(found, self);
    assert_int_equal(job_find_program("sh", found, sizeof found), 0);
    assert_int_equal(job_find_program("postern-of-no-such-name", found, sizeof found), -ENOENT);
}

static void write_capture(const char *folder, const char *name, const char *hex_time)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    static const uint8_t header[24] = {0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4};
    assert_int_equal(fwrite(header, sizeof header, 1, f), 1);
    for (size_t i = 0; i < 4; i++)
        fputc(hex_time[i], f);
    for (size_t i = 0; i < 12; i++)
        fputc(0, f);
    fclose(f);
}

static void test_order(void **state)
{
    (void)state;
    struct state_dir d;
    char name[4][512];
    char *paths[4];
    static const char *const names[] = {"third", "none", "first", "second"};
    assert_int_equal(state_dir_open(&d, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        snprintf(name[i], sizeof name[i], "%s/%s", d.path, names[i]);
        paths[i] = name[i];
    }
    write_capture(d.path, "third", "3333");
    write_capture(d.path, "first", "1111");
    write_capture(d.path, "second", "2222");
    assert_int_equal(capture_order(paths, 4), 0);
    assert_ptr_equal(paths[0], name[2]);
    assert_ptr_equal(paths[1], name[3]);
    assert_ptr_equal(paths[2], name[0]);
    assert_ptr_equal(paths[3], name[1]); // the one that is not there
    state_dir_close(&d);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return child(argv[1]);
    if (!realpath("/proc/self/exe", self))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),    cmocka_unit_test(test_no_such_program),
        cmocka_unit_test(test_sandbox), cmocka_unit_test(test_stop),
        cmocka_unit_test(test_order),   cmocka_unit_test(test_find_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
