// The conversation engine: who sends what when, as seen between the two.
//
// The tap lies `delay_ns` one way from either end. A side that answers does so after the question has
// reached it and its answer has come back to the tap: twice its delay. Acknowledgements follow every
// second segment, or 40 ms later, or ride on data. Congestion control is slow start to 64 segments.
#include "tcp.h"

#include <assert.h>

#include "tcp_options.h"

enum { DELAYED_ACK_MS = 40, WINDOW_FIRST = 10, WINDOW_MAX = 64, RTO_MIN_MS = 200 };

const struct tcp_stack tcp_linux = {"linux", 64, 64240, 7, true, true, 32768, 60999, 6, 1000};
const struct tcp_stack tcp_windows = {"windows", 128, 64240, 8, true, false, 49152, 65534, 4, 1000};
const struct tcp_stack tcp_apple = {"apple", 64, 65535, 6, true, true, 49152, 65534, 5, 1000};
const struct tcp_stack tcp_xp = {"xp", 128, 65535, 0, true, false, 1025, 5000, 3, 3000};
const struct tcp_stack tcp_appliance = {"appliance", 64,   5840, 0, false,
                                        false,       1024, 4999, 3, 3000};
const struct tcp_stack tcp_raw = {"raw", 255, 65535, 0, false, false, 32768, 61000, 1, 1000};

static enum tcp_who other(enum tcp_who who)
{
    return who == TCP_CLIENT ? TCP_SERVER : TCP_CLIENT;
}

static struct rng *rng_of(struct tcp_flow *f)
{
    return &f->party->rng;
}

void tcp_begin(struct tcp_flow *f, struct party *party, enum tcp_who subscriber,
               const struct peer *peer, uint16_t port, const struct tcp_stack *client, bool v6,
               int64_t t_ns)
{
    struct rng *r = &party->rng;
    v6 = v6 && party->v6.family == IP_V6 && peer->v6.family == IP_V6;
    *f = (struct tcp_flow){.party = party,
                           .subscriber = subscriber,
                           .now_ns = t_ns,
                           .began_ns = t_ns,
                           .turn = TCP_CLIENT,
                           .window = WINDOW_FIRST,
                           .octet_ns = 400};
    struct tcp_side *near = &f->side[subscriber], *far = &f->side[other(subscriber)];
    near->addr = *party_addr(party, v6 ? IP_V6 : IP_V4);
    near->delay_ns = party->delay_ns;
    near->hops = party->hops;
    far->addr = v6 ? peer->v6 : peer->v4;
    far->delay_ns = peer->delay_ns + rng_between(r, 0, peer->delay_ns / 8);
    far->hops = peer->hops;
    for (int i = 0; i < 2; i++) {
        struct tcp_side *s = &f->side[i];
        s->stack = i == TCP_CLIENT ? client : &tcp_linux;
        s->seq = (uint32_t)rng_u64(r);
        s->ts_base = (uint32_t)rng_u64(r);
        s->ip_id = (uint16_t)rng_u64(r);
    }
    f->side[TCP_CLIENT].port = subscriber == TCP_CLIENT
                                   ? party_port(party, client->port_low, client->port_high)
                                   : (uint16_t)rng_between(r, client->port_low, client->port_high);
    f->side[TCP_SERVER].port = port;
    f->mss = packet_mss(&party->link, v6 ? IP_V6 : IP_V4);
    f->sack = client->sack;
    f->timestamps = client->timestamps;
    f->wscale = client->window_scale > 0;
}

// One segment passes the tap.
static void emit(struct tcp_flow *f, enum tcp_who who, int64_t t_ns, uint8_t flags, uint32_t seq,
                 uint32_t ack, struct span payload, const struct tcp_sack *sack)
{
    struct tcp_side *from = &f->side[who], *to = &f->side[other(who)];
    bool syn = flags & TCP_SYN;
    struct packet_tcp p = {.ip = {.src = from->addr,
                                  .dst = to->addr,
                                  .ttl = (uint8_t)(from->stack->ttl - from->hops),
                                  .id = from->ip_id++,
                                  .outbound = who == f->subscriber},
                           .src_port = from->port,
                           .dst_port = to->port,
                           .seq = seq,
                           .ack = flags & TCP_ACK ? ack : 0,
                           .flags = flags,
                           .window = syn         ? from->stack->window
                                     : f->wscale ? 502
                                                 : from->stack->window};
    uint32_t now_ts = from->ts_base + (uint32_t)(t_ns / NS_PER_MS);
    const struct tcp_offer offer = {.mss = f->mss,
                                    .sack = f->sack,
                                    .timestamps = f->timestamps,
                                    .window_scale = f->wscale ? from->stack->window_scale
                                                              : (uint8_t)0,
                                    .ts_now = now_ts,
                                    .ts_echo = flags & TCP_ACK ? from->ts_seen : 0};
    p.options_len = flags & TCP_RST ? 0
                    : syn           ? tcp_options_syn(p.options, &offer)
                                    : tcp_options_segment(p.options, &offer, sack);
    to->ts_seen = now_ts;
    if (flags & TCP_ACK) {
        from->acked = ack;
        if (from->owes_ack && ack - from->ack_value < UINT32_MAX / 2)
            from->owes_ack = false;
    }
    uint8_t frame[FRAME_MAX];
    size_t len = packet_tcp(frame, &f->party->link, &p, payload);
    party_emit(f->party, t_ns, p.ip.outbound, frame, len);
}

