// One try of a subscriber's program to hand messages to another mail server: the connection that
// fails or not, the session, STARTTLS where both want it.
#pragma once

#include "smtp.h"

enum delivery_reach {
    DELIVERY_REACHED,
    DELIVERY_UNANSWERED,
    DELIVERY_REFUSED,
    DELIVERY_PROHIBITED
};

struct delivery {
    const struct smtp_client *client;
    const char *helo;
    uint16_t port;
    double starttls; // share of sessions that ask for it where it is offered
    double v6;       // share of connections over IPv6 where both can
    enum delivery_reach reach;
    enum smtp_reply greeting; // SMTP_OK: a banner
    const struct smtp_message *message;
    size_t messages;
    bool sink; // closes after EHLO without a message (a client that only looks)
};

// Plays it at `t_ns` and returns when it was over. `relay` (may be NULL) is the open conversation of
// the one who sends through the subscriber.
int64_t delivery_play(const struct delivery *d, struct party *p, const struct peer *server,
                      struct tcp_flow *relay, int64_t t_ns);

// Fills `out` with a recipient at domain `i`.
void delivery_address(char out[static SMTP_ADDRESS_MAX], struct rng *r, uint32_t domain);
// A domain as bulk senders meet them: `big` of them at the big providers, else one of [8, domains).
uint32_t delivery_domain(struct rng *r, double big, uint32_t domains);
