// One timer of a tenth of a second looks after all that packets do not: what stands in a ring that is
// about to be handed out, time on an idle link, and once a second the links and the page for the others.
#include "live.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/control.h"
#include "common/log.h"
#include "domain.h"
#include "fixed.h"
#include "live_setup.h"

#define TICK_MS 100
#define LOOK_MS 1000

// A frame is in its ring's handed-out part at the latest this long behind the ring's own time-out.
#define LAG_MS 400

#define JUMP_MS      2000  // of the wall clock against the monotonic one
#define JUMP_TOLD_MS 60000 // it is told for so long
#define BACK_MS      10000 // back by this, and packet time would stand still: start anew

static void live_free(struct live *l)
{
    intake_close(&l->intake);
    setup_free(&l->job);
    workers_stop(l->workers);
    board_free(l->board);
    free(l);
}

int live_open(struct daemon *d)
{
    struct live *l = calloc(1, sizeof *l);
    int rc = l ? live_setup(d, l) : setup_out_of_memory();
    if (l && rc != 0)
        live_free(l);
    d->state = rc == 0 ? l : NULL;
    return rc;
}

// ---- The document.

void live_status(struct daemon *d, struct control_status *out)
{
    struct live *l = d->state;
    if (l->workers) {
        workers_status(l->workers, out);
        return;
    }
    uint32_t told = l->job.outlet ? outlet_status(l->job.outlet, out, loop_clock_ms()) : 0;
    sensor_status(l->job.sensor, told, out);
    for (size_t i = 0; i < l->intake.rings; i++) {
        const struct ring *r = l->intake.ring[i];
        control_status_input(out, ring_name(r), ring_link_text(ring_link(r)), "");
    }
}

static void write_page(struct live *l)
{
    struct control_status *s = l->board ? control_status_new("postern-sensor") : NULL;
    if (!s)
        return;
    live_status(l->d, s);
    json_t *doc = control_status_json(s);
    char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    if (text)
        board_write(l->board, l->process, text);
    free(text);
    json_decref(doc);
    control_status_free(s);
}

// What remains when the sensor has ended: --status.
static void write_status(struct live *l)
{
    const char *path = daemon_value(l->d->args, "status");
    struct control_status *s = path && !l->d->unasked ? control_status_new("postern-sensor") : NULL;
    if (!s)
        return;
    control_status_conf_hash(s, l->d->conf_hash);
    live_status(l->d, s);
    int rc = control_status_write(s, path);
    if (rc != 0)
        log_error("%s: %s; choose another status file", path, strerror(-rc));
    control_status_free(s);
}

// ---- Time and links.

static void set_alarms(struct live *l, int64_t now_ms)
{
    uint32_t alarms = now_ms < l->clock_until_ms ? COVERAGE_CLOCK : 0;
    for (size_t i = 0; i < l->intake.rings; i++)
        if (ring_link(l->intake.ring[i]) != RING_UP)
            alarms |= COVERAGE_LINK_DOWN;
    sensor_alarms(l->job.sensor, alarms);
}

static void look_at_clock(struct live *l, int64_t now_ms)
{
    int64_t offset_ms = now_ms - loop_monotonic_ms(), jump_ms = offset_ms - l->offset_ms;
    if (l->offset_ms != 0 && (jump_ms > JUMP_MS || jump_ms < -JUMP_MS)) {
        log_warning("the clock jumped by %lld ms; let NTP or PTP run on this host",
                    (long long)jump_ms);
        l->clock_until_ms = now_ms + JUMP_TOLD_MS;
    }
    l->offset_ms = offset_ms;
    if (l->intake.last_us / 1000 - now_ms > BACK_MS) {
        log_error("the clock went back behind packets that were seen; ending, so that the service "
                  "manager begins anew");
        loop_stop(l->d->loop, EX_TEMPFAIL);
    }
}

