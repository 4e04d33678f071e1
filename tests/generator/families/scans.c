// SYNs that are not mail: a student's scan outwards, strangers' scans inwards, and a home's own resolver
// whose MX queries mean a spam filter and no bot.
#include <stdio.h>

#include "dns.h"
#include "families/registry.h"
#include "schedule.h"
#include "tcp.h"

struct scan {
    struct family_common common;
    double per_second, open, closed;
    int64_t port;
};

#define TABLE(rate, at_port)                                                                    \
    FAMILY_KEYS(scan),                                                                          \
        FAMILY_REAL(scan, "per_second", per_second, 0.001, 10000, rate, "SYNs a second"),       \
        FAMILY_INT(scan, "port", port, 1, 65535, at_port, "port scanned"),                      \
        FAMILY_SHARE(scan, "open", open, "0.02", "share of addresses that answer SYN and ACK"), \
        FAMILY_SHARE(scan, "closed", closed, "0.12", "share of addresses that answer RST"),     \
        FAMILY_END

static const struct conf_key out_keys[] = {TABLE("10", "25")};
static const struct conf_key in_keys[] = {TABLE("0.5", "25")};

// One SYN, no second; an answer is met by the kernel's RST because nobody asked it.
static void knock(struct party *p, const struct scan *b, enum tcp_who subscriber,
                  const struct peer *other, int64_t t_ns)
{
    struct tcp_flow f;
    double luck = rng_unit(&p->rng);
    tcp_begin(&f, p, subscriber, other, (uint16_t)b->port, &tcp_raw, false, t_ns);
    if (luck < b->open)
        tcp_half_open(&f);
    else if (luck < b->open + b->closed)
        tcp_refused(&f);
    else
        tcp_unanswered(&f);
}

static void play_out(struct party *p, const void *habits)
{
    const struct scan *b = habits;
    struct rng *r = &p->rng;
    p->rate_per_min = b->per_second * 60;
    struct peer target = {.delay_ns = 20 * NS_PER_MS, .hops = 12};
    for (int64_t t = p->from_ns; t < p->until_ns; t += (int64_t)rng_exp(r, 1e9 / b->per_second)) {
        uint32_t host = rng_below(r, 1u << 17); // all over 198.18.0.0/15
        target.v4 = ip_from_v4((const uint8_t[4]){198, (uint8_t)(18 + (host >> 16)),
                                                  (uint8_t)(host >> 8), (uint8_t)host});
        knock(p, b, TCP_CLIENT, &target, t);
    }
}

static void play_in(struct party *p, const void *habits)
{
    const struct scan *b = habits;
    struct rng *r = &p->rng;
    struct peer scanner;
    char text[IP_TEXT_MAX];
    world_foreign(p->run->seed, (uint32_t)rng_hash(p->run->seed, p->name, 50) % 100000, &scanner);
    snprintf(p->note, sizeof p->note, "scans subscribers from %s", ip_format(&scanner.v4, text));
    for (int64_t t = p->from_ns; t < p->until_ns; t += (int64_t)rng_exp(r, 1e9 / b->per_second)) {
        // Somewhere in the homes' range; whether anybody is there makes no difference.
        p->v4 = p->run->home.addr;
        uint32_t host = rng_below(r, 1u << (32 - (p->run->home.len < 8 ? 8 : p->run->home.len)));
        for (int i = 3; i > 0; i--, host >>= 8)
            p->v4.octet[i] = (uint8_t)(p->v4.octet[i] + host);
        knock(p, b, TCP_SERVER, &scanner, t);
    }
}

struct resolver {
    struct family_common common;
    double per_day, mx;
};

static const struct conf_key resolver_keys[] = {
    FAMILY_KEYS(resolver),
    FAMILY_REAL(resolver, "per_day", per_day, 0, 1000000, "900",
                "queries a day, straight to name servers"),
    FAMILY_SHARE(resolver, "mx", mx, "0.15", "share of MX queries"), FAMILY_END};

static void play_resolver(struct party *p, const void *habits)
{
    const struct resolver *b = habits;
    struct rng *r = &p->rng;
    struct schedule s = schedule_of(p, b->per_day, DAY_HOME);
    while (schedule_next(&s)) {
        struct peer host, authority;
        world_mx(p->run->seed, rng_zipf(r, 3000), 0, &host);
        world_site(p->run->seed, rng_below(r, 500), &authority);
        bool mx = rng_chance(r, b->mx);
        dns_lookup(p, s.t_ns, &authority.v4, mx ? host.domain : host.host, mx ? DNS_MX : DNS_A,
                   mx ? NULL : &host.v4, host.host);
    }
}

const struct family family_zmap_outbound = {
    .name = "zmap_outbound",
    .help = "a student's scan of the Internet: one SYN an address",
    .place = FAMILY_HOME,
    .keys = out_keys,
    .size = sizeof(struct scan),
    .play = play_out};
const struct family family_inbound_scan = {.name = "inbound_scan",
                                           .help = "somebody outside scans the subscribers",
                                           .place = FAMILY_OUTSIDE,
                                           .keys = in_keys,
                                           .size = sizeof(struct scan),
                                           .play = play_in};
const struct family family_home_resolver = {
    .name = "home_resolver",
    .help = "a resolver and a spam filter at home: MX queries, no mail",
    .place = FAMILY_HOME,
    .keys = resolver_keys,
    .size = sizeof(struct resolver),
    .play = play_resolver};
