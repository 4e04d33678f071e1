// All rings of all processes are opened and joined by the first, emptied, and then divided by fork.
#include "live_setup.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/log.h"
#include "domain.h"
#include "fanout.h"
#include "live.h"
#include "ring_filter.h"

#define LINE_OCTETS 65536

size_t live_interfaces(const struct daemon *d, const char **out, size_t max)
{
    const struct sensor_conf *c = d->conf;
    size_t given = daemon_count(d->args, "interface"), n = given ? given : c->interfaces.count;
    for (size_t i = 0; i < n && i < max; i++)
        out[i] = given ? daemon_nth(d->args, "interface", i) : c->interfaces.item[i];
    return n;
}

// As the kernel has it: no path, no space, and a name at all.
static bool may_name_interface(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < IFNAMSIZ && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strcspn(name, "/: \t\n\v\f\r") == len;
}

// --check of what is opened live: nothing is opened, but nothing is left to be found at a start by night.
int live_check(const struct daemon *d)
{
    const struct sensor_conf *c = d->conf;
    int rc = 0;
    for (size_t i = 0; i < c->interfaces.count; i++) {
        char key[40];
        if (may_name_interface(c->interfaces.item[i]))
            continue;
        snprintf(key, sizeof key, "interfaces[%zu]", i);
        sensor_conf_wrong(d, key,
                          "names no interface: a name has at most 15 letters, no \"/\", no space");
        rc = EX_CONFIG;
    }
    if (!daemon_has(d->args, "check") || c->interfaces.count == 0)
        return rc;
    int conf = sensor_conf_check_live(d), spool = sensor_conf_check_spool(d);
    return rc ? rc : conf ? conf : spool;
}

static int judge_args(const struct daemon *d, size_t interfaces)
{
    const struct sensor_conf *c = d->conf;
    const char *print = daemon_value(d->args, "print");
    if (interfaces > SENSOR_INTERFACES_MAX) {
        log_error("%zu interfaces are too many for one sensor; start another for those above %d",
                  interfaces, SENSOR_INTERFACES_MAX);
        return EX_USAGE;
    }
    if (print && strcmp(print, "flows") != 0) {
        log_error("--print knows only flows; see postern-sensor --help");
        return EX_USAGE;
    }
    if (print || daemon_has(d->args, "output") || daemon_has(d->args, "status") || c->spool)
        return 0;
    // Who starts it by its configuration alone has to mend that, who gives an interface the command.
    if (!daemon_has(d->args, "interface"))
        return sensor_conf_check_spool(d);
    log_error("there is nowhere to write records to; set sensor.spool, or give -o RECORDS");
    return EX_USAGE;
}

// A filter that names no layer sees bare IP and what has one tag beside the frame; nothing else.
static void warn_of_filter(const char *filter)
{
    if (ring_filter_names_layers(filter))
        return;
    log_warning(
        "sensor.filter \"%s\" sees nothing under VLAN tags (QinQ), PPPoE or MPLS: write it for "
        "them (\"... or (vlan and ...) or (pppoes and ...)\"), or leave it out",
        filter);
}

static int exit_code(int error)
{
    switch (error) {
    case -EPERM: return EX_NOPERM;
    case -ENODEV: return EX_NOINPUT;
    case -EINVAL: return EX_CONFIG;
    case -ENOMEM: return EX_OSERR;
    default: return EX_UNAVAILABLE;
    }
}

static int open_one(const struct sensor_conf *c, const char *interface, struct ring **out)
{
    char text[RING_TEXT_MAX];
    struct ring_setup setup = {.interface = interface,
                               .snaplen = (uint32_t)c->snaplen,
                               .buffer = c->ring,
                               .timeout_ms = (int)c->ring_timeout,
                               .filter = c->filter};
    int rc = ring_open(&setup, out, text);
    if (rc == 0)
        return 0;
    log_error("%s", text);
    return exit_code(rc);
}

