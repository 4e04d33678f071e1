// What detectors share. See detector.h.
#include "detector.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

// States begin where any type of theirs may stand.
#define ALIGN(n) (((n) + 7) / 8 * 8)

// Octets of the states of one sort, of the detectors before `index`.
static size_t sum_of(unsigned whose, size_t index)
{
    size_t sum = 0;
    for (size_t i = 0; i < index && detectors[i]; i++)
        sum += detectors[i]->whose == whose ? ALIGN(detectors[i]->state_size) : 0;
    return sum;
}

size_t detector_state_offset(size_t index)
{
    unsigned whose = detectors[index]->whose;
    size_t before = sum_of(whose, index);
    return whose == DETECTOR_OF_ALL ? before : sum_of(DETECTOR_OF_ALL, DETECTORS_MAX) + before;
}

size_t detector_state_size(void)
{
    size_t lines = sum_of(DETECTOR_OF_LINES, DETECTORS_MAX);
    size_t mailboxes = sum_of(DETECTOR_OF_MAILBOXES, DETECTORS_MAX);
    size_t size = sum_of(DETECTOR_OF_ALL, DETECTORS_MAX) + (lines > mailboxes ? lines : mailboxes);
    assert(size <= DETECTOR_STATES_MAX);
    return size;
}

const char *detector_span(int64_t seconds, char out[static DETECTOR_SPAN_MAX])
{
    static const struct {
        int64_t seconds, from;
        const char *name;
    } units[] = {{86400, 172800, "day"}, {3600, 3600, "hour"}, {60, 120, "minute"}};
    long long n = seconds < 1 ? 1 : seconds;
    const char *name = "second";
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (seconds < units[i].from)
            continue;
        n = (seconds + units[i].seconds / 2) / units[i].seconds;
        name = units[i].name;
        break;
    }
    snprintf(out, DETECTOR_SPAN_MAX, "%lld %s%s", n, name, n == 1 ? "" : "s");
    return out;
}

uint32_t detector_classes_of(const struct window *w, int64_t now_ms)
{
    switch (window_kind(w, now_ms)) {
    case WINDOW_BOUNCES: return DETECTOR_CLASS(VERDICT_BACKSCATTER);
    case WINDOW_PROBES: return DETECTOR_CLASS(VERDICT_HARVESTER);
    case WINDOW_LOGINS: return DETECTOR_CLASS(VERDICT_AUTH_GUESSING);
    default:
        return DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT) | DETECTOR_CLASS(VERDICT_SOCKS_RELAY) |
               DETECTOR_CLASS(VERDICT_OPEN_RELAY);
    }
}

uint32_t detector_class_of_mail(const struct window *w, int64_t now_ms)
{
    enum { DAY_S = 86400 };
    uint64_t own = window_sum(w, FEATURE_OWN_RCPT_OK, now_ms, DAY_S) +
                   window_sum(w, FEATURE_OWN_MESSAGES, now_ms, DAY_S);
    uint64_t other = window_sum(w, FEATURE_OTHER_RCPT_OK, now_ms, DAY_S) +
                     window_sum(w, FEATURE_OTHER_MESSAGES, now_ms, DAY_S);
    uint64_t direct = window_sum(w, FEATURE_MX_RCPT_OK, now_ms, DAY_S) +
                      window_sum(w, FEATURE_MX_MESSAGES, now_ms, DAY_S);
    if (own + other + direct == 0)
        return 0;
    if (own >= other && own >= direct)
        return DETECTOR_CLASS(VERDICT_SPAMBOT_SMARTHOST);
    return other >= direct ? DETECTOR_CLASS(VERDICT_COMPROMISED_ACCOUNT)
                           : DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT);
}

const char *detector_role_text(enum role role)
{
    switch (role) {
    case ROLE_MAIL_SERVER: return "a mail server";
    case ROLE_UNKNOWN: return "a line that may have a mail server";
    default: return "a household without a mail server";
    }
}

bool detector_is_wide(uint8_t *rows, const struct minute_row *r)
{
    enum { ELSEWHERE = 3, STAYS = 10 }; // times as many; rows
    uint64_t failed[MINUTE_ROLES];
    for (size_t role = 0; role < MINUTE_ROLES; role++) {
        const uint64_t *n = r->counter[role][MINUTE_OUT];
        failed[role] = n[MINUTE_unanswered] + n[MINUTE_refused] + n[MINUTE_icmp_rejected];
    }
    if (failed[MINUTE_OTHER] > ELSEWHERE * (failed[MINUTE_ACCESS] + failed[MINUTE_SUBMISSION]))
        *rows = STAYS;
    else if (*rows > 0)
        --*rows;
    return *rows > 0;
}

double detector_excess(double measured, double limit, double at_limit, double per_doubling,
                       double cap)
{
    if (limit <= 0 || measured <= limit)
        return 0;
    double weight = at_limit + per_doubling * log2(measured / limit);
    return weight < cap ? weight : cap;
}

int64_t detector_first(const struct window *w, const enum feature *features, size_t count,
                       int64_t now_ms, int32_t window_s)
{
    int64_t earliest = now_ms;
    for (size_t i = 0; i < count; i++) {
        int64_t t = window_first(w, features[i], now_ms, window_s);
        if (t < earliest)
            earliest = t;
    }
    return earliest;
}

int64_t detector_last(const struct window *w, const enum feature *features, size_t count,
                      int64_t now_ms, int32_t window_s)
{
    int64_t latest = 0;
    for (size_t i = 0; i < count; i++) {
        if (window_sum(w, features[i], now_ms, window_s) == 0)
            continue;
        int64_t t = window_last(w, features[i], now_ms);
        if (t > latest)
            latest = t;
    }
    return latest > 0 ? latest : now_ms;
}

struct detector_finding detector_finding_of(const struct detector_descriptor *d, double measured,
                                            double limit, const char *unit, int32_t window_s,
                                            double log_odds)
{
    struct detector_finding f = {.ceiling = VERDICT_QUARANTINE, .raw = d->raw};
    struct verdict_evidence *e = &f.evidence;
    snprintf(e->detector, sizeof e->detector, "%s", d->name);
    snprintf(e->unit, sizeof e->unit, "%s", unit);
    e->family = d->family;
    e->measured = measured;
    e->limit = limit;
    e->window_s = window_s;
    e->log_odds = log_odds;
    return f;
}
