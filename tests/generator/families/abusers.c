// Those who abuse accounts and servers: smarthost relayers, stolen submission accounts, password
// guessers, harvesters.
#include <stdio.h>

#include "delivery.h"
#include "families/registry.h"
#include "people.h"
#include "schedule.h"

enum { RCPT_MAX = 100 };

struct relayer {
    struct family_common common;
    double bursts_per_hour, messages, recipients, unknown, spam, tls;
    int64_t senders, port;
};

static const struct conf_key relayer_keys[] = {
    FAMILY_KEYS(relayer),
    FAMILY_REAL(relayer, "bursts_per_hour", bursts_per_hour, 0.01, 600, "6",
                "sessions with the smarthost an hour"),
    FAMILY_REAL(relayer, "messages", messages, 1, 100, "5", "messages a session, mean"),
    FAMILY_REAL(relayer, "recipients", recipients, 1, 100, "40", "recipients a message, about"),
    FAMILY_SHARE(relayer, "unknown", unknown, "0.12", "share of recipients the smarthost refuses"),
    FAMILY_SHARE(relayer, "spam", spam, "0.1", "share of messages the smarthost refuses"),
    FAMILY_SHARE(relayer, "tls", tls, "0.3", "share of sessions over TLS"),
    FAMILY_INT(relayer, "senders", senders, 1, 100000, "300", "sender addresses it makes up"),
    FAMILY_INT(relayer, "port", port, 1, 65535, "587", "of the smarthost"),
    FAMILY_END};

static void spam_through(struct party *p, const struct relayer *b, const struct peer *server,
                         struct tcp_flow *f)
{
    struct rng *r = &p->rng;
    static struct smtp_rcpt rcpt[RCPT_MAX];
    struct channel c = {.flow = f};
    struct smtp s;
    smtp_begin(&s, &c, &smtp_ratware_polite, server, TALLY_OUT, "localhost");
    smtp_greet(&s, SMTP_OK);
    smtp_hello(&s, true, true);
    if (rng_chance(r, b->tls))
        smtp_starttls(&s, false, true);
    if (b->port != 25)
        smtp_auth(&s, SMTP_LOGIN, "stolen.account", "stolen-secret", true);
    size_t messages = 1 + (size_t)rng_exp(r, b->messages - 1);
    for (size_t i = 0; i < messages && i < 100; i++) {
        size_t n = (size_t)(b->recipients * (0.7 + 0.6 * rng_unit(r)));
        struct smtp_message m = {.rcpt = rcpt,
                                 .rcpts = n < 1          ? 1
                                          : n < RCPT_MAX ? n
                                                         : RCPT_MAX,
                                 .octets = (size_t)rng_lognormal(r, 1500, 1.4),
                                 .body = SMTP_SPAM_BODY,
                                 .end = rng_chance(r, b->spam) ? SMTP_SPAM : SMTP_OK};
        uint64_t who = rng_hash(p->run->seed, p->name, 500 + rng_below(r, (uint32_t)b->senders));
        char person[WORLD_NAME_MAX], domain[WORLD_NAME_MAX];
        world_person((uint32_t)who % 2000000, person);
        world_domain((uint32_t)(who >> 32), domain);
        snprintf(m.sender, sizeof m.sender, "%s@%s", person, domain);
        for (size_t k = 0; k < m.rcpts; k++) {
            delivery_address(rcpt[k].address, r, delivery_domain(r, 0.5, 2000));
            rcpt[k].reply = rng_chance(r, b->unknown) ? SMTP_UNKNOWN_USER : SMTP_OK;
        }
        smtp_send(&s, &m);
    }
    smtp_end(&s);
}

static void play_relayer(struct party *p, const void *habits)
{
    const struct relayer *b = habits;
    struct peer smarthost;
    isp_peer(p->run, "smtp", &p->run->isp.smarthost, &smarthost);
    p->rate_per_min = b->bursts_per_hour * b->messages / 60;
    struct schedule s = schedule_of(p, b->bursts_per_hour * 24, DAY_FLAT);
    while (schedule_next(&s)) {
        struct tcp_flow f;
        tcp_begin(&f, p, TCP_CLIENT, &smarthost, (uint16_t)b->port, &tcp_windows, false, s.t_ns);
        tcp_connect(&f);
        party_guilty(p, s.t_ns);
        spam_through(p, b, &smarthost, &f);
    }
}

