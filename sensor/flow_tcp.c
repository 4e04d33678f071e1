// The state of a connection as a bystander sees it (RFC 9293): who began, whether it was answered, when
// it is over, and whether the same ports are used again. Either direction may be missing.
#include <string.h>

#include "flow.h"
#include "octets.h"
#include "stream_pool.h"

// A SYN or its answer that the mirror showed behind the first data is still the beginning.
#define REORDER_US 5000000
// A reset further than this from what was seen is not this connection's.
#define RESET_RANGE (1 << 20)

#define WSCALE_UNKNOWN 15

bool flow_greets(struct span payload)
{
    if (span_begins(payload, "SSH-") || span_begins(payload, "+OK") || span_begins(payload, "* OK"))
        return true;
    if (payload.len < 4 || (payload.data[3] != ' ' && payload.data[3] != '-'))
        return false;
    for (size_t i = 0; i < 3; i++)
        if (payload.data[i] < '0' || payload.data[i] > '9')
            return false;
    return payload.data[0] >= '1' && payload.data[0] <= '5';
}

void flow_swap(struct flow *f)
{
#define SWAP(type, a, b) \
    do {                 \
        type kept = a;   \
        a = b;           \
        b = kept;        \
    } while (0)
    SWAP(uint32_t, f->end[0], f->end[1]);
    SWAP(uint32_t, f->packets[0], f->packets[1]);
    SWAP(uint32_t, f->octets[0], f->octets[1]);
    SWAP(uint32_t, f->payload[0], f->payload[1]);
    SWAP(uint16_t, f->retransmissions[0], f->retransmissions[1]);
    SWAP(uint32_t, f->isn[0], f->isn[1]);
#undef SWAP
    // Each pair of flags stands side by side.
    uint16_t lower = FLOW_SEEN_INITIATOR | FLOW_ISN_INITIATOR | FLOW_FIN_INITIATOR;
    uint16_t upper = FLOW_SEEN_RESPONDER | FLOW_ISN_RESPONDER | FLOW_FIN_RESPONDER;
    uint16_t flags = f->flags;
    f->flags = (uint16_t)((flags & ~(lower | upper)) | (flags & lower) << 1 | (flags & upper) >> 1);
    f->flags ^= FLOW_INITIATOR_HIGH;
    f->wscale = (uint8_t)(f->wscale << 4 | f->wscale >> 4);
    if (f->side == RECORD_SIDE_INITIATOR || f->side == RECORD_SIDE_RESPONDER)
        f->side = f->side == RECORD_SIDE_INITIATOR ? RECORD_SIDE_RESPONDER : RECORD_SIDE_INITIATOR;
}

// ---- Does a packet belong to the flow that has its key?

// A midstream flow may get to see its beginning yet.
static bool begins_late(const struct flow *f, const struct packet *p, unsigned dir)
{
    return f->handshake == RECORD_HANDSHAKE_MIDSTREAM && p->t_us - f->start_us < REORDER_US &&
           (f->end[dir] == 0 || f->end[dir] - p->seq < 65536);
}

static enum flow_belongs syn_belongs(const struct flow *f, const struct packet *p, unsigned dir)
{
    bool known = f->flags & (dir == 0 ? FLOW_ISN_INITIATOR : FLOW_ISN_RESPONDER);
    if (known && p->seq == f->isn[dir])
        return f->state == FLOW_DONE ? FLOW_LATE : FLOW_BELONGS;
    if (p->tcp_flags & PACKET_ACK) {
        // Answers a beginning we know, whatever was answered before.
        if (dir == 1 && (f->flags & FLOW_ISN_INITIATOR) && f->state == FLOW_SYN_SENT)
            return FLOW_BELONGS;
        if (dir == 1 && (f->flags & FLOW_ISN_INITIATOR) && p->ack == f->isn[0] + 1)
            return FLOW_LATE;
    } else if (dir == 1 && f->state == FLOW_SYN_SENT) {
        return FLOW_BELONGS; // both began at once
    }
    if (!known && f->state == FLOW_OPEN && begins_late(f, p, dir))
        return FLOW_BELONGS;
    return FLOW_REUSED;
}

