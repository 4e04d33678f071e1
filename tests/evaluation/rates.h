// The generator's rates: one table in a file, each key exactly once, with a range and its source.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define RATES(X)             \
    X(lines)                 \
    X(home_reads_a_day)      \
    X(home_sends_a_day)      \
    X(home_smarthost)        \
    X(home_accounts)         \
    X(home_recipients)       \
    X(home_login_error)      \
    X(home_scanned_a_day)    \
    X(home_surf_a_day)       \
    X(mx_dead)               \
    X(mx_greylist)           \
    X(mx_bounce)             \
    X(mx_bounce_stale)       \
    X(mx_tls)                \
    X(server_sends_an_hour)  \
    X(server_gets_an_hour)   \
    X(server_providers)      \
    X(newsletter_recipients) \
    X(newsletter_a_week)     \
    X(callouts_an_hour)      \
    X(list_recipients)       \
    X(forwards_an_hour)      \
    X(deadqueue_providers)   \
    X(deadqueue_a_minute)    \
    X(retry_a_minute)        \
    X(stale_phone_a_hour)    \
    X(bcc_recipients)        \
    X(office_users)          \
    X(migration_logins)      \
    X(probe_servers)         \
    X(probe_a_minute)        \
    X(zmap_syns)             \
    X(outage_chance)         \
    X(outage_minutes)        \
    X(smarthost_chance)      \
    X(boot_chance)           \
    X(boot_minutes)          \
    X(renumber_chance)       \
    X(provider_chance)       \
    X(provider_minutes)      \
    X(patch_chance)          \
    X(patch_share)           \
    X(patch_minutes)         \
    X(home_pupil)            \
    X(school_users)          \
    X(lease_lost)            \
    X(lease_lost_minutes)    \
    X(print_tail)            \
    X(phone_polls_a_day)     \
    X(client25_a_day)        \
    X(device_mails_a_day)    \
    X(hobby_sends_a_day)     \
    X(hobby_providers)       \
    X(resolver_mx_a_day)     \
    X(exit_flows_an_hour)    \
    X(reconnect_hours)       \
    X(hybrid_an_hour)        \
    X(cgnat_lines)           \
    X(fast_a_minute)         \
    X(slow_an_hour)          \
    X(crafty_an_hour)        \
    X(crafty_providers)      \
    X(bot_dead)              \
    X(bot_refused)           \
    X(bot_turned_away)       \
    X(bot_unknown_rcpt)      \
    X(bot_listed)            \
    X(bot_quirk)             \
    X(bot_tls_empty)         \
    X(bot_hours)             \
    X(smarthost_a_minute)    \
    X(account_networks)      \
    X(account_recipients)    \
    X(socks_an_hour)         \
    X(back_an_hour)          \
    X(guess_an_hour)         \
    X(guess_dead)            \
    X(bounce_an_hour)        \
    X(harvest_an_hour)       \
    X(openrelay_an_hour)

enum rate {
#define X(name) RATE_##name,
    RATES(X)
#undef X
        RATE_N
};

struct rates {
    double low[RATE_N], high[RATE_N];
};

// 0, or a negative errno after a line on stderr. `scaled` (may be NULL) is "KEY=FACTOR".
int rates_load(const char *path, const char *scaled, struct rates *out);

// A seeded generator of one's own (splitmix64): the same seed gives the same population.
struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline double rng_real(struct rng *r) // 0 to under 1
{
    return (double)(rng_next(r) >> 11) / 9007199254740992.0;
}

static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
    return n == 0 ? 0 : (uint32_t)(rng_next(r) % n);
}

uint32_t rng_poisson(struct rng *r, double mean);
double rate_draw(const struct rates *t, enum rate rate, struct rng *r);
uint64_t seed_of(const char *name, uint64_t a, uint64_t b); // "test", "tuning"
