// The scenario's tables, and the step from its texts to numbers.
#include "scenario.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

#include "common/timefmt.h"
#include "families/registry.h"

#define NET(member) offsetof(struct scenario_network, member)
#define MIR(member) offsetof(struct scenario_mirror, member)
#define SCN(member) offsetof(struct scenario, member)

static const char *const port25_names[] = {"open", "blocked-before", "blocked-after", NULL};

static const struct conf_key network_keys[] = {
    {.name = "home",
     .type = CONF_PREFIX_LIST,
     .offset = NET(home),
     .def = "[10.20.0.0/16]",
     .help = "IPv4 ranges of homes"},
    {.name = "business",
     .type = CONF_PREFIX_LIST,
     .offset = NET(business),
     .def = "[10.30.0.0/22]",
     .help = "IPv4 ranges of lines with a static address"},
    {.name = "shared",
     .type = CONF_PREFIX_LIST,
     .offset = NET(shared),
     .def = "[100.64.8.0/22]",
     .help = "IPv4 ranges behind the ISP's own translation (seen before it)"},
    {.name = "v6",
     .type = CONF_PREFIX_LIST,
     .offset = NET(v6),
     .def = "[\"2001:db8::/40\"]",
     .help = "IPv6 ranges; every line gets a /56"},
    {.name = "v6_share",
     .type = CONF_REAL,
     .offset = NET(v6_share),
     .max = 1,
     .def = "0.4",
     .help = "share of lines that have IPv6"},
    {.name = "smarthost",
     .type = CONF_STRING,
     .offset = NET(smarthost),
     .def = "198.51.100.25",
     .help = "the ISP's outbound mail server"},
    {.name = "resolver",
     .type = CONF_STRING,
     .offset = NET(resolver),
     .def = "198.51.100.53",
     .help = "the ISP's resolver"},
    {.name = "mail",
     .type = CONF_STRING,
     .offset = NET(mail),
     .def = "198.51.100.110",
     .help = "the ISP's IMAP and POP3 server"},
    {.name = "domain",
     .type = CONF_STRING,
     .offset = NET(domain),
     .def = "coastnet.example",
     .help = "the ISP's domain"},
    {.name = "hosting",
     .type = CONF_PREFIX_LIST,
     .offset = NET(hosting),
     .def = "[192.0.2.0/24, 203.0.113.0/24]",
     .help = "networks of hosting providers"},
    {.name = "port25",
     .type = CONF_ENUM,
     .offset = NET(port25),
     .names = port25_names,
     .def = "open",
     .help = "what the operator declares about port 25 (for --config-out)"},
    {.name = "source_validated",
     .type = CONF_BOOL,
     .offset = NET(source_validated),
     .def = "true",
     .help = "what the operator declares about spoofed sources (for --config-out)"},
    {.name = NULL}};

static const struct conf_key mirror_keys[] = {{.name = "wrap",
                                               .type = CONF_ENUM,
                                               .offset = MIR(wrap),
                                               .names = wrap_names,
                                               .def = "none",
                                               .help = "what lies around the packets"},
                                              {.name = "doubled",
                                               .type = CONF_REAL,
                                               .offset = MIR(doubled),
                                               .max = 1,
                                               .def = "0",
                                               .help = "share of packets that come twice"},
                                              {.name = "loss",
                                               .type = CONF_REAL,
                                               .offset = MIR(loss),
                                               .max = 1,
                                               .def = "0",
                                               .help = "share of packets the mirror loses"},
                                              {.name = "direction",
                                               .type = CONF_ENUM,
                                               .offset = MIR(direction),
                                               .names = mirror_direction_names,
                                               .def = "both",
                                               .help = "which direction is mirrored"},
                                              {.name = "snaplen",
                                               .type = CONF_INT,
                                               .offset = MIR(snaplen),
                                               .min = 40,
                                               .max = 262144,
                                               .def = "262144",
                                               .unit = "octets",
                                               .help = "octets kept of a frame"},
                                              {.name = NULL}};

static const struct conf_key path_keys[] = {{.name = "loss",
                                             .type = CONF_REAL,
                                             .offset = offsetof(struct scenario_path, loss),
                                             .max = 0.3,
                                             .def = "0.001",
                                             .help = "share of TCP segments lost on their way"},
                                            {.name = "reorder",
                                             .type = CONF_REAL,
                                             .offset = offsetof(struct scenario_path, reorder),
                                             .max = 0.3,
                                             .def = "0.0003",
                                             .help = "share of TCP segments overtaken by the next"},
                                            {.name = NULL}};

