// Killed and stopped at moments that chance chooses while it judges a journal that grows: what it has said in the end is
// what a single reading says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folder.h"
#include "hash.h"
#include "rig.h"

#define HOUR_MS 3600000LL
#define ROUNDS  30
#define SEED    20261122u

// An hour of the journal: one of eight machines contacts 60 providers, some of which do not answer; after some hours of
// silence its verdict is closed, then opened anew.
static void write_hour(int64_t hour)
{
    struct rig r;
    struct journal_options options = {.segment_octets_max = 1 << 20};
    struct rig_flow *f = calloc(60, sizeof *f);
    rig_init(&r, NULL);
    assert_int_equal(journal_writer_open("journal", &options, &r.journal), 0);
    for (uint32_t i = 0; f && i < 60; i++)
        f[i] = (struct rig_flow){.start_ms = hour * HOUR_MS + i * 5000,
                                 .provider = i + 1,
                                 .outcome = i % 4 ? MINUTE_OUTCOME_UNANSWERED
                                                  : MINUTE_OUTCOME_GREETED};
    unsigned host = (unsigned)(hash_mix((uint64_t)hour) % 8) + 1;
    rig_play(&r, &(struct rig_who){.host = host, .line = host % 2 == 0}, f, 60);
    assert_int_equal(journal_commit(r.journal, RIG_EPOCH_MS + (hour + 1) * HOUR_MS), 0);
    assert_int_equal(journal_writer_close(r.journal), 0);
    r.journal = NULL;
    rig_fini(&r);
    free(f);
}

static pid_t start(const char *const *words)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(open("said", O_WRONLY | O_CREAT | O_APPEND, 0600), 2);
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

static char *read_whole(const char *path)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len), *in = fopen(path, "r");
    for (int c; in && (c = getc(in)) != EOF;)
        putc(c, out);
    if (in)
        fclose(in);
    fclose(out);
    return text;
}

static void what_a_single_reading_says(void **state)
{
    (void)state;
    FILE *f = fopen("postern.yaml", "w");
    fprintf(f,
            "site:\n  run_directory: %s\nanalysis:\n  journal: %s/journal\n  verdicts: "
            "%s/verdicts.jsonl\n  state: %s/state.d\n  poll: 100ms\n  save_every: 10s\n",
            folder, folder, folder, folder);
    assert_int_equal(fclose(f), 0);
    unsigned killed = 0, stopped = 0;
    write_hour(0);
    for (int64_t round = 1; round <= ROUNDS; round++) {
        uint64_t chance = hash_mix(SEED + (uint64_t)round);
        pid_t pid = start_service();
        // Within its start, while it reads, or while it waits for what is written now.
        usleep((useconds_t)(chance % 120000));
        write_hour(round);
        usleep((useconds_t)(chance / 120000 % 150000));
        bool cleanly = chance >> 60 < 6;
        int status;
        assert_int_equal(kill(pid, cleanly ? SIGTERM : SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(cleanly || WIFSIGNALED(status));
        stopped += cleanly;
        killed += !cleanly;
    }
    assert_true(killed > 5 && stopped > 5);
    int status;
    pid_t pid = start(
        (const char *const[]){ANALYSIS, "-c", "postern.yaml", "-j", "journal", "-o", "all", NULL});
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    char *all = read_whole("all"), *now = NULL;
    assert_true(strstr(all, "\"event\":\"closed\"") && strstr(all, "\"event\":\"opened\""));
    // Undisturbed at last: it reads on to the end, ten seconds at most.
    pid = start_service();
    for (int i = 0; i < 200 && (!now || strlen(now) < strlen(all)); i++) {
        free(now);
        usleep(50000);
        now = read_whole("verdicts.jsonl");
    }
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    free(now);
    now = read_whole("verdicts.jsonl");
    assert_string_equal(now, all);
    free(now);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(what_a_single_reading_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
