// Rows and coverage made by hand, for tests of the series writer, and reading what came of them.
#pragma once

#include "series/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scratch.h"

// What a row is of; what is not said is zero.
struct rig_row {
    const char *who;
    int64_t minute;
    uint64_t established, refused, unanswered, messages, recipients, socks_in;
    unsigned first_peer, peers;
    const char *party; // text; NULL: provisional
    const char *pop, *network_class;
    int64_t cut_ms;
    uint32_t flags;
    const char *sensor, *sensor2; // that saw it
};

static struct distinct_budget rig_budget = {.sketches_max = 64};

static inline void rig_put(struct series_writer *w, struct rig_row x)
{
    struct minute_row *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->minute = x.minute;
    r->cut_ms = x.cut_ms ? x.cut_ms : (x.minute + 1) * 60000;
    r->flags = x.flags;
    assert_int_equal(subscriber_key_parse(x.who, &r->key), 0);
    r->party = party_provisional(&r->key);
    if (x.party)
        assert_int_equal(party_parse(x.party, &r->party), 0);
    if (x.pop)
        snprintf(r->pop, sizeof r->pop, "%s", x.pop);
    if (x.network_class)
        snprintf(r->network_class, sizeof r->network_class, "%s", x.network_class);
    minute_row_add_sensor(r, x.sensor ? x.sensor : "");
    minute_row_add_sensor(r, x.sensor2 ? x.sensor2 : "");
    uint64_t *c = r->counter[MINUTE_MX][MINUTE_OUT];
    c[MINUTE_connections] = x.established + x.refused + x.unanswered;
    c[MINUTE_established] = x.established;
    c[MINUTE_refused] = x.refused;
    c[MINUTE_unanswered] = x.unanswered;
    c[MINUTE_messages_ok] = x.messages;
    c[MINUTE_rcpt] = x.recipients;
    r->gauge[MINUTE_socks_in] = x.socks_in;
    for (unsigned i = 0; i < x.peers; i++)
        distinct_add(&r->set[MINUTE_SET_peers_mx], 0, 1000 + x.first_peer + i, &rig_budget);
    assert_int_equal(series_writer_row(w, r), 0);
    minute_row_fini(r, &rig_budget);
    free(r);
}

static inline void rig_watch(struct series_writer *w, int64_t first, int64_t end)
{
    for (int64_t m = first; m < end; m++) {
        struct coverage_minute c = {.minute = m, .seconds = 60};
        assert_int_equal(series_writer_coverage(w, &c), 0);
    }
}

// The same of one of several sensors.
static inline void rig_watch_by(struct series_writer *w, const char *sensor, int64_t first,
                                int64_t end)
{
    for (int64_t m = first; m < end; m++) {
        struct coverage_minute c = {.minute = m, .seconds = 60, .sum = {.packets = 1000}};
        snprintf(c.sum.sensor, sizeof c.sum.sensor, "%s", sensor);
        assert_int_equal(series_writer_coverage(w, &c), 0);
    }
}

static inline struct series_writer *rig_open(const char *dir, struct series_options o)
{
    char why[300];
    struct series_writer *w = NULL;
    o.rrd_dir = dir;
    o.creations_a_minute = o.creations_a_minute ? o.creations_a_minute : 300;
    o.burst_connections = o.burst_connections ? o.burst_connections : 3;
    o.waiting_minutes_max = o.waiting_minutes_max ? o.waiting_minutes_max : 60;
    o.keys_max = o.keys_max ? o.keys_max : 1000;
    if (series_writer_open(&o, &w, why) != 0)
        fail_msg("%s", why);
    return w;
}

// The caller frees. Minutes of the epoch.
static inline struct series_sample *rig_read(const char *dir, enum series_kind kind,
                                             const char *name, int64_t first, int64_t end,
                                             int32_t step_s, size_t *count)
{
    struct series_range r = {.start_s = first * 60, .end_s = end * 60, .step_s = step_s};
    struct series_sample *s = NULL;
    assert_int_equal(series_fetch(dir, kind, name, &r, &s, count), 0);
    return s;
}
