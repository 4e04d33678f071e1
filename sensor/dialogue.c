// Streams and trackers of flows: opened at the first payload, closed when there is nothing to follow.
// What the law or the site does not allow to be looked at is never handed to a tracker.
#include "dialogue_place.h"

#include <assert.h>

#include "stream_next.h"

void dialogue_prefetch(const struct dialogues *d, const struct flow *f)
{
    if (f->dialogue == 0)
        return;
    const struct dialogue *at = &d->dialogue[f->dialogue];
    __builtin_prefetch(at->proto.stack, 1);
    __builtin_prefetch(&at->stream, 1);
}

void dialogue_prefetch_tracker(const struct dialogues *d, const struct flow *f)
{
    if (f->dialogue == 0)
        return;
    const struct proto_flow *p = &d->dialogue[f->dialogue].proto;
    if (p->depth == 0)
        return;
    const struct proto_descriptor *proto = p->stack[p->depth - 1].proto;
    const char *at = p->stack[p->depth - 1].state;
    __builtin_prefetch(at, 1);
    for (const uint16_t *o = proto->touched; *o != 0; o++)
        __builtin_prefetch(at + *o, 1);
    if (!p->out)
        return;
    __builtin_prefetch(p->out, 1);
    for (size_t i = proto->told.from; i < proto->told.to; i += 64)
        __builtin_prefetch((const char *)p->out + i, 1);
}

// ---- What the stream hands out.

struct feeding {
    struct flow_table *table;
    struct flow *flow;
    struct dialogue *dialogue;
};

static void on_data(void *ctx, unsigned dir, struct span data, int64_t t_us)
{
    struct feeding *to = ctx;
    struct proto_flow *p = &to->dialogue->proto;
    p->one_sided = !(to->flow->flags & (dir == 0 ? FLOW_SEEN_RESPONDER : FLOW_SEEN_INITIATOR));
    proto_feed(p, to->table->dialogues->trackers, dir == 0 ? PROTO_INITIATOR : PROTO_RESPONDER,
               data, t_us);
}

static void on_gap(void *ctx, unsigned dir, uint32_t missing, int64_t t_us)
{
    struct feeding *to = ctx;
    to->dialogue->missing[dir] += missing;
    to->flow->incomplete |= RECORD_GAP;
    to->table->stats->missing_octets += missing;
    proto_gap(&to->dialogue->proto, to->table->dialogues->trackers,
              dir == 0 ? PROTO_INITIATOR : PROTO_RESPONDER, missing, t_us);
}

static struct stream_sink sink_of(struct feeding *to)
{
    return (struct stream_sink){.data = on_data, .gap = on_gap, .ctx = to};
}

// What the tracker found out becomes the flow's.
static void note_app(struct flow_table *t, struct flow *f, struct dialogue *d)
{
    if (!d->proto.named)
        return;
    d->proto.named = false;
    f->app = d->proto.app;
    f->app_source = d->proto.app_source;
    f->ndpi_protocol = d->proto.ndpi_protocol;
    bool mail = f->app == RECORD_APP_SMTP || f->app == RECORD_APP_SMTPS ||
                f->app == RECORD_APP_LMTP;
    if (mail && !(f->flags & FLOW_MAIL)) {
        f->flags |= FLOW_MAIL;
        t->stats->mail_flows++;
    }
    if (d->mail != !!(f->flags & FLOW_MAIL)) {
        dialogue_list_out(t->dialogues, d);
        dialogue_list_in(t->dialogues, d, !d->mail);
    }
}

// ---- Octets that wait.
//
// A packet's octets are read behind all packets of its batch: first those of mail in clear, then those of TLS, then the rest.
// What reads the one pushes the other's code out of the processor's first cache, and guesses of branches with it (6 % of
// the time). Of one connection all stay in their order, and whatever else happens to it comes behind them.

static unsigned tongue_of(const struct proto_flow *p)
{
    if (p->depth == 0)
        return DIALOGUE_OTHER;
    const struct proto_descriptor *inmost = p->stack[p->depth - 1].proto;
    return inmost == &proto_smtp  ? DIALOGUE_MAIL
           : inmost == &proto_tls ? DIALOGUE_TLS
                                  : DIALOGUE_OTHER;
}

