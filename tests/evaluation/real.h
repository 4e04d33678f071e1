// Real machines: every CSV of flow facts in a folder (tests/generator/flow_facts.h) is a class of its own, whatever
// ports it holds. Facts hold no payload, so none is invented: an answered flow is established and nothing was read.
#pragma once

#include "flow.h"

struct flow_facts;

#define REAL_NAME_MAX 64

struct real_bot {
    char name[REAL_NAME_MAX]; // the file's, without .csv
    struct flow_facts *facts; // owned
    int expected;             // verdict class; -1: not known
};

struct real_bots {
    struct real_bot *item; // in order of names
    size_t count;
};

// Loads every *.csv of the folder. 0, or a sysexits code after a line on stderr with file, line and column.
int real_load(const char *folder, struct real_bots *out);
int real_load_one(const char *path, struct real_bot *out);
void real_free_one(struct real_bot *b);
void real_free(struct real_bots *b);

// Appends what the machine does in [from, to), its zero at `zero_ms`.
void real_play(const struct real_bot *b, uint32_t line, int64_t zero_ms, int64_t from_ms,
               int64_t to_ms, struct flows *out);
