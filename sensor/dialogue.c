// Streams and trackers of flows: opened at the first payload, closed when there is nothing to follow.
// What the law or the site does not allow to be looked at is never handed to a tracker.
#include "dialogue.h"

#include <stdlib.h>

#include "flow.h"
#include "stream_next.h"
#include "table.h"

// When places are short this part is kept for mail, and as much for the rest, so that a flood of one kind
// cannot blind us for the other.
#define SHARE 4
// Looked at in search of a silent dialogue; among that many that speak the oldest has to go.
#define REPRIEVES 64

struct dialogues {
    struct dialogue *dialogue; // [0] is not used
    size_t count, in_use;
    size_t fresh;  // places from here on were never used
    uint32_t free; // 0: none
    struct {
        uint32_t oldest, newest; // 0: none
        size_t count;
    } list[2]; // by class: the rest, mail
    struct stream_pool *blocks;
    struct proto_pool *trackers;
};

struct dialogues *dialogues_new(size_t count, const struct stream_limits *limits)
{
    struct dialogues *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->count = count;
    d->dialogue = table_new(count + 1, sizeof *d->dialogue, TABLE_FROM_THE_FRONT);
    d->blocks = stream_pool_new(limits);
    d->trackers = proto_pool_new(count);
    if (!d->dialogue || !d->blocks || !d->trackers) {
        dialogues_free(d);
        return NULL;
    }
    d->fresh = 1;
    return d;
}

void dialogues_free(struct dialogues *d)
{
    if (!d)
        return;
    stream_pool_free(d->blocks);
    proto_pool_free(d->trackers);
    table_free(d->dialogue);
    free(d);
}

size_t dialogues_in_use(const struct dialogues *d)
{
    return d->in_use;
}

struct proto_pool *dialogues_proto_pool(struct dialogues *d)
{
    return d->trackers;
}

const struct stream_pool *dialogues_stream_pool(const struct dialogues *d)
{
    return d->blocks;
}

struct dialogue *dialogue_of(struct dialogues *d, const struct flow *f)
{
    return f->dialogue ? &d->dialogue[f->dialogue] : NULL;
}

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

// ---- By age.

static void list_out(struct dialogues *all, struct dialogue *d)
{
    struct dialogue *older = d->older ? &all->dialogue[d->older] : NULL;
    struct dialogue *newer = d->newer ? &all->dialogue[d->newer] : NULL;
    *(older ? &older->newer : &all->list[d->mail].oldest) = d->newer;
    *(newer ? &newer->older : &all->list[d->mail].newest) = d->older;
    all->list[d->mail].count--;
}

static void list_in(struct dialogues *all, struct dialogue *d, bool mail)
{
    uint32_t i = (uint32_t)(d - all->dialogue);
    d->mail = mail;
    stream_hush(&d->stream);
    d->newer = 0;
    d->older = all->list[mail].newest;
    *(d->older ? &all->dialogue[d->older].newer : &all->list[mail].oldest) = i;
    all->list[mail].newest = i;
    all->list[mail].count++;
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
        list_out(t->dialogues, d);
        list_in(t->dialogues, d, !d->mail);
    }
}

// ---- Places.

// Facts of the flow that the tracker is told before the first octet.
static void introduce(struct flow_table *t, const struct flow *f, struct dialogue *d)
{
    d->proto = (struct proto_flow){.context = &t->config.proto,
                                   .addr = {flow_addr(f, 0), flow_addr(f, 1)},
                                   .port = {flow_port(f, 0), flow_port(f, 1)},
                                   .ip_proto = flow_proto(f),
                                   .side = f->side,
                                   .peer_is_smarthost = f->flags & FLOW_SMARTHOST,
                                   .midstream = f->handshake == RECORD_HANDSHAKE_MIDSTREAM};
}

// The longest silent of a class. One that went on since it was looked at last is spared once.
static struct dialogue *silent(struct dialogues *all, bool mail)
{
    for (unsigned i = 0; i < REPRIEVES; i++) {
        struct dialogue *d = &all->dialogue[all->list[mail].oldest];
        if (!stream_spoke(&d->stream))
            return d;
        list_out(all, d);
        list_in(all, d, mail);
    }
    return &all->dialogue[all->list[mail].oldest];
}

