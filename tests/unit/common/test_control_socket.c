// A control socket served by a child: questions, what is said when nobody answers, hostile clients.
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/control_socket.h"
#include "common/log.h"

static char folder[] = "/tmp/postern-socket-XXXXXX";
static char path[96];
static pid_t server;

static json_t *say(void *ctx, const char *command, const json_t *request, int64_t now_ms,
                   struct control_error *error)
{
    (void)ctx;
    (void)now_ms;
    if (strcmp(command, "status") == 0)
        return json_pack("{s:i}", "pid", (int)getpid());
    if (strcmp(command, "reload") == 0)
        return json_incref(json_object_get(request, "text"));
    error->code = "failed";
    snprintf(error->text, sizeof error->text, "no %s here", command);
    snprintf(error->fix, sizeof error->fix, "leave it");
    return NULL;
}

static void end(struct loop *l, int signo, int64_t now_ms, void *ctx)
{
    (void)signo;
    (void)now_ms;
    (void)ctx;
    loop_stop(l, 0);
}

static int serve(int tell)
{
    struct control_server *s = NULL;
    struct loop *l = loop_new();
    log_open("test");
    int rc = l ? loop_signal(l, SIGTERM, end, NULL) : -ENOMEM;
    if (rc == 0)
        rc = control_server_open(l, path, say, NULL, &s);
    if (write(tell, &rc, sizeof rc) != sizeof rc)
        return 1;
    close(tell);
    if (rc == 0)
        loop_run(l);
    control_server_close(s);
    loop_free(l);
    return 0;
}

// Starts a server; what its opening returned.
static int start(pid_t *pid)
{
    int tell[2], rc = 1;
    assert_int_equal(pipe(tell), 0);
    *pid = fork();
    if (*pid == 0) {
        char log[128];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(log, sizeof log, "%s/log", folder);
        if (!freopen(log, "a", stderr))
            _exit(1);
        close(tell[0]);
        _exit(serve(tell[1]));
    }
    close(tell[1]);
    assert_int_equal(read(tell[0], &rc, sizeof rc), sizeof rc);
    close(tell[0]);
    return rc;
}

static void stop(pid_t pid, int signo)
{
    kill(pid, signo);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int setup(void **state)
{
    (void)state;
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    if (!mkdtemp(folder) || control_socket_path(folder, "test", path, sizeof path) != 0)
        return -1;
    return start(&server);
}

static int teardown(void **state)
{
    (void)state;
    char log[128];
    stop(server, SIGTERM);
    snprintf(log, sizeof log, "%s/log", folder);
    unlink(log);
    return rmdir(folder); // fails when the socket was left behind
}

// The result, or NULL with `*rc` and `error`.
static json_t *ask(const char *command, int *rc, char error[static 400])
{
    json_t *result = NULL, *request = json_pack("{s:s, s:s}", "command", command, "text", "here");
    *rc = control_ask(path, request, 5000, &result, error);
    json_decref(request);
    return result;
}

static void expect_alive(void)
{
    char error[400];
    int rc;
    json_t *j = ask("status", &rc, error);
    assert_int_equal(rc, 0);
    assert_int_equal(json_integer_value(json_object_get(j, "pid")), server);
    json_decref(j);
}

static void asks(void **state)
{
    (void)state;
    char error[400];
    struct stat st;
    int rc;
    expect_alive();
    json_t *j = ask("reload", &rc, error);
    assert_string_equal(json_string_value(j), "here");
    json_decref(j);
    assert_null(ask("enroll", &rc, error));
    assert_int_equal(rc, -EPROTO);
    assert_string_equal(error, "no enroll here; leave it");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0600);

    // The changing command and who asked stand in the log; looking does not.
    char log[128], text[1024] = "", want[64];
    snprintf(log, sizeof log, "%s/log", folder);
    FILE *in = fopen(log, "r");
    assert_non_null(in);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    snprintf(want, sizeof want, "control: reload, asked by uid %ld, pid %ld\n", (long)getuid(),
             (long)getpid());
    assert_non_null(strstr(text, want));
    assert_null(strstr(text, "status"));
}

static void paths(void **state)
{
    (void)state;
    char out[300], longest[120];
    assert_int_equal(control_socket_path("/run/postern", "postern-web", out, sizeof out), 0);
    assert_string_equal(out, "/run/postern/postern-web.sock");
    assert_int_equal(control_socket_path("/run", "x", out, 5), -ENAMETOOLONG);
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(control_socket_path(longest, "x", out, sizeof out), -ENAMETOOLONG);
}

