// The baselines. See baseline.h. SPOT judges messages by a spam filter on their content, which a tap does not have:
// refusal for good stands in for it. TRW as published (Jung et al. 2004: theta0 0.8, theta1 0.2, beta 0.01), over
// first contacts with mail servers, begun anew when it has accepted a host.
#include "baseline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RING 64
#define BETA 0.01

static const char *const names[][2] = {
#define X(name, text) {#name, text},
    BASELINES(X)
#undef X
};

struct baseline_state {
    int64_t t_ms[RING];
    uint64_t peer[RING];
    size_t next;
    uint64_t *known; // open hashing
    size_t known_count, known_cap;
    double walk[2], free_walk;
    int64_t hour;
    uint32_t messages, refused;
};

const char *baseline_name(unsigned b)
{
    return names[b][0];
}

const char *baseline_text(unsigned b)
{
    return names[b][1];
}

struct baseline_state *baseline_new(void)
{
    struct baseline_state *s = calloc(1, sizeof *s);
    if (!s)
        exit(1);
    return s;
}

void baseline_free(struct baseline_state *s)
{
    if (s)
        free(s->known);
    free(s);
}

static bool put(uint64_t *table, size_t cap, uint64_t value)
{
    for (size_t i = value % cap;; i = (i + 1) % cap) {
        if (table[i] == value)
            return false;
        if (table[i] == 0) {
            table[i] = value;
            return true;
        }
    }
}

static bool is_first(struct baseline_state *s, uint64_t peer)
{
    peer |= 1;
    if (s->known_count * 2 >= s->known_cap) {
        size_t cap = s->known_cap ? s->known_cap * 2 : 64;
        uint64_t *table = calloc(cap, sizeof *table);
        if (!table)
            exit(1);
        for (size_t i = 0; i < s->known_cap; i++) {
            if (s->known[i])
                put(table, cap, s->known[i]);
        }
        free(s->known);
        s->known = table;
        s->known_cap = cap;
    }
    bool fresh = put(s->known, s->known_cap, peer);
    s->known_count += fresh;
    return fresh;
}

static unsigned alarm_if(bool raised, enum baseline b)
{
    return raised ? 1u << b : 0;
}

static void reaches(float level[static BASELINE_N], enum baseline b, double value)
{
    if (value > (double)level[b])
        level[b] = (float)value;
}

// Connections, and servers among them, in the window behind `now_ms`.
static void count(const struct baseline_state *s, int64_t now_ms, int64_t window_ms,
                  unsigned *connections, unsigned *servers)
{
    *connections = *servers = 0;
    for (size_t i = 0; i < RING; i++) {
        if (s->t_ms[i] == 0 || s->t_ms[i] <= now_ms - window_ms)
            continue;
        ++*connections;
        bool again = false;
        for (size_t k = 0; k < i && !again; k++)
            again = s->t_ms[k] > now_ms - window_ms && s->peer[k] == s->peer[i];
        *servers += !again;
    }
}

static unsigned connects(struct baseline_state *s, int64_t t_ms, uint64_t peer,
                         float level[static BASELINE_N])
{
    unsigned connections, servers, alarms = 0;
    s->t_ms[s->next] = t_ms;
    s->peer[s->next] = peer;
    s->next = (s->next + 1) % RING;
    count(s, t_ms, 60000, &connections, &servers);
    alarms |= alarm_if(servers > 5, BASELINE_ntopng) |
              alarm_if(connections > 20, BASELINE_twenty_60s);
    reaches(level, BASELINE_ntopng, servers);
    reaches(level, BASELINE_twenty_60s, connections);
    count(s, t_ms, 300000, &connections, &servers);
    alarms |= alarm_if(servers > 10, BASELINE_servers_5min) |
              alarm_if(connections > 20, BASELINE_twenty_5min);
    reaches(level, BASELINE_servers_5min, servers);
    reaches(level, BASELINE_twenty_5min, connections);
    count(s, t_ms, 900000, &connections, &servers);
    alarms |= alarm_if(connections > 15, BASELINE_fifteen_15min);
    reaches(level, BASELINE_fifteen_15min, connections);
    return alarms;
}

static unsigned walks(struct baseline_state *s, bool failed, float level[static BASELINE_N])
{
    static const double alpha[2] = {0.01, 1e-5};
    unsigned alarms = 0;
    // Without a limit above: begun anew only when the host is accepted.
    s->free_walk += failed ? log(0.8 / 0.2) : log(0.2 / 0.8);
    if (s->free_walk <= log(BETA))
        s->free_walk = 0;
    reaches(level, BASELINE_trw_2, s->free_walk);
    reaches(level, BASELINE_trw_5, s->free_walk);
    for (unsigned i = 0; i < 2; i++) {
        s->walk[i] += failed ? log(0.8 / 0.2) : log(0.2 / 0.8);
        if (s->walk[i] >= log((1 - BETA) / alpha[i])) {
            alarms |= 1u << (BASELINE_trw_2 + i);
            s->walk[i] = 0;
        } else if (s->walk[i] <= log(BETA / (1 - alpha[i]))) {
            s->walk[i] = 0;
        }
    }
    return alarms;
}

static unsigned spot(struct baseline_state *s, const struct minute_row *r,
                     float level[static BASELINE_N])
{
    unsigned alarms = 0;
    if (r->minute / 60 != s->hour) {
        s->hour = r->minute / 60;
        s->messages = s->refused = 0;
    }
    static const uint8_t roles[] = {MINUTE_MX, MINUTE_SMARTHOST, MINUTE_SUBMISSION};
    for (size_t i = 0; i < sizeof roles; i++) {
        const uint64_t *c = r->counter[roles[i]][MINUTE_OUT];
        uint64_t refused = c[MINUTE_rcpt_5xx] + c[MINUTE_messages_5xx] + c[MINUTE_banner_5xx];
        s->refused += (uint32_t)refused;
        s->messages += (uint32_t)(refused + c[MINUTE_messages_ok]);
    }
    reaches(level, BASELINE_spot_count, s->refused / 10.0); // in tens: it goes far
    if (s->messages >= 6)
        reaches(level, BASELINE_spot_percent, 100.0 * s->refused / s->messages);
    alarms |= alarm_if(s->refused > 30, BASELINE_spot_count);
    alarms |= alarm_if(s->messages >= 6 && s->refused * 2 >= s->messages, BASELINE_spot_percent);
    return alarms;
}

unsigned baseline_row(struct baseline_state *s, const struct minute_row *r,
                      float level[static BASELINE_N])
{
    memset(level, 0, BASELINE_N * sizeof level[0]);
    unsigned alarms = spot(s, r, level);
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        if (d->role != MINUTE_MX || d->direction != MINUTE_OUT)
            continue;
        if (d->flags & MINUTE_DIGEST_START)
            alarms |= connects(s, r->minute * 60000 + d->start_ms, d->provider, level);
        if ((d->flags & MINUTE_DIGEST_OUTCOME) && d->outcome != MINUTE_OUTCOME_MIDSTREAM &&
            is_first(s, d->provider))
            alarms |= walks(
                s, d->outcome == MINUTE_OUTCOME_UNANSWERED || d->outcome == MINUTE_OUTCOME_REFUSED,
                level);
    }
    return alarms;
}
