// What a mail-log source needs besides lines. See mail_job.h.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/mailbox_map.h"
#include "mail_job.h"

static int out_of_memory(void)
{
    log_error("out of memory; lower sensor.mail_log.messages or sensor.mail_log.sessions");
    return EX_OSERR;
}

static int make_subscribers(struct daemon *d, struct mail_setup *m)
{
    const struct conf_prefixes *list = &d->site->subscribers;
    m->subscribers = prefix_set_new();
    int rc = m->subscribers ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < list->count; i++)
        rc = prefix_set_add(m->subscribers, &list->item[i], 0);
    if (rc == 0 && list->count == 0)
        rc = prefix_set_add_private(m->subscribers, 0);
    if (rc != 0)
        return out_of_memory();
    prefix_set_freeze(m->subscribers);
    return 0;
}

static int open_map(const struct mail_conf *c, struct mail_setup *m)
{
    struct mailbox_map_keys keys = {0};
    if (!c->mailbox_map)
        return 0;
    if (!c->mailbox_map_key) {
        log_error("sensor.mail_log.mailbox_map needs sensor.mail_log.mailbox_map_key; "
                  "make a pair with: postern mailbox keys");
        return EX_CONFIG;
    }
    int rc = mailbox_map_load_public(c->mailbox_map_key, &keys);
    if (rc < 0) {
        log_error("sensor.mail_log.mailbox_map_key: %s: %s", c->mailbox_map_key,
                  rc == -EINVAL
                      ? "has no line of 64 hex digits; make a pair with: postern mailbox keys"
                      : strerror(-rc));
        return EX_CONFIG;
    }
    rc = mailbox_map_open(c->mailbox_map, &keys, &m->map);
    if (rc < 0)
        log_error("sensor.mail_log.mailbox_map: %s: %s", c->mailbox_map, strerror(-rc));
    return rc < 0 ? EX_CANTCREAT : 0;
}

static void on_mailbox(void *ctx, const struct keyed_hash *hash, struct span name)
{
    struct mail_setup *m = ctx;
    int rc = mailbox_map_put(m->map, hash, name, (int64_t)time(NULL) * 1000);
    if (rc < 0)
        m->map_error = rc;
}

static struct coverage declared(const struct sensor_conf *c, uint8_t profile)
{
    struct coverage d = {.leg = COVERAGE_LEG_SMARTHOST,
                         .nat = (uint8_t)c->nat,
                         .port25 = (uint8_t)c->port25,
                         .tier = (uint8_t)c->tier,
                         .profile = profile,
                         .sampling = 1};
    snprintf(d.sensor, sizeof d.sensor, "%s", c->name);
    return d;
}

int mail_setup_open(struct daemon *d, const struct keyed_hash_key *key, uint8_t profile,
                    const char *output, int64_t now_ms, struct mail_setup *out)
{
    const struct sensor_conf *c = d->conf;
    const struct mail_conf *mc = &c->mail_log;
    // Stamps without a zone are the site's.
    setenv("TZ", d->site->timezone, 1);
    tzset();
    out->key = *key;
    int rc = make_subscribers(d, out);
    if (rc == 0 && network_file_load(d->site->provider_file, stderr, &out->networks) != 0)
        rc = EX_CONFIG;
    if (rc == 0)
        rc = open_map(mc, out);
    if (rc == 0 && output) {
        int error = sink_file_open(output, (uint32_t)c->domain, &out->sink);
        if (error != 0) {
            log_error("%s: %s; choose another output", output, strerror(-error));
            rc = EX_CANTCREAT;
        }
    }
    if (rc != 0)
        return rc;
    struct mail_log_config config = {
        .join = {.key = &out->key,
                 .subscribers = out->subscribers,
                 .mailbox_domain = mc->mailbox_domain,
                 .profile = profile,
                 .messages = (uint32_t)mc->messages,
                 .sessions = (uint32_t)mc->sessions,
                 .mailbox = out->map ? on_mailbox : NULL,
                 .mailbox_ctx = out},
        .emit = {.sink = out->sink.kind ? &out->sink : NULL,
                 .networks = out->networks,
                 .declared = declared(c, profile),
                 .domain = (uint32_t)c->domain},
        .format = mc->format,
        .now_ms = now_ms,
    };
    out->log = mail_log_new(&config);
    return out->log ? 0 : out_of_memory();
}

int mail_setup_close(struct mail_setup *m)
{
    mail_log_free(m->log);
    int rc = sink_close(&m->sink);
    mailbox_map_close(m->map);
    network_file_free(m->networks);
    prefix_set_free(m->subscribers);
    *m = (struct mail_setup){0};
    return rc;
}
