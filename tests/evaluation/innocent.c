// What innocents do on a day, by kind (people.h). Every kind is one that naive rules hit.
#include "common/minute.h"
#include "people.h"

#define RATE(key) rate_draw(p->rates, RATE_##key, r)
// Drawn once for the line: the same on each day.
#define OWN(key, i) \
    (p->rates->low[RATE_##key] + (p->rates->high[RATE_##key] - p->rates->low[RATE_##key]) * l->r[i])
#define PROVIDERS 5000

struct flow *client_session(const struct people *p, const struct line *l, struct rng *r,
                            int64_t t_ms, uint8_t role, uint32_t provider)
{
    struct flow *f = flow_new(p->out, l->index, t_ms);
    f->role = role;
    f->provider = provider;
    f->port = role == MINUTE_ACCESS ? 993 : role == MINUTE_OTHER ? 443 : 587;
    f->outcome = MINUTE_OUTCOME_GREETED;
    f->answer_ms = 80 + (int32_t)rng_below(r, 200);
    f->lasts_ms = f->answer_ms + 500 + (int32_t)rng_below(r, 20000);
    f->octets_up = 900 + rng_below(r, 1000);
    f->octets_down = 3000 + rng_below(r, 20000);
    f->flags = FLOW_TLS;
    bool down = role == MINUTE_SMARTHOST
                    ? t_ms >= p->events.smarthost.from_ms && t_ms < p->events.smarthost.to_ms
                    : events_out(&p->events, t_ms);
    bool failing = (role == MINUTE_ACCESS || role == MINUTE_SUBMISSION) &&
                   events_failing(&p->events, provider, t_ms);
    if (down || failing) {
        bool refused = !down && p->events.provider_refuses;
        f->outcome = refused ? MINUTE_OUTCOME_REFUSED : MINUTE_OUTCOME_UNANSWERED;
        f->answer_ms = f->lasts_ms = refused ? 100 : 4000;
        f->flags = f->octets_down = 0;
    }
    return f;
}

static void submit(const struct people *p, const struct line *l, struct rng *r, int64_t t_ms,
                   uint8_t role, uint32_t provider, uint16_t recipients, uint32_t user)
{
    struct flow *f = client_session(p, l, r, t_ms, role, provider);
    f->octets_up = 3000 + rng_below(r, 100000);
    f->user = user;
    f->sender = user;
    if (role == MINUTE_SMARTHOST &&
        f->outcome != MINUTE_OUTCOME_UNANSWERED) { // our own: its log tells what TLS hides
        f->flags |= FLOW_LOG | FLOW_LOGIN;
        f->rcpt_ok = recipients;
        f->messages = 1;
        f->recipient = (uint32_t)rng_next(r) | 1;
    }
}

uint32_t home_account(const struct line *l, uint32_t i)
{
    return 1 + (uint32_t)(seed_of("account", l->seed, i) % 40); // few providers have most mailboxes
}

void household_day(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    uint32_t accounts = (uint32_t)(OWN(home_accounts, 0) + 0.5);
    bool own = l->r[1] <
               (p->rates->low[RATE_home_smarthost] + p->rates->high[RATE_home_smarthost]) / 2;
    uint32_t user = (uint32_t)l->seed | 1;
    for (uint32_t n = rng_poisson(r, OWN(home_reads_a_day, 2)); n > 0; n--) {
        struct flow *f = client_session(p, l, r, human_time(r, day_ms), MINUTE_ACCESS,
                                        home_account(l, rng_below(r, accounts)));
        if (rng_real(r) < RATE(home_login_error)) {
            f->flags = FLOW_LOGIN | FLOW_FAILED;
            f->user = user;
        }
    }
    for (uint32_t n = rng_poisson(r, OWN(home_sends_a_day, 3)); n > 0; n--) {
        uint16_t recipients = (uint16_t)(RATE(home_recipients) + 0.5);
        submit(p, l, r, human_time(r, day_ms), own ? MINUTE_SMARTHOST : MINUTE_SUBMISSION,
               own ? 0 : home_account(l, rng_below(r, accounts)), recipients, user);
    }
    together_home(p, l, day_ms, r);
    // After the BNG has booted every program asks at once.
    for (uint32_t n = p->events.reboot.to_ms ? accounts : 0; n > 0; n--)
        client_session(p, l, r, p->events.reboot.to_ms + rng_below(r, 120000), MINUTE_ACCESS,
                       home_account(l, n - 1));
    for (uint32_t n = rng_poisson(r, RATE(home_surf_a_day)); n > 0; n--)
        client_session(p, l, r, human_time(r, day_ms), MINUTE_OTHER, 100 + rng_below(r, 2000));
    for (uint32_t n = rng_poisson(r, RATE(home_scanned_a_day)); n > 0; n--) {
        struct flow *f = flow_new(p->out, l->index, day_ms + rng_below(r, DAY_MS));
        f->direction = MINUTE_IN;
        f->port = rng_below(r, 2) ? 25 : 1080;
        f->role = f->port == 25 ? MINUTE_MX : MINUTE_OTHER;
        f->outcome = MINUTE_OUTCOME_UNANSWERED;
        f->answer_ms = f->lasts_ms = 4000;
        f->octets_down = 60;
        f->provider = rng_below(r, PROVIDERS);
    }
}

struct mail_spec clean_list(const struct people *p, struct rng *r)
{
    return (struct mail_spec){.dead = RATE(mx_dead),
                              .unknown = RATE(mx_bounce),
                              .greylist = RATE(mx_greylist),
                              .tls = RATE(mx_tls),
                              .recipients = 1};
}

static uint32_t mail_contact(const struct line *l, struct rng *r, double providers)
{
    // Most mail goes to a few: the square of an even number.
    double u = rng_real(r);
    return (uint32_t)(seed_of("contact", l->seed, (uint64_t)(u * u * providers)) % PROVIDERS);
}

void takes_mail(const struct people *p, const struct line *l, struct rng *r, int64_t t_ms)
{
    struct flow *f = flow_new(p->out, l->index, t_ms);
    f->role = MINUTE_MX;
    f->direction = MINUTE_IN;
    f->port = 25;
    f->provider = rng_below(r, PROVIDERS);
    f->outcome = MINUTE_OUTCOME_GREETED;
    f->answer_ms = 60;
    f->lasts_ms = 2000;
    f->octets_up = 900;
    f->octets_down = 8000;
    f->flags = rng_real(r) < 0.9 ? FLOW_TLS : 0;
    f->messages = f->rcpt_ok = 1;
    f->recipient = (uint32_t)rng_next(r) | 1;
}

static void server_day(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    struct mail_spec s = clean_list(p, r);
    if (l->kind == KIND_greylisted)
        s.greylist = 1;
    double providers = OWN(server_providers, 0), gets = OWN(server_gets_an_hour, 1);
    for (uint32_t n = rng_poisson(r, gets * 24); n > 0; n--)
        takes_mail(p, l, r, day_ms + rng_below(r, DAY_MS));
    for (uint32_t n = rng_poisson(r, OWN(server_sends_an_hour, 2) * 10); n > 0; n--) {
        int64_t t_ms = human_time(r, day_ms);
        uint32_t to = mail_contact(l, r, providers);
        struct flow *f = mail_session(p, l, r, t_ms, to, &s);
        bool put_off = f->rcpt_4xx > 0; // later sessions may move the list `f` stands in
        bool again = put_off || f->outcome == MINUTE_OUTCOME_UNANSWERED;
        bool outage = events_out(&p->events, t_ms);
        bool failing = events_failing(&p->events, to, t_ms);
        again |= failing;
        // What was put off is tried again; after an outage the whole queue at once.
        struct mail_spec later = s;
        later.greylist = 0;
        for (int64_t wait = 300000; again && wait < 8 * HOUR_MS; wait *= 2) {
            int64_t at_ms = outage ? p->events.transit.to_ms + rng_below(r, 60000) : t_ms + wait;
            later.dead = put_off || outage || failing ? 0 : 1;
            struct flow *next = mail_session(p, l, r, at_ms, to, &later);
            again = !outage && (next->outcome == MINUTE_OUTCOME_UNANSWERED ||
                                next->outcome == MINUTE_OUTCOME_REFUSED);
        }
    }
}

static void bulk(const struct people *p, const struct line *l, int64_t t_ms, uint32_t recipients,
                 double bounce, struct rng *r)
{
    struct mail_spec s = clean_list(p, r);
    s.unknown = bounce;
    for (uint32_t i = 0; i < recipients; i++) {
        double u = rng_real(r); // half of all recipients are with a few providers
        uint32_t to = u < 0.5 ? 1 + rng_below(r, 8) : mail_contact(l, r, 600);
        mail_session(p, l, r, t_ms + rng_below(r, 600000 + recipients * 300), to, &s);
    }
}

static void repeat(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r,
                   uint32_t providers, double a_minute, uint8_t outcome)
{
    for (uint32_t n = rng_poisson(r, a_minute * 1440); n > 0; n--) {
        uint32_t to = (uint32_t)(seed_of("dead", l->seed, rng_below(r, providers)) % PROVIDERS);
        struct flow *f = flow_new(p->out, l->index, day_ms + rng_below(r, DAY_MS));
        f->role = MINUTE_MX;
        f->port = 25;
        f->provider = to;
        f->outcome = p->blocked && kind_is_household(l->kind) ? MINUTE_OUTCOME_UNANSWERED : outcome;
        // Some hosts are gone and some refuse.
        if (outcome == MINUTE_OUTCOME_UNANSWERED && providers > 1 && to % 3 == 0)
            f->outcome = MINUTE_OUTCOME_REFUSED;
        f->answer_ms = f->outcome == MINUTE_OUTCOME_UNANSWERED ? 4000 : 200;
        f->lasts_ms = f->answer_ms + 100;
        f->octets_up = 240;
    }
}

static void vpn_day(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    int64_t from_ms = human_time(r, day_ms), to_ms = from_ms + 2 * HOUR_MS;
    uint32_t id = (uint32_t)rng_next(r);
    for (int64_t t_ms = from_ms; t_ms < to_ms && t_ms < day_ms + DAY_MS; t_ms += 60000) {
        struct flow *f = client_session(p, l, r, t_ms, MINUTE_OTHER, 6000);
        f->id = id;
        f->begun_ago_ms = (uint32_t)(t_ms - from_ms);
        f->flags = FLOW_HOSTING | FLOW_LASTS | (t_ms > from_ms ? (uint32_t)FLOW_CONTINUES : 0);
        f->octets_up = 20000 + rng_below(r, 100000);
        f->octets_down = 200000 + rng_below(r, 2000000);
        f->lasts_ms = 50000;
    }
}

static void logins(const struct people *p, const struct line *l, struct rng *r, int64_t t_ms,
                   uint32_t n, uint32_t providers, uint32_t users, bool failed)
{
    for (uint32_t i = 0; i < n; i++) {
        struct flow *f = client_session(p, l, r, t_ms + (int64_t)i * (3000 + rng_below(r, 4000)),
                                        MINUTE_ACCESS, home_account(l, i % providers));
        f->flags = FLOW_LOGIN | (failed ? (uint32_t)FLOW_FAILED : 0);
        f->user = (uint32_t)l->seed + i % users + 1;
        f->lasts_ms = f->answer_ms + 800;
    }
}

static void odd_household(const struct people *p, const struct line *l, int64_t day_ms,
                          struct rng *r)
{
    switch (l->kind) {
    case KIND_stale_phone:
        for (uint32_t n = rng_poisson(r, OWN(stale_phone_a_hour, 4) * 24); n > 0; n--)
            logins(p, l, r, day_ms + rng_below(r, DAY_MS), 1, 1, 1, true);
        break;
    case KIND_device_retry:
        repeat(p, l, day_ms, r, 1, OWN(retry_a_minute, 4), MINUTE_OUTCOME_UNANSWERED);
        break;
    case KIND_monitor:
        repeat(p, l, day_ms, r, (uint32_t)OWN(probe_servers, 4), OWN(probe_a_minute, 5),
               MINUTE_OUTCOME_CLOSED_EARLY);
        break;
    case KIND_bcc_club:
        if (rng_below(r, 7) == 0)
            submit(p, l, r, human_time(r, day_ms), MINUTE_SMARTHOST, 0,
                   (uint16_t)RATE(bcc_recipients), (uint32_t)l->seed | 1);
        break;
    case KIND_office:
        for (uint32_t n = rng_poisson(r, OWN(office_users, 4) * 8); n > 0; n--) {
            uint32_t user = rng_below(r, (uint32_t)OWN(office_users, 4));
            bool reads = rng_below(r, 4) != 0;
            client_session(p, l, r, human_time(r, day_ms),
                           reads ? MINUTE_ACCESS : MINUTE_SUBMISSION, home_account(l, user % 12));
        }
        break;
    case KIND_vpn: vpn_day(p, l, day_ms, r); break;
    case KIND_zmap:
        if (rng_below(r, 3) != 0)
            break;
        int64_t from_ms = human_time(r, day_ms);
        for (uint32_t n = (uint32_t)RATE(zmap_syns), i = 0; i < n; i++) {
            struct flow *f = flow_new(p->out, l->index, from_ms + i * 20);
            bool refused = rng_below(r, 50) == 0 && !p->blocked;
            f->role = MINUTE_MX;
            f->port = 25;
            f->provider = 10000 + (uint32_t)rng_next(r) % 1000000;
            f->outcome = refused ? MINUTE_OUTCOME_REFUSED : MINUTE_OUTCOME_UNANSWERED;
            f->flags = refused ? 0 : FLOW_SCAN;
            f->answer_ms = f->lasts_ms = refused ? 100 : 4000;
            f->octets_up = 60;
        }
        break;
    case KIND_migration:
        if (rng_below(r, 5) == 0)
            logins(p, l, r, human_time(r, day_ms), (uint32_t)RATE(migration_logins), 2, 400, false);
        break;
    case KIND_password_manager:
        if (rng_below(r, 5) == 0)
            logins(p, l, r, human_time(r, day_ms), 12, 4, 3, true);
        break;
    case KIND_autodiscovery:
        if (rng_below(r, 5) == 0) {
            int64_t t_ms = human_time(r, day_ms);
            for (uint32_t i = 0; i < 8; i++) {
                struct flow *f = client_session(
                    p, l, r, t_ms + i * 2500, i % 2 ? MINUTE_SUBMISSION : MINUTE_ACCESS,
                    7000 + (uint32_t)(seed_of("guess", l->seed, i) % 500));
                if (i < 6) {
                    f->outcome = i % 3 ? MINUTE_OUTCOME_UNANSWERED : MINUTE_OUTCOME_REFUSED;
                    f->answer_ms = f->lasts_ms = i % 3 ? 4000 : 100;
                    f->flags = 0;
                }
            }
        }
        break;
    default: odd_day(p, l, day_ms, r); break;
    }
}

void innocent_day(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    if (kind_is_household(l->kind)) {
        if (l->kind != KIND_unleased)
            household_day(p, l, day_ms, r);
        odd_household(p, l, day_ms, r);
        return;
    }
    server_day(p, l, day_ms, r);
    together_server(p, l, day_ms, r);
    switch (l->kind) {
    case KIND_newsletter:
    case KIND_stale_list:
        if (rng_real(r) < OWN(newsletter_a_week, 4) / 7)
            bulk(p, l, human_time(r, day_ms), (uint32_t)OWN(newsletter_recipients, 5),
                 l->kind == KIND_stale_list ? RATE(mx_bounce_stale) : RATE(mx_bounce), r);
        break;
    case KIND_mailing_list:
        for (uint32_t n = rng_poisson(r, 10); n > 0; n--)
            bulk(p, l, human_time(r, day_ms), (uint32_t)OWN(list_recipients, 4), RATE(mx_bounce),
                 r);
        break;
    case KIND_forwarder:
        for (uint32_t n = rng_poisson(r, OWN(forwards_an_hour, 4) * 24); n > 0; n--) {
            struct mail_spec s = clean_list(p, r);
            int64_t t_ms = day_ms + rng_below(r, DAY_MS);
            takes_mail(p, l, r, t_ms);
            s.unknown = 0.05; // spam that is forwarded is refused more often
            mail_session(p, l, r, t_ms + 3000, 1 + rng_below(r, 6), &s);
        }
        break;
    case KIND_callouts:
        for (uint32_t n = rng_poisson(r, OWN(callouts_an_hour, 4) * 24); n > 0; n--) {
            struct mail_spec s = clean_list(p, r);
            s.unknown = 0.4;
            struct flow *f = mail_session(p, l, r, day_ms + rng_below(r, DAY_MS),
                                          rng_below(r, PROVIDERS), &s);
            f->messages = 0;
            f->octets_up = 800;
            f->flags |= FLOW_NULL;
        }
        break;
    case KIND_dead_queue:
        repeat(p, l, day_ms, r, (uint32_t)OWN(deadqueue_providers, 4), OWN(deadqueue_a_minute, 5),
               MINUTE_OUTCOME_UNANSWERED);
        break;
    default: odd_day(p, l, day_ms, r); break;
    }
}
