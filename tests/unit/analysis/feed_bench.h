// What the feed's tests stand on: a folder of their own, and verdicts made up.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "feed/feed.h"
#include "scratch.h"

#define T0        1795327200000LL
#define MINUTE_MS 60000LL
#define HOUR_MS   3600000LL

static const struct feed_rule feed_bench_rule = {
    .remedy = {.confirm_score = 0.999, .confirm_after_ms = 30 * MINUTE_MS, .ttl_ms = 24 * HOUR_MS},
    .offence_ms = 90 * 24 * HOUR_MS};

struct place {
    char dir[SCRATCH_MAX], db[96], verdicts[96], feed[96];
};

static inline int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p || scratch_make(p->dir) != 0)
        return -1;
    snprintf(p->db, sizeof p->db, "%s/t.db", p->dir);
    snprintf(p->verdicts, sizeof p->verdicts, "%s/verdicts.jsonl", p->dir);
    snprintf(p->feed, sizeof p->feed, "%s/tickets.jsonl", p->dir);
    *state = p;
    return 0;
}

static inline void remove_store(const struct place *p)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", p->db, ends[i]);
        unlink(path);
    }
}

static inline int remove_place(void **state)
{
    struct place *p = *state;
    scratch_remove(p->dir);
    free(p);
    return 0;
}

static inline struct verdict make_verdict(enum verdict_event event, unsigned line, int64_t after_ms)
{
    struct verdict v = {.event = (uint8_t)event,
                        .class_ = VERDICT_SPAMBOT_DIRECT,
                        .first_ms = T0,
                        .last_ms = T0 + after_ms,
                        .made_ms = T0 + after_ms,
                        .score = 0.9999,
                        .ceiling = VERDICT_RESTRICT,
                        .sources = VERDICT_FROM_PACKETS,
                        .role = "household",
                        .evidence_count = 2};
    char party[32];
    snprintf(party, sizeof party, "line:%u", line);
    snprintf(v.id, sizeof v.id, "v%u", line);
    assert_int_equal(party_parse(party, &v.party), 0);
    assert_int_equal(subscriber_key_parse("192.0.2.7", &v.key), 0);
    for (uint8_t i = 0; i < 2; i++)
        v.evidence[i] = (struct verdict_evidence){.detector = "fan-out",
                                                  .family = i,
                                                  .log_odds = 5 - i,
                                                  .counted = true,
                                                  .first_ms = T0,
                                                  .last_ms = T0,
                                                  .sentence = "Too many."};
    return v;
}

#define PLACE_TEST(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)