// `rings`: interface by interface, the processes' rings side by side.
static int open_rings(const struct sensor_conf *c, const char *const *interface, size_t interfaces,
                      size_t processes, struct ring **rings)
{
    int fd[SENSOR_PROCESSES_MAX];
    for (size_t i = 0; i < interfaces; i++) {
        struct ring **of = rings + i * processes;
        for (size_t k = 0; k < processes; k++) {
            int rc = open_one(c, interface[i], &of[k]);
            if (rc != 0)
                return rc;
            fd[k] = ring_fd(of[k]);
        }
        int rc = processes > 1 ? fanout_join(fd, processes) : 0;
        if (rc != 0) {
            log_error("%s: frames cannot be shared out: %s; set sensor.processes to 1",
                      interface[i], strerror(-rc));
            return EX_UNAVAILABLE;
        }
    }
    // What came before the last had joined may be in several.
    for (size_t n = 0; processes > 1 && n < interfaces * processes; n++)
        ring_drain(rings[n]);
    return 0;
}

// The rings of this process stay, the others' are closed here.
static void take_rings(struct live *l, struct ring **rings, size_t interfaces, size_t processes,
                       int own)
{
    for (size_t i = 0; i < interfaces; i++) {
        for (size_t k = 0; k < processes; k++) {
            if ((int)k == own)
                l->intake.ring[l->intake.rings++] = rings[i * processes + k];
            else
                ring_close(rings[i * processes + k]);
        }
    }
}

static int divide(struct live *l, struct ring **rings, size_t interfaces, size_t processes)
{
    int own = 0;
    if (processes > 1) {
        l->board = board_new(processes);
        own = l->board ? workers_fork(l->board, processes, &l->workers) : -ENOMEM - 1;
        if (own < -1) {
            log_error("processes cannot be started: %s; lower sensor.processes",
                      strerror(-own - 1));
            take_rings(l, rings, interfaces, processes, -1);
            return EX_OSERR;
        }
    }
    take_rings(l, rings, interfaces, processes, own);
    l->process = own > 0 ? (uint16_t)own : 0;
    l->d->unasked = processes > 1 && own >= 0;
    return 0;
}

static int open_path(struct live *l)
{
    struct daemon *d = l->d;
    int rc = setup_sets(d->site, &l->job.subscribers, &l->job.smarthosts);
    return rc == 0 ? setup_sink(d, l->process, &l->job.sink) : rc;
}

// Interfaces, records and their hashes need nothing new: all is open. What is left is the spool, and the
// status behind the end.
void live_sandbox(const struct daemon *d, struct sandbox *s)
{
    const struct live *l = d->state;
    if (!l)
        return;
    sandbox_allow(s, SANDBOX_PACKETS);
    if (l->board)
        sandbox_allow(s, SANDBOX_PROCESSES);
    setup_sandbox(d, !l->workers, s);
}

int live_setup(struct daemon *d, struct live *l)
{
    const struct sensor_conf *c = d->conf;
    const char *interface[SENSOR_INTERFACES_MAX];
    size_t interfaces = live_interfaces(d, interface, SENSOR_INTERFACES_MAX);
    size_t processes = (size_t)c->processes;
    l->d = d;
    int rc = domain_settle(d, d->conf, false);
    if (rc == 0)
        rc = sensor_conf_check_live(d);
    if (rc == 0)
        rc = judge_args(d, interfaces);
    if (rc != 0)
        return rc;
    if (c->filter)
        warn_of_filter(c->filter);
    // Now, while files can be read: by day or by night is the site's.
    setenv("TZ", d->site->timezone, 1);
    tzset();
    struct ring **rings = calloc(interfaces * processes, sizeof(struct ring *));
    if (!rings)
        return setup_out_of_memory();
    rc = open_rings(c, interface, interfaces, processes, rings);
    if (rc == 0)
        rc = divide(l, rings, interfaces, processes);
    else
        take_rings(l, rings, interfaces, processes, -1);
    free(rings);
    // A line of --print goes out whole, whoever else writes.
    setvbuf(stdout, NULL, _IOLBF, LINE_OCTETS);
    if (rc == 0)
        rc = setup_key(
            d, &l->key); // the first of several has it to tell whether it is another at a reload
    return rc == 0 && !l->workers ? open_path(l) : rc;
}
