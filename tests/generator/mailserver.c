// Sending with a second MX to fall back on; receiving.
#include "mailserver.h"

#include <stdio.h>

#include "dns.h"

void mailserver_self(const struct party *p, struct peer *out)
{
    uint64_t h = rng_hash(p->run->seed, p->name, 7);
    *out = (struct peer){.v4 = p->v4, .v6 = p->v6, .dialect = (uint8_t)(h >> 8), .starttls = true};
    world_domain(64 + (uint32_t)(h >> 16) % (WORLD_DOMAINS - 64), out->domain);
    snprintf(out->host, sizeof out->host, "mail.%.50s", out->domain);
}

static const struct smtp_client *client_of(const struct peer *self)
{
    return self->dialect % 3 == 2 ? &smtp_exchange : &smtp_postfix;
}

void mailserver_recipients(struct rng *r, const struct mail_fate *fate, uint32_t domain,
                           struct smtp_rcpt *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        delivery_address(out[i].address, r, domain);
        double d = rng_unit(r);
        out[i].reply = d < fate->unknown                ? SMTP_UNKNOWN_USER
                       : d < fate->unknown + fate->full ? SMTP_MAILBOX_FULL
                                                        : SMTP_OK;
    }
}

static int64_t hand_over(struct party *p, const struct peer *self, const struct mail_fate *fate,
                         const struct smtp_client *client, const struct smtp_message *m,
                         uint32_t domain, int64_t t_ns)
{
    struct rng *r = &p->rng;
    struct peer mx;
    uint32_t first = rng_below(r, 4);
    world_mx(p->run->seed, domain, first, &mx);
    dns_lookup(p, t_ns, NULL, mx.domain, DNS_MX, NULL, mx.host);
    t_ns += rng_between(r, 30 * NS_PER_MS, 200 * NS_PER_MS);
    struct delivery d = {.client = client,
                         .helo = self->host,
                         .port = 25,
                         .starttls = fate->starttls,
                         .v6 = fate->v6,
                         .message = m,
                         .messages = 1};
    if (rng_chance(r, fate->unanswered)) {
        d.reach = DELIVERY_UNANSWERED;
        t_ns = delivery_play(&d, p, &mx, t_ns);
        d.reach = DELIVERY_REACHED;
        world_mx(p->run->seed, domain, first + 1, &mx);
    }
    mx.greylists |= fate->greylisted > 0 && rng_chance(r, fate->greylisted);
    return delivery_queue(&d, p, &mx, t_ns);
}

int64_t mailserver_send(struct party *p, const struct peer *self, const struct mail_fate *fate,
                        const struct mail_job *job, int64_t t_ns)
{
    static struct smtp_rcpt rcpt[DELIVERY_RCPT_MAX];
    struct rng *r = &p->rng;
    struct smtp_message m = {.rcpt = rcpt,
                             .rcpts = job->rcpts < DELIVERY_RCPT_MAX ? job->rcpts
                                                                     : DELIVERY_RCPT_MAX,
                             .octets = job->octets,
                             .body = job->body,
                             .end = rng_chance(r, fate->spam) ? SMTP_SPAM : SMTP_OK};
    if (job->sender) {
        snprintf(m.sender, sizeof m.sender, "%s", job->sender);
    } else {
        char person[WORLD_NAME_MAX];
        world_person(rng_below(r, 30) * 97, person); // a few people work there
        snprintf(m.sender, sizeof m.sender, "%s@%.60s", person, self->domain);
    }
    mailserver_recipients(r, fate, job->domain, rcpt, m.rcpts);
    return hand_over(p, self, fate, job->client ? job->client : client_of(self), &m, job->domain,
                     t_ns);
}

int64_t mailserver_pass(struct party *p, const struct peer *self, const struct mail_fate *fate,
                        const struct smtp_message *m, uint32_t domain, int64_t t_ns)
{
    return hand_over(p, self, fate, client_of(self), m, domain, t_ns);
}

int64_t mailserver_receive(struct party *p, const struct peer *self, const struct mail_fate *fate,
                           uint32_t domain, size_t rcpts, size_t octets, int64_t t_ns)
{
    static struct smtp_rcpt rcpt[DELIVERY_RCPT_MAX];
    struct rng *r = &p->rng;
    struct peer from;
    world_mx(p->run->seed, domain, rng_below(r, 4), &from);
    struct smtp_message m = {.rcpt = rcpt,
                             .rcpts = rcpts < DELIVERY_RCPT_MAX ? rcpts : DELIVERY_RCPT_MAX,
                             .octets = octets,
                             .end = rng_chance(r, fate->spam) ? SMTP_SPAM : SMTP_OK};
    delivery_address(m.sender, r, domain);
    for (size_t i = 0; i < m.rcpts; i++) {
        char person[WORLD_NAME_MAX];
        world_person(rng_below(r, 30) * 97, person);
        snprintf(rcpt[i].address, sizeof rcpt[i].address, "%s@%.60s", person, self->domain);
        rcpt[i].reply = rng_chance(r, fate->unknown) ? SMTP_UNKNOWN_USER : SMTP_OK;
    }
    struct delivery d = {.client = &smtp_postfix,
                         .helo = from.host,
                         .port = 25,
                         .starttls = fate->starttls,
                         .v6 = fate->v6,
                         .message = &m,
                         .messages = 1,
                         .self = self};
    return delivery_play(&d, p, &from, t_ns);
}

int64_t mailserver_probed(struct party *p, const struct peer *self, uint32_t domain, int64_t t_ns)
{
    struct rng *r = &p->rng;
    struct peer from;
    world_foreign(p->run->seed, rng_below(r, 4000), &from);
    char target[SMTP_ADDRESS_MAX];
    struct smtp_rcpt rcpt = {.reply = SMTP_RELAY_DENIED};
    struct smtp_message m = {.rcpt = &rcpt, .rcpts = 1};
    delivery_address(m.sender, r, domain);
    delivery_address(target, r, rng_below(r, WORLD_PROVIDERS));
    if (rng_chance(r, 0.5)) // source routes of old, which some servers still follow
        *strchr(target, '@') = rng_chance(r, 0.7) ? '%' : '!';
    if (strchr(target, '@'))
        snprintf(rcpt.address, sizeof rcpt.address, "%s", target);
    else
        snprintf(rcpt.address, sizeof rcpt.address, "%.60s@%.60s", target, self->domain);
    struct delivery d = {.client = &smtp_ratware_polite,
                         .helo = from.host,
                         .port = 25,
                         .message = &m,
                         .messages = 1,
                         .self = self};
    return delivery_play(&d, p, &from, t_ns);
}
