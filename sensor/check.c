// Looks by two ways at once: the packet path as it would run, which knows of connections, copies and gaps,
// and unwrapping by itself, for what the path does not keep (tags, layers, ends). Nothing is written and,
// whatever the legal profile, no dialogue is looked into.
#include "check.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include "check_judge.h"
#include "common/json.h"
#include "common/log.h"
#include "setup.h"

#define SECONDS_DEFAULT 60
#define SECONDS_MAX     86400
#define BUDGET          8192
#define BATCH           64
#define ACCOUNT_US      500000 // a second's packets are in the ring until then

struct check {
    struct check_seen seen;
    struct ring *ring;
    struct job job;
    struct sensor_conf conf; // the daemon's, with other strings borrowed
    struct decap decap;
    struct packet packet;
    bool *prefix_seen;
    struct check_clock clock;
};

static int seconds_of(const struct daemon *d)
{
    const char *text = daemon_value(d->args, "seconds");
    char *end;
    long n = text ? strtol(text, &end, 10) : SECONDS_DEFAULT;
    if (text && (*end != '\0' || end == text || n < 1 || n > SECONDS_MAX))
        return -1;
    return (int)n;
}

static void check_free(struct check *k)
{
    setup_free(&k->job);
    ring_close(k->ring);
    free(k->prefix_seen);
    free(k);
}

static int open_ring(struct daemon *d, struct check *k)
{
    const struct sensor_conf *c = d->conf;
    char text[RING_TEXT_MAX];
    k->seen.seconds = seconds_of(d);
    if (k->seen.seconds < 0) {
        log_error("--seconds takes a number from 1 to %d", SECONDS_MAX);
        return EX_USAGE;
    }
    struct ring_setup setup = {.interface = daemon_operand(d->args, 1),
                               .snaplen = (uint32_t)c->snaplen,
                               .buffer = c->ring,
                               .timeout_ms = (int)c->ring_timeout,
                               .filter = c->filter};
    int rc = ring_open(&setup, &k->ring, text);
    if (rc == 0)
        return 0;
    log_error("%s", text);
    return rc == -ENODEV ? EX_NOINPUT : rc == -EPERM ? EX_NOPERM : EX_UNAVAILABLE;
}

int check_usage(void)
{
    char names[200] = "";
    struct if_nameindex *all = if_nameindex();
    for (size_t i = 0, len = 0; all && all[i].if_index != 0; i++)
        if (len + strlen(all[i].if_name) + 2 < sizeof names)
            len += (size_t)snprintf(names + len, sizeof names - len, " %s", all[i].if_name);
    if (all)
        if_freenameindex(all);
    log_error("check looks at an interface: postern-sensor check IFACE; this machine has%s",
              names[0] ? names : " none that can be seen");
    return EX_USAGE;
}

void check_abandon(struct daemon *d)
{
    check_free(d->state);
    d->state = NULL;
}

int check_open(struct daemon *d)
{
    struct check *k = calloc(1, sizeof *k);
    int rc = k ? open_ring(d, k) : setup_out_of_memory();
    if (k && rc != 0)
        check_free(k);
    d->state = rc == 0 ? k : NULL;
    return rc;
}

// ---- Looking.

static struct ip_addr end_of(const struct packet *p, unsigned end)
{
    return p->family == IP_V4 ? ip_from_v4(p->addr[end] + 12) : ip_from_v6(p->addr[end]);
}

static void note_ends(struct check *k, const struct packet *p)
{
    struct check_seen *s = &k->seen;
    struct ip_addr end[2] = {end_of(p, 0), end_of(p, 1)};
    bool ours[2];
    for (unsigned e = 0; e < 2; e++) {
        ours[e] = prefix_set_find(k->job.subscribers, &end[e], NULL);
        for (size_t i = 0; ours[e] && i < s->expected->count; i++)
            if (!k->prefix_seen[i] && prefix_contains(&s->expected->item[i], &end[e]))
                k->prefix_seen[i] = true;
    }
    s->from_subscriber += ours[0] && !ours[1];
    s->to_subscriber += ours[1] && !ours[0];
    s->with_subscriber += ours[0] || ours[1];
}

