// Sessions over socket pairs into an intake and its collector: octets in, with the time at which they come; the journal read.
#pragma once

#include <sys/socket.h>

#include "intake_world.h"
#include "permit.h"
#include "sessions.h"

#define RIG_SESSIONS 4

struct rig {
    struct world *world;
    struct loop *loop;
    struct sources *sources;
    struct clocks clocks;
    struct session_room room;
    struct session *session[RIG_SESSIONS];
    int fd[RIG_SESSIONS]; // the other end
};

static inline void rig_stalled(void *ctx)
{
    (void)ctx;
    fail_msg("the intake stalled");
}

static inline void rig_full(void *ctx)
{
    struct rig *r = ctx;
    sync_all(r->world);
}

static inline void rig_silent_log(void *ctx, const char *line)
{
    (void)ctx;
    (void)line;
}

static inline int rig_setup(void **state)
{
    void *world;
    struct rig *r = calloc(1, sizeof *r);
    if (setup(&world) < 0)
        return -1;
    r->world = world;
    r->loop = loop_new();
    r->sources = sources_new(rig_silent_log, NULL);
    place(r->world, "rig");
    assert_int_equal(start(r->world), 0);
    r->room = (struct session_room){.loop = r->loop,
                                    .intake = r->world->intake,
                                    .sources = r->sources,
                                    .clocks = &r->clocks,
                                    .rate = 1000000,
                                    .ahead_max_ms = 120000,
                                    .stalled = rig_stalled,
                                    .full = rig_full,
                                    .ctx = r};
    *state = r;
    return 0;
}

static inline void rig_hang_up(struct rig *r, size_t i)
{
    if (!r->session[i])
        return;
    session_free(r->session[i]);
    close(r->fd[i]);
    r->session[i] = NULL;
}

// Ends the collector as a kill does; the log stays.
static inline void rig_end(struct rig *r)
{
    for (size_t i = 0; i < RIG_SESSIONS; i++)
        rig_hang_up(r, i);
    if (!r->world->intake)
        return;
    sync_all(r->world);
    end(r->world);
    r->world->intake = NULL;
}

static inline int rig_teardown(void **state)
{
    struct rig *r = *state;
    void *world = r->world;
    rig_end(r);
    loop_free(r->loop);
    sources_free(r->sources);
    free(r);
    return teardown(&world);
}

static inline void rig_connect_as(struct rig *r, size_t i, const char *peer, struct permit *permit,
                                  int64_t now_ms)
{
    struct session_who who = {.peer = peer, .source = 1 + i, .permit = permit};
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    r->fd[i] = fd[1];
    r->session[i] = session_new(&r->room, fd[0], tls_peer_new(NULL, fd[0]), &who, now_ms);
    assert_non_null(r->session[i]);
}

static inline void rig_connect(struct rig *r, size_t i, const char *peer, int64_t now_ms)
{
    rig_connect_as(r, i, peer, NULL, now_ms);
}

static inline void rig_send(struct rig *r, size_t i, struct span octets, int64_t now_ms)
{
    assert_int_equal(send(r->fd[i], octets.data, octets.len, 0), octets.len);
    session_begin(r->session[i], now_ms);
}

// A record of a sensor of ours, in a message of its own.
static inline void rig_record(struct rig *r, size_t i, const struct record *record, int64_t now_ms)
{
    struct ipfix_encoder *e = ipfix_encoder_new(record->id.domain, 4096);
    assert_int_equal(ipfix_encoder_put(e, record), 0);
    rig_send(r, i, ipfix_encoder_take(e), now_ms);
    ipfix_encoder_free(e);
}

static inline uint64_t rig_counter(struct rig *r, const char *name)
{
    struct control_status *s = control_status_new("test");
    collector_status(r->world->collector, false, s);
    sources_status(r->sources, s);
    json_t *j = control_status_json(s);
    json_t *n = json_object_get(json_object_get(j, "counters"), name);
    assert_non_null(n);
    uint64_t v = (uint64_t)json_integer_value(n);
    json_decref(j);
    control_status_free(s);
    return v;
}

// What the journal says when all is closed.
struct rig_sum {
    uint64_t connections; // to MXs, of all rows
    uint64_t amendments, lost;
    int64_t mark_max_ms;
};

static inline struct rig_sum rig_read(struct rig *r)
{
    struct rig_sum sum = {0};
    struct journal_reader *j;
    const struct journal_entry *e;
    assert_int_equal(collector_finish(r->world->collector), 0);
    rig_end(r);
    assert_int_equal(journal_reader_open(r->world->journal, NULL, NULL, &j), 0);
    while (journal_next(j, &e) == 1) {
        if (e->kind == JOURNAL_ROW) {
            sum.connections += mx_out(&e->row, MINUTE_connections);
            sum.amendments += (e->row.flags & MINUTE_AMENDMENT) != 0;
        } else if (e->kind == JOURNAL_COVERAGE) {
            sum.lost += e->coverage.sum.lost_records;
        } else if (e->mark_ms > sum.mark_max_ms) {
            sum.mark_max_ms = e->mark_ms;
        }
    }
    journal_reader_close(j);
    return sum;
}
