// The shape of an answered flow: handshake, data in turns, acknowledgements to make up the number of
// packets, and an end; every frame's length is chosen so that the octets add up.
//
// Facts do not say where packets stood in time: the first and the last keep theirs, the others are
// spread between.
#include "inject_talk.h"

#include <errno.h>
#include <stdlib.h>

#include "inject_script.h"

enum { SEGMENT_MAX = 1460, SYN_OPTIONS = 8, REFUSED_MAX = 62 };

struct step {
    bool in;
    uint8_t flags;
    uint16_t len;
};

struct talk {
    struct party *p;
    const struct flow_fact *f;
    struct ip_addr subscriber;
    size_t header; // of a frame without options and payload
    struct step *step;
    size_t steps, cap;
    uint32_t seq[2];
    uint16_t id[2];
    size_t said[2]; // payload octets so far
    const struct script *script;
    uint64_t octets[2];
};

static void add(struct talk *t, bool in, uint8_t flags, size_t len)
{
    if (t->steps < t->cap)
        t->step[t->steps++] = (struct step){.in = in, .flags = flags, .len = (uint16_t)len};
}

static void send_step(struct talk *t, const struct step *s, int64_t t_ns, size_t syn_options)
{
    const struct flow_fact *f = t->f;
    struct packet_tcp p = {.ip = {.src = s->in ? f->peer : t->subscriber,
                                  .dst = s->in ? t->subscriber : f->peer,
                                  .ttl = s->in ? 52 : (uint8_t)(128 - t->p->hops),
                                  .id = t->id[s->in]++,
                                  .outbound = !s->in,
                                  .unpadded = true},
                           .src_port = s->in ? f->port : f->src_port,
                           .dst_port = s->in ? f->src_port : f->port,
                           .seq = t->seq[s->in],
                           .ack = s->flags & TCP_ACK ? t->seq[!s->in] : 0,
                           .flags = s->flags,
                           .window = 64240};
    if (s->flags & TCP_SYN)
        p.options_len = inject_syn_options(p.options, syn_options);
    struct span payload = {0};
    if (s->len > 0) {
        const struct buf *text = &t->script->text[s->in];
        size_t at = t->said[s->in] %
                    (text->len - s->len + 1); // beyond the text's maximum it repeats
        payload = span_of(text->data + at, s->len);
    }
    uint8_t frame[FRAME_MAX];
    size_t len = packet_tcp(frame, &t->p->link, &p, payload);
    party_emit(t->p, t_ns, !s->in, frame, len);
    t->octets[s->in] += t->header + p.options_len + s->len;
    t->said[s->in] += s->len;
    t->seq[s->in] += s->len + (s->flags & (TCP_SYN | TCP_FIN) ? 1u : 0u);
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static uint64_t unmatched(const struct talk *t)
{
    return distance(t->octets[0], t->f->octets_out) + distance(t->octets[1], t->f->octets_in);
}

// As many answers as attempts and nothing said: SYN and RST, again and again.
static bool is_refused(const struct flow_fact *f, size_t header)
{
    return f->packets_out == f->packets_in &&
           f->octets_in <= (uint64_t)f->packets_in * (header + 6) &&
           f->octets_out <= (uint64_t)f->packets_out * (header + 40);
}

static void play_refused(struct talk *t, int64_t start_ns)
{
    const struct flow_fact *f = t->f;
    size_t each = (size_t)(f->octets_out / f->packets_out);
    uint32_t first = t->seq[0];
    int64_t answer = f->packets_out == 1 ? f->duration_ns : 40 * NS_PER_MS;
    if (answer > f->duration_ns)
        answer = f->duration_ns;
    for (uint32_t i = 0; i < f->packets_out; i++) {
        int64_t at = f->packets_out == 1
                         ? 0
                         : (f->duration_ns - answer) * (int64_t)i / (int64_t)(f->packets_out - 1);
        t->seq[0] = first;
        send_step(t, &(struct step){.flags = TCP_SYN}, start_ns + at,
                  each > t->header ? each - t->header : 0);
        t->seq[1] = 0;
        send_step(t, &(struct step){.in = true, .flags = TCP_RST | TCP_ACK}, start_ns + at + answer,
                  0);
    }
}

// Payload octets the facts leave for a direction that sends `packets` frames, one of them a SYN.
static size_t payload_of(uint64_t octets, uint32_t packets, size_t header, size_t carriers)
{
    uint64_t heads = (uint64_t)packets * header + SYN_OPTIONS;
    uint64_t left = octets > heads ? octets - heads : 0, most = (uint64_t)carriers * SEGMENT_MAX;
    return (size_t)(left < most ? left : most);
}

// How the data of one direction is cut: `count` segments of `len`, the first ones an octet longer.
struct cut {
    size_t total, count;
};

static size_t cut_at(const struct cut *c, size_t i)
{
    return c->total * (i + 1) / c->count - c->total * i / c->count;
}

// In turns when the packets suffice for them, else both directions side by side. Pure acknowledgements
// make up the numbers: `spare[in]` of them, spread over the data of the other side.
static void add_data(struct talk *t, const struct script *s, const size_t room[2])
{
    size_t need[2] = {0}, total[2] = {0}, spare[2], data[2];
    for (size_t i = 0; i < s->turns; i++) {
        need[s->turn[i].from_server] += (s->turn[i].len + SEGMENT_MAX - 1) / SEGMENT_MAX;
        total[s->turn[i].from_server] += s->turn[i].len;
    }
    bool turns = need[0] <= room[0] && need[1] <= room[1];
    struct cut cut[2];
    for (int d = 0; d < 2; d++) {
        size_t least = (total[d] + SEGMENT_MAX - 1) / SEGMENT_MAX;
        cut[d] = (struct cut){.total = total[d], .count = turns ? need[d] : least};
        data[d] = cut[d].count;
        spare[d] = room[d] > data[d] ? room[d] - data[d] : 0;
    }
    size_t done[2] = {0}, acks[2] = {0}, at_turn = 0, in_turn = 0;
    while (done[0] < data[0] || done[1] < data[1]) {
        int d;
        size_t len;
        if (turns) {
            const struct script_turn *turn = &s->turn[at_turn];
            d = turn->from_server;
            len = turn->len - in_turn < SEGMENT_MAX ? turn->len - in_turn : SEGMENT_MAX;
            in_turn += len;
            if (in_turn == turn->len) {
                at_turn++;
                in_turn = 0;
            }
        } else {
            d = done[1] * data[0] < done[0] * data[1] || done[0] == data[0];
            len = cut_at(&cut[d], done[d]);
        }
        add(t, d, TCP_PSH | TCP_ACK, len);
        done[d]++;
        for (size_t due = spare[!d] * done[d] / data[d]; acks[!d] < due; acks[!d]++)
            add(t, !d, TCP_ACK, 0);
    }
    for (int d = 0; d < 2; d++)
        for (; acks[d] < spare[d]; acks[d]++)
            add(t, d, TCP_ACK, 0);
}

static void add_end(struct talk *t, const size_t left[2])
{
    if (left[0] > 0 && left[1] > 0) {
        add(t, false, TCP_FIN | TCP_ACK, 0);
        add(t, true, TCP_FIN | TCP_ACK, 0);
        if (left[0] > 1)
            add(t, false, TCP_ACK, 0);
    } else if (left[0] > 0) {
        add(t, false, TCP_RST | TCP_ACK, 0);
    } else if (left[1] > 0) {
        add(t, true, TCP_RST | TCP_ACK, 0);
    }
}

static void play_steps(struct talk *t, int64_t start_ns)
{
    int64_t duration = t->f->duration_ns;
    int64_t early = duration / 10 < 60 * NS_PER_MS ? duration / 10 : 60 * NS_PER_MS;
    for (size_t i = 0; i < t->steps; i++) {
        int64_t at = i == 0 ? 0
                     : i <= 2
                         ? early * (int64_t)i / 2
                         : early + (duration - early) * (int64_t)(i - 2) / (int64_t)(t->steps - 3);
        if (i + 1 == t->steps)
            at = duration;
        send_step(t, &t->step[i], start_ns + at, SYN_OPTIONS);
    }
}

static void play_conversation(struct talk *t, int64_t start_ns)
{
    const struct flow_fact *f = t->f;
    add(t, false, TCP_SYN, 0);
    if (f->packets_in > 0)
        add(t, true, TCP_SYN | TCP_ACK, 0);
    if (f->packets_out < 2) { // half of it was not captured
        for (uint32_t i = 1; i < f->packets_in; i++)
            add(t, true, TCP_ACK, 0);
        play_steps(t, start_ns);
        return;
    }
    add(t, false, TCP_ACK, 0);
    size_t room[2] = {f->packets_out - 2, f->packets_in - 1}, end[2];
    size_t client = payload_of(f->octets_out, f->packets_out, t->header, room[0]);
    size_t server = payload_of(f->octets_in, f->packets_in, t->header, room[1]);
    struct script script;
    size_t rounds = room[0] < room[1] ? room[0] : room[1];
    script_write(&script, &t->p->rng, f->port, client, server, rounds);
    t->script = &script;
    for (int d = 0; d < 2; d++) { // packets left for the end, when the data needs fewer
        size_t least = ((d ? server : client) + SEGMENT_MAX - 1) / SEGMENT_MAX;
        size_t free_packets = room[d] - least;
        end[d] = free_packets >= 2 && d == 0 ? 2 : free_packets >= 1 ? 1 : 0;
    }
    if (end[1] == 0 && end[0] == 2)
        end[0] = 1;
    if (end[0] == 0 && end[1] > 0 && room[1] == end[1])
        end[1] = 1;
    room[0] -= end[0];
    room[1] -= end[1];
    add_data(t, &script, room);
    add_end(t, end);
    play_steps(t, start_ns);
    script_fini(&script);
}

uint64_t inject_talk(struct party *p, struct ip_addr subscriber, const struct flow_fact *f,
                     int64_t start_ns)
{
    struct talk t = {.p = p,
                     .f = f,
                     .subscriber = subscriber,
                     .cap = (size_t)f->packets_out + f->packets_in,
                     .header = f->peer.family == IP_V6 ? 74 : 54,
                     .seq = {(uint32_t)rng_u64(&p->rng), (uint32_t)rng_u64(&p->rng)},
                     .id = {(uint16_t)rng_u64(&p->rng), (uint16_t)rng_u64(&p->rng)}};
    bool counts = party_in_capture(p, start_ns);
    p->tally.flows += counts;
    if (f->packets_out > 0 && is_refused(f, t.header)) {
        p->tally.refused += counts;
        play_refused(&t, start_ns);
        return unmatched(&t);
    }
    p->tally.established += counts;
    t.step = calloc(t.cap, sizeof *t.step);
    if (!t.step) {
        p->run->error = -ENOMEM;
        return 0;
    }
    if (f->packets_out == 0) {
        for (uint32_t i = 0; i < f->packets_in; i++)
            add(&t, true, TCP_ACK, 0);
        play_steps(&t, start_ns);
    } else {
        play_conversation(&t, start_ns);
    }
    free(t.step);
    return unmatched(&t);
}