enum flow_belongs flow_tcp_belongs(const struct flow *f, const struct packet *p, unsigned dir)
{
    if ((p->tcp_flags & PACKET_SYN) && !(p->tcp_flags & PACKET_RST))
        return syn_belongs(f, p, dir);
    return f->state == FLOW_DONE ? FLOW_LATE : FLOW_BELONGS;
}

// ---- Beginnings.

// Which end of a connection joined in the middle began it: not the one with the server's port, not
// the one that greets, else not the one with the lower port.
static bool source_initiated(const struct packet *p, bool *weak)
{
    bool from_server = flow_is_server_port(p->port[0]), to_server = flow_is_server_port(p->port[1]);
    *weak = from_server == to_server;
    if (!*weak)
        return to_server;
    return !flow_greets(p->payload) && p->port[1] <= p->port[0];
}

struct flow *flow_tcp_new(struct flow_table *t, const struct packet *p, const struct flow_key *key,
                          uint64_t hash, bool swapped)
{
    uint8_t flags = p->tcp_flags;
    bool by_source = true, weak = false, midstream = false, answer = false;
    if (flags & PACKET_RST) {
        // A refusal whose SYN the mirror did not show; any other reset is of nothing we know.
        if (!(flags & PACKET_ACK) || p->seq != 0 || p->payload_wire != 0)
            return NULL;
        answer = true;
    } else if (flags & PACKET_SYN) {
        answer = flags & PACKET_ACK;
    } else {
        if ((flags & PACKET_FIN) && p->payload_wire == 0)
            return NULL;
        midstream = true;
        by_source = source_initiated(p, &weak);
    }
    if (answer)
        by_source = false;
    struct flow *f = flow_new(t, key, hash, midstream ? FLOW_OPEN : FLOW_SYN_SENT, p->t_us);
    if (by_source == swapped)
        f->flags |= FLOW_INITIATOR_HIGH;
    if (weak)
        f->flags |= FLOW_WEAK_SIDES;
    if (answer) {
        f->isn[0] = p->ack - 1;
        f->end[0] = p->ack;
        f->flags |= FLOW_ISN_INITIATOR;
    }
    if (midstream) {
        f->handshake = RECORD_HANDSHAKE_MIDSTREAM;
        f->incomplete |= RECORD_MIDSTREAM;
        t->stats->midstream_flows++;
    }
    flow_arm(t, f);
    return f;
}

// ---- What a packet does.

// Window scale option of a SYN (RFC 7323); 0: none.
static uint8_t window_scale(struct span options)
{
    for (size_t i = 0; i < options.len;) {
        uint8_t kind = options.data[i];
        if (kind == 0)
            break;
        if (kind == 1) {
            i++;
            continue;
        }
        if (i + 1 >= options.len || options.data[i + 1] < 2)
            break;
        if (kind == 3 && options.data[i + 1] == 3 && i + 2 < options.len)
            return options.data[i + 2] > 14 ? 14 : options.data[i + 2];
        i += options.data[i + 1];
    }
    return 0;
}

static void note_scale(struct flow *f, const struct packet *p, unsigned dir)
{
    unsigned scale = window_scale(packet_tcp_options(p));
    f->wscale = (uint8_t)(dir == 0 ? (f->wscale & 0xf0) | scale : (f->wscale & 0x0f) | scale << 4);
    // Scaling is in force only when both asked for it.
    if (dir == 1 && scale == 0)
        f->wscale = 0;
}

static void reach(struct flow *f, unsigned dir, uint32_t end)
{
    if (f->end[dir] == 0 || seq_before(f->end[dir], end))
        f->end[dir] = end;
}

static void retransmitted(struct flow_table *t, struct flow *f, unsigned dir)
{
    t->stats->retransmissions++;
    flow_count_event(f, &f->retransmissions[dir]);
}

