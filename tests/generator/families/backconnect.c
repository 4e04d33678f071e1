// Residential proxies that dial out: a flow of hours to a hosting network, over which orders come in
// bursts; within 300 ms of each the subscriber opens new destinations and what they say goes back up
// the long flow. A VPN user and an exit node look like halves of it and are innocent.
#include <stdio.h>

#include "families/registry.h"
#include "people.h"
#include "schedule.h"

enum { PORT_DEFAULT = 443, FRAME_HEAD = 12, RELAYS_MAX = 8 };

struct backconnect {
    struct family_common common;
    double bursts_per_hour, destinations, mail;
    int64_t port, heartbeat_ms, reconnect_ms, relays;
};

static const struct conf_key keys[] = {
    FAMILY_KEYS(backconnect),
    FAMILY_REAL(backconnect, "bursts_per_hour", bursts_per_hour, 0.1, 3600, "30", "orders an hour"),
    FAMILY_REAL(backconnect, "destinations", destinations, 1, 30, "3",
                "new destinations a burst, mean"),
    FAMILY_SHARE(backconnect, "mail", mail, "0.1",
                 "share of destinations that are mail servers' port 25"),
    FAMILY_INT(backconnect, "port", port, 1, 65535, "443", "of the server it dials"),
    FAMILY_TIME(backconnect, "heartbeat", heartbeat_ms, 1000, 3600000, "60s",
                "between heartbeats of the long flow"),
    FAMILY_TIME(backconnect, "reconnect", reconnect_ms, 60000, 86400000, "2h",
                "life of a long flow"),
    FAMILY_INT(backconnect, "relays", relays, 1, RELAYS_MAX, "1",
               "in networks of their own, each with a long flow; orders come over any"),
    FAMILY_END};

// The first relay stands in a hosting network, the others anywhere.
static void open_tunnel(struct party *p, struct tcp_flow *f, struct channel *c, uint16_t port,
                        int64_t relay, int64_t t_ns)
{
    struct peer gateway;
    uint32_t own = (uint32_t)rng_hash(p->run->seed, p->name, 11);
    if (relay == 0)
        world_hosting(p->run->seed, own % 4, &gateway);
    else
        world_foreign(p->run->seed, own % 1000 + (uint32_t)relay, &gateway);
    tcp_begin(f, p, TCP_CLIENT, &gateway, port, &tcp_linux, false, t_ns);
    tcp_connect(f);
    *c = (struct channel){.flow = f};
    tls_handshake(c, &tls_client_android, NULL, gateway.host, NULL, true);
    if (party_in_capture(p, t_ns))
        p->tally.tunnels++;
}

// Small talk up and down until `t_ns`.
static void keep_alive(struct party *p, struct channel *c, int64_t every_ns, int64_t t_ns)
{
    for (;;) {
        int64_t next = c->flow->now_ns + every_ns + rng_between(&p->rng, 0, NS_PER_S);
        if (next >= t_ns)
            return;
        tcp_wait_until(c->flow, next);
        channel_noise(c, TCP_CLIENT, 9);
        channel_noise(c, TCP_SERVER, 9);
    }
}

// Opens a destination and fetches something. Returns how much it said.
static size_t visit(struct party *p, const struct backconnect *b, int64_t t_ns, int64_t *end_ns)
{
    struct rng *r = &p->rng;
    struct peer to;
    struct tcp_flow f;
    size_t said = (size_t)rng_lognormal(r, 1600, 2);
    bool mail = rng_chance(r, b->mail);
    if (mail)
        world_mx(p->run->seed, rng_below(r, 2000), rng_below(r, 4), &to);
    else
        world_site(p->run->seed, rng_below(r, 100000), &to);
    tcp_begin(&f, p, TCP_CLIENT, &to, mail ? 25 : 443, &tcp_linux, false, t_ns);
    tcp_connect(&f);
    struct channel c = {.flow = &f};
    if (mail) {
        struct smtp s;
        smtp_begin(&s, &c, &smtp_ratware_polite, &to, TALLY_OUT, "localhost");
        if (smtp_greet(&s, rng_chance(r, 0.3) ? SMTP_LISTED_ZEN : SMTP_OK)) {
            smtp_hello(&s, to.starttls, false);
            smtp_end(&s);
        }
        said = 400;
    } else {
        tls_handshake(&c, &tls_client_openssl, to.host, to.host, NULL, true);
        channel_noise(&c, TCP_CLIENT, 200 + rng_below(r, 900));
        channel_noise(&c, TCP_SERVER, said);
        channel_close(&c, TCP_CLIENT);
    }
    *end_ns = f.now_ns;
    return said;
}

