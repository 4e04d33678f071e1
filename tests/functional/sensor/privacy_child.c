// The child: a sensor that is fed through shared memory, and writes records, flows and its status to files.
#include "privacy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "secrets.h"

struct shared *shared;
static const struct privacy_setup *setup;

const char *privacy_path(const char *folder, const char *name)
{
    static char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

struct child {
    struct sensor *sensor;
    struct sink file, sink;
    FILE *print;
    struct sensor_conf conf;
    struct prefix_set *subscribers, *smarthosts;
    int64_t t_us;
    unsigned char *kept;
};

static bool says_too_much(const struct record_flow *r)
{
    static const struct record_smtp nothing;
    if (setup->profile == COVERAGE_FULL_ENVELOPE ||
        (setup->profile != COVERAGE_FLOW_ONLY && setup->smarthosts))
        return false;
    if (setup->profile == COVERAGE_FLOW_ONLY &&
        (r->groups & ~(unsigned)(RECORD_HAS_L2 | RECORD_HAS_CARRIER) ||
         r->app_source > RECORD_APP_BY_PORT))
        return true;
    // The SMTP part of a dialogue with others says no more than that it turned to TLS.
    struct record_smtp smtp = r->smtp;
    smtp.starttls_state = 0;
    return r->hash_count > 0 || memcmp(&smtp, &nothing, sizeof smtp) != 0 ||
           r->dns.mx_queries > 0 || r->login.tries > 0 || r->socks.target_port != 0 ||
           r->socks.granted;
}

bool privacy_is_server(const void *name, size_t len)
{
    for (unsigned i = 0; i < shared->servers; i++)
        if (strlen(shared->server[i]) == len && memcmp(shared->server[i], name, len) == 0)
            return true;
    return false;
}

static void note_server(const char *name)
{
    if (*name && shared->servers < PRIVACY_SERVERS && !privacy_is_server(name, strlen(name)))
        memcpy(shared->server[shared->servers++], name, RECORD_NAME_MAX);
}

static int child_put(void *state, const struct record *r)
{
    struct child *c = state;
    if (r->kind == RECORD_FLOW) {
        shared->records++;
        shared->forbidden += says_too_much(&r->flow);
        note_server(r->flow.tls.sni_domain);
    }
    return sink_put(&c->file, r);
}

static int child_close(void *state)
{
    (void)state;
    return 0;
}

static void child_open(struct child *c)
{
    static const struct sink_kind kind = {.name = "test", .put = child_put, .close = child_close};
    static const char text[] = "sensor: {flows: 2048, dialogues: 512, realms: 64, fragments: 64, "
                               "stream_memory: 1M, fragment_memory: 256k, duplicate_entries: 1024}";
    struct conf_section section = {.name = "sensor", .keys = sensor_conf_keys, .out = &c->conf};
    struct ip_prefix p;
    int rc = conf_load_text("test", ".", text, strlen(text), &section, 1, stderr);
    must(rc == 0);
    c->subscribers = prefix_set_new();
    c->smarthosts = prefix_set_new();
    prefix_set_add_private(c->subscribers, 0);
    if (setup->smarthosts && prefix_parse(setup->smarthosts, &p) == 0)
        prefix_set_add(c->smarthosts, &p, 0);
    prefix_set_freeze(c->subscribers);
    prefix_set_freeze(c->smarthosts);
    rc = sink_file_open(privacy_path(setup->folder, "records"), 1, &c->file);
    c->print = fopen(privacy_path(setup->folder, "flows"), "w");
    must(rc == 0 && c->print);
    c->sink = (struct sink){.kind = &kind, .state = c};
    struct sensor_setup sensor = {.conf = &c->conf,
                                  .subscribers = c->subscribers,
                                  .smarthosts = c->smarthosts,
                                  .key = keyed_hash_key_replay(),
                                  .profile = setup->profile,
                                  .sink = &c->sink,
                                  .print = c->print};
    c->sensor = sensor_new(&sensor);
    must(c->sensor);
}

// A connection that no rule knows, so that nDPI is there before memory is looked at for the first time: its
// own tables are full of words.
static void child_warm_up(struct child *c)
{
    unsigned char packet[1000] = {0x45, 0, 0x03, 0xe8, 0, 1, 0,   0, 64, 6,
                                  0,    0, 192,  0,    2, 1, 192, 0, 2,  2};
    static const unsigned char tcp[20] = {0x27, 0x10, 0x27, 0x0f, 0,    0,    0,    1,
                                          0,    0,    0,    1,    0x50, 0x18, 0xff, 0xff};
    memcpy(packet + 20, tcp, sizeof tcp);
    for (size_t i = 40; i < sizeof packet; i++)
        packet[i] = (unsigned char)(0x80 + i % 100);
    struct source_frame s = {.t_us = shared->first_us,
                             .linktype = 12,
                             .data = span_of(packet, sizeof packet),
                             .wire = sizeof packet};
    sensor_frame(c->sensor, &s);
}

static void child_feed(struct child *c)
{
    const unsigned char *at = shared->at;
    for (uint64_t i = 0; i < shared->frames; i++) {
        struct frame f;
        memcpy(&f, at, sizeof f);
        at += sizeof f;
        struct source_frame s = {
            .t_us = f.t_us, .linktype = f.linktype, .data = span_of(at, f.len), .wire = f.wire};
        sensor_frame(c->sensor, &s);
        if (f.t_us > c->t_us)
            c->t_us = f.t_us;
        at += f.len;
    }
}

// A sensor that kept what it was fed, to see that it would be found out.
static void child_keep(struct child *c)
{
    c->kept = malloc(shared->octets);
    must(c->kept);
    memcpy(c->kept, shared->at, shared->octets);
}

static void child_forget(struct child *c)
{
    explicit_bzero(c->kept, shared->octets);
    free(c->kept);
}

static void child_finish(struct child *c)
{
    struct control_status *status = control_status_new("postern-sensor");
    must(status);
    sensor_finish(c->sensor);
    sensor_status(c->sensor, 0, status);
    int rc = control_status_write(status, privacy_path(setup->folder, "status"));
    must(rc == 0);
    control_status_free(status);
    rc = sink_close(&c->file);
    must(rc == 0);
    fclose(c->print);
}

static void child_free(struct child *c)
{
    sensor_free(c->sensor);
    prefix_set_free(c->subscribers);
    prefix_set_free(c->smarthosts);
    conf_free(sensor_conf_keys, &c->conf);
    memset(c, 0, sizeof *c);
}

// One letter a command, the same letter when it is done.
void privacy_child(const struct privacy_setup *with, int in, int out)
{
    setup = with;
    struct child c = {0};
    char command;
    while (read(in, &command, 1) == 1) {
        switch (command) {
        case 'o':
            child_open(&c);
            child_warm_up(&c);
            break;
        case 'f': child_feed(&c); break;
        case 'k': child_keep(&c); break;
        case 'K': child_forget(&c); break;
        case 'w': sensor_advance(c.sensor, c.t_us + 60000000); break;
        case 'e': child_finish(&c); break;
        default: child_free(&c);
        }
        if (write(out, &command, 1) != 1)
            break;
    }
    _exit(0);
}