static uint32_t since_start_us(const struct flow *f, int64_t t_us)
{
    int64_t us = t_us - f->start_us;
    return us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

// A beginning that came late: what was taken for the middle is none.
static void became_known(struct flow *f)
{
    if (f->handshake == RECORD_HANDSHAKE_MIDSTREAM) {
        f->handshake = RECORD_HANDSHAKE_PENDING;
        f->incomplete &= (uint16_t)~RECORD_MIDSTREAM;
    }
}

static void on_syn(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir)
{
    uint32_t end = p->seq + 1 + p->payload_wire;
    uint16_t known = dir == 0 ? FLOW_ISN_INITIATOR : FLOW_ISN_RESPONDER;
    if (dir == 1 && (p->tcp_flags & PACKET_ACK) && (f->flags & FLOW_ISN_INITIATOR) &&
        (seq_before(p->ack, f->isn[0] + 1) || seq_before(f->end[0], p->ack))) {
        t->stats->outside_window++;
        return;
    }
    bool again = (f->flags & known) && (dir == 1 || f->syn_count > 0 || (f->flags & FLOW_TOLD));
    if (dir == 0)
        flow_count_event(f, &f->syn_count);
    if (again) {
        retransmitted(t, f, dir);
    } else {
        f->isn[dir] = p->seq;
        f->flags |= known;
        note_scale(f, p, dir);
        became_known(f);
        dialogue_begins(t, f, dir);
        // The answer tells the other side's beginning as well.
        if (dir == 1 && (p->tcp_flags & PACKET_ACK) && !(f->flags & FLOW_ISN_INITIATOR)) {
            f->isn[0] = p->ack - 1;
            f->flags |= FLOW_ISN_INITIATOR;
            dialogue_begins(t, f, 0);
        }
    }
    reach(f, dir, end);
    if (dir == 1 && f->state == FLOW_SYN_SENT) {
        f->handshake_us = since_start_us(f, p->t_us);
        f->handshake = RECORD_HANDSHAKE_PENDING; // whatever was said before it came
        flow_set_state(t, f, FLOW_SYN_RECEIVED, p->t_us);
    }
}

static void on_reset(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir)
{
    if (f->state == FLOW_SYN_SENT && dir == 1) {
        if (!(p->tcp_flags & PACKET_ACK) || seq_before(p->ack, f->isn[0] + 1) ||
            seq_before(f->end[0], p->ack)) {
            t->stats->outside_window++;
            return;
        }
        flow_decide(f, RECORD_HANDSHAKE_REFUSED, p->t_us);
        flow_end_now(t, f, PROTO_END_RST, p->t_us);
        return;
    }
    int32_t off = (int32_t)(p->seq - f->end[dir]);
    if (f->end[dir] != 0 && (off > RESET_RANGE || off < -RESET_RANGE)) {
        t->stats->outside_window++;
        return;
    }
    f->flags |= FLOW_RESET;
    // Octets on their way when the reset was sent may still come and complete the dialogue.
    if (f->dialogue && f->state != FLOW_CLOSING)
        flow_set_state(t, f, FLOW_CLOSING, p->t_us);
    else if (!f->dialogue)
        flow_end_now(t, f, PROTO_END_RST, p->t_us);
}

// The responder acknowledges more than the SYN: the initiator has spoken, though perhaps unseen.
static bool acknowledges_octets(const struct flow *f, const struct packet *p)
{
    if (!(p->tcp_flags & PACKET_ACK) || !(f->flags & FLOW_ISN_INITIATOR))
        return false;
    int32_t octets = (int32_t)(p->ack - f->isn[0] - 1);
    // One may be the FIN.
    return octets > 1 ||
           (octets == 1 && (f->flags & FLOW_SEEN_INITIATOR) && !(f->flags & FLOW_FIN_INITIATOR));
}

static void advance(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir)
{
    if (f->state == FLOW_SYN_SENT) {
        // The answer was not shown to us, but there was one. An acknowledgement of something else is
        // a host's answer to a SYN for a connection it still has.
        if (!(p->tcp_flags & PACKET_ACK))
            return;
        if (dir == 1 && (seq_before(p->ack, f->isn[0] + 1) || seq_before(f->end[0], p->ack))) {
            t->stats->outside_window++;
            return;
        }
        f->handshake_us = since_start_us(f, p->t_us);
        if (dir == 0 && p->seq == f->isn[0] + 1 && !(f->flags & FLOW_ISN_RESPONDER)) {
            f->isn[1] = p->ack - 1;
            f->end[1] = p->ack;
            f->flags |= FLOW_ISN_RESPONDER;
        }
        f->handshake = RECORD_HANDSHAKE_PENDING;
        flow_set_state(t, f, FLOW_OPEN, p->t_us);
    } else if (f->state == FLOW_SYN_RECEIVED) {
        bool clean = dir == 0 && f->syn_count == 1 && f->retransmissions[1] == 0;
        if (clean) // a retransmitted SYN leaves open which one was answered (Karn)
            f->rtt_us = since_start_us(f, p->t_us);
        f->handshake_us = since_start_us(f, p->t_us);
        flow_set_state(t, f, FLOW_OPEN, p->t_us);
    }
}

static void note_first_reply(struct flow *f, const struct packet *p)
{
    uint32_t now = since_start_us(f, p->t_us);
    if (f->handshake != RECORD_HANDSHAKE_MIDSTREAM)
        f->to_first_reply_ms = (now > f->handshake_us ? (now - f->handshake_us) / 1000 : 0) + 1;
}

static void on_octets(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir)
{
    uint32_t end = p->seq + (p->tcp_flags & PACKET_SYN ? 1 : 0) + p->payload_wire;
    bool old = f->end[dir] != 0 && !seq_before(f->end[dir], end);
    bool keepalive = p->payload_wire <= 1 && end == f->end[dir] && f->dialogue == 0 &&
                     p->seq + 1 == f->end[dir];
    unsigned verdict = dialogue_segment(t, f, p, dir);
    if (p->payload_wire > 0 &&
        (verdict == DIALOGUE_NONE ? old && !keepalive : verdict == STREAM_OLD) &&
        !(p->tcp_flags & PACKET_SYN))
        retransmitted(t, f, dir);
    else if (p->payload_wire > 0 && (verdict == STREAM_NOTHING || keepalive))
        t->stats->keepalives++;
    if (verdict == STREAM_OUTSIDE) {
        t->stats->outside_window++;
        return;
    }
    if (dir == 0 ? p->payload_wire > 0 && f->state != FLOW_SYN_SENT : acknowledges_octets(f, p))
        f->flags |= FLOW_SPOKE;
    if (f->to_first_reply_ms == 0 && dir == 1 && p->payload_wire > 0)
        note_first_reply(f, p);
    if ((f->flags & FLOW_SPOKE) && f->handshake != RECORD_HANDSHAKE_ESTABLISHED &&
        f->handshake != RECORD_HANDSHAKE_MIDSTREAM)
        flow_decide(f, RECORD_HANDSHAKE_ESTABLISHED, p->t_us);
    reach(f, dir, end + (p->tcp_flags & PACKET_FIN ? 1 : 0));
}

// Over when both FINs are acknowledged and nothing is awaited; else a moment later.
static void on_close(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir)
{
    const uint16_t both = FLOW_FIN_INITIATOR | FLOW_FIN_RESPONDER;
    bool had_both = (f->flags & both) == both;
    if (p->tcp_flags & PACKET_FIN)
        f->flags |= dir == 0 ? FLOW_FIN_INITIATOR : FLOW_FIN_RESPONDER;
    if ((f->flags & both) != both || (f->flags & FLOW_RESET))
        return;
    if (!had_both)
        flow_set_state(t, f, FLOW_CLOSING, p->t_us);
    else if ((p->tcp_flags & PACKET_ACK) && !seq_before(p->ack, f->end[!dir]) &&
             dialogue_settled(t, f))
        flow_end_now(t, f, PROTO_END_FIN, p->t_us);
}

// A change of state sets the deadline, and most packets only move it away: the one that is set may stay. Nearer it
// comes with a beginning shown late, an outcome, a close, and octets that are awaited.
static bool comes_nearer(struct flow_table *t, const struct flow *f, const struct packet *p,
                         uint8_t handshake)
{
    const uint16_t closing = FLOW_FIN_INITIATOR | FLOW_FIN_RESPONDER;
    return f->state != FLOW_DONE && ((p->tcp_flags & PACKET_SYN) || (f->flags & closing) ||
                                     f->handshake != handshake || dialogue_deadline(t, f) != 0);
}

bool flow_tcp_open(const struct flow *f, const struct packet *p)
{
    const unsigned turning = PACKET_SYN | PACKET_FIN | PACKET_RST;
    const uint16_t ending = FLOW_FIN_INITIATOR | FLOW_FIN_RESPONDER | FLOW_RESET;
    const unsigned decided = 1u << RECORD_HANDSHAKE_ESTABLISHED | 1u << RECORD_HANDSHAKE_MIDSTREAM;
    return ((f->state ^ FLOW_OPEN) | (p->tcp_flags & turning) | (f->flags & ending)) == 0 &&
           (decided >> f->handshake & 1);
}

bool flow_tcp_talk(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir)
{
    if (!dialogue_next(t, f, p, dir))
        return false;
    if (!(f->flags & FLOW_SPOKE) && (dir == 0 ? p->payload_wire > 0 : acknowledges_octets(f, p)))
        f->flags |= FLOW_SPOKE;
    if (f->to_first_reply_ms == 0 && dir == 1 && p->payload_wire > 0)
        note_first_reply(f, p);
    reach(f, dir, p->seq + p->payload_wire);
    return true;
}

bool flow_tcp_pass(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir)
{
    if ((f->flags & FLOW_WEAK_SIDES) || (!(f->flags & FLOW_NO_DIALOGUE) && p->payload_wire > 0))
        return false;
    uint32_t end = p->seq + p->payload_wire, before = f->end[dir];
    bool first = before == 0, ahead = first || seq_before(before, end);
    if (p->payload_wire > 0 && (!ahead || end == before)) {
        if (p->payload_wire == 1 && end == before)
            t->stats->keepalives++;
        else if (!ahead)
            retransmitted(t, f, dir);
    }
    f->end[dir] = ahead ? end : before;
    if (!(f->flags & FLOW_SPOKE) && (dir == 0 ? p->payload_wire > 0 : acknowledges_octets(f, p)))
        f->flags |= FLOW_SPOKE;
    if (f->to_first_reply_ms == 0 && dir == 1 && p->payload_wire > 0)
        note_first_reply(f, p);
    return true;
}

void flow_tcp(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir)
{
    uint8_t handshake = f->handshake;
    if (p->tcp_flags & PACKET_RST) {
        on_reset(t, f, p, dir);
        return;
    }
    // A beginning shown late may prove the guess of who began wrong.
    bool from = (p->tcp_flags & PACKET_ACK) != 0;
    if ((p->tcp_flags & PACKET_SYN) && dir != from && !(f->flags & FLOW_TOLD) &&
        f->handshake == RECORD_HANDSHAKE_MIDSTREAM) {
        flow_swap(f);
        flow_note_ends(t, f, p, from);
        if (dialogue_swap(t, f)) {
            dir = from;
        } else {
            flow_swap(f);
            flow_note_ends(t, f, p, dir);
        }
    }
    if (p->tcp_flags & PACKET_SYN)
        on_syn(t, f, p, dir);
    else
        advance(t, f, p, dir);
    // A greeting tells a server whatever the ports look like.
    if ((f->flags & FLOW_WEAK_SIDES) && !(f->flags & FLOW_TOLD) && f->dialogue == 0 && dir == 0 &&
        flow_greets(p->payload)) {
        flow_swap(f);
        dir = 1;
        flow_note_ends(t, f, p, dir);
    }
    on_octets(t, f, p, dir);
    on_close(t, f, p, dir);
    if (comes_nearer(t, f, p, handshake))
        flow_arm(t, f);
}

void flow_tcp_icmp(struct flow_table *t, struct flow *f, uint32_t seq, int64_t t_us)
{
    if (f->state != FLOW_SYN_SENT || seq != f->isn[0] || f->handshake == RECORD_HANDSHAKE_ICMP)
        return;
    t->stats->icmp_matched++;
    flow_decide(f, RECORD_HANDSHAKE_ICMP, t_us);
    flow_touch(t, f, t_us);
    t->report(t->report_ctx, t, f, 0, t_us);
    flow_arm(t, f);
}