struct stolen {
    struct family_common common;
    double per_hour, recipients, tls;
    int64_t networks;
};

static const struct conf_key stolen_keys[] = {
    FAMILY_KEYS(stolen),
    FAMILY_REAL(stolen, "per_hour", per_hour, 0.01, 3600, "40", "sessions an hour"),
    FAMILY_REAL(stolen, "recipients", recipients, 1, 100, "20", "recipients a message, about"),
    FAMILY_SHARE(stolen, "tls", tls, "0.95", "share of sessions over TLS"),
    FAMILY_INT(stolen, "networks", networks, 1, 128, "6", "foreign networks it is used from"),
    FAMILY_END};

// The mailbox of a customer, used from abroad on the ISP's own submission port. The party is the
// mailbox; no line of the ISP takes part.
static void play_stolen(struct party *p, const void *habits)
{
    const struct stolen *b = habits;
    struct rng *r = &p->rng;
    char person[WORLD_NAME_MAX];
    world_person((uint32_t)rng_hash(p->run->seed, p->name, 20) % 2000000, person);
    snprintf(p->mailbox, sizeof p->mailbox, "%.40s@%.50s", person, p->run->isp.domain);
    p->rate_per_min = b->per_hour / 60;
    struct peer self;
    isp_peer(p->run, "smtp", &p->run->isp.smarthost, &self);
    static struct smtp_rcpt rcpt[RCPT_MAX];
    struct schedule s = schedule_of(p, b->per_hour * 24, DAY_FLAT);
    while (schedule_next(&s)) {
        struct peer thief;
        uint64_t h = rng_hash(p->run->seed, p->name, 30 + rng_below(r, (uint32_t)b->networks));
        world_foreign(p->run->seed, (uint32_t)h % 100000, &thief);
        struct tcp_flow f;
        tcp_begin(&f, p, TCP_SERVER, &thief, 587, &tcp_windows, false, s.t_ns);
        tcp_connect(&f);
        struct channel c = {.flow = &f};
        struct smtp session;
        smtp_begin(&session, &c, &smtp_ratware_polite, &self, TALLY_IN, thief.host);
        smtp_greet(&session, SMTP_OK);
        smtp_hello(&session, true, true);
        if (rng_chance(r, b->tls))
            smtp_starttls(&session, false, true);
        smtp_auth(&session, SMTP_PLAIN, p->mailbox, "Summer2024", true);
        size_t n = (size_t)(b->recipients * (0.5 + rng_unit(r)));
        struct smtp_message m = {.rcpt = rcpt,
                                 .rcpts = n < 1          ? 1
                                          : n < RCPT_MAX ? n
                                                         : RCPT_MAX,
                                 .octets = 1800,
                                 .body = SMTP_SPAM_BODY};
        snprintf(m.sender, sizeof m.sender, "%s", p->mailbox);
        for (size_t k = 0; k < m.rcpts; k++) {
            delivery_address(rcpt[k].address, r, delivery_domain(r, 0.5, 2000));
            rcpt[k].reply = SMTP_OK;
        }
        party_guilty(p, s.t_ns);
        smtp_send(&session, &m);
        smtp_end(&session);
    }
}

struct guesser {
    struct family_common common;
    double per_minute, tries, clear, right;
    double imap, pop3;
};

static const struct conf_key guesser_keys[] = {
    FAMILY_KEYS(guesser),
    FAMILY_REAL(guesser, "per_minute", per_minute, 0.01, 600, "8", "sessions a minute"),
    FAMILY_REAL(guesser, "tries", tries, 1, 20, "2", "passwords a session, mean"),
    FAMILY_SHARE(guesser, "clear", clear, "0.6", "share of sessions without TLS"),
    FAMILY_SHARE(guesser, "right", right, "0.004", "share of passwords that are right"),
    FAMILY_SHARE(guesser, "imap", imap, "0.3", "share of sessions by IMAP"),
    FAMILY_SHARE(guesser, "pop3", pop3, "0.2", "share of sessions by POP3; the rest is SMTP AUTH"),
    FAMILY_END};

