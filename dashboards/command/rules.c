// `postern rules test`: who a new configuration would have flagged in the journal's last days, and whom no
// longer. postern-analysis replays the journal under both; nothing is changed.
#include <string.h>
#include <sysexits.h>

#include "command/analysis_answer.h"
#include "command/command.h"
#include "command/outcome.h"

static const struct command_option options[] = {
    {0, "config", "NEW", "the configuration to test; needed"},
    {'c', "present", "FILE", "the configuration in force (default: /etc/postern/postern.yaml)"},
    {0, "from", "TIME", "begin there: RFC 3339, or -7d before the journal's end (default: -7d)"},
    {'j', "journal", "DIR", "this journal (default: the one in force)"},
    {0, "json", NULL, "the answer as one JSON object"},
    {0},
};

static int ask(const struct command_args *a, json_t **out)
{
    const char *words[ANALYSIS_WORDS_MAX];
    size_t n = 0;
    words[n++] = "--compare";
    words[n++] = command_value(a, "config");
    words[n++] = "--from";
    words[n++] = command_has(a, "from") ? command_value(a, "from") : "-7d";
    if (command_has(a, "present")) {
        words[n++] = "-c";
        words[n++] = command_value(a, "present");
    }
    if (command_has(a, "journal")) {
        words[n++] = "-j";
        words[n++] = command_value(a, "journal");
    }
    words[n] = NULL;
    return analysis_answer("rules", words, out);
}

static const char *get(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "";
}

static long long count(const json_t *o, const char *name)
{
    return (long long)json_integer_value(json_object_get(o, name));
}

static void print_flags(const json_t *list, const char *title)
{
    size_t i;
    const json_t *f;
    for (i = 0; i < json_array_size(list); i++) {
        f = json_array_get(list, i);
        if (i == 0)
            printf("\n%s:\n", title);
        printf("  %s  %-20s %-10s ", get(f, "detected"), get(f, "class"), get(f, "ceiling"));
        print_text(get(f, "sentence"), stdout);
        putchar('\n');
    }
}

static void print_changed(const json_t *list)
{
    size_t i;
    const json_t *c;
    for (i = 0; i < json_array_size(list); i++) {
        c = json_array_get(list, i);
        const json_t *was = json_object_get(c, "old"), *is = json_object_get(c, "new");
        printf("%s  %s, %s: %s %s, was %s %s\n", i ? "" : "\nChanged:\n", get(c, "party"),
               get(c, "class"), get(is, "detected"), get(is, "ceiling"), get(was, "detected"),
               get(was, "ceiling"));
    }
}

static void print_answer(const json_t *o)
{
    const json_t *n = json_object_get(o, "counts");
    printf("From %s to %s: %lld newly flagged, %lld no longer flagged, %lld changed, %lld the "
           "same.\n",
           get(o, "from"), get(o, "to"), count(n, "newly_flagged"), count(n, "no_longer_flagged"),
           count(n, "changed"), count(n, "same"));
    print_flags(json_object_get(o, "newly_flagged"), "Newly flagged");
    print_flags(json_object_get(o, "no_longer_flagged"), "No longer flagged");
    print_changed(json_object_get(o, "changed"));
}

static int run(const struct command_args *a)
{
    json_t *answer = NULL;
    if (strcmp(a->operands[0], "test") != 0) {
        fprintf(stderr, "postern rules: '%s' is not known; test is\n", a->operands[0]);
        return EX_USAGE;
    }
    if (!command_has(a, "config")) {
        fprintf(stderr, "postern rules test: name the new configuration with --config\n");
        return EX_USAGE;
    }
    int code = ask(a, &answer);
    return analysis_show(a, answer, code, print_answer);
}

const struct command command_rules = {
    .name = "rules",
    .synopsis = "test --config NEW [--from TIME]",
    .summary = "say who a new configuration would flag, and whom no longer",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
