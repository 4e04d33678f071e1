// The least of what living processes have passed, and of those that are not stalled; neither goes back.
#include "watermark.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/control.h"

#define SLOTS (2 * WATERMARK_PROCESSES_MAX)

struct process {
    uint32_t domain;
    char name[COVERAGE_NAME_MAX + 8];
    bool has_coverage;
    bool ended;   // by a last coverage record, or with its input
    bool said_so; // by the former
    bool silent;
    bool stalled;
    bool fresh;   // begun anew, and no coverage of it yet
    bool replay;  // its time is that of packets in a file
    bool suspect; // its clock is ahead of everybody's
    uint64_t epoch;
    int64_t t_ms;        // what it has passed
    int64_t newest_ms;   // of its records
    int64_t claim_ms;    // what a suspect says instead
    unsigned claims;     // so often in a row
    uint64_t claim_turn; // when the row began
    uint64_t turn;       // when it was last believed
};

struct watermark {
    int64_t silent_after_ms, future_max_ms, export_lag_ms;
    bool of_files;
    int64_t now_ms, front_ms;
    struct process *process;
    size_t count, cap;
    uint16_t slot[SLOTS]; // of domains: index + 1, open addressing; 0: free
    uint64_t turn;        // coverage records so far
    uint64_t clock_faults, silences;
};

struct watermark *watermark_new(int64_t silent_after_ms, int64_t future_max_ms)
{
    struct watermark *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->silent_after_ms = silent_after_ms;
    w->future_max_ms = future_max_ms;
    // Less than what counts as silent, or a router would always be.
    w->export_lag_ms = silent_after_ms / 2 < WATERMARK_EXPORT_LAG_MS ? silent_after_ms / 2
                                                                     : WATERMARK_EXPORT_LAG_MS;
    w->now_ms = w->front_ms = WATERMARK_NONE;
    return w;
}

void watermark_of_files(struct watermark *w)
{
    w->of_files = true;
}

void watermark_free(struct watermark *w)
{
    if (!w)
        return;
    free(w->process);
    free(w);
}

static uint16_t *slot_of(struct watermark *w, uint32_t domain)
{
    size_t i = (domain * 2654435761u) >> 16;
    while (w->slot[i % SLOTS] && w->process[w->slot[i % SLOTS] - 1].domain != domain)
        i++;
    return &w->slot[i % SLOTS];
}

int watermark_process(struct watermark *w, uint32_t domain)
{
    uint16_t *slot = slot_of(w, domain);
    if (*slot)
        return *slot - 1;
    if (w->count == WATERMARK_PROCESSES_MAX)
        return -1;
    if (w->count == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 8;
        struct process *more = realloc(w->process, cap * sizeof *more);
        if (!more)
            return -1;
        w->process = more;
        w->cap = cap;
    }
    struct process *p = &w->process[w->count];
    *p = (struct process){.domain = domain, .t_ms = WATERMARK_NONE, .newest_ms = WATERMARK_NONE};
    snprintf(p->name, sizeof p->name, "domain %u", domain);
    *slot = (uint16_t)++w->count;
    return (int)w->count - 1;
}

static bool counts(const struct process *p)
{
    return !p->ended && !p->suspect && p->t_ms != WATERMARK_NONE;
}

static int64_t furthest_of(const struct watermark *w, const struct process *but, bool sensors)
{
    int64_t t = WATERMARK_NONE;
    for (size_t i = 0; i < w->count; i++) {
        const struct process *p = &w->process[i];
        if (p != but && counts(p) && !p->silent && p->has_coverage == sensors && p->t_ms > t)
            t = p->t_ms;
    }
    return t;
}

// The furthest of those whose clock is believed, but for `but`. A router's clock counts when no sensor's does: it says nothing
// of seconds, so nobody would notice when it is wrong.
static int64_t furthest(const struct watermark *w, const struct process *but)
{
    int64_t t = furthest_of(w, but, true);
    return t != WATERMARK_NONE ? t : furthest_of(w, but, false);
}

// Has anybody who is believed said a word since the suspect's row of claims began?
static bool contradicted(const struct watermark *w, const struct process *suspect)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct process *p = &w->process[i];
        if (p != suspect && counts(p) && p->turn > suspect->claim_turn)
            return true;
    }
    return false;
}

// A suspect is believed after all when it repeats itself and nobody contradicts, or when time caught up.
static void reconsider(struct watermark *w)
{
    for (size_t i = 0; i < w->count; i++) {
        struct process *p = &w->process[i];
        if (!p->suspect || p->ended)
            continue;
        bool caught_up = w->now_ms != WATERMARK_NONE && p->claim_ms - w->now_ms <= w->future_max_ms;
        if (caught_up || (p->claims >= WATERMARK_CONFIRM && !contradicted(w, p))) {
            p->suspect = false;
            p->t_ms = p->claim_ms;
        }
    }
}

