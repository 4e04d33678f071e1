// What a packet does to its flow: found or made, counted once however often it was mirrored, handed to
// the connection's state and to its dialogue. ICMP errors find the attempt they ended.
#include "flow.h"
#include "flow_key.h"
#include "octets.h"
#include "path.h"

// Counters of a flow are told before they can overflow.
#define TELL_OCTETS 0x40000000u
#define TELL_EVENTS 60000u

bool flow_is_mail_port(uint16_t port)
{
    switch (port) {
    case 25:
    case 110:
    case 143:
    case 465:
    case 587:
    case 993:
    case 995:
    case 2525: return true;
    default: return false;
    }
}

bool flow_is_server_port(uint16_t port)
{
    switch (port) {
    case 21:
    case 22:
    case 53:
    case 80:
    case 443:
    case 1080:
    case 3128:
    case 3389:
    case 4145:
    case 8080: return true;
    default: return flow_is_mail_port(port);
    }
}

static __attribute__((noinline)) void count_first(struct flow_table *t, struct flow *f,
                                                  int64_t t_us, uint16_t seen)
{
    if (!(f->flags & FLOW_CHANGED))
        flow_change(t, f, t_us);
    f->flags |= seen;
}

static __attribute__((noinline)) void widen(struct flow *f, uint8_t least, uint8_t most)
{
    f->ttl_min = least < f->ttl_min ? least : f->ttl_min;
    f->ttl_max = most > f->ttl_max ? most : f->ttl_max;
}

// Which direction comes next cannot be foretold: no branches for it.
static inline __attribute__((always_inline)) void count(struct flow_table *t, struct flow *f,
                                                        const struct packet *p, unsigned dir)
{
    const uint16_t seen = (uint16_t)(FLOW_SEEN_INITIATOR << dir), both = seen | FLOW_CHANGED;
    uint8_t least = (uint8_t)(p->ttl | (0 - dir)), most = (uint8_t)(p->ttl & (dir - 1));
    f->last_us = p->t_us;
    if (__builtin_expect((f->flags & both) != both, 0))
        count_first(t, f, p->t_us, seen);
    f->packets[dir] += p->ip_packets;
    f->octets[dir] += p->ip_octets;
    f->payload[dir] += p->payload_wire;
    // Cut padding or a cut check sequence is no loss.
    if (__builtin_expect(packet_sliced_octets(p) > 0, 0))
        f->incomplete |= RECORD_SLICED;
    if (__builtin_expect(least < f->ttl_min || most > f->ttl_max, 0))
        widen(f, least, most);
}

static __attribute__((noinline)) void look_closer(struct flow_table *t, struct flow *f,
                                                  const struct packet *p, unsigned dir)
{
    const uint16_t events[] = {f->retransmissions[0], f->retransmissions[1], f->duplicates,
                               f->syn_count};
    bool tell = f->octets[0] >= TELL_OCTETS || f->octets[1] >= TELL_OCTETS;
    if ((f->watch & FLOW_WATCHED) && dir == 1 && p->payload_wire > 0)
        carriers_data(f, p->t_us);
    f->watch &= (uint8_t)~FLOW_CROWDED;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (events[i] >= FLOW_CROWD)
            f->watch |= FLOW_CROWDED;
        tell = tell || events[i] >= TELL_EVENTS;
    }
    if (tell)
        t->report(t->report_ctx, t, f, 0, p->t_us);
}

static inline void tell_before_overflow(struct flow_table *t, struct flow *f,
                                        const struct packet *p, unsigned dir)
{
    if (__builtin_expect((f->octets[0] | f->octets[1]) >= TELL_OCTETS || f->watch != 0, 0))
        look_closer(t, f, p, dir);
}

void flow_note_ends(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir)
{
    struct ip_addr far = flow_addr(f, f->side == RECORD_SIDE_RESPONDER ? 0 : 1);
    f->flags &= (uint16_t)~FLOW_SMARTHOST;
    if (prefix_set_find(t->config.smarthosts, &far, NULL))
        f->flags |= FLOW_SMARTHOST;
    // The MAC address on the subscriber's side: the initiator's, unless only the responder is ours.
    unsigned near = f->side == RECORD_SIDE_RESPONDER ? 1 : 0;
    path_mac(p, near == dir ? 0 : 1, t->mac[flow_index(t, f)].octet);
}

