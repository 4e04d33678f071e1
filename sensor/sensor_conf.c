// The table of the section `sensor`. Defaults are those of a sensor for some 100,000 lines with the
// mail ports mirrored; memory is taken as it is used.
#include "sensor_conf.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/transport.h"
#include "path.h"

#define FIELD(member) offsetof(struct sensor_conf, member)

static const char *const leg_names[] = {"access", "smarthost", "transit", "pni", NULL};
static const char *const nat_names[] = {"inside", "outside", NULL};
static const char *const port25_names[] = {"open", "blocked-before", "blocked-after", NULL};
static const char *const tier_names[] = {"a", "b", "c", NULL};
static const char *const export_names[] = {"all", "mail", NULL};
static const char *const profile_names[] = {"not-chosen", "flow-only", "own-smarthost-content",
                                            "full-envelope", NULL};

#define NUMBER(key, low, high, value, of, text)                                        \
    {                                                                                  \
        .name = #key, .type = CONF_INT, .offset = FIELD(key), .min = low, .max = high, \
        .def = value, .unit = of, .help = text                                         \
    }
#define OCTETS(key, low, high, value, text)                                             \
    {                                                                                   \
        .name = #key, .type = CONF_SIZE, .offset = FIELD(key), .min = low, .max = high, \
        .def = value, .help = text                                                      \
    }
#define TIME(key, low, high, value, text)                                                   \
    {                                                                                       \
        .name = #key, .type = CONF_DURATION, .offset = FIELD(key), .min = low, .max = high, \
        .def = value, .help = text                                                          \
    }
#define CHOICE(key, list, value, text)                                                      \
    {                                                                                       \
        .name = #key, .type = CONF_ENUM, .offset = FIELD(key), .def = value, .names = list, \
        .help = text                                                                        \
    }

#define S 1000
#define M (60 * S)

