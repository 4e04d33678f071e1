// blocklist: replies that name a blocklist.
//
// A policy listing (PBL, DUL, dynamic address) is what any printer earns that talks to a mail server:
// next to nothing. An exploit listing (XBL, CSS, SpamCop, PSBL) is somebody else's observation of
// spam or malware from this address: strong, but addresses change hands, so it never convicts alone.
// A bare zone name is unknown until looked up. docs/detectors/blocklist.md.
#include "detector.h"

#include <stdio.h>

struct blocklist_conf {
    double policy, unknown, exploit_first, exploit_more, cap;
};

extern const struct detector_descriptor detector_blocklist;

#define FIELD(m)   offsetof(struct blocklist_conf, m)
#define DAY_S      86400
#define POLICY_MAX 0.3

static const struct conf_key keys[] = {
    {.name = "policy",
     .type = CONF_REAL,
     .offset = FIELD(policy),
     .min = 0,
     .max = POLICY_MAX,
     .def = "0.3",
     .unit = "log-odds",
     .help = "Weight of policy listings, however many."},
    {.name = "unknown",
     .type = CONF_REAL,
     .offset = FIELD(unknown),
     .min = 0,
     .max = 1,
     .def = "0.3",
     .unit = "log-odds",
     .help = "Weight of listings of unknown kind, however many."},
    {.name = "exploit_first",
     .type = CONF_REAL,
     .offset = FIELD(exploit_first),
     .min = 0,
     .max = 6,
     .def = "3",
     .unit = "log-odds",
     .help = "Weight of a first reply that names an exploit listing."},
    {.name = "exploit_more",
     .type = CONF_REAL,
     .offset = FIELD(exploit_more),
     .min = 0,
     .max = 3,
     .def = "0.5",
     .unit = "log-odds",
     .help = "Weight of each further one."},
    {.name = "cap",
     .type = CONF_REAL,
     .offset = FIELD(cap),
     .min = 0,
     .max = 6,
     .def = "5",
     .unit = "log-odds",
     .help = "Most that this evidence may weigh."},
    {.name = NULL},
};

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    (void)state;
    const struct blocklist_conf *c = ctx->conf;
    double exploit = (double)window_sum(w, FEATURE_LISTED_EXPLOIT, ctx->now_ms, DAY_S);
    double policy = (double)window_sum(w, FEATURE_LISTED_POLICY, ctx->now_ms, DAY_S);
    double unknown = (double)window_sum(w, FEATURE_LISTED_UNKNOWN, ctx->now_ms, DAY_S);
    double weight = 0, measured = exploit;
    if (exploit > 0) {
        weight = c->exploit_first + c->exploit_more * (exploit - 1);
        if (weight > c->cap)
            weight = c->cap;
    } else if (policy + unknown > 0) {
        measured = policy + unknown;
        weight = unknown > 0 ? c->unknown : c->policy;
    }
    if (weight <= 0)
        return 0;
    struct detector_finding f = detector_finding_of(&detector_blocklist, measured, 0, "replies",
                                                    DAY_S, weight);
    f.supports = detector_classes_of(w, ctx->now_ms);
    f.defines = exploit > 0 ? f.supports & DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT) : 0;
    static const enum feature listed[] = {FEATURE_LISTED_EXPLOIT, FEATURE_LISTED_POLICY,
                                          FEATURE_LISTED_UNKNOWN};
    f.evidence.last_ms = exploit > 0 ? detector_last(w, listed, 1, ctx->now_ms, DAY_S)
                                     : detector_last(w, listed + 1, 2, ctx->now_ms, DAY_S);
    f.evidence.first_ms = exploit > 0 ? detector_first(w, listed, 1, ctx->now_ms, DAY_S)
                                      : detector_first(w, listed + 1, 2, ctx->now_ms, DAY_S);
    const char *many = measured == 1 ? "y" : "ies";
    if (exploit > 0)
        snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
                 "%.0f repl%s of mail servers in a day named a blocklist of infected or spamming "
                 "hosts.",
                 exploit, many);
    else
        snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
                 "%.0f repl%s of mail servers in a day named a %s; home lines earn these whatever "
                 "they send.",
                 measured, many, unknown > 0 ? "blocklist of unknown kind" : "policy blocklist");
    out[0] = f;
    return 1;
}

const struct detector_descriptor detector_blocklist = {
    .name = "blocklist",
    .section = "blocklist",
    .help = "Replies that name a blocklist, by its kind.",
    .family = VERDICT_FAMILY_REPUTATION,
    .needs = DETECTOR_ANSWERS | DETECTOR_HANDSHAKES | DETECTOR_ENVELOPE,
    .raw = DETECTOR_RAW_LISTINGS,
    .reads = FEATURE_MX,
    .keys = keys,
    .conf_size = sizeof(struct blocklist_conf),
    .evaluate = evaluate,
};
