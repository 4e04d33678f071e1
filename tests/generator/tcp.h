// A TCP conversation as a tap near the subscriber sees it: RFC 9293 with the usual options, delayed
// acknowledgements, slow start, and retransmissions after loss.
//
// The conversation is a script run forward in time: connect, send, pause, send ..., close. `now_ns` is
// the tap's clock at the last event. Distances and application pauses decide when the next one passes
// the tap. Loss and reordering strike single segments; the conversation always recovers.
#pragma once

#include "party.h"

enum tcp_who { TCP_CLIENT, TCP_SERVER };

// Habits of an operating system.
struct tcp_stack {
    const char *name;
    uint8_t ttl;
    uint16_t window;      // of the SYN
    uint8_t window_scale; // 0: not offered
    bool sack, timestamps;
    uint16_t port_low, port_high; // ephemeral ports
    uint8_t syn_tries;            // transmissions of an unanswered SYN
    uint16_t syn_first_ms;        // wait before the second; doubles each time
};
extern const struct tcp_stack tcp_linux, tcp_windows, tcp_apple, tcp_xp, tcp_appliance, tcp_raw;

struct tcp_side {
    struct ip_addr addr;
    uint16_t port;
    const struct tcp_stack *stack;
    int64_t delay_ns; // one way to the tap
    uint8_t hops;     // to the tap
    uint32_t seq;     // next to send
    uint32_t acked;   // last acknowledgement sent
    uint32_t ts_base, ts_seen;
    uint16_t ip_id;
    bool owes_ack;
    int64_t ack_due_ns;
    uint32_t ack_value;
    bool fin_sent;
    uint64_t sent; // octets of payload
};

struct tcp_flow {
    struct party *party;
    enum tcp_who subscriber;
    struct tcp_side side[2];
    int64_t now_ns;
    int64_t began_ns;  // when the last thing sent began to pass the tap
    int64_t think_ns;  // pause asked for since the last event
    enum tcp_who turn; // who sent last
    uint16_t mss;
    uint32_t window; // congestion window, segments
    bool timestamps, sack, wscale;
    bool open;
    int64_t octet_ns; // of the slower line, nanoseconds an octet
};

// A conversation of `party` with `peer` on `port`, from the subscriber (`subscriber` is TCP_CLIENT) or
// to it. Nothing is sent yet. `v6` asks for IPv6; it is used where both have it.
void tcp_begin(struct tcp_flow *f, struct party *party, enum tcp_who subscriber,
               const struct peer *peer, uint16_t port, const struct tcp_stack *client, bool v6,
               int64_t t_ns);

// The ways of getting nowhere. Each ends the conversation.
void tcp_unanswered(struct tcp_flow *f);
void tcp_refused(struct tcp_flow *f);
void tcp_prohibited(struct tcp_flow *f); // an ICMP error answers
void tcp_half_open(struct tcp_flow *f);  // SYN, SYN and ACK, RST: a scanner met an open port

void tcp_connect(struct tcp_flow *f); // the handshake

void tcp_send(struct tcp_flow *f, enum tcp_who who, struct span data);
void tcp_pause(struct tcp_flow *f, int64_t ns);        // the next sender takes its time
void tcp_wait_until(struct tcp_flow *f, int64_t t_ns); // nothing more passes the tap before

void tcp_close(struct tcp_flow *f, enum tcp_who first);
void tcp_reset(struct tcp_flow *f, enum tcp_who who);
