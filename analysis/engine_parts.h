// Inside of the engine: what engine.c (rows in, time passes) and judge.c (verdicts out) share.
#pragma once

#include "engine.h"
#include "party.h"

struct engine {
    struct engine_options options;
    engine_verdict_fn fn;
    void *ctx;
    struct site site;
    struct party_table *parties;
    struct prefix_set *servers; // site.mail_servers
    struct policy_class rules[VERDICT_CLASSES];
    bool on[DETECTORS_MAX];
    size_t state_offset[DETECTORS_MAX];
    const void *conf[DETECTORS_MAX];
    int64_t expired_ms, looked_ms;
    struct window_contacts contacts; // of the row at hand
    uint64_t rows, amendments, opened, updated, closed, exempted, expired, unobserved, retracted,
        passed_over;
};

// Is the detector on, and is what it needs seen?
bool engine_works(const struct engine *e, size_t detector);

// Evaluates all detectors on the party and opens or goes on with its verdicts. 0 or -ENOMEM.
int judge_party(struct engine *e, struct party_state *p, struct detector_ctx *ctx,
                const struct journal_cursor *to);

// Closes verdicts that nothing has supported for their quiet time.
void judge_close_quiet(struct engine *e, struct party_state *p, int64_t now_ms);

// Verdicts made in the minute in which the site broke, before that could be known, are taken back.
void judge_retract(struct engine *e, struct party_state *p, int64_t since_ms, int64_t now_ms);