static void look_at_links(struct live *l, int64_t now_ms)
{
    size_t up = 0;
    for (size_t i = 0; i < l->intake.rings; i++) {
        struct ring *r = l->intake.ring[i];
        if (ring_look(r, now_ms) == -EINVAL) {
            log_error(
                "%s was made anew, and only opening it anew joins the processes again; ending, "
                "so that the service manager does",
                ring_name(r));
            loop_stop(l->d->loop, EX_UNAVAILABLE);
        }
        enum ring_link link = ring_link(r);
        up += link == RING_UP;
        if (link == l->told[i])
            continue;
        if (link == RING_UP)
            log_info("%s is up again", ring_name(r));
        else
            log_warning("%s is %s: nothing of it is seen; check the cable, the mirror's port and "
                        "`ip link`",
                        ring_name(r), ring_link_text(link));
        l->told[i] = link;
    }
    int64_t t_us = now_ms * 1000 - l->intake.lag_us;
    set_alarms(l, now_ms);
    if (up == 0 && !l->paused) {
        sensor_advance(l->job.sensor, t_us); // says so, once; then nobody says that it is watched
        l->paused = true;
    } else if (up > 0 && l->paused) {
        sensor_skip(l->job.sensor, t_us);
        l->paused = false;
    }
}

// ---- Frames.

static void on_ring(struct loop *loop, int fd, unsigned events, int64_t now_ms, void *ctx);

static void watch_rings(struct live *l, bool on)
{
    for (size_t i = 0; i < l->intake.rings; i++)
        loop_watch(l->d->loop, ring_fd(l->intake.ring[i]), on ? LOOP_READ : 0, on_ring, l);
    l->unwatched = !on;
}

static enum intake_result take(struct live *l, int64_t now_ms)
{
    enum intake_result result = intake_run(&l->intake, now_ms * 1000);
    // A ring whose frames wait would wake the loop again and again; the timer comes soon enough.
    if (l->unwatched != (result == INTAKE_WAITS))
        watch_rings(l, result != INTAKE_WAITS);
    return result;
}

static void on_ring(struct loop *loop, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    (void)loop;
    (void)fd;
    (void)events;
    take(ctx, now_ms);
}

static void on_tick(struct loop *loop, int64_t now_ms, void *ctx)
{
    (void)loop;
    struct live *l = ctx;
    enum intake_result result = take(l, now_ms);
    if (now_ms - l->looked_ms >= LOOK_MS || now_ms < l->looked_ms) {
        l->looked_ms = now_ms;
        look_at_clock(l, now_ms);
        look_at_links(l, now_ms);
        write_page(l);
    }
    if (result != INTAKE_MORE && !l->paused)
        sensor_advance(l->job.sensor, now_ms * 1000 - l->intake.lag_us);
}

static void on_second(void *ctx, struct sensor *s, int64_t t_us)
{
    struct live *l = ctx;
    struct ring_losses r;
    (void)t_us;
    intake_losses(&l->intake, &r);
    // What the port's card lost is lost once, however many processes share the port.
    struct sensor_losses losses = {
        .card = l->process == 0 ? r.card : 0, .ring = r.ring, .oversized = r.oversized};
    sensor_losses(s, &losses);
}

// ---- Start, reload, stop.

static int start_path(struct live *l)
{
    struct daemon *d = l->d;
    const struct sensor_conf *c = d->conf;
    int rc = setup_outlet(d, l->process, false, &l->job);
    if (rc != 0)
        return rc;
    struct sensor_setup setup = {
        .conf = c,
        .subscribers = l->job.subscribers,
        .smarthosts = l->job.smarthosts,
        .key = l->key,
        .profile = (uint8_t)(c->legal_profile - 1),
        .sink = l->job.sink.kind ? &l->job.sink : NULL,
        .print = daemon_has(d->args, "print") ? stdout : NULL,
        .live = true,
        .process = l->process,
        .has_smarthosts = d->site->smarthosts.count > 0,
        .second = on_second,
        .second_ctx = l,
        .fetch = intake_fetch,
        .fetch_ctx = &l->intake,
    };
    if (getrandom(&setup.hash_seed, sizeof setup.hash_seed, 0) != sizeof setup.hash_seed)
        setup.hash_seed = (uint64_t)loop_monotonic_ms() | 1;
    l->job.sensor = sensor_new(&setup);
    if (!l->job.sensor)
        return setup_out_of_memory();
    l->intake.sensor = l->job.sensor;
    l->intake.lag_us = (c->ring_timeout + LAG_MS) * 1000;
    return l->job.outlet ? outlet_start(l->job.outlet, d->loop) : 0;
}

