// Innocents that knock at doors which stay shut: a queue for dead destinations, a printer or recorder
// that retries one host for ever, callout verifiers and monitoring probes.
#include <stdio.h>

#include "dns.h"
#include "families/registry.h"
#include "mailserver.h"
#include "people.h"
#include "schedule.h"

struct dead_queue {
    struct family_common common;
    int64_t peers;
    double per_minute;
};

static const struct conf_key dead_queue_keys[] = {
    FAMILY_KEYS(dead_queue),
    FAMILY_INT(dead_queue, "peers", peers, 1, 200, "7", "destinations that do not answer"),
    FAMILY_REAL(dead_queue, "per_minute", per_minute, 0.01, 60, "2", "connections a minute"),
    FAMILY_END};

static void play_dead_queue(struct party *p, const void *habits)
{
    const struct dead_queue *b = habits;
    struct peer self, mx;
    mailserver_self(p, &self);
    struct delivery d = {.client = &smtp_postfix, .helo = self.host, .port = 25};
    struct schedule s = schedule_of(p, b->per_minute * 1440, DAY_FLAT);
    uint32_t n = 0;
    while (schedule_next(&s)) {
        // The queue goes round; most hosts are gone, one or two still refuse.
        uint32_t i = n++ % (uint32_t)b->peers;
        uint64_t h = rng_hash(p->run->seed, p->name, 300 + i);
        world_mx(p->run->seed, WORLD_PROVIDERS + (uint32_t)h % 4000, 0, &mx);
        d.reach = i == 1 ? DELIVERY_REFUSED : DELIVERY_UNANSWERED;
        delivery_play(&d, p, &mx, s.t_ns);
    }
}

enum { DOOR_SILENT, DOOR_REFUSED, DOOR_AUTH_REQUIRED, DOOR_LISTED };
static const char *const door_names[] = {"silent", "refused", "auth-required", "listed", NULL};

struct stubborn {
    struct family_common common;
    double per_hour;
    int door;
    bool smarthost;
    int64_t port;
};

static const struct conf_key stubborn_keys[] = {
    FAMILY_KEYS(stubborn),
    FAMILY_REAL(stubborn, "per_hour", per_hour, 0.1, 3600, "60", "tries an hour"),
    FAMILY_ENUM(stubborn, "door", door, door_names, "silent", "how the host answers"),
    {.name = "smarthost",
     .type = CONF_BOOL,
     .offset = offsetof(struct stubborn, smarthost),
     .def = "false",
     .help = "the host is a retired smarthost of the ISP instead of a stranger's"},
    FAMILY_INT(stubborn, "port", port, 1, 65535, "25", "port it knocks at"),
    FAMILY_END};

static void play_stubborn(struct party *p, const void *habits)
{
    const struct stubborn *b = habits;
    struct peer host;
    if (b->smarthost) {
        isp_peer(p->run, "relay", &p->run->isp.smarthost, &host);
        host.v4.octet[3]++; // the old one stood beside the new one
    } else {
        world_mx(p->run->seed,
                 WORLD_PROVIDERS + (uint32_t)rng_hash(p->run->seed, p->name, 9) % 4000, 0, &host);
    }
    snprintf(p->note, sizeof p->note, "knocks at %.60s, %s", host.host, door_names[b->door]);
    struct smtp_rcpt rcpt = {.reply = b->door == DOOR_LISTED ? SMTP_LISTED_PBL : SMTP_RELAY_DENIED};
    struct smtp_message m = {.rcpt = &rcpt, .rcpts = 1, .octets = 900};
    snprintf(m.sender, sizeof m.sender, "dvr@%.60s", p->run->isp.domain);
    snprintf(rcpt.address, sizeof rcpt.address, "owner@%.60s", host.domain);
    struct delivery d = {.client = &smtp_appliance,
                         .helo = "localhost",
                         .port = (uint16_t)b->port,
                         .message = &m,
                         .messages = 1,
                         .reach = b->door == DOOR_SILENT    ? DELIVERY_UNANSWERED
                                  : b->door == DOOR_REFUSED ? DELIVERY_REFUSED
                                                            : DELIVERY_REACHED};
    // A timer, not people: the beat is regular.
    int64_t step = (int64_t)(3600e9 / b->per_hour);
    for (int64_t t = p->from_ns + rng_between(&p->rng, 0, step); t < p->until_ns;
         t += step + rng_between(&p->rng, -step / 50, step / 50))
        delivery_play(&d, p, &host, t);
}

