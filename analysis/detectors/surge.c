// surge: against the party's own past, hour of week by hour of week.
//
// For each hour of the local week a level of how many mail connections and recipients are usual, moved
// half an octave a week at most: one odd week changes little (a running median, Frugal, Ma et al. 2013).
// Hours in which the party was flagged, the site broken or nobody watching teach nothing. A slow rise, which
// such a level would follow, is caught by a CUSUM over days against levels that move eight times slower
// (Page 1954). What is unusual raises suspicion a little, what is usual lowers it a little; neither counts as
// a family of its own, so it never convicts. docs/detectors/surge.md.
#include "detector.h"

#include <math.h>
#include <stdio.h>

#include "calendar.h"
#include "site.h"

struct surge_conf {
    int64_t weeks, floor, limit;
    double raises, lowers;
};

extern const struct detector_descriptor detector_surge;

#define FIELD(m)     offsetof(struct surge_conf, m)
#define HOUR_MS      3600000LL
#define HOUR_S       3600
#define SLOTS        168
#define OCTAVE       16 // units of a level
#define STEP         8  // of an hour's level, at most, each week
#define DAY_STEP     1  // of a day's level
#define DAY_SLACK    8  // CUSUM: half an octave above is not yet a rise
#define DAY_ALARM    64 // four octaves in all: eight days at twice the usual
#define HOURS_ENOUGH 20 // of a day
#define GAP_HOURS    (SITE_HOURS - 1)
#define WATCHED_MIN  45 // minutes of an hour

static const struct conf_key keys[] = {
    {.name = "weeks",
     .type = CONF_INT,
     .offset = FIELD(weeks),
     .min = 1,
     .max = 12,
     .def = "3",
     .unit = "weeks",
     .help = "Weeks of the party's own past before any of this counts."},
    {.name = "floor",
     .type = CONF_INT,
     .offset = FIELD(floor),
     .min = 1,
     .max = 10000,
     .def = "10",
     .unit = "connections and recipients",
     .help = "What is usual is never taken to be less than this an hour."},
    {.name = "limit",
     .type = CONF_INT,
     .offset = FIELD(limit),
     .min = 2,
     .max = 1000,
     .def = "4",
     .unit = "times",
     .help = "So many times what is usual is a surge."},
    {.name = "raises",
     .type = CONF_REAL,
     .offset = FIELD(raises),
     .min = 0,
     .max = 2,
     .def = "1.5",
     .unit = "log-odds",
     .help = "Most that a surge may weigh."},
    {.name = "lowers",
     .type = CONF_REAL,
     .offset = FIELD(lowers),
     .min = 0,
     .max = 2,
     .def = "1",
     .unit = "log-odds",
     .help = "What being as usual takes off; nothing where evidence is conclusive."},
    {.name = NULL},
};

struct surge_state {
    uint32_t hour; // minutes since 1970 of the local hour's begin; 0: nothing seen yet
    uint32_t count;
    uint32_t first_s; // of the count, since 1970
    uint32_t day;     // minutes since 1970 of the local day's begin
    uint32_t day_count;
    uint16_t learnt; // hours
    uint16_t rise;   // CUSUM
    uint8_t day_hours;
    uint8_t day_of_week;
    bool spoilt, day_spoilt;
    uint8_t level[SLOTS]; // OCTAVE * log2(1 + count); what is not learnt yet is 0
    uint8_t known[SLOTS / 8];
    uint8_t day_level[7]; // the same of days; 0: not learnt
};

static uint8_t level_of(double count)
{
    double v = OCTAVE * log2(1 + count) + 0.5;
    return v > UINT8_MAX ? UINT8_MAX : (uint8_t)v;
}

static double count_of(uint8_t level)
{
    return exp2((double)level / OCTAVE) - 1;
}

static uint8_t move(uint8_t from, uint8_t to, uint8_t step)
{
    if (to > from)
        return (uint8_t)(to - from > step ? from + step : to);
    return (uint8_t)(from - to > step ? from - step : to);
}

