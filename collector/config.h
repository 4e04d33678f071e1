// Section `collector` of the configuration.
#pragma once

#include "common/conf.h"

struct collector_conf {
    int64_t digests;
    int64_t early_outcomes, early_connections;
    int64_t silent_after; // ms
    int64_t future_max;   // ms
    int64_t late_max;     // ms
    int64_t ahead_max;    // ms
    int64_t flows, subscribers, sketches;
    int64_t long_flow; // ms
    bool log_envelopes;
    char *leases;                   // NULL: none
    struct conf_list lease_sources; // struct lease_source_conf
    char *lease_history;            // NULL: not kept
    int64_t lease_days;
    int64_t journal_days, journal_size; // size 0: no bound
    char *journal_keys;                 // NULL: not encrypted
    int64_t segment_size;
    // Live.
    struct conf_strings listen;
    char *journal; // NULL: given by -j
    char *intake;
    int64_t intake_keep; // ms
    int64_t intake_max;
    int64_t sessions, session_rate;
    struct conf_prefixes exporters;
    char *ca;     // NULL: no TLS
    char *enroll; // address; NULL: no enrolment
    struct conf_strings server_names;
    int64_t certificate_days;
};

extern const struct conf_key collector_conf_keys[];
