// What many lines do at once: a patch day, a large provider's failure, a school's morning (people.h).
#include "common/minute.h"
#include "people.h"

#define OWN(key, i) \
    (p->rates->low[RATE_##key] + (p->rates->high[RATE_##key] - p->rates->low[RATE_##key]) * l->r[i])
#define DELIVERY    6100 // the first of four networks that updates come from
#define SCHOOLS     41   // the first of three providers that schools use
#define PATIENCE_MS 240000

static bool is_school_day(int64_t day_ms)
{
    int64_t weekday = ((day_ms + 2 * HOUR_MS) / DAY_MS + 4) % 7; // 1970 began on a Thursday
    return weekday != 0 && weekday != 6;
}

// A long flow from a delivery network, others beside it, and a boot: then every program asks at once.
static void patches(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    int64_t from_ms = human_time(r, day_ms), t_ms = from_ms;
    int64_t to_ms = from_ms + (int64_t)(rate_draw(p->rates, RATE_patch_minutes, r) * 60000);
    uint32_t network = DELIVERY + rng_below(r, 4), id = (uint32_t)rng_next(r) | 1;
    for (; t_ms < to_ms && t_ms < day_ms + DAY_MS; t_ms += 60000) {
        struct flow *f = client_session(p, l, r, t_ms, MINUTE_OTHER, network);
        if (f->outcome == MINUTE_OUTCOME_UNANSWERED)
            continue;
        f->id = id;
        f->begun_ago_ms = (uint32_t)(t_ms - from_ms);
        f->flags = FLOW_HOSTING | FLOW_LASTS | (t_ms > from_ms ? (uint32_t)FLOW_CONTINUES : 0);
        f->octets_up = 20000 + rng_below(r, 40000);
        f->octets_down = 5000000 + rng_below(r, 50000000);
        f->lasts_ms = 50000;
    }
    for (uint32_t n = 5 + rng_below(r, 20); n > 0; n--)
        client_session(p, l, r, from_ms + rng_below(r, (uint32_t)(to_ms - from_ms)), MINUTE_OTHER,
                       100 + rng_below(r, 2000));
    for (uint32_t n = 1 + rng_below(r, 4); n > 0; n--)
        client_session(p, l, r, t_ms + 180000 + rng_below(r, 60000), MINUTE_ACCESS,
                       home_account(l, n - 1));
}

// Mail programs that are open ask again and again.
static void asks_again(const struct people *p, const struct line *l, struct rng *r)
{
    uint32_t user = (uint32_t)l->seed | 1;
    for (uint32_t i = 0; i < 4; i++) {
        if (home_account(l, i) != p->events.provider_down)
            continue;
        for (int64_t t_ms = p->events.provider.from_ms; t_ms < p->events.provider.to_ms;
             t_ms += 60000 + rng_below(r, PATIENCE_MS)) {
            uint8_t role = rng_below(r, 6) ? MINUTE_ACCESS : MINUTE_SUBMISSION;
            client_session(p, l, r, t_ms, role, p->events.provider_down)->user = user;
        }
    }
}

// One who opens his mail in the quarter of an hour about eight, sometimes with the wrong password.
static void opens(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r,
                  uint32_t user)
{
    int64_t t_ms = day_ms + 465 * 60000 + rng_below(r, 1800000);
    uint8_t role = rng_below(r, 8) ? MINUTE_ACCESS : MINUTE_SUBMISSION;
    for (uint32_t again = rng_below(r, 50) ? 1 : 3; again > 0; again--, t_ms += 15000) {
        struct flow *f = client_session(p, l, r, t_ms, role, SCHOOLS + l->index % 3);
        if (again > 1 && f->outcome == MINUTE_OUTCOME_GREETED) {
            f->flags = FLOW_LOGIN | FLOW_FAILED;
            f->user = user;
        }
    }
}

void together_home(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    if (p->events.patch && l->r[6] < rate_draw(p->rates, RATE_patch_share, r))
        patches(p, l, day_ms, r);
    if (p->events.provider.to_ms != 0 && l->r[7] < 0.3)
        asks_again(p, l, r);
    if (is_school_day(day_ms) && l->r[5] < rate_draw(p->rates, RATE_home_pupil, r))
        opens(p, l, day_ms, r, (uint32_t)l->seed + 7);
}

// A server that is patched is away for minutes; then its queue goes out at once, and what waited for it comes in.
void together_server(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    if (!p->events.patch || l->r[6] >= rate_draw(p->rates, RATE_patch_share, r))
        return;
    struct mail_spec s = clean_list(p, r);
    int64_t t_ms = human_time(r, day_ms);
    for (uint32_t n = rng_poisson(r, OWN(server_sends_an_hour, 2)); n > 0; n--)
        mail_session(p, l, r, t_ms + rng_below(r, 60000),
                     (uint32_t)(seed_of("contact", l->seed, rng_below(r, 200)) % 5000), &s);
    for (uint32_t n = rng_poisson(r, OWN(server_gets_an_hour, 1)); n > 0; n--)
        takes_mail(p, l, r, t_ms + rng_below(r, 600000));
}

void together_school(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r)
{
    if (!is_school_day(day_ms))
        return;
    uint32_t users = (uint32_t)OWN(school_users, 4);
    for (uint32_t i = 0; i < users; i++) {
        if (rng_below(r, 10) < 7)
            opens(p, l, day_ms, r, (uint32_t)l->seed + i + 1);
        for (uint32_t n = rng_below(r, 3); n > 0; n--)
            client_session(p, l, r, day_ms + 9 * HOUR_MS + rng_below(r, 6 * 3600000), MINUTE_ACCESS,
                           home_account(l, i % 12));
    }
}