const struct conf_key sensor_conf_keys[] = {
    {.name = "name",
     .type = CONF_STRING,
     .offset = FIELD(name),
     .min = 1,
     .max = COVERAGE_NAME_MAX - 1,
     .def = "sensor",
     .help = "Name of this sensor in coverage, status and reports."},
    NUMBER(domain, 0, 4294967295.0, "0", NULL,
           "Observation domain: a number of its own for each sensor process of the site; 0: one "
           "that the enrolment gave, else made of the "
           "machine's id and name, the instance and the spool, 1 for records that go to a file."),
    CHOICE(leg, leg_names, "access", "Where the mirrored link stands."),
    CHOICE(nat, nat_names, "inside", "On which side of address translation the mirror stands."),
    CHOICE(port25, port25_names, "open",
           "Whether port 25 is blocked for subscribers, and on which side of the mirror."),
    CHOICE(tier, tier_names, "b",
           "What is mirrored: a mail ports and handshakes, b everything, c router IPFIX."),
    CHOICE(legal_profile, profile_names, "not-chosen",
           "What may be looked at; must be chosen before a live capture starts."),
    {.name = "key_file",
     .type = CONF_PATH,
     .offset = FIELD(key_file),
     .opens = CONF_OPENS_KEY,
     .optional = true,
     .help = "File with the site key (ID HEX64) of the hashes of names; none: the replay key."},
    {.name = "interfaces",
     .type = CONF_STRING_LIST,
     .offset = FIELD(interfaces),
     .max = SENSOR_INTERFACES_MAX,
     .optional = true,
     .help = "Interfaces to capture from, when the command line names neither these nor captures."},
    {.name = "filter",
     .type = CONF_STRING,
     .offset = FIELD(filter),
     .optional = true,
     .help =
         "BPF filter of live captures; sees nothing under VLAN tags or PPPoE unless written for "
         "them."},
    OCTETS(snaplen, 128, 262144, "256k", "Longest frame that is captured whole."),
    OCTETS(ring, 1 << 20, 2047 << 20, "64M", "Capture ring of each interface and process."),
    TIME(ring_timeout, 1, S, "100ms", "After this long a block of the ring is read, full or not."),
    NUMBER(processes, 1, SENSOR_PROCESSES_MAX, "1", "processes",
           "Processes that share the frames of each interface; each takes a domain, from "
           "sensor.domain upwards, and tables and rings of its own."),
    CHOICE(export, export_names, "all",
           "Flows to tell of: mail, SOCKS, logins and MX queries; all: and every subscriber's."),
    NUMBER(flows, 1024, 100e6, "1048576", "flows", "Connections followed at once."),
    NUMBER(dialogues, 64, 16e6, "65536", "dialogues",
           "Connections whose octets are followed at once; a quarter is kept for mail ports."),
    NUMBER(realms, 16, 16e6, "65536", "realms",
           "Realms, and different stacks of layers, known at once."),
    {.name = "realm_layers",
     .type = CONF_STRING_LIST,
     .offset = FIELD(realm_layers),
     .optional = true,
     .help = "Layers that name the realm: vlan, qinq, pppoe, mpls, vni, l2tp, gtp, b4, or none; "
             "without the key: b4."},
    OCTETS(stream_memory, 65536, 64e9, "64M", "Held TCP segments of all connections."),
    OCTETS(stream_flow_memory, 4096, 64e6, "256k", "Held TCP segments of one connection."),
    TIME(gap_timeout, 1, M, "500ms",
         "How long octets acknowledged but not seen are waited for; slow dialogues: ten times "
         "this."),
    NUMBER(fragments, 16, 1e6, "1024", "datagrams", "Fragmented datagrams joined at once."),
    OCTETS(fragment_memory, 65536, 1e9, "4M", "Content of fragmented datagrams."),
    TIME(fragment_timeout, S, 2 * M, "30s", "How long fragments wait for the rest."),
    TIME(syn_timeout, 100, M, "4s", "After its first SYN an attempt without answer is unanswered."),
    TIME(half_open_timeout, S, 10 * M, "70s",
         "After its last SYN an attempt is over; SYNs until then are retransmissions."),
    TIME(early_close, S, 10 * M, "10s",
         "Silence after the handshake after which a connection counts as closed early."),
    TIME(idle_timeout, 10 * S, 1440 * M, "15m", "Silence after which a connection is over."),
    TIME(closing_timeout, S, 60 * M, "60s", "The same when one side has closed."),
    TIME(reset_linger, 1, 10 * S, "1s", "How long packets behind a reset or close are counted."),
    TIME(closed_timeout, 1, M, "10s",
         "How long late packets of an ended connection are kept from beginning a new one."),
    TIME(udp_timeout, S, 10 * M, "60s", "Silence after which a UDP flow is over."),
    TIME(dns_timeout, 100, M, "5s", "The same for DNS."),
    TIME(duplicate_window, 0, S, "5ms", "Within this a packet seen again was mirrored twice."),
    NUMBER(duplicate_entries, 1024, 16e6, "32768", "packets",
           "Packets remembered to recognise those mirrored twice."),
    OCTETS(short_tls_octets, 0, 1e6, "1500",
           "TLS sessions with fewer octets sent after the handshake delivered no message."),
    {.name = "spool",
     .type = CONF_PATH,
     .offset = FIELD(spool),
     .optional = true,
     .help = "Folder where records wait until the collector has acknowledged them."},
    OCTETS(spool_max, 4194304, 17592186044416.0, "4G",
           "The spool at most; what finds no room is lost, and counted."),
    {.name = "collector",
     .type = CONF_STRING,
     .offset = FIELD(collector),
     .optional = true,
     .help = "Where the spool is sent: HOST:PORT with TLS, or unix:/PATH."},
    {.name = "tls",
     .type = CONF_PATH,
     .offset = FIELD(tls),
     .opens = CONF_OPENS_FOLDER,
     .optional = true,
     .help = "Folder with key.pem, cert.pem and ca.pem, which --enroll fills."},
    {.name = "mail_log",
     .type = CONF_SECTION,
     .offset = FIELD(mail_log),
     .sub = mail_conf_keys,
     .help = "Logs of the site's own mail servers, read by postern-sensor --mail-log."},
    {0},
};

int sensor_conf_realm_layers(const struct sensor_conf *c, const char **wrong)
{
    unsigned layers = 0;
    if (c->realm_layers.count == 0)
        return PATH_REALM_B4;
    for (size_t i = 0; i < c->realm_layers.count; i++) {
        const char *word = c->realm_layers.item[i];
        size_t bit = 0;
        if (strcmp(word, "none") == 0)
            continue;
        while (path_realm_names[bit] && strcmp(word, path_realm_names[bit]) != 0)
            bit++;
        if (!path_realm_names[bit]) {
            *wrong = word;
            return -1;
        }
        layers |= 1u << bit;
    }
    return (int)layers;
}