static void pure_ack(struct tcp_flow *f, enum tcp_who who, int64_t t_ns, uint32_t ack)
{
    emit(f, who, t_ns, TCP_ACK, f->side[who].seq, ack, (struct span){0}, NULL);
}

// Acknowledgements that fell due before `t_ns`.
static void settle(struct tcp_flow *f, int64_t t_ns)
{
    for (int i = 0; i < 2; i++) {
        struct tcp_side *s = &f->side[i];
        if (s->owes_ack && s->ack_due_ns < t_ns)
            pure_ack(f, (enum tcp_who)i, s->ack_due_ns, s->ack_value);
    }
}

// When `who` next passes the tap: at once when it goes on, a round later when it answers.
static int64_t next_time(struct tcp_flow *f, enum tcp_who who)
{
    int64_t t = f->now_ns + f->think_ns + rng_between(rng_of(f), 20000, 400000);
    if (f->turn != who)
        t += 2 * f->side[who].delay_ns;
    f->think_ns = 0;
    settle(f, t);
    f->now_ns = t;
    f->turn = who;
    return t;
}

static void syn_times(struct tcp_flow *f, unsigned tries)
{
    const struct tcp_side *c = &f->side[TCP_CLIENT];
    int64_t t = f->now_ns, wait = c->stack->syn_first_ms * NS_PER_MS;
    for (unsigned i = 0; i < tries; i++) {
        emit(f, TCP_CLIENT, t, TCP_SYN, c->seq, 0, (struct span){0}, NULL);
        f->now_ns = t;
        t += wait + rng_between(rng_of(f), 0, 20 * NS_PER_MS);
        wait *= 2;
    }
}

static void count_flow(struct tcp_flow *f, uint64_t *how)
{
    if (party_in_capture(f->party, f->now_ns)) {
        f->party->tally.flows++;
        (*how)++;
    }
}

void tcp_unanswered(struct tcp_flow *f)
{
    count_flow(f, &f->party->tally.unanswered);
    syn_times(f, f->side[TCP_CLIENT].stack->syn_tries);
}

void tcp_refused(struct tcp_flow *f)
{
    count_flow(f, &f->party->tally.refused);
    // Windows believes a refusal only the third time.
    unsigned tries = f->side[TCP_CLIENT].stack->ttl == 128 ? 3 : 1;
    const struct tcp_side *c = &f->side[TCP_CLIENT], *s = &f->side[TCP_SERVER];
    for (unsigned i = 0; i < tries; i++) {
        emit(f, TCP_CLIENT, f->now_ns, TCP_SYN, c->seq, 0, (struct span){0}, NULL);
        f->now_ns += 2 * s->delay_ns;
        emit(f, TCP_SERVER, f->now_ns, TCP_RST | TCP_ACK, 0, c->seq + 1, (struct span){0}, NULL);
        f->now_ns += 2 * c->delay_ns + 500 * NS_PER_MS;
    }
}

void tcp_prohibited(struct tcp_flow *f)
{
    count_flow(f, &f->party->tally.prohibited);
    const struct tcp_side *c = &f->side[TCP_CLIENT], *s = &f->side[TCP_SERVER];
    syn_times(f, 1);
    struct packet_tcp about = {.ip = {.src = c->addr,
                                      .dst = s->addr,
                                      .ttl = (uint8_t)(c->stack->ttl - c->hops - 1),
                                      .id = (uint16_t)(c->ip_id - 1)},
                               .src_port = c->port,
                               .dst_port = s->port,
                               .seq = c->seq,
                               .flags = TCP_SYN,
                               .window = c->stack->window};
    struct packet_ip ip = {.src = s->addr,
                           .dst = c->addr,
                           .ttl = 62,
                           .id = (uint16_t)rng_u64(rng_of(f)),
                           .outbound = f->subscriber == TCP_SERVER};
    uint8_t frame[FRAME_MAX];
    size_t len = packet_prohibited(frame, &f->party->link, &ip, &about);
    party_emit(f->party, f->now_ns + 2 * NS_PER_MS, ip.outbound, frame, len);
}

