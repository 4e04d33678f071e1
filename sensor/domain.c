// Clones of a machine often have its id, and containers none: so the name of the host is in it as well.
#include "domain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/keyed_hash.h"

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

void domain_settle(const struct daemon *d, struct sensor_conf *c, bool stays)
{
    char machine[64], host[256] = "";
    if (c->domain != 0)
        return;
    read_machine_id(machine, sizeof machine);
    gethostname(host, sizeof host - 1);
    c->domain = stays ? 1 : domain_of(machine, host, daemon_value(d->args, "instance"), c->spool);
}

void domain_sandbox(struct sandbox *s)
{
    sandbox_read(s, MACHINE_ID);
}
