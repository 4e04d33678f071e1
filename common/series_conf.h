// What the section `series` of a configuration says: postern-series writes by it, and who reads a folder of RRD
// files finds there where it is and what still holds minutes of it.
#pragma once

#include "common/conf.h"

struct series_conf {
    char *journal;
    char *rrd;
    int64_t settle_ms;
    int64_t creations_a_minute;
    int64_t burst_connections;
    int64_t waiting_minutes;
    int64_t waiting_total;
    int64_t keys;
    int layout;
    char *rrdcached;
    int64_t poll_ms;
};

extern const struct conf_key series_conf_keys[];