static void nobody_there(void **state)
{
    (void)state;
    char error[400], before[sizeof path];
    int rc;
    memcpy(before, path, sizeof path);
    snprintf(path, sizeof path, "%s/none.sock", folder);
    assert_null(ask("status", &rc, error));
    assert_int_equal(rc, -ENOENT);
    assert_non_null(strstr(error, "the program does not run"));
    snprintf(path, sizeof path, "%s/postern-sensor@edge.sock", folder);
    assert_null(ask("status", &rc, error));
    assert_int_equal(rc, -ENOENT);
    assert_non_null(
        strstr(error, "postern-sensor@edge does not run (systemctl start postern-sensor@edge)"));
    memcpy(path, before, sizeof path);

    stop(server, SIGKILL); // leaves its socket
    assert_null(ask("status", &rc, error));
    assert_int_equal(rc, -ECONNREFUSED);
    assert_non_null(strstr(error, "has died"));
    assert_int_equal(start(&server), 0); // a dead socket is replaced
    expect_alive();

    pid_t second;
    assert_int_equal(start(&second), -EADDRINUSE);
    waitpid(second, NULL, 0);
    expect_alive(); // whose socket was not removed
}

static void what_is_no_socket_stays(void **state)
{
    (void)state;
    struct stat st;
    stop(server, SIGTERM);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fclose(out);
    pid_t other;
    assert_int_equal(start(&other), -EEXIST);
    waitpid(other, NULL, 0);
    assert_int_equal(stat(path, &st), 0);
    unlink(path);
    assert_int_equal(start(&server), 0);
}

static int client(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 10},
               sizeof(struct timeval));
    return fd;
}

static void hold_a_stopped_server(void **state)
{
    (void)state;
    char error[400];
    kill(server, SIGSTOP);
    json_t *result = NULL, *request = json_pack("{s:s}", "command", "status");
    assert_int_equal(control_ask(path, request, 100, &result, error), -ETIMEDOUT);
    assert_non_null(strstr(error, "no answer in time"));
    json_decref(request);
    kill(server, SIGCONT);
    expect_alive();
}

// Half a line each, from more clients than there are places: the newest are served.
static void many_half_lines(void **state)
{
    (void)state;
    int fd[3 * CONTROL_CLIENTS_MAX];
    for (size_t i = 0; i < 3 * CONTROL_CLIENTS_MAX; i++) {
        fd[i] = client();
        assert_int_equal(write(fd[i], "{\"v\":1,", 7), 7);
    }
    expect_alive();
    char byte;
    assert_int_equal(read(fd[0], &byte, 1), 0); // the oldest was sent away
    int last = fd[3 * CONTROL_CLIENTS_MAX - 1];
    static const char rest[] = "\"command\":\"status\"}\n";
    assert_int_equal(write(last, rest, sizeof rest - 1), sizeof rest - 1);
    assert_int_equal(read(last, &byte, 1), 1);
    assert_int_equal(byte, '{');
    for (size_t i = 0; i < 3 * CONTROL_CLIENTS_MAX; i++)
        close(fd[i]);
    expect_alive();
}

// Sends requests for as long as the server takes any, reads nothing: others are answered all the while.
static void who_never_reads(void **state)
{
    (void)state;
    static const char line[] = "{\"v\":1,\"command\":\"status\"}\n";
    int fd = client();
    size_t took = 0;
    for (int quiet = 0; quiet < 3;) {
        ssize_t n = send(fd, line, sizeof line - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            took += (size_t)n;
            assert_true(took < 16 << 20);
        } else {
            quiet++;
            expect_alive();
        }
    }
    close(fd);
    expect_alive();
}

static void ends_in_the_midst(void **state)
{
    (void)state;
    static const char line[] = "{\"v\":1,\"command\":\"status\"}\n{\"v\":1,\"command\":\"status\"}";
    char text[512] = "";
    int fd = client();
    assert_int_equal(write(fd, line, sizeof line - 1), sizeof line - 1);
    shutdown(fd, SHUT_WR);
    size_t len = 0;
    for (ssize_t n; (n = read(fd, text + len, sizeof text - 1 - len)) > 0;)
        len += (size_t)n;
    // The whole line was answered, the half one was none.
    assert_int_equal(strchr(text, '\n') - text, len - 1);
    close(fd);
    fd = client();
    assert_int_equal(write(fd, line, sizeof line - 1), sizeof line - 1);
    close(fd); // before the answer
    expect_alive();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(asks, setup, teardown),
        cmocka_unit_test(paths),
        cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_socket_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(hold_a_stopped_server, setup, teardown),
        cmocka_unit_test_setup_teardown(many_half_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(who_never_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_in_the_midst, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
