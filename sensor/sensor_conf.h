// The configuration section `sensor`: its table, and what it means in the units of the packet path.
#pragma once

#include "common/conf.h"
#include "common/daemon.h"
#include "export.h"
#include "flow.h"
#include "maillog/mail_conf.h"

struct sensor_conf {
    char *name;
    int64_t domain;
    int leg, nat, port25, tier;
    int legal_profile; // 0: not chosen; else enum coverage_profile + 1
    char *key_file;
    struct conf_strings interfaces;
    char *filter;
    int64_t snaplen, ring, ring_timeout, processes;
    int export;
    int64_t flows, dialogues, realms;
    struct conf_strings realm_layers;
    int64_t stream_memory, stream_flow_memory, gap_timeout;
    int64_t fragments, fragment_memory, fragment_timeout;
    int64_t syn_timeout, half_open_timeout, early_close, idle_timeout, closing_timeout;
    int64_t reset_linger, closed_timeout, udp_timeout, dns_timeout;
    int64_t duplicate_window, duplicate_entries;
    int64_t short_tls_octets;
    char *spool; // NULL: none
    int64_t spool_max;
    char *collector, *tls; // NULL: none
    struct mail_conf mail_log;
};

extern const struct conf_key sensor_conf_keys[];

#define SENSOR_INTERFACES_MAX 16
#define SENSOR_PROCESSES_MAX  64

// What the table cannot express. Each 0, or EX_CONFIG after having said all that is wrong.
int sensor_conf_check(const struct daemon *d);
int sensor_conf_check_live(const struct daemon *d); // no default where people's mail is looked at
int sensor_conf_check_spool(const struct daemon *d);

// Logs what is wrong with a key of the section ("mail_log.files"), with its place in the file; of one that is
// missing: with the place of what it is missing in.
void sensor_conf_wrong(const struct daemon *d, const char *key, const char *text);

// enum path_realm_layer bits; -1: a word that names no layer is put into `*wrong`.
int sensor_conf_realm_layers(const struct sensor_conf *c, const char **wrong);

// The table's sizes and times. `proto`, the prefix sets and the seed are the caller's.
struct flow_config sensor_conf_flow(const struct sensor_conf *c);