static void burst(struct party *p, const struct backconnect *b, struct channel *tunnel,
                  int64_t t_ns)
{
    struct rng *r = &p->rng;
    size_t n = 1 + (size_t)rng_exp(r, b->destinations - 1), back = 0;
    if (n > 30)
        n = 30;
    tcp_wait_until(tunnel->flow, t_ns);
    channel_noise(tunnel, TCP_SERVER, n * (FRAME_HEAD + 180 + rng_below(r, 300)));
    int64_t order = tunnel->flow->now_ns + 2 * p->delay_ns, last = order;
    party_guilty(p, order);
    for (size_t i = 0; i < n; i++) {
        int64_t end;
        back += FRAME_HEAD +
                visit(p, b, order + rng_between(r, 2 * NS_PER_MS, 240 * NS_PER_MS), &end);
        last = end > last ? end : last;
    }
    tcp_wait_until(tunnel->flow, last);
    channel_noise(tunnel, TCP_CLIENT, back);
}

// A flow to one of the relays.
struct relay {
    struct tcp_flow flow;
    struct channel channel;
    int64_t opened_ns;
};

static void dial(struct party *p, const struct backconnect *b, struct relay *r, int64_t number,
                 int64_t t_ns)
{
    open_tunnel(p, &r->flow, &r->channel, (uint16_t)b->port, number, t_ns);
    r->opened_ns = t_ns;
}

static void play(struct party *p, const void *habits)
{
    const struct backconnect *b = habits;
    struct relay relay[RELAYS_MAX];
    snprintf(p->note, sizeof p->note, "dials out to port %lld", (long long)b->port);
    p->rate_per_min = b->bursts_per_hour * b->destinations / 60;
    for (int64_t i = 0; i < b->relays; i++)
        dial(p, b, &relay[i], i, p->from_ns + i * NS_PER_S);
    struct schedule s = schedule_of(p, b->bursts_per_hour * 24, DAY_HOME);
    while (schedule_next(&s)) {
        for (int64_t i = 0; i < b->relays; i++) {
            struct relay *r = &relay[i];
            keep_alive(p, &r->channel, b->heartbeat_ms * NS_PER_MS, s.t_ns);
            if (s.t_ns - r->opened_ns <= b->reconnect_ms * NS_PER_MS)
                continue;
            tcp_wait_until(&r->flow, s.t_ns);
            channel_close(&r->channel, TCP_SERVER);
            dial(p, b, r, i, r->flow.now_ns + 3 * NS_PER_S);
        }
        size_t over = b->relays > 1 ? rng_below(&p->rng, (uint32_t)b->relays) : 0;
        burst(p, b, &relay[over].channel, s.t_ns);
    }
    for (int64_t i = 0; i < b->relays; i++)
        keep_alive(p, &relay[i].channel, b->heartbeat_ms * NS_PER_MS, p->until_ns);
}

const struct family family_backconnect_proxy = {
    .name = "backconnect_proxy",
    .help = "a residential proxy that dials out and waits for orders",
    .class = "proxy-abuse",
    .place = FAMILY_HOME,
    .keys = keys,
    .size = sizeof(struct backconnect),
    .play = play};

struct exit_node {
    struct family_common common;
    double circuits_per_hour, destinations;
    int64_t port;
};

static const struct conf_key exit_keys[] = {
    FAMILY_KEYS(exit_node),
    FAMILY_REAL(exit_node, "circuits_per_hour", circuits_per_hour, 0.1, 3600, "20",
                "strangers' flows that come in an hour"),
    FAMILY_REAL(exit_node, "destinations", destinations, 1, 30, "2", "web sites each visits, mean"),
    FAMILY_INT(exit_node, "port", port, 1, 65535, "9001", "port it listens on"), FAMILY_END};

