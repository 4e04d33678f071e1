// See mail_check.h.
#include "maillog/mail_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/mailbox_map.h"
#include "sensor_conf.h"

// Labels of letters, digits, hyphens and underscores with single dots between, of other scripts any octets: what
// stands behind the "@" of an address.
static bool is_domain(const char *s)
{
    size_t label = 0;
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (c == '.' ? label == 0
                     : !letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c < 0x80)
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63)
            return false;
    }
    return label > 0;
}

// A file that cannot be opened is said by whoever opens all files that are named (conf_check_files).
static int check_key(const struct daemon *d, const char *path)
{
    struct mailbox_map_keys keys = {0};
    int rc = mailbox_map_load_public(path, &keys);
    if (rc == -EKEYREJECTED)
        sensor_conf_wrong(d, "mail_log.mailbox_map_key",
                          "is the secret key, which belongs to who opens names and not to the "
                          "sensor; give the public one");
    else if (rc == -EINVAL)
        sensor_conf_wrong(d, "mail_log.mailbox_map_key",
                          "is no key file; make a pair with: postern mailbox keys PUBLIC SECRET");
    return rc == -EKEYREJECTED || rc == -EINVAL ? EX_CONFIG : 0;
}

int mail_check(const struct daemon *d)
{
    const struct sensor_conf *c = d->conf;
    const struct mail_conf *m = &c->mail_log;
    int rc = 0;
    if (m->mailbox_domain && !is_domain(m->mailbox_domain)) {
        sensor_conf_wrong(d, "mail_log.mailbox_domain",
                          "is no domain; write what stands behind the \"@\", as example.net");
        rc = EX_CONFIG;
    }
    if (m->mailbox_map && !m->mailbox_map_key) {
        sensor_conf_wrong(d, "mail_log.mailbox_map",
                          "needs mailbox_map_key beside it, the key that seals the names; make a "
                          "pair with: postern mailbox keys PUBLIC SECRET");
        rc = EX_CONFIG;
    }
    if (m->mailbox_map_key && !m->mailbox_map) {
        sensor_conf_wrong(d, "mail_log.mailbox_map_key",
                          "seals nothing without mailbox_map; name the file that gets the names");
        rc = EX_CONFIG;
    }
    if (m->mailbox_map_key && check_key(d, m->mailbox_map_key) != 0)
        rc = EX_CONFIG;
    return rc;
}

int mail_check_live(const struct daemon *d)
{
    const struct sensor_conf *c = d->conf;
    int rc = sensor_conf_check_live(d);
    if (c->mail_log.files.count > 0 || c->mail_log.journal)
        return rc;
    sensor_conf_wrong(d, "mail_log.files",
                      "names no log; name some, set sensor.mail_log.journal, or give -r FILE");
    return EX_CONFIG;
}