// Facts of a new flow that hold until its end.
static void describe(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir)
{
    struct ip_addr initiator = flow_addr(f, 0), responder = flow_addr(f, 1);
    bool ours = prefix_set_find(t->config.subscribers, &initiator, NULL);
    bool theirs = prefix_set_find(t->config.subscribers, &responder, NULL);
    f->side = ours && theirs ? RECORD_SIDE_BOTH
              : ours         ? RECORD_SIDE_INITIATOR
              : theirs       ? RECORD_SIDE_RESPONDER
                             : RECORD_SIDE_NONE;
    t->stats->subscriber_flows += f->side != RECORD_SIDE_NONE;
    flow_note_ends(t, f, p, dir);
    struct intern_value value;
    path_of(p, &value);
    f->path = intern_get(t->paths, &value);
    intern_hold(t->paths, f->path);
}

// The flow that flow_fetch has found, if it is still the same: what was made since may be another's, what was freed
// since is no flow. One in 256 older ones is looked for again, which does no harm.
static inline bool is_found(const struct flow_table *t, const struct flow *f)
{
    return f && f->batch != t->batch;
}

static inline struct flow *flow_of(struct flow_table *t, const struct packet *p,
                                   const struct flow_place *at)
{
    if (is_found(t, at->flow) && at->flow->state != FLOW_FREE)
        return at->flow;
    return flow_find(t, p, at);
}

static inline __attribute__((always_inline)) void counted(struct flow_table *t, struct flow *f,
                                                          const struct packet *p, unsigned dir)
{
    t->stats->tcp_packets += p->ip_packets;
    t->stats->seen_octets += p->payload.len;
    count(t, f, p, dir);
}

static __attribute__((noinline)) void counted_apart(struct flow_table *t, struct flow *f,
                                                    const struct packet *p, unsigned dir)
{
    counted(t, f, p, dir);
}

// The same in full: a connection that begins, ends, or is not there.
static __attribute__((noinline)) void tcp_turns(struct flow_table *t, struct flow *f,
                                                const struct packet *p, const struct flow_place *at)
{
    bool swapped = at->swapped;
    if (f) {
        switch (flow_tcp_belongs(f, p, flow_end(f, swapped))) {
        case FLOW_BELONGS: break;
        case FLOW_LATE: t->stats->stray_packets++; return;
        case FLOW_REUSED:
            // A new sequence number for an attempt that was pending: the old one was given up.
            if (f->state == FLOW_SYN_SENT && f->handshake == RECORD_HANDSHAKE_PENDING)
                flow_decide(f, RECORD_HANDSHAKE_UNANSWERED, p->t_us);
            if (f->state != FLOW_DONE)
                flow_end_now(t, f, PROTO_END_TIMEOUT, p->t_us);
            flow_free(t, f);
            f = NULL;
        }
    }
    if (!f) {
        struct flow_key key = flow_key_in(at->realm, p, swapped);
        f = flow_tcp_new(t, p, &key, at->hash, swapped);
        if (!f) {
            t->stats->stray_packets++;
            return;
        }
        t->stats->tcp_flows++;
        describe(t, f, p, flow_end(f, swapped));
        if (flow_is_mail_port(flow_port(f, 1))) {
            f->flags |= FLOW_MAIL;
            t->stats->mail_flows++;
        }
        if (f->handshake == RECORD_HANDSHAKE_PENDING && flow_end(f, swapped) == 0)
            carriers_opened(t, f);
    }
    unsigned dir = flow_end(f, swapped);
    counted_apart(t, f, p, dir);
    flow_tcp(t, f, p, dir);
    tell_before_overflow(t, f, p, dir);
}

static __attribute__((noinline)) void count_double(struct flow_table *t, struct flow *f)
{
    t->stats->duplicates++;
    if (f)
        flow_count_event(f, &f->duplicates);
}

