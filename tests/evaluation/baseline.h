// What others would have said, on the same rows: simple rules of the field, TRW, and SPOT's count and percentage.
#pragma once

#include "common/minute.h"

// X(name, text)
#define BASELINES(X)                                                     \
    X(ntopng, "more than 5 SMTP servers a minute (ntopng)")              \
    X(servers_5min, "more than 10 servers in 5 minutes")                 \
    X(twenty_5min, "more than 20 connections in 5 minutes")              \
    X(fifteen_15min, "more than 15 connections in 15 minutes")           \
    X(twenty_60s, "more than 20 connections in 60 seconds")              \
    X(trw_2, "TRW, alpha 0.01")                                          \
    X(trw_5, "TRW, alpha 0.00001")                                       \
    X(spot_count, "SPOT's count: more than 30 refused messages an hour") \
    X(spot_percent, "SPOT's percentage: 6 messages an hour, half refused")

enum baseline {
#define X(name, text) BASELINE_##name,
    BASELINES(X)
#undef X
        BASELINE_N
};

const char *baseline_name(unsigned b);
const char *baseline_text(unsigned b);

struct baseline_state; // of one party

struct baseline_state *baseline_new(void);
void baseline_free(struct baseline_state *s);

// Bits of the baselines that raise an alarm in this row. `level` gets for each the most that its count, percentage or
// walk came to in the row, to be held against other limits than its own.
unsigned baseline_row(struct baseline_state *s, const struct minute_row *r,
                      float level[static BASELINE_N]);
