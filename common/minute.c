// Adding minute rows: counters add up, gauges add up or take the larger, sets unite, digests follow one
// another in order of their start. minute_codec.c reads and writes rows.
#include "common/minute.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t minute_sum(const struct minute_row *r, enum minute_direction d, enum minute_counter c)
{
    uint64_t sum = 0;
    for (unsigned role = 0; role < MINUTE_ROLES; role++)
        sum = add_saturated(sum, r->counter[role][d][c]);
    return sum;
}

void minute_row_fini(struct minute_row *r, struct distinct_budget *budget)
{
    for (unsigned i = 0; i < MINUTE_SET_N; i++)
        distinct_clear(&r->set[i], budget);
    free(r->digest);
    *r = (struct minute_row){0};
}

static int32_t moved(int32_t t_ms, int64_t by_ms)
{
    int64_t t = t_ms + by_ms;
    return t < INT32_MIN ? INT32_MIN : t > INT32_MAX ? INT32_MAX : (int32_t)t;
}

// Merges `from`'s digests, moved to `into`'s minute, so that all stay in order of start; of two that
// start at the same time the one already there comes first.
static int add_digests(struct minute_row *into, const struct minute_row *from, uint32_t max)
{
    uint32_t room = into->digest_count < max ? max - into->digest_count : 0;
    uint32_t take = from->digest_count < room ? from->digest_count : room;
    uint32_t left = from->digest_count - take;
    if (take > 0) {
        uint32_t count = into->digest_count + take;
        struct minute_digest *all = realloc(into->digest, count * sizeof *all);
        if (!all)
            return -ENOMEM;
        into->digest = all;
        int64_t days = (from->minute - into->minute) / 1440;
        int64_t by_ms = days > 36500    ? INT32_MAX
                        : days < -36500 ? INT32_MIN
                                        : (from->minute - into->minute) * 60000;
        uint32_t a = into->digest_count, b = take, at = count;
        while (b > 0) {
            struct minute_digest d = from->digest[b - 1];
            d.start_ms = moved(d.start_ms, by_ms);
            d.end_ms = moved(d.end_ms, by_ms);
            if (d.outcome != MINUTE_OUTCOME_PENDING || d.outcome_ms != 0)
                d.outcome_ms = moved(d.outcome_ms, by_ms);
            while (a > 0 && all[a - 1].start_ms > d.start_ms)
                all[--at] = all[--a];
            all[--at] = d;
            b--;
        }
        into->digest_count = count;
    }
    into->digests_cut = into->digests_cut > UINT32_MAX - left ? UINT32_MAX
                                                              : into->digests_cut + left;
    uint32_t cut = from->digests_cut;
    into->digests_cut = into->digests_cut > UINT32_MAX - cut ? UINT32_MAX : into->digests_cut + cut;
    return 0;
}

void minute_row_add_sensor(struct minute_row *r, const char *name)
{
    if (!name[0] || strcmp(r->sensor[0], MINUTE_SENSORS_ALL) == 0)
        return;
    size_t at = 0;
    while (at < MINUTE_SENSORS_MAX && r->sensor[at][0] && strcmp(r->sensor[at], name) != 0)
        at++;
    if (at == MINUTE_SENSORS_MAX || strcmp(name, MINUTE_SENSORS_ALL) == 0) {
        memset(r->sensor, 0, sizeof r->sensor);
        at = 0;
        name = MINUTE_SENSORS_ALL;
    }
    snprintf(r->sensor[at], sizeof r->sensor[at], "%s", name);
}

// What a row says of itself: that of the first row, widened by the next.
static void add_head(struct minute_row *into, const struct minute_row *from)
{
    if (into->key.kind == 0) {
        into->minute = from->minute;
        into->cut_ms = from->cut_ms;
        into->key = from->key;
        into->party = from->party;
        into->confidence = from->confidence;
        memcpy(into->network_class, from->network_class, sizeof into->network_class);
        memcpy(into->pop, from->pop, sizeof into->pop);
    }
    if (from->cut_ms > into->cut_ms)
        into->cut_ms = from->cut_ms;
    if (from->confidence < into->confidence)
        into->confidence = from->confidence;
    into->doubts |= from->doubts;
    into->flags |= from->flags;
    for (size_t i = 0; i < MINUTE_SENSORS_MAX; i++)
        minute_row_add_sensor(into, from->sensor[i]);
    if (from->loss_ppm > into->loss_ppm)
        into->loss_ppm = from->loss_ppm;
    if (from->lease_unseen > into->lease_unseen)
        into->lease_unseen = from->lease_unseen;
    if (from->minute == into->minute && from->observed_s > into->observed_s)
        into->observed_s = from->observed_s;
}

int minute_row_add(struct minute_row *into, const struct minute_row *from, uint32_t digests_max,
                   struct distinct_budget *budget)
{
    assert(into != from);
    add_head(into, from);
    int rc = add_digests(into, from, digests_max);
    if (rc < 0)
        return rc;
    for (unsigned role = 0; role < MINUTE_ROLES; role++)
        for (unsigned d = 0; d < MINUTE_DIRECTIONS; d++)
            for (unsigned c = 0; c < MINUTE_COUNTER_N; c++)
                into->counter[role][d][c] = add_saturated(into->counter[role][d][c],
                                                          from->counter[role][d][c]);
    for (unsigned g = 0; g < MINUTE_GAUGE_N; g++) {
        if (!minute_gauge_is_maximum(g))
            into->gauge[g] = add_saturated(into->gauge[g], from->gauge[g]);
        else if (from->gauge[g] > into->gauge[g])
            into->gauge[g] = from->gauge[g];
    }
    for (unsigned s = 0; s < MINUTE_SET_N; s++)
        distinct_merge(&into->set[s], &from->set[s], budget);
    return 0;
}
