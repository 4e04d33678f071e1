// The rings of counts. See feature.h.
#include "feature.h"

#include <string.h>

#define MINUTE_MS 60000
#define HOUR_MS   3600000
#define DAY_S     86400

struct source {
    uint8_t kind;
    uint8_t roles;
    uint8_t direction;
    uint8_t first, second;
};

// A field stands in one of three enums; which one, its kind says.
#define FIELD_COUNTER(name)  MINUTE_##name
#define FIELD_GAUGE(name)    MINUTE_##name
#define FIELD_SET(name)      MINUTE_##name
#define FIELD_COMPUTED(name) 0

static const struct source sources[FEATURE_N] = {
#define X(name, kind_, roles_, direction_, first_, second_) \
    [FEATURE_##name] = {.kind = FEATURE_##kind_,            \
                        .roles = (roles_),                  \
                        .direction = (direction_),          \
                        .first = FIELD_##kind_(first_),     \
                        .second = FIELD_##kind_(second_)},
    FEATURES(X)
#undef X
};

static uint64_t counter_of(const struct source *s, const struct minute_row *r)
{
    uint64_t sum = 0;
    for (unsigned role = 0; role < MINUTE_ROLES; role++) {
        if (!(s->roles & 1u << role))
            continue;
        sum += r->counter[role][s->direction][s->first];
        if (s->second != s->first)
            sum += r->counter[role][s->direction][s->second];
    }
    return sum;
}

// A ring as its arrays, whichever it is.
struct ring {
    const uint32_t *start;
    const uint16_t *count;
    const uint8_t *first; // NULL: not kept
    uint32_t n, step;     // buckets, and minutes of one
    unsigned from, width; // features held
    unsigned timed;       // of these, with `first`
};

static struct ring minutes_of(const struct feature_rings *f)
{
    return (struct ring){
        f->minute_start, f->minute[0], NULL, FEATURE_MINUTES, 1, 0, FEATURE_MINUTE_N, 0};
}

static struct ring fives_of(const struct feature_rings *f)
{
    return (struct ring){f->five_start, f->five[0],     f->five_first[0], FEATURE_FIVES, 5, 0,
                         FEATURE_N,     FEATURE_TIMED_N};
}

static struct ring hours_of(const struct feature_rings *f)
{
    return (struct ring){f->hour_start,     f->hour[0],     f->hour_first[0], FEATURE_HOURS, 60,
                         FEATURE_HOUR_FROM, FEATURE_HOUR_N, FEATURE_HOUR_N};
}

static bool holds(const struct ring *r, enum feature feature)
{
    return feature >= r->from && feature < r->from + r->width;
}

static bool is_timed(const struct ring *r, enum feature feature)
{
    return feature - r->from < r->timed;
}

// Makes room for the bucket of that minute. False: too late, its place belongs to newer time.
static bool turn_to(uint32_t *start, uint16_t *count, const struct ring *r, uint32_t minute)
{
    uint32_t bucket = minute / r->step + 1, place = bucket % r->n;
    if (start[place] > bucket)
        return false;
    if (start[place] < bucket) {
        memset(count + (size_t)place * r->width, 0, r->width * sizeof count[0]);
        start[place] = bucket;
    }
    return true;
}

static void put(uint32_t *start, uint16_t *count, uint8_t *first, const struct ring *r,
                enum feature feature, int64_t t_ms, uint64_t value)
{
    uint32_t minute = (uint32_t)(t_ms / MINUTE_MS);
    if (!holds(r, feature) || !turn_to(start, count, r, minute))
        return;
    size_t at = (size_t)((minute / r->step + 1) % r->n) * r->width + feature - r->from;
    uint64_t old = count[at];
    uint64_t sum = feature_is_set(feature) ? (value > old ? value : old) : old + value;
    count[at] = sum > UINT16_MAX ? UINT16_MAX : (uint16_t)sum;
    if (!is_timed(r, feature))
        return;
    first += (size_t)((minute / r->step + 1) % r->n) * r->timed + feature - r->from;
    int64_t length_ms = (int64_t)r->step * MINUTE_MS;
    uint8_t offset = (uint8_t)(t_ms % length_ms * 256 / length_ms);
    if (old == 0 || offset < *first)
        *first = offset;
}

void feature_add(struct feature_rings *f, int64_t t_ms, enum feature feature, uint64_t value)
{
    if (value == 0 || t_ms < 0 || t_ms / MINUTE_MS >= UINT32_MAX)
        return;
    struct ring minutes = minutes_of(f), fives = fives_of(f), hours = hours_of(f);
    put(f->minute_start, f->minute[0], NULL, &minutes, feature, t_ms, value);
    put(f->five_start, f->five[0], f->five_first[0], &fives, feature, t_ms, value);
    put(f->hour_start, f->hour[0], f->hour_first[0], &hours, feature, t_ms, value);
}

// When the first of the flows began that the feature may have counted, within the row's minute. Where
// no digest tells it is the minute's begin.
static int64_t first_event(const struct minute_row *r, enum feature feature)
{
    const struct source *s = &sources[feature];
    bool logins = feature == FEATURE_LOGIN_FAILED;
    int32_t first = INT32_MAX;
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        bool counts = s->roles == 0 || (s->roles & 1u << d->role);
        if (logins && !(d->flags & MINUTE_DIGEST_AUTH_FAILED))
            continue;
        if (counts && d->direction == s->direction && d->start_ms < first)
            first = d->start_ms;
    }
    if (first < 0 || first >= MINUTE_MS)
        first = 0;
    return r->minute * MINUTE_MS + first;
}

