// The desk's word while analysis runs: it holds at once, after a crash, and until it is taken back. And a comparison of
// rules beside it, which touches nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/control_socket.h"
#include "folder.h"
#include "hash.h"
#include "rig.h"

#define HOUR_MS 3600000LL

// A bot for ten minutes, appended to the journal; then time passes to the hour's end.
static void write_bot(unsigned host, int64_t hour)
{
    struct rig r;
    struct journal_options options = {.segment_octets_max = 1 << 20};
    struct rig_flow *f = calloc(120, sizeof *f);
    rig_init(&r, NULL);
    assert_int_equal(journal_writer_open("journal", &options, &r.journal), 0);
    for (uint32_t i = 0; i < 120; i++)
        f[i] = (struct rig_flow){.start_ms = hour * HOUR_MS + i * 5000,
                                 .provider = i % 60 + 1,
                                 .outcome = i % 5 ? MINUTE_OUTCOME_UNANSWERED
                                                  : MINUTE_OUTCOME_GREETED};
    rig_play(&r, &(struct rig_who){.host = host, .line = true}, f, 120);
    assert_int_equal(journal_commit(r.journal, RIG_EPOCH_MS + (hour + 1) * HOUR_MS), 0);
    assert_int_equal(journal_writer_close(r.journal), 0);
    r.journal = NULL;
    rig_fini(&r);
    free(f);
}

static void write_config(const char *name, const char *rules)
{
    FILE *f = fopen(name, "w");
    fprintf(f,
            "site:\n  run_directory: %s\nanalysis:\n  journal: %s/journal\n  verdicts: "
            "%s/verdicts.jsonl\n  state: %s/state.d\n  poll: 100ms\n  save_every: 10s\n%s",
            folder, folder, folder, folder, rules);
    assert_int_equal(fclose(f), 0);
}

