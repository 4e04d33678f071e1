// A scenario: one YAML file that says how long, what network, what mirror, and which parties.
#pragma once

#include <stdio.h>

#include "common/conf.h"
#include "families/family.h"

enum { SCENARIO_FAMILIES_MAX = 64 };

struct scenario_network {
    struct conf_prefixes home, business, shared, v6; // ranges lines get their addresses from
    double v6_share;                                 // of the homes and businesses that have IPv6
    char *smarthost, *resolver, *mail, *domain;
    struct conf_prefixes hosting;
    int port25; // enum site_port25: what an operator would declare
    bool source_validated;
};

struct scenario_mirror {
    double doubled, loss;
    int direction, wrap;
    int64_t snaplen;
};

struct scenario_path {
    double loss, reorder;
};

struct scenario {
    char *name, *start, *timezone;
    int64_t lasts_ms, utc_offset_min;
    struct scenario_network network;
    struct scenario_mirror mirror;
    struct scenario_path path;
    struct conf_list parties[SCENARIO_FAMILIES_MAX]; // in the order of `families`
};

// Table of the section `scenario`, built from the families there are. Lives to the end.
const struct conf_key *scenario_keys(void);

// 0, or a sysexits code after every error was written to `errors`.
int scenario_load(const char *path, struct scenario *out, FILE *errors);
// What holds when there is no file: an empty scenario of a day's length.
int scenario_default(struct scenario *out, FILE *errors);
void scenario_free(struct scenario *s);

// Turns texts into times and addresses. 0, or EX_CONFIG after the error was written.
int scenario_apply(const struct scenario *s, const char *file, struct run *run, FILE *errors);

// Makes party number `i` of entry `c`: its name, address, wrapping and time. Another `attempt` gives
// another address.
int scenario_party(const struct scenario *s, struct run *run, const struct family *f,
                   const struct family_common *c, int64_t i, unsigned attempt, struct party *out,
                   FILE *errors);
