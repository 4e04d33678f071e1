// `postern status`: a line for each program that runs on this machine, what is wrong with it and what to
// do about it. Exit code 0: all is well, 1: something is degraded, 2: something failed or nothing runs.
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sysexits.h>

#include "command/command.h"
#include "command/job.h"
#include "command/outcome.h"
#include "command/running.h"
#include "common/control.h"
#include "common/coverage.h"

static const struct command_option options[] = {
    RUNNING_OPTIONS,
    {0, "json", NULL, "one JSON object instead of lines"},
    {0},
};

static const char *const states[] = {"ok", "degraded", "failed"};

enum { OK, DEGRADED, FAILED };

static int state_of(const struct running *r)
{
    const char *name = json_string_value(json_object_get(r->answer, "state"));
    for (int i = OK; r->rc == 0 && name && i <= FAILED; i++)
        if (strcmp(name, states[i]) == 0)
            return i;
    return FAILED; // no answer, or none that is understood
}

// What goes through a program, the first three it counts: counter and its words.
static void print_rates(const json_t *status)
{
    static const char *const shown[][2] = {
        {"packets", "packets"},          {"records", "records"},         {"rows", "rows"},
        {"minutes", "minutes"},          {"minutes_written", "minutes"}, {"verdicts", "verdicts"},
        {"verdicts_opened", "verdicts"}, {"tickets_opened", "tickets"},  {"requests", "requests"},
    };
    const json_t *rates = json_object_get(status, "rates");
    int count = 0;
    for (size_t i = 0; i < sizeof shown / sizeof shown[0] && count < 3; i++) {
        const json_t *rate = json_object_get(rates, shown[i][0]);
        if (!json_is_number(rate))
            continue;
        double v = json_number_value(rate);
        printf("%s%.*f %s/s", count++ ? ", " : "  ", v < 10 ? 2 : 0, v, shown[i][1]);
    }
}

static uint64_t counter(const json_t *status, const char *name)
{
    json_int_t v = json_integer_value(json_object_get(json_object_get(status, "counters"), name));
    return v > 0 ? (uint64_t)v : 0;
}

static bool captures(const json_t *status)
{
    return json_object_get(json_object_get(status, "counters"), "ring_drops") != NULL;
}

// The sensor's loss since its start, by its own names of what coverage counts.
static void print_loss(const json_t *status)
{
    struct coverage seen = {.packets = counter(status, "packets"),
                            .records = counter(status, "records"),
                            .dropped_card = counter(status, "card_drops"),
                            .dropped_ring = counter(status, "ring_drops"),
                            .dropped_spool = counter(status, "spool_drops"),
                            .dropped_flow_table = counter(status, "evicted_flows"),
                            .dropped_stream_memory = counter(status, "no_memory_octets"),
                            .missing_octets = counter(status, "missing_octets"),
                            .seen_octets = counter(status, "seen_octets")};
    if (captures(status))
        printf(", %.3f %% lost", coverage_loss_ppm(&seen) / 1e4);
}

// What a sensor listens on, and what of it went astray; a process each where there are several.
static void print_capture(const json_t *status)
{
    size_t i;
    json_t *input;
    printf("    %llu packets, %llu dropped, %llu frames above the MTU; %llu records, %llu not "
           "written\n",
           (unsigned long long)counter(status, "packets"),
           (unsigned long long)(counter(status, "card_drops") + counter(status, "ring_drops")),
           (unsigned long long)counter(status, "oversized"),
           (unsigned long long)counter(status, "records"),
           (unsigned long long)counter(status, "spool_drops"));
    json_array_foreach (json_object_get(status, "inputs"), i, input) {
        const char *name = json_string_value(json_object_get(input, "name"));
        const char *state = json_string_value(json_object_get(input, "state"));
        const char *text = json_string_value(json_object_get(input, "text"));
        fputs("    ", stdout);
        print_text(name ? name : "?", stdout);
        fputs(": ", stdout);
        print_text(state ? state : "?", stdout);
        if (text && *text) {
            fputs(", ", stdout);
            print_text(text, stdout);
        }
        putchar('\n');
    }
}

