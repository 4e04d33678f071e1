// The rings of counts. See feature.h.
#include "feature.h"

#include <string.h>

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

static struct feature_bucket *bucket_at(struct feature_bucket *ring, size_t n, uint32_t start)
{
    struct feature_bucket *b = &ring[start % n];
    if (b->start > start)
        return NULL; // too late: its place belongs to newer time
    if (b->start < start) {
        memset(b, 0, sizeof *b);
        b->start = start;
    }
    return b;
}

static void put(struct feature_bucket *b, enum feature feature, uint64_t value)
{
    if (!b)
        return;
    uint64_t old = b->count[feature];
    uint64_t sum = feature_is_set(feature) ? (value > old ? value : old) : old + value;
    b->count[feature] = sum > UINT16_MAX ? UINT16_MAX : (uint16_t)sum;
}

void feature_add(struct feature_rings *f, int64_t minute, enum feature feature, uint64_t value)
{
    if (value == 0 || minute < 0 || minute >= UINT32_MAX)
        return;
    uint32_t m = (uint32_t)minute;
    put(bucket_at(f->minute, FEATURE_MINUTES, m + 1), feature, value);
    put(bucket_at(f->five, FEATURE_FIVES, m / 5 + 1), feature, value);
    put(bucket_at(f->hour, FEATURE_HOURS, m / 60 + 1), feature, value);
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
        feature_add(f, r->minute, (enum feature)i, value);
    }
}

static uint64_t sum_ring(const struct feature_bucket *ring, size_t n, enum feature feature,
                         int64_t first, int64_t last)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (ring[i].start == 0 || ring[i].start < first + 1 || ring[i].start > last + 1)
            continue;
        uint64_t v = ring[i].count[feature];
        if (feature_is_set(feature))
            sum = v > sum ? v : sum;
        else
            sum += v;
    }
    return sum;
}

uint64_t feature_sum(const struct feature_rings *f, enum feature feature, int64_t now_ms,
                     int32_t window_s)
{
    // The millisecond before `now`: a row that is cut at a minute's end belongs to that minute.
    int64_t last = (now_ms - 1) / 60000;
    int64_t first = (now_ms - (int64_t)window_s * 1000) / 60000;
    if (first < 0)
        first = 0;
    if (window_s <= 600)
        return sum_ring(f->minute, FEATURE_MINUTES, feature, first, last);
    if (window_s <= 3600)
        return sum_ring(f->five, FEATURE_FIVES, feature, first / 5, last / 5);
    return sum_ring(f->hour, FEATURE_HOURS, feature, first / 60, last / 60);
}

bool feature_is_set(enum feature feature)
{
    return sources[feature].kind == FEATURE_SET;
}
