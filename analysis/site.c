// Sight and coverage of the site. See site.h.
#include "site.h"

#include <math.h>
#include <string.h>

#include "detector.h"
#include "hash.h"

#define MINUTE_MS      60000
#define SIGHT_MINUTES  15    // a sensor silent for so long is not counted on
#define SIGHT_HALF_MIN 5.0   // what a sensor saw counts half after so many minutes
#define PAYLOAD_ENOUGH 65536 // octets, seen and missing, before they tell of directions
#define FLOWS_ENOUGH   20

static uint32_t declared_sight(const struct coverage *d)
{
    uint32_t seen = 0;
    if (d->port25 != COVERAGE_PORT25_BLOCKED_BEFORE)
        seen |= DETECTOR_PORT25;
    if (d->tier != COVERAGE_TIER_C)
        seen |= DETECTOR_HANDSHAKES;
    if (d->tier == COVERAGE_TIER_B)
        seen |= DETECTOR_OTHER_PORTS;
    if (d->sampling <= 1)
        seen |= DETECTOR_UNSAMPLED;
    if (d->profile == COVERAGE_FULL_ENVELOPE)
        seen |= DETECTOR_ENVELOPE;
    if (d->profile != COVERAGE_FLOW_ONLY)
        seen |= DETECTOR_OWN_DIALOGUE;
    return seen;
}

// Known by name and process; a table that is full forgets the one that was silent longest.
static struct site_sensor *sensor_of(struct site *s, const struct coverage *c)
{
    uint64_t id = hash_octets(c->sensor, strnlen(c->sensor, sizeof c->sensor), c->process);
    struct site_sensor *oldest = &s->sensor[0];
    for (size_t i = 0; i < SITE_SENSORS; i++) {
        struct site_sensor *n = &s->sensor[i];
        if (n->stamp != 0 && n->id == id)
            return n;
        if (n->stamp < oldest->stamp)
            oldest = n;
    }
    *oldest = (struct site_sensor){.id = id};
    return oldest;
}

// Which directions it shows, by what it saw of late. A mirror of both has hardly a flow that was answered
// unseen; one of a single direction misses about as many octets as it sees. Between the two, and with
// little traffic, stays what was: unanswered SYNs show one direction too, and rightly.
static uint8_t direction_of(const struct site_sensor *n)
{
    double all = n->octets + n->missing;
    if (all < PAYLOAD_ENOUGH)
        return n->direction;
    bool flows = n->flows >= FLOWS_ENOUGH;
    bool most = flows && n->one_sided >= 0.6 * n->flows;
    bool many = flows && n->one_sided >= 0.25 * n->flows && n->missing * 3 >= all;
    if (most || many || n->alarmed >= 0.8 * all)
        return SITE_ONE_DIRECTION;
    bool few = n->one_sided < 0.05 * n->flows || n->one_sided < 1;
    return few && n->missing < 0.05 * all && n->alarmed < 0.2 * all ? SITE_BOTH_DIRECTIONS
                                                                    : n->direction;
}

static void learn_direction(struct site_sensor *n, const struct coverage_minute *c, uint32_t stamp)
{
    if (stamp > n->stamp && n->stamp != 0) {
        double kept = exp2(-(double)(stamp - n->stamp) / SIGHT_HALF_MIN);
        n->octets *= kept;
        n->missing *= kept;
        n->alarmed *= kept;
        n->flows *= kept;
        n->one_sided *= kept;
    }
    double octets = (double)c->sum.seen_octets, missing = (double)c->sum.missing_octets;
    n->octets += octets;
    n->missing += missing;
    n->flows += (double)c->sum.tcp_flows;
    n->one_sided += (double)c->sum.one_sided_flows;
    if (c->alarms & COVERAGE_ONE_DIRECTION)
        n->alarmed += octets + missing;
    n->direction = direction_of(n);
}

// What the site sees is what one of the sensors sees that are there.
static void unite(struct site *s)
{
    uint32_t latest = 0, seen = 0;
    bool one = false, both = false;
    for (size_t i = 0; i < SITE_SENSORS; i++)
        latest = s->sensor[i].stamp > latest ? s->sensor[i].stamp : latest;
    for (size_t i = 0; i < SITE_SENSORS; i++) {
        const struct site_sensor *n = &s->sensor[i];
        if (n->stamp == 0 || latest - n->stamp >= SIGHT_MINUTES)
            continue;
        seen |= n->declared;
        one |= n->direction == SITE_ONE_DIRECTION;
        both |= n->direction == SITE_BOTH_DIRECTIONS;
    }
    s->one_direction = one && !both;
    s->needs_seen = seen | (s->one_direction ? 0 : DETECTOR_ANSWERS);
    s->flow_only = !(seen & DETECTOR_OWN_DIALOGUE);
    s->sampled = !(seen & DETECTOR_UNSAMPLED);
}

