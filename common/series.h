// Minute series of a subscriber as RRD files, and the one way to read them.
//
// RRD files are derived from the journal and can be rebuilt. Updates are sparse; unobserved time is
// unknown, never zero; silence in observed time is zero. What is which, the coverage decides, in
// series_fetch alone. docs/formats/series.md.
#pragma once

#include "common/coverage.h"
#include "common/identity.h"

#define SERIES_LAYOUT_VERSION 3
#define SERIES_STEP_S         60
#define SERIES_HEARTBEAT_S    (366 * 86400)

enum series_source {
    SERIES_ESTABLISHED,
    SERIES_REFUSED,
    SERIES_UNANSWERED, // with ICMP-rejected and closed early
    SERIES_PEERS,      // distinct MX and submission peers of the minute
    SERIES_MESSAGES,
    SERIES_RECIPIENTS,
    SERIES_SOCKS_IN,
    SERIES_SOCKS_OUT,
    SERIES_SOURCES,
};

// The same places of a sensor's series: what it says of itself in coverage, a minute.
enum series_sensor_source {
    SERIES_SENSOR_PACKETS,
    SERIES_SENSOR_OCTETS,
    SERIES_SENSOR_DROPPED, // by card and ring
    SERIES_SENSOR_TCP_FLOWS,
    SERIES_SENSOR_MAIL_FLOWS,
    SERIES_SENSOR_SUBSCRIBER_FLOWS,
    SERIES_SENSOR_RECORDS,
    SERIES_SENSOR_LOSS_PPM,
};

struct series_archive {
    int32_t step_s;
    int32_t rows;
};

#define SERIES_ARCHIVES 4
// Full: 1 min x 1 d, 10 min x 7 d, 1 h x 31 d, 1 d x 366 as AVERAGE, all but the first as MAX too (a
// minute is its own maximum): 371 kB a file. Reduced, for subscribers by the hundred thousand: 4 h,
// 2 d, 14 d, 366 d: 150 kB. The steps are the same.
enum series_layout { SERIES_FULL, SERIES_REDUCED, SERIES_LAYOUTS };
extern const struct series_archive series_archives[SERIES_LAYOUTS][SERIES_ARCHIVES];

// A folder belongs to one site, whose own series has this name whatever the site is called.
#define SERIES_SITE_NAME "site"

enum series_kind { SERIES_SUBSCRIBER, SERIES_SITE, SERIES_POP, SERIES_CLASS, SERIES_SENSOR };

const char *series_kind_name(enum series_kind kind); // "subscriber", "site", "pop", ...
int series_kind_parse(const char *name);             // -EINVAL

// RRD data source name: "established", ...; of a sensor "packets", ...
const char *series_source_name_of(enum series_kind kind, unsigned source);
const char *series_source_name(unsigned source); // of a subscriber

#define SERIES_PATH_MAX 256

// Relative path below the RRD folder: two levels of 256 folders by hash, then a name that is the
// key's text with '/' as '_' when short and safe, else its hash.
const char *series_path(enum series_kind kind, const char *name, char out[static SERIES_PATH_MAX]);
// What a file says of whose it is, so that one copied over another is noticed: 64 bits of the BLAKE2b of
// its relative path.
uint64_t series_identity(const char *relative_path);

// Means are over the time that was watched: average x minutes is what was counted, and never more.
struct series_sample {
    int64_t t_s;                    // end of the interval it stands for
    double average[SERIES_SOURCES]; // NaN: unknown
    double maximum[SERIES_SOURCES];
    uint32_t loss_ppm;
    uint32_t minutes;   // of the interval that the values stand for: those that were watched
    uint32_t watched_s; // seconds with a coverage record
    bool observed;      // in part at least
    bool others;        // before or after the party's own time: nothing of it is told
};

// Sums over samples: what was counted, in how many minutes, and how much of the time was watched.
struct series_total {
    double counted;     // NaN: nothing is known
    uint64_t minutes;   // counted / minutes is the mean
    uint64_t watched_s; // out of
    uint64_t span_s;    // the samples' time up to `until_s`, without that of other parties
};

// Of one source; `until_s` 0: to the last sample's end.
struct series_total series_sum(const struct series_sample *s, size_t count, int32_t step_s,
                               unsigned source, int64_t until_s);
// "all", "none", else "43.2 %", rounded down: of how much of its time a total speaks.
#define SERIES_SHARE_MAX 16
const char *series_share(const struct series_total *t, char out[static SERIES_SHARE_MAX]);

struct series_range {
    int64_t start_s, end_s; // aligned outwards to `step_s` by series_fetch
    int32_t step_s;         // 0: the finest that covers the range in at most 1,500 points
    // A party sees only its own time: what lies before and after is unknown. 0: no such limit.
    int64_t own_start_s, own_end_s;
};

// The values of a range, as they are now known: rows of the file, amendments that came after, zero
// where somebody watched and nothing was written, unknown where nobody did.
// On success `*out` is an array of `*count` samples, oldest first, which the caller frees.
// -ENOENT: there never was a series of this name; -ENODATA: its file is gone; -EIO, -EPROTO: it is damaged, or of
// another layout.
int series_fetch(const char *rrd_dir, enum series_kind kind, const char *name,
                 struct series_range *range, struct series_sample **out, size_t *count);

// Such a code in a sentence: the file below the folder, what is wrong, and what mends it.
#define SERIES_EXPLAIN_MAX 320
const char *series_explain(enum series_kind kind, const char *name, int code,
                           char out[static SERIES_EXPLAIN_MAX]);

// When the file last took a value; 0: none. -ENOENT, -ENODATA as above.
int series_last(const char *rrd_dir, enum series_kind kind, const char *name, int64_t *out_s);

// Whose a key was, as far as the journal said; oldest first. No file, no lease: none.
struct series_lease {
    int64_t start_s, end_s; // 0: lasts
    char party[PARTY_TEXT_MAX];
};

int series_leases(const char *rrd_dir, enum series_kind kind, const char *name,
                  struct series_lease **out, size_t *count);

// Names of the POPs, classes or sensors that have a series: an array of texts, one block to free.
#define SERIES_NAMES_MAX 4096
int series_names(const char *rrd_dir, enum series_kind kind, char ***out, size_t *count);
// Notes the name of one; what is there already is not written again.
int series_names_add(const char *rrd_dir, enum series_kind kind, const char *name);

// Band of what the sensors of a series watched between two times; used by graphs for hatching.
struct series_band {
    int64_t start_s, end_s;
    bool observed;
    uint32_t loss_ppm;
    uint32_t alarms; // enum coverage_alarm
};

// Of a subscriber: of the sensors that see it, as far as known; else of the whole site.
int series_coverage(const char *rrd_dir, enum series_kind kind, const char *name, int64_t start_s,
                    int64_t end_s, struct series_band **out, size_t *count);

// "now-24h", "now", an epoch, or RFC 3339, against `now_s`; units s m h d w y (of 366 days). -EINVAL.
int series_parse_time(const char *text, int64_t now_s, int64_t *out_s);