static inline __attribute__((always_inline)) void tcp_usual(struct flow_table *t, struct flow *f,
                                                            const struct packet *p, bool swapped)
{
    unsigned dir = flow_end(f, swapped);
    counted(t, f, p, dir);
    if (f->dialogue ? !flow_tcp_talk(t, f, p, dir) : !flow_tcp_pass(t, f, p, dir))
        flow_tcp(t, f, p, dir);
    tell_before_overflow(t, f, p, dir);
}

static __attribute__((noinline)) void tcp_other(struct flow_table *t, const struct packet *p,
                                                const struct flow_place *at, bool doubled)
{
    struct flow *f = flow_of(t, p, at);
    if (doubled)
        count_double(t, f);
    else if (f && flow_tcp_open(f, p) && !t->long_way)
        tcp_usual(t, f, p, at->swapped);
    else
        tcp_turns(t, f, p, at);
}

static inline __attribute__((always_inline)) void
tcp_packet(struct flow_table *t, const struct packet *p, const struct flow_place *at)
{
    bool doubled = mirror_seen(t->mirror, at->number, p->t_us);
    // A flow that is open was not freed.
    if (!doubled && is_found(t, at->flow) && flow_tcp_open(at->flow, p) && !t->long_way)
        tcp_usual(t, at->flow, p, at->swapped);
    else
        tcp_other(t, p, at, doubled);
}

static void datagram(struct flow_table *t, const struct packet *p, const struct flow_place *at)
{
    bool swapped = at->swapped;
    struct flow *f = flow_of(t, p, at);
    if (__builtin_expect(mirror_seen(t->mirror, at->number, p->t_us), 0)) {
        count_double(t, f);
        return;
    }
    if (!f) {
        struct flow_key key = flow_key_in(at->realm, p, swapped);
        f = flow_new(t, &key, at->hash, FLOW_DATAGRAM, p->t_us);
        // Who sends first asks, unless it sends from a server's port to another.
        bool answers = flow_is_server_port(p->port[0]) && !flow_is_server_port(p->port[1]);
        if (answers != swapped)
            f->flags |= FLOW_INITIATOR_HIGH;
        t->stats->udp_flows++;
        describe(t, f, p, answers ? 1 : 0);
        flow_arm(t, f);
        if (!answers)
            carriers_opened(t, f);
    }
    unsigned dir = flow_end(f, swapped);
    t->stats->udp_packets += p->ip_packets;
    count(t, f, p, dir);
    if (flow_port(f, 1) == 53)
        dialogue_datagram(t, f, p, dir);
    tell_before_overflow(t, f, p, dir);
}

// Destination unreachable, and prohibited: the attempt is over. (Time exceeded is not: a loop may heal.)
static bool is_unreachable(const struct packet *p)
{
    return p->ip_proto == 1 ? p->icmp_type == 3 && p->icmp_code != 4 : p->icmp_type == 1;
}

// The packet quoted in the error, as far as a key needs it.
static bool quoted(const struct packet *p, struct packet *out, uint32_t *seq)
{
    struct span s = p->payload;
    size_t header;
    *out = (struct packet){.family = p->family, .has = p->has, .ip_proto = 6};
    if (p->ip_proto == 1) {
        if (s.len < 28 || s.data[0] >> 4 != 4 || s.data[9] != 6)
            return false;
        header = (s.data[0] & 15u) * 4;
        if (header < 20)
            return false;
        out->family = IP_V4;
        for (size_t end = 0; end < 2; end++) {
            out->addr[end][10] = out->addr[end][11] = 0xff;
            memcpy(out->addr[end] + 12, s.data + 12 + end * 4, 4);
        }
    } else {
        header = 40;
        if (s.len < 48 || s.data[0] >> 4 != 6 || s.data[6] != 6)
            return false;
        memcpy(out->addr, s.data + 8, 32);
    }
    if (s.len < header + 8)
        return false;
    out->port[0] = be16(s.data + header);
    out->port[1] = be16(s.data + header + 2);
    *seq = be32(s.data + header + 4);
    // The error travels the other way: what names the realm by direction is turned round.
    memcpy(out->outer[0], p->outer[1], 16);
    memcpy(out->outer[1], p->outer[0], 16);
    memcpy(out->vlan, p->vlan, sizeof out->vlan);
    out->pppoe_session = p->pppoe_session;
    out->mpls_label = p->mpls_label;
    out->vni = p->vni;
    out->l2tp_tunnel = p->l2tp_tunnel;
    out->l2tp_session = p->l2tp_session;
    out->gtp_teid = p->gtp_teid;
    return true;
}