static void on_frame(struct check *k, const struct source_frame *frame)
{
    static const uint32_t has[2] = {PACKET_HAS_VLAN, PACKET_HAS_INNER_VLAN};
    struct check_seen *s = &k->seen;
    struct packet *p = &k->packet;
    sensor_frame(k->job.sensor, frame);
    check_clock_frame(&k->clock, frame->t_us);
    p->t_us = frame->t_us;
    enum decap_result result = decap_frame(&k->decap, frame->linktype, frame->data, frame->wire, p);
    for (uint8_t i = 0; i < p->layer_count; i++)
        s->layer[p->layer[i]]++;
    for (unsigned i = 0; i < 2; i++) {
        if (!(p->has & has[i]))
            continue;
        s->tagged[i] = true;
        s->vlan[i][p->vlan[i] / 8] |= (uint8_t)(1u << p->vlan[i] % 8);
    }
    if (result != DECAP_PACKET)
        return;
    s->packets++;
    note_ends(k, p);
}

static int64_t wall_us(void)
{
    return loop_clock_ms() * 1000;
}

static void on_second(void *ctx, struct sensor *s, int64_t t_us)
{
    struct check *k = ctx;
    struct ring_losses *l = &k->seen.losses;
    (void)t_us;
    ring_losses(k->ring, l);
    sensor_losses(s, &(struct sensor_losses){l->card, l->ring, l->oversized});
}

// What is in the ring, up to a budget. False: there is more.
static bool empty_ring(struct check *k)
{
    struct source_frame frame[BATCH];
    size_t count, n = 1;
    for (size_t looked = 0; n > 0 && looked < BUDGET; looked += n) {
        n = ring_read(k->ring, frame, BATCH, &count);
        for (size_t i = 0; i < count; i++)
            on_frame(k, &frame[i]);
    }
    return n == 0;
}

static void look(struct check *k)
{
    struct check_seen *s = &k->seen;
    int64_t end_us = wall_us() + (int64_t)s->seconds * 1000000, now_us;
    ring_drain(k->ring);
    check_clock_begin(&k->clock, loop_monotonic_ms());
    while ((now_us = wall_us()) < end_us) {
        struct pollfd ask = {.fd = ring_fd(k->ring), .events = POLLIN};
        poll(&ask, 1, 100);
        bool empty = empty_ring(k);
        check_clock_look(&k->clock, wall_us() / 1000, loop_monotonic_ms(), empty);
        if (empty)
            sensor_advance(k->job.sensor, now_us - k->conf.ring_timeout * 1000 - ACCOUNT_US);
        ring_look(k->ring, now_us / 1000);
        if (ring_link(k->ring) != RING_UP)
            s->link = ring_link(k->ring);
    }
    // Alarms are judged with each second's coverage.
    sensor_advance(k->job.sensor, now_us + 1000000);
    s->clock = &k->clock;
    s->alarms = sensor_present_alarms(k->job.sensor);
    s->contradiction = sensor_contradiction(k->job.sensor);
}

// ---- Saying.

static const char *const result_name[] = {"ok", "warning", "failed", "not-judged"};

// What helps several findings is said once.
static void say_text(const struct check_finding *f, size_t count)
{
    const char *before = "";
    for (size_t i = 0; i < count; i++) {
        printf("%-10s %-12s %s\n", result_name[f[i].result], f[i].name, f[i].text);
        if (f[i].fix[0] && strcmp(f[i].fix, before) != 0)
            printf("%-10s %-12s %s\n", "", "", f[i].fix);
        before = f[i].fix[0] ? f[i].fix : before;
    }
}

