// Coverage beside the RRD files: a small file a day, a fixed record a minute, zero where nobody
// watched. postern-series writes it from the journal, series_fetch reads it.
//
// coverage/YYYYMMDD.cov is the whole site's, coverage/sensor/NAME/YYYYMMDD.cov a sensor's: 1,440 records of 12 octets, big-endian: seconds watched (u32, 0-60), loss in
// parts per million (u32), alarms (u32, enum coverage_alarm). A short file is zero beyond its end.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct series_coverage_minute {
    uint32_t seconds;
    uint32_t loss_ppm;
    uint32_t alarms;
};

// Minute of the epoch; `sensor` NULL: of the whole site, merged by the caller. Negative errno.
int series_coverage_put(const char *rrd_dir, const char *sensor, int64_t minute,
                        const struct series_coverage_minute *m);

// `count` minutes from `first` on; minutes without a file are zero. Negative errno.
int series_coverage_get(const char *rrd_dir, const char *sensor, int64_t first, size_t count,
                        struct series_coverage_minute *out);

#define SERIES_SENSOR_WORD_MAX 33

// A sensor's name as one word, of a folder and of notes: itself when it is letters, digits and "-_.:", else
// its hash. A word's word is itself.
const char *series_sensor_word(const char *name, char out[static SERIES_SENSOR_WORD_MAX]);

// End of the last minute that was watched, in seconds. -ENOENT: none.
int series_coverage_end(const char *rrd_dir, int64_t *out_s);
