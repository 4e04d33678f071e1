// Orders and what is opened behind them. See detectors/behind.h.
#include "detectors/behind.h"

#include <math.h>

// Of what is opened behind data: when a carrier is at work, half and more; a twentieth without one, and what the
// share of the time gives and a quarter of that.
#define BEHIND_CARRIER 0.5
#define BEHIND_LEAST   0.05
#define BEHIND_MORE    1.25
#define BEHIND_ROW     3.0 // log-odds of a row at most, either way: no single minute decides
#define CARRIED_MIN    2000.0f
#define HALF_HOUR_S    1800
#define NETWORK_BITS   32
// Orders that are spread over relays: a fifth behind the data of each. Asked of flows that are silent most of the
// time, whatever is opened: no choice by what they show.
#define SPREAD_CARRIER 0.2
#define SPREAD_QUIET   200 // per mille of the time within 300 ms of data, at most
#define REST_OCTETS    2000
#define KEPT           0.2f // of the destinations' octets; a page that calls others on an answer has less

static uint32_t second_of(int64_t t_ms)
{
    return t_ms > 0 ? (uint32_t)(t_ms / 1000) : 0;
}

void behind_fade(struct behind *b, float k)
{
    float *all[] = {&b->behind, &b->expected, &b->odds, &b->spread, &b->carried, &b->kept};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        *all[i] *= k;
}

static uint32_t whose(const struct minute_digest *d)
{
    uint64_t h = d->provider ? d->provider : d->flow_hash;
    uint32_t folded = (uint32_t)(h ^ h >> 32);
    return folded ? folded : 1;
}

// A flow that tells of what is opened behind its data. One that downloads carries nothing: a resolver over TLS answers
// before whatever is opened. Its age does not matter: who dials anew each quarter of an hour is no other.
static bool tells(const struct minute_digest *d)
{
    bool mail = d->role == MINUTE_MX || d->role == MINUTE_SMARTHOST ||
                d->role == MINUTE_SUBMISSION || d->role == MINUTE_ACCESS;
    return d->carrier_opened > 0 && d->direction == MINUTE_OUT && !mail &&
           (float)d->octets_up >= BEHIND_UPLOADS * (float)d->octets_down;
}

// What is left when a flow ends, in a row too small to say which way it goes: of a provider not looked at it counts
// against all alone.
static bool is_rest(const struct behind *b, const struct minute_digest *d)
{
    return d->carrier_opened > 0 && d->direction == MINUTE_OUT && d->role == MINUTE_OTHER &&
           (d->flags & MINUTE_DIGEST_END) && d->octets_up + d->octets_down < REST_OCTETS &&
           (whose(d) == b->provider || d->carrier_behind == 0);
}

static bool is_quiet(const struct minute_digest *d)
{
    return d->carrier_chance <= SPREAD_QUIET;
}

// The provider looked at, where the row tells of it, else the one whose flow uploads most.
static const struct minute_digest *teller(const struct behind *b, const struct minute_row *r)
{
    const struct minute_digest *most = NULL;
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        if (!tells(d))
            continue;
        bool same = whose(d) == b->provider, held = most && whose(most) == b->provider;
        if (!most || same > held || (same == held && d->octets_up > most->octets_up))
            most = d;
    }
    return most;
}

static void note_networks(struct behind *b, uint64_t bits, uint32_t now_s)
{
    uint32_t turns = now_s / HALF_HOUR_S - b->told_s / HALF_HOUR_S;
    if (turns > 0) {
        b->networks[1] = turns == 1 ? b->networks[0] : 0;
        b->networks[0] = 0;
    }
    b->networks[0] |= (uint32_t)(bits | bits >> NETWORK_BITS);
}

