// Innocents that are few and look odd, beside those of innocent.c (people.h).
#include "common/minute.h"
#include "people.h"

#define OWN(key, i) \
    (p->rates->low[RATE_##key] + (p->rates->high[RATE_##key] - p->rates->low[RATE_##key]) * l->r[i])
#define OFFICE_HOURS 10

// Somebody else's port 25 without being a mail server: a smarthost there, or an MX.
static void mails(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r,
                  double a_day, uint32_t providers, double unknown)
{
    struct mail_spec s = clean_list(p, r);
    s.unknown = unknown;
    s.dead = 0.002;
    for (uint32_t n = rng_poisson(r, a_day); n > 0; n--) {
        uint32_t to = 30 + (uint32_t)(seed_of("direct", l->seed, rng_below(r, providers)) % 2000);
        int64_t t_ms = human_time(r, day_ms);
        // What does not get through is tried again: five times, ten minutes between.
        for (unsigned again = 0; again < 5; again++, t_ms += 600000) {
            const struct flow *f = mail_session(p, l, r, t_ms, to, &s);
            if (f->outcome == MINUTE_OUTCOME_GREETED)
                break;
        }
    }
}

static void polls(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    for (uint32_t n = rng_poisson(r, OWN(phone_polls_a_day, 4)); n > 0; n--) {
        uint32_t to = 1 + (uint32_t)(seed_of("account", l->seed, rng_below(r, 6)) % 40);
        int64_t t_ms = rng_below(r, 3) ? human_time(r, day_ms) : day_ms + rng_below(r, DAY_MS);
        uint8_t role = rng_below(r, 8) ? MINUTE_ACCESS : MINUTE_SUBMISSION;
        struct flow *f = client_session(p, l, r, t_ms, role, to);
        f->lasts_ms = f->answer_ms + 300 + (int32_t)rng_below(r, 900);
        f->octets_up = 700 + rng_below(r, 700);
        f->octets_down = f->outcome == MINUTE_OUTCOME_GREETED ? 4000 : 0;
    }
}

static void queries(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    for (uint32_t n = rng_poisson(r, OWN(resolver_mx_a_day, 4)); n > 0; n--) {
        struct flow *f = client_session(p, l, r, human_time(r, day_ms), MINUTE_OTHER,
                                        100 + rng_below(r, 2000));
        f->port = 53;
        f->flags = FLOW_MX_QUERY;
    }
}

// Exit nodes refuse port 25 by their default policy; submission and IMAP they pass.
static void exits(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    for (uint32_t n = rng_poisson(r, OWN(exit_flows_an_hour, 4) * 24); n > 0; n--) {
        uint32_t dice = rng_below(r, 100);
        uint8_t role = dice < 4 ? MINUTE_SUBMISSION : dice < 10 ? MINUTE_ACCESS : MINUTE_OTHER;
        uint32_t to = role == MINUTE_OTHER ? 20000 + rng_below(r, 20000) : 1 + rng_below(r, 120);
        struct flow *f = client_session(p, l, r, day_ms + rng_below(r, DAY_MS), role, to);
        if (rng_below(r, 10) == 0) {
            f->outcome = MINUTE_OUTCOME_UNANSWERED;
            f->answer_ms = f->lasts_ms = 4000;
            f->flags = f->octets_down = 0;
        }
    }
}

static void other_half(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    struct mail_spec s = clean_list(p, r);
    s.dead = 0.001;
    s.tls = 1;
    for (uint32_t n = rng_poisson(r, OWN(hybrid_an_hour, 4) * OFFICE_HOURS); n > 0; n--) {
        int64_t t_ms = human_time(r, day_ms);
        mail_session(p, l, r, t_ms, 1 + rng_below(r, 2), &s);
        takes_mail(p, l, r, t_ms + 2000);
    }
}

// All of its mail goes to one relay, which is gone for the day: a retry every minute or so.
static void relay_gone(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    for (uint32_t n = rng_below(r, 3) ? 0 : rng_poisson(r, 900); n > 0; n--) {
        struct flow *f = flow_new(p->out, l->index, day_ms + rng_below(r, DAY_MS));
        f->role = n % 2 ? MINUTE_MX : MINUTE_SUBMISSION;
        f->port = n % 2 ? 25 : 587;
        f->provider = 40 + l->index % 5;
        f->outcome = MINUTE_OUTCOME_UNANSWERED;
        f->answer_ms = f->lasts_ms = 4000;
        f->octets_up = 240;
    }
}

static void many_homes(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    (void)r;
    for (uint32_t i = 0; i < (uint32_t)OWN(cgnat_lines, 4); i++) {
        struct line home = *l;
        home.seed = seed_of("home", l->seed, i);
        struct rng draw = {home.seed};
        for (size_t k = 0; k < sizeof home.r / sizeof home.r[0]; k++)
            home.r[k] = rng_real(&draw);
        struct rng day = {seed_of("day", home.seed, (uint64_t)day_ms)};
        household_day(p, &home, day_ms, &day);
    }
}

bool odd_told(const struct people *p, const struct line *l, int64_t day_ms, int64_t *from_ms,
              int64_t *to_ms)
{
    struct rng r = {seed_of("told", l->seed, (uint64_t)day_ms)};
    if (rng_below(&r, 5) != 0)
        return false;
    *from_ms = human_time(&r, day_ms);
    *to_ms = *from_ms + (int64_t)(rate_draw(p->rates, RATE_lease_lost_minutes, &r) * 60000);
    return true;
}

void odd_day(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    int64_t from_ms, to_ms;
    switch (l->kind) {
    case KIND_phones: polls(p, l, day_ms, r); break;
    case KIND_client25:
        mails(p, l, day_ms, r, OWN(client25_a_day, 4), 1 + l->index % 2, 0.01);
        break;
    case KIND_direct_device:
        mails(p, l, day_ms, r, OWN(device_mails_a_day, 4), 1 + l->index % 2, 0.05);
        break;
    case KIND_hobby_server:
        for (uint32_t n = rng_poisson(r, OWN(hobby_sends_a_day, 5)); n > 0; n--)
            takes_mail(p, l, r, day_ms + rng_below(r, DAY_MS));
        mails(p, l, day_ms, r, OWN(hobby_sends_a_day, 4), (uint32_t)OWN(hobby_providers, 6), 0.03);
        break;
    case KIND_resolver: queries(p, l, day_ms, r); break;
    case KIND_tor_exit: exits(p, l, day_ms, r); break;
    case KIND_hybrid_exchange: other_half(p, l, day_ms, r); break;
    case KIND_dead_smarthost: relay_gone(p, l, day_ms, r); break;
    case KIND_cgnat: many_homes(p, l, day_ms, r); break;
    case KIND_school: together_school(p, l, day_ms, r); break;
    case KIND_told_of_bot:
        if (odd_told(p, l, day_ms, &from_ms, &to_ms))
            guilty_minutes(p, l, from_ms, to_ms, r);
        break;
    default: break;
    }
}