static void draw_secret(struct rng *r, char user[static WORLD_NAME_MAX], char password[static 24])
{
    world_person(rng_below(r, 2000000), user);
    snprintf(password, 24, "%s%u", rng_chance(r, 0.5) ? "password" : "qwerty", rng_below(r, 3000));
}

static void guess_mailbox(struct party *p, const struct guesser *b, enum mailbox_protocol protocol,
                          bool clear, size_t tries, int64_t t_ns)
{
    struct rng *r = &p->rng;
    struct peer server;
    bool pop = protocol == MAILBOX_POP3;
    world_provider(p->run->seed, rng_below(r, WORLD_PROVIDERS), pop ? WORLD_POP : WORLD_IMAP,
                   rng_below(r, 8), &server);
    struct tcp_flow f;
    uint16_t port = pop ? clear ? 110 : 995 : clear ? 143 : 993;
    tcp_begin(&f, p, TCP_CLIENT, &server, port, &tcp_linux, false, t_ns);
    tcp_connect(&f);
    struct channel c = {.flow = &f};
    if (!clear)
        tls_handshake(&c, &tls_client_openssl, server.host, server.host, NULL, true);
    struct mailbox m;
    mailbox_greet(&m, &c, protocol, server.host, NULL);
    char user[WORLD_NAME_MAX], password[24];
    bool in = false;
    for (size_t i = 0; i < tries && !in; i++) {
        draw_secret(r, user, password);
        in = mailbox_login(&m, user, password, rng_chance(r, b->right));
    }
    mailbox_leave(&m);
}

static void guess_smtp(struct party *p, const struct guesser *b, bool clear, size_t tries,
                       int64_t t_ns)
{
    struct rng *r = &p->rng;
    struct peer server;
    // Half of it at the big providers, half at whatever mail server takes AUTH on 25.
    bool big = rng_chance(r, 0.5);
    if (big)
        world_provider(p->run->seed, rng_below(r, WORLD_PROVIDERS), WORLD_SUBMISSION,
                       rng_below(r, 8), &server);
    else
        world_mx(p->run->seed, rng_below(r, 1000), 0, &server);
    struct tcp_flow f;
    uint16_t port = !big ? 25 : clear ? 587 : 465;
    tcp_begin(&f, p, TCP_CLIENT, &server, port, &tcp_linux, false, t_ns);
    tcp_connect(&f);
    struct channel c = {.flow = &f};
    if (port == 465)
        tls_handshake(&c, &tls_client_openssl, server.host, server.host, NULL, true);
    struct smtp s;
    smtp_begin(&s, &c, &smtp_ratware_polite, &server, TALLY_OUT, "ylmf-pc");
    smtp_greet(&s, SMTP_OK);
    smtp_hello(&s, port != 465, true);
    bool in = false;
    for (size_t i = 0; i < tries && !in; i++) {
        char user[WORLD_NAME_MAX], password[24];
        draw_secret(r, user, password);
        in = smtp_auth(&s, rng_chance(r, 0.7) ? SMTP_LOGIN : SMTP_PLAIN, user, password,
                       rng_chance(r, b->right));
    }
    smtp_end(&s);
}

static void play_guesser(struct party *p, const void *habits)
{
    const struct guesser *b = habits;
    struct rng *r = &p->rng;
    p->rate_per_min = b->per_minute;
    struct schedule s = schedule_of(p, b->per_minute * 1440, DAY_FLAT);
    while (schedule_next(&s)) {
        bool clear = rng_chance(r, b->clear);
        size_t tries = 1 + (size_t)rng_exp(r, b->tries - 1);
        if (tries > 20)
            tries = 20;
        double way = rng_unit(r);
        party_guilty(p, s.t_ns);
        if (way < b->imap)
            guess_mailbox(p, b, MAILBOX_IMAP, clear, tries, s.t_ns);
        else if (way < b->imap + b->pop3)
            guess_mailbox(p, b, MAILBOX_POP3, clear, tries, s.t_ns);
        else
            guess_smtp(p, b, clear, tries, s.t_ns);
    }
}

