// `postern why`: why a subscriber has a verdict, or none. One sentence, then for each class the sum as
// analysis made it. Asks the running postern-analysis, or has it read a journal (-j, or for --at).
#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "command/analysis_answer.h"
#include "command/command.h"
#include "command/outcome.h"
#include "common/control_socket.h"
#include "common/verdict.h"

static const struct command_option options[] = {
    {'j', "journal", "DIR", "from this journal; the running analysis is not asked"},
    {0, "at", "TIME", "as of this time (RFC 3339); reads the journal"},
    {'c', "config", "FILE", "configuration to judge by, with -j or --at"},
    {0, "run", "DIR", "folder of the control sockets (default: /run/postern)"},
    {0, "json", NULL, "the answer as one JSON object"},
    {0},
};

static int ask_running(const struct command_args *a, json_t **out)
{
    char path[108], error[400];
    const char *run = command_has(a, "run") ? command_value(a, "run") : "/run/postern";
    if (control_socket_path(run, "postern-analysis", path, sizeof path) < 0) {
        fprintf(stderr, "postern why: %s: too long for the name of a socket\n", run);
        return EX_USAGE;
    }
    json_t *request = json_pack("{s:i, s:s, s:s}", "v", 1, "command", "why", "who", a->operands[0]);
    int rc = request ? control_ask(path, request, 10000, out, error) : -ENOMEM;
    json_decref(request);
    if (rc == 0)
        return 0;
    fprintf(stderr, "postern why: %s\n", rc == -ENOMEM ? strerror(ENOMEM) : error);
    if (rc != -EPROTO)
        fprintf(stderr, "postern why: -j DIR reads a journal instead\n");
    return rc == -EPROTO ? EX_DATAERR : EX_UNAVAILABLE;
}

static int ask_journal(const struct command_args *a, json_t **out)
{
    const char *words[ANALYSIS_WORDS_MAX];
    size_t n = 0;
    static const char *const passed[][2] = {{"config", "-c"}, {"journal", "-j"}, {"at", "--at"}};
    words[n++] = "--why";
    words[n++] = a->operands[0];
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        if (!command_has(a, passed[i][0]))
            continue;
        words[n++] = passed[i][1];
        words[n++] = command_value(a, passed[i][0]);
    }
    words[n] = NULL;
    return analysis_answer("why", words, out);
}

static const char *get(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "";
}

static double number(const json_t *o, const char *name)
{
    return json_number_value(json_object_get(o, name));
}

static bool is_listed(const json_t *list, const char *word)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text && strcmp(text, word) == 0)
            return true;
    }
    return false;
}

// Why a finding weighs nothing: a stronger one of its family does, or one that saw the same.
static const char *not_counted(const json_t *evidence, const json_t *of)
{
    for (size_t i = 0; i < json_array_size(evidence); i++) {
        const json_t *e = json_array_get(evidence, i);
        if (json_is_true(json_object_get(e, "counted")) &&
            strcmp(get(e, "family"), get(of, "family")) == 0)
            return " (not counted: a stronger one of its family is)";
    }
    return " (not counted: it rests on the same as what is counted)";
}

// The pieces of a class. What was printed before under the same detector is not printed again where `said` is given.
static void print_evidence(const json_t *evidence, const json_t *said)
{
    for (size_t i = 0; i < json_array_size(evidence); i++) {
        const json_t *e = json_array_get(evidence, i);
        if (said && is_listed(said, get(e, "sentence")))
            continue;
        printf("  %+6.2f  %-18s ", number(e, "log_odds"), get(e, "detector"));
        print_text(get(e, "sentence"), stdout);
        puts(json_is_true(json_object_get(e, "counted")) ? "" : not_counted(evidence, e));
    }
}

