// What a mail-log source needs besides lines. See mail_job.h.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mailbox_map.h"
#include "domain.h"
#include "maillog/mail_job.h"

static int out_of_memory(void)
{
    log_error("out of memory; lower sensor.mail_log.messages or sensor.mail_log.sessions");
    return EX_OSERR;
}

static int open_map(const struct mail_conf *c, struct mail_setup *m)
{
    struct mailbox_map_keys keys = {0};
    if (!c->mailbox_map) // mail_check.h has looked at it and at its key
        return 0;
    int rc = mailbox_map_load_public(c->mailbox_map_key, &keys);
    if (rc < 0) {
        log_error("sensor.mail_log.mailbox_map_key: %s: %s", c->mailbox_map_key, strerror(-rc));
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
    int rc = mailbox_map_put(m->map, hash, name, loop_clock_ms());
    if (rc < 0)
        m->map_error = rc;
}

// A file's time is its own: it may be of last month, and pause for days.
static struct coverage declared(const struct sensor_conf *c, uint8_t profile, bool file)
{
    struct coverage d = {.leg = COVERAGE_LEG_SMARTHOST,
                         .alarms = file ? COVERAGE_REPLAY : 0,
                         .nat = (uint8_t)c->nat,
                         .port25 = (uint8_t)c->port25,
                         .tier = (uint8_t)c->tier,
                         .profile = profile,
                         .sampling = 1};
    snprintf(d.sensor, sizeof d.sensor, "%s", c->name);
    return d;
}

int mail_setup_open(struct daemon *d, uint8_t profile, bool wait, int64_t now_ms,
                    struct mail_setup *out)
{
    const struct sensor_conf *c = d->conf;
    const struct mail_conf *mc = &c->mail_log;
    // Stamps without a zone are the site's.
    setenv("TZ", d->site->timezone, 1);
    tzset();
    int rc = domain_settle(d, d->conf, daemon_has(d->args, "output") || !c->spool);
    if (rc == 0)
        rc = setup_sets(d->site, &out->job.subscribers, &out->job.smarthosts);
    if (rc == 0)
        rc = setup_key(d, &out->key);
    if (rc == 0 && network_file_load(d->site->provider_file, stderr, &out->networks) != 0)
        rc = EX_CONFIG;
    if (rc == 0)
        rc = open_map(mc, out);
    if (rc == 0)
        rc = setup_sink(d, 0, &out->job.sink);
    if (rc == 0)
        rc = setup_outlet(d, 0, wait, &out->job);
    if (rc != 0)
        return rc;
    struct mail_log_config config = {
        .join = {.key = &out->key,
                 .subscribers = out->job.subscribers,
                 .mailbox_domain = mc->mailbox_domain,
                 .profile = profile,
                 .messages = (uint32_t)mc->messages,
                 .sessions = (uint32_t)mc->sessions,
                 .mailbox = out->map ? on_mailbox : NULL,
                 .mailbox_ctx = out},
        .emit = {.sink = out->job.sink.kind ? &out->job.sink : NULL,
                 .networks = out->networks,
                 .declared = declared(c, profile, wait),
                 .domain = (uint32_t)c->domain},
        .format = mc->format,
        .now_ms = now_ms,
    };
    out->log = mail_log_new(&config);
    return out->log ? 0 : out_of_memory();
}

void mail_setup_close(struct mail_setup *m)
{
    mail_log_free(m->log);
    setup_free(&m->job);
    mailbox_map_close(m->map);
    network_file_free(m->networks);
    *m = (struct mail_setup){0};
}
