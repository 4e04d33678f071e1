// Deadlines in packet time, and the end of a flow. A deadline moves with every packet; the wheel is told
// only when it comes nearer, and looks again when the old one is reached. What fires does so at its
// deadline, before any packet of that time or later. Ended flows all wait equally long: the list of them
// is in the order of their deadlines, and they need no place in the wheel.
#include <assert.h>

#include "flow.h"
#include "flow_key.h"

static int64_t deadline(struct flow_table *t, const struct flow *f)
{
    const struct flow_config *c = &t->config;
    bool pending = f->handshake == RECORD_HANDSHAKE_PENDING;
    switch (f->state) {
    case FLOW_SYN_SENT:
        return pending ? f->start_us + c->syn_timeout_us : f->last_us + c->half_open_us;
    case FLOW_CLOSING: {
        // What is still awaited gets its chance.
        int64_t linger = f->last_us + c->linger_us, gap = dialogue_deadline(t, f);
        return gap > linger ? gap : linger;
    }
    case FLOW_DATAGRAM:
        return f->last_us + (flow_port(f, 1) == 53 ? c->dns_idle_us : c->datagram_idle_us);
    default: break;
    }
    bool closing = f->flags & (FLOW_FIN_INITIATOR | FLOW_FIN_RESPONDER);
    int64_t at = f->last_us + (pending ? c->early_us : closing ? c->closing_us : c->idle_us);
    int64_t gap = dialogue_deadline(t, f);
    return gap != 0 && gap < at ? gap : at;
}

void flow_arm(struct flow_table *t, struct flow *f)
{
    uint32_t i = flow_index(t, f);
    int64_t at = deadline(t, f), set = wheel_deadline(t->wheel, i);
    assert(f->state != FLOW_DONE);
    if (set >= 0 && at >= set)
        return;
    wheel_set(t->wheel, i, at);
    if (at < t->quiet_us)
        t->quiet_us = at;
}

void flow_decide(struct flow *f, uint8_t handshake, int64_t t_us)
{
    f->handshake = handshake;
    f->outcome_ms = (uint32_t)(t_us / 1000 - f->start_us / 1000) + 1;
}

// An end says what became of the handshake, as far as it can be said.
static void decide_at_end(struct flow_table *t, struct flow *f, unsigned how, int64_t t_us)
{
    if (f->handshake != RECORD_HANDSHAKE_PENDING || f->state == FLOW_DATAGRAM)
        return;
    if (f->state == FLOW_SYN_SENT) {
        // A host that gives up an attempt says nothing; one that resets it has got an answer that was
        // not shown to us. What is younger than the time-out stays open.
        if (f->flags & FLOW_RESET)
            flow_decide(f, RECORD_HANDSHAKE_CLOSED_EARLY, t_us);
        else if (t_us >= f->start_us + t->config.syn_timeout_us)
            flow_decide(f, RECORD_HANDSHAKE_UNANSWERED, t_us);
        return;
    }
    bool ended = how == PROTO_END_FIN || how == PROTO_END_RST;
    flow_decide(f,
                ended && !(f->flags & FLOW_SPOKE) ? RECORD_HANDSHAKE_CLOSED_EARLY
                                                  : RECORD_HANDSHAKE_ESTABLISHED,
                t_us);
}

void flow_end_now(struct flow_table *t, struct flow *f, unsigned how, int64_t t_us)
{
    dialogue_close(t, f, how, t_us);
    decide_at_end(t, f, how, t_us);
    if (flow_proto(f) == 6) {
        const uint16_t both = FLOW_SEEN_INITIATOR | FLOW_SEEN_RESPONDER;
        bool answered = f->handshake == RECORD_HANDSHAKE_ESTABLISHED ||
                        f->handshake == RECORD_HANDSHAKE_CLOSED_EARLY ||
                        f->handshake == RECORD_HANDSHAKE_MIDSTREAM;
        t->stats->ended_flows++;
        t->stats->one_sided_flows += answered && (f->flags & both) != both;
    }
    t->report(t->report_ctx, t, f, RECORD_END, t_us);
    if (f->watch & FLOW_WATCHED)
        carriers_drop(t, f);
    dialogue_free(t, f);
    flow_set_state(t, f, FLOW_DONE, t_us);
}

// Ended flows are given back in the order in which they ended. What the next of them will touch is fetched now,
// and the one behind it: between two ends there are packets enough for both to arrive.
static void fetch_ended(const struct flow_table *t, const struct flow *f)
{
    if (f->newer == FLOW_NONE)
        return;
    const struct flow *next = &t->flow[f->newer];
    __builtin_prefetch(&t->head[flow_hash(t, &next->key) & t->mask], 1);
    if (next->newer == FLOW_NONE)
        return;
    flow_prefetch(&t->flow[next->newer]);
    __builtin_prefetch((const char *)&t->flow[next->newer + 1] - 1, 1);
}

static void fire(struct flow_table *t, struct flow *f, int64_t t_us)
{
    int64_t gap = dialogue_deadline(t, f);
    if (gap != 0 && gap <= t_us && f->state != FLOW_CLOSING) {
        dialogue_timeout(t, f, t_us);
        flow_arm(t, f);
        return;
    }
    bool pending = f->handshake == RECORD_HANDSHAKE_PENDING;
    switch (f->state) {
    case FLOW_CLOSING:
        flow_end_now(t, f, f->flags & FLOW_RESET ? PROTO_END_RST : PROTO_END_FIN, t_us);
        return;
    case FLOW_SYN_SENT:
    case FLOW_SYN_RECEIVED:
    case FLOW_OPEN:
        if (!pending)
            break;
        // Failures are told at once, that they count within the second.
        flow_decide(f,
                    f->state == FLOW_SYN_SENT ? RECORD_HANDSHAKE_UNANSWERED
                                              : RECORD_HANDSHAKE_CLOSED_EARLY,
                    t_us);
        t->report(t->report_ctx, t, f, 0, t_us);
        flow_arm(t, f);
        return;
    default: break;
    }
    flow_end_now(t, f, PROTO_END_TIMEOUT, t_us);
    flow_free(t, f);
}

