// `postern-sensor --mail-log`: logs from files to records, and live.
#pragma once

#include "maillog/mail_conf.h"
#include "maillog/mail_log.h"
#include "setup.h"

// What both ways of reading stand on.
struct mail_setup {
    struct job job; // prefix sets and sink; no packet path
    struct keyed_hash_key key;
    struct network_file *networks;
    struct mailbox_map_writer *map;
    struct mail_log *log;
    int map_error; // the last of writing names; 0: none
};

// 0, or a sysexits code after having said why. `wait` as outlet_sink. `now_ms` names the year of stamps
// without one.
int mail_setup_open(struct daemon *d, uint8_t profile, bool wait, int64_t now_ms,
                    struct mail_setup *out);
void mail_setup_close(struct mail_setup *m);

// The file job: -r FILE ..., plain or compressed by gzip, in the order of their first stamps; - is standard input, and with
// it the order is the given one. A file named twice is read once.
int mail_job(struct daemon *d);