static void note_sight(struct site *s, const struct coverage_minute *c)
{
    uint32_t stamp = (uint32_t)c->minute + 1;
    struct site_sensor *n = sensor_of(s, &c->sum);
    learn_direction(n, c, stamp);
    if (stamp >= n->stamp) {
        n->declared = declared_sight(&c->sum);
        n->stamp = stamp;
    }
    unite(s);
}

// One more minute of the hour was watched.
static void note_hour(struct site *s, uint32_t stamp)
{
    size_t place = stamp % SITE_HOURS;
    if (stamp < s->hour[place])
        return;
    if (stamp > s->hour[place]) {
        s->hour[place] = stamp;
        s->hour_minutes[place] = 0;
    }
    s->hour_minutes[place]++;
}

void site_coverage(struct site *s, const struct coverage_minute *c)
{
    if (c->closed_by_timeout && c->seconds == 0)
        return;
    if (c->minute < 0 || c->minute >= UINT32_MAX)
        return;
    s->covered = true;
    note_sight(s, c);
    size_t place = (size_t)(c->minute % SITE_MINUTES);
    uint32_t stamp = (uint32_t)c->minute + 1;
    if (stamp < s->watched_minute[place])
        return;
    uint8_t seconds = c->seconds > 60 ? 60 : c->seconds;
    if (stamp > s->watched_minute[place]) {
        s->watched_minute[place] = stamp;
        s->watched_s[place] = 0;
    }
    if (s->watched_s[place] < 30 && seconds >= 30)
        note_hour(s, (uint32_t)(c->minute / 60) + 1);
    if (seconds > s->watched_s[place])
        s->watched_s[place] = seconds;
}

uint32_t site_sight(const struct site *s, int port25)
{
    uint32_t seen = s->covered ? s->needs_seen : UINT32_MAX;
    if (port25 == SITE_PORT25_BLOCKED_BEFORE)
        seen &= ~(uint32_t)DETECTOR_PORT25;
    return seen;
}

const char *site_why(uint32_t missing)
{
    if (missing & DETECTOR_PORT25)
        return "port 25 is blocked before the mirror, so attempts do not reach it";
    if (missing & DETECTOR_ANSWERS)
        return "the mirror shows one direction only, so answers are not seen";
    if (missing & DETECTOR_HANDSHAKES)
        return "a router's flow export (tier C) says nothing of handshakes";
    if (missing & DETECTOR_OTHER_PORTS)
        return "of ports of no mail only the ends of connections reach the mirror (tier A)";
    if (missing & DETECTOR_UNSAMPLED)
        return "packets are sampled, so most handshakes are missed";
    if (missing & DETECTOR_OWN_DIALOGUE)
        return "the legal profile flow-only forbids to look at any dialogue";
    if (missing & DETECTOR_ENVELOPE)
        return "the legal profile forbids to look at dialogues with others' servers";
    return "switched off in the configuration";
}

uint32_t site_hour_minutes(const struct site *s, int64_t hour_ms)
{
    if (!s->covered)
        return 60;
    // Zones half an hour off: the hour that holds its middle.
    uint32_t stamp = (uint32_t)((hour_ms + 30 * MINUTE_MS) / (60 * MINUTE_MS)) + 1;
    size_t place = stamp % SITE_HOURS;
    return s->hour[place] == stamp ? s->hour_minutes[place] : 0;
}

uint32_t site_watched(const struct site *s, int64_t from_ms, int64_t to_ms)
{
    if (to_ms <= from_ms)
        return 0;
    int64_t span_s = (to_ms - from_ms + 999) / 1000;
    if (span_s > 86400)
        span_s = 86400;
    if (!s->covered)
        return (uint32_t)span_s;
    int64_t first = (to_ms - span_s * 1000) / MINUTE_MS, last = (to_ms - 1) / MINUTE_MS;
    int64_t sum = 0;
    for (int64_t m = first < 0 ? 0 : first; m <= last; m++) {
        size_t place = (size_t)(m % SITE_MINUTES);
        if (s->watched_minute[place] == (uint32_t)m + 1)
            sum += s->watched_s[place];
        else if (m + 1 >= last)
            sum += 60; // still open: its coverage follows
    }
    return (uint32_t)(sum < span_s ? sum : span_s);
}
