// The providers a party has contacted. See providers.h.
#include "providers.h"

#include <string.h>

#include "hash.h"

#define BASE_MARGIN_MS 86400000 // late rows may tell of a day before the first
#define BASE_SPAN_MS   (UINT32_MAX / 2)
#define HOUR_MS        3600000
#define FRESH_MS       10000 // four seconds of silence, and eight such at a slow scan's pace
#define SILENCE_MS \
    3000 // a failure so long after the contact is silence, and what is listed sent its SYN again
#define FRESH_MIN 4 // slower than that no scan gets far before it is known

static bool bloom_has(const uint8_t *bloom, uint32_t hash)
{
    uint64_t h = hash_mix(hash);
    for (unsigned i = 0; i < 3; i++) {
        uint32_t bit = (uint32_t)(h >> (20 * i)) % PROVIDERS_BLOOM_BITS;
        if (!(bloom[bit / 8] & 1u << bit % 8))
            return false;
    }
    return true;
}

static void bloom_add(uint8_t *bloom, uint32_t hash)
{
    uint64_t h = hash_mix(hash);
    for (unsigned i = 0; i < 3; i++) {
        uint32_t bit = (uint32_t)(h >> (20 * i)) % PROVIDERS_BLOOM_BITS;
        bloom[bit / 8] = (uint8_t)(bloom[bit / 8] | 1u << bit % 8);
    }
}

static uint32_t relative(const struct providers *p, int64_t t_ms)
{
    int64_t r = t_ms - p->base_ms;
    return r < 1 ? 1 : r > UINT32_MAX ? UINT32_MAX : (uint32_t)r;
}

// Keeps times within 32 bits: a base is good for 24 days, then moves on by as much.
static void rebase(struct providers *p, int64_t t_ms)
{
    if (p->base_ms == 0) {
        p->base_ms = t_ms - BASE_MARGIN_MS;
        p->generation_ms = t_ms;
        return;
    }
    if (t_ms - p->base_ms <= (int64_t)BASE_SPAN_MS)
        return;
    int64_t base = t_ms - (int64_t)BASE_SPAN_MS / 2;
    int64_t moved = base - p->base_ms;
    for (size_t i = 0; i < PROVIDERS_MAX; i++) {
        struct provider *e = &p->list[i];
        if (e->hash == 0)
            continue;
        if (e->last <= moved) {
            *e = (struct provider){0};
            continue;
        }
        e->last = (uint32_t)(e->last - moved);
        e->first = e->first > moved ? (uint32_t)(e->first - moved) : 1;
    }
    p->base_ms = base;
}

// A generation lasts half the memory, so what was contacted is known for half to all of it.
static void age(struct providers *p, int64_t t_ms, int64_t memory_ms)
{
    int64_t age_ms = t_ms - p->generation_ms;
    if (age_ms < memory_ms / 2 && p->inserted < PROVIDERS_BLOOM_FULL)
        return;
    p->young ^= 1;
    memset(p->bloom[p->young], 0, sizeof p->bloom[p->young]);
    if (age_ms >= memory_ms) // the other generation is as old
        memset(p->bloom, 0, sizeof p->bloom);
    p->inserted = 0;
    p->generation_ms = t_ms;
}

static struct provider *find(struct providers *p, uint32_t hash)
{
    for (size_t i = 0; i < PROVIDERS_MAX; i++) {
        if (p->list[i].hash == hash)
            return &p->list[i];
    }
    return NULL;
}

static struct provider *take_place(struct providers *p, uint32_t now)
{
    struct provider *oldest = &p->list[0];
    for (size_t i = 0; i < PROVIDERS_MAX; i++) {
        struct provider *e = &p->list[i];
        if (e->hash == 0)
            return e;
        if (e->last < oldest->last)
            oldest = e;
    }
    if (now - oldest->last < HOUR_MS)
        p->overflowed = true;
    return oldest;
}

// The entry of a provider, new when the list has none; `*is_new` says whether it was never contacted.
static struct provider *get(struct providers *p, uint32_t hash, int64_t t_ms, int64_t memory_ms,
                            bool *is_new)
{
    rebase(p, t_ms);
    age(p, t_ms, memory_ms);
    struct provider *e = find(p, hash);
    *is_new = false;
    if (!e) {
        uint32_t now = relative(p, t_ms);
        bool known = bloom_has(p->bloom[0], hash) || bloom_has(p->bloom[1], hash);
        e = take_place(p, now);
        *e = (struct provider){.hash = hash,
                               .first = now,
                               .last = now,
                               .state = known ? PROVIDER_KNOWN : PROVIDER_PENDING};
        *is_new = !known;
    }
    if (!bloom_has(p->bloom[p->young], hash)) {
        bloom_add(p->bloom[p->young], hash);
        p->inserted++;
    }
    return e;
}

static void count(uint8_t *n)
{
    if (*n < UINT8_MAX)
        ++*n;
}

