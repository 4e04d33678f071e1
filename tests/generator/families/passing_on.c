// Servers that send because they were sent to: mailing lists and forwarders (innocent), open relays and
// backscatter (not). What comes in goes out within seconds, with the same envelope addresses where the
// kind keeps them.
#include <stdio.h>

#include "families/registry.h"
#include "mailserver.h"
#include "schedule.h"

struct passing {
    struct family_common common;
    double per_day, fan_out, unknown, unanswered, spam, starttls;
    int64_t octets;
};

#define TABLE(day, fan, nobody, silent, refused, tls)                                             \
    FAMILY_KEYS(passing),                                                                         \
        FAMILY_REAL(passing, "per_day", per_day, 0, 1000000, day, "messages that come in a day"), \
        FAMILY_REAL(passing, "fan_out", fan_out, 1, 200, fan, "domains each goes on to"),         \
        FAMILY_SHARE(passing, "unknown", unknown, nobody,                                         \
                     "share of recipients that do not exist"),                                    \
        FAMILY_SHARE(passing, "unanswered", unanswered, silent,                                   \
                     "share of connections to hosts that do not answer"),                         \
        FAMILY_SHARE(passing, "spam", spam, refused, "share of messages refused at their end"),   \
        FAMILY_SHARE(passing, "starttls", starttls, tls,                                          \
                     "share of sessions over TLS where offered"),                                 \
        FAMILY_INT(passing, "octets", octets, 200, 1000000, "1500", "median size of a message"),  \
        FAMILY_END

static const struct conf_key list_keys[] = {TABLE("12", "40", "0.01", "0.02", "0.005", "0.92")};
static const struct conf_key forwarder_keys[] = {TABLE("80", "1", "0.02", "0.01", "0.06", "0.92")};
static const struct conf_key backscatter_keys[] = {
    TABLE("2400", "1", "0.6", "0.12", "0.05", "0.5")};
static const struct conf_key relay_keys[] = {TABLE("1200", "3", "0.3", "0.12", "0.3", "0.2")};

static uint32_t anywhere(struct rng *r)
{
    return delivery_domain(r, 0.3, WORLD_DOMAINS);
}

static void play_list(struct party *p, const void *habits)
{
    const struct passing *b = habits;
    struct rng *r = &p->rng;
    struct peer self;
    mailserver_self(p, &self);
    const struct mail_fate in = {.starttls = b->starttls}, out = {.starttls = b->starttls,
                                                                  .unknown = b->unknown,
                                                                  .unanswered = b->unanswered,
                                                                  .spam = b->spam};
    char sender[SMTP_ADDRESS_MAX];
    snprintf(sender, sizeof sender, "list-bounces@%.60s", self.domain);
    struct schedule s = schedule_of(p, b->per_day, DAY_HOME);
    while (schedule_next(&s)) {
        size_t octets = (size_t)rng_lognormal(r, (double)b->octets, 1.6);
        int64_t t = mailserver_receive(p, &self, &in, anywhere(r), 1, octets, s.t_ns);
        for (int i = 0; i < (int)b->fan_out; i++) {
            uint64_t h = rng_hash(p->run->seed, p->name, 2000 + (uint64_t)i);
            struct mail_job job = {.sender = sender,
                                   .domain = (uint32_t)h % WORLD_DOMAINS,
                                   .rcpts = 1 + rng_below(r, 3),
                                   .octets = octets,
                                   .body = SMTP_NEWSLETTER};
            t += rng_between(r, 20 * NS_PER_MS, 600 * NS_PER_MS);
            mailserver_send(p, &self, &out, &job, t);
        }
    }
}

// The message as the client outside sends it: from a stranger, to `rcpt` whoever that is.
static int64_t take_in(struct party *p, const struct peer *self, const struct smtp_message *m,
                       double starttls, int64_t t_ns)
{
    struct peer from;
    world_foreign(p->run->seed, rng_below(&p->rng, 4000), &from);
    struct delivery d = {.client = &smtp_ratware_polite,
                         .helo = from.host,
                         .port = 25,
                         .starttls = starttls,
                         .message = m,
                         .messages = 1,
                         .self = self};
    return delivery_play(&d, p, &from, t_ns);
}

static void play_forwarder(struct party *p, const void *habits)
{
    const struct passing *b = habits;
    struct rng *r = &p->rng;
    struct peer self, from;
    mailserver_self(p, &self);
    const struct mail_fate out = {.starttls = b->starttls, .unanswered = b->unanswered};
    struct schedule s = schedule_of(p, b->per_day, DAY_HOME);
    while (schedule_next(&s)) {
        uint32_t domain = anywhere(r);
        struct smtp_rcpt alias = {.reply = SMTP_OK}, box = alias;
        struct smtp_message m = {
            .rcpt = &alias, .rcpts = 1, .octets = (size_t)rng_lognormal(r, (double)b->octets, 1.6)};
        delivery_address(m.sender, r, domain);
        snprintf(alias.address, sizeof alias.address, "alias%u@%.60s", rng_below(r, 20),
                 self.domain);
        world_mx(p->run->seed, domain, 0, &from);
        struct delivery d = {.client = &smtp_postfix,
                             .helo = from.host,
                             .port = 25,
                             .starttls = b->starttls,
                             .message = &m,
                             .messages = 1,
                             .self = &self};
        int64_t t = delivery_play(&d, p, &from, s.t_ns) +
                    rng_between(r, NS_PER_S / 5, 2 * NS_PER_S);
        uint32_t home = rng_below(r, 3); // everybody's mailbox is with a big provider
        delivery_address(box.address, r, home);
        box.reply = rng_chance(r, b->unknown) ? SMTP_UNKNOWN_USER : SMTP_OK;
        m.rcpt = &box;
        m.end = rng_chance(r, b->spam) ? SMTP_SPAM : SMTP_OK;
        mailserver_pass(p, &self, &out, &m, home, t);
    }
}

