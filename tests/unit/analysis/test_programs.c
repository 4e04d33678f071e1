// The two programs as programs: a journal on disk goes in, verdicts, tickets, feed and status come
// out; a second run gives the same octets; what is wrong is said and told by the exit code.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/control.h"
#include "common/ticket.h"
#include "folder.h"
#include "rig.h"

// Runs a program in the folder; its exit code. What it says goes to the file "said".
static int run(const char *program, ...)
{
    char *args[16] = {(char *)(uintptr_t)program};
    size_t n = 1;
    va_list ap;
    va_start(ap, program);
    while (n < 15 && (args[n] = va_arg(ap, char *)))
        n++;
    va_end(ap);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("said", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 2);
        execv(program, args);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static char *read_whole(const char *path)
{
    FILE *f = fopen(path, "r");
    struct stat st;
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    char *text = calloc(1, (size_t)st.st_size + 1);
    assert_int_equal(fread(text, 1, (size_t)st.st_size, f), st.st_size);
    fclose(f);
    return text;
}

static void assert_said(const char *words)
{
    char *said = read_whole("said");
    if (!strstr(said, words))
        fail_msg("\"%s\" is not in: %s", words, said);
    free(said);
}

static void write_config(const char *text)
{
    FILE *f = fopen("postern.yaml", "w");
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

// Line 7 is a bot for ten minutes that reaches a third (so two witnesses), line 8 a newsletter.
static void write_journal(void)
{
    struct rig r;
    struct rig_flow *f = calloc(400, sizeof *f);
    struct journal_options options = {.segment_octets_max = 1 << 20};
    const uint8_t reached = MINUTE_OUTCOME_GREETED, silent = MINUTE_OUTCOME_UNANSWERED;
    rig_init(&r, NULL);
    assert_int_equal(journal_writer_open("journal", &options, &r.journal), 0);
    for (uint32_t i = 0; i < 200; i++)
        f[i] = (struct rig_flow){i * 3000, .provider = i % 120 + 1,
                                 .outcome = i % 3 == 2 ? reached : silent};
    rig_play(&r, &(struct rig_who){.host = 7, .line = true}, f, 200);
    for (uint32_t i = 0; i < 200; i++)
        f[i] = (struct rig_flow){i * 3000, .provider = i + 1, .outcome = reached};
    rig_play(&r, &(struct rig_who){.host = 8, .line = true}, f, 200);
    // Long silence closes what is open.
    assert_int_equal(journal_commit(r.journal, RIG_EPOCH_MS + 8 * 3600000LL), 0);
    assert_int_equal(journal_writer_close(r.journal), 0);
    r.journal = NULL;
    rig_fini(&r);
    free(f);
}

static void journal_to_tickets(void **state)
{
    (void)state;
    char error[160];
    write_journal();
    write_config("site:\n  source_validated: true\n");
    assert_int_equal(run(ANALYSIS, "-c", "postern.yaml", "-j", "journal", "-o", "verdicts.jsonl",
                         "--status", "analysis.json", NULL),
                     0);
    assert_int_equal(run(FEED, "-c", "postern.yaml", "-r", "verdicts.jsonl", "-d", "t.db", "-o",
                         "tickets.jsonl", "--status", "feed.json", NULL),
                     0);
    char *verdicts = read_whole("verdicts.jsonl"), *tickets = read_whole("tickets.jsonl");
    assert_non_null(strstr(verdicts, "\"party\":\"line:7\""));
    assert_null(strstr(verdicts, "\"party\":\"line:8\""));
    assert_non_null(strstr(verdicts, "\"event\":\"closed\""));
    // The first change opens the ticket and asks for the class's remedies.
    struct ticket_change c;
    json_t *j = json_loads(tickets, JSON_DISABLE_EOF_CHECK, NULL);
    assert_int_equal(ticket_change_from_json(j, &c, error), 0);
    json_decref(j);
    assert_int_equal(c.kind, TICKET_OPENED);
    assert_int_equal(c.ticket.state, TICKET_CONFIRMED);
    assert_int_equal(c.ticket.actions, TICKET_NOTIFY | TICKET_BLOCK25);
    assert_int_equal(c.ticket.first_seen_ms, RIG_EPOCH_MS);
    assert_int_equal(c.verdict.evidence_count, 3); // one of them shown and not counted
    assert_true(c.verdict.conf_hash[0] != '\0');
    assert_non_null(strstr(tickets, "\"kind\":\"ended\""));
    // Status documents.
    assert_int_equal(control_status_read("analysis.json", &j, error), 0);
    json_decref(j);
    assert_int_equal(control_status_read("feed.json", &j, error), 0);
    json_decref(j);
    // Again: the same octets, nothing twice.
    assert_int_equal(
        run(ANALYSIS, "-c", "postern.yaml", "-j", "journal", "-o", "again.jsonl", NULL), 0);
    char *again = read_whole("again.jsonl");
    assert_string_equal(verdicts, again);
    free(again);
    assert_int_equal(run(FEED, "-c", "postern.yaml", "-r", "verdicts.jsonl", "-d", "t.db", "-o",
                         "tickets.jsonl", NULL),
                     0);
    again = read_whole("tickets.jsonl");
    assert_string_equal(tickets, again);
    free(again);
    // A lost feed file is written again from the store, the same.
    unlink("tickets.jsonl");
    assert_int_equal(run(FEED, "-c", "postern.yaml", "-r", "verdicts.jsonl", "-d", "t.db", "-o",
                         "tickets.jsonl", NULL),
                     0);
    again = read_whole("tickets.jsonl");
    assert_string_equal(tickets, again);
    free(again);
    free(verdicts);
    free(tickets);
}

static void what_is_not_visible(void **state)
{
    (void)state;
    struct journal_options options = {.segment_octets_max = 1 << 20};
    struct journal_writer *w;
    assert_int_equal(journal_writer_open("journal", &options, &w), 0);
    struct coverage_minute m = {
        .minute = RIG_EPOCH_MS / 60000,
        .seconds = 60,
        .alarms = COVERAGE_ONE_DIRECTION,
        .sum = {
            .sensor = "s1", .sampling = 1, .profile = COVERAGE_FLOW_ONLY, .seen_octets = 1 << 20}};
    assert_int_equal(journal_put_coverage(w, &m), 0);
    assert_int_equal(journal_commit(w, RIG_EPOCH_MS + 60000), 0);
    assert_int_equal(journal_writer_close(w), 0);
    assert_int_equal(
        run(ANALYSIS, "-j", "journal", "-o", "v.jsonl", "--status", "status.json", NULL), 0);
    char *status = read_whole("status.json");
    assert_non_null(strstr(status, "\"detector\":\"first-contact\",\"why\":\"off: not visible: "
                                   "the mirror shows one direction only"));
    assert_non_null(strstr(status, "\"detector\":\"rejections\""));
    assert_null(strstr(status, "\"detector\":\"fan-out\""));
    free(status);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    assert_int_equal(run(ANALYSIS, "-j", "x", NULL), EX_USAGE);
    assert_said("-j");
    assert_int_equal(run(FEED, "-r", "x", NULL), EX_USAGE);
    assert_int_equal(run(ANALYSIS, "-j", "nowhere", "-o", "v.jsonl", NULL), EX_NOINPUT);
    assert_said("nowhere");
    assert_int_not_equal(access("v.jsonl", F_OK), 0);
    write_journal();
    assert_int_equal(run(ANALYSIS, "-j", "journal", "-o", "no/such/v.jsonl", NULL), EX_CANTCREAT);
    assert_int_equal(run(FEED, "-r", "nowhere", "-d", "t.db", "-o", "t.jsonl", NULL), EX_NOINPUT);
    static const struct {
        const char *yaml, *said;
    } cases[] = {
        {"analysis:\n  provisional_ceiling: quarantine\n", "provisional_ceiling"},
        {"analysis:\n  detectors_off: [fan-in]\n", "fan-in"},
        {"analysis:\n  classes:\n    - {class: harvester, open: 0.6, close: 0.7}\n", "close"},
        {"analysis:\n  exemptions:\n    - {class: spam, subject: line:1, owner: a, reason: b, "
         "expires: 2027-01-01T00:00:00Z}\n",
         "class"},
        {"analysis:\n  exemptions:\n    - {class: all, subject: nobody, owner: a, reason: b, "
         "expires: 2027-01-01T00:00:00Z}\n",
         "subject"},
        {"analysis:\n  exemptions:\n    - {class: all, subject: line:1, owner: a, reason: b, "
         "expires: never}\n",
         "expires"},
        {"analysis:\n  exemptions:\n    - {class: all, subject: line:1, owner: a, reason: b}\n",
         "expires"},
        {"analysis:\n  fan_out: {limit_10min: 0}\n", "limit_10min"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_config(cases[i].yaml);
        assert_int_equal(
            run(ANALYSIS, "-c", "postern.yaml", "-j", "journal", "-o", "v.jsonl", NULL), EX_CONFIG);
        assert_said(cases[i].said);
    }
    write_config("feed:\n  case_key_file: none\n");
    assert_int_equal(run(ANALYSIS, "-j", "journal", "-o", "v.jsonl", NULL), 0);
    assert_int_equal(
        run(FEED, "-c", "postern.yaml", "-r", "v.jsonl", "-d", "t.db", "-o", "t.jsonl", NULL),
        EX_CONFIG);
}

// Changes an octet in the middle of the journal's only segment.
static void damage_journal(void)
{
    char name[300] = "";
    DIR *d = opendir("journal");
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '2')
            snprintf(name, sizeof name, "journal/%s", e->d_name);
    }
    closedir(d);
    struct stat st;
    int fd = open(name, O_RDWR);
    char c;
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    assert_int_equal(pread(fd, &c, 1, st.st_size / 2), 1);
    c = (char)(c ^ 0x55);
    assert_int_equal(pwrite(fd, &c, 1, st.st_size / 2), 1);
    close(fd);
}

static void a_damaged_journal(void **state)
{
    (void)state;
    write_journal();
    damage_journal();
    // What can be read is used; where it is damaged is said, and the code tells of it.
    assert_int_equal(run(ANALYSIS, "-j", "journal", "-o", "v.jsonl", NULL), EX_DATAERR);
    assert_said("journal/2026");
    assert_said("octet");
    char *verdicts = read_whole("v.jsonl");
    assert_non_null(strstr(verdicts, "\"party\":\"line:7\""));
    free(verdicts);
    assert_int_equal(mkdir("empty", 0700), 0);
    assert_int_equal(run(ANALYSIS, "-j", "empty", "-o", "e.jsonl", NULL), EX_NOINPUT);
    assert_said("empty");
    assert_int_not_equal(access("e.jsonl", F_OK), 0);
}

static void a_full_disk(void **state)
{
    (void)state;
    write_journal();
    assert_int_equal(symlink("/dev/full", "v.jsonl.new"), 0);
    assert_int_equal(run(ANALYSIS, "-j", "journal", "-o", "v.jsonl", NULL), EX_IOERR);
    assert_said("v.jsonl: No space left on device");
}

// What a program prints, as JSON; its exit code must be 0.
static json_t *ask(const char *option, const char *value, const char *also, const char *also_value)
{
    fflush(stdout);
    int fd = open("answer", O_RDWR | O_CREAT | O_TRUNC, 0600), kept = dup(1);
    dup2(fd, 1);
    int code = run(ANALYSIS, "-c", "postern.yaml", "-j", "journal", option, value, also, also_value,
                   NULL);
    dup2(kept, 1);
    close(kept);
    close(fd);
    assert_int_equal(code, 0);
    json_t *j = json_load_file("answer", 0, NULL);
    assert_non_null(j);
    return j;
}

static double number(const json_t *o, const char *name)
{
    return json_number_value(json_object_get(o, name));
}

static void assert_sum_adds_up(const json_t *class_)
{
    double sum = number(class_, "prior");
    const json_t *evidence = json_object_get(class_, "evidence");
    for (size_t i = 0; i < json_array_size(evidence); i++) {
        const json_t *e = json_array_get(evidence, i);
        sum += json_is_true(json_object_get(e, "counted")) ? number(e, "log_odds") : 0;
    }
    assert_float_equal(sum, number(class_, "log_odds"), 0.001);
}

static void why_and_why_not(void **state)
{
    (void)state;
    write_journal();
    write_config("site:\n  source_validated: true\n");
    static const struct {
        const char *who, *at, *says;
        size_t open;
    } cases[] = {
        {"line:7", "2026-11-22T06:05:00Z", "acts like a spam bot", 1},
        {"10.0.0.7", "2026-11-22T06:05:00Z", "acts like a spam bot", 1},
        {"line:8", "2026-11-22T06:05:00Z", "has no verdict", 0},
        {"10.0.0.99", "2026-11-22T06:05:00Z", "has done nothing on mail ports", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *j = ask("--why", cases[i].who, "--at", cases[i].at);
        const char *sentence = json_string_value(json_object_get(j, "sentence"));
        if (!strstr(sentence, cases[i].says))
            fail_msg("%s: %s", cases[i].who, sentence);
        assert_int_equal(json_array_size(json_object_get(j, "open_verdicts")), cases[i].open);
        const json_t *classes = json_object_get(j, "classes");
        for (size_t k = 0; k < json_array_size(classes); k++) {
            const json_t *c = json_array_get(classes, k);
            assert_sum_adds_up(c);
            assert_int_equal(json_is_null(json_object_get(c, "verdict")),
                             json_is_string(json_object_get(c, "why_not")));
        }
        json_decref(j);
    }
    assert_int_equal(run(ANALYSIS, "-j", "journal", "--why", "nobody at all", NULL), EX_USAGE);
    assert_said("nobody at all");
}

static size_t counted(const json_t *j, const char *name)
{
    size_t n = json_array_size(json_object_get(j, name));
    assert_true(number(json_object_get(j, "counts"), name) == (double)n);
    return n;
}

static void rules_against_rules(void **state)
{
    (void)state;
    struct stat before, after;
    write_journal();
    write_config("{}\n");
    FILE *f = fopen("strict.yaml", "w");
    fputs("analysis:\n  fan_out: {extreme: 20}\n", f); // the newsletter's 200 in ten minutes
    fclose(f);
    f = fopen("blind.yaml", "w");
    fputs("analysis:\n  detectors_off: [fan-out, first-contact]\n", f);
    fclose(f);
    assert_int_equal(stat("journal", &before), 0);
    json_t *j = ask("--compare", "strict.yaml", "--from", "-7d");
    assert_int_equal(counted(j, "newly_flagged"), 1);
    assert_int_equal(counted(j, "no_longer_flagged"), 0);
    const json_t *flag = json_array_get(json_object_get(j, "newly_flagged"), 0);
    assert_string_equal(json_string_value(json_object_get(flag, "party")), "line:8");
    json_decref(j);
    j = ask("--compare", "blind.yaml", "--from", "2026-11-22T00:00:00Z");
    assert_int_equal(counted(j, "newly_flagged"), 0);
    assert_int_equal(counted(j, "no_longer_flagged"), 1);
    json_decref(j);
    j = ask("--compare", "postern.yaml", "--from", "-1h");
    assert_int_equal(
        counted(j, "newly_flagged") + counted(j, "no_longer_flagged") + counted(j, "changed"), 0);
    json_decref(j);
    assert_int_equal(stat("journal", &after), 0);
    assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    assert_int_equal(run(ANALYSIS, "-j", "journal", "--compare", "nowhere.yaml", NULL), EX_CONFIG);
    assert_int_equal(
        run(ANALYSIS, "-j", "journal", "--compare", "blind.yaml", "--from", "-7x", NULL), EX_USAGE);
}

// Everything in the folder, to see what a program has left behind.
static bool is_left(const char *name)
{
    return access(name, F_OK) == 0;
}

static void what_is_no_verdict(void **state)
{
    (void)state;
    write_journal();
    assert_int_equal(run(ANALYSIS, "-j", "journal", "-o", "v.jsonl", NULL), 0);
    // A line of garbage between the good ones: told by its number, counted, the others are used.
    char *verdicts = read_whole("v.jsonl"), *second = strchr(verdicts, '\n') + 1;
    FILE *f = fopen("mixed.jsonl", "w");
    fprintf(f, "%.*s{\"no\":\"verdict\"}\n%s", (int)(second - verdicts), verdicts, second);
    fclose(f);
    free(verdicts);
    assert_int_equal(
        run(FEED, "-r", "mixed.jsonl", "-d", "t.db", "-o", "t.jsonl", "--status", "s.json", NULL),
        EX_DATAERR);
    assert_said("mixed.jsonl: line 2");
    char *tickets = read_whole("t.jsonl");
    assert_non_null(strstr(tickets, "\"kind\":\"ended\""));
    free(tickets);
    char *status = read_whole("s.json");
    assert_non_null(strstr(status, "\"bad_lines\":1"));
    free(status);
    // Nothing but garbage leaves nothing behind.
    f = fopen("garbage.jsonl", "w");
    fputs("hello\nworld\n", f);
    fclose(f);
    assert_int_equal(run(FEED, "-r", "garbage.jsonl", "-d", "new.db", "-o", "new.jsonl", NULL),
                     EX_DATAERR);
    assert_said("garbage.jsonl: line 1");
    assert_false(is_left("new.db") || is_left("new.db-wal") || is_left("new.jsonl"));
    assert_int_equal(run(FEED, "-r", "nowhere", "-d", "new.db", "-o", "new.jsonl", NULL),
                     EX_NOINPUT);
    assert_false(is_left("new.db"));
    assert_int_equal(run(FEED, "-r", "v.jsonl", "-d", "new.db", "-o", "no/such/file", NULL),
                     EX_CANTCREAT);
    assert_said("no/such/file");
    assert_false(is_left("new.db"));
    // A damaged store is the one that is named.
    f = fopen("t.db", "r+");
    fseek(f, 100, SEEK_SET);
    for (int i = 0; i < 8000; i++)
        putc(0xff, f);
    fclose(f);
    assert_int_equal(run(FEED, "-r", "v.jsonl", "-d", "t.db", "-o", "t.jsonl", NULL), EX_DATAERR);
    assert_said("t.db");
    assert_true(is_left("t.db"));
}

static void write_overrides(const char *said)
{
    FILE *f = fopen("overrides.json", "w");
    fprintf(f,
            "{\"v\":1,\"overrides\":[{\"kind\":\"role\",%s,\"owner\":\"desk\",\"reason\":"
            "\"called\"}]}\n",
            said);
    assert_int_equal(fclose(f), 0);
}

// What the desk said holds from when it was said: before that the past is explained as it was.
static void the_desks_word(void **state)
{
    (void)state;
    write_journal();
    write_config("analysis: {state: .}\n");
    write_overrides(
        "\"party\":\"line:7\",\"role\":\"mail-server\",\"since\":\"2026-11-22T06:05:00Z\"");
    json_t *j = ask("--why", "line:7", "--at", "2026-11-22T06:04:00Z");
    assert_string_equal(json_string_value(json_object_get(j, "role")), "household");
    json_decref(j);
    j = ask("--why", "line:7", "--at", "2026-11-22T06:06:00Z");
    assert_string_equal(json_string_value(json_object_get(j, "role")), "mail-server");
    json_decref(j);
    // A comparison hears it on both sides: a mail server from the beginning on, it is flagged by neither.
    write_overrides(
        "\"party\":\"line:7\",\"role\":\"mail-server\",\"since\":\"2026-11-22T00:00:00Z\"");
    j = ask("--compare", "postern.yaml", "--from", "-7d");
    const json_t *old = json_object_get(j, "old"), *new = json_object_get(j, "new");
    assert_true(number(old, "flagged") + number(new, "flagged") == 0);
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(journal_to_tickets),    FOLDER_TEST(what_is_not_visible),
        FOLDER_TEST(what_is_wrong_is_said), FOLDER_TEST(a_damaged_journal),
        FOLDER_TEST(why_and_why_not),       FOLDER_TEST(rules_against_rules),
        FOLDER_TEST(the_desks_word),        FOLDER_TEST(a_full_disk),
        FOLDER_TEST(what_is_no_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
