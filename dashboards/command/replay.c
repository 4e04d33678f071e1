// `postern replay`: the whole way from captures to tickets, stage by stage from file to file, each in
// the sandbox; then who would be ticketed, why, and what was not seen.
//
// Nothing depends on the wall clock: the stages take their time from the packets, and without
// --config no file outside the call is read.
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/capture_order.h"
#include "command/command.h"
#include "command/job.h"
#include "command/outcome.h"
#include "command/replay_user.h"
#include "command/stages.h"
#include "command/state_dir.h"
#include "common/addr.h"
#include "common/control.h"

enum { LOG_TAIL = 2048, STOPPED_BY_SIGNAL = 128 };

static const struct command_option options[] = {
    {0, "subscribers", "CIDR,...", "whose traffic it is (default: private, CGNAT, unique-local)"},
    {'c', "config", "FILE", "configuration (default: none, not the installed one)"},
    {0, "state", "DIR", "keep records, journal, series and tickets there"},
    {0, "json", NULL, "one JSON object instead of sentences"},
    {0},
};

struct replay {
    struct stage_inputs in;
    struct state_dir dir;
    struct outcome outcome;
    bool progress;
    bool data_error; // the sensor met a capture that is not whole
};

static int complain(int status, const char *path, const char *why)
{
    fprintf(stderr, "postern replay: %s: %s\n", path, why);
    return status;
}

static int check_file(const char *path)
{
    struct stat st;
    if (strcmp(path, "-") == 0) // the sensor's to read
        return 0;
    if (stat(path, &st) != 0)
        return complain(EX_NOINPUT, path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return complain(EX_NOINPUT, path, "is a folder; name the capture files in it");
    if (access(path, R_OK) != 0)
        return complain(EX_NOINPUT, path, strerror(errno));
    return 0;
}

// Said here once instead of by each stage.
static int check_subscribers(const char *list)
{
    for (const char *at = list;; at++) {
        char word[PREFIX_TEXT_MAX + 1];
        struct ip_prefix prefix;
        size_t len = strcspn(at, ",");
        snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word - 1), at);
        if (prefix_parse(word, &prefix) != 0) {
            fprintf(stderr,
                    "postern replay: --subscribers: '%s' is no network; write 192.0.2.0/24 or "
                    "2001:db8::/32, without host bits, with commas between\n",
                    word);
            return EX_USAGE;
        }
        at += len;
        if (*at == '\0')
            return 0;
    }
}

static int check_words(const struct command_args *a)
{
    int status = 0;
    if (command_has(a, "subscribers"))
        status = check_subscribers(command_value(a, "subscribers"));
    if (status == 0 && command_has(a, "config"))
        status = check_file(command_value(a, "config"));
    for (size_t i = 0; status == 0 && i < a->operand_count; i++)
        status = check_file(a->operands[i]);
    return status;
}

// The end of a stage's log, for the one who has to mend it.
static void show_log(const char *path)
{
    char text[LOG_TAIL + 1];
    FILE *log = path ? fopen(path, "re") : NULL;
    if (!log)
        return;
    if (fseek(log, -LOG_TAIL, SEEK_END) != 0)
        rewind(log);
    size_t len = fread(text, 1, LOG_TAIL, log);
    text[len] = '\0';
    fclose(log);
    if (len > 0)
        fputs("its last words:\n", stderr);
    for (char *line = text, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        fputs("  ", stderr);
        print_text(line, stderr);
        fputc('\n', stderr);
    }
}

static int judge(enum stage_id stage, const struct job_result *result, const char *log)
{
    const char *program = stage_program(stage);
    if (result->stopped) {
        fprintf(stderr, "postern replay: stopped\n");
        return STOPPED_BY_SIGNAL + result->stopped;
    }
    if (result->signal) {
        fprintf(stderr, "postern replay: %s was ended by signal %d (%s)\n", program, result->signal,
                strsignal(result->signal));
        show_log(log);
        return EX_SOFTWARE;
    }
    // A capture that is not whole is told by its status document; what was readable is used.
    if (result->status == 0 || (stage == STAGE_SENSOR && result->status == EX_DATAERR))
        return 0;
    fprintf(stderr, "postern replay: %s ended with status %d\n", program, result->status);
    show_log(log);
    return result->status;
}

static int out_of_memory(void)
{
    fprintf(stderr, "postern replay: out of memory\n");
    return EX_OSERR;
}

static int read_status(struct replay *r, enum stage_id stage, const char *path)
{
    json_t *status;
    char error[160];
    int rc = control_status_read(path, &status, error);
    if (rc < 0) {
        fprintf(stderr, "postern replay: %s left no status: %s\n", stage_program(stage),
                rc == -EINVAL ? error : strerror(-rc));
        return EX_SOFTWARE;
    }
    rc = outcome_add_status(&r->outcome, stage, status);
    json_decref(status);
    return rc == 0 ? 0 : out_of_memory();
}

