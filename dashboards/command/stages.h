// The stages of a replay, one program after the other from file to file, and the folder they share.
//
// How each program is called stands in one table in stages.c; its contract is the list of file jobs
// in common/control.h.
#pragma once

#include <stddef.h>

// A state folder's layout. The names are the same whether the folder is kept (--state) or not.
#define STATE_RECORDS  "records.ipfix"
#define STATE_JOURNAL  "journal"
#define STATE_RRD      "rrd"
#define STATE_VERDICTS "verdicts.jsonl"
#define STATE_DB       "tickets.db"
#define STATE_FEED     "tickets.jsonl"
#define STATE_STATUS   "status" // STAGE.json and STAGE.log of every stage

enum stage_id {
    STAGE_SENSOR,
    STAGE_COLLECTOR,
    STAGE_SERIES,
    STAGE_ANALYSIS,
    STAGE_FEED,
    STAGES,
};

// What the words of a call are made from. All borrowed.
struct stage_inputs {
    const char *state;       // the folder
    const char *config;      // NULL: defaults, whatever is installed
    const char *subscribers; // "CIDR,CIDR"; NULL: as configured
    char *const *captures;   // in time order
    size_t capture_count;
};

const char *stage_name(enum stage_id stage);    // "sensor"
const char *stage_program(enum stage_id stage); // "postern-sensor"
const char *stage_doing(enum stage_id stage);   // for the progress line: "reading packets"

// The argument vector of a stage, NULL-terminated; argv[0] is `program`. One allocation, freed with
// free(). NULL: out of memory.
char **stage_argv(enum stage_id stage, const char *program, const struct stage_inputs *in);

// STATE/status/STAGE.json or .log ("json", "log"), allocated. NULL: out of memory.
char *stage_file(enum stage_id stage, const char *state, const char *suffix);
