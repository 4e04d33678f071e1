// A verdict with every member set, for tests of the formats that carry it.
#pragma once

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/verdict.h"

#define SAMPLE_MS 1795327200000LL // 2026-11-22T06:00:00Z

static inline struct verdict verdict_sample(void)
{
    struct verdict v = {.event = VERDICT_OPENED,
                        .id = "v00ff00ff00ff00ff-1a201d70b00",
                        .class_ = VERDICT_SPAMBOT_DIRECT,
                        .pop = "north",
                        .network_class = "residential",
                        .confidence = IDENTITY_LIKELY,
                        .doubts = IDENTITY_NEAR_CHANGE | IDENTITY_LOST_STOP,
                        .first_ms = SAMPLE_MS,
                        .last_ms = SAMPLE_MS + 338697,
                        .made_ms = SAMPLE_MS + 339000,
                        .prior = -6.9068,
                        .log_odds = 9.3932,
                        .score = 0.999917,
                        .ceiling = VERDICT_RESTRICT,
                        .limitations = VERDICT_LOSS | VERDICT_SHORT_HISTORY,
                        .sources = VERDICT_FROM_PACKETS | VERDICT_FROM_LOG,
                        .loss_ppm = 1200,
                        .observed_s = 338,
                        .window_s = 339,
                        .role = "household",
                        .rules_version = "2026.1",
                        .conf_hash = "00112233445566778899aabbccddeeff",
                        .inputs = "20261122.000001:0-20261122.000001:4096",
                        .evidence_count = 2};
    assert(party_parse("line:4711", &v.party) == 0);
    assert(subscriber_key_parse("vlan:101/192.0.2.7", &v.key) == 0);
    v.evidence[0] = (struct verdict_evidence){.detector = "first-contact",
                                              .family = VERDICT_FAMILY_CONTACT,
                                              .measured = 10,
                                              .limit = 9,
                                              .unit = "failed first contacts",
                                              .window_s = 339,
                                              .log_odds = 12,
                                              .counted = true,
                                              .first_ms = SAMPLE_MS,
                                              .last_ms = SAMPLE_MS + 338697,
                                              .sentence = "10 of 10 first contacts failed."};
    v.evidence[1] = (struct verdict_evidence){.detector = "fan-out",
                                              .family = VERDICT_FAMILY_SPREAD,
                                              .measured = 12,
                                              .limit = 6,
                                              .unit = "providers",
                                              .window_s = 600,
                                              .log_odds = 4.3,
                                              .conclusive = true,
                                              .first_ms = SAMPLE_MS,
                                              .last_ms = SAMPLE_MS + 339000,
                                              .sentence = "Contacted 12 mail providers."};
    return v;
}
