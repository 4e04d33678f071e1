// Runs postern-analysis for an answer: one JSON object on its standard output. For `why` and `rules`.
#pragma once

#include "command/command.h"
#include "common/json.h"

#define ANALYSIS_WORDS_MAX 16

// `words`: the program's arguments, NULL-terminated, without its name; `name`: the command, for messages. 0,
// or a sysexits code after having said why; EX_DATAERR with `*out` set: the journal is damaged.
int analysis_answer(const char *name, const char *const *words, json_t **out);

// Shows the answer, as it is with --json, else by `print`, and gives it back; NULL: there is none. `code` is
// returned, or EX_IOERR.
int analysis_show(const struct command_args *a, json_t *answer, int code,
                  void (*print)(const json_t *answer));