static int run_stage(struct replay *r, enum stage_id stage)
{
    char program[PATH_MAX];
    if (job_find_program(stage_program(stage), program, sizeof program) != 0) {
        fprintf(stderr,
                "postern replay: there is no %s beside this program nor in PATH; install it\n",
                stage_program(stage));
        return EX_UNAVAILABLE;
    }
    struct job_result result = {0};
    char **argv = stage_argv(stage, program, &r->in);
    char *log = stage_file(stage, r->in.state, "log");
    char *status_path = stage_file(stage, r->in.state, "json");
    int status = argv && log && status_path ? 0 : out_of_memory();
    if (status == 0) {
        struct job job = {.label = stage_doing(stage),
                          .argv = argv,
                          .log = log,
                          .sandboxed = true,
                          .reads = stage == STAGE_SENSOR,
                          .progress = r->progress};
        int rc = job_run(&job, &result);
        if (rc < 0) {
            fprintf(stderr, "postern replay: cannot start %s: %s\n", program, strerror(-rc));
            status = EX_OSERR;
        }
    }
    if (status == 0)
        status = judge(stage, &result, log);
    if (status == 0)
        status = read_status(r, stage, status_path);
    if (stage == STAGE_SENSOR && result.status == EX_DATAERR)
        r->data_error = true;
    free(argv);
    free(log);
    free(status_path);
    return status;
}

static int read_tickets(struct replay *r)
{
    char *path;
    if (asprintf(&path, "%s/" STATE_FEED, r->in.state) < 0)
        return out_of_memory();
    FILE *feed = fopen(path, "re");
    int rc = feed ? ticket_list_read(&r->outcome.tickets, feed) : -errno;
    if (feed)
        fclose(feed);
    if (rc < 0)
        complain(EX_IOERR, path, strerror(-rc));
    else if (r->outcome.tickets.broken_lines > 0)
        complain(EX_SOFTWARE, path, "has lines that are no change of a ticket");
    bool broken = r->outcome.tickets.broken_lines > 0;
    free(path);
    return rc < 0 ? EX_IOERR : broken ? EX_SOFTWARE : 0;
}

static int run_stages(struct replay *r)
{
    int status = 0;
    for (enum stage_id stage = STAGE_SENSOR; stage < STAGES && status == 0; stage++) {
        status = run_stage(r, stage);
        // Without a packet there is nothing for the others to do.
        if (status == 0 && stage == STAGE_SENSOR && r->outcome.packets == 0)
            return 0;
    }
    return status == 0 ? read_tickets(r) : status;
}

static int print_outcome(const struct replay *r, bool json)
{
    if (!json) {
        outcome_print(&r->outcome, stdout);
        return 0;
    }
    json_t *o = outcome_to_json(&r->outcome);
    if (!o)
        return out_of_memory();
    int rc = json_write_line(stdout, o);
    json_decref(o);
    return rc == 0 ? 0 : EX_IOERR;
}

// One line a capture that is not whole, whatever form the result has.
static int report_inputs(const struct replay *r)
{
    size_t i;
    json_t *input;
    json_array_foreach (r->outcome.inputs, i, input) {
        if (strcmp(json_string_value(json_object_get(input, "state")), "whole") == 0)
            continue;
        fputs("postern replay: ", stderr);
        outcome_print_input(input, stderr);
    }
    return r->data_error || !outcome_inputs_whole(&r->outcome) ? EX_DATAERR : 0;
}

// What is wrong with the folder, and what to set instead.
static void explain_state(const char *wanted, int rc)
{
    const char *base = state_dir_base();
    if (wanted)
        fprintf(stderr,
                "postern replay: %s: cannot be used as a folder for the state: %s; name another "
                "with --state\n",
                wanted, strerror(-rc));
    else if (rc == -ENOENT || rc == -ENOTDIR)
        fprintf(stderr,
                "postern replay: TMPDIR names %s, which is no folder; name one that is there, or "
                "keep the state with --state DIR\n",
                base);
    else
        fprintf(stderr,
                "postern replay: no temporary folder can be made in %s: %s; name another with "
                "TMPDIR, or keep the state with --state DIR\n",
                base, strerror(-rc));
}

static int open_state(struct replay *r, const char *wanted)
{
    int rc = state_dir_open(&r->dir, wanted);
    if (rc == 0) {
        r->in.state = r->dir.path;
        return 0;
    }
    if (rc == -ENOTEMPTY)
        fprintf(
            stderr,
            "postern replay: %s holds files that are of no replay; name an empty or new folder\n",
            wanted);
    else
        explain_state(wanted, rc);
    return EX_CANTCREAT;
}

static int run(const struct command_args *a)
{
    int status = check_words(a);
    if (status != 0)
        return status;
    struct replay r = {
        .in = {.config = command_value(a, "config"),
               .subscribers = command_value(a, "subscribers"),
               .captures = a->operands,
               .capture_count = a->operand_count},
        .progress = true,
    };
    // From here on these end the running stage (job.c), so that the folder is always removed.
    sigset_t stops, before;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigprocmask(SIG_BLOCK, &stops, &before);

    if (outcome_init(&r.outcome) != 0)
        return out_of_memory();
    status = open_state(&r, command_value(a, "state"));
    if (status == 0) {
        int rc = capture_order(a->operands, a->operand_count);
        if (rc < 0) {
            fprintf(stderr, "postern replay: cannot look at the captures: %s\n", strerror(-rc));
            status = EX_OSERR;
        }
    }
    if (status == 0)
        status = replay_user_prepare(r.in.config, r.in.captures, r.in.capture_count, &r.dir);
    if (status == 0)
        status = run_stages(&r);
    if (status == 0)
        status = print_outcome(&r, command_has(a, "json"));
    if (status == 0)
        status = report_inputs(&r);
    state_dir_close(&r.dir);
    outcome_fini(&r.outcome);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
}

const struct command command_replay = {
    .name = "replay",
    .synopsis = "FILE... [--subscribers CIDR,...] [--config FILE] [--state DIR] [--json]",
    .summary = "runs every stage on captures and says who would be ticketed, and why",
    .options = options,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .run = run,
};