// Ends the following of one dialogue, of the class that has more than its share. What was gathered is
// told; the flow itself goes on. False: there is none to end.
static bool make_room(struct flow_table *t, bool mail, int64_t t_us)
{
    struct dialogues *all = t->dialogues;
    size_t kept = all->count / SHARE;
    bool of_mail = mail ? all->list[0].count <= kept : all->list[1].count > all->count - kept;
    if (all->list[of_mail].count == 0)
        return false;
    struct flow *f = &t->flow[silent(all, of_mail)->flow];
    t->stats->dialogues_evicted++;
    f->incomplete |= RECORD_NO_MEMORY;
    dialogue_close(t, f, PROTO_END_EVICTED, t_us);
    const struct dialogue *d = dialogue_of(all, f);
    if ((d->proto.out && d->proto.out->fresh) || d->missing[0] || d->missing[1])
        t->report(t->report_ctx, t, f, 0, t_us);
    dialogue_free(t, f);
    f->flags |= FLOW_NO_DIALOGUE;
    return true;
}

static bool is_full(const struct dialogues *all, bool mail)
{
    return all->in_use == all->count ||
           (!mail && all->list[0].count >= all->count - all->count / SHARE);
}

static struct dialogue *open_place(struct flow_table *t, struct flow *f, int64_t t_us)
{
    struct dialogues *all = t->dialogues;
    bool mail = f->flags & FLOW_MAIL;
    f->flags |= FLOW_NO_DIALOGUE;
    // Of the other profiles proto.c knows what may be looked at with whom.
    if (t->config.proto.profile == COVERAGE_FLOW_ONLY) {
        f->incomplete |= RECORD_FLOW_ONLY;
        return NULL;
    }
    if (is_full(all, mail) && !make_room(t, mail, t_us)) {
        t->stats->dialogues_refused++;
        f->incomplete |= RECORD_NO_MEMORY;
        return NULL;
    }
    f->flags &= (uint16_t)~FLOW_NO_DIALOGUE;
    f->dialogue = all->free ? all->free : (uint32_t)all->fresh++;
    struct dialogue *d = &all->dialogue[f->dialogue];
    if (f->dialogue == all->free)
        all->free = d->next_free;
    all->in_use++;
    t->stats->dialogues++;
    memset(d, 0, sizeof *d);
    d->in_use = true;
    d->flow = flow_index(t, f);
    list_in(all, d, mail);
    introduce(t, f, d);
    return d;
}

// Opens where the connection's first octets are known to stand, or where this packet stands.
static struct dialogue *open_stream(struct flow_table *t, struct flow *f, const struct packet *p,
                                    unsigned dir)
{
    struct dialogue *d = open_place(t, f, p->t_us);
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
    introduce(t, f, d);
    return true;
}

void dialogue_free(struct flow_table *t, struct flow *f)
{
    struct dialogues *all = t->dialogues;
    struct dialogue *d = dialogue_of(all, f);
    if (!d)
        return;
    stream_drop(&d->stream, all->blocks);
    proto_drop(&d->proto, all->trackers);
    list_out(all, d);
    d->in_use = false;
    d->next_free = all->free;
    all->free = f->dialogue;
    all->in_use--;
    f->dialogue = 0;
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
        d->proto.one_sided = !(f->flags & (FLOW_SEEN_RESPONDER >> dir));
        proto_feed(&d->proto, t->dialogues->trackers, dir == 0 ? PROTO_INITIATOR : PROTO_RESPONDER,
                   p->payload, p->t_us);
        note_app(t, f, d);
    }
    if (d->proto.decided && d->proto.depth == 0)
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
        d = open_place(t, f, p->t_us);
    if (!d)
        return;
    proto_datagram(&d->proto, t->dialogues->trackers, dir == 0 ? PROTO_INITIATOR : PROTO_RESPONDER,
                   p->payload, p->t_us);
    note_app(t, f, d);
    dialogue_reconsider(t, f);
}

void dialogue_timeout(struct flow_table *t, struct flow *f, int64_t t_us)
{
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
    struct dialogue *d = dialogue_of(t->dialogues, f);
    if (!d)
        return;
    struct feeding to = {.table = t, .flow = f, .dialogue = d};
    struct stream_sink sink = sink_of(&to);
    stream_flush(&d->stream, t->dialogues->blocks, t_us, &sink);
    proto_close(&d->proto, t->dialogues->trackers, (enum proto_end)how, t_us);
    note_app(t, f, d);
}