static const struct conf_key head_keys[] = {{.name = "name",
                                             .type = CONF_STRING,
                                             .offset = SCN(name),
                                             .def = "unnamed",
                                             .help = "name of the scenario"},
                                            {.name = "start",
                                             .type = CONF_STRING,
                                             .offset = SCN(start),
                                             .def = "2026-03-02T00:00:00Z",
                                             .help = "when the capture begins, RFC 3339"},
                                            {.name = "lasts",
                                             .type = CONF_DURATION,
                                             .offset = SCN(lasts_ms),
                                             .min = 1000,
                                             .max = 366.0 * 86400000,
                                             .def = "24h",
                                             .help = "length of the capture"},
                                            {.name = "timezone",
                                             .type = CONF_STRING,
                                             .offset = SCN(timezone),
                                             .def = "UTC",
                                             .help = "IANA name, for --config-out"},
                                            {.name = "utc_offset",
                                             .type = CONF_INT,
                                             .offset = SCN(utc_offset_min),
                                             .min = -720,
                                             .max = 840,
                                             .def = "0",
                                             .unit = "minutes",
                                             .help = "of the subscribers' clocks"},
                                            {.name = "network",
                                             .type = CONF_SECTION,
                                             .offset = SCN(network),
                                             .sub = network_keys,
                                             .help = "the ISP"},
                                            {.name = "mirror",
                                             .type = CONF_SECTION,
                                             .offset = SCN(mirror),
                                             .sub = mirror_keys,
                                             .help = "the SPAN port"},
                                            {.name = "path",
                                             .type = CONF_SECTION,
                                             .offset = SCN(path),
                                             .sub = path_keys,
                                             .help = "the way between the ends"}};

const struct conf_key *scenario_keys(void)
{
    enum { HEAD = sizeof head_keys / sizeof *head_keys };
    static struct conf_key parties[SCENARIO_FAMILIES_MAX + 1], keys[HEAD + 2];
    if (keys[0].name)
        return keys;
    for (size_t i = 0; i < SCENARIO_FAMILIES_MAX && families[i]; i++)
        parties[i] = (struct conf_key){.name = families[i]->name,
                                       .type = CONF_LIST,
                                       .offset = i * sizeof(struct conf_list),
                                       .optional = true,
                                       .help = families[i]->help,
                                       .sub = families[i]->keys,
                                       .sub_size = families[i]->size};
    memcpy(keys, head_keys, sizeof head_keys);
    keys[HEAD] = (struct conf_key){.name = "parties",
                                   .type = CONF_SECTION,
                                   .offset = SCN(parties),
                                   .sub = parties,
                                   .help = "who is there"};
    return keys;
}

int scenario_load(const char *path, struct scenario *out, FILE *errors)
{
    const struct conf_section section = {.name = "scenario", .keys = scenario_keys(), .out = out};
    memset(out, 0, sizeof *out);
    int rc = conf_load(path, &section, 1, errors);
    return rc == 0 ? 0 : rc == -EINVAL ? EX_CONFIG : rc == -ENOMEM ? EX_OSERR : EX_NOINPUT;
}

int scenario_default(struct scenario *out, FILE *errors)
{
    return scenario_load(NULL, out, errors);
}

void scenario_free(struct scenario *s)
{
    conf_free(scenario_keys(), s);
}

static int address(const char *file, const char *key, const char *text, struct ip_addr *out,
                   FILE *errors)
{
    if (ip_parse(text, out) == 0 && out->family == IP_V4)
        return 0;
    fprintf(errors,
            "%s: scenario.network.%s: \"%s\" is no IPv4 address; write it like 198.51.100.25\n",
            file, key, text);
    return EX_CONFIG;
}

