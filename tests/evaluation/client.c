// TLS clients. See client.h. How common people's programs are follows Litmus' count of 834 million openings in 2019:
// Apple 45 %, Gmail and Android 28 %, Outlook 11 %, Yahoo 7 %, Samsung 2 %, Thunderbird 1 %; of each, three
// generations. What is left is a long tail (rate print_tail). Servers: assumed.
#include "client.h"

#include "common/minute.h"

#define TAIL 400 // programs of the long tail

enum { OF_PEOPLE = 1000, OF_SERVERS = 2000, OF_BOTS = 3000, OF_TAIL = 10000 };

// Shares in a hundred, the rest falls to the first.
static uint32_t draw(const uint8_t *share, uint32_t n, struct rng *r)
{
    uint32_t dice = rng_below(r, 100);
    for (uint32_t i = 1; i < n; i++) {
        if (dice < share[i])
            return i;
        dice -= share[i];
    }
    return 0;
}

static uint32_t generation(struct rng *r)
{
    static const uint8_t share[] = {60, 30, 10};
    return draw(share, 3, r);
}

static uint32_t of_people(const struct rates *rates, uint64_t seed)
{
    static const uint8_t share[] = {51, 28, 11, 7, 2, 1};
    struct rng r = {seed};
    if (rng_real(&r) < rate_draw(rates, RATE_print_tail, &r))
        return OF_TAIL + rng_below(&r, TAIL);
    uint32_t program = draw(share, 6, &r);
    return OF_PEOPLE + program * 3 + generation(&r);
}

static uint32_t of_server(const struct rates *rates, uint64_t seed)
{
    static const uint8_t share[] = {60, 25, 10, 5}; // OpenSSL, Schannel, GnuTLS, Java
    struct rng r = {seed};
    if (rng_real(&r) < rate_draw(rates, RATE_print_tail, &r))
        return OF_TAIL + rng_below(&r, TAIL);
    uint32_t library = draw(share, 4, &r);
    return OF_SERVERS + library * 3 + generation(&r);
}

// How many programs a line has; each flow is of one of them.
static uint32_t programs(const struct line *l)
{
    switch (l->kind) {
    case KIND_office:
    case KIND_cgnat: return 60;
    case KIND_school: return 200;
    case KIND_tor_exit: return 5000; // strangers'
    default: return 1 + (uint32_t)(l->r[0] * 3);
    }
}

uint32_t client_of(const struct rates *rates, const struct line *l, const struct flow *f)
{
    if (!(f->flags & FLOW_TLS) || f->direction != MINUTE_OUT || f->role == MINUTE_OTHER)
        return 0;
    if (f->flags & FLOW_GUILTY) {
        if (l->family == CLIENT_LIBRARY)
            return OF_SERVERS;
        return l->family == CLIENT_OWN ? OF_BOTS : 0;
    }
    bool server = !kind_is_household(l->kind) || l->kind == KIND_hobby_server ||
                  l->kind == KIND_direct_device;
    if (server && f->role == MINUTE_MX)
        return of_server(rates, seed_of("server", l->seed, 0));
    struct rng r = {(uint64_t)f->t_ms ^ l->seed};
    return of_people(rates, seed_of("program", l->seed, rng_below(&r, programs(l))));
}
