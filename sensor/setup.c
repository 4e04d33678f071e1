// Errors are said here, once, with the key that mends them.
#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "domain.h"
#include "renew.h"

int setup_out_of_memory(void)
{
    log_error("out of memory; lower sensor.flows, sensor.dialogues, sensor.stream_memory or "
              "sensor.ring");
    return EX_OSERR;
}

static int add_list(struct prefix_set *set, const struct conf_prefixes *list)
{
    for (size_t i = 0; i < list->count; i++) {
        int rc = prefix_set_add(set, &list->item[i], 0);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int setup_sets(const struct conf_site *site, struct prefix_set **subscribers,
               struct prefix_set **smarthosts)
{
    struct prefix_set *ours = prefix_set_new(), *theirs = prefix_set_new();
    int rc = ours && theirs ? add_list(theirs, &site->smarthosts) : -ENOMEM;
    if (rc == 0)
        rc = site->subscribers.count > 0 ? add_list(ours, &site->subscribers)
                                         : prefix_set_add_private(ours, 0);
    if (rc != 0) {
        prefix_set_free(ours);
        prefix_set_free(theirs);
        return setup_out_of_memory();
    }
    prefix_set_freeze(ours);
    prefix_set_freeze(theirs);
    *subscribers = ours;
    *smarthosts = theirs;
    return 0;
}

int setup_key(const struct daemon *d, struct keyed_hash_key *out)
{
    const struct sensor_conf *c = d->conf;
    char place[CONF_PLACE_MAX];
    if (!c->key_file) {
        *out = keyed_hash_key_replay();
        return 0;
    }
    int rc = keyed_hash_key_load(c->key_file, out);
    if (rc == 0)
        return 0;
    conf_place(daemon_config_path(d->args), "sensor.key_file", place);
    log_error("%ssensor.key_file: %s: %s", place, c->key_file,
              rc == -EPERM    ? "others may read it; chmod 600"
              : rc == -EINVAL ? "has no line \"ID HEX64\"; write one"
              : rc == -ENOENT ? "is not there; take the site's key from another sensor, or write a "
                                "line \"ID HEX64\""
              : rc == -EACCES ? "the sensor's user may not read it; chown it to site.user"
              : rc == -EISDIR ? "is a folder; name the file in it"
                              : strerror(-rc));
    return EX_CONFIG;
}

int setup_sink(const struct daemon *d, uint16_t process, struct sink *out)
{
    const struct sensor_conf *c = d->conf;
    const char *output = daemon_value(d->args, "output");
    char path[4096];
    if (!output)
        return 0;
    int n = process == 0 ? snprintf(path, sizeof path, "%s", output)
                         : snprintf(path, sizeof path, "%s.%u", output, process);
    int rc = n >= 0 && (size_t)n < sizeof path
                 ? sink_file_open(path, (uint32_t)c->domain + process, out)
                 : -ENAMETOOLONG;
    if (rc == 0)
        return 0;
    log_error("%s: %s; choose another output", output, strerror(-rc));
    return EX_CANTCREAT;
}

int setup_outlet(const struct daemon *d, uint16_t process, bool wait, struct job *j)
{
    const struct sensor_conf *c = d->conf;
    if (j->sink.kind || !c->spool)
        return 0;
    int rc = outlet_open(c, process, &j->outlet);
    if (rc == 0)
        j->sink = outlet_sink(j->outlet, wait);
    return rc;
}

void setup_free(struct job *j)
{
    sensor_free(j->sensor);
    sink_close(&j->sink);
    outlet_close(j->outlet);
    prefix_set_free(j->subscribers);
    prefix_set_free(j->smarthosts);
    *j = (struct job){0};
}

// ---- What a daemon may do behind its start.

// Looking up the collector's name, and connecting to it. A Unix socket needs neither.
static void may_send(struct sandbox *s, const struct sensor_conf *c)
{
    static const char *const files[] = {
        "/etc/resolv.conf", "/etc/hosts",    "/etc/nsswitch.conf", "/etc/host.conf",
        "/etc/gai.conf",    "/etc/services", "/etc/ssl",           NULL};
    const char *port = c->collector ? strrchr(c->collector, ':') : NULL;
    if (!port || strncmp(c->collector, "unix:", 5) == 0)
        return;
    sandbox_allow(s, SANDBOX_NETWORK);
    sandbox_connect(s, (uint16_t)strtoul(port + 1, NULL, 10));
    sandbox_connect(s, 53);
    sandbox_write(s, c->tls); // its certificate is renewed there
    if (c->tls && renew_port(c->tls) != 0)
        sandbox_connect(s, renew_port(c->tls));
    for (size_t i = 0; files[i]; i++)
        sandbox_read(s, files[i]);
}

void setup_sandbox(const struct daemon *d, bool sends, struct sandbox *s)
{
    const struct sensor_conf *c = d->conf;
    sandbox_allow(s, SANDBOX_WRITES);
    sandbox_make(s, daemon_value(d->args, "status"));
    domain_sandbox(s); // for a reload
    if (!c->spool || !sends)
        return;
    sandbox_make(s, c->spool);
    may_send(s, c);
}
