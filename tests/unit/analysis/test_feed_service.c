// postern-feed as a service: it waits for analysis, turns verdicts into tickets as they come, takes new rules on a
// signal, refuses what only a restart can change, and goes on where it stood after a stop and after a kill.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/control_socket.h"
#include "common/loop.h"
#include "feed_bench.h"
#include "folder.h"

#define WAIT_MS 50
#define WAITS   600 // thirty seconds

static pid_t service; // 0: none runs

static int leave(void **state)
{
    if (service > 0) { // a check failed while it ran
        kill(service, SIGKILL);
        waitpid(service, NULL, 0);
        service = 0;
    }
    return folder_leave(state);
}

static void write_config(const char *output, const char *score)
{
    FILE *f = fopen("postern.yaml", "w");
    fprintf(f,
            "site:\n  run_directory: %s\nfeed:\n  verdicts: %s/verdicts.jsonl\n  database: "
            "%s/t.db\n  output: %s/%s\n  poll: 100ms\n  confirm_score: %s\n",
            folder, folder, folder, folder, output, score);
    assert_int_equal(fclose(f), 0);
}

static pid_t start(void)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("said", O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        execl(FEED, FEED, "-c", "postern.yaml", (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    service = pid;
    return pid;
}

static void end(pid_t pid, int signal, bool cleanly)
{
    int status;
    assert_int_equal(kill(pid, signal), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    service = 0;
    assert_int_equal(cleanly, WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

// A verdict, behind those that are there.
static void append(const struct verdict *v)
{
    FILE *f = fopen("verdicts.jsonl", "a");
    json_t *j = verdict_to_json(v);
    assert_non_null(f);
    assert_int_equal(json_write_line(f, j), 0);
    json_decref(j);
    assert_int_equal(fclose(f), 0);
}

static void say(unsigned line, int64_t after_ms)
{
    struct verdict v = make_verdict(VERDICT_OPENED, line, after_ms);
    append(&v);
}

static void say_stolen(enum verdict_event event, const char *mailbox, int64_t t_ms)
{
    struct verdict v = make_verdict(event, 1, t_ms - T0);
    v.class_ = VERDICT_COMPROMISED_ACCOUNT;
    v.evidence_count = 1;
    v.first_ms = t_ms;
    assert_int_equal(party_parse(mailbox, &v.party), 0);
    append(&v);
}

// How often the text stands in the file.
static unsigned count(const char *path, const char *words)
{
    static char line[65536];
    unsigned n = 0;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        n += strstr(line, words) != NULL;
    if (f)
        fclose(f);
    return n;
}

static void await(const char *path, const char *words, unsigned times)
{
    for (int i = 0; i < WAITS; i++) {
        if (count(path, words) >= times)
            return;
        usleep(WAIT_MS * 1000);
    }
    fail_msg("%s: \"%s\" stands there %u times, %u awaited", path, words, count(path, words),
             times);
}

// The service's own word, once it answers.
static json_t *ask_status(void)
{
    char path[128], error[400];
    json_t *answer = NULL;
    assert_int_equal(control_socket_path(folder, "postern-feed", path, sizeof path), 0);
    for (int i = 0; i < WAITS; i++) {
        json_t *q = json_pack("{s:i, s:s}", "v", 1, "command", "status");
        int rc = control_ask(path, q, 2000, &answer, error);
        json_decref(q);
        if (rc == 0)
            return answer;
        usleep(WAIT_MS * 1000);
    }
    fail_msg("status: %s", error);
    return NULL;
}

static void verdicts_become_tickets(void **state)
{
    (void)state;
    write_config("tickets.jsonl", "0.999");
    // There is no verdict yet, nor a file of them: it waits and answers.
    pid_t pid = start();
    json_decref(ask_status());
    assert_int_equal(access("tickets.jsonl", F_OK), -1);
    say(7, 0);
    await("tickets.jsonl", "\"line:7\"", 1);
    // Another, while it runs.
    say(8, HOUR_MS);
    await("tickets.jsonl", "\"line:8\"", 1);
    end(pid, SIGTERM, true);
    unsigned seven = count("tickets.jsonl", "\"line:7\"");
    // Killed in the middle of its work, and behind it: nothing is lost, nothing said twice.
    pid = start();
    for (unsigned line = 100; line < 160; line++)
        say(line, 2 * HOUR_MS + line);
    await("tickets.jsonl", "\"line:100\"", 1);
    end(pid, SIGKILL, false);
    pid = start();
    await("tickets.jsonl", "\"line:159\"", 1);
    end(pid, SIGKILL, false);
    pid = start();
    say(9, 3 * HOUR_MS);
    await("tickets.jsonl", "\"line:9\"", 1);
    end(pid, SIGTERM, true);
    assert_int_equal(count("tickets.jsonl", "\"line:7\""), seven);
    for (unsigned line = 100; line < 160; line++) {
        char words[32];
        snprintf(words, sizeof words, "\"line:%u\"", line);
        assert_int_equal(count("tickets.jsonl", words), seven);
    }
}

static void rules_change_while_it_runs(void **state)
{
    (void)state;
    write_config("tickets.jsonl", "0.99999");
    pid_t pid = start();
    say(7, 0);
    await("tickets.jsonl", "\"line:7\"", 1);
    // Too little is known for more than suspicion.
    assert_int_equal(count("tickets.jsonl", "\"confirmed\""), 0);
    write_config("tickets.jsonl", "0.99");
    assert_int_equal(kill(pid, SIGHUP), 0);
    await("said", "reload", 1);
    say(8, HOUR_MS);
    await("tickets.jsonl", "\"line:8\"", 1);
    assert_true(count("tickets.jsonl", "\"confirmed\"") > 0);
    // Another file takes a restart: said, and it goes on as before.
    write_config("elsewhere.jsonl", "0.99");
    assert_int_equal(kill(pid, SIGHUP), 0);
    await("said", "with a restart only", 1);
    say(9, 2 * HOUR_MS);
    await("tickets.jsonl", "\"line:9\"", 1);
    assert_int_equal(access("elsewhere.jsonl", F_OK), -1);
    end(pid, SIGTERM, true);
}

// The thief has stopped before the half hour was over: the clock locks, over a stop, and not before all that was
// said is read.
static void clock_confirms(void **state)
{
    (void)state;
    int64_t now_ms = loop_clock_ms();
    write_config("tickets.jsonl", "0.999");
    // While the feed was away one was opened and taken back, hours ago; too many for one batch lie between.
    say_stolen(VERDICT_OPENED, "mailbox:1:000000000000000a", now_ms - 3 * HOUR_MS);
    for (unsigned line = 1000; line < 1300; line++)
        say(line, now_ms - 3 * HOUR_MS - T0);
    say_stolen(VERDICT_CLOSED, "mailbox:1:000000000000000a", now_ms - 3 * HOUR_MS + MINUTE_MS);
    say_stolen(VERDICT_OPENED, "mailbox:1:000000000000000b", now_ms - 30 * MINUTE_MS + 12000);
    pid_t pid = start();
    await("tickets.jsonl", "\"mailbox:1:000000000000000b\"", 1);
    end(pid, SIGTERM, true);
    assert_int_equal(count("tickets.jsonl", "lock-mailbox"), 0);
    pid = start();
    await("tickets.jsonl", "lock-mailbox", 1);
    end(pid, SIGTERM, true);
    assert_int_equal(count("tickets.jsonl", "\"mailbox:1:000000000000000a\""), 2);
    assert_int_equal(count("tickets.jsonl", "\"mailbox:1:000000000000000b\""), 2);
    assert_int_equal(count("tickets.jsonl", "lock-mailbox"), 1);
}

int main(void)
{
#define SERVICE_TEST(f) cmocka_unit_test_setup_teardown(f, folder_enter, leave)
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(verdicts_become_tickets),
        SERVICE_TEST(rules_change_while_it_runs),
        SERVICE_TEST(clock_confirms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
