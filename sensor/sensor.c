// Puts the parts together and keeps packet time: deadlines, seconds and minutes fire in order, before
// the packet that comes after them.
#include "sensor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decap/usual.h"
#include "flow_key.h"
#include "jump.h"
#include "print.h"
#include "sight.h"
#include "watch.h"

#define SECOND_US INT64_C(1000000)

// The last second of 32 bits (2106): no packet is of a later time, and the wheel need not turn there.
#define TIME_MAX_US (INT64_C(4294967295) * SECOND_US)
#define MINUTE_US   (60 * SECOND_US)

// A live sensor says each second that it watched, busy or idle. Of a capture file packets are the only
// sign that the port was alive: a pause of as long as the collector waits for a silent sensor was not watched,
// from the end of its first minute on.
#define PAUSE_US (INT64_C(15) * 60 * SECOND_US)

// Frames unwrapped in a row before the first of them is counted.
#define BATCH FLOW_BATCH

struct sensor {
    struct sensor_setup setup;
    struct stats stats;
    struct decap decap;
    struct frag *frag;
    struct flow_table *flows;
    struct export *export;
    struct watch *watch;
    struct sight sight;
    uint32_t alarms; // set from outside
    struct print *print;
    uint64_t proto_counters[PROTO_COUNTER_N];
    int64_t now_us, next_second_us;
    bool begun;
    // A batch: unwrapped and located, not yet counted in its flows.
    struct packet packet[BATCH];
    struct flow_place place[BATCH];
    size_t batch;
    uint64_t joined; // datagrams of fragments, when the batch began
};

static struct coverage declared(const struct sensor_setup *setup)
{
    const struct sensor_conf *c = setup->conf;
    struct coverage d = {.leg = (uint8_t)c->leg,
                         .nat = (uint8_t)c->nat,
                         .port25 = (uint8_t)c->port25,
                         .tier = (uint8_t)c->tier,
                         .profile = setup->profile,
                         .process = setup->process,
                         .sampling = 1};
    snprintf(d.sensor, sizeof d.sensor, "%s", c->name);
    return d;
}

static void on_flow(void *ctx, struct flow_table *t, struct flow *f, unsigned flags, int64_t t_us)
{
    struct sensor *s = ctx;
    if (flags & RECORD_END)
        sight_flow(&s->sight, f);
    export_flow(s->export, t, f, flags, t_us);
}

static bool make_parts(struct sensor *s)
{
    const struct sensor_conf *c = s->setup.conf;
    struct export_config export = {.sink = s->setup.sink,
                                   .domain = (uint32_t)c->domain + s->setup.process,
                                   .which = c->export,
                                   .live = s->setup.live};
    if (s->setup.print) {
        s->print = print_new(s->setup.print, (size_t)c->flows);
        if (!s->print)
            return false;
        export.print = print_record;
        export.print_ctx = s->print;
    }
    struct coverage say = declared(&s->setup);
    s->frag = frag_new((size_t)c->fragments, (size_t)c->fragment_memory,
                       c->fragment_timeout * 1000);
    s->export = export_new(&export, &s->stats);
    s->watch = watch_new(&say, !s->setup.live);
    sight_init(&s->sight, &say, s->setup.has_smarthosts);
    struct flow_config flow = sensor_conf_flow(c);
    flow.subscribers = s->setup.subscribers;
    flow.smarthosts = s->setup.smarthosts;
    flow.proto = (struct proto_context){.key = &s->setup.key,
                                        .profile = s->setup.profile,
                                        .short_tls_octets = (uint32_t)c->short_tls_octets,
                                        .counters = s->proto_counters};
    if (s->setup.hash_seed != 0)
        flow.hash_seed = s->setup.hash_seed;
    s->flows = s->setup.live ? flow_table_new(&flow, &s->stats, on_flow, s)
                             : flow_table_new(&flow, &s->stats, export_flow, s->export);
    return s->frag && s->export && s->watch && s->flows;
}

struct sensor *sensor_new(const struct sensor_setup *setup)
{
    struct sensor *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->setup = *setup;
    if (!make_parts(s)) {
        sensor_free(s);
        return NULL;
    }
    decap_init(&s->decap, s->frag);
    return s;
}

