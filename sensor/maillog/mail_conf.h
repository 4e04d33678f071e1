// The configuration section `sensor.mail_log`.
#pragma once

#include "common/conf.h"

#define MAIL_STATE_DEFAULT "/var/lib/postern/mail-log.json"

struct mail_conf {
    struct conf_strings files;
    int format; // enum mail_log_format
    bool journal;
    char *journal_command;
    char *state;
    char *mailbox_domain;
    char *mailbox_map;
    char *mailbox_map_key;
    int64_t messages, sessions;
    int64_t warm_up;
};

extern const struct conf_key mail_conf_keys[];
