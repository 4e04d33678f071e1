// The keys of a lease source, and what each kind needs of them.
#include "lease_conf.h"

#include <errno.h>

#include "common/identity.h"

#define AT(member) offsetof(struct lease_source_conf, member)

static const char *const kinds[] = {"csv",         "radius",        "kea",        "isc",
                                    "cgnat-table", "cgnat-formula", "prefix-map", NULL};
static const char *const parties[] = {"auto",  "user", "mac",       "remote-id", "circuit-id",
                                      "class", "port", "client-id", NULL};

const struct conf_key lease_source_keys[] = {
    {.name = "kind",
     .type = CONF_ENUM,
     .offset = AT(kind),
     .names = kinds,
     .help = "What speaks: lease CSV, RADIUS accounting, Kea's or ISC's lease file, CGNAT port "
             "blocks, a dated map of prefixes."},
    {.name = "path",
     .type = CONF_PATH,
     .offset = AT(path),
     .opens = CONF_OPENS_FILE,
     .optional = true,
     .help = "The file (every kind but radius and cgnat-formula)."},
    {.name = "listen",
     .type = CONF_STRING,
     .offset = AT(listen),
     .optional = true,
     .help = "radius: address and UDP port, such as 192.0.2.1:1813."},
    {.name = "clients",
     .type = CONF_PREFIX_LIST,
     .offset = AT(clients),
     .optional = true,
     .help = "radius: who may send; others are refused and counted."},
    {.name = "secret_file",
     .type = CONF_PATH,
     .offset = AT(secret_file),
     .opens = CONF_OPENS_FILE,
     .optional = true,
     .help = "radius: file whose first line is the clients' secret."},
    {.name = "party",
     .type = CONF_ENUM,
     .offset = AT(party),
     .names = parties,
     .def = "auto",
     .help = "What names the line: radius user, DHCP remote-id or else the MAC, unless said here."},
    {.name = "realm",
     .type = CONF_STRING,
     .offset = AT(realm),
     .def = "",
     .help = "Realm of the addresses."},
    {.name = "pop",
     .type = CONF_STRING,
     .offset = AT(pop),
     .max = LEASE_NAME_MAX - 1,
     .def = "",
     .help = "POP of the lines."},
    {.name = "class",
     .type = CONF_STRING,
     .offset = AT(network_class),
     .max = LEASE_NAME_MAX - 1,
     .def = "",
     .help = "Network class of the lines."},
    {.name = "interim",
     .type = CONF_DURATION,
     .offset = AT(interim),
     .min = 60000,
     .max = 86400000,
     .def = "30m",
     .help = "radius: how often a session is seen again when packets do not say; stale after twice "
             "this."},
    {.name = "outside",
     .type = CONF_PREFIX_LIST,
     .offset = AT(outside),
     .max = 1,
     .optional = true,
     .help = "cgnat-formula: the pool of outside addresses, one IPv4 prefix."},
    {.name = "inside",
     .type = CONF_PREFIX_LIST,
     .offset = AT(inside),
     .max = 1,
     .optional = true,
     .help = "cgnat-formula: the inside addresses, one IPv4 prefix."},
    {.name = "inside_realm",
     .type = CONF_STRING,
     .offset = AT(inside_realm),
     .def = "",
     .help = "CGNAT: realm of the inside addresses."},
    {.name = "ports",
     .type = CONF_INT,
     .offset = AT(ports),
     .min = 0,
     .max = 65535,
     .def = "0",
     .unit = "ports",
     .help = "cgnat-formula: ports of a subscriber; 0: as many as each can have."},
    {.name = "reserved",
     .type = CONF_INT,
     .offset = AT(reserved),
     .min = 0,
     .max = 65535,
     .def = "1024",
     .unit = "ports",
     .help = "cgnat-formula: ports from 0 that belong to nobody."},
    {0},
};

struct check {
    const char *path;
    FILE *errors;
    size_t number;
    const struct lease_source_conf *source;
    int rc;
};

static void need(struct check *c, bool there, const char *key, const char *text)
{
    if (there)
        return;
    char place[CONF_PLACE_MAX], name[80];
    snprintf(name, sizeof name, "collector.lease_sources[%zu].%s", c->number - 1, key);
    conf_place(c->path, name, place);
    fprintf(c->errors, "%scollector.lease_sources: entry %zu (%s): %s %s\n", place, c->number,
            kinds[c->source->kind], key, text);
    c->rc = -EINVAL;
}

static void check_party(struct check *c)
{
    bool radius = c->source->kind == LEASE_KIND_RADIUS;
    bool dhcp = c->source->kind == LEASE_KIND_KEA || c->source->kind == LEASE_KIND_ISC;
    switch (c->source->party) {
    case LEASE_PARTY_USER:
    case LEASE_PARTY_CLASS:
    case LEASE_PARTY_PORT:
        need(c, radius, "party", "user, class and port are RADIUS's; use auto");
        break;
    case LEASE_PARTY_CLIENT_ID: need(c, dhcp, "party", "client-id is DHCP's; use auto"); break;
    case LEASE_PARTY_AUTO: break;
    default: need(c, radius || dhcp, "party", "is in the file itself; leave it out"); break;
    }
}

static void check_source(struct check *c)
{
    const struct lease_source_conf *s = c->source;
    bool formula = s->kind == LEASE_KIND_CGNAT_FORMULA, radius = s->kind == LEASE_KIND_RADIUS;
    const char *outer = realm_check(s->realm), *inner = realm_check(s->inside_realm);
    need(c, !outer, "realm", outer);
    need(c, !inner, "inside_realm", inner);
    need(c, s->path || formula || radius, "path", "is missing; name the file");
    check_party(c);
    if (radius) {
        need(c, s->listen, "listen",
             "is missing; write an address and port, such as 192.0.2.1:1813");
        need(c, s->clients.count > 0, "clients", "is missing; list who may send");
        need(c, s->secret_file, "secret_file", "is missing; name the file with the shared secret");
    }
    if (formula) {
        need(c, s->outside.count == 1, "outside", "is missing; write one IPv4 prefix");
        need(c, s->inside.count == 1, "inside", "is missing; write one IPv4 prefix");
    }
}

int lease_conf_check(const struct conf_list *sources, const char *path, FILE *errors)
{
    struct check c = {.path = path, .errors = errors};
    for (size_t i = 0; i < sources->count; i++) {
        c.source = (const struct lease_source_conf *)sources->item + i;
        c.number = i + 1;
        check_source(&c);
    }
    return c.rc;
}
