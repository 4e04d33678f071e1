// What a replay found, gathered from the stages' status documents and the feed of tickets, and its
// two forms: sentences for people, one JSON object for programs (postern(1) documents it).
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "command/stages.h"
#include "command/ticket_list.h"
#include "common/json.h"

struct outcome {
    uint64_t subscribers; // with traffic of their own
    uint64_t flows;       // TCP flows
    uint64_t packets;
    uint32_t loss_ppm;
    json_t *counters;    // object: the sensor's
    json_t *skipped;     // object: layers that could not be opened, by name
    json_t *not_visible; // array of {"detector","why"}
    json_t *inputs;      // array of {"name","state","text"}
    json_t *problems;    // array of {"stage","code","text","fix"}
    struct ticket_list tickets;
};

// 0 or -ENOMEM; then nothing needs freeing.
int outcome_init(struct outcome *o);
void outcome_fini(struct outcome *o);

// Takes what a stage's status document says. 0 or -ENOMEM.
int outcome_add_status(struct outcome *o, enum stage_id stage, const json_t *status);

// Is any capture not whole? Then the replay ends with EX_DATAERR, having used what was readable.
bool outcome_inputs_whole(const struct outcome *o);

// The object as a new reference, NULL: out of memory.
json_t *outcome_to_json(const struct outcome *o);
// One ticket of it: also what `postern tickets --json` prints.
json_t *ticket_entry_to_json(const struct ticket_entry *e);

void outcome_print(const struct outcome *o, FILE *out);
// "b.pcap is truncated: ends in the middle", one line. `input` is an item of `inputs`.
void outcome_print_input(const json_t *input, FILE *out);
// The tickets of a list; what limits all of them is said once, behind them.
void ticket_list_print(const struct ticket_list *l, FILE *out);

// Text from files as it may stand on a terminal: control characters become '?'.
void print_text(const char *text, FILE *out);