void feature_add_row(struct feature_rings *f, const struct minute_row *r)
{
    for (unsigned i = 0; i < FEATURE_N; i++) {
        const struct source *s = &sources[i];
        uint64_t value = 0;
        switch (s->kind) {
        case FEATURE_COUNTER: value = counter_of(s, r); break;
        case FEATURE_GAUGE: value = r->gauge[s->first]; break;
        case FEATURE_SET: value = (uint64_t)(distinct_count(&r->set[s->first]) + 0.5); break;
        default: break;
        }
        if (value > 0)
            feature_add(f, first_event(r, (enum feature)i), (enum feature)i, value);
    }
}

// The ring that answers for a window, and the buckets of it that overlap.
struct look {
    struct ring ring;
    int64_t first, last;
};

static struct look look_at(const struct feature_rings *f, enum feature feature, int64_t now_ms,
                           int32_t window_s)
{
    // The millisecond before `now`: a row that is cut at a minute's end belongs to that minute.
    int64_t last = (now_ms - 1) / MINUTE_MS;
    struct look l = {.ring = minutes_of(f)};
    if (window_s > 600 || !holds(&l.ring, feature))
        l.ring = fives_of(f);
    if (window_s > 3600) {
        struct ring hours = hours_of(f);
        if (holds(&hours, feature))
            l.ring = hours;
        else
            window_s = 3600;
    }
    int64_t first = (now_ms - (int64_t)window_s * 1000) / MINUTE_MS;
    l.first = (first < 0 ? 0 : first) / l.ring.step + 1;
    l.last = last / l.ring.step + 1;
    return l;
}

static bool is_within(const struct look *l, uint32_t start)
{
    return start != 0 && start >= l->first && start <= l->last;
}

uint64_t feature_sum(const struct feature_rings *f, enum feature feature, int64_t now_ms,
                     int32_t window_s)
{
    struct look l = look_at(f, feature, now_ms, window_s);
    const struct ring *r = &l.ring;
    uint64_t sum = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (!is_within(&l, r->start[i]))
            continue;
        uint64_t v = r->count[i * r->width + feature - r->from];
        if (feature_is_set(feature))
            sum = v > sum ? v : sum;
        else
            sum += v;
    }
    return sum;
}

static int64_t first_in(const struct look *l, enum feature feature)
{
    const struct ring *r = &l->ring;
    int64_t length_ms = (int64_t)r->step * MINUTE_MS, earliest = INT64_MAX;
    for (size_t i = 0; i < r->n; i++) {
        size_t at = i * r->width + feature - r->from;
        if (!is_within(l, r->start[i]) || r->count[at] == 0)
            continue;
        int64_t t = (int64_t)(r->start[i] - 1) * length_ms;
        if (is_timed(r, feature))
            t += r->first[i * r->timed + feature - r->from] * length_ms / 256;
        if (t < earliest)
            earliest = t;
    }
    return earliest;
}

int64_t feature_first(const struct feature_rings *f, enum feature feature, int64_t now_ms,
                      int32_t window_s)
{
    struct look l = look_at(f, feature, now_ms, window_s);
    int64_t first = first_in(&l, feature);
    if (first == INT64_MAX)
        return now_ms;
    // Five minutes know the first event better than hours and minutes do, where it is the same one.
    struct look fine = look_at(f, feature, now_ms, 3600);
    int64_t finer = first_in(&fine, feature);
    bool timed = is_timed(&l.ring, feature);
    int64_t exact_ms = (int64_t)l.ring.step * MINUTE_MS / (timed ? 256 : 1);
    int64_t unit_ms = timed ? exact_ms : 0;
    if (finer != INT64_MAX && finer >= first && finer - first <= exact_ms) {
        first = finer;
        unit_ms = is_timed(&fine.ring, feature) ? (int64_t)fine.ring.step * MINUTE_MS / 256 : 0;
    }
    // It was within that unit: nothing is said to have begun before it did.
    first += unit_ms;
    return first < now_ms ? first : now_ms;
}

// The latest bucket with `least` and more; 0: none.
static uint32_t last_in(const struct look *l, enum feature feature, uint64_t least, size_t *at)
{
    const struct ring *r = &l->ring;
    uint32_t latest = 0;
    for (size_t i = 0; i < r->n; i++) {
        size_t k = i * r->width + feature - r->from;
        if (!is_within(l, r->start[i]) || r->count[k] < least || r->start[i] <= latest)
            continue;
        latest = r->start[i];
        *at = k;
    }
    return latest;
}

int64_t feature_last(const struct feature_rings *f, enum feature feature, int64_t now_ms)
{
    static const int32_t windows[] = {600, 3600, DAY_S};
    uint64_t least = feature_is_set(feature) ? (feature_sum(f, feature, now_ms, DAY_S) + 1) / 2 : 1;
    for (size_t i = 0; least > 0 && i < sizeof windows / sizeof windows[0]; i++) {
        struct look l = look_at(f, feature, now_ms, windows[i]);
        size_t at = 0;
        uint32_t bucket = last_in(&l, feature, least, &at);
        if (bucket == 0)
            continue;
        int64_t length_ms = (int64_t)l.ring.step * MINUTE_MS, end_ms = bucket * length_ms;
        if (length_ms == HOUR_MS)
            end_ms += (l.ring.first[at] + 1) * length_ms / 256 - length_ms;
        return end_ms < now_ms ? end_ms : now_ms;
    }
    return now_ms;
}

bool feature_is_set(enum feature feature)
{
    return sources[feature].kind == FEATURE_SET;
}