void tcp_half_open(struct tcp_flow *f)
{
    count_flow(f, &f->party->tally.half_open);
    struct tcp_side *c = &f->side[TCP_CLIENT], *s = &f->side[TCP_SERVER];
    emit(f, TCP_CLIENT, f->now_ns, TCP_SYN, c->seq, 0, (struct span){0}, NULL);
    f->now_ns += 2 * s->delay_ns + 50000;
    emit(f, TCP_SERVER, f->now_ns, TCP_SYN | TCP_ACK, s->seq, c->seq + 1, (struct span){0}, NULL);
    f->now_ns += 2 * c->delay_ns + 30000;
    emit(f, TCP_CLIENT, f->now_ns, TCP_RST, c->seq + 1, 0, (struct span){0}, NULL);
}

void tcp_connect(struct tcp_flow *f)
{
    count_flow(f, &f->party->tally.established);
    struct tcp_side *c = &f->side[TCP_CLIENT], *s = &f->side[TCP_SERVER];
    // A SYN or its answer is lost as often as any other segment.
    bool again = rng_chance(rng_of(f), 2 * f->party->loss);
    if (again)
        syn_times(f, 2);
    else
        emit(f, TCP_CLIENT, f->now_ns, TCP_SYN, c->seq, 0, (struct span){0}, NULL);
    c->seq++;
    f->now_ns += 2 * s->delay_ns + rng_between(rng_of(f), 30000, 300000);
    emit(f, TCP_SERVER, f->now_ns, TCP_SYN | TCP_ACK, s->seq, c->seq, (struct span){0}, NULL);
    s->seq++;
    f->now_ns += 2 * c->delay_ns + rng_between(rng_of(f), 10000, 200000);
    emit(f, TCP_CLIENT, f->now_ns, TCP_ACK, c->seq, s->seq, (struct span){0}, NULL);
    f->turn = TCP_CLIENT;
    f->open = true;
}

// One window of segments.
struct burst {
    enum tcp_who who;
    struct span data;
    size_t size;  // of a full segment
    size_t count; // of segments
    int64_t start_ns;
};

static struct span segment(const struct burst *b, size_t i)
{
    return span_cut(b->data, i * b->size, b->size);
}

static uint8_t segment_flags(const struct burst *b, size_t i)
{
    return i + 1 == b->count ? TCP_PSH | TCP_ACK : TCP_ACK;
}

// Sends a burst in which segment `lost` does not arrive; `seen` says whether it passed the tap first.
// Returns when its repetition passes the tap.
static int64_t burst_with_loss(struct tcp_flow *f, const struct burst *b, size_t lost, bool seen)
{
    enum tcp_who peer = other(b->who);
    struct tcp_side *from = &f->side[b->who], *to = &f->side[peer];
    int64_t round = 2 * (from->delay_ns + to->delay_ns), t = b->start_ns;
    uint32_t hole = from->seq + (uint32_t)(lost * b->size);
    for (size_t i = 0; i < b->count; i++) {
        struct span part = segment(b, i);
        uint32_t seq = from->seq + (uint32_t)(i * b->size);
        if (i != lost || seen)
            emit(f, b->who, t, segment_flags(b, i), seq, to->seq, part, NULL);
        if (i > lost) { // answered at once: still missing `hole`, but have this
            struct tcp_sack sack = {.left = hole + (uint32_t)segment(b, lost).len,
                                    .right = seq + (uint32_t)part.len};
            emit(f, peer, t + 2 * to->delay_ns + 30000, TCP_ACK, to->seq, hole, (struct span){0},
                 &sack);
        }
        t += (int64_t)part.len * f->octet_ns;
    }
    // Three repeated acknowledgements, or a time-out when too little follows the hole.
    if (b->count - lost > 3)
        t = b->start_ns + round + (int64_t)((lost + 4) * b->size) * f->octet_ns;
    else
        t += round + RTO_MIN_MS * NS_PER_MS;
    emit(f, b->who, t, TCP_PSH | TCP_ACK, hole, to->seq, segment(b, lost), NULL);
    return t;
}

