// How each stage is called. A word of a call is a plain text, a path in the state folder ("@name"),
// or one of the lists and options that depend on the call.
#include "command/stages.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 12 };

struct stage {
    const char *name;
    const char *program;
    const char *doing;
    const char *words[WORDS_MAX]; // NULL-terminated
};

// Stands for "-r CAPTURE" of every capture.
static const char captures[] = "CAPTURES";

static const struct stage stages[STAGES] = {
    [STAGE_SENSOR] = {"sensor",
                      "postern-sensor",
                      "reading packets",
                      {captures, "-o", "@" STATE_RECORDS, NULL}},
    [STAGE_COLLECTOR] = {"collector",
                         "postern-collector",
                         "counting minutes",
                         {"-r", "@" STATE_RECORDS, "-j", "@" STATE_JOURNAL, NULL}},
    [STAGE_SERIES] = {"series",
                      "postern-series",
                      "writing series",
                      {"-j", "@" STATE_JOURNAL, "-d", "@" STATE_RRD, NULL}},
    [STAGE_ANALYSIS] = {"analysis",
                        "postern-analysis",
                        "weighing evidence",
                        {"-j", "@" STATE_JOURNAL, "-o", "@" STATE_VERDICTS, NULL}},
    [STAGE_FEED] = {"feed",
                    "postern-feed",
                    "writing tickets",
                    {"-r", "@" STATE_VERDICTS, "-d", "@" STATE_DB, "-o", "@" STATE_FEED, NULL}},
};

const char *stage_name(enum stage_id stage)
{
    return stages[stage].name;
}

const char *stage_program(enum stage_id stage)
{
    return stages[stage].program;
}

const char *stage_doing(enum stage_id stage)
{
    return stages[stage].doing;
}

char *stage_file(enum stage_id stage, const char *state, const char *suffix)
{
    char *path;
    if (asprintf(&path, "%s/" STATE_STATUS "/%s.%s", state, stages[stage].name, suffix) < 0)
        return NULL;
    return path;
}

// Collects the words; first counts what room they need, then writes them into it.
struct words {
    char **argv; // NULL while counting
    char *text;
    size_t count;
    size_t octets;
};

static void add(struct words *w, const char *folder, const char *word)
{
    size_t room = strlen(word) + 1 + (folder ? strlen(folder) + 1 : 0);
    if (w->argv) {
        w->argv[w->count] = w->text + w->octets;
        snprintf(w->text + w->octets, room, "%s%s%s", folder ? folder : "", folder ? "/" : "",
                 word);
    }
    w->count++;
    w->octets += room;
}

static void add_all(struct words *w, const struct stage *s, const char *program,
                    const struct stage_inputs *in)
{
    char status[64];
    add(w, NULL, program);
    // Without a configuration the defaults, never by accident the installed file.
    add(w, NULL, "-c");
    add(w, NULL, in->config ? in->config : "/dev/null");
    if (in->subscribers) {
        add(w, NULL, "--subscribers");
        add(w, NULL, in->subscribers);
    }
    for (size_t i = 0; s->words[i]; i++) {
        if (s->words[i] == captures) {
            for (size_t k = 0; k < in->capture_count; k++) {
                add(w, NULL, "-r");
                add(w, NULL, in->captures[k]);
            }
        } else if (s->words[i][0] == '@') {
            add(w, in->state, s->words[i] + 1);
        } else {
            add(w, NULL, s->words[i]);
        }
    }
    snprintf(status, sizeof status, STATE_STATUS "/%s.json", s->name);
    add(w, NULL, "--status");
    add(w, in->state, status);
}

char **stage_argv(enum stage_id stage, const char *program, const struct stage_inputs *in)
{
    struct words need = {0};
    assert(stage < STAGES);
    add_all(&need, &stages[stage], program, in);

    // The pointers, then the texts they point to, in one piece.
    size_t pointers = (need.count + 1) * sizeof(char *);
    char **argv = malloc(pointers + need.octets);
    if (!argv)
        return NULL;
    struct words w = {.argv = argv, .text = (char *)argv + pointers};
    add_all(&w, &stages[stage], program, in);
    argv[w.count] = NULL;
    return argv;
}