static inline void wait(struct flow_table *t, struct flow *f, struct dialogue *d,
                        const struct packet *p, unsigned dir)
{
    struct dialogue_queue *q = &t->dialogues->queue[tongue_of(&d->proto)];
    assert(q->count < FLOW_BATCH);
    q->item[q->count++] = (struct dialogue_waiting){
        .flow = f,
        .data = p->payload,
        .t_us = p->t_us,
        .dir = (uint8_t)dir,
        .one_sided = !(f->flags & (FLOW_SEEN_RESPONDER >> dir)),
    };
    d->proto.waiting = true;
}

static void feed(struct flow_table *t, const struct dialogue_waiting *w)
{
    struct flow *f = w->flow;
    struct dialogue *d = dialogue_of(t->dialogues, f);
    if (!d) // the octets before these have ended it
        return;
    d->proto.one_sided = w->one_sided;
    proto_feed(&d->proto, t->dialogues->trackers, w->dir == 0 ? PROTO_INITIATOR : PROTO_RESPONDER,
               w->data, w->t_us);
    d->proto.waiting = false;
    note_app(t, f, d);
    if (d->proto.decided && d->proto.depth == 0)
        dialogue_reconsider(t, f);
}

void dialogues_feed(struct flow_table *t)
{
    for (unsigned i = 0; i < DIALOGUE_TONGUES; i++) {
        struct dialogue_queue *q = &t->dialogues->queue[i];
        for (uint32_t n = 0; n < q->count; n++)
            feed(t, &q->item[n]);
        q->count = 0;
    }
}

void dialogue_catch_up(struct flow_table *t, const struct flow *f)
{
    const struct dialogue *d = dialogue_of(t->dialogues, f);
    if (d && d->proto.waiting)
        dialogues_feed(t);
}

// ---- Beginnings.

// Opens where the connection's first octets are known to stand, or where this packet stands.
static struct dialogue *open_stream(struct flow_table *t, struct flow *f, const struct packet *p,
                                    unsigned dir)
{
    struct dialogue *d = dialogue_open_place(t, f, p->t_us);
    if (!d)
        return NULL;
    for (unsigned side = 0; side < 2; side++) {
        bool known = f->flags & (side == 0 ? FLOW_ISN_INITIATOR : FLOW_ISN_RESPONDER);
        bool seen = f->flags & (side == 0 ? FLOW_SEEN_INITIATOR : FLOW_SEEN_RESPONDER);
        if (known)
            stream_begin(&d->stream, side, f->isn[side] + 1, seen);
        else if (side == dir)
            stream_float(&d->stream, side, p->seq, true);
        else if (p->tcp_flags & PACKET_ACK)
            stream_float(&d->stream, side, p->ack, seen);
        if (f->flags & (side == 0 ? FLOW_FIN_INITIATOR : FLOW_FIN_RESPONDER))
            stream_end(&d->stream, side, f->end[side] - 1);
    }
    return d;
}

void dialogue_begins(struct flow_table *t, struct flow *f, unsigned dir)
{
    struct dialogue *d = dialogue_of(t->dialogues, f);
    if (!d)
        return;
    d->proto.midstream &= !stream_floats(&d->stream);
    stream_begin(&d->stream, dir, f->isn[dir] + 1, true);
}

bool dialogue_swap(struct flow_table *t, struct flow *f)
{
    struct dialogue *d = dialogue_of(t->dialogues, f);
    if (!d)
        return true;
    if (!stream_floats(&d->stream))
        return false;
    struct stream_dir kept = d->stream.dir[0];
    d->stream.dir[0] = d->stream.dir[1];
    d->stream.dir[1] = kept;
    dialogue_introduce(t, f, d);
    return true;
}

void dialogue_reconsider(struct flow_table *t, struct flow *f)
{
    struct dialogue *d = dialogue_of(t->dialogues, f);
    // Decided, nothing on the stack, nothing to tell: this flow needs only its counters.
    if (!d || !d->proto.decided || d->proto.depth > 0 || (d->proto.out && d->proto.out->fresh) ||
        d->missing[0] || d->missing[1])
        return;
    dialogue_free(t, f);
    f->flags |= FLOW_NO_DIALOGUE;
}

// ---- Segments.

// Of a segment that is no SYN.
static inline uint32_t scaled_window(const struct flow *f, const struct packet *p, unsigned dir)
{
    unsigned scale = (unsigned)f->wscale >> (4 * dir) & 15;
    return (uint32_t)p->window << (scale > 14 ? 14 : scale);
}

