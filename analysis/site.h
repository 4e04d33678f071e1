// What is true of the whole site: what the sensors can see, and when they watched. Whether mail fails for
// everybody, ballot.h says.
//
// Sight: the union over the sensors of the last quarter of an hour of what their coverage declares, and
// whether one of them shows both directions, by what they saw of late. With no coverage at all (a journal
// made by hand) everything counts as seen, and so do both directions before there was traffic enough to tell.
#pragma once

#include "common/daemon.h"
#include "common/minute.h"

#define SITE_MINUTES 1440
#define SITE_HOURS   1008 // six weeks

#define SITE_SENSORS 32 // processes

enum site_direction { SITE_DIRECTION_UNKNOWN, SITE_BOTH_DIRECTIONS, SITE_ONE_DIRECTION };

// One sensor process.
struct site_sensor {
    uint64_t id;
    uint32_t stamp;    // minute + 1 of its latest coverage; 0: none
    uint32_t declared; // enum detector_need, without the answers
    uint8_t direction; // enum site_direction
    // Counters of its coverage, faded: see SIGHT_HALF_MIN. `alarmed`: octets of minutes with the alarm "one
    // direction".
    double octets, missing, alarmed, flows, one_sided;
};

// Zeroed is valid: nothing seen.
struct site {
    struct site_sensor sensor[SITE_SENSORS];
    uint32_t needs_seen; // enum detector_need, union over sensors
    bool covered;        // a coverage minute was seen
    bool one_direction;  // of those that can tell, every sensor says so
    bool sampled;
    bool flow_only;
    uint32_t watched_minute[SITE_MINUTES]; // minute + 1
    uint8_t watched_s[SITE_MINUTES];
    uint32_t hour[SITE_HOURS]; // hours since 1970, + 1
    uint8_t hour_minutes[SITE_HOURS];
};

void site_coverage(struct site *s, const struct coverage_minute *c);

// enum detector_need: what is seen. `port25`: enum site_port25 of the configuration.
uint32_t site_sight(const struct site *s, int port25);

// Why a detector that needs `missing` cannot work: a sentence.
const char *site_why(uint32_t missing);

// Minutes watched of the hour that begins then, of the last six weeks; all of them when there is no coverage.
uint32_t site_hour_minutes(const struct site *s, int64_t hour_ms);

// Seconds watched between two times, at most a day; all of it when there is no coverage.
uint32_t site_watched(const struct site *s, int64_t from_ms, int64_t to_ms);
