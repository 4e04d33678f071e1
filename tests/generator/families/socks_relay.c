// Subscribers whose machine is an open or sold SOCKS server: somebody from abroad asks it for a mail
// server, it opens the connection, and the dialogue passes through: in one flow and out of the other
// within milliseconds and octet by octet.
#include <stdio.h>

#include "delivery.h"
#include "families/registry.h"
#include "schedule.h"
#include "socks.h"

struct socks_relay {
    struct family_common common;
    double per_minute, recipients, unanswered, listed, unknown, starttls, scans;
    int64_t port, controllers, domains;
    int version;
};

enum { VERSION_4, VERSION_4A, VERSION_5, VERSION_5_PASSWORD, VERSION_MIXED, VERSION_HTTP };
static const char *const version_names[] = {"4", "4a", "5", "5-password", "mixed", "http", NULL};

static const struct conf_key keys[] = {
    FAMILY_KEYS(socks_relay),
    FAMILY_REAL(socks_relay, "per_minute", per_minute, 0.01, 600, "6",
                "connections a minute asked of it"),
    FAMILY_INT(socks_relay, "port", port, 1, 65535, "1080", "port it listens on"),
    FAMILY_ENUM(socks_relay, "version", version, version_names, "mixed",
                "of the clients' SOCKS; http: HTTP CONNECT instead"),
    FAMILY_INT(socks_relay, "controllers", controllers, 1, 128, "3",
               "hosts that use it, in as many networks"),
    FAMILY_REAL(socks_relay, "recipients", recipients, 1, 50, "3", "recipients a message, mean"),
    FAMILY_INT(socks_relay, "domains", domains, 8, 4096, "900", "domains on the list"),
    FAMILY_SHARE(socks_relay, "unanswered", unanswered, "0.12",
                 "share of targets that do not answer"),
    FAMILY_SHARE(socks_relay, "listed", listed, "0.2",
                 "share of servers that refuse by a blocklist"),
    FAMILY_SHARE(socks_relay, "unknown", unknown, "0.3", "share of recipients that do not exist"),
    FAMILY_SHARE(socks_relay, "starttls", starttls, "0.1",
                 "share of sessions that go to TLS where offered"),
    FAMILY_SHARE(socks_relay, "scans", scans, "0.05",
                 "share of clients that only test whether it works"),
    FAMILY_END};

static void write_message(const struct socks_relay *b, struct rng *r, uint32_t domain,
                          struct smtp_message *m, struct smtp_rcpt *rcpt, enum smtp_reply listing)
{
    enum { RCPT_MAX = 20 };
    size_t n = 1 + (size_t)rng_exp(r, b->recipients - 1);
    *m = (struct smtp_message){.rcpt = rcpt,
                               .rcpts = n < RCPT_MAX ? n : RCPT_MAX,
                               .octets = (size_t)rng_lognormal(r, 1800, 1.4),
                               .body = SMTP_SPAM_BODY,
                               .end = rng_chance(r, 0.3) ? SMTP_SPAM : SMTP_OK};
    delivery_address(m->sender, r, rng_below(r, WORLD_DOMAINS));
    for (size_t i = 0; i < m->rcpts; i++) {
        delivery_address(rcpt[i].address, r, domain);
        rcpt[i].reply = listing != SMTP_OK          ? listing
                        : rng_chance(r, b->unknown) ? SMTP_UNKNOWN_USER
                                                    : SMTP_OK;
    }
}

static void relay(struct party *p, const struct socks_relay *b, const struct peer *client,
                  int64_t t_ns)
{
    struct rng *r = &p->rng;
    struct tcp_flow in, out;
    tcp_begin(&in, p, TCP_SERVER, client, (uint16_t)b->port, &tcp_linux, false, t_ns);
    tcp_connect(&in);
    struct channel asking = {.flow = &in};
    enum socks_version version = b->version == VERSION_MIXED  ? (enum socks_version)rng_below(r, 4)
                                 : b->version == VERSION_HTTP ? SOCKS_HTTP
                                                              : (enum socks_version)b->version;
    uint32_t domain = delivery_domain(r, 0.35, (uint32_t)b->domains);
    struct peer server;
    world_mx(p->run->seed, domain, rng_below(r, 4), &server);
    if (!socks_ask(&asking, version, &server, 25, rng_chance(r, 0.5),
                   version == SOCKS_5_PASSWORD && rng_chance(r, 0.1)))
        return;
    if (party_in_capture(p, in.now_ns))
        p->tally.socks_in++;
    bool test = rng_chance(r, b->scans);
    tcp_begin(&out, p, TCP_CLIENT, &server, 25, &tcp_linux, false,
              in.now_ns + 2 * p->delay_ns + rng_between(r, NS_PER_MS / 2, 9 * NS_PER_MS));
    if (rng_chance(r, b->unanswered)) {
        tcp_unanswered(&out);
        tcp_wait_until(&in, out.now_ns + 2 * NS_PER_S);
        socks_answer(&asking, version, &p->v4, false);
        channel_close(&asking, TCP_SERVER);
        return;
    }
    tcp_connect(&out);
    party_guilty(p, t_ns);
    tcp_wait_until(&in, out.now_ns + rng_between(r, NS_PER_MS / 4, 2 * NS_PER_MS));
    socks_answer(&asking, version, &p->v4, true);

    static struct smtp_rcpt rcpt[64];
    struct smtp_message m;
    enum smtp_reply listing = rng_chance(r, b->listed) ? SMTP_LISTED_ZEN : SMTP_OK;
    write_message(b, r, domain, &m, rcpt, listing);
    char helo[WORLD_NAME_MAX];
    world_domain(rng_below(r, WORLD_DOMAINS), helo);
    struct delivery d = {.client = &smtp_ratware_polite,
                         .helo = helo,
                         .port = 25,
                         .starttls = b->starttls,
                         .message = &m,
                         .messages = test ? 0 : 1};
    struct channel both = {.flow = &out, .relay = &in};
    delivery_converse(&d, &both, &server);
}

static void play(struct party *p, const void *habits)
{
    const struct socks_relay *b = habits;
    p->rate_per_min = b->per_minute;
    snprintf(p->note, sizeof p->note, "listens on port %lld", (long long)b->port);
    struct schedule s = schedule_of(p, b->per_minute * 1440, DAY_FLAT);
    while (schedule_next(&s)) {
        struct peer client;
        uint64_t h = rng_hash(p->run->seed, p->name,
                              40 + rng_below(&p->rng, (uint32_t)b->controllers));
        world_foreign(p->run->seed, (uint32_t)h % 100000, &client);
        relay(p, b, &client, s.t_ns);
    }
}

const struct family family_socks_relay = {
    .name = "socks_relay",
    .help = "a SOCKS server on a subscriber's line that strangers send spam through",
    .class = "socks-relay",
    .place = FAMILY_HOME,
    .keys = keys,
    .size = sizeof(struct socks_relay),
    .play = play};
