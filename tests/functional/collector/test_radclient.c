// FreeRADIUS's radclient sends accounting to the collector's lease sources over loopback: sessions, a wrong
// secret, a disk that is full for a while, a restart.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lease_sources.h"

#define SECRET "loopback s3cret"

struct site {
    char dir[64], history[96], listen[32];
    struct collector_conf conf;
    struct lease_sources *sources;
    struct loop *loop;
    pid_t child;
    int status;
};

// ---- The collector's side

static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static void write_file(const struct site *s, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", s->dir, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    chmod(path, 0600);
}

static void start(struct site *s)
{
    assert_int_equal(lease_sources_open(&s->conf, NULL, stderr, &s->sources), 0);
    assert_int_equal(lease_sources_listen(s->sources, stderr), 0);
    s->loop = loop_new();
    assert_int_equal(lease_sources_start(s->sources, s->loop), 0);
}

static void stop(struct site *s)
{
    lease_sources_close(s->sources);
    loop_free(s->loop);
}

static int setup(void **state)
{
    struct site *s = calloc(1, sizeof *s);
    char text[1024];
    snprintf(s->dir, sizeof s->dir, "/tmp/test_radclient.XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->history, sizeof s->history, "%s/leases.csv", s->dir);
    snprintf(s->listen, sizeof s->listen, "127.0.0.1:%u", free_port());
    write_file(s, "secret", SECRET "\n");
    snprintf(text, sizeof text,
             "collector:\n  lease_history: leases.csv\n  lease_sources:\n"
             "    - {kind: radius, listen: \"%s\", clients: [127.0.0.0/8], secret_file: secret,\n"
             "       pop: north, class: residential}\n",
             s->listen);
    struct conf_section section = {"collector", collector_conf_keys, &s->conf};
    assert_int_equal(conf_load_text("test.yaml", s->dir, text, strlen(text), &section, 1, stderr),
                     0);
    start(s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"leases.csv", "leases.csv.new", "secret", "packets"};
    struct site *s = *state;
    stop(s);
    for (size_t i = 0; i < 4; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", s->dir, names[i]);
        unlink(path);
    }
    rmdir(s->dir);
    conf_free(collector_conf_keys, &s->conf);
    free(s);
    return 0;
}

// ---- radclient

static void look_for_child(struct loop *l, int64_t now_ms, void *ctx)
{
    struct site *s = ctx;
    (void)now_ms;
    if (waitpid(s->child, &s->status, WNOHANG) == s->child)
        loop_stop(l, 0);
}

// Sends what is in the file `packets` (blank lines between packets) and waits; the exit status is 0 when all
// were answered.
static int send_file(struct site *s, const char *secret)
{
    char path[128];
    snprintf(path, sizeof path, "%s/packets", s->dir);
    s->child = fork();
    assert_int_not_equal(s->child, -1);
    if (s->child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execl(RADCLIENT, "radclient", "-f", path, "-r", "1", "-t", "1", s->listen, "acct", secret,
              (char *)NULL);
        _exit(127);
    }
    int timer = loop_every(s->loop, 10, look_for_child, s);
    loop_run(s->loop);
    loop_cancel(s->loop, timer);
    assert_true(WIFEXITED(s->status));
    assert_int_not_equal(WEXITSTATUS(s->status), 127);
    return WEXITSTATUS(s->status);
}

static int radclient(struct site *s, const char *secret, const char *packets)
{
    write_file(s, "packets", packets);
    return send_file(s, secret);
}

static const char *who(struct site *s, const char *addr, int64_t ago_ms)
{
    static char text[PARTY_TEXT_MAX];
    struct realm realm = {0};
    struct ip_prefix p;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t t_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - ago_ms;
    assert_int_equal(prefix_parse(addr, &p), 0);
    struct leases *l = lease_sources_leases(s->sources);
    struct lease_answer a = leases_find(l, &realm, &p.addr, 0, t_ms);
    struct subscriber_key key = subscriber_key_of(&realm, &p);
    struct identity id = leases_identity(l, &a, &key);
    return party_format(&id.party, text);
}

// An hour old, so that what is asked about lies far from the change.
#define SESSION(status, id, user, addr, delay)                                               \
    "Acct-Status-Type = " status ", Acct-Session-Id = \"" id "\", User-Name = \"" user       \
    "\", NAS-Identifier = \"bng-1\", Framed-IP-Address = " addr ", Acct-Delay-Time = " delay \
    ", Calling-Station-Id = \"02:00:5e:10:00:01\""

static void sessions(void **state)
{
    struct site *s = *state;
    assert_int_equal(
        radclient(
            s, SECRET,
            SESSION("Start", "a1", "anna", "10.0.0.1",
                    "3600") ", Delegated-IPv6-Prefix = "
                            "2001:db8:1::/56\n\n" SESSION(
                                "Start", "b1", "bert@example", "10.0.0.2",
                                "3600") ", Framed-IPv6-Prefix = "
                                        "2001:db8:2::/"
                                        "64\n\n" SESSION(
                                            "Interi"
                                            "m-"
                                            "Updat"
                                            "e",
                                            "a1", "anna",
                                            "10.0."
                                            "0.1",
                                            "1800") "\n\n" SESSION("Stop", "b1", "bert@example",
                                                                   "10.0.0.2",
                                                                   "600") ", Acct-Session-Time = "
                                                                          "3000\n\n"),
        0);
    assert_string_equal(who(s, "10.0.0.1", 60000), "line:anna");
    assert_string_equal(who(s, "2001:db8:1:2::3", 60000), "line:anna");
    assert_string_equal(who(s, "10.0.0.2", 1200000), "line:bert@example");
    assert_string_equal(who(s, "2001:db8:2::3", 1200000), "line:bert@example");
    assert_string_equal(who(s, "10.0.0.2", 60000), "provisional:10.0.0.2");
    // A restart knows it all from the history.
    stop(s);
    start(s);
    assert_string_equal(who(s, "10.0.0.1", 60000), "line:anna");
    assert_string_equal(who(s, "10.0.0.2", 1200000), "line:bert@example");
    assert_string_equal(who(s, "10.0.0.2", 60000), "provisional:10.0.0.2");
    // The session goes on behind it: its stop names no address.
    assert_int_equal(
        radclient(s, SECRET,
                  "Acct-Status-Type = Stop, Acct-Session-Id = \"a1\", NAS-Identifier = "
                  "\"bng-1\", Acct-Delay-Time = 300\n"),
        0);
    assert_string_equal(who(s, "10.0.0.1", 60000), "provisional:10.0.0.1");
    assert_string_equal(who(s, "2001:db8:1:2::3", 400000), "line:anna");
    // The router restarts.
    assert_int_equal(radclient(s, SECRET, SESSION("Start", "c1", "carl", "10.0.0.3", "3600") "\n"),
                     0);
    assert_string_equal(who(s, "10.0.0.3", 60000), "line:carl");
    assert_int_equal(radclient(s, SECRET,
                               "Acct-Status-Type = Accounting-On, NAS-Identifier = \"bng-1\", "
                               "Acct-Delay-Time = 300\n"),
                     0);
    assert_string_equal(who(s, "10.0.0.3", 60000), "provisional:10.0.0.3");
}

static int64_t counter(struct site *s, const char *name)
{
    struct control_status *status = control_status_new("test");
    lease_sources_status(s->sources, status);
    json_t *json = control_status_json(status);
    json_int_t n = json_integer_value(json_object_get(json_object_get(json, "counters"), name));
    json_decref(json);
    control_status_free(status);
    return n;
}

static void a_wrong_secret(void **state)
{
    struct site *s = *state;
    assert_int_not_equal(
        radclient(s, "guessed", SESSION("Start", "m", "mallory", "10.0.0.1", "3600") "\n"), 0);
    assert_string_equal(who(s, "10.0.0.1", 60000), "provisional:10.0.0.1");
    assert_true(counter(s, "radius_refused_wrong_secret") >= 1);
    assert_int_equal(counter(s, "radius_taken"), 0);
}

// What cannot be kept is not answered; the client sends it again, and then it is.
static void a_full_disk(void **state)
{
    struct site *s = *state;
    struct stat st;
    struct rlimit before, full;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    assert_int_equal(sigaction(SIGXFSZ, &ignore, NULL), 0);
    assert_int_equal(stat(s->history, &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    full = before;
    full.rlim_cur = (rlim_t)st.st_size + 10; // less than a line
    static const char packets[] = SESSION("Start", "a1", "anna", "10.0.0.1", "3600") "\n";
    struct leases *l = lease_sources_leases(s->sources);
    write_file(s, "packets", packets);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    int rc = send_file(s, SECRET);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_not_equal(rc, 0);
    assert_true(counter(s, "radius_refused_not_kept") >= 1);
    assert_int_equal(radclient(s, SECRET, packets), 0);
    assert_int_equal(leases_count(l), 1);
    assert_string_equal(who(s, "10.0.0.1", 60000), "line:anna");
    assert_int_equal(stat(s->history, &st), 0);
    assert_true((rlim_t)st.st_size > full.rlim_cur);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(sessions), TEST(a_wrong_secret), TEST(a_full_disk)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
