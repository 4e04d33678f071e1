// What the detectors' tests share: a party, chance that repeats itself, and one play's verdict.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "rig.h"

#define MINUTE 60000LL
#define HOUR   (60 * MINUTE)

static const struct rig_who play_somebody = {.host = 9, .line = true};

static inline uint32_t pick(uint64_t seed, uint32_t n)
{
    return (uint32_t)(hash_mix(seed) % n);
}

// Plays and gives the opening verdict of the class, or NULL; a copy, so that the rig can go.
static inline bool plays_as(const char *yaml, const struct rig_who *who, const struct rig_flow *f,
                            size_t n, int class_, struct verdict *out)
{
    struct rig r;
    rig_init(&r, yaml);
    rig_play(&r, who, f, n);
    const struct verdict *v = rig_verdict(&r, class_, VERDICT_OPENED, 0);
    if (v)
        *out = *v;
    rig_fini(&r);
    return v != NULL;
}

// Mail that somebody outside delivers; a scanner is greeted and leaves.
static inline struct rig_flow play_inbound(int64_t start_ms, uint32_t from, bool delivers)
{
    return (struct rig_flow){.start_ms = start_ms,
                             .provider = from,
                             .direction = MINUTE_IN,
                             .outcome = MINUTE_OUTCOME_GREETED,
                             .messages_ok = delivers};
}

// What one detector says of the party's last row: plays with a threshold no evidence can reach by
// itself is no use, so the evidence is looked up in an engine whose verdicts open at once.
static const char *const play_at_once =
    "analysis:\n  priors: {household: 0.5, unknown: 0.5, mail_server: 0.5}\n  classes:\n"
    "    - {class: spambot-direct, open: 0.5, close: 0.4}\n"
    "    - {class: spambot-smarthost, open: 0.5, close: 0.4}\n"
    "    - {class: compromised-account, open: 0.5, close: 0.4}\n";
