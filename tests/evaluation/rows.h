// Flows to minute rows, as the collector makes them: additive, with digests, cut early when much happens, in the
// order of their cuts. docs/formats/minute.md gives the rules that are followed here.
#pragma once

#include "common/minute.h"
#include "flow.h"

// What the tap makes of flows before anybody counts them.
struct sight {
    double loss;        // share of packets lost
    unsigned sampling;  // 1:N packets
    bool one_direction; // what comes to the subscriber is not seen
    bool flow_only;     // legal profile: no dialogue is opened
    bool no_log;        // there is no mail log
    bool export;        // a router's flow export instead of packets
    bool tier_a;        // of ports that are no mail: SYN, FIN and RST alone
    bool undeclared;    // the analysis is not told
};

// Takes from the flow what is not seen, before anybody counts it. False: nothing of it is seen.
bool sight_blur(const struct sight *s, struct rng *r, struct flow *f);
// What a sensor of that sight would declare, of a minute. False: nothing is worth declaring.
bool sight_declare(const struct sight *s, int64_t minute, struct coverage_minute *out);

struct rows_whose {
    struct party party;
    uint32_t address; // counted from the site's first
    uint8_t confidence;
    uint32_t doubts;
    int64_t seen_ms; // last sign of the lease; 0: not told
};

struct rows_options {
    void (*whose)(uint32_t line, int64_t t_ms, void *ctx, struct rows_whose *out);
    void *ctx;
    uint32_t address; // the site's first, IPv4
    const struct sight *sight;
};

typedef int (*rows_fn)(const struct minute_row *r, void *ctx);
typedef void (*rows_mark_fn)(int64_t mark_ms, const struct minute_site *site, void *ctx);

struct rows;

struct rows *rows_new(const struct rows_options *options);
void rows_free(struct rows *r);

// Takes the flows of a day (any order; changes them) and hands out rows of events before `until_ms`, with a mark
// behind each minute. What happens later is kept for the next call. `site_counts` says whether a line's contacts
// count in the site's minute.
int rows_day(struct rows *r, struct flows *flows, int64_t until_ms,
             bool (*site_counts)(uint32_t line, void *ctx), rows_fn fn, rows_mark_fn mark,
             void *ctx);