struct prober {
    struct family_common common;
    double per_day, unknown;
    int64_t hosts;
};

static const struct conf_key callout_keys[] = {
    FAMILY_KEYS(prober),
    FAMILY_REAL(prober, "per_day", per_day, 0, 100000, "250", "senders checked a day"),
    FAMILY_SHARE(prober, "unknown", unknown, "0.35", "share of senders that do not exist"),
    FAMILY_INT(prober, "hosts", hosts, 1, 4000, "400", "domains that write to it"), FAMILY_END};
static const struct conf_key monitor_keys[] = {
    FAMILY_KEYS(prober),
    FAMILY_REAL(prober, "per_day", per_day, 0, 100000, "1440", "looks a day, over all hosts"),
    FAMILY_SHARE(prober, "unknown", unknown, "0.01", "share of hosts found down"),
    FAMILY_INT(prober, "hosts", hosts, 1, 4000, "6", "servers it watches"), FAMILY_END};

// Asks the sender's own server whether the sender exists, and leaves before any message.
static void play_callout(struct party *p, const void *habits)
{
    const struct prober *b = habits;
    struct rng *r = &p->rng;
    struct peer self, mx;
    mailserver_self(p, &self);
    struct schedule s = schedule_of(p, b->per_day, DAY_HOME);
    while (schedule_next(&s)) {
        uint32_t domain = rng_zipf(r, (uint32_t)b->hosts);
        world_mx(p->run->seed, domain, rng_below(r, 4), &mx);
        dns_lookup(p, s.t_ns - 90 * NS_PER_MS, NULL, mx.domain, DNS_MX, NULL, mx.host);
        struct tcp_flow f;
        tcp_begin(&f, p, TCP_CLIENT, &mx, 25, &tcp_linux, false, s.t_ns);
        tcp_connect(&f);
        struct channel c = {.flow = &f};
        struct smtp session;
        smtp_begin(&session, &c, &smtp_callout, &mx, TALLY_OUT, self.host);
        smtp_greet(&session, SMTP_OK);
        smtp_hello(&session, mx.starttls, false);
        struct smtp_rcpt rcpt = {.reply = rng_chance(r, b->unknown) ? SMTP_UNKNOWN_USER : SMTP_OK};
        delivery_address(rcpt.address, r, domain);
        smtp_ask(&session, "", &rcpt, 1);
        smtp_end(&session);
    }
}

// Connects, reads the greeting, leaves.
static void play_monitor(struct party *p, const void *habits)
{
    const struct prober *b = habits;
    struct rng *r = &p->rng;
    struct peer host;
    int64_t step = b->per_day > 0 ? (int64_t)(86400e9 / b->per_day) : INT64_MAX / 4;
    uint32_t n = 0;
    for (int64_t t = p->from_ns + rng_between(r, 0, step / 4); t < p->until_ns; t += step) {
        uint32_t i = n++ % (uint32_t)b->hosts;
        world_mx(p->run->seed,
                 WORLD_PROVIDERS + (uint32_t)rng_hash(p->run->seed, p->name, i) % 4000, 0, &host);
        struct delivery d = {.client = &smtp_postfix,
                             .helo = "monitor",
                             .port = 25,
                             .reach = rng_chance(r, b->unknown) ? DELIVERY_REFUSED
                                                                : DELIVERY_REACHED};
        delivery_play(&d, p, &host, t);
    }
}

#define RETRIER(id, words, at, k, type, f)                          \
    const struct family family_##id = {.name = #id,                 \
                                       .help = words,               \
                                       .place = at,                 \
                                       .keys = k,                   \
                                       .size = sizeof(struct type), \
                                       .play = f}
RETRIER(dead_destination_queue, "a queue for hosts that are gone: seven peers, two tries a minute",
        FAMILY_BUSINESS, dead_queue_keys, dead_queue, play_dead_queue);
RETRIER(stubborn_device, "a printer, recorder or server that retries one host for ever",
        FAMILY_HOME, stubborn_keys, stubborn, play_stubborn);
RETRIER(callout_verifier, "a server that verifies senders by MAIL FROM:<>, RCPT, QUIT",
        FAMILY_BUSINESS, callout_keys, prober, play_callout);
RETRIER(monitoring_probe, "a monitoring system that reads greetings of mail servers",
        FAMILY_BUSINESS, monitor_keys, prober, play_monitor);
