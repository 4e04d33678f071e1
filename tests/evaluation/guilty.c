// What the guilty do, by class (people.h). A line draws its list's quality and its program's habits once.
#include "common/minute.h"
#include "people.h"

#define OWN(key, i) \
    (p->rates->low[RATE_##key] + (p->rates->high[RATE_##key] - p->rates->low[RATE_##key]) * l->r[i])
#define LIST 100000 // providers a bought list reaches

struct stretch {
    int64_t from_ms, to_ms;
};

static struct stretch today(const struct line *l, int64_t day_ms)
{
    struct stretch s = {l->from_ms > day_ms ? l->from_ms : day_ms, day_ms + DAY_MS};
    if (l->to_ms < s.to_ms)
        s.to_ms = l->to_ms;
    return s;
}

// Half of a list lives with few large providers.
static uint32_t victim(struct rng *r)
{
    return rng_below(r, 2) ? 1 + rng_below(r, 12) : 100 + rng_below(r, LIST);
}

static struct mail_spec bot(const struct people *p, const struct line *l)
{
    static const uint32_t quirks[] = {FLOW_EARLY, FLOW_PIPELINE, FLOW_LITERAL, FLOW_NO_QUIT};
    struct rng r = {l->seed ^ 77};
    struct mail_spec s = {.dead = OWN(bot_dead, 0),
                          .refused = OWN(bot_refused, 1),
                          .turned_away = OWN(bot_turned_away, 2),
                          .unknown = OWN(bot_unknown_rcpt, 3),
                          .listed = OWN(bot_listed, 4),
                          .tls_empty = OWN(bot_tls_empty, 3),
                          .greylist = 0.1,
                          .recipients = 1};
    for (size_t i = 0; i < sizeof quirks / sizeof quirks[0]; i++) {
        if (rng_real(&r) < OWN(bot_quirk, 5) / 2)
            s.quirks |= quirks[i];
    }
    return s;
}

static void spread(const struct people *p, const struct line *l, struct stretch s, double an_hour,
                   struct mail_spec spec, bool blocked, uint32_t providers, struct rng *r)
{
    bool resets = l->r[7] < 0.3; // some blocks answer by a reset
    double mean = an_hour * (double)(s.to_ms - s.from_ms) / (double)HOUR_MS;
    for (uint32_t n = rng_poisson(r, mean); n > 0; n--) {
        int64_t t_ms = s.from_ms + (int64_t)(rng_real(r) * (double)(s.to_ms - s.from_ms));
        uint32_t to = providers
                          ? (uint32_t)(seed_of("few", l->seed, rng_below(r, providers)) % LIST)
                          : victim(r);
        if (blocked) {
            spec.dead = resets ? 0 : 1;
            spec.refused = resets ? 1 : 0;
        }
        // A dead destination is dead for all who try it: by its number.
        struct rng fate = {seed_of("fate", to, 1)};
        struct mail_spec one = spec;
        if (!blocked && to >= 100) {
            one.dead = rng_real(&fate) < spec.dead ? 1 : 0;
            one.refused = one.dead > 0 ? 0 : rng_real(&fate) < spec.refused ? 1 : 0;
        } else if (!blocked) {
            one.dead = one.refused = 0; // the large ones always answer
        }
        mail_session(p, l, r, t_ms, to, &one);
    }
}

static struct flow *plain_flow(const struct people *p, const struct line *l, int64_t t_ms,
                               uint8_t role, uint8_t direction, uint16_t port, uint32_t provider)
{
    struct flow *f = flow_new(p->out, l->index, t_ms);
    f->role = role;
    f->direction = direction;
    f->port = port;
    f->provider = provider;
    f->outcome = MINUTE_OUTCOME_GREETED;
    f->answer_ms = 150;
    f->lasts_ms = 3000;
    f->octets_up = 1500;
    f->octets_down = 1500;
    return f;
}

// How many happen in the span, and when one does.
static uint32_t events(struct rng *r, struct stretch s, double an_hour)
{
    return rng_poisson(r, an_hour * (double)(s.to_ms - s.from_ms) / (double)HOUR_MS);
}

static int64_t when(struct rng *r, struct stretch s)
{
    return s.from_ms + (int64_t)(rng_real(r) * (double)(s.to_ms - s.from_ms));
}

static void own_smarthost(const struct people *p, const struct line *l, struct stretch s,
                          struct rng *r)
{
    uint32_t user = (uint32_t)l->seed | 1;
    for (uint32_t n = events(r, s, OWN(smarthost_a_minute, 0) * 60); n > 0; n--) {
        struct flow *f = plain_flow(p, l, when(r, s), MINUTE_SMARTHOST, MINUTE_OUT, 587, 0);
        bool refused = rng_real(r) <
                       OWN(bot_unknown_rcpt, 1) / 2; // a smarthost takes more than it should
        f->flags = FLOW_LOG | FLOW_LOGIN;
        f->user = user;
        f->sender = (uint32_t)rng_next(r) % 200 + 1;
        f->recipient = (uint32_t)rng_next(r) | 1;
        f->rcpt_ok = !refused;
        f->rcpt_5xx = refused;
        f->messages = !refused;
        f->octets_up = 4000;
    }
}

static void stolen_account(const struct people *p, const struct line *l, struct stretch s,
                           struct rng *r)
{
    double networks = OWN(account_networks, 0);
    for (uint32_t n = events(r, s, OWN(account_recipients, 1) / 2); n > 0; n--) {
        uint32_t network = rng_below(r, (uint32_t)networks);
        struct flow *f = plain_flow(p, l, when(r, s), MINUTE_SMARTHOST, MINUTE_OUT, 587,
                                    8000 + network);
        f->country = (uint8_t)(1 + network % 20);
        f->flags = FLOW_LOG | FLOW_LOGIN;
        f->user = (uint32_t)l->seed | 1;
        f->sender = f->user;
        f->recipient = (uint32_t)rng_next(r) | 1;
        f->rcpt_ok = 2;
        f->messages = 1;
    }
}

static void socks(const struct people *p, const struct line *l, struct stretch s, struct rng *r)
{
    struct mail_spec spec = bot(p, l);
    spec.quirks = 0;
    spec.tls = 0.5;
    for (uint32_t n = events(r, s, OWN(socks_an_hour, 6)); n > 0; n--) {
        int64_t t_ms = when(r, s);
        struct flow *in = plain_flow(p, l, t_ms, MINUTE_OTHER, MINUTE_IN, 1080,
                                     9000 + rng_below(r, 50));
        uint32_t relay = (uint32_t)rng_next(r) | 1;
        in->relay = relay;
        in->flags = FLOW_SOCKS;
        in->lasts_ms = 8000;
        size_t at = p->out->count - 1;
        struct flow *out = mail_session(p, l, r, t_ms + 300, victim(r), &spec);
        out->relay = relay;
        in = &p->out->item[at]; // the list may have moved
        if (out->outcome == MINUTE_OUTCOME_UNANSWERED || out->outcome == MINUTE_OUTCOME_REFUSED)
            in->flags = 0; // the relay says that it could not
        in->octets_down = out->octets_up + 200;
        in->octets_up = out->octets_down + 200;
    }
}

static void backconnect(const struct people *p, const struct line *l, struct stretch s,
                        struct rng *r)
{
    uint32_t id = (uint32_t)l->seed;
    double a_minute = OWN(back_an_hour, 0) / 60;
    for (int64_t t_ms = s.from_ms; t_ms < s.to_ms; t_ms += 60000) {
        size_t at = p->out->count;
        struct flow *t = plain_flow(p, l, t_ms, MINUTE_OTHER, MINUTE_OUT, 443, 6001);
        t->id = id;
        t->begun_ago_ms = (uint32_t)(t_ms - l->from_ms);
        t->flags = FLOW_HOSTING | FLOW_LASTS | (t_ms > l->from_ms ? (uint32_t)FLOW_CONTINUES : 0);
        t->lasts_ms = 50000;
        uint32_t up = 0, down = 0;
        for (uint32_t n = rng_poisson(r, a_minute); n > 0; n--) {
            struct flow *f = plain_flow(p, l, t_ms + rng_below(r, 50000), MINUTE_OTHER, MINUTE_OUT,
                                        443, 20000 + rng_below(r, 5000));
            f->octets_up = 500 + rng_below(r, 3000);
            f->octets_down = 5000 + rng_below(r, 60000);
            up += f->octets_down;
            down += f->octets_up;
        }
        t = &p->out->item[at];
        t->octets_up = up + up / 20 + 300;
        t->octets_down = down + down / 20 + 300;
    }
}

static void guesses(const struct people *p, const struct line *l, struct stretch s, struct rng *r)
{
    bool readable = l->kind == KIND_guesser;
    for (uint32_t n = events(r, s, OWN(guess_an_hour, 0)); n > 0; n--) {
        uint32_t to = 100 + rng_below(r, 3000);
        struct rng fate = {seed_of("login", to, 0)};
        uint8_t role = rng_below(r, 2) ? MINUTE_SUBMISSION : MINUTE_ACCESS;
        struct flow *f = plain_flow(p, l, when(r, s), role, MINUTE_OUT,
                                    role == MINUTE_ACCESS ? 143 : 587, to);
        if (rng_real(&fate) < OWN(guess_dead, 1)) {
            f->outcome = MINUTE_OUTCOME_UNANSWERED;
            f->answer_ms = f->lasts_ms = 4000;
            f->octets_down = 0;
            continue;
        }
        f->flags = readable ? FLOW_LOGIN | FLOW_FAILED : FLOW_TLS;
        f->user = readable ? (uint32_t)rng_next(r) | 1 : 0;
        f->octets_up = 900;
    }
}

static void inbound_mail(const struct people *p, const struct line *l, int64_t t_ms,
                         uint32_t recipient, struct rng *r)
{
    struct flow *f = plain_flow(p, l, t_ms, MINUTE_MX, MINUTE_IN, 25, rng_below(r, 3000));
    f->rcpt_ok = f->messages = 1;
    f->recipient = recipient;
    f->octets_down = 6000;
}

static void relays(const struct people *p, const struct line *l, struct stretch s, struct rng *r)
{
    struct mail_spec spec = {.dead = 0.05, .unknown = OWN(bot_unknown_rcpt, 1), .recipients = 1};
    bool bounces = l->kind == KIND_backscatter;
    double an_hour = bounces ? OWN(bounce_an_hour, 0) : OWN(openrelay_an_hour, 0);
    if (bounces) {
        spec.unknown = 0.4;
        spec.quirks = FLOW_NULL;
    }
    for (uint32_t n = events(r, s, an_hour); n > 0; n--) {
        int64_t t_ms = when(r, s);
        uint32_t recipient = (uint32_t)rng_next(r) | 1;
        inbound_mail(p, l, t_ms, recipient, r);
        struct flow *f = mail_session(p, l, r, t_ms + 3500, victim(r), &spec);
        f->recipient = bounces ? recipient ^ 0x10000 : recipient;
    }
}

static void harvest(const struct people *p, const struct line *l, struct stretch s, struct rng *r)
{
    struct mail_spec spec = {.dead = 0.05, .unknown = 0.9, .recipients = 5};
    for (uint32_t n = events(r, s, OWN(harvest_an_hour, 0)); n > 0; n--) {
        struct flow *f = mail_session(p, l, r, when(r, s), 1 + rng_below(r, 40), &spec);
        f->messages = 0;
        f->flags |= f->rcpt_5xx ? (uint32_t)FLOW_NO_DATA : 0;
    }
}

void guilty_minutes(const struct people *p, const struct line *l, int64_t from_ms, int64_t to_ms,
                    struct rng *r)
{
    spread(p, l, (struct stretch){from_ms, to_ms}, OWN(fast_a_minute, 6) * 60, bot(p, l), false, 0,
           r);
}

void guilty_day(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    struct stretch s = today(l, day_ms);
    struct mail_spec spec = bot(p, l);
    size_t first = p->out->count;
    bool tls = l->kind == KIND_fast_tls || l->kind == KIND_slow_tls;
    spec.tls = tls ? 1 : l->kind == KIND_crafty ? 0.5 : 0;
    if (tls)
        spec.quirks = 0; // a program that can speak TLS speaks well
    switch (l->kind) {
    case KIND_fast_plain:
    case KIND_fast_tls:
    case KIND_fast_blocked:
        spread(p, l, s, OWN(fast_a_minute, 6) * 60, spec, l->kind == KIND_fast_blocked, 0, r);
        break;
    case KIND_slow_plain:
    case KIND_slow_tls:
    case KIND_slow_blocked:
        spread(p, l, s, OWN(slow_an_hour, 6), spec, l->kind == KIND_slow_blocked, 0, r);
        break;
    case KIND_crafty: // a list that was cleaned, few providers, no habits
        spec.quirks = 0;
        spec.dead /= 4;
        spec.unknown /= 4;
        spec.turned_away /= 4;
        spread(p, l, s, OWN(crafty_an_hour, 6), spec, false, (uint32_t)OWN(crafty_providers, 7), r);
        break;
    case KIND_smarthost: own_smarthost(p, l, s, r); break;
    case KIND_account: stolen_account(p, l, s, r); break;
    case KIND_socks: socks(p, l, s, r); break;
    case KIND_backconnect: backconnect(p, l, s, r); break;
    case KIND_guesser:
    case KIND_guesser_tls: guesses(p, l, s, r); break;
    case KIND_backscatter:
    case KIND_open_relay: relays(p, l, s, r); break;
    case KIND_harvester: harvest(p, l, s, r); break;
    case KIND_real:
    case KIND_real_blocked:
        real_play(&p->real->item[l->real], l->index, l->from_ms, s.from_ms, s.to_ms, p->out);
        break;
    default: break;
    }
    for (size_t i = first; i < p->out->count; i++)
        p->out->item[i].flags |= FLOW_GUILTY;
}
