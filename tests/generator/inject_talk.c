// The shape of an answered flow: handshake, data in turns, acknowledgements to make up the number of
// packets, and an end; every frame's length is chosen so that the octets add up.
//
// Facts do not say where packets stood in time: the first and the last keep theirs, the others are
// spread between.
#include "inject_talk.h"

#include <errno.h>
#include <stdlib.h>

#include "inject_script.h"
#include "inject_syn.h"

enum { SEGMENT_MAX = 1460, SYN_OPTIONS = 8, FRAME_PAD = 6 };

struct step {
    bool in;
    uint8_t flags, pad;
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
                                  .unpadded = true,
                                  .pad = s->pad},
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
    t->octets[s->in] += t->header + p.options_len + s->len + s->pad;
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

static size_t step_length(const struct talk *t, const struct step *s, size_t syn_options)
{
    return t->header + (s->flags & TCP_SYN ? syn_options : 0) + s->len;
}

// Octets the steps fall short of the facts are padding: Ethernet fills frames up to 60 octets.
static void pad_steps(struct talk *t, size_t syn_options)
{
    uint64_t short_of[2] = {t->f->octets_out, t->f->octets_in};
    for (size_t i = 0; i < t->steps; i++) {
        uint64_t *left = &short_of[t->step[i].in], len = step_length(t, &t->step[i], syn_options);
        *left = *left > len ? *left - len : 0;
    }
    for (size_t i = 0; i < t->steps; i++) {
        uint64_t *left = &short_of[t->step[i].in];
        size_t len = step_length(t, &t->step[i], syn_options), room = len < 60 ? 60 - len : 0;
        size_t pad = *left < room ? (size_t)*left : room;
        t->step[i].pad = (uint8_t)pad;
        *left -= pad;
    }
}

static void play_refused(struct talk *t, int64_t start_ns)
{
    const struct flow_fact *f = t->f;
    size_t each = (size_t)(f->octets_out / f->packets_out);
    size_t options = each > t->header ? (each - t->header) / 4 * 4 : 0;
    for (uint32_t i = 0; i < f->packets_out; i++) {
        add(t, false, TCP_SYN, 0);
        add(t, true, TCP_RST | TCP_ACK, 0);
    }
    pad_steps(t, options);
    uint32_t first = t->seq[0];
    int64_t answer = f->packets_out == 1 ? f->duration_ns : 40 * NS_PER_MS;
    if (answer > f->duration_ns)
        answer = f->duration_ns;
    for (uint32_t i = 0; i < f->packets_out; i++) {
        int64_t at = f->packets_out == 1
                         ? 0
                         : (f->duration_ns - answer) * (int64_t)i / (int64_t)(f->packets_out - 1);
        t->seq[0] = first;
        send_step(t, &t->step[2 * (size_t)i], start_ns + at, options);
        t->seq[1] = 0;
        send_step(t, &t->step[2 * (size_t)i + 1], start_ns + at + answer, 0);
    }
}

// Payload octets the facts leave for a direction that sends `packets` frames of at least `frame`
// octets, but one of them a SYN of `syn` octets, and `carriers` of them with payload.
static size_t payload_of(uint64_t octets, uint32_t packets, size_t frame, size_t syn,
                         size_t carriers)
{
    uint64_t heads = (uint64_t)(packets - 1) * frame + syn;
    uint64_t left = octets > heads ? octets - heads : 0, most = (uint64_t)carriers * SEGMENT_MAX;
    return (size_t)(left < most ? left : most);
}

// How the script's turns are cut into segments.
struct cut {
    size_t total[2];
    size_t size[2];  // of a segment, at most
    size_t count[2]; // segments
    bool turns;      // the packets suffice for them; else both directions go side by side
};

static size_t count_segments(const struct script *s, int d, size_t size, bool turns)
{
    size_t n = 0, total = 0;
    for (size_t i = 0; i < s->turns; i++)
        if (s->turn[i].from_server == d) {
            n += (s->turn[i].len + size - 1) / size;
            total += s->turn[i].len;
        }
    return turns ? n : (total + size - 1) / size;
}

static void make_cut(const struct script *s, const size_t room[2], struct cut *c)
{
    *c = (struct cut){.size = {SEGMENT_MAX, SEGMENT_MAX}};
    for (size_t i = 0; i < s->turns; i++)
        c->total[s->turn[i].from_server] += s->turn[i].len;
    c->turns = count_segments(s, 0, SEGMENT_MAX, true) <= room[0] &&
               count_segments(s, 1, SEGMENT_MAX, true) <= room[1];
    for (int d = 0; d < 2; d++)
        c->count[d] = count_segments(s, d, SEGMENT_MAX, c->turns);
    // More packets than data and acknowledgements need: smaller segments.
    for (int d = 0; d < 2; d++) {
        size_t want = room[d] > c->count[!d] ? room[d] - c->count[!d] : 0;
        for (size_t size = SEGMENT_MAX; c->count[d] < want && size > 8; size -= size / 8) {
            size_t n = count_segments(s, d, size, c->turns);
            if (n > room[d])
                break;
            c->size[d] = size;
            c->count[d] = n;
        }
    }
}

