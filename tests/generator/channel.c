// Framing into TLS records, and handing on along a relay.
#include "channel.h"

#include <stdarg.h>
#include <stdio.h>

enum { RECORD_MAX = 16384, OVERHEAD_12 = 24, OVERHEAD_13 = 17, NOISE_MAX = 1 << 16 };

static void hand_on(struct tcp_flow *first, struct tcp_flow *second, enum tcp_who who,
                    struct span data)
{
    tcp_send(first, who, data);
    // The subscriber reads from one and writes to the other within a few milliseconds; tcp_send adds
    // the way to the subscriber and back unless the same side spoke before.
    struct party *p = first->party;
    int64_t ready = first->now_ns + rng_between(&p->rng, 300000, 3 * NS_PER_MS);
    if (second->turn == who)
        ready += 2 * p->delay_ns;
    tcp_wait_until(second, ready);
    tcp_send(second, who, data);
}

void channel_raw(struct channel *c, enum tcp_who who, struct span data)
{
    if (data.len == 0)
        return;
    if (!c->relay)
        tcp_send(c->flow, who, data);
    else if (who == TCP_CLIENT)
        hand_on(c->relay, c->flow, who, data);
    else
        hand_on(c->flow, c->relay, who, data);
}

void channel_send(struct channel *c, enum tcp_who who, struct span data)
{
    if (c->tls == CHANNEL_CLEAR) {
        channel_raw(c, who, data);
        return;
    }
    static uint8_t record[5 + RECORD_MAX + OVERHEAD_12];
    while (data.len > 0) {
        size_t part = data.len < RECORD_MAX ? data.len : RECORD_MAX;
        size_t body = part + (c->tls == CHANNEL_TLS12 ? OVERHEAD_12 : OVERHEAD_13);
        record[0] = 23; // application_data
        record[1] = 3;
        record[2] = 3;
        record[3] = (uint8_t)(body >> 8);
        record[4] = (uint8_t)body;
        rng_bytes(&channel_party(c)->rng, record + 5, body);
        channel_raw(c, who, span_of(record, 5 + body));
        data = span_cut(data, part, data.len);
    }
}

void channel_printf(struct channel *c, enum tcp_who who, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n > 0)
        channel_send(c, who, span_of(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}

void channel_noise(struct channel *c, enum tcp_who who, size_t len)
{
    static uint8_t noise[NOISE_MAX];
    while (len > 0) {
        size_t part = len < sizeof noise ? len : sizeof noise;
        if (c->tls == CHANNEL_CLEAR) // inside TLS the records are random anyway
            rng_bytes(&channel_party(c)->rng, noise, part);
        channel_send(c, who, span_of(noise, part));
        len -= part;
    }
}

void channel_pause(struct channel *c, int64_t ns)
{
    tcp_pause(c->flow, ns);
    if (c->relay)
        tcp_pause(c->relay, ns);
}

void channel_close(struct channel *c, enum tcp_who first)
{
    if (c->tls != CHANNEL_CLEAR) {
        uint8_t alert[5 + 26] = {21, 3, 3, 0, 26};
        size_t len = 26;
        if (c->tls == CHANNEL_TLS13) {
            alert[0] = 23;
            alert[4] = (uint8_t)(len = 19);
        }
        rng_bytes(&channel_party(c)->rng, alert + 5, len);
        channel_raw(c, first, span_of(alert, 5 + len));
    }
    tcp_close(c->flow, first);
    if (c->relay) {
        tcp_wait_until(c->relay, c->flow->now_ns);
        tcp_close(c->relay, first);
    }
}

void channel_reset(struct channel *c, enum tcp_who who)
{
    tcp_reset(c->flow, who);
    if (c->relay) {
        tcp_wait_until(c->relay, c->flow->now_ns);
        tcp_close(c->relay, TCP_SERVER);
    }
}