static int start(struct daemon *d, struct live *l)
{
    const struct sensor_conf *c = d->conf;
    if (l->workers)
        return workers_start(l->workers, d);
    if (l->board && workers_follow(d->loop) != 0)
        return setup_out_of_memory();
    int rc = start_path(l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < l->intake.rings; i++) {
        log_info("captures from %s, as observation domain %u", ring_name(l->intake.ring[i]),
                 (unsigned)c->domain + l->process);
        l->told[i] = RING_UP;
    }
    watch_rings(l, true);
    if (loop_every(d->loop, TICK_MS, on_tick, l) < 0)
        return setup_out_of_memory();
    return 0;
}

int live_start(struct daemon *d)
{
    int rc = start(d, d->state);
    if (rc != 0)
        live_free(d->state);
    return rc;
}

// The file may hold another key by now. Where it may not be read any more nothing is known of that.
static unsigned judge_key(const struct live *l)
{
    const struct sensor_conf *c = l->d->conf;
    struct keyed_hash_key key;
    int rc = keyed_hash_key_load(c->key_file, &key);
    if (rc == -EACCES)
        return 0;
    if (rc < 0)
        return setup_key(l->d, &key) != 0; // which says what is wrong with it
    bool same = key.id == l->key.id && memcmp(key.octet, l->key.octet, sizeof key.octet) == 0;
    explicit_bzero(&key, sizeof key);
    return same ? 0 : fixed_say("sensor.key_file (another key is in it)");
}

// Which zone's day it is was settled while its file could be read.
static unsigned judge_zone(const struct live *l)
{
    const char *zone = getenv("TZ");
    return zone && strcmp(zone, l->d->site->timezone) == 0 ? 0 : fixed_say("site.timezone");
}

static int judge_reload(const struct live *l, struct sensor_conf *now)
{
    const struct sensor_conf *old = l->d->conf;
    unsigned fixed = fixed_tell(old, now, daemon_has(l->d->args, "interface")) + judge_zone(l);
    if (strcmp(old->key_file, now->key_file ? now->key_file : "") == 0)
        fixed += judge_key(l);
    if (fixed > 0)
        return EX_CONFIG;
    // Only now: what the domain is made of is as it was, and no other number is taken of the enrolment's.
    int rc = domain_settle(l->d, now, false);
    if (rc == 0 && now->domain != old->domain)
        fixed_say("sensor.domain");
    return rc == 0 && now->domain != old->domain ? EX_CONFIG : rc;
}

int live_reload(struct daemon *d, void *new_conf)
{
    struct live *l = d->state;
    struct prefix_set *subscribers, *smarthosts;
    int rc = judge_reload(l, new_conf);
    if (rc != 0)
        return rc;
    if (l->workers) {
        workers_reload(l->workers);
        return 0;
    }
    rc = setup_sets(d->site, &subscribers, &smarthosts);
    if (rc != 0)
        return rc;
    sensor_declare(l->job.sensor, new_conf, subscribers, smarthosts, d->site->smarthosts.count > 0);
    prefix_set_free(l->job.subscribers);
    prefix_set_free(l->job.smarthosts);
    l->job.subscribers = subscribers;
    l->job.smarthosts = smarthosts;
    return 0;
}

// What was seen until now is still in a block that the ring hands out after its time-out.
static void take_the_rest(struct live *l)
{
    const struct sensor_conf *c = l->d->conf;
    int64_t wait_ms = c->ring_timeout + TICK_MS, end_us = l->intake.last_us + wait_ms * 1000;
    nanosleep(&(struct timespec){.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000},
              NULL);
    while (l->intake.last_us <= end_us && take(l, INT64_MAX / 2000) == INTAKE_MORE) {}
}

void live_stop(struct daemon *d)
{
    struct live *l = d->state;
    if (l->workers) {
        workers_end(l->workers);
    } else {
        take_the_rest(l);
        sensor_finish(l->job.sensor);
        write_page(l);
    }
    write_status(l);
    // What is lost at the end is no good end.
    if (!l->workers && sink_close(&l->job.sink) < 0)
        d->exit_code = EX_IOERR;
    live_abandon(d);
}

void live_abandon(struct daemon *d)
{
    live_free(d->state);
    d->state = NULL;
}