void sensor_free(struct sensor *s)
{
    if (!s)
        return;
    flow_table_free(s->flows);
    print_free(s->print);
    watch_free(s->watch);
    export_free(s->export);
    frag_free(s->frag);
    free(s);
}

// ---- Time.

static void say_coverage(struct sensor *s, int64_t t_us, bool last)
{
    struct coverage c;
    if (s->setup.second)
        s->setup.second(s->setup.second_ctx, s, t_us);
    if (s->setup.live) {
        sight_second(&s->sight, t_us / 1000, s->stats.mail_flows);
        watch_set(s->watch, s->alarms | sight_alarms(&s->sight));
    }
    watch_take(s->watch, &s->stats, &s->decap, frag_stats(s->frag), t_us / 1000, last, &c);
    export_coverage(s->export, &c);
}

static void begin(struct sensor *s, int64_t t_us)
{
    s->begun = true;
    s->now_us = t_us;
    s->next_second_us = (t_us / SECOND_US + 1) * SECOND_US;
    export_begin(s->export, t_us > 0 ? (uint64_t)t_us : 1);
}

// What is due before a second's end belongs to it; so does, at a minute's end, all that was counted.
static void end_second(struct sensor *s)
{
    int64_t at = s->next_second_us;
    flow_run(s->flows, at - 1);
    if (at % MINUTE_US == 0)
        flow_minute(s->flows, at);
    frag_sweep(s->frag, at);
    say_coverage(s, at, false);
    s->next_second_us += SECOND_US;
}

void sensor_advance(struct sensor *s, int64_t t_us)
{
    if (!s->begun)
        begin(s, t_us);
    if (t_us > s->now_us)
        s->now_us = t_us;
    int64_t covered_to = s->now_us;
    if (s->now_us - s->next_second_us >=
        PAUSE_US) // what was counted so far is told at its minute's end
        covered_to = ((s->next_second_us - 1) / MINUTE_US + 1) * MINUTE_US;
    bool ended = s->next_second_us <= s->now_us;
    while (s->next_second_us <= covered_to)
        end_second(s);
    if (ended && s->setup.live)
        export_flush(s->export, s->now_us / 1000);
    if (s->next_second_us <= s->now_us) {
        flow_run(s->flows, s->now_us / SECOND_US * SECOND_US - 1);
        s->next_second_us = (s->now_us / SECOND_US + 1) * SECOND_US;
    }
    flow_run(s->flows, s->now_us);
}

void sensor_skip(struct sensor *s, int64_t t_us)
{
    if (!s->begun || t_us <= s->now_us)
        return;
    s->now_us = t_us;
    flow_run(s->flows, t_us);
    frag_expire(s->frag, t_us);
    s->next_second_us = (t_us / SECOND_US + 1) * SECOND_US;
    sight_pause(&s->sight, t_us / 1000);
}

// ---- What only who captures can know.

void sensor_losses(struct sensor *s, const struct sensor_losses *losses)
{
    s->stats.card_drops = losses->card;
    s->stats.ring_drops = losses->ring;
    s->stats.oversized = losses->oversized;
}

void sensor_alarms(struct sensor *s, uint32_t alarms)
{
    s->alarms = alarms;
}

void sensor_declare(struct sensor *s, const struct sensor_conf *conf,
                    const struct prefix_set *subscribers, const struct prefix_set *smarthosts,
                    bool has_smarthosts)
{
    s->setup.conf = conf;
    struct coverage say = declared(&s->setup);
    watch_declare(s->watch, &say);
    sight_init(&s->sight, &say, has_smarthosts);
    sight_pause(&s->sight, s->now_us / 1000);
    struct flow_config *now = &s->flows->config, old = *now;
    *now = sensor_conf_flow(conf);
    now->flows = old.flows;
    now->dialogues = old.dialogues;
    now->realms = old.realms;
    now->mirror_entries = old.mirror_entries;
    now->stream = old.stream;
    now->hash_seed = old.hash_seed;
    now->proto = old.proto;
    now->proto.short_tls_octets = (uint32_t)conf->short_tls_octets;
    now->subscribers = subscribers;
    now->smarthosts = smarthosts;
    s->flows->quiet_us = 0; // ended flows may go sooner now
}

// ---- Frames.