// Takes every recipient at home, finds later that there is none, and tells the forged sender.
static void play_backscatter(struct party *p, const void *habits)
{
    const struct passing *b = habits;
    struct rng *r = &p->rng;
    struct peer self;
    mailserver_self(p, &self);
    p->rate_per_min = b->per_day / 1440;
    const struct mail_fate out = {.starttls = b->starttls,
                                  .unknown = b->unknown,
                                  .unanswered = b->unanswered,
                                  .spam = b->spam};
    struct schedule s = schedule_of(p, b->per_day, DAY_FLAT);
    while (schedule_next(&s)) {
        uint32_t victim = anywhere(r);
        struct smtp_rcpt rcpt = {.reply = SMTP_OK};
        struct smtp_message m = {.rcpt = &rcpt,
                                 .rcpts = 1,
                                 .octets = (size_t)rng_lognormal(r, (double)b->octets, 1.4),
                                 .body = SMTP_SPAM_BODY};
        delivery_address(m.sender, r, victim);
        char person[WORLD_NAME_MAX];
        world_person(rng_below(r, 2000000), person);
        snprintf(rcpt.address, sizeof rcpt.address, "%s@%.60s", person, self.domain);
        int64_t t = take_in(p, &self, &m, 0.1, s.t_ns) + rng_between(r, NS_PER_S, 20 * NS_PER_S);
        struct mail_job job = {.sender = "",
                               .domain = victim,
                               .rcpts = 1,
                               .octets = m.octets + 1200,
                               .body = SMTP_BOUNCE};
        party_guilty(p, t);
        mailserver_send(p, &self, &out, &job, t);
    }
}

// "user@there" becomes "user%there@here".
static void route_by_hand(struct smtp_rcpt *rcpt, const struct peer *self)
{
    char *at = strchr(rcpt->address, '@');
    size_t len = strlen(rcpt->address);
    if (!at || len + 1 + strlen(self->domain) >= sizeof rcpt->address)
        return;
    *at = '%';
    snprintf(rcpt->address + len, sizeof rcpt->address - len, "@%s", self->domain);
}

// Takes anybody's mail for anybody, and delivers it under the same addresses.
static void play_relay(struct party *p, const void *habits)
{
    enum { FAN_MAX = 40 };
    const struct passing *b = habits;
    struct rng *r = &p->rng;
    struct peer self;
    mailserver_self(p, &self);
    p->rate_per_min = b->per_day / 1440;
    const struct mail_fate out = {.starttls = b->starttls, .unanswered = b->unanswered};
    struct schedule s = schedule_of(p, b->per_day, DAY_FLAT);
    while (schedule_next(&s)) {
        struct smtp_rcpt taken[FAN_MAX] = {0}, handed;
        uint32_t domain[FAN_MAX];
        size_t n = 1 + (size_t)rng_exp(r, b->fan_out - 1);
        struct smtp_message m = {.rcpt = taken,
                                 .rcpts = n < FAN_MAX ? n : FAN_MAX,
                                 .octets = (size_t)rng_lognormal(r, (double)b->octets, 1.4),
                                 .body = SMTP_SPAM_BODY};
        delivery_address(m.sender, r, anywhere(r));
        for (size_t i = 0; i < m.rcpts; i++) {
            domain[i] = anywhere(r);
            delivery_address(taken[i].address, r, domain[i]);
            taken[i].reply = SMTP_OK;
        }
        if (rng_chance(r, 0.05)) // the way testers write it
            route_by_hand(&taken[0], &self);
        party_guilty(p, s.t_ns);
        int64_t t = take_in(p, &self, &m, 0, s.t_ns);
        size_t count = m.rcpts;
        for (size_t i = 0; i < count; i++) {
            handed = taken[i];
            char *routed = strchr(handed.address, '%');
            if (routed) { // what is left when its own part is taken away
                *routed = '@';
                *strrchr(handed.address, '@') = 0;
            }
            handed.reply = rng_chance(r, b->unknown) ? SMTP_UNKNOWN_USER : SMTP_OK;
            m.rcpt = &handed;
            m.rcpts = 1;
            m.end = rng_chance(r, b->spam) ? SMTP_SPAM : SMTP_OK;
            t += rng_between(r, 50 * NS_PER_MS, 900 * NS_PER_MS);
            mailserver_pass(p, &self, &out, &m, domain[i], t);
        }
    }
}

#define PASSING(id, text, words, guilt, k, f)                          \
    const struct family family_##id = {.name = text,                   \
                                       .help = words,                  \
                                       .class = guilt,                 \
                                       .place = FAMILY_BUSINESS,       \
                                       .keys = k,                      \
                                       .size = sizeof(struct passing), \
                                       .play = f}
PASSING(mailing_list, "mailing_list", "a mailing list: one message in, forty hosts out", NULL,
        list_keys, play_list);
PASSING(forwarder, "forwarder", "a server that forwards each message to a mailbox elsewhere", NULL,
        forwarder_keys, play_forwarder);
PASSING(backscatter, "backscatter", "a server that bounces spam to forged senders", "backscatter",
        backscatter_keys, play_backscatter);
PASSING(open_relay, "open_relay", "a server that relays for anybody", "open-relay", relay_keys,
        play_relay);