static int64_t burst_clean(struct tcp_flow *f, const struct burst *b)
{
    enum tcp_who peer = other(b->who);
    struct tcp_side *from = &f->side[b->who], *to = &f->side[peer];
    size_t swapped = b->count > 1 && f->party->reorder > 0 &&
                             rng_chance(rng_of(f), f->party->reorder * (double)b->count)
                         ? rng_below(rng_of(f), (uint32_t)b->count - 1)
                         : SIZE_MAX;
    int64_t t = b->start_ns, last = t;
    for (size_t i = 0; i < b->count; i++) {
        struct span part = segment(b, i);
        int64_t step = (int64_t)part.len * f->octet_ns, at = t;
        if (i == swapped)
            at += (int64_t)segment(b, i + 1).len * f->octet_ns + 5000;
        else if (swapped != SIZE_MAX && i == swapped + 1)
            at -= (int64_t)segment(b, i - 1).len * f->octet_ns;
        emit(f, b->who, at, segment_flags(b, i), from->seq + (uint32_t)(i * b->size), to->seq, part,
             NULL);
        last = at > last ? at : last;
        if (i % 2 == 1 && i + 1 < b->count && i != swapped && i != swapped + 1)
            pure_ack(f, peer, at + 2 * to->delay_ns + 20000,
                     from->seq + (uint32_t)((i + 1) * b->size));
        t += step;
    }
    return last;
}

void tcp_send(struct tcp_flow *f, enum tcp_who who, struct span data)
{
    assert(f->open);
    struct tcp_side *from = &f->side[who], *to = &f->side[other(who)];
    int64_t t = f->began_ns = next_time(f, who);
    size_t full = (size_t)f->mss - (f->timestamps ? 12 : 0);
    while (data.len > 0) {
        struct burst b = {.who = who, .size = full, .start_ns = t};
        b.data = span_cut(data, 0, full * f->window);
        b.count = (b.data.len + full - 1) / full;
        double p = f->party->loss * (double)b.count;
        if (f->party->loss > 0 && rng_chance(rng_of(f), p)) {
            t = burst_with_loss(f, &b, rng_below(rng_of(f), (uint32_t)b.count),
                                rng_chance(rng_of(f), 0.5));
            f->window = f->window > 4 ? f->window / 2 : 2;
        } else {
            t = burst_clean(f, &b);
            f->window = f->window * 2 < WINDOW_MAX ? f->window * 2 : WINDOW_MAX;
        }
        f->now_ns = t;
        from->seq += (uint32_t)b.data.len;
        from->sent += b.data.len;
        data = span_cut(data, b.data.len, data.len);
        if (data.len > 0) { // the window is used up: wait for what the other side says
            int64_t heard = t + 2 * to->delay_ns + 50000;
            pure_ack(f, other(who), heard, from->seq);
            t = f->now_ns = heard + 2 * from->delay_ns + 50000;
        }
    }
    to->owes_ack = true;
    to->ack_value = from->seq;
    to->ack_due_ns = f->now_ns + 2 * to->delay_ns + DELAYED_ACK_MS * NS_PER_MS;
}

void tcp_pause(struct tcp_flow *f, int64_t ns)
{
    f->think_ns += ns;
}

void tcp_wait_until(struct tcp_flow *f, int64_t t_ns)
{
    if (f->now_ns + f->think_ns < t_ns)
        f->think_ns = t_ns - f->now_ns;
}

void tcp_close(struct tcp_flow *f, enum tcp_who first)
{
    assert(f->open);
    enum tcp_who second = other(first);
    struct tcp_side *a = &f->side[first], *b = &f->side[second];
    int64_t t = next_time(f, first);
    emit(f, first, t, TCP_FIN | TCP_ACK, a->seq++, b->seq, (struct span){0}, NULL);
    t += 2 * b->delay_ns + rng_between(rng_of(f), 50000, 900000);
    b->owes_ack = false;
    emit(f, second, t, TCP_FIN | TCP_ACK, b->seq++, a->seq, (struct span){0}, NULL);
    t += 2 * a->delay_ns + 50000;
    pure_ack(f, first, t, b->seq);
    f->now_ns = t;
    f->open = false;
}

void tcp_reset(struct tcp_flow *f, enum tcp_who who)
{
    assert(f->open);
    int64_t t = next_time(f, who);
    emit(f, who, t, TCP_RST | TCP_ACK, f->side[who].seq, f->side[other(who)].seq, (struct span){0},
         NULL);
    f->open = false;
}
