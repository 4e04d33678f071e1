// The packet path, from a frame to records: decapsulation, fragments, flow table, export, coverage. One
// process, one thread; packet time alone drives it, so the same frames give the same records.
#pragma once

#include <stdio.h>

#include "common/control.h"
#include "sensor_conf.h"
#include "source.h"

struct sensor;

struct sensor_setup {
    const struct sensor_conf *conf;
    const struct prefix_set *subscribers; // borrowed
    const struct prefix_set *smarthosts;  // borrowed
    struct keyed_hash_key key;
    uint8_t profile;   // enum coverage_profile
    struct sink *sink; // borrowed; NULL: none
    FILE *print;       // NULL: nothing is printed
    // ---- Live only; zero for captures.
    bool live;        // packets come as they are seen: no replay
    uint16_t process; // of a port that several share
    bool has_smarthosts;
    uint64_t hash_seed; // of the flow table; 0: the fixed one of replays
    // Before each second's coverage: the losses are to be told (sensor_losses).
    void (*second)(void *ctx, struct sensor *s, int64_t t_us);
    void *second_ctx;
    // Once a frame, when it is counted: what comes behind the batch can be fetched from memory. NULL: nothing.
    void (*fetch)(void *ctx);
    void *fetch_ctx;
};

// Cumulative, as ring.h counts them.
struct sensor_losses {
    uint64_t card, ring, oversized;
};

struct sensor *sensor_new(const struct sensor_setup *setup); // NULL: out of memory
void sensor_free(struct sensor *s);
// Times that go back count as the latest seen.
void sensor_frame(struct sensor *s, const struct source_frame *frame);
// The same for several in a row, which costs less a frame.
void sensor_frames(struct sensor *s, const struct source_frame *frame, size_t count);
// All frames of a source, until its end or the first error of writing. Flows that are open where an input ends too
// early are marked.
void sensor_read(struct sensor *s, struct source *source);
// Packet time moves without a packet (live: an idle link).
void sensor_advance(struct sensor *s, int64_t t_us);
// The time until `t_us` was not watched: what was due happens, and no coverage is said for it.
void sensor_skip(struct sensor *s, int64_t t_us);
void sensor_losses(struct sensor *s, const struct sensor_losses *losses);
// Alarms that only who captures can know (enum coverage_alarm), until they are set anew.
void sensor_alarms(struct sensor *s, uint32_t alarms);
// Declarations, times and prefixes of another configuration. Sizes, key and profile stay as they were.
void sensor_declare(struct sensor *s, const struct sensor_conf *conf,
                    const struct prefix_set *subscribers, const struct prefix_set *smarthosts,
                    bool has_smarthosts);
// Ends every flow and says the last coverage.
void sensor_finish(struct sensor *s);
// First error of writing, negative errno; 0: none.
int sensor_error(const struct sensor *s);
// Counters, skipped layers, problems and time. `told`: alarms (enum coverage_alarm) that another has told already.
void sensor_status(const struct sensor *s, uint32_t told, struct control_status *out);
const struct stats *sensor_stats(const struct sensor *s);
// Packets that could not be opened: how many, and in words.
uint64_t sensor_skipped(const struct sensor *s, char *text, size_t size);
// Live: the alarms of the last coverage; what contradicts the declarations, in words ("": nothing).
uint32_t sensor_present_alarms(const struct sensor *s);
const char *sensor_contradiction(const struct sensor *s);
