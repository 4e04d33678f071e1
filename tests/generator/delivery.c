// A session from connection to QUIT.
#include "delivery.h"

#include <stdio.h>

void delivery_address(char out[static SMTP_ADDRESS_MAX], struct rng *r, uint32_t domain)
{
    char person[WORLD_NAME_MAX], name[WORLD_NAME_MAX];
    world_person(rng_below(r, 2000000), person);
    world_domain(domain, name);
    snprintf(out, SMTP_ADDRESS_MAX, "%s@%s", person, name);
}

uint32_t delivery_domain(struct rng *r, double big, uint32_t domains)
{
    if (rng_chance(r, big) || domains <= WORLD_PROVIDERS)
        return rng_zipf(r, WORLD_PROVIDERS);
    if (domains > WORLD_DOMAINS)
        domains = WORLD_DOMAINS;
    return WORLD_PROVIDERS + rng_below(r, domains - WORLD_PROVIDERS);
}

void delivery_converse(const struct delivery *d, struct channel *c, const struct peer *server)
{
    struct smtp s;
    struct rng *r = &channel_party(c)->rng;
    smtp_begin(&s, c, d->client, server, d->self ? TALLY_IN : TALLY_OUT, d->helo);
    bool tls = d->client->ehlo && server->starttls && rng_chance(r, d->starttls);
    if (!smtp_greet(&s, d->greeting))
        return;
    if (d->messages > 0) {
        smtp_hello(&s, server->starttls, d->port != 25);
        if (tls)
            smtp_starttls(&s, rng_chance(r, 0.01), d->port != 25);
    }
    for (size_t i = 0; i < d->messages; i++) {
        if (i > 0 && rng_chance(r, 0.3))
            smtp_rset(&s);
        smtp_send(&s, &d->message[i]);
    }
    smtp_end(&s);
}

int64_t delivery_play(const struct delivery *d, struct party *p, const struct peer *other,
                      int64_t t_ns)
{
    struct tcp_flow f;
    tcp_begin(&f, p, d->self ? TCP_SERVER : TCP_CLIENT, other, d->port, d->client->stack,
              rng_chance(&p->rng, d->v6), t_ns);
    switch (d->reach) {
    case DELIVERY_UNANSWERED: tcp_unanswered(&f); break;
    case DELIVERY_REFUSED: tcp_refused(&f); break;
    case DELIVERY_PROHIBITED: tcp_prohibited(&f); break;
    case DELIVERY_REACHED: {
        tcp_connect(&f);
        struct channel c = {.flow = &f};
        delivery_converse(d, &c, d->self ? d->self : other);
        break;
    }
    }
    return f.now_ns;
}

int64_t delivery_queue(const struct delivery *d, struct party *p, const struct peer *other,
                       int64_t t_ns)
{
    if (!other->greylists || d->reach != DELIVERY_REACHED || d->messages != 1)
        return delivery_play(d, p, other, t_ns);
    struct smtp_rcpt put_off[DELIVERY_RCPT_MAX];
    struct smtp_message first = d->message[0];
    if (first.rcpts > DELIVERY_RCPT_MAX)
        first.rcpts = DELIVERY_RCPT_MAX;
    for (size_t i = 0; i < first.rcpts; i++) {
        put_off[i] = first.rcpt[i];
        put_off[i].reply = SMTP_GREYLISTED;
    }
    first.rcpt = put_off;
    struct delivery try = *d;
    try.message = &first;
    int64_t end = delivery_play(&try, p, other, t_ns);
    return delivery_play(d, p, other, end + rng_between(&p->rng, 300 * NS_PER_S, 1200 * NS_PER_S));
}
