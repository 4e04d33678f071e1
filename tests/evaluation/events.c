// Events of a site and the addresses of its lines. See events.h; docs/formats/minute.md says whose a row is near a
// change of hands and after a BNG's boot.
#include "events.h"

#include "common/identity.h"
#include "people.h"

#define NEAR_CHANGE_MS 120000
#define BOOT_HOLD_MS   900000
#define RENUMBER_MS    HOUR_MS
#define LARGE          8 // providers that have half of all mailboxes

static struct span_ms span(const struct rates *rates, struct rng *r, int64_t day_ms,
                           enum rate chance, enum rate minutes)
{
    bool strikes = rng_real(r) < rates->low[chance];
    int64_t from_ms = human_time(r, day_ms);
    int64_t lasts_ms = (int64_t)(rate_draw(rates, minutes, r) * 60000);
    return strikes ? (struct span_ms){from_ms, from_ms + lasts_ms} : (struct span_ms){0};
}

void events_draw(const struct rates *rates, uint64_t seed, int64_t day_ms, struct events *out)
{
    struct rng r = {seed_of("outage", seed, (uint64_t)day_ms)};
    int64_t block_ms = out->block_ms;
    *out = (struct events){.block_ms = block_ms};
    out->transit = span(rates, &r, day_ms, RATE_outage_chance, RATE_outage_minutes);
    out->smarthost = span(rates, &r, day_ms, RATE_smarthost_chance, RATE_outage_minutes);
    out->reboot = span(rates, &r, day_ms, RATE_boot_chance, RATE_boot_minutes);
    if (rng_real(&r) < rates->low[RATE_renumber_chance])
        out->renumber_ms = day_ms + 3 * HOUR_MS + rng_below(&r, (uint32_t)HOUR_MS);
    out->provider = span(rates, &r, day_ms, RATE_provider_chance, RATE_provider_minutes);
    out->provider_down = 1 + rng_below(&r, LARGE);
    out->provider_refuses = rng_below(&r, 2) == 0;
    out->patch = rng_real(&r) < rates->low[RATE_patch_chance];
}

static bool within(const struct span_ms *s, int64_t t_ms)
{
    return t_ms >= s->from_ms && t_ms < s->to_ms;
}

bool events_out(const struct events *e, int64_t t_ms)
{
    return within(&e->transit, t_ms);
}

bool events_dark(const struct events *e, int64_t t_ms)
{
    return within(&e->reboot, t_ms);
}

bool events_block(const struct events *e, int64_t t_ms)
{
    return e->block_ms != 0 && t_ms >= e->block_ms;
}

bool events_failing(const struct events *e, uint32_t provider, int64_t t_ms)
{
    return provider == e->provider_down && within(&e->provider, t_ms);
}

void address_book_day(struct address_book *b, const struct events *e)
{
    bool boots = e->reboot.to_ms != 0;
    if (!boots && e->renumber_ms == 0)
        return;
    b->shift_before = b->shift;
    b->shift = (b->shift + 1) % (b->lines ? b->lines : 1);
    b->changed_ms = boots ? e->reboot.to_ms : e->renumber_ms;
    b->at_once = boots;
    if (boots)
        b->rebooted_ms = e->reboot.to_ms;
}

static int64_t change_of(const struct address_book *b, uint32_t line)
{
    struct rng r = {seed_of("dials", line, 0)};
    return b->changed_ms + (b->at_once ? 0 : rng_below(&r, (uint32_t)RENUMBER_MS));
}

// Until when the line's new lease is unknown, because its start was lost and the former holder's stop with it. The
// next interim record tells.
static int64_t unknown_until(const struct address_book *b, uint32_t line, int64_t changed_ms)
{
    if (!b->rates || changed_ms == 0)
        return 0;
    struct rng r = {seed_of("lost", line, (uint64_t)changed_ms)};
    if (rng_real(&r) >= rate_draw(b->rates, RATE_lease_lost, &r))
        return 0;
    return changed_ms + (int64_t)(rate_draw(b->rates, RATE_lease_lost_minutes, &r) * 60000);
}

int64_t events_sign_ms(const struct rates *rates, uint32_t line, int64_t t_ms)
{
    struct rng r = {seed_of("signs", line, 0)};
    int64_t every_ms = (int64_t)(rate_draw(rates, RATE_lease_lost_minutes, &r) * 60000);
    return t_ms - (t_ms + rng_below(&r, (uint32_t)every_ms)) % every_ms;
}

static int64_t later(int64_t a_ms, int64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

struct events_whose address_book_whose(const struct address_book *b, uint32_t line, int64_t t_ms,
                                       int64_t own_ms)
{
    struct events_whose w = {.address = line, .line = line, .confidence = IDENTITY_CERTAIN};
    if (b->signs)
        w.seen_ms = events_sign_ms(b->signs, line, t_ms);
    if (b->changed_ms == 0 && own_ms == 0)
        return w;
    int64_t changed_ms = b->changed_ms ? change_of(b, line) : 0;
    uint32_t shift = t_ms >= changed_ms ? b->shift : b->shift_before;
    w.address = (line + shift) % b->lines;
    if (own_ms == 0 && t_ms >= changed_ms && t_ms < unknown_until(b, line, changed_ms)) {
        // Who had the address before is taken to have it still: nobody doubts what nobody was told.
        w.line = (line + b->lines + b->shift - b->shift_before) % b->lines;
        if (b->signs)
            w.seen_ms = events_sign_ms(b->signs, w.line, changed_ms);
        return w;
    }
    int64_t since_ms = changed_ms ? t_ms - changed_ms : INT64_MAX;
    if (own_ms > 0) { // between these it has an address of its own pool, behind the others'
        int64_t phase_ms = t_ms % own_ms;
        w.address = b->lines + line;
        since_ms = phase_ms < own_ms / 2 ? phase_ms : phase_ms - own_ms;
    }
    // A lease's first sign is its start.
    if (b->signs && since_ms >= 0 && since_ms != INT64_MAX)
        w.seen_ms = later(w.seen_ms, t_ms - since_ms);
    if (since_ms > -NEAR_CHANGE_MS && since_ms < NEAR_CHANGE_MS) {
        w.provisional = true;
        w.confidence = IDENTITY_AMBIGUOUS;
        w.doubts = IDENTITY_NEAR_CHANGE;
    }
    if (b->rebooted_ms != 0 && t_ms >= b->rebooted_ms && t_ms < b->rebooted_ms + BOOT_HOLD_MS) {
        w.doubts |= IDENTITY_BNG_REBOOT;
        if (!w.provisional)
            w.confidence = IDENTITY_LIKELY;
    }
    return w;
}
