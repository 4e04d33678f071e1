// Small businesses with a mail server of their own, the day's traffic and little more; also those that
// pass all mail through one partner, and one that only takes what others give it.
#include "families/registry.h"
#include "mailserver.h"
#include "schedule.h"

struct business {
    struct family_common common;
    double inbound, outbound, bounces, spam_in;
    int64_t domains;
    double starttls, unanswered, unknown, greylisted, v6;
    int64_t letter;
};

#define TABLE(in, out, correspondents)                                                            \
    FAMILY_KEYS(business),                                                                        \
        FAMILY_REAL(business, "inbound", inbound, 0, 100000, in, "messages received a day"),      \
        FAMILY_REAL(business, "outbound", outbound, 0, 100000, out, "messages sent a day"),       \
        FAMILY_REAL(business, "bounces", bounces, 0, 10000, "2",                                  \
                    "messages a day that come back to forged senders"),                           \
        FAMILY_REAL(business, "spam_in", spam_in, 0, 10000, "40",                                 \
                    "sessions a day that try unknown people"),                                    \
        FAMILY_INT(business, "domains", domains, 1, 4000, correspondents,                         \
                   "domains it writes to and hears from"),                                        \
        FAMILY_SHARE(business, "starttls", starttls, "0.92",                                      \
                     "share of sessions over TLS where offered"),                                 \
        FAMILY_SHARE(business, "unanswered", unanswered, "0.03",                                  \
                     "share of connections to hosts that do not answer"),                         \
        FAMILY_SHARE(business, "unknown", unknown, "0.02",                                        \
                     "share of recipients that do not exist"),                                    \
        FAMILY_SHARE(business, "greylisted", greylisted, "0",                                     \
                     "share of connections to hosts that greylist, besides the usual"),           \
        FAMILY_SHARE(business, "v6", v6, "0.3", "share of connections over IPv6 where both can"), \
        FAMILY_INT(business, "letter_octets", letter, 200, 5000000, "2200",                       \
                   "median size of a message"),                                                   \
        FAMILY_END

static const struct conf_key business_keys[] = {TABLE("90", "45", "60")};
static const struct conf_key hybrid_keys[] = {TABLE("120", "160", "1")};

static size_t letter(struct party *p, const struct business *b)
{
    return (size_t)rng_lognormal(&p->rng, (double)b->letter, 2.2);
}

// The correspondent: every business has its own circle, some in it closer than others.
static uint32_t circle(struct party *p, const struct business *b)
{
    uint32_t i = rng_zipf(&p->rng, (uint32_t)b->domains);
    uint64_t h = rng_hash(p->run->seed, p->name, 100 + i);
    return h % 10 < 3 ? (uint32_t)(h >> 8) % WORLD_PROVIDERS
                      : WORLD_PROVIDERS + (uint32_t)(h >> 8) % (WORLD_DOMAINS - WORLD_PROVIDERS);
}

static void receive(struct party *p, const struct business *b, const struct peer *self)
{
    struct rng *r = &p->rng;
    const struct mail_fate fate = {
        .starttls = b->starttls, .v6 = b->v6, .unknown = b->unknown, .spam = 0.01};
    struct schedule s = schedule_of(p, b->inbound, DAY_OFFICE);
    while (schedule_next(&s))
        mailserver_receive(p, self, &fate, circle(p, b), 1 + (size_t)rng_exp(r, 0.5), letter(p, b),
                           s.t_ns);
    // What every server with an MX gets from strangers.
    const struct mail_fate strangers = {.starttls = 0.3, .unknown = 0.8, .spam = 0.5};
    s = schedule_of(p, b->spam_in, DAY_FLAT);
    while (schedule_next(&s)) {
        uint32_t from = 8 + rng_below(r, 4000);
        if (rng_chance(r, 0.1))
            mailserver_probed(p, self, from, s.t_ns);
        else
            mailserver_receive(p, self, &strangers, from, 1 + rng_below(r, 3), 1500, s.t_ns);
    }
}

static void play(struct party *p, const void *habits)
{
    const struct business *b = habits;
    struct rng *r = &p->rng;
    struct peer self;
    mailserver_self(p, &self);
    receive(p, b, &self);
    const struct mail_fate fate = {.starttls = b->starttls,
                                   .v6 = b->v6,
                                   .unanswered = b->unanswered,
                                   .unknown = b->unknown,
                                   .full = 0.01,
                                   .greylisted = b->greylisted};
    struct mail_job job = {.body = SMTP_LETTER};
    struct schedule s = schedule_of(p, b->outbound, DAY_OFFICE);
    while (schedule_next(&s)) {
        job.domain = circle(p, b);
        job.rcpts = 1 + (size_t)rng_exp(r, 0.6);
        job.octets = letter(p, b);
        mailserver_send(p, &self, &fate, &job, s.t_ns);
    }
    const struct mail_fate bounced = {.starttls = b->starttls, .unanswered = 0.1, .unknown = 0.4};
    s = schedule_of(p, b->bounces, DAY_FLAT);
    while (schedule_next(&s)) {
        job = (struct mail_job){.sender = "",
                                .domain = 8 + rng_below(r, 4000),
                                .rcpts = 1,
                                .octets = 3000,
                                .body = SMTP_BOUNCE};
        mailserver_send(p, &self, &bounced, &job, s.t_ns);
    }
}

const struct family family_business_mail_server = {
    .name = "business_mail_server",
    .help = "a small business with a mail server on its line",
    .place = FAMILY_BUSINESS,
    .keys = business_keys,
    .size = sizeof(struct business),
    .play = play};

const struct family family_hybrid_server = {
    .name = "hybrid_server",
    .help = "a mail server that exchanges all mail with one partner site",
    .place = FAMILY_BUSINESS,
    .keys = hybrid_keys,
    .size = sizeof(struct business),
    .play = play};
