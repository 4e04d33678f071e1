// What fills an edge link and is no mail: web and video by TLS and by QUIC, a little plain HTTP, calls,
// games, DNS. It is there so that a sensor can be measured among the traffic it will stand in; only sizes,
// directions, ports and first octets are as they are in life.
#include "dns.h"
#include "families/registry.h"
#include "people.h"
#include "schedule.h"

enum { DATAGRAM_MAX = 1252, DAY_MIN = 1440 };

struct edge {
    struct family_common common;
    double web, video, plain, quic, call, game, dns, v6;
    int64_t web_octets, video_octets, quic_octets;
};

static const struct conf_key keys[] = {
    FAMILY_KEYS(edge),
    FAMILY_REAL(edge, "web", web, 0, 10000, "6", "TLS conversations a minute"),
    FAMILY_INT(edge, "web_octets", web_octets, 1, 100000000, "12000", "median of what one brings"),
    FAMILY_REAL(edge, "video", video, 0, 10000, "0.6", "long TLS transfers a minute"),
    FAMILY_INT(edge, "video_octets", video_octets, 1, 1000000000, "600000",
               "median of what one brings"),
    FAMILY_REAL(edge, "plain", plain, 0, 10000, "0.5", "conversations of plain HTTP a minute"),
    FAMILY_REAL(edge, "quic", quic, 0, 10000, "4", "QUIC conversations a minute"),
    FAMILY_INT(edge, "quic_octets", quic_octets, 1, 1000000000, "30000",
               "median of what one brings"),
    FAMILY_REAL(edge, "calls", call, 0, 10000, "0.05", "voice calls a minute, of a minute each"),
    FAMILY_REAL(edge, "games", game, 0, 10000, "0.05", "games a minute, a minute of each"),
    FAMILY_REAL(edge, "dns", dns, 0, 100000, "8", "DNS queries a minute"),
    FAMILY_SHARE(edge, "v6", v6, "0.4", "share of conversations over IPv6 where both can"),
    FAMILY_END,
};

// ---- TCP.

static void transfer(struct party *p, const struct edge *e, int64_t octets, int64_t t_ns)
{
    people_browse(p, (size_t)rng_lognormal(&p->rng, (double)octets, 3), e->v6, t_ns);
}

