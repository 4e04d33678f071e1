// Fingerprints of a site. See prints.h.
#include "prints.h"

#include <math.h>
#include <stddef.h>

#define HOUR_MS 3600000LL

static uint32_t hour_of(int64_t now_ms)
{
    return now_ms < 0 ? 0 : (uint32_t)(now_ms / HOUR_MS);
}

static struct print faded(const struct print *it, uint32_t hour)
{
    struct print now = *it;
    if (hour <= it->hour)
        return now;
    float k = (float)exp2(-(double)(hour - it->hour) / (24.0 * PRINTS_DAYS));
    now.seen *= k;
    now.confirmed *= k;
    now.hour = hour;
    return now;
}

static const struct print *find(const struct prints *p, uint32_t hash)
{
    for (size_t i = 0; i < PRINTS_MAX; i++) {
        if (p->item[i].hash == hash)
            return &p->item[i];
    }
    return NULL;
}

// What a confirmed bot showed is worth keeping before what many others do.
static float worth(const struct print *it, uint32_t hour)
{
    struct print now = faded(it, hour);
    return now.seen + 100 * now.confirmed;
}

static struct print *get(struct prints *p, uint32_t hash, uint32_t hour)
{
    struct print *least = &p->item[0];
    for (size_t i = 0; i < PRINTS_MAX; i++) {
        struct print *it = &p->item[i];
        if (it->hash == hash) {
            *it = faded(it, hour);
            return it;
        }
        if (it->hash == 0) {
            if (least->hash != 0)
                least = it;
        } else if (least->hash != 0 && worth(it, hour) < worth(least, hour)) {
            least = it;
        }
    }
    *least = (struct print){.hash = hash, .hour = hour};
    return least;
}

void prints_see(struct prints *p, uint32_t hash, bool first, int64_t now_ms)
{
    uint32_t hour = hour_of(now_ms);
    if (hash == 0)
        return;
    get(p, hash, hour)->seen++;
    p->all = faded(&p->all, hour);
    p->all.seen += first;
}

void prints_confirm(struct prints *p, uint32_t hash, bool first, int64_t now_ms)
{
    uint32_t hour = hour_of(now_ms);
    if (hash == 0)
        return;
    get(p, hash, hour)->confirmed++;
    p->all = faded(&p->all, hour);
    p->all.confirmed += first;
}

double prints_weight(const struct prints *p, uint32_t hash, bool own, int64_t now_ms, double *bots,
                     double *others)
{
    uint32_t hour = hour_of(now_ms);
    const struct print *it = hash == 0 ? NULL : find(p, hash);
    *bots = *others = 0;
    if (!it)
        return 0;
    struct print one = faded(it, hour), all = faded(&p->all, hour);
    *bots = (double)one.confirmed - own;
    // The one in question is in the count of all, and no witness against itself either way.
    *others = (double)one.seen - (double)one.confirmed - !own;
    double bots_all = (double)all.confirmed - own;
    double others_all = (double)all.seen - (double)all.confirmed - !own;
    if (*others < 0)
        *others = 0;
    if (*bots < PRINTS_BOTS_MIN - 0.5 || others_all < PRINTS_OTHERS_MIN)
        return 0;
    double among_bots = *bots / (bots_all + 1), among_others = *others / others_all;
    if (among_others < PRINTS_FLOOR)
        among_others = PRINTS_FLOOR;
    double weight = log(among_bots / among_others);
    return weight > 0 ? weight : 0;
}
