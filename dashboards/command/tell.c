// `postern reload` and `postern loglevel`: tell the programs that run on this machine. Exit code 0: all did it,
// 1: one did not, 2: none runs.
#include <string.h>
#include <sysexits.h>

#include "command/command.h"
#include "command/outcome.h"
#include "command/running.h"
#include "common/log.h"

static const struct command_option options[] = {RUNNING_OPTIONS, {0}};

// A line for each: `member` of its answer behind `said`, or why not. Returns 1 when one refused.
static int print_answers(const struct running_list *l, const char *said, const char *member)
{
    int status = 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct running *r = &l->item[i];
        const char *value = json_string_value(json_object_get(r->answer, member));
        printf("%s: ", r->name);
        if (r->rc == 0) {
            fputs(said, stdout);
            print_text(value ? value : "?", stdout);
        } else {
            print_text(r->error, stdout);
            status = 1;
        }
        putchar('\n');
    }
    return status;
}

static int run_reload(const struct command_args *a)
{
    struct running_list list;
    int status = running_start(&list, a, "reload", a->operand_count > 0 ? a->operands[0] : NULL);
    if (status != 0)
        return status;
    running_ask(&list, "reload", NULL, NULL);
    status = print_answers(&list, "reloaded, configuration ", "conf_hash");
    running_free(&list);
    return status;
}

// The level may be left out: then it is only shown.
static int run_loglevel(const struct command_args *a)
{
    enum log_level level;
    struct running_list list;
    bool set = a->operand_count > 0 && log_level_parse(a->operands[0], &level) == 0;
    size_t name_at = set ? 1 : 0;
    const char *wanted = a->operand_count > name_at ? a->operands[name_at] : NULL;
    if (a->operand_count == 2 && !set) {
        fprintf(stderr,
                "postern loglevel: '%s' is no log level; use error, warning, info or debug\n",
                a->operands[0]);
        return EX_USAGE;
    }
    int status = running_start(&list, a, "loglevel", wanted);
    if (status != 0)
        return status;
    running_ask(&list, "loglevel", set ? "level" : NULL, set ? a->operands[0] : NULL);
    status = print_answers(&list, "", "level");
    running_free(&list);
    return status;
}

const struct command command_reload = {
    .name = "reload",
    .synopsis = "[PROGRAM] [-c FILE | --run DIR]",
    .summary = "has the programs that run here read their configuration again",
    .options = options,
    .operands_max = 1,
    .run = run_reload,
};

const struct command command_loglevel = {
    .name = "loglevel",
    .synopsis = "[error|warning|info|debug] [PROGRAM] [-c FILE | --run DIR]",
    .summary = "sets or shows how much the programs that run here log",
    .options = options,
    .operands_max = 2,
    .run = run_loglevel,
};