static json_t *vlans_json(const struct check_seen *s, unsigned which)
{
    json_t *list = json_array();
    for (int id = 0; id < 4096; id++)
        if (s->vlan[which][id / 8] >> id % 8 & 1)
            json_array_append_new(list, json_integer(id));
    return list;
}

static int say_json(const struct check_seen *s, const struct check_finding *f, size_t count)
{
    json_t *checks = json_array(), *layers = json_object();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(checks, json_pack("{s:s,s:s,s:s,s:s}", "check", f[i].name, "result",
                                                result_name[f[i].result], "text", f[i].text, "fix",
                                                f[i].fix));
    for (uint8_t i = 0; decap_registry[i]; i++)
        if (s->layer[i] > 0)
            json_object_set_new(layers, decap_registry[i]->name,
                                json_integer((json_int_t)s->layer[i]));
    json_t *doc = json_pack("{s:i,s:s,s:i,s:o,s:o,s:o,s:o}", "v", 1, "interface", s->interface,
                            "seconds", s->seconds, "checks", checks, "layers", layers, "vlans",
                            vlans_json(s, 0), "inner_vlans", vlans_json(s, 1));
    if (!doc || json_dumpf(doc, stdout, JSON_INDENT(2)) != 0)
        return EX_IOERR;
    putchar('\n');
    json_decref(doc);
    return 0;
}

static int say(const struct daemon *d, const struct check *k)
{
    struct check_finding f[CHECK_FINDINGS_MAX];
    size_t count = check_judge(&k->seen, f);
    int rc = 0;
    if (daemon_has(d->args, "json"))
        rc = say_json(&k->seen, f, count);
    else
        say_text(f, count);
    if (rc == 0 && fflush(stdout) != 0)
        rc = EX_IOERR;
    for (size_t i = 0; i < count && rc == 0; i++)
        if (f[i].result == CHECK_FAILED)
            rc = EX_DATAERR;
    return rc;
}

static int prepare(struct daemon *d, struct check *k)
{
    const char *wrong = NULL;
    struct timex t = {0};
    int rc = setup_sets(d->site, &k->job.subscribers, &k->job.smarthosts);
    if (rc != 0)
        return rc;
    memcpy(&k->conf, d->conf, sizeof k->conf);
    decap_init(&k->decap, NULL);
    struct sensor_setup setup = {.conf = &k->conf,
                                 .subscribers = k->job.subscribers,
                                 .smarthosts = k->job.smarthosts,
                                 .key = keyed_hash_key_replay(),
                                 .profile = COVERAGE_FLOW_ONLY,
                                 .live = true,
                                 .has_smarthosts = d->site->smarthosts.count > 0,
                                 .second = on_second,
                                 .second_ctx = k};
    k->job.sensor = sensor_new(&setup);
    k->prefix_seen = calloc(d->site->subscribers.count + 1, sizeof *k->prefix_seen);
    if (!k->job.sensor || !k->prefix_seen)
        return setup_out_of_memory();
    k->seen.interface = ring_name(k->ring);
    k->seen.link = ring_link(k->ring);
    k->seen.filter = k->conf.filter;
    k->seen.mtu = ring_mtu(k->ring);
    k->seen.speed_mbit = ring_speed_mbit(k->ring);
    k->seen.decap = &k->decap;
    k->seen.stats = sensor_stats(k->job.sensor);
    k->seen.expected = &d->site->subscribers;
    k->seen.prefix_seen = k->prefix_seen;
    k->seen.realm_layers = (unsigned)sensor_conf_realm_layers(&k->conf, &wrong);
    k->seen.clock_synchronised = adjtimex(&t) != TIME_ERROR && !(t.status & STA_UNSYNC);
    return 0;
}

int check_run(struct daemon *d)
{
    struct check *k = d->state;
    int rc = prepare(d, k);
    if (rc == 0) {
        look(k);
        rc = say(d, k);
    }
    check_abandon(d);
    return rc;
}