static uint32_t offered_window(const struct flow *f, const struct packet *p, unsigned dir)
{
    return p->tcp_flags & PACKET_SYN ? p->window : scaled_window(f, p, dir);
}

bool dialogue_next(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir)
{
    struct dialogue *d = &t->dialogues->dialogue[f->dialogue];
    if (!(p->tcp_flags & PACKET_ACK) || p->payload.len != p->payload_wire ||
        !stream_next(&d->stream, dir, p->seq, p->payload_wire, p->ack, scaled_window(f, p, dir)))
        return false;
    if (p->payload_wire > 0) {
        wait(t, f, d, p, dir);
        return true;
    }
    if (d->proto.decided && d->proto.depth == 0 && !d->proto.waiting)
        dialogue_reconsider(t, f);
    return true;
}

unsigned dialogue_segment(struct flow_table *t, struct flow *f, const struct packet *p,
                          unsigned dir)
{
    struct dialogue *d = dialogue_of(t->dialogues, f);
    bool opened = !d;
    if (opened) {
        if ((f->flags & FLOW_NO_DIALOGUE) || p->payload_wire == 0)
            return DIALOGUE_NONE;
        d = open_stream(t, f, p, dir);
        if (!d)
            return DIALOGUE_NONE;
    }
    struct stream_segment seg = {.dir = dir,
                                 .seq = p->seq + (p->tcp_flags & PACKET_SYN ? 1 : 0),
                                 .ack = p->ack,
                                 .has_ack = p->tcp_flags & PACKET_ACK,
                                 .fin = p->tcp_flags & PACKET_FIN,
                                 .window = offered_window(f, p, dir),
                                 .data = p->payload,
                                 .wire = p->payload_wire};
    struct feeding to = {.table = t, .flow = f, .dialogue = d};
    struct stream_sink sink = sink_of(&to);
    struct stream_outcome out = stream_feed(&d->stream, t->dialogues->blocks, &seg, p->t_us, &sink);
    if (opened)
        stream_hush(&d->stream); // its first segment is no sign that it goes on
    if (out.conflict) {
        t->stats->conflicts++;
        f->incomplete |= RECORD_CONFLICT;
    }
    if (out.no_memory) {
        t->stats->no_memory_octets += out.unheld;
        f->incomplete |= RECORD_NO_MEMORY;
    }
    note_app(t, f, d);
    dialogue_reconsider(t, f);
    return out.verdict;
}

void dialogue_datagram(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir)
{
    struct dialogue *d = dialogue_of(t->dialogues, f);
    if (!d && !(f->flags & FLOW_NO_DIALOGUE))
        d = dialogue_open_place(t, f, p->t_us);
    if (!d)
        return;
    proto_datagram(&d->proto, t->dialogues->trackers, dir == 0 ? PROTO_INITIATOR : PROTO_RESPONDER,
                   p->payload, p->t_us);
    note_app(t, f, d);
    dialogue_reconsider(t, f);
}

void dialogue_timeout(struct flow_table *t, struct flow *f, int64_t t_us)
{
    dialogue_catch_up(t, f);
    struct dialogue *d = dialogue_of(t->dialogues, f);
    struct feeding to = {.table = t, .flow = f, .dialogue = d};
    struct stream_sink sink = sink_of(&to);
    stream_timeout(&d->stream, t->dialogues->blocks, t_us, &sink);
    note_app(t, f, d);
}

int64_t dialogue_deadline(struct flow_table *t, const struct flow *f)
{
    struct dialogue *d = dialogue_of(t->dialogues, f);
    return d ? d->stream.gap_deadline_us : 0;
}

bool dialogue_settled(struct flow_table *t, const struct flow *f)
{
    struct dialogue *d = dialogue_of(t->dialogues, f);
    return !d || (d->stream.blocks == 0 && d->stream.gap_deadline_us == 0);
}

void dialogue_close(struct flow_table *t, struct flow *f, unsigned how, int64_t t_us)
{
    dialogue_catch_up(t, f);
    struct dialogue *d = dialogue_of(t->dialogues, f);
    if (!d)
        return;
    struct feeding to = {.table = t, .flow = f, .dialogue = d};
    struct stream_sink sink = sink_of(&to);
    stream_flush(&d->stream, t->dialogues->blocks, t_us, &sink);
    proto_close(&d->proto, t->dialogues->trackers, (enum proto_end)how, t_us);
    note_app(t, f, d);
}