static void learn_hour(struct surge_state *s, unsigned slot, uint32_t count)
{
    uint8_t seen = level_of(count);
    bool known = s->known[slot / 8] & 1u << slot % 8;
    s->level[slot] = known ? move(s->level[slot], seen, STEP) : seen;
    s->known[slot / 8] = (uint8_t)(s->known[slot / 8] | 1u << slot % 8);
    if (s->learnt < UINT16_MAX)
        s->learnt++;
    s->day_hours++;
    s->day_count += count;
}

// A day is over: does it carry on a rise?
static void learn_day(struct surge_state *s, const struct surge_conf *c)
{
    if (s->day_hours >= HOURS_ENOUGH && !s->day_spoilt) {
        uint8_t seen = level_of(s->day_count), *level = &s->day_level[s->day_of_week];
        uint8_t least = level_of(2 * (double)c->floor);
        uint8_t usual = *level > least ? *level : least;
        // One day may be as odd as it likes: it adds half an octave at most.
        int above = seen - usual > OCTAVE ? OCTAVE : seen - usual;
        int rise = *level == 0 ? 0 : s->rise + above - DAY_SLACK;
        // What has been so for weeks is how things are: then the level follows sooner.
        uint8_t step = rise >= 2 * DAY_ALARM ? STEP : DAY_STEP;
        s->rise = (uint16_t)(rise < 0 ? 0 : rise > 2 * DAY_ALARM ? 2 * DAY_ALARM : rise);
        *level = *level == 0 ? (seen > 0 ? seen : 1) : move(*level, seen, step);
    }
    s->day_hours = 0;
    s->day_count = 0;
    s->day_spoilt = false;
}

static void turn_day(struct surge_state *s, const struct surge_conf *c, struct calendar *calendar,
                     int64_t hour_ms)
{
    uint32_t day = (uint32_t)(calendar_day_ms(calendar, hour_ms) / 60000);
    if (day == s->day)
        return;
    if (s->day != 0)
        learn_day(s, c);
    s->day = day;
    s->day_of_week = (uint8_t)(calendar_hour_of_week(calendar, hour_ms) / 24);
}

// The hour that was counted is over, and so are those in which the party was silent.
static void turn_hour(struct surge_state *s, const struct detector_ctx *ctx, int64_t to_ms)
{
    const struct surge_conf *c = ctx->conf;
    int64_t hour_ms = (int64_t)s->hour * 60000;
    if (to_ms - hour_ms > GAP_HOURS * HOUR_MS) // too long ago to know who watched
        hour_ms = to_ms;
    for (bool counted = true; hour_ms < to_ms; counted = false) {
        turn_day(s, c, ctx->calendar, hour_ms);
        bool good = counted ? !s->spoilt && !ctx->flagged
                            : !ctx->flagged && site_hour_minutes(ctx->site, hour_ms) >= WATCHED_MIN;
        if (good)
            learn_hour(s, calendar_hour_of_week(ctx->calendar, hour_ms), counted ? s->count : 0);
        else
            s->day_spoilt = true;
        hour_ms = calendar_hour_ms(ctx->calendar, hour_ms + HOUR_MS);
    }
    s->hour = (uint32_t)(to_ms / 60000);
    s->count = s->first_s = 0;
    s->spoilt = false;
    turn_day(s, c, ctx->calendar, to_ms);
}

static uint64_t activity(const struct minute_row *r)
{
    static const uint8_t roles[] = {MINUTE_SMARTHOST, MINUTE_MX, MINUTE_SUBMISSION};
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof roles; i++)
        sum += r->counter[roles[i]][MINUTE_OUT][MINUTE_connections] +
               r->counter[roles[i]][MINUTE_OUT][MINUTE_rcpt_ok];
    return sum;
}