bool providers_attempt(struct providers *p, uint32_t hash, int64_t t_ms, int64_t memory_ms)
{
    bool is_new;
    struct provider *e = get(p, hash, t_ms, memory_ms, &is_new);
    uint32_t now = relative(p, t_ms);
    if (now > e->last)
        e->last = now;
    if (now < e->first)
        e->first = now;
    count(&e->attempts);
    return is_new;
}

struct contact providers_end(struct providers *p, uint32_t hash, int64_t t_ms,
                             enum provider_end end, int64_t memory_ms)
{
    bool is_new;
    struct provider *e = get(p, hash, t_ms, memory_ms, &is_new);
    struct contact c = {.t_ms = t_ms,
                        .start_ms = p->base_ms + e->first,
                        .provider = hash,
                        .kind = CONTACT_NEUTRAL,
                        .answered_since = e->answered > 0};
    bool first = e->state == PROVIDER_PENDING;
    switch (end) {
    case PROVIDER_FAILED:
        c.kind = first ? CONTACT_FIRST_FAILED : CONTACT_AGAIN_FAILED;
        count(&e->failed);
        break;
    case PROVIDER_CORRECTED:
    case PROVIDER_ANSWERED:
        if (end == PROVIDER_CORRECTED && e->failed > 0 && e->answered == 0)
            c.kind = CONTACT_CORRECTED;
        else
            c.kind = first ? CONTACT_FIRST_ANSWERED : CONTACT_AGAIN_ANSWERED;
        count(&e->answered);
        break;
    case PROVIDER_UNDECIDED: return c;
    }
    e->state = end == PROVIDER_FAILED && t_ms - c.start_ms >= SILENCE_MS ? PROVIDER_SILENT
                                                                         : PROVIDER_DECIDED;
    return c;
}

uint32_t providers_within(const struct providers *p, int64_t now_ms, int64_t window_ms,
                          int64_t *first_ms)
{
    uint32_t n = 0;
    int64_t earliest = now_ms;
    for (size_t i = 0; i < PROVIDERS_MAX; i++) {
        const struct provider *e = &p->list[i];
        int64_t last_ms = p->base_ms + e->last;
        if (e->hash == 0 || last_ms < now_ms - window_ms || last_ms > now_ms)
            continue;
        int64_t t = p->base_ms + e->first;
        if (t < now_ms - window_ms)
            t = last_ms;
        if (t < earliest)
            earliest = t;
        n++;
    }
    if (first_ms)
        *first_ms = earliest;
    return n;
}

int64_t providers_last(const struct providers *p, int64_t now_ms)
{
    int64_t latest = 0;
    for (size_t i = 0; i < PROVIDERS_MAX; i++) {
        int64_t last_ms = p->base_ms + p->list[i].last;
        if (p->list[i].hash != 0 && last_ms <= now_ms && last_ms > latest)
            latest = last_ms;
    }
    return latest;
}

uint32_t providers_fresh(const struct providers *p, int64_t now_ms)
{
    uint32_t n = 0;
    for (size_t i = 0; i < PROVIDERS_MAX; i++) {
        const struct provider *e = &p->list[i];
        n += e->hash != 0 && e->answered == 0 && e->state != PROVIDER_SILENT &&
             p->base_ms + e->first > now_ms - FRESH_MS;
    }
    return n >= FRESH_MIN ? n : 0;
}

void providers_forget(struct providers *p, int64_t since_ms)
{
    for (size_t i = 0; i < PROVIDERS_MAX; i++) {
        struct provider *e = &p->list[i];
        if (e->hash != 0 && e->answered == 0 && p->base_ms + e->first >= since_ms)
            *e = (struct provider){0};
    }
}

uint32_t providers_dead(const struct providers *p, int64_t now_ms, int64_t window_ms,
                        uint8_t failed_min)
{
    uint32_t n = 0;
    for (size_t i = 0; i < PROVIDERS_MAX; i++) {
        const struct provider *e = &p->list[i];
        int64_t last_ms = p->base_ms + e->last;
        if (e->hash != 0 && last_ms >= now_ms - window_ms && last_ms <= now_ms &&
            e->answered == 0 && e->failed >= failed_min)
            n++;
    }
    return n;
}

uint32_t providers_failed(const struct providers *p, int64_t now_ms, int64_t window_ms)
{
    return providers_dead(p, now_ms, window_ms, 1);
}

uint32_t providers_answered(const struct providers *p, int64_t now_ms, int64_t window_ms)
{
    uint32_t n = 0;
    for (size_t i = 0; i < PROVIDERS_MAX; i++) {
        const struct provider *e = &p->list[i];
        int64_t last_ms = p->base_ms + e->last;
        n += e->hash != 0 && e->answered > 0 && last_ms >= now_ms - window_ms && last_ms <= now_ms;
    }
    return n;
}

uint32_t providers_hash(const struct minute_digest *d)
{
    if (d->provider_kind != MINUTE_PROVIDER_NONE)
        return hash_short(d->provider);
    struct ip_prefix network = prefix_of(&d->peer, d->peer.family == IP_V6 ? 48 : 24);
    return hash_short(
        hash_octets(network.addr.octet, sizeof network.addr.octet, MINUTE_PROVIDER_NETWORK));
}