struct harvester {
    struct family_common common;
    double per_hour, names, verify, found;
    int64_t domains;
};

static const struct conf_key harvester_keys[] = {
    FAMILY_KEYS(harvester),
    FAMILY_REAL(harvester, "per_hour", per_hour, 0.01, 3600, "40", "sessions an hour"),
    FAMILY_REAL(harvester, "names", names, 1, 100, "25", "names tried a session, about"),
    FAMILY_SHARE(harvester, "verify", verify, "0.3",
                 "share of sessions that use VRFY and EXPN, not RCPT"),
    FAMILY_SHARE(harvester, "found", found, "0.05", "share of names that exist"),
    FAMILY_INT(harvester, "domains", domains, 8, 4096, "60", "domains it works on"),
    FAMILY_END};

static void play_harvester(struct party *p, const void *habits)
{
    const struct harvester *b = habits;
    struct rng *r = &p->rng;
    static struct smtp_rcpt rcpt[RCPT_MAX];
    p->rate_per_min = b->per_hour / 60;
    struct schedule s = schedule_of(p, b->per_hour * 24, DAY_FLAT);
    while (schedule_next(&s)) {
        uint32_t domain = WORLD_PROVIDERS + rng_below(r, (uint32_t)b->domains);
        struct peer mx;
        world_mx(p->run->seed, domain, 0, &mx);
        struct tcp_flow f;
        tcp_begin(&f, p, TCP_CLIENT, &mx, 25, &tcp_windows, false, s.t_ns);
        tcp_connect(&f);
        struct channel c = {.flow = &f};
        struct smtp session;
        smtp_begin(&session, &c, &smtp_ratware_polite, &mx, TALLY_OUT, "mail");
        smtp_greet(&session, SMTP_OK);
        smtp_hello(&session, mx.starttls, false);
        size_t n = (size_t)(b->names * (0.5 + rng_unit(r)));
        n = n < 1 ? 1 : n < RCPT_MAX ? n : RCPT_MAX;
        bool verify = rng_chance(r, b->verify);
        party_guilty(p, s.t_ns);
        for (size_t i = 0; i < n; i++) {
            delivery_address(rcpt[i].address, r, domain);
            rcpt[i].reply = rng_chance(r, b->found) ? SMTP_OK : SMTP_UNKNOWN_USER;
            if (verify)
                smtp_probe(&session, i % 5 == 4 ? "EXPN" : "VRFY", rcpt[i].address,
                           rcpt[i].reply == SMTP_OK);
        }
        if (!verify)
            smtp_ask(&session, "", rcpt, n);
        smtp_end(&session);
    }
}

#define ABUSER(id, words, guilt, at, k, type, f)                    \
    const struct family family_##id = {.name = #id,                 \
                                       .help = words,               \
                                       .class = guilt,              \
                                       .place = at,                 \
                                       .keys = k,                   \
                                       .size = sizeof(struct type), \
                                       .play = f}
ABUSER(smarthost_relayer, "spam through the ISP's smarthost: 40 recipients at once, many senders",
       "spambot-smarthost", FAMILY_HOME, relayer_keys, relayer, play_relayer);
ABUSER(compromised_account, "a customer's mailbox used from abroad on the ISP's submission port",
       "compromised-account", FAMILY_OUTSIDE, stolen_keys, stolen, play_stolen);
ABUSER(password_guesser, "guesses passwords of mail accounts at many providers", "auth-guessing",
       FAMILY_HOME, guesser_keys, guesser, play_guesser);
ABUSER(harvester, "looks for addresses by VRFY, EXPN and endless RCPTs", "harvester", FAMILY_HOME,
       harvester_keys, harvester, play_harvester);
