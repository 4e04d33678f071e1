// What is kept of a line: when who raised which alarm.
#pragma once

#include <stdio.h>

#include "baseline.h"
#include "common/verdict.h"
#include "people.h"

#define OURS      BASELINE_N // behind the baselines
#define JUDGES    (BASELINE_N + 1)
#define DAYS_MAX  64
#define NOT_FOUND (-1)

struct alarm {
    int64_t after_ms;  // the attack's begin; innocents: 0. NOT_FOUND
    uint32_t sessions; // begun by then
    uint64_t days;     // bit i: flagged on day i that counts
    float
        level; // the most that counts, whatever the limit: guilty, since the attack's begin; else of `day`
};

// How many subscriber-days of innocents came to which level, by judge: for limits other than those in use. Residential
// lines and businesses with a mail server.
#define LEVELS      1024
#define LEVEL_STEPS 10 // a unit
struct levels {
    uint32_t days[2][JUDGES][LEVELS];
};

struct score {
    struct line line;
    struct baseline_state *baseline;
    uint32_t sessions; // outbound, since the attack's begin
    struct alarm alarm[JUDGES];
    uint32_t tickets; // opened while it counted
    bool right_class; // ours: the class that was expected, at some time
    bool confirmed;   // ours: confirmed with the ceiling quarantine
    uint64_t confirmed_days;
    int32_t day;     // innocents: which one the levels are of
    double log_odds; // ours: the most
    double log_odds_by_day[DAYS_MAX];
};

struct counting {
    int64_t begin_ms, end_ms; // what is before is warm-up
    struct levels *levels;    // NULL: nobody asks
    bool no_baselines;
    int32_t clock_day; // the day on which clocks change, of those that count; -1: none
};

void score_init(struct score *s, const struct line *l);
void score_fini(struct score *s);
void score_row(struct score *s, const struct counting *c, const struct minute_row *r);
// `out` (may be NULL) gets a line for each ticket on an innocent and for the first on a guilty line.
void score_verdict(struct score *s, const struct counting *c, const struct verdict *v, int expected,
                   FILE *out);

void score_heading(FILE *out);
void score_write(const struct score *s, const struct counting *c, const char *set, const char *kind,
                 FILE *out);
// An innocent's last day is over.
void score_end(struct score *s, const struct counting *c);
bool score_is_flagged(const struct score *s);