static void observe(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx)
{
    (void)w;
    (void)contacts;
    struct surge_state *s = state;
    int64_t row_ms = r->minute * 60000, hour_ms = calendar_hour_ms(ctx->calendar, row_ms);
    if (hour_ms < (int64_t)s->hour * 60000 || hour_ms < 0 || hour_ms / 60000 >= UINT32_MAX)
        return; // an amendment of an hour that was learnt
    if (s->hour == 0) {
        s->hour = (uint32_t)(hour_ms / 60000);
        s->spoilt = true; // its begin was not seen
        turn_day(s, ctx->conf, ctx->calendar, hour_ms);
        s->day_spoilt = true;
    } else if (hour_ms > (int64_t)s->hour * 60000) {
        turn_hour(s, ctx, hour_ms);
    }
    uint64_t n = activity(r);
    if (n > 0 && s->count == 0)
        s->first_s = (uint32_t)(row_ms / 1000);
    s->count += n > 1000000 ? 1000000 : (uint32_t)n;
    s->spoilt |= ctx->flagged || ctx->site_failing || (r->flags & MINUTE_UNOBSERVED) != 0;
}

// What is usual around this hour: the neighbours' word counts too, people are not that punctual.
static double usual(const struct surge_state *s, unsigned slot)
{
    uint8_t most = 0;
    for (unsigned k = SLOTS - 1; k <= SLOTS + 1; k++) {
        uint8_t level = s->level[(slot + k) % SLOTS];
        most = level > most ? level : most;
    }
    return count_of(most);
}

static size_t evaluate(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX])
{
    static const enum feature counted[] = {FEATURE_MX_CONNECTIONS, FEATURE_OWN_RCPT_OK,
                                           FEATURE_OTHER_RCPT_OK};
    const struct surge_conf *c = ctx->conf;
    const struct surge_state *s = state;
    int64_t hour_ms = (int64_t)s->hour * 60000;
    if (s->learnt < c->weeks * SLOTS * 4 / 5 || s->count == 0)
        return 0;
    double own = usual(s, calendar_hour_of_week(ctx->calendar, hour_ms));
    double base = own > (double)c->floor ? own : (double)c->floor, times = s->count / base;
    double weight = 0, limit = (double)c->limit * base;
    if (times > (double)c->limit) {
        weight = detector_excess(times, (double)c->limit, c->raises / 2, c->raises / 2, c->raises);
    } else if (s->rise >= DAY_ALARM) {
        weight = c->raises / 2;
    } else if (own >= (double)c->floor && times <= 1.5) {
        weight = -c->lowers;
    }
    if (weight == 0)
        return 0;
    bool rises = weight > 0 && times <= (double)c->limit;
    struct detector_finding f = detector_finding_of(&detector_surge, s->count, limit,
                                                    "connections and recipients", HOUR_S, weight);
    f.supports = DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT) |
                 DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST) |
                 DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT);
    // The count knows the minute; the window knows when in it.
    int64_t from_ms = (int64_t)s->first_s * 1000;
    int64_t first_ms = detector_first(w, counted, 3, ctx->now_ms, HOUR_S);
    f.evidence.first_ms = first_ms > from_ms ? first_ms : from_ms;
    f.evidence.last_ms = detector_last(w, counted, 3, ctx->now_ms, HOUR_S);
    if (rises)
        snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
                 "Its days have been busier than they used to be, and ever more so: %.1f doublings "
                 "over what is usual, added up; %d are a slow rise.",
                 (double)s->rise / OCTAVE, DAY_ALARM / OCTAVE);
    else
        snprintf(f.evidence.sentence, sizeof f.evidence.sentence,
                 "%u connections and recipients this hour; usual for this hour of its week are "
                 "%.0f, and more than %.0f would be a surge.",
                 s->count, own, limit);
    out[0] = f;
    return 1;
}

const struct detector_descriptor detector_surge = {
    .name = "surge",
    .section = "surge",
    .help = "More than is usual for this party at this hour of its week, or as usual.",
    .family = VERDICT_FAMILY_BASELINE,
    .needs = DETECTOR_UNSAMPLED,
    .raw = DETECTOR_RAW_PAST,
    .keys = keys,
    .conf_size = sizeof(struct surge_conf),
    .state_size = sizeof(struct surge_state),
    .observe = observe,
    .evaluate = evaluate,
};