// What it prints goes to `answer`, what it says to `said`. Its pid.
static pid_t start(const char *const *words)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(open("answer", O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
        dup2(open("said", O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
        execv(ANALYSIS, (char *const *)(uintptr_t)words);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

static pid_t start_service(void)
{
    return start((const char *const[]){ANALYSIS, "-c", "postern.yaml", NULL});
}

static void end(pid_t pid, int signal)
{
    int status;
    assert_int_equal(kill(pid, signal), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(signal == SIGTERM, WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

// The answer of the running program, which may need a moment to be there: ten seconds at most.
static json_t *command(json_t *request)
{
    char path[128], error[400] = "";
    json_t *answer = NULL;
    assert_int_equal(control_socket_path(folder, "postern-analysis", path, sizeof path), 0);
    for (int i = 0; i < 200; i++) {
        if (control_ask(path, request, 2000, &answer, error) == 0) {
            json_decref(request);
            return answer;
        }
        usleep(50000);
    }
    fail_msg("%s", error);
    return NULL;
}

static bool has_word(const json_t *list, const char *word)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (strcmp(json_string_value(json_array_get(list, i)), word) == 0)
            return true;
    }
    return false;
}

// Waits until line `who` has an open verdict that was made at `from_ms` and later: how its class is explained. The
// caller's.
static json_t *await_class(const char *who)
{
    for (int i = 0; i < 200; i++) {
        json_t *why = command(json_pack("{s:i, s:s, s:s}", "v", 1, "command", "why", "who", who));
        const json_t *classes = json_object_get(why, "classes");
        for (size_t k = 0; k < json_array_size(classes); k++) {
            json_t *c = json_array_get(classes, k);
            if (json_is_string(json_object_get(c, "verdict"))) {
                json_incref(c);
                json_decref(why);
                return c;
            }
        }
        json_decref(why);
        usleep(50000);
    }
    fail_msg("%s: no verdict came", who);
    return NULL;
}

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

// Within ten seconds: what was just written to the journal has to be read first.
static void assert_exempt(const char *who, bool exempt)
{
    bool is = !exempt;
    for (int i = 0; i < 200 && is != exempt; i++) {
        json_t *c = await_class(who);
        is = has_word(json_object_get(c, "limitations"), "exempt");
        assert_int_equal(strcmp(text(c, "ceiling"), "observe") == 0, is);
        json_decref(c);
        if (is != exempt)
            usleep(50000);
    }
    assert_int_equal(is, exempt);
}

// The verdict as it was written.
static void assert_written(const char *party, const char *ceiling)
{
    char line[65536];
    bool found = false;
    FILE *f = fopen("verdicts.jsonl", "r");
    while (f && fgets(line, sizeof line, f)) {
        json_t *v = json_loads(line, 0, NULL);
        if (strcmp(text(v, "party"), party) == 0 && strcmp(text(v, "event"), "opened") == 0) {
            assert_string_equal(text(v, "ceiling"), ceiling);
            found = true;
        }
        json_decref(v);
    }
    if (f)
        fclose(f);
    assert_true(found);
}

static void an_exemption_holds_at_once(void **state)
{
    (void)state;
    write_config("postern.yaml", "");
    write_bot(7, 0);
    pid_t pid = start_service();
    assert_exempt("line:7", false);
    json_decref(
        command(json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s}", "v", 1, "command", "exempt",
                          "subject", "line:8", "class", "all", "owner", "desk", "reason",
                          "their newsletter", "expires", "2027-01-01T00:00:00Z")));
    write_bot(8, 2);
    assert_exempt("line:8", true);
    // Killed with it, begun anew with it: what is said again is the same, and so is what is explained.
    end(pid, SIGKILL);
    assert_written("line:8", "observe");
    pid = start_service();
    assert_exempt("line:8", true);
    write_bot(8, 4);
    assert_exempt("line:8", true);
    // Taken back while the verdict is open: it is one like any other from there on.
    json_decref(command(json_pack("{s:i, s:s, s:s, s:s}", "v", 1, "command", "exempt", "end",
                                  "line:8", "class", "all")));
    write_bot(8, 5);
    assert_exempt("line:8", false);
    end(pid, SIGTERM);
    pid = start_service();
    assert_exempt("line:8", false);
    end(pid, SIGTERM);
}

// Of all that is in a folder: names, contents, times of change.
static uint64_t sum;

static int add_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)kind;
    (void)ftw;
    sum = hash_octets(path, strlen(path), sum);
    sum = hash_octets(&st->st_mtim, sizeof st->st_mtim, sum);
    FILE *f = S_ISREG(st->st_mode) ? fopen(path, "r") : NULL;
    char octets[4096];
    for (size_t n; f && (n = fread(octets, 1, sizeof octets, f)) > 0;)
        sum = hash_octets(octets, n, sum);
    if (f)
        fclose(f);
    return 0;
}

static uint64_t checksum(const char *path)
{
    sum = 0;
    assert_int_equal(nftw(path, add_one, 16, FTW_PHYS), 0);
    return sum;
}

static int run(const char *const *words)
{
    int status;
    pid_t pid = start(words);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static size_t count_lines(const char *path, const char *word)
{
    char line[4096];
    size_t n = 0;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        n += strstr(line, word) != NULL;
    if (f)
        fclose(f);
    return n;
}

static void a_comparison_touches_nothing(void **state)
{
    (void)state;
    write_config("postern.yaml", "");
    write_config("new.yaml", "  fan_out: {extreme: 60}\n  first_contact: {cap: 3}\n");
    write_bot(7, 0);
    pid_t pid = start_service();
    json_decref(await_class("line:7"));
    end(pid, SIGTERM);
    uint64_t kept = checksum("state.d"), journal = checksum("journal");
    uint64_t verdicts = checksum("verdicts.jsonl");
    assert_int_equal(run((const char *const[]){ANALYSIS, "-c", "postern.yaml", "--compare",
                                               "new.yaml", "--from", "-7d", NULL}),
                     0);
    assert_true(checksum("state.d") == kept);
    assert_true(checksum("journal") == journal);
    assert_true(checksum("verdicts.jsonl") == verdicts);
    json_t *j = json_load_file("answer", 0, NULL);
    assert_int_equal(json_array_size(json_object_get(j, "changed")) +
                         json_array_size(json_object_get(j, "no_longer_flagged")),
                     1);
    json_decref(j);
    // One journal that is missing is one line.
    for (int from = 0; from <= 1; from++) {
        assert_int_equal(
            run((const char *const[]){ANALYSIS, "-c", "postern.yaml", "-j", "nowhere", "--compare",
                                      "new.yaml", from ? "--from" : NULL, "-7d", NULL}),
            EX_NOINPUT);
        assert_int_equal(count_lines("said", "nowhere"), 1);
    }
    assert_true(checksum("state.d") == kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(an_exemption_holds_at_once),
        FOLDER_TEST(a_comparison_touches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