// When the ended flow that is next goes; INT64_MAX: there is none.
static int64_t ended_until(const struct flow_table *t)
{
    uint32_t i = t->list[FLOW_LIST_DONE].oldest;
    return i == FLOW_NONE ? INT64_MAX : t->flow[i].last_us + t->config.done_us;
}

// The next of the ended flows: of those that ended at once the one with the lowest place, as the wheel has it.
static uint32_t next_ended(const struct flow_table *t)
{
    uint32_t first = t->list[FLOW_LIST_DONE].oldest;
    int64_t at = t->flow[first].last_us;
    for (uint32_t i = t->flow[first].newer; i != FLOW_NONE; i = t->flow[i].newer) {
        if (t->flow[i].last_us != at)
            break;
        if (i < first)
            first = i;
    }
    return first;
}

static void free_ended(struct flow_table *t, uint32_t i)
{
    struct flow *f = &t->flow[i];
    fetch_ended(t, f);
    flow_free(t, f);
}

void flow_run(struct flow_table *t, int64_t t_us)
{
    if (t_us < t->quiet_us)
        return;
    for (;;) {
        int64_t due, ended = ended_until(t);
        uint32_t i = wheel_pop(t->wheel, ended < t_us ? ended : t_us, &due);
        if (i == WHEEL_NONE) {
            if (ended > t_us)
                break;
            free_ended(t, next_ended(t));
            continue;
        }
        // Of what is due at once the lower place comes first.
        for (uint32_t e; ended_until(t) == due && (e = next_ended(t)) < i;)
            free_ended(t, e);
        struct flow *f = &t->flow[i];
        if (deadline(t, f) > due)
            flow_arm(t, f);
        else
            fire(t, f, due);
    }
    int64_t ended = ended_until(t), quiet = wheel_quiet(t->wheel);
    t->quiet_us = ended < quiet ? ended : quiet;
}

// An attempt that still waits for its answer counts in the minute of its SYN, though its outcome comes in
// the next. The list is in order of the first SYN; what is older than the time-out was told with its
// outcome, so a scan adds only the attempts of its last seconds.
static void tell_pending(struct flow_table *t, int64_t t_us)
{
    uint32_t i = t->list[FLOW_LIST_OPENING].newest, first = FLOW_NONE;
    for (; i != FLOW_NONE; i = t->flow[i].older) {
        if (t->flow[i].start_us + t->config.syn_timeout_us < t_us)
            break;
        first = i;
    }
    for (i = first; i != FLOW_NONE; i = t->flow[i].newer) {
        struct flow *f = &t->flow[i];
        if (!(f->flags & FLOW_TOLD))
            t->report(t->report_ctx, t, f, 0, t_us);
    }
}

// What the flows behind this one will touch: the third of them itself, what hangs on the second, and what hangs on
// that of the first. All connections of a minute are told in one go, and the ring has to hold what comes meanwhile.
static void fetch_behind(const struct flow_table *t, const struct flow *f)
{
    if (f->newer == FLOW_NONE)
        return;
    const struct flow *first = &t->flow[f->newer];
    dialogue_prefetch_tracker(t->dialogues, first);
    if (first->newer == FLOW_NONE)
        return;
    const struct flow *second = &t->flow[first->newer];
    dialogue_prefetch(t->dialogues, second);
    if (second->newer != FLOW_NONE)
        flow_prefetch(&t->flow[second->newer]);
}

void flow_minute(struct flow_table *t, int64_t t_us)
{
    tell_pending(t, t_us);
    uint32_t i = t->minute_first;
    while (i != FLOW_NONE) {
        struct flow *f = &t->flow[i];
        fetch_behind(t, f);
        i = f->newer;
        if (f->flags & FLOW_CHANGED) {
            carriers_minute(t, f, t_us);
            t->report(t->report_ctx, t, f, 0, t_us);
        }
        dialogue_reconsider(t, f);
    }
    t->minute_first = FLOW_NONE;
}

void flow_cut(struct flow_table *t)
{
    static const unsigned lists[] = {FLOW_LIST_OPENING, FLOW_LIST_LIVE};
    for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++) {
        for (uint32_t i = t->list[lists[l]].oldest; i != FLOW_NONE; i = t->flow[i].newer) {
            struct flow *f = &t->flow[i];
            if (flow_proto(f) == 6 && f->state != FLOW_CLOSING)
                f->incomplete |= RECORD_PARSER_LOST;
        }
    }
}

void flow_finish(struct flow_table *t, int64_t t_us)
{
    for (unsigned l = 0; l < FLOW_LISTS; l++) {
        while (t->list[l].oldest != FLOW_NONE) {
            struct flow *f = &t->flow[t->list[l].oldest];
            if (l != FLOW_LIST_DONE) {
                unsigned how = f->flags & FLOW_RESET      ? PROTO_END_RST
                               : f->state == FLOW_CLOSING ? PROTO_END_FIN
                                                          : PROTO_END_TIMEOUT;
                flow_end_now(t, f, how, t_us);
            }
            flow_free(t, f);
        }
    }
}
