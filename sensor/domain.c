// Clones of a machine often have its id, and containers none: so the name of the host is in it as well.
#include "domain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allotment.h"
#include "common/keyed_hash.h"
#include "common/log.h"

#define MACHINE_ID "/etc/machine-id"
#define FIRST      0x80000000u

uint32_t domain_of(const char *machine, const char *host, const char *instance, const char *spool)
{
    const char *const part[] = {machine, host, instance, spool};
    char text[4][600] = {""}, hash[33];
    // Each in a field of its own: what ends one cannot begin the next.
    for (size_t i = 0; i < 4; i++)
        snprintf(text[i], sizeof text[i], "%s", part[i] ? part[i] : "");
    hash_text(span_of(text, sizeof text), hash);
    hash[8] = '\0';
    uint32_t domain = FIRST | (uint32_t)strtoul(hash, NULL, 16);
    return domain > UINT32_MAX - SENSOR_PROCESSES_MAX ? domain - SENSOR_PROCESSES_MAX : domain;
}

static void read_machine_id(char *out, size_t size)
{
    FILE *f = fopen(MACHINE_ID, "re");
    if (!f || !fgets(out, (int)size, f))
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (f)
        fclose(f);
}

static int refuse(const struct sensor_conf *c, const char *text)
{
    log_error("sensor.domain: %s; see %s/" ALLOTMENT_FILE, text, c->tls);
    return EX_CONFIG;
}

static int judge(const struct sensor_conf *c, const struct allotment *given)
{
    char text[200];
    if (allotment_has(given, (uint32_t)c->domain, (uint32_t)c->processes))
        return 0;
    snprintf(text, sizeof text,
             "%lld is not among those this sensor was enrolled for; leave the key out, or enrol it "
             "again with --domains %lld",
             (long long)c->domain, (long long)c->domain);
    return refuse(c, text);
}

static int claim(const char *instance, struct sensor_conf *c, const struct allotment *given)
{
    char who[900], text[200];
    uint32_t first = 0;
    snprintf(who, sizeof who, "%s %s", instance ? instance : "-", c->spool ? c->spool : "-");
    int rc = allotment_claim(given, c->tls, who, (uint32_t)c->processes, &first);
    if (rc == 0) {
        c->domain = first;
        return 0;
    }
    if (rc == -ENOSPC)
        snprintf(
            text, sizeof text,
            "the enrolment has none left for this instance and its %lld processes; enrol it with "
            "more --domains, or with a folder sensor.tls of its own",
            (long long)c->processes);
    else
        snprintf(text, sizeof text, "none can be taken: %s", strerror(-rc));
    return refuse(c, text);
}

int domain_settle(const struct daemon *d, struct sensor_conf *c, bool stays)
{
    char machine[64], host[256] = "";
    struct allotment given;
    const char *instance = daemon_value(d->args, "instance");
    bool enrolled = !stays && c->tls && c->collector && strncmp(c->collector, "unix:", 5) != 0;
    int rc = enrolled ? allotment_read(c->tls, &given) : -ENOENT;
    if (rc == 0)
        return c->domain != 0 ? judge(c, &given) : claim(instance, c, &given);
    if (rc != -ENOENT)
        return refuse(c, rc == -EINVAL ? "the list of the enrolment is damaged; enrol it again"
                                       : strerror(-rc));
    if (c->domain != 0)
        return 0;
    read_machine_id(machine, sizeof machine);
    gethostname(host, sizeof host - 1);
    c->domain = stays ? 1 : domain_of(machine, host, instance, c->spool);
    return 0;
}

void domain_sandbox(struct sandbox *s)
{
    sandbox_read(s, MACHINE_ID);
}