// Counts what was unwrapped: first what all of it will touch is fetched.
static void settle(struct sensor *s)
{
    struct flow_table *t = s->flows;
    const struct packet *p = s->packet, *end = p + s->batch;
    const struct flow_place *at = s->place;
    flow_fetch(t, s->packet, s->place, s->batch);
    for (; p < end; p++, at++) {
        if (p->t_us >= t->quiet_us)
            flow_run(t, p->t_us);
        flow_packet_at(t, p, at);
        if (s->setup.fetch)
            s->setup.fetch(s->setup.fetch_ctx);
    }
    s->batch = 0;
}

// The first packet, one of another second, or of a time before that of the packet before.
static __attribute__((noinline)) void move_time(struct sensor *s, int64_t t_us)
{
    if ((uint64_t)t_us > (uint64_t)TIME_MAX_US)
        t_us = t_us < 0 ? 0 : TIME_MAX_US;
    s->stats.clock_back += s->begun && t_us < s->now_us;
    if (!s->begun || t_us >= s->next_second_us) {
        settle(s);
        sensor_advance(s, t_us);
    } else if (t_us > s->now_us) {
        s->now_us = t_us;
    }
}

// A frame that is not the usual one. What was joined of fragments stands until the next fragment.
static __attribute__((noinline)) void unwrap_other(struct sensor *s,
                                                   const struct source_frame *frame)
{
    struct packet *p = &s->packet[s->batch];
    if (decap_frame(&s->decap, frame->linktype, frame->data, frame->wire, p) != DECAP_PACKET)
        return;
    flow_locate(s->flows, p, &s->place[s->batch]);
    uint64_t joined = frag_stats(s->frag)->joined;
    if (++s->batch == BATCH || joined != s->joined) {
        s->joined = joined;
        settle(s);
    }
}

void sensor_frame(struct sensor *s, const struct source_frame *frame)
{
    sensor_frames(s, frame, 1);
}

// Unwraps the frames. What they give waits in the batch, but never beyond the end of its second, nor longer than its
// octets stand.
void sensor_frames(struct sensor *s, const struct source_frame *frame, size_t count)
{
    const struct source_frame *end = frame + count, *counted = frame;
    struct packet *p = &s->packet[s->batch];
    struct flow_place *at = &s->place[s->batch];
    for (; frame < end; frame++) {
        struct usual usual;
        int64_t t_us = frame->t_us;
        // Before the first packet no time is of the present second.
        if (__builtin_expect(t_us < s->now_us || t_us >= s->next_second_us, 0)) {
            s->stats.packets += (size_t)(frame - counted);
            counted = frame;
            move_time(s, t_us);
            t_us = s->now_us;
            p = &s->packet[s->batch];
            at = &s->place[s->batch];
        }
        s->now_us = p->t_us = t_us;
        s->stats.octets += frame->wire;
        size_t cap = frame->data.len < frame->wire ? frame->data.len : frame->wire;
        if (usual_frame(&s->decap, frame->linktype, frame->data.data, cap, p, &usual)) {
            flow_locate_usual(s->flows, p++, &usual, at++);
            if (++s->batch < BATCH)
                continue;
            settle(s);
        } else {
            unwrap_other(s, frame);
        }
        p = &s->packet[s->batch];
        at = &s->place[s->batch];
    }
    s->stats.packets += (size_t)(end - counted);
    settle(s);
    if (s->begun)
        flow_run(s->flows, s->now_us);
}

void sensor_read(struct sensor *s, struct source *source)
{
    struct source_frame frame[BATCH], held;
    struct jump jump;
    size_t n;
    jump_init(&jump, &s->stats.clock_ahead);
    while (sensor_error(s) == 0) {
        n = source_next_batch(source, frame, BATCH);
        // What was going on where a capture is cut is not whole, whatever other captures show of it later.
        if (source_cut(source))
            flow_cut(s->flows);
        if (n == 0)
            break;
        if (jump_release(&jump, frame, &held))
            sensor_frame(s, &held);
        sensor_frames(s, frame, jump_judge(&jump, frame, n));
    }
    if (jump_release(&jump, NULL, &held))
        sensor_frame(s, &held);
    jump_fini(&jump);
}

void sensor_finish(struct sensor *s)
{
    if (!s->begun)
        return;
    frag_flush(s->frag);
    flow_finish(s->flows, s->now_us);
    // Behind the last packet: whole milliseconds, as all times of records.
    say_coverage(s, (s->now_us / 1000 + 1) * 1000, true);
    if (s->setup.live)
        export_flush(s->export, s->now_us / 1000);
}