static void icmp(struct flow_table *t, const struct packet *p)
{
    struct packet about;
    uint32_t seq;
    t->stats->icmp_packets += p->ip_packets;
    if (!is_unreachable(p) || !quoted(p, &about, &seq))
        return;
    struct flow_place at = flow_place_in(t, flow_realm(t, &about), &about);
    struct flow *f = flow_find(t, &about, &at);
    if (f && flow_end(f, at.swapped) == 0)
        flow_tcp_icmp(t, f, seq, p->t_us);
}

// ---- Batches.

// A packet that opens or closes moves its flow to another list.
static void fetch_neighbours(const struct flow_table *t, const struct flow *f)
{
    if (f->newer != FLOW_NONE)
        __builtin_prefetch(&t->flow[f->newer].older, 1);
    if (f->older != FLOW_NONE)
        __builtin_prefetch(&t->flow[f->older].newer, 1);
}

// Of an open connection nothing else is touched; any other may be given another deadline, or end.
static void fetch_rest(const struct flow_table *t, const struct packet *p, const struct flow *f)
{
    bool turns = p->tcp_flags & (PACKET_SYN | PACKET_FIN | PACKET_RST);
    if (turns)
        fetch_neighbours(t, f);
    if (turns || f->state != FLOW_OPEN) {
        __builtin_prefetch((const char *)f + sizeof *f - 1, 1);
        wheel_prefetch(t->wheel, flow_index(t, f));
        __builtin_prefetch(&t->mac[flow_index(t, f)]);
    }
}

void flow_fetch(struct flow_table *t, const struct packet *p, struct flow_place *place, size_t n)
{
    const struct flow *speaking[FLOW_BATCH];
    size_t speakers = 0;
    t->batch++;
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        uint32_t first = place[i].known ? t->head[place[i].hash & t->mask] : FLOW_NONE;
        if (first == FLOW_NONE)
            continue;
        place[i].flow = &t->flow[first];
        flow_prefetch(place[i].flow);
    }
    for (size_t i = 0; i < n; i++) {
        const struct flow *f = place[i].flow;
        if (!f)
            continue;
        // One further down its chain is looked for when its turn comes.
        if (!flow_is_of(&f->key, &p[i], place[i].last, place[i].swapped)) {
            place[i].flow = NULL;
            continue;
        }
        fetch_rest(t, &p[i], f);
        if (f->dialogue == 0)
            continue;
        dialogue_prefetch(t->dialogues, f);
        speaking[speakers] = f;
        speakers += p[i].payload_wire > 0;
    }
    for (size_t i = 0; i < speakers; i++)
        dialogue_prefetch_tracker(t->dialogues, speaking[i]);
}

static __attribute__((noinline)) void other_packet(struct flow_table *t, const struct packet *p,
                                                   const struct flow_place *place)
{
    struct flow_place here;
    if (p->ip_proto != 6 && p->ip_proto != 17) {
        icmp(t, p);
        return;
    }
    if (!place->known) {
        here = flow_place_in(t, flow_realm(t, p), p);
        place = &here;
    }
    if (p->ip_proto == 6)
        tcp_packet(t, p, place);
    else
        datagram(t, p, place);
}

void flow_packet_at(struct flow_table *t, const struct packet *p, const struct flow_place *place)
{
    if (place->known == 6)
        tcp_packet(t, p, place);
    else
        other_packet(t, p, place);
}

void flow_packet(struct flow_table *t, const struct packet *p)
{
    flow_packet_at(t, p, &(struct flow_place){.known = 0});
}
