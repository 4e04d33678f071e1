// Honest senders of much mail in a short time: newsletters, a list gone stale, the queue after an
// outage. They differ in how many hosts they reach, how fast, and what share bounces.
#include "families/registry.h"
#include "mailserver.h"
#include "schedule.h"

struct bulk {
    struct family_common common;
    int64_t mxs, over_ms, every_ms, runs, octets;
    double recipients, bounces, unanswered, starttls, v6, big;
};

#define TABLE(mx, over, every, times, rcpt, bounce, silent)                                      \
    FAMILY_KEYS(bulk), FAMILY_INT(bulk, "mxs", mxs, 1, 4000, mx, "domains a run goes to"),       \
        FAMILY_TIME(bulk, "over", over_ms, 1000, 86400000, over, "length of a run"),             \
        FAMILY_TIME(bulk, "every", every_ms, 60000, 366.0 * 86400000, every,                     \
                    "between the runs' starts"),                                                 \
        FAMILY_INT(bulk, "runs", runs, 1, 1000, times, "how many runs"),                         \
        FAMILY_REAL(bulk, "recipients", recipients, 1, 80, rcpt, "recipients a domain, mean"),   \
        FAMILY_SHARE(bulk, "bounces", bounces, bounce, "share of recipients that do not exist"), \
        FAMILY_SHARE(bulk, "unanswered", unanswered, silent,                                     \
                     "share of connections to hosts that do not answer"),                        \
        FAMILY_SHARE(bulk, "starttls", starttls, "0.92",                                         \
                     "share of sessions over TLS where offered"),                                \
        FAMILY_SHARE(bulk, "v6", v6, "0.2", "share of connections over IPv6 where both can"),    \
        FAMILY_SHARE(bulk, "big_providers", big, "0.25",                                         \
                     "share of deliveries to the big providers"),                                \
        FAMILY_INT(bulk, "octets", octets, 200, 1000000, "4500", "median size of a message"),    \
        FAMILY_END

static const struct conf_key newsletter_keys[] = {
    TABLE("200", "10m", "24h", "1", "3", "0.03", "0.02")};
static const struct conf_key stale_keys[] = {TABLE("150", "15m", "24h", "1", "2", "0.25", "0.06")};
static const struct conf_key flush_keys[] = {TABLE("120", "6m", "24h", "1", "1.2", "0.03", "0.03")};

static void play(struct party *p, const void *habits)
{
    const struct bulk *b = habits;
    struct rng *r = &p->rng;
    struct peer self;
    mailserver_self(p, &self);
    const struct mail_fate fate = {.starttls = b->starttls,
                                   .v6 = b->v6,
                                   .unanswered = b->unanswered,
                                   .unknown = b->bounces,
                                   .full = 0.01};
    for (int64_t run = 0; run < b->runs; run++) {
        int64_t start = p->from_ns + run * b->every_ms * NS_PER_MS;
        for (int64_t i = 0; i < b->mxs; i++) {
            int64_t t = start + (int64_t)(rng_unit(r) * (double)b->over_ms) * NS_PER_MS;
            if (t >= p->until_ns)
                continue;
            // Its subscribers are the same in each run.
            uint64_t h = rng_hash(p->run->seed, p->name, 1000 + (uint64_t)i);
            struct mail_job job = {.client = &smtp_postfix,
                                   .rcpts = 1 + (size_t)rng_exp(r, b->recipients - 1),
                                   .octets = (size_t)rng_lognormal(r, (double)b->octets, 1.3),
                                   .body = SMTP_NEWSLETTER};
            job.domain = (double)(h % 1000) < b->big * 1000
                             ? (uint32_t)(h >> 16) % WORLD_PROVIDERS
                             : WORLD_PROVIDERS +
                                   (uint32_t)(h >> 16) % (WORLD_DOMAINS - WORLD_PROVIDERS);
            mailserver_send(p, &self, &fate, &job, t);
        }
    }
}

const struct family family_newsletter = {
    .name = "newsletter",
    .help = "a newsletter to 200 hosts in ten minutes, 3 % bounce",
    .place = FAMILY_BUSINESS,
    .keys = newsletter_keys,
    .size = sizeof(struct bulk),
    .play = play};

const struct family family_stale_list = {
    .name = "stale_list",
    .help = "a list nobody cleaned for years: a quarter bounces",
    .place = FAMILY_BUSINESS,
    .keys = stale_keys,
    .size = sizeof(struct bulk),
    .play = play};

const struct family family_queue_flush = {
    .name = "queue_flush",
    .help = "a server that was cut off and sends its queue at once",
    .place = FAMILY_BUSINESS,
    .keys = flush_keys,
    .size = sizeof(struct bulk),
    .play = play};