static void print_problems(const json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach (list, i, item) {
        const char *text = json_string_value(json_object_get(item, "text"));
        const char *fix = json_string_value(json_object_get(item, "fix"));
        fputs("    ", stdout);
        print_text(text ? text : "?", stdout);
        fputs(control_joint(text, fix), stdout);
        print_text(fix ? fix : "", stdout);
        putchar('\n');
    }
}

static void print_one(const struct running *r, int width)
{
    printf("%-*s  %-8s", width, r->name, states[state_of(r)]);
    if (r->rc != 0) {
        fputs("  no answer\n    ", stdout);
        print_text(r->error, stdout);
        putchar('\n');
        return;
    }
    const char *since = json_string_value(json_object_get(r->answer, "since"));
    if (since) {
        fputs("  since ", stdout);
        print_text(since, stdout);
    }
    print_rates(r->answer);
    print_loss(r->answer);
    putchar('\n');
    if (captures(r->answer))
        print_capture(r->answer);
    print_problems(json_object_get(r->answer, "problems"));
}

static bool runs(const struct running_list *l, const char *program)
{
    size_t n = strlen(program);
    for (size_t i = 0; i < l->count; i++) {
        const char *name = l->item[i].name;
        if (strncmp(name, program, n) == 0 && (name[n] == '\0' || name[n] == '@'))
            return true;
    }
    return false;
}

static void print_lines(const struct running_list *l, bool all)
{
    int width = 0;
    for (size_t i = 0; i < l->count; i++)
        if ((int)strlen(l->item[i].name) > width)
            width = (int)strlen(l->item[i].name);
    for (size_t i = 0; i < l->count; i++)
        print_one(&l->item[i], width);
    bool any = false;
    char program[PATH_MAX];
    for (size_t i = 0; all && running_programs[i]; i++) {
        if (runs(l, running_programs[i]) ||
            job_find_program(running_programs[i], program, sizeof program) != 0)
            continue;
        printf("%s%s", any ? ", " : "not running here: ", running_programs[i]);
        any = true;
    }
    if (any)
        putchar('\n');
}

static int print_json(const struct running_list *l, int worst)
{
    json_t *programs = json_array();
    for (size_t i = 0; i < l->count; i++) {
        const struct running *r = &l->item[i];
        json_t *o = r->rc == 0 ? json_pack("{s:s, s:O}", "name", r->name, "status", r->answer)
                               : json_pack("{s:s, s:s}", "name", r->name, "error", r->error);
        json_array_append_new(programs, o);
    }
    json_t *o = json_pack("{s:i, s:s, s:o}", "v", 1, "state", states[worst], "programs", programs);
    int rc = o ? json_write_line(stdout, o) : -ENOMEM;
    json_decref(o);
    return rc == 0 ? 0 : EX_IOERR;
}

static int run(const struct command_args *a)
{
    struct running_list list;
    const char *wanted = a->operand_count > 0 ? a->operands[0] : NULL;
    int status = running_start(&list, a, "status", wanted), worst = OK;
    if (status != 0)
        return status;
    running_ask(&list, "status", NULL, NULL);
    for (size_t i = 0; i < list.count; i++)
        if (state_of(&list.item[i]) > worst)
            worst = state_of(&list.item[i]);
    if (command_has(a, "json"))
        status = print_json(&list, worst);
    else
        print_lines(&list, wanted == NULL);
    running_free(&list);
    return status != 0 ? status : worst;
}

const struct command command_status = {
    .name = "status",
    .synopsis = "[PROGRAM] [--json] [-c FILE | --run DIR]",
    .summary = "says how the programs that run here are doing, and what to do about it",
    .options = options,
    .operands_max = 1,
    .run = run,
};
