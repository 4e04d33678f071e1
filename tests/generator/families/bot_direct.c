// Bots that send straight to the MX hosts of their recipients, fast or slow, open or behind a block.
//
// Open ones get what such senders get: dead hosts, refusals, greetings that name a blocklist, unknown
// recipients, and some messages through. Blocked ones show nothing but SYNs, as Neris and Virut did in
// the CTU-13 captures.
#include <stdio.h>

#include "delivery.h"
#include "dns.h"
#include "families/registry.h"
#include "schedule.h"

enum { BLOCK_NONE, BLOCK_SILENT, BLOCK_RESET, BLOCK_ICMP };
static const char *const block_names[] = {"none", "silent", "reset", "icmp", NULL};

struct bot_direct {
    struct family_common common;
    double per_minute, active_share;
    int64_t cycle_ms;
    double recipients, messages;
    double unanswered, refused, listed, unknown, greylisted, spam;
    double starttls, polite, big, mx_queries, v6;
    int64_t domains;
    int blocked;
};

static const struct conf_key keys[] = {
    FAMILY_KEYS(bot_direct),
    FAMILY_REAL(bot_direct, "per_minute", per_minute, 0.01, 600, "20",
                "connections a minute while active"),
    FAMILY_SHARE(bot_direct, "active", active_share, "1", "share of each cycle in which it sends"),
    FAMILY_TIME(bot_direct, "cycle", cycle_ms, 60000, 86400000, "30m",
                "length of a send-and-rest cycle"),
    FAMILY_REAL(bot_direct, "messages", messages, 1, 50, "1.3", "messages a session, mean"),
    FAMILY_REAL(bot_direct, "recipients", recipients, 1, 50, "2.5", "recipients a message, mean"),
    FAMILY_SHARE(bot_direct, "unanswered", unanswered, "0.18",
                 "share of connections to hosts that do not answer"),
    FAMILY_SHARE(bot_direct, "refused", refused, "0.07", "share of connections answered by RST"),
    FAMILY_SHARE(bot_direct, "listed", listed, "0.30",
                 "share of servers that refuse it by a blocklist"),
    FAMILY_SHARE(bot_direct, "unknown", unknown, "0.35", "share of recipients that do not exist"),
    FAMILY_SHARE(bot_direct, "greylisted", greylisted, "0.06", "share of recipients put off"),
    FAMILY_SHARE(bot_direct, "spam", spam, "0.35", "share of messages refused at their end"),
    FAMILY_SHARE(bot_direct, "starttls", starttls, "0",
                 "share of sessions that go to TLS where offered"),
    FAMILY_SHARE(bot_direct, "polite", polite, "0.3",
                 "share of sessions by a program with manners (EHLO, QUIT)"),
    FAMILY_SHARE(bot_direct, "big_providers", big, "0.35",
                 "share of recipients at the big providers"),
    FAMILY_SHARE(bot_direct, "mx_queries", mx_queries, "0.5",
                 "share of connections preceded by an MX query"),
    FAMILY_SHARE(bot_direct, "v6", v6, "0.05", "share of connections over IPv6 where both can"),
    FAMILY_INT(bot_direct, "domains", domains, 8, 4096, "1500", "domains on its list"),
    FAMILY_ENUM(bot_direct, "blocked", blocked, block_names, "none",
                "what the ISP does to its port 25"),
    FAMILY_END,
};

enum { RCPT_MAX = 50, MESSAGE_MAX = 50 };

static size_t draw_count(struct rng *r, double mean, size_t most)
{
    size_t n = 1 + (mean > 1 ? (size_t)rng_exp(r, mean - 1) : 0);
    return n < most ? n : most;
}

static enum smtp_reply draw_listing(struct rng *r)
{
    static const enum smtp_reply kinds[] = {SMTP_LISTED_ZEN, SMTP_LISTED_ZEN,     SMTP_LISTED_XBL,
                                            SMTP_LISTED_PBL, SMTP_LISTED_SPAMCOP, SMTP_LISTED_LOCAL,
                                            SMTP_NO_REVERSE};
    return kinds[rng_below(r, sizeof kinds / sizeof *kinds)];
}

static void draw_helo(struct party *p, bool polite, char out[static WORLD_NAME_MAX])
{
    struct rng *r = &p->rng;
    char text[IP_TEXT_MAX];
    switch (polite ? 3 : rng_below(r, 4)) {
    case 0: snprintf(out, WORLD_NAME_MAX, "%s", "localhost"); break;
    case 1: snprintf(out, WORLD_NAME_MAX, "pc-%05u", rng_below(r, 100000)); break;
    case 2: snprintf(out, WORLD_NAME_MAX, "[%s]", ip_format(&p->v4, text)); break;
    default: // a name that is not its own
        world_domain(rng_below(r, WORLD_DOMAINS), out);
    }
}