int scenario_apply(const struct scenario *s, const char *file, struct run *run, FILE *errors)
{
    int64_t start_ms;
    if (time_parse(s->start, &start_ms) < 0 || start_ms < 0) {
        fprintf(errors,
                "%s: scenario.start: \"%s\" is no time; write it like 2026-03-02T00:00:00Z\n", file,
                s->start);
        return EX_CONFIG;
    }
    run->start_ns = start_ms * NS_PER_MS;
    run->end_ns = run->start_ns + s->lasts_ms * NS_PER_MS;
    run->utc_offset_ns = s->utc_offset_min * 60 * NS_PER_S;
    run->isp.domain = s->network.domain;
    run->home = s->network.home.count > 0 ? s->network.home.item[0] : (struct ip_prefix){0};
    run->mirror = (struct mirror){.doubled = s->mirror.doubled,
                                  .loss = s->mirror.loss,
                                  .direction = s->mirror.direction,
                                  .snaplen = s->mirror.snaplen};
    run->loss = s->path.loss;
    run->reorder = s->path.reorder;
    int rc = address(file, "smarthost", s->network.smarthost, &run->isp.smarthost, errors);
    if (rc == 0)
        rc = address(file, "resolver", s->network.resolver, &run->isp.resolver, errors);
    if (rc == 0)
        rc = address(file, "mail", s->network.mail, &run->isp.mail, errors);
    return rc;
}

static struct ip_addr add(struct ip_addr a, size_t at, uint64_t n)
{
    for (size_t i = at + 1; i-- > 0 && n > 0;) {
        n += a.octet[i];
        a.octet[i] = (uint8_t)n;
        n >>= 8;
    }
    return a;
}

// A line's number within its ranges: from its name, so that others coming and going do not move it.
static struct ip_addr line_address(const struct conf_prefixes *ranges, uint64_t h, uint8_t unit)
{
    const struct ip_prefix *range = &ranges->item[h % ranges->count];
    uint8_t bits = unit > range->len ? (uint8_t)(unit - range->len) : 0;
    uint64_t lines = bits < 40 ? 1ull << bits : 1ull << 40;
    // Neither the network's own address nor the last one.
    uint64_t n = lines > 3 ? 1 + (h >> 8) % (lines - 2) : (h >> 8) % lines;
    if (range->addr.family == IP_V4)
        return add(range->addr, 3, n);
    struct ip_addr a = add(range->addr, 6, n); // the /56 ends behind the seventh octet
    a.octet[15] = 0x10;
    return a;
}

int scenario_party(const struct scenario *s, struct run *run, const struct family *f,
                   const struct family_common *c, int64_t i, unsigned attempt, struct party *out,
                   FILE *errors)
{
    char name[PARTY_NAME_MAX];
    if (c->count > 1)
        snprintf(name, sizeof name, "%.50s-%lld", c->name, (long long)i + 1);
    else
        snprintf(name, sizeof name, "%.50s", c->name);
    party_init(out, run, f->name, name);
    out->class = f->class;
    out->link.wrap = (enum wrap)s->mirror.wrap;
    out->outside = f->place == FAMILY_OUTSIDE;
    enum family_place place = f->place;
    if (c->line != LINE_USUAL && !out->outside)
        place = c->line == LINE_HOME       ? FAMILY_HOME
                : c->line == LINE_BUSINESS ? FAMILY_BUSINESS
                                           : FAMILY_SHARED;
    const struct conf_prefixes *ranges = place == FAMILY_HOME       ? &s->network.home
                                         : place == FAMILY_BUSINESS ? &s->network.business
                                                                    : &s->network.shared;
    if (out->outside) {
        out->v4 = run->isp.smarthost;
    } else if (c->address) {
        if (ip_parse(c->address, &out->v4) < 0 || out->v4.family != IP_V4) {
            fprintf(errors, "party %s: \"%s\" is no IPv4 address\n", name, c->address);
            return EX_CONFIG;
        }
        out->v4 = add(out->v4, 3, (uint64_t)i);
    } else if (ranges->count > 0) {
        out->v4 = line_address(ranges, rng_hash(attempt, name, 3), 32);
    } else {
        fprintf(errors,
                "party %s: its range in scenario.network is empty; give one, or an address\n",
                name);
        return EX_CONFIG;
    }
    if (s->network.v6.count > 0 && place != FAMILY_SHARED && !out->outside &&
        (double)(rng_hash(0, name, 4) % 1000) < s->network.v6_share * 1000)
        out->v6 = line_address(&s->network.v6, rng_hash(attempt, name, 5), 56);
    out->from_ns = run->start_ns + c->start_ms * NS_PER_MS;
    if (c->lasts_ms > 0 && out->from_ns + c->lasts_ms * NS_PER_MS < run->end_ns)
        out->until_ns = out->from_ns + c->lasts_ms * NS_PER_MS;
    return 0;
}
