// See mail_check.h.
#include "maillog/mail_check.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

// ---- Places.

// The folder as it is called without links, and the name in it.
static bool place_of(const char *path, char folder[static PATH_MAX], char name[static NAME_MAX + 1])
{
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
        return false;
    snprintf(name, NAME_MAX + 1, "%s", basename(copy));
    snprintf(copy, sizeof copy, "%s", path);
    return realpath(dirname(copy), folder) != NULL;
}

static bool same(const char *a, const char *b)
{
    struct stat one, two;
    char folder[2][PATH_MAX], name[2][NAME_MAX + 1];
    bool there = stat(a, &one) == 0, both = stat(b, &two) == 0 && there;
    if (both)
        return one.st_dev == two.st_dev && one.st_ino == two.st_ino;
    return strcmp(a, b) == 0 ||
           (place_of(a, folder[0], name[0]) && place_of(b, folder[1], name[1]) &&
            strcmp(folder[0], folder[1]) == 0 && strcmp(name[0], name[1]) == 0);
}

size_t mail_check_repeats(const struct conf_strings *names, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (same(names->item[i], names->item[at]))
            return i;
    return at;
}

static bool has_folder(const char *path)
{
    char copy[PATH_MAX];
    struct stat st;
    snprintf(copy, sizeof copy, "%s", path);
    return stat(dirname(copy), &st) == 0 ? S_ISDIR(st.st_mode) : errno == EACCES;
}

static int check_file(const struct daemon *d, const struct conf_strings *names, size_t at)
{
    char key[40], text[PATH_MAX + 100];
    const char *path = names->item[at];
    size_t first = mail_check_repeats(names, at);
    struct stat st;
    snprintf(key, sizeof key, "mail_log.files[%zu]", at);
    if (!has_folder(path))
        snprintf(text, sizeof text, "%s: its folder is not there; correct the path", path);
    else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        snprintf(text, sizeof text, "%s: is %s; name the log itself", path,
                 S_ISDIR(st.st_mode) ? "a folder" : "no plain file");
    else if (first < at)
        snprintf(text, sizeof text, "%s: is the same file as %s; name it once", path,
                 names->item[first]);
    else
        return 0;
    sensor_conf_wrong(d, key, text);
    return EX_CONFIG;
}

static int check_folder(const struct daemon *d, const char *key, const char *path)
{
    char text[PATH_MAX + 100];
    if (!path || has_folder(path))
        return 0;
    snprintf(text, sizeof text, "%s: its folder is not there; make it, or correct the path", path);
    sensor_conf_wrong(d, key, text);
    return EX_CONFIG;
}

int mail_check_places(const struct daemon *d)
{
    const struct sensor_conf *c = d->conf;
    const struct mail_conf *m = &c->mail_log;
    int rc = 0;
    for (size_t i = 0; i < m->files.count; i++)
        rc = check_file(d, &m->files, i) ? EX_CONFIG : rc;
    // The default's folder is made by who installs the program.
    if (strcmp(m->state, MAIL_STATE_DEFAULT) != 0 && check_folder(d, "mail_log.state", m->state))
        rc = EX_CONFIG;
    rc = check_folder(d, "mail_log.mailbox_map", m->mailbox_map) ? EX_CONFIG : rc;
    if (m->files.count == 0 && !m->journal && (m->mailbox_domain || m->mailbox_map)) {
        sensor_conf_wrong(d, m->mailbox_domain ? "mail_log.mailbox_domain" : "mail_log.mailbox_map",
                          "is of logs, and none is named; name some in sensor.mail_log.files, or "
                          "set sensor.mail_log.journal: true");
        rc = EX_CONFIG;
    }
    return rc;
}
