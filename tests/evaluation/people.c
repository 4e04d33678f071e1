// Lines: what they are and what all of them share. See people.h.
#include "people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/minute.h"
#include "common/verdict.h"

static const struct {
    const char *name, *text;
    int expected;
    unsigned frequency;
    bool household;
} kinds[KIND_N] = {
#define X(name, frequency, household, text) {#name, text, -1, frequency, household},
    INNOCENTS(X)
#undef X
#define X(name, text, expected) {#name, text, expected, 0, true},
        GUILTIES(X)
#undef X
};

const char *kind_name(unsigned kind)
{
    return kinds[kind].name;
}

const char *kind_text(unsigned kind)
{
    return kinds[kind].text;
}

int kind_expected(unsigned kind)
{
    return kinds[kind].expected;
}

unsigned kind_frequency(unsigned kind)
{
    return kinds[kind].frequency;
}

bool kind_is_household(unsigned kind)
{
    return kinds[kind].household;
}

bool kind_is_blocked(unsigned kind)
{
    return kind == KIND_fast_blocked || kind == KIND_slow_blocked || kind == KIND_real_blocked;
}

struct flow *flow_new(struct flows *f, uint32_t line, int64_t t_ms)
{
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 65536;
        struct flow *item = realloc(f->item, cap * sizeof *item);
        if (!item) {
            fprintf(stderr, "evaluate: out of memory\n");
            exit(1);
        }
        f->item = item;
        f->cap = cap;
    }
    struct flow *n = &f->item[f->count++];
    *n = (struct flow){.t_ms = t_ms, .line = line};
    return n;
}

int64_t human_time(struct rng *r, int64_t day_ms)
{
    static const uint8_t awake[24] = {2, 1, 1, 0, 0, 1, 3,  6,  8, 9, 8, 7,
                                      7, 7, 7, 8, 8, 9, 10, 10, 9, 8, 6, 4};
    uint32_t hour;
    do
        hour = rng_below(r, 24);
    while (rng_below(r, 10) >= awake[hour]);
    return day_ms + hour * HOUR_MS + rng_below(r, (uint32_t)HOUR_MS);
}

struct flow *mail_session(const struct people *p, const struct line *l, struct rng *r, int64_t t_ms,
                          uint32_t provider, const struct mail_spec *s)
{
    struct flow *f = flow_new(p->out, l->index, t_ms);
    f->role = MINUTE_MX;
    f->port = 25;
    f->provider = provider;
    bool outage = events_out(&p->events, t_ms);
    double dice = rng_real(r);
    f->lasts_ms = 4000;
    f->answer_ms = 4000;
    f->octets_up = 240;
    // A block is behind the tap: it looks like silence. Business lines are let through.
    bool dropped = p->blocked && kind_is_household(l->kind) && l->kind < KIND_GUILTY;
    dropped |= events_block(&p->events, t_ms) && kind_is_household(l->kind);
    bool failing = events_failing(&p->events, provider, t_ms);
    if (outage || dropped || dice < s->dead || (failing && !p->events.provider_refuses)) {
        f->outcome = MINUTE_OUTCOME_UNANSWERED;
        return f;
    }
    f->answer_ms = 20 + (int32_t)rng_below(r, 200);
    f->lasts_ms = f->answer_ms;
    f->octets_down = 60;
    if (failing || dice < s->dead + s->refused) {
        f->outcome = MINUTE_OUTCOME_REFUSED;
        return f;
    }
    f->answer_ms += 50 + (int32_t)rng_below(r, 1500);
    f->lasts_ms = f->answer_ms + 500 + (int32_t)rng_below(r, 4000);
    f->octets_down = 900;
    f->octets_up = 600;
    if (dice < s->dead + s->refused + s->turned_away) {
        f->outcome = MINUTE_OUTCOME_TURNED_AWAY;
        f->flags |= s->quirks & FLOW_NO_QUIT;
        if (rng_real(r) < s->listed)
            f->flags |= FLOW_LISTED;
        return f;
    }
    f->outcome = MINUTE_OUTCOME_GREETED;
    f->flags |= s->quirks;
    uint16_t recipients = s->recipients ? s->recipients : 1;
    bool later = rng_real(r) < s->greylist;
    for (uint16_t i = 0; i < recipients; i++) {
        if (rng_real(r) < s->unknown)
            f->rcpt_5xx++;
        else if (later)
            f->rcpt_4xx++;
        else
            f->rcpt_ok++;
    }
    f->messages = f->rcpt_ok > 0;
    f->recipient = (uint32_t)rng_next(r) | 1;
    if (f->rcpt_5xx > 0 && f->rcpt_ok == 0)
        f->flags |= FLOW_NO_DATA;
    if (f->rcpt_5xx > 0 && rng_real(r) < s->listed)
        f->flags |= FLOW_LISTED;
    if (rng_real(r) < s->tls && !(s->quirks & FLOW_UNASKED)) {
        f->flags |= FLOW_TLS;
        if (rng_real(r) < s->tls_empty) {
            f->messages = f->rcpt_ok = 0;
        }
    }
    f->octets_up += f->messages ? 3000 + rng_below(r, 30000) : f->flags & FLOW_TLS ? 600 : 0;
    return f;
}

struct line line_make(const struct people *p, uint8_t kind, uint32_t index, uint64_t seed,
                      int64_t begin_ms, int64_t end_ms)
{
    struct line l = {.index = index, .kind = kind, .seed = seed, .from_ms = INT64_MAX};
    struct rng r = {seed};
    for (size_t i = 0; i < sizeof l.r / sizeof l.r[0]; i++)
        l.r[i] = rng_real(&r);
    if (kind < KIND_GUILTY)
        return l;
    l.past = rng_below(&r, 2) == 0;
    // At least a day of each attack can be seen, unless it is shorter by itself.
    int64_t span = end_ms - begin_ms - DAY_MS;
    l.from_ms = begin_ms + (int64_t)(rng_real(&r) * (double)(span > HOUR_MS ? span : HOUR_MS));
    l.to_ms = end_ms;
    bool campaign = kind == KIND_fast_plain || kind == KIND_fast_tls || kind == KIND_fast_blocked;
    if (campaign)
        l.to_ms = l.from_ms + (int64_t)(rate_draw(p->rates, RATE_bot_hours, &r) * (double)HOUR_MS);
    return l;
}

void line_day(const struct people *p, const struct line *l, int64_t day_ms)
{
    struct rng r = {seed_of("day", l->seed, (uint64_t)day_ms)};
    if (l->kind < KIND_GUILTY) {
        innocent_day(p, l, day_ms, &r);
        return;
    }
    if (l->kind != KIND_account && (l->past || day_ms + DAY_MS > l->from_ms))
        household_day(p, l, day_ms, &r);
    if (l->from_ms < day_ms + DAY_MS && l->to_ms > day_ms)
        guilty_day(p, l, day_ms, &r);
}