int sensor_error(const struct sensor *s)
{
    int rc = export_error(s->export);
    return rc == 0 && s->print ? print_failed(s->print) : rc;
}

const struct stats *sensor_stats(const struct sensor *s)
{
    return &s->stats;
}

uint32_t sensor_present_alarms(const struct sensor *s)
{
    return watch_present(s->watch);
}

const char *sensor_contradiction(const struct sensor *s)
{
    return sight_text(&s->sight);
}

// ---- What it says of itself.

static void on_first_skipped(void *ctx, const char *name, uint64_t count)
{
    char *first = ctx;
    (void)count;
    if (!*first)
        snprintf(first, SKIPPED_TEXT_MAX, "%s", name);
}

uint64_t sensor_skipped(const struct sensor *s, char *text, size_t size)
{
    char first[SKIPPED_TEXT_MAX] = "";
    uint64_t n = s->decap.skipped.total;
    skipped_each(&s->decap.skipped, decap_broken_text, on_first_skipped, first);
    snprintf(text, size, "%llu of %llu packets could not be opened, mostly %s",
             (unsigned long long)n, (unsigned long long)s->stats.packets, first);
    return n;
}

static void on_skipped(void *ctx, const char *name, uint64_t count)
{
    control_status_skipped(ctx, name, count);
}

static void say_problems(const struct sensor *s, uint32_t told, struct control_status *out)
{
    static const struct {
        uint32_t alarm;
        const char *code;
    } codes[] = {{COVERAGE_ONE_DIRECTION, "one-direction"},
                 {COVERAGE_DOUBLED, "doubled"},
                 {COVERAGE_SLICED, "sliced"},
                 {COVERAGE_CLOCK, "clock"},
                 {COVERAGE_DROPS, "drops"},
                 {COVERAGE_SPOOL_FULL, "spool-full"},
                 {COVERAGE_NO_MAIL, "no-mail"},
                 {COVERAGE_LEG_WRONG, "leg-wrong"},
                 {COVERAGE_LINK_DOWN, "link-down"},
                 {COVERAGE_UNKNOWN_LAYERS, "unknown-layers"}};
    uint32_t raised = s->setup.live ? watch_present(s->watch) | s->alarms : watch_alarms(s->watch);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (raised & ~told & codes[i].alarm)
            control_status_problem(out, 1, codes[i].code, coverage_alarm_text(codes[i].alarm),
                                   codes[i].alarm == COVERAGE_LEG_WRONG ? sight_text(&s->sight)
                                                                        : "");
    if (watch_oversized(s->watch) > 0)
        control_status_problem(out, 0, "oversized",
                               "Frames are larger than the MTU: LRO or GRO joined them, so packets "
                               "and retransmissions are counted too low.",
                               "ethtool -K IFACE gro off lro off; where a host makes the mirror, "
                               "there too, with tso off gso off");
    int refused = export_refused(s->export);
    if (refused != 0 && refused != -ENOSPC)
        control_status_problem(out, 2, "records-lost", strerror(-refused),
                               "Make room for the records, or repair where they go.");
}

void sensor_status(const struct sensor *s, uint32_t told, struct control_status *out)
{
    const struct frag_stats *f = frag_stats(s->frag);
    if (s->begun)
        control_status_time(out, s->now_us / 1000);
#define X(name, text) control_status_counter(out, #name, s->stats.name);
    STATS(X)
#undef X
    control_status_counter(out, "not_ip", s->decap.no_ip);
    control_status_counter(out, "sliced", s->decap.sliced);
    control_status_counter(out, "skipped_layers", s->decap.skipped.total);
    control_status_counter(out, "fragments", f->pieces);
    control_status_counter(out, "fragments_joined", f->joined);
    control_status_counter(out, "fragments_lost", f->lost);
    control_status_counter(out, "fragments_repeated", f->repeated);
    control_status_counter(out, "fragments_evicted", f->evicted);
    for (unsigned i = 0; i < PROTO_COUNTER_N; i++)
        control_status_counter(out, proto_counter_name(i), s->proto_counters[i]);
    skipped_each(&s->decap.skipped, decap_broken_text, on_skipped, out);
    say_problems(s, told, out);
}