// A router is behind by the pause it is given.
static bool is_stalled(const struct watermark *w, const struct process *p, int64_t ahead_ms)
{
    int64_t pause_ms = p->has_coverage ? 0 : w->export_lag_ms;
    return ahead_ms != WATERMARK_NONE && ahead_ms - p->t_ms > WATERMARK_STALLED_MS + pause_ms;
}

static void settle(struct watermark *w)
{
    int64_t ahead = furthest(w, NULL);
    int64_t least = INT64_MAX, front = INT64_MAX;
    int64_t last = WATERMARK_NONE; // of those that ended
    for (size_t i = 0; i < w->count; i++) {
        struct process *p = &w->process[i];
        if (p->ended && !p->suspect && p->t_ms > last)
            last = p->t_ms;
        if (!counts(p))
            continue;
        bool silent = ahead != WATERMARK_NONE && ahead - p->t_ms > w->silent_after_ms;
        w->silences += silent && !p->silent;
        p->silent = silent;
        p->stalled = !silent && is_stalled(w, p, ahead);
        if (!silent && p->t_ms < least)
            least = p->t_ms;
        if (!silent && !p->stalled && p->t_ms < front)
            front = p->t_ms;
    }
    int64_t now = least != INT64_MAX ? least : last;
    if (now > w->now_ms)
        w->now_ms = now;
    // The furthest is never stalled.
    if (front != INT64_MAX && front > w->front_ms)
        w->front_ms = front;
    if (w->now_ms > w->front_ms)
        w->front_ms = w->now_ms;
    reconsider(w);
}

// Is the time believable? A process that steps far ahead is not believed at once: others may say that it is
// earlier, and a lone one may have read its clock wrong. Captures step as they like: their files are merged by
// time. So does what begins anew, when it is alone.
static bool believable(const struct watermark *w, const struct process *p, uint64_t epoch,
                       const struct coverage *c)
{
    int64_t others = furthest(w, p);
    bool first = p->fresh || p->t_ms == WATERMARK_NONE || p->epoch != epoch || p->ended;
    if (w->of_files || c->alarms & COVERAGE_REPLAY)
        return true;
    if (first && others == WATERMARK_NONE)
        return true;
    int64_t from = first || others > p->t_ms ? others : p->t_ms;
    return c->t_ms - from <= w->future_max_ms;
}

static void claim(const struct watermark *w, struct process *p, int64_t t_ms)
{
    bool steady = p->suspect && t_ms >= p->claim_ms && t_ms - p->claim_ms <= 10000;
    p->claims = steady ? p->claims + 1 : 1;
    p->claim_turn = steady ? p->claim_turn : w->turn;
    p->claim_ms = t_ms;
    p->suspect = true;
}

enum watermark_result watermark_coverage(struct watermark *w, int process, uint64_t epoch,
                                         const struct coverage *c)
{
    struct process *p = &w->process[process];
    enum watermark_result result = WATERMARK_TAKEN;
    p->has_coverage = true;
    p->replay = (c->alarms & COVERAGE_REPLAY) != 0;
    w->turn++;
    snprintf(p->name, sizeof p->name, "%.*s/%u", COVERAGE_NAME_MAX - 1, c->sensor, c->process);
    if (believable(w, p, epoch, c)) {
        p->suspect = false;
        p->claims = 0;
        p->fresh = false;
        p->turn = w->turn;
        bool back = p->epoch == epoch && p->t_ms != WATERMARK_NONE &&
                    p->t_ms - c->t_ms > WATERMARK_BACK_MS;
        w->clock_faults += back && !p->replay;
        // A clock that was set back holds nothing up: the watermark stays.
        p->t_ms = c->t_ms;
    } else {
        w->clock_faults++;
        claim(w, p, c->t_ms);
        result = WATERMARK_FUTURE;
    }
    p->epoch = epoch;
    p->ended = c->last;
    p->said_so = c->last;
    settle(w);
    return result;
}

// What `t_ms` is held against; WATERMARK_NONE: nothing is known.
static int64_t reference(const struct watermark *w, const struct process *p, bool router)
{
    int64_t sensors = router ? furthest_of(w, p, true) : WATERMARK_NONE;
    int64_t from = p->suspect                  ? w->now_ms
                   : sensors != WATERMARK_NONE ? sensors
                   : p->fresh                  ? WATERMARK_NONE
                   : p->has_coverage           ? p->t_ms
                                               : p->newest_ms;
    return from != WATERMARK_NONE ? from : furthest(w, p);
}

