// The way a dialogue takes: one conversation, or two in a row when the subscriber relays it; in clear
// or, once told so, as TLS records of the right size with random content.
#pragma once

#include "tcp.h"

enum channel_tls { CHANNEL_CLEAR, CHANNEL_TLS12, CHANNEL_TLS13 };

struct channel {
    struct tcp_flow *flow;  // carries the dialogue to its server
    struct tcp_flow *relay; // NULL, or the conversation on which the dialogue's client sits
    enum channel_tls tls;
};

static inline struct party *channel_party(const struct channel *c)
{
    return c->flow->party;
}

// Octets as they are, whatever the state of TLS.
void channel_raw(struct channel *c, enum tcp_who who, struct span data);

void channel_send(struct channel *c, enum tcp_who who, struct span data);
void channel_printf(struct channel *c, enum tcp_who who, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

// `len` octets nobody looks into.
void channel_noise(struct channel *c, enum tcp_who who, size_t len);

// The next to speak takes its time.
void channel_pause(struct channel *c, int64_t ns);

// FIN both ways, behind TLS's close_notify where there is TLS.
void channel_close(struct channel *c, enum tcp_who first);
void channel_reset(struct channel *c, enum tcp_who who);