static void plain_http(struct party *p, const struct edge *e, int64_t t_ns)
{
    struct rng *r = &p->rng;
    struct peer server;
    world_site(p->run->seed, rng_zipf(r, 3000), &server);
    struct tcp_flow f;
    tcp_begin(&f, p, TCP_CLIENT, &server, 80, &tcp_windows, rng_chance(r, e->v6), t_ns);
    tcp_connect(&f);
    struct channel c = {.flow = &f};
    size_t octets = (size_t)rng_lognormal(r, 20000, 3);
    channel_printf(&c, TCP_CLIENT,
                   "GET /package/%u HTTP/1.1\r\nHost: %s\r\nUser-Agent: updater/2.1\r\n\r\n",
                   rng_below(r, 100000), server.host);
    channel_printf(&c, TCP_SERVER,
                   "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   octets);
    channel_noise(&c, TCP_SERVER, octets);
    channel_close(&c, TCP_CLIENT);
}

// ---- UDP.

struct datagrams {
    struct party *party;
    struct ip_addr far;
    uint16_t near_port, far_port;
    uint8_t far_ttl;
};

static bool datagrams_begin(struct datagrams *d, struct party *p, const struct edge *e,
                            const struct peer *far, uint16_t far_port)
{
    struct rng *r = &p->rng;
    bool v6 = p->v6.family == IP_V6 && far->v6.family == IP_V6 && rng_chance(r, e->v6);
    *d = (struct datagrams){.party = p,
                            .far = v6 ? far->v6 : far->v4,
                            .near_port = party_port(p, 32768, 60999),
                            .far_port = far_port,
                            .far_ttl = (uint8_t)(64 - far->hops)};
    return party_addr(p, d->far.family)->family == d->far.family;
}

// The first octet is the form's (RFC 8999 for QUIC, RFC 3550 for voice); the rest is random.
static void datagram(const struct datagrams *d, bool outbound, int64_t t_ns, uint8_t first,
                     size_t len)
{
    struct party *p = d->party;
    uint8_t frame[FRAME_MAX], payload[DATAGRAM_MAX];
    struct packet_ip ip = {.src = *party_addr(p, d->far.family),
                           .dst = d->far,
                           .ttl = (uint8_t)(64 - p->hops),
                           .id = (uint16_t)rng_u64(&p->rng),
                           .outbound = outbound};
    if (!outbound) {
        ip.dst = ip.src;
        ip.src = d->far;
        ip.ttl = d->far_ttl;
    }
    rng_bytes(&p->rng, payload, len);
    payload[0] = first;
    size_t n = packet_udp(frame, &p->link, &ip, outbound ? d->near_port : d->far_port,
                          outbound ? d->far_port : d->near_port, span_of(payload, len));
    party_emit(p, t_ns, outbound, frame, n);
}

static void quic(struct party *p, const struct edge *e, int64_t t_ns)
{
    struct rng *r = &p->rng;
    struct peer server;
    struct datagrams d;
    world_site(p->run->seed, rng_zipf(r, 3000), &server);
    if (!datagrams_begin(&d, p, e, &server, 443))
        return;
    int64_t round = 2 * (server.delay_ns + p->delay_ns);
    // Initial, answered by Initial and Handshake, all padded (RFC 9000 section 14.1).
    datagram(&d, true, t_ns, 0xc3, 1252);
    t_ns += 2 * server.delay_ns;
    for (int i = 0; i < 3; i++)
        datagram(&d, false, t_ns + i * 300000, 0xe1, 1252);
    t_ns += 2 * p->delay_ns;
    datagram(&d, true, t_ns, 0xe5, 90);
    datagram(&d, true, t_ns + 200000, 0x45, 200 + rng_below(r, 500));
    t_ns += round;
    size_t octets = (size_t)rng_lognormal(r, (double)e->quic_octets, 3), window = 10, sent = 0;
    for (size_t n = 0; n < octets; n += 1230, sent++) {
        datagram(&d, false, t_ns, 0x41, octets - n < 1230 ? octets - n + 20 : 1250);
        t_ns += rng_between(r, 100000, 700000);
        if (sent % 4 == 3)
            datagram(&d, true, t_ns + 2 * p->delay_ns, 0x49, 30 + rng_below(r, 12));
        if (sent == window) {
            window = window * 2 + sent;
            t_ns += round;
        }
    }
    datagram(&d, true, t_ns + round, 0x50, 40);
}

// Both sides send `len` octets or less every `step_ns`.
static void both_ways(struct party *p, const struct edge *e, uint16_t port, size_t len,
                      int64_t step_ns, int64_t t_ns)
{
    struct rng *r = &p->rng;
    struct peer other;
    struct datagrams d;
    world_foreign(p->run->seed, rng_below(r, 20000), &other);
    if (!datagrams_begin(&d, p, e, &other, port))
        return;
    for (int64_t end = t_ns + 60 * NS_PER_S; t_ns < end && t_ns < p->until_ns; t_ns += step_ns) {
        size_t down = len - len / 4 + rng_below(r, (uint32_t)len / 4 + 1);
        datagram(&d, true, t_ns, 0x80, len);
        datagram(&d, false, t_ns + rng_between(r, 0, step_ns / 2), 0x80, down);
    }
}

static void lookup(struct party *p, int64_t t_ns)
{
    struct peer site;
    world_site(p->run->seed, rng_zipf(&p->rng, 3000), &site);
    dns_lookup(p, t_ns, NULL, site.host, DNS_A, &site.v4, NULL);
}

static void play(struct party *p, const void *habits)
{
    const struct edge *e = habits;
    struct schedule s = schedule_of(p, e->web * DAY_MIN, DAY_FLAT);
    while (schedule_next(&s))
        transfer(p, e, e->web_octets, s.t_ns);
    s = schedule_of(p, e->video * DAY_MIN, DAY_FLAT);
    while (schedule_next(&s))
        transfer(p, e, e->video_octets, s.t_ns);
    s = schedule_of(p, e->plain * DAY_MIN, DAY_FLAT);
    while (schedule_next(&s))
        plain_http(p, e, s.t_ns);
    s = schedule_of(p, e->quic * DAY_MIN, DAY_FLAT);
    while (schedule_next(&s))
        quic(p, e, s.t_ns);
    s = schedule_of(p, e->call * DAY_MIN, DAY_FLAT);
    while (schedule_next(&s))
        both_ways(p, e, 16384, 172, 20 * NS_PER_MS, s.t_ns);
    s = schedule_of(p, e->game * DAY_MIN, DAY_FLAT);
    while (schedule_next(&s))
        both_ways(p, e, 27015, 120, 33 * NS_PER_MS, s.t_ns);
    s = schedule_of(p, e->dns * DAY_MIN, DAY_FLAT);
    while (schedule_next(&s))
        lookup(p, s.t_ns);
}

const struct family family_edge_traffic = {
    .name = "edge_traffic",
    .help = "a line's web, video, calls and games: what is no mail",
    .place = FAMILY_HOME,
    .keys = keys,
    .size = sizeof(struct edge),
    .play = play};