// A jump in a file is a pause when what follows says the same.
static bool is_pause(struct watermark *w, struct process *p, int64_t t_ms)
{
    int64_t off_ms = t_ms > p->claim_ms ? t_ms - p->claim_ms : p->claim_ms - t_ms;
    p->claims = p->claims > 0 && off_ms <= w->future_max_ms ? p->claims + 1 : 1;
    p->claim_ms = t_ms;
    return p->claims >= WATERMARK_CONFIRM;
}

enum watermark_result watermark_record(struct watermark *w, int process, uint64_t epoch,
                                       int64_t t_ms)
{
    struct process *p = &w->process[process];
    if (p->ended || epoch != p->epoch)
        p->fresh = true;
    p->epoch = epoch;
    bool router = epoch == 0 && !p->has_coverage;
    int64_t from = reference(w, p, router);
    bool jumps = !p->replay && from != WATERMARK_NONE && t_ms - from > w->future_max_ms;
    if (jumps && !w->of_files)
        return WATERMARK_FUTURE;
    p->ended = p->said_so = false;
    if (jumps && router && !is_pause(w, p, t_ms))
        return WATERMARK_TAKEN;
    if (router)
        p->claims = 0;
    if (t_ms > p->newest_ms)
        p->newest_ms = t_ms;
    // A sensor of ours says by its seconds how far it is: one record moves nothing.
    if (router) {
        p->fresh = false;
        p->t_ms = p->newest_ms - w->export_lag_ms;
        settle(w);
    }
    return WATERMARK_TAKEN;
}

void watermark_end(struct watermark *w, int process)
{
    struct process *p = &w->process[process];
    if (p->ended)
        return;
    p->ended = true;
    if (!p->has_coverage && p->newest_ms > p->t_ms)
        p->t_ms = p->newest_ms;
    settle(w);
}

void watermark_mute(struct watermark *w)
{
    for (size_t i = 0; i < w->count; i++) {
        struct process *p = &w->process[i];
        if (p->has_coverage)
            p->ended = true;
        else // what it said meanwhile was held against the sensors, and may be long ago
            p->fresh = true;
    }
    settle(w);
}

int64_t watermark_now(const struct watermark *w)
{
    return w->now_ms;
}

int64_t watermark_front(const struct watermark *w)
{
    return w->front_ms;
}

bool watermark_waits_for_sensors(const struct watermark *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->process[i].has_coverage && !w->process[i].ended)
            return true;
    return false;
}

uint64_t watermark_bit(int process)
{
    return (uint64_t)1 << (process < 63 ? process : 63);
}

uint64_t watermark_behind(const struct watermark *w, int64_t t_ms)
{
    uint64_t behind = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct process *p = &w->process[i];
        if (counts(p) && !p->silent && p->t_ms < t_ms)
            behind |= watermark_bit((int)i);
    }
    return behind;
}

size_t watermark_alive(const struct watermark *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->count; i++)
        n += counts(&w->process[i]) && !w->process[i].silent;
    return n;
}

size_t watermark_processes(const struct watermark *w)
{
    return w->count;
}

bool watermark_is_silent(const struct watermark *w, int process)
{
    const struct process *p = &w->process[process];
    return p->silent || (p->ended && !p->said_so && p->has_coverage);
}

const char *watermark_name(const struct watermark *w, int process)
{
    return w->process[process].name;
}

bool watermark_has_coverage(const struct watermark *w, int process)
{
    return w->process[process].has_coverage;
}

uint64_t watermark_clock_faults(const struct watermark *w)
{
    return w->clock_faults;
}

uint64_t watermark_silences(const struct watermark *w)
{
    return w->silences;
}

// ---- Status

static void status_of(const struct watermark *w, const struct process *p, bool ended,
                      struct control_status *s)
{
    char text[200];
    if (ended && p->has_coverage && !p->said_so) {
        snprintf(text, sizeof text, "sensor %s ended without its last coverage record", p->name);
        control_status_problem(s, 1, "sensor-unfinished", text,
                               "see whether the sensor was killed or its records were cut");
    }
    if (counts(p) && p->stalled) {
        snprintf(text, sizeof text,
                 "sensor %s is %lld s behind the others; minutes of its subscribers wait for it",
                 p->name, (long long)((w->front_ms - p->t_ms) / 1000));
        control_status_problem(s, 1, "sensor-stalled", text,
                               "see whether the sensor runs and its link is up");
    }
}

void watermark_status(const struct watermark *w, bool ended, struct control_status *s)
{
    for (size_t i = 0; i < w->count; i++)
        status_of(w, &w->process[i], ended, s);
    if (w->clock_faults > 0)
        control_status_problem(s, 1, "clock", "a sensor's clock jumped, or ran ahead of the others",
                               "synchronise the sensors' clocks (NTP or PTP)");
}