// Asked from outside and by consent: TLS comes in, web goes out, mail never (the usual exit policy).
static void play_exit(struct party *p, const void *habits)
{
    const struct exit_node *b = habits;
    const struct backconnect web = {.mail = 0};
    struct rng *r = &p->rng;
    struct schedule s = schedule_of(p, b->circuits_per_hour * 24, DAY_HOME);
    while (schedule_next(&s)) {
        struct peer from;
        struct tcp_flow f;
        world_foreign(p->run->seed, rng_below(r, 100000), &from);
        tcp_begin(&f, p, TCP_SERVER, &from, (uint16_t)b->port, &tcp_linux, false, s.t_ns);
        tcp_connect(&f);
        struct channel c = {.flow = &f};
        tls_handshake(&c, &tls_client_openssl, "www.k4hzq7xw.example", "www.k4hzq7xw.example", NULL,
                      true);
        for (size_t i = 0, n = 1 + (size_t)rng_exp(r, b->destinations - 1); i < n && i < 30; i++) {
            int64_t end;
            channel_noise(&c, TCP_CLIENT, 1028);
            size_t said = visit(p, &web, f.now_ns + 2 * p->delay_ns + 5 * NS_PER_MS, &end);
            tcp_wait_until(&f, end);
            channel_noise(&c, TCP_SERVER, said + 514);
        }
        channel_close(&c, TCP_CLIENT);
    }
}

const struct family family_exit_node = {
    .name = "exit_node",
    .help = "a volunteer's exit node: flows come in, web sites are visited, no mail",
    .place = FAMILY_HOME,
    .keys = exit_keys,
    .size = sizeof(struct exit_node),
    .play = play_exit};

struct vpn {
    struct family_common common;
    double sessions, exchanges;
    int64_t lasts_ms, octets;
};

static const struct conf_key vpn_keys[] = {
    FAMILY_KEYS(vpn),
    FAMILY_REAL(vpn, "sessions", sessions, 0, 1000, "2", "a day"),
    FAMILY_TIME(vpn, "session_lasts", lasts_ms, 1000, 86400000, "2h", "median length of a session"),
    FAMILY_REAL(vpn, "exchanges_per_minute", exchanges, 0.01, 600, "4",
                "questions and answers inside"),
    FAMILY_INT(vpn, "octets", octets, 60, 100000, "900", "median answer"),
    FAMILY_END};

// All of the user's traffic is inside: nothing else happens beside the long flow.
static void play_vpn(struct party *p, const void *habits)
{
    const struct vpn *b = habits;
    struct rng *r = &p->rng;
    struct schedule s = schedule_of(p, b->sessions, DAY_OFFICE);
    int64_t busy_until = 0;
    while (schedule_next(&s)) {
        if (s.t_ns < busy_until)
            continue;
        struct tcp_flow f;
        struct channel c;
        open_tunnel(p, &f, &c, PORT_DEFAULT, 0, s.t_ns);
        int64_t end = s.t_ns + (int64_t)rng_lognormal(r, (double)b->lasts_ms, 1.6) * NS_PER_MS;
        for (int64_t t = s.t_ns; t < end; t += (int64_t)(rng_exp(r, 60 / b->exchanges) * 1e9)) {
            tcp_wait_until(&f, t);
            channel_noise(&c, TCP_CLIENT, 60 + rng_below(r, 500));
            channel_noise(&c, TCP_SERVER, (size_t)rng_lognormal(r, (double)b->octets, 2));
        }
        channel_close(&c, TCP_CLIENT);
        busy_until = f.now_ns;
    }
}

const struct family family_vpn_user = {
    .name = "vpn_user",
    .help = "somebody whose traffic goes through a VPN in a hosting network",
    .place = FAMILY_HOME,
    .keys = vpn_keys,
    .size = sizeof(struct vpn),
    .play = play_vpn};
