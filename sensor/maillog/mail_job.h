// `postern-sensor --mail-log`: logs from files to records, and live.
#pragma once

#include "common/daemon.h"
#include "mail_conf.h"
#include "mail_log.h"
#include "sensor_conf.h"

// What both ways of reading stand on.
struct mail_setup {
    struct keyed_hash_key key;
    struct prefix_set *subscribers;
    struct network_file *networks;
    struct mailbox_map_writer *map;
    struct sink sink;
    struct mail_log *log;
    int64_t map_error_ms; // when the map could not be written last; 0: never
    int map_error;
};

// 0, or a sysexits code after having said why. `now_ms` names the year of stamps without one.
int mail_setup_open(struct daemon *d, const struct keyed_hash_key *key, uint8_t profile,
                    const char *output, int64_t now_ms, struct mail_setup *out);
// Everything but the sink's error, which is returned: negative errno.
int mail_setup_close(struct mail_setup *m);

// The file job: -r FILE ..., plain or compressed by gzip, in the order given; - is standard input.
int mail_job_run(struct daemon *d, const struct keyed_hash_key *key, uint8_t profile);