void sensor_conf_wrong(const struct daemon *d, const char *key, const char *text)
{
    char name[80], place[CONF_PLACE_MAX];
    snprintf(name, sizeof name, "sensor.%s", key);
    conf_place(daemon_config_path(d->args), name, place);
    for (char *dot; !place[0] && (dot = strrchr(name, '.'));) {
        *dot = '\0';
        conf_place(daemon_config_path(d->args), name, place);
    }
    log_error("%ssensor.%s: %s", place, key, text);
}

int sensor_conf_check_spool(const struct daemon *d)
{
    const struct sensor_conf *c = d->conf;
    if (c->spool)
        return 0;
    sensor_conf_wrong(d, "spool", "is missing, and records have to go somewhere; name a folder");
    return EX_CONFIG;
}

int sensor_conf_check_live(const struct daemon *d)
{
    const struct sensor_conf *c = d->conf;
    char text[100];
    int rc = 0;
    if (c->legal_profile == 0) {
        sensor_conf_wrong(
            d, "legal_profile",
            "is not chosen; set it to flow-only, own-smarthost-content or full-envelope, as "
            "the law of the place allows");
        rc = EX_CONFIG;
    }
    if (!c->key_file) {
        sensor_conf_wrong(
            d, "key_file",
            "is missing, and names must not leave here unprotected; write a file with a line "
            "\"ID HEX64\" (echo 1 $(openssl rand -hex 32)), mode 600");
        rc = EX_CONFIG;
    }
    if (c->domain + c->processes - 1 > UINT32_MAX) {
        snprintf(text, sizeof text, "leaves no room for %lld processes; lower it",
                 (long long)c->processes);
        sensor_conf_wrong(d, "domain", text);
        rc = EX_CONFIG;
    }
    return rc;
}

static int check_collector(const struct daemon *d)
{
    const struct sensor_conf *c = d->conf;
    struct transport_address where;
    if (!c->collector || transport_address_parse(c->collector, &where) == 0)
        return 0;
    sensor_conf_wrong(d, "collector", "is no address; write HOST:PORT or unix:/PATH");
    return EX_CONFIG;
}

int sensor_conf_check(const struct daemon *d)
{
    const struct sensor_conf *c = d->conf;
    const char *wrong = NULL;
    char text[160];
    int rc = check_collector(d);
    if (sensor_conf_realm_layers(c, &wrong) < 0) {
        snprintf(
            text, sizeof text,
            "\"%.40s\" names no layer; use vlan, qinq, pppoe, mpls, vni, l2tp, gtp, b4 or none",
            wrong);
        sensor_conf_wrong(d, "realm_layers", text);
        rc = EX_CONFIG;
    }
    if (c->half_open_timeout < c->syn_timeout) {
        sensor_conf_wrong(d, "half_open_timeout", "must not be below sensor.syn_timeout; raise it");
        rc = EX_CONFIG;
    }
    if (c->stream_flow_memory > c->stream_memory) {
        sensor_conf_wrong(d, "stream_flow_memory",
                          "must not be above sensor.stream_memory; lower it");
        rc = EX_CONFIG;
    }
    return rc;
}

struct flow_config sensor_conf_flow(const struct sensor_conf *c)
{
    const char *wrong = NULL;
    return (struct flow_config){
        .flows = (size_t)c->flows,
        .dialogues = (size_t)c->dialogues,
        .realms = (size_t)c->realms,
        .mirror_entries = (size_t)c->duplicate_entries,
        .stream = {.memory = (size_t)c->stream_memory,
                   .flow_memory = (uint32_t)c->stream_flow_memory,
                   .gap_us = c->gap_timeout * 1000},
        .realm_layers = (unsigned)sensor_conf_realm_layers(c, &wrong),
        .syn_timeout_us = c->syn_timeout * 1000,
        .half_open_us = c->half_open_timeout * 1000,
        .early_us = c->early_close * 1000,
        .idle_us = c->idle_timeout * 1000,
        .closing_us = c->closing_timeout * 1000,
        .linger_us = c->reset_linger * 1000,
        .done_us = c->closed_timeout * 1000,
        .datagram_idle_us = c->udp_timeout * 1000,
        .dns_idle_us = c->dns_timeout * 1000,
        .duplicate_us = c->duplicate_window * 1000,
        // Fixed: the order of events depends on packets alone. A live sensor draws its own.
        .hash_seed = 0x6a09e667f3bcc908u,
    };
}
