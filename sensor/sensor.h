// The packet path, from a frame to records: decapsulation, fragments, flow table, export, coverage. One
// process, one thread; packet time alone drives it, so the same frames give the same records.
#pragma once

#include <stdio.h>

#include "common/control.h"
#include "sensor_conf.h"
#include "source.h"

struct sensor_setup {
    const struct sensor_conf *conf;
    const struct prefix_set *subscribers; // borrowed
    const struct prefix_set *smarthosts;  // borrowed
    struct keyed_hash_key key;
    uint8_t profile;   // enum coverage_profile
    struct sink *sink; // borrowed; NULL: none
    FILE *print;       // NULL: nothing is printed
};

struct sensor;

struct sensor *sensor_new(const struct sensor_setup *setup); // NULL: out of memory
void sensor_free(struct sensor *s);
// Times that go back count as the latest seen.
void sensor_frame(struct sensor *s, const struct source_frame *frame);
// The same for several in a row, which costs less a frame.
void sensor_frames(struct sensor *s, const struct source_frame *frame, size_t count);
// All frames of a source, until its end or the first error of writing.
void sensor_read(struct sensor *s, struct source *source);
// Packet time moves without a packet (live: an idle link).
void sensor_advance(struct sensor *s, int64_t t_us);
// Ends every flow and says the last coverage.
void sensor_finish(struct sensor *s);
// First error of writing, negative errno; 0: none.
int sensor_error(const struct sensor *s);
// Counters, skipped layers, problems and time.
void sensor_status(const struct sensor *s, struct control_status *out);
const struct stats *sensor_stats(const struct sensor *s);