// Data, with pure acknowledgements spread over the other side's data to make up the numbers.
static void add_data(struct talk *t, const struct script *s, const size_t room[2])
{
    struct cut c;
    make_cut(s, room, &c);
    size_t spare[2], done[2] = {0}, said[2] = {0}, acks[2] = {0}, at_turn = 0, in_turn = 0;
    for (int d = 0; d < 2; d++)
        spare[d] = room[d] > c.count[d] ? room[d] - c.count[d] : 0;
    while (said[0] < c.total[0] || said[1] < c.total[1]) {
        int d;
        size_t left;
        if (c.turns) {
            d = s->turn[at_turn].from_server;
            left = s->turn[at_turn].len - in_turn;
        } else {
            d = said[0] == c.total[0] || done[1] * c.count[0] < done[0] * c.count[1];
            if (said[d] == c.total[d])
                d = !d;
            left = c.total[d] - said[d];
        }
        size_t len = left < c.size[d] ? left : c.size[d];
        in_turn = len == left ? 0 : in_turn + len;
        at_turn += c.turns && len == left;
        add(t, d, TCP_PSH | TCP_ACK, len);
        done[d]++;
        said[d] += len;
        for (size_t due = spare[!d] * done[d] / c.count[d]; acks[!d] < due; acks[!d]++)
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
    pad_steps(t, SYN_OPTIONS);
    for (size_t i = 0; i < t->steps; i++) {
        int64_t at = i == 0   ? 0
                     : i <= 2 ? early * (int64_t)i / 2
                              : early + (duration - early) * (int64_t)(i - 2) /
                                            (int64_t)(t->steps > 3 ? t->steps - 3 : 1);
        if (i + 1 == t->steps)
            at = duration;
        send_step(t, &t->step[i], start_ns + at, SYN_OPTIONS);
    }
}

// Packets left for the end, when the data needs fewer: FIN, FIN and ACK, or a RST.
static void leave_end(const size_t data[2], size_t room[2], size_t end[2])
{
    for (int d = 0; d < 2; d++) {
        size_t least = (data[d] + SEGMENT_MAX - 1) / SEGMENT_MAX, spare = room[d] - least;
        end[d] = spare >= 2 && d == 0 ? 2 : spare >= 1 ? 1 : 0;
    }
    if (end[1] == 0 && end[0] == 2)
        end[0] = 1;
    room[0] -= end[0];
    room[1] -= end[1];
}

static bool fits_in_turns(const struct script *s, const size_t room[2])
{
    return count_segments(s, 0, SEGMENT_MAX, true) <= room[0] &&
           count_segments(s, 1, SEGMENT_MAX, true) <= room[1];
}

// The script with as many questions and answers as the packets have room for.
static void write_script(struct talk *t, struct script *s, const size_t data[2],
                         const size_t room[2])
{
    size_t rounds = room[0] < room[1] ? room[0] : room[1];
    script_write(s, &t->p->rng, t->f->port, data[0], data[1], rounds);
    while (rounds > 1 && !fits_in_turns(s, room)) {
        rounds = rounds * 3 / 4;
        script_fini(s);
        script_write(s, &t->p->rng, t->f->port, data[0], data[1], rounds);
    }
}

static void count_mail(struct party *p, const struct script *s)
{
    struct smtp_tally *t = &p->tally.smtp[TALLY_OUT][TALLY_CLEAR];
    size_t sent = s->mail - s->refused;
    t->sessions += s->smtp;
    t->mail += s->mail;
    t->rcpt += s->mail;
    t->rcpt_ok += sent;
    t->rcpt_5xx += s->refused;
    t->data += sent;
    t->messages_ok += sent;
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
    // What comes in has been padded on its last wire; what goes out was seen before its first.
    size_t padded = t->header + FRAME_PAD;
    bool pads = f->octets_in >= (uint64_t)f->packets_in * padded && f->peer.family == IP_V4;
    size_t syn = t->header + SYN_OPTIONS;
    size_t data[2] = {
        payload_of(f->octets_out, f->packets_out, t->header, syn, room[0]),
        payload_of(f->octets_in, f->packets_in, pads ? padded : t->header, syn, room[1])};
    leave_end(data, room, end);
    struct script script;
    write_script(t, &script, data, room);
    // Frames with payload carry no padding: what was set aside for theirs is payload. How many there
    // are depends on the payload, so a few rounds are needed.
    for (int i = 0; pads && data[1] > 0 && i < 8; i++) {
        struct cut c;
        make_cut(&script, room, &c);
        uint64_t bare = (uint64_t)f->packets_in * t->header + SYN_OPTIONS + data[1];
        uint64_t fill = FRAME_PAD * (uint64_t)(f->packets_in - 1 - c.count[1]);
        if (f->octets_in <= bare + fill || data[1] == room[1] * SEGMENT_MAX)
            break;
        data[1] += (size_t)(f->octets_in - bare - fill);
        data[1] = data[1] < room[1] * SEGMENT_MAX ? data[1] : room[1] * SEGMENT_MAX;
        script_fini(&script);
        write_script(t, &script, data, room);
    }
    if (party_in_capture(t->p, start_ns))
        count_mail(t->p, &script);
    t->script = &script;
    add_data(t, &script, room);
    add_end(t, end);
    play_steps(t, start_ns);
    t->script = NULL;
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
    p->tally.flows += counts && f->packets_out > 0;
    t.step = calloc(t.cap, sizeof *t.step);
    if (!t.step) {
        p->run->error = -ENOMEM;
        return 0;
    }
    if (f->packets_out > 0 && inject_is_refused(f, t.header)) {
        p->tally.refused += counts;
        play_refused(&t, start_ns);
    } else if (f->packets_out == 0) { // only the answers were captured
        for (uint32_t i = 0; i < f->packets_in; i++)
            add(&t, true, TCP_ACK, 0);
        play_steps(&t, start_ns);
    } else {
        p->tally.established += counts;
        play_conversation(&t, start_ns);
    }
    free(t.step);
    return unmatched(&t);
}
