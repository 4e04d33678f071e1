// All parties of a run: the scenario's in the order of families and entries, then the injected ones.
// Names and addresses are given out once.
#pragma once

#include "inject.h"
#include "scenario.h"

struct roster_entry {
    struct party party;
    const struct family *family; // NULL: injected
    const void *habits;          // of the scenario's entry
    struct inject *inject;
    bool declared;
};

struct roster {
    struct roster_entry *entry; // owned
    size_t count;
};

// 0, or a sysexits code after a line on `errors`. `s` and `injects` must outlive the roster.
int roster_fill(struct roster *r, const struct scenario *s, struct inject *injects,
                size_t inject_count, struct run *run, FILE *errors);
void roster_free(struct roster *r);