static void fill_message(const struct bot_direct *b, struct rng *r, uint32_t domain,
                         enum smtp_reply listing, struct smtp_message *m, struct smtp_rcpt *rcpt)
{
    delivery_address(m->sender, r, rng_below(r, WORLD_DOMAINS));
    m->rcpt = rcpt;
    m->rcpts = draw_count(r, b->recipients, RCPT_MAX);
    for (size_t i = 0; i < m->rcpts; i++) {
        delivery_address(rcpt[i].address, r, domain);
        double d = rng_unit(r);
        rcpt[i].reply = listing != SMTP_OK               ? listing
                        : d < b->unknown                 ? SMTP_UNKNOWN_USER
                        : d < b->unknown + b->greylisted ? SMTP_GREYLISTED
                                                         : SMTP_OK;
    }
    m->octets = (size_t)rng_lognormal(r, 1500, 1.5);
    m->body = SMTP_SPAM_BODY;
    m->end = rng_chance(r, b->spam) ? SMTP_SPAM : SMTP_OK;
}

static void strike(struct party *p, const struct bot_direct *b, int64_t t_ns)
{
    struct rng *r = &p->rng;
    uint32_t domain = delivery_domain(r, b->big, (uint32_t)b->domains);
    struct peer server;
    world_mx(p->run->seed, domain, rng_below(r, 4), &server);
    if (rng_chance(r, b->mx_queries))
        dns_lookup(p, t_ns - rng_between(r, 40 * NS_PER_MS, 900 * NS_PER_MS), NULL, server.domain,
                   DNS_MX, NULL, server.host);

    bool polite = rng_chance(r, b->polite);
    char helo[WORLD_NAME_MAX];
    draw_helo(p, polite, helo);
    static struct smtp_rcpt rcpt[MESSAGE_MAX][RCPT_MAX];
    static struct smtp_message message[MESSAGE_MAX];
    struct delivery d = {.client = polite ? &smtp_ratware_polite : &smtp_ratware,
                         .helo = helo,
                         .port = 25,
                         .starttls = b->starttls,
                         .v6 = b->v6,
                         .message = message,
                         .messages = draw_count(r, b->messages, MESSAGE_MAX)};
    // Servers refuse a listed client at the greeting or, more often, at the first recipient.
    enum smtp_reply listing = rng_chance(r, b->listed) ? draw_listing(r) : SMTP_OK;
    if (rng_chance(r, 0.35)) {
        d.greeting = listing;
        listing = SMTP_OK;
    }
    for (size_t i = 0; i < d.messages; i++)
        fill_message(b, r, domain, listing, &message[i], rcpt[i]);
    double reach = rng_unit(r);
    static const enum delivery_reach block[] = {[BLOCK_SILENT] = DELIVERY_UNANSWERED,
                                                [BLOCK_RESET] = DELIVERY_REFUSED,
                                                [BLOCK_ICMP] = DELIVERY_PROHIBITED};
    d.reach = b->blocked != BLOCK_NONE             ? block[b->blocked]
              : reach < b->unanswered              ? DELIVERY_UNANSWERED
              : reach < b->unanswered + b->refused ? DELIVERY_REFUSED
                                                   : DELIVERY_REACHED;
    party_guilty(p, t_ns);
    delivery_play(&d, p, &server, t_ns);
}

static void play(struct party *p, const void *habits)
{
    const struct bot_direct *b = habits;
    p->rate_per_min = b->per_minute * b->active_share;
    snprintf(p->note, sizeof p->note, "port 25 %s", b->blocked ? block_names[b->blocked] : "open");
    struct schedule s = schedule_of(p, b->per_minute * 1440, DAY_FLAT);
    int64_t phase = rng_between(&p->rng, 0, b->cycle_ms);
    if (b->active_share >= 1)
        phase = 0;
    while (schedule_next(&s)) {
        int64_t in_cycle = ((s.t_ns - p->from_ns) / NS_PER_MS + phase) % b->cycle_ms;
        if ((double)in_cycle < b->active_share * (double)b->cycle_ms)
            strike(p, b, s.t_ns);
    }
}

const struct family family_bot_direct = {.name = "bot_direct",
                                         .help = "spam straight to the recipients' MX hosts",
                                         .class = "spambot-direct",
                                         .place = FAMILY_HOME,
                                         .keys = keys,
                                         .size = sizeof(struct bot_direct),
                                         .play = play};