static float log_odds(const struct minute_digest *d, double carrier)
{
    double chance = BEHIND_LEAST + BEHIND_MORE * d->carrier_chance / 1000;
    double behind = d->carrier_behind, other = d->carrier_opened - behind;
    if (chance >= carrier)
        return 0; // what is always just behind data says nothing
    double odds = behind * log(carrier / chance) + other * log((1 - carrier) / (1 - chance));
    return (float)(odds > BEHIND_ROW ? BEHIND_ROW : odds < -BEHIND_ROW ? -BEHIND_ROW : odds);
}

static float at_least_0(float odds)
{
    return odds > 0 ? odds : 0;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// One that has nothing against it, or was not heard of for half an hour, makes room for another.
static void look_at(struct behind *b, uint32_t provider, uint32_t now_s)
{
    if (provider == b->provider ||
        (b->provider != 0 && b->odds > 0 && now_s - b->heard_s < HALF_HOUR_S))
        return;
    b->provider = provider;
    b->heard_s = now_s;
    b->odds = 0;
}

void behind_observe(struct behind *b, const struct minute_row *r, int64_t long_ms, double carried)
{
    const struct minute_digest *most = teller(b, r);
    uint32_t now_s = second_of(r->cut_ms);
    uint64_t own_up = 0, own_down = 0, up = 0, down = 0;
    double spread = 0;
    bool is_old = false;
    bool rest = false;
    for (uint32_t i = 0; i < r->digest_count && !rest && b->provider != 0; i++)
        rest = is_rest(b, &r->digest[i]);
    if (!most && !rest)
        return;
    if (!most && now_s - b->told_s > HALF_HOUR_S)
        return;
    if (b->told_s == 0 || now_s - b->told_s > HALF_HOUR_S)
        *b = (struct behind){.since_s = now_s, .told_s = now_s};
    if (most)
        look_at(b, whose(most), now_s);
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        bool looked_at = whose(d) == b->provider;
        if (d->direction != MINUTE_OUT)
            continue;
        if ((!tells(d) && !is_rest(b, d)) || (!looked_at && !is_quiet(d))) {
            up += d->octets_up;
            down += d->octets_down;
            continue;
        }
        own_up += d->octets_up;
        own_down += d->octets_down;
        is_old |= looked_at && d->start_ms <= -long_ms;
        note_networks(b, d->carrier_networks, now_s);
        b->told_s = now_s;
        uint32_t start_s = second_of(r->minute * 60000 + d->start_ms);
        if (start_s < b->since_s)
            b->since_s = start_s;
        b->behind += d->carrier_behind;
        b->expected += (float)d->carrier_opened * d->carrier_chance / 1000;
        if (is_quiet(d))
            spread += (double)log_odds(d, SPREAD_CARRIER);
        if (!looked_at)
            continue;
        b->heard_s = now_s;
        b->odds = at_least_0(b->odds + log_odds(d, BEHIND_CARRIER));
    }
    // No single minute decides, however many flows tell in it.
    b->spread = at_least_0(b->spread + (float)(spread > BEHIND_ROW    ? BEHIND_ROW
                                               : spread < -BEHIND_ROW ? -BEHIND_ROW
                                                                      : spread));
    // What goes up a tunnel came down from somewhere. More may come down: of a household beside it.
    b->carried += (float)(lesser(own_up, down) + lesser(own_down, up)) -
                  (float)carried * (float)(own_up + own_down);
    b->kept += (float)(own_up + own_down) - KEPT * (float)(up + down);
    if (is_old)
        b->kept = 0;
}

// How many networks fill so many of the bits (linear counting).
double behind_networks(const struct behind *b)
{
    int set = __builtin_popcount(b->networks[0] | b->networks[1]);
    return set == NETWORK_BITS ? 100 : -NETWORK_BITS * log(1 - set / (double)NETWORK_BITS);
}

bool behind_is_carrier(const struct behind *b, int64_t long_ms, double networks)
{
    return (b->odds >= BEHIND_SURE || b->spread >= BEHIND_SURE) &&
           (b->told_s - b->since_s) * 1000LL >= long_ms && behind_networks(b) >= networks &&
           b->carried >= CARRIED_MIN && b->kept >= 0;
}