static void print_class(const json_t *c, const json_t *said)
{
    const char *verdict = get(c, "verdict"), *sum_now = get(c, "sum_now");
    printf("\n%s: ", get(c, "class"));
    if (verdict[0])
        printf("verdict %s, up to %s; supported until %s, closes at %s\n", verdict,
               get(c, "ceiling"), get(c, "supported"), get(c, "closes"));
    else
        printf("no verdict: %s\n", get(c, "why_not"));
    printf("  %s; score %.4f, opens at %.4f%s%s\n", get(c, "sum"), number(c, "score"),
           number(c, "opens_at"), sum_now[0] ? "; as of " : "", sum_now[0] ? get(c, "as_of") : "");
    print_evidence(json_object_get(c, "evidence"), said);
    if (sum_now[0])
        printf("  now: %s\n", sum_now);
    const json_t *limitations = json_object_get(c, "limitations");
    for (size_t i = 0; i < json_array_size(limitations); i++)
        printf("%s%s%s",
               i ? ", " : "  limited by: ", json_string_value(json_array_get(limitations, i)),
               i + 1 < json_array_size(limitations) ? "" : "\n");
}

// Classes with a verdict first, then those that something might open, then the rest, whose evidence mostly stands above.
static unsigned rank(const json_t *c)
{
    if (get(c, "verdict")[0])
        return 0;
    return strstr(get(c, "why_not"), "only what supports it") ? 2 : 1;
}

static void print_classes(const json_t *classes)
{
    json_t *said = json_array();
    for (unsigned r = 0; r < 3; r++) {
        for (size_t i = 0; i < json_array_size(classes); i++) {
            const json_t *c = json_array_get(classes, i),
                         *evidence = json_object_get(c, "evidence");
            if (rank(c) != r)
                continue;
            print_class(c, r == 2 ? said : NULL);
            for (size_t k = 0; k < json_array_size(evidence); k++)
                json_array_append_new(said,
                                      json_string(get(json_array_get(evidence, k), "sentence")));
        }
    }
    json_decref(said);
}

// What the words behind "limited by" mean, each once.
static void print_limitations(const json_t *classes)
{
    bool first = true;
    for (uint32_t bit = 1; verdict_limitation_name(bit); bit <<= 1) {
        bool holds = false;
        for (size_t i = 0; i < json_array_size(classes); i++)
            holds |= is_listed(json_object_get(json_array_get(classes, i), "limitations"),
                               verdict_limitation_name(bit));
        if (holds)
            printf("%s%s: %s\n", first ? "\n" : "", verdict_limitation_name(bit),
                   verdict_limitation_text(bit));
        first &= !holds;
    }
}

static void print_answer(const json_t *o)
{
    size_t i;
    const json_t *e, *also = json_object_get(o, "also_at"),
                     *classes = json_object_get(o, "classes");
    const json_t *closed = json_object_get(o, "closed");
    print_text(get(o, "sentence"), stdout);
    putchar('\n');
    if (json_is_true(json_object_get(o, "known"))) {
        printf("%s, address %s, role %s, seen from %s to %s; rules %s, configuration %s\n",
               get(o, "party"), get(o, "subscriber"), get(o, "role"), get(o, "first_row"),
               get(o, "last_row"), get(o, "rules_version"), get(o, "conf_hash"));
        for (i = 0; i < json_array_size(also); i++) {
            e = json_array_get(also, i);
            printf("%s%s (%s)%s", i ? ", " : "The same address elsewhere: ", get(e, "subscriber"),
                   get(e, "party"), i + 1 < json_array_size(also) ? "" : "\n");
        }
        if (json_is_object(closed))
            printf("Last closed: %s, verdict %s, from %s to %s\n", get(closed, "class"),
                   get(closed, "verdict"), get(closed, "opened"), get(closed, "closed"));
    }
    print_classes(classes);
    print_limitations(classes);
    const json_t *unread = json_object_get(o, "unread");
    if (json_is_object(unread)) {
        putchar('\n');
        print_text(get(unread, "sentence"), stdout);
        putchar('\n');
    }
    for (i = 0; i < json_array_size(json_object_get(o, "not_visible")); i++) {
        e = json_array_get(json_object_get(o, "not_visible"), i);
        printf("%s%s: %s\n", i ? "" : "\n", get(e, "detector"), get(e, "why"));
    }
}

static int run(const struct command_args *a)
{
    json_t *answer = NULL;
    bool offline = command_has(a, "journal") || command_has(a, "at");
    int code = offline ? ask_journal(a, &answer) : ask_running(a, &answer);
    return analysis_show(a, answer, code, print_answer);
}

const struct command command_why = {
    .name = "why",
    .synopsis = "SUBSCRIBER|PARTY [--at TIME] [-j DIR]",
    .summary = "explain a verdict, or why there is none",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
