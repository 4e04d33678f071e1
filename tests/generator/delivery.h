// One try of a mail program to hand messages to a mail server, the subscriber being either of the two:
// the connection that fails or not, the session, STARTTLS where both want it.
#pragma once

#include "smtp.h"

enum { DELIVERY_RCPT_MAX = 100 };

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
    const struct peer
        *self; // the subscriber is the server and this its name; NULL: it is the client
};

// Plays it with the host `other` at `t_ns` and returns when it was over. No messages: the client looks
// at the greeting and leaves.
int64_t delivery_play(const struct delivery *d, struct party *p, const struct peer *other,
                      int64_t t_ns);

// The session alone, on an open channel.
void delivery_converse(const struct delivery *d, struct channel *c, const struct peer *server);

// What a queue manager does with a server that asks to come again: a greylisting peer puts all
// recipients off at the first try and takes them at the second, 5 to 20 minutes later. Other peers
// take part with what the recipients' replies already say. Returns the end of the last try.
int64_t delivery_queue(const struct delivery *d, struct party *p, const struct peer *other,
                       int64_t t_ns);

// Fills `out` with a recipient at domain `i`.
void delivery_address(char out[static SMTP_ADDRESS_MAX], struct rng *r, uint32_t domain);
// A domain as bulk senders meet them: `big` of them at the big providers, else one of [8, domains).
uint32_t delivery_domain(struct rng *r, double big, uint32_t domains);
