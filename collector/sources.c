// A table by name, and a minute's budget of lines.
#include "sources.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define MINUTE_MS 60000

struct source {
    char who[SOURCE_TEXT_MAX]; // "": free
    uint64_t hash;
    uint64_t count[SOURCE_REASONS];
    uint64_t untold; // since its last line
    int64_t told_ms, seen_ms, ahead_ms;
    bool told;
};

struct sources {
    sources_say_fn say;
    void *ctx;
    struct source item[SOURCES_MAX];
    struct source others; // those that gave way
    uint64_t total[SOURCE_REASONS];
    int64_t minute_ms;
    unsigned lines; // in this minute
    uint64_t lines_left_out;
};

static const struct {
    const char *counter, *text;
} reasons[] = {
#define X(name, counter, text) [SOURCE_##name] = {counter, text},
    SOURCE_CONNECTIONS(X) SOURCE_RECORDS(X)
#undef X
};

#define FIRST_OF_RECORDS SOURCE_message

static void say_in_log(void *ctx, const char *line)
{
    (void)ctx;
    log_warning("%s", line);
}

struct sources *sources_new(sources_say_fn say, void *ctx)
{
    struct sources *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->say = say ? say : say_in_log;
    s->ctx = ctx;
    snprintf(s->others.who, sizeof s->others.who, "others");
    return s;
}

void sources_free(struct sources *s)
{
    free(s);
}

uint64_t source_of(const struct ip_addr *a, char text[static SOURCE_TEXT_MAX])
{
    bool v6 = a->family == IP_V6;
    struct ip_prefix p = prefix_of(a, v6 ? 64 : 32);
    uint64_t n = v6 ? 0 : 1; // no /64 of IPv6 in use begins with 0:1
    for (size_t i = 0; i < (v6 ? 8u : 4u); i++)
        n = n << 8 | p.addr.octet[i];
    char whole[PREFIX_TEXT_MAX];
    prefix_format(&p, whole);
    if (!v6)
        whole[strcspn(whole, "/")] = '\0';
    snprintf(text, SOURCE_TEXT_MAX, "%s", whole);
    return n > 0 ? n : 1; // 0 is nobody's
}

// ---- The table

static uint64_t hash_of(const char *who)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *who; who++)
        h = (h ^ (uint8_t)*who) * UINT64_C(0x100000001b3);
    return h;
}

static const struct source *find(const struct sources *s, const char *who)
{
    uint64_t hash = hash_of(who);
    for (size_t i = 0; i < SOURCES_MAX; i++)
        if (s->item[i].hash == hash && strcmp(s->item[i].who, who) == 0)
            return &s->item[i];
    return NULL;
}

static void give_way(struct sources *s, struct source *old)
{
    for (size_t r = 0; r < SOURCE_REASONS; r++)
        s->others.count[r] += old->count[r];
    s->others.untold += old->untold;
    if (old->ahead_ms > s->others.ahead_ms)
        s->others.ahead_ms = old->ahead_ms;
}

static uint64_t sum(const struct source *at, size_t from, size_t to)
{
    uint64_t n = 0;
    for (size_t r = from; r < to; r++)
        n += at->count[r];
    return n;
}

// Whose place is taken: a free one; who brought no records before an exporter; the one silent longest.
static bool rather(const struct source *a, const struct source *b)
{
    bool brought_a = sum(a, FIRST_OF_RECORDS, SOURCE_REASONS) > 0;
    bool brought_b = sum(b, FIRST_OF_RECORDS, SOURCE_REASONS) > 0;
    if (!a->who[0] || !b->who[0])
        return !a->who[0];
    return brought_a != brought_b ? brought_b : a->seen_ms < b->seen_ms;
}

static struct source *get(struct sources *s, const char *who, int64_t now_ms)
{
    struct source *at = (struct source *)find(s, who);
    if (!at) {
        at = s->item;
        for (size_t i = 1; i < SOURCES_MAX && at->who[0]; i++)
            if (rather(&s->item[i], at))
                at = &s->item[i];
        give_way(s, at);
        *at = (struct source){.hash = hash_of(who)};
        snprintf(at->who, sizeof at->who, "%s", who);
    }
    at->seen_ms = now_ms;
    return at;
}

// ---- The log

// May a line be written now? The clock may have been set back.
static bool may_say(struct sources *s, int64_t now_ms)
{
    if (now_ms - s->minute_ms >= MINUTE_MS || now_ms < s->minute_ms) {
        s->minute_ms = now_ms;
        s->lines = 0;
    }
    return s->lines < SOURCES_LINES;
}

static bool rested(const struct source *at, int64_t now_ms)
{
    return !at->told || now_ms - at->told_ms >= MINUTE_MS || now_ms < at->told_ms;
}

// What was left out stands in front of the next line of the source.
static void say(struct sources *s, struct source *at, const char *line, int64_t now_ms)
{
    char text[400], more[48] = "";
    if (at->untold > 0)
        snprintf(more, sizeof more, " (and %" PRIu64 " more since the last line)", at->untold);
    snprintf(text, sizeof text, "%s: %.250s%s", at->who, line, more);
    at->told = true;
    at->told_ms = now_ms;
    at->untold = 0;
    s->lines++;
    s->say(s->ctx, text);
}

static void consider(struct sources *s, struct source *at, const char *line, int64_t now_ms)
{
    if (!rested(at, now_ms)) {
        at->untold++;
        return;
    }
    if (may_say(s, now_ms)) {
        say(s, at, line, now_ms);
        return;
    }
    at->untold++;
    s->lines_left_out++;
}

void sources_count_more(struct sources *s, const char *who, enum source_reason why, uint64_t count,
                        int64_t now_ms)
{
    get(s, who, now_ms)->count[why] += count;
    s->total[why] += count;
}

void sources_refuse(struct sources *s, const char *who, enum source_reason why, uint64_t count,
                    const char *line, int64_t now_ms)
{
    sources_count_more(s, who, why, count, now_ms);
    consider(s, get(s, who, now_ms), line ? line : reasons[why].text, now_ms);
}

void sources_ahead(struct sources *s, const char *who, int64_t by_ms)
{
    struct source *at = (struct source *)find(s, who);
    if (at && by_ms > at->ahead_ms)
        at->ahead_ms = by_ms;
}

void sources_tell(struct sources *s, const char *who, const char *line, int64_t now_ms)
{
    consider(s, get(s, who, now_ms), line, now_ms);
}

void sources_tick(struct sources *s, int64_t now_ms)
{
    for (size_t i = 0; i < SOURCES_MAX; i++) {
        struct source *at = &s->item[i];
        if (at->untold == 0 || !rested(at, now_ms) || !may_say(s, now_ms))
            continue;
        say(s, at, "refused; `postern status` says why", now_ms);
    }
    if (s->lines_left_out > 0 && may_say(s, now_ms) && s->lines < SOURCES_LINES / 2) {
        char text[100];
        snprintf(text, sizeof text, "%" PRIu64 " lines about refused sources were left out",
                 s->lines_left_out);
        s->lines_left_out = 0;
        s->lines++;
        s->say(s->ctx, text);
    }
}

// ---- Status

uint64_t sources_count(const struct sources *s, const char *who, enum source_reason why)
{
    const struct source *at = find(s, who);
    return at ? at->count[why] : 0;
}

uint64_t sources_total(const struct sources *s, enum source_reason why)
{
    return s->total[why];
}

static int more_refused(const void *a, const void *b)
{
    const struct source *x = *(const struct source *const *)a;
    const struct source *y = *(const struct source *const *)b;
    uint64_t n = sum(x, 0, SOURCE_REASONS), m = sum(y, 0, SOURCE_REASONS);
    return n > m ? -1 : n < m ? 1 : strcmp(x->who, y->who);
}

static size_t put_counts(const struct source *at, size_t from, size_t to, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "%s:", at->who);
    for (size_t r = from; r < to && n < size; r++)
        if (at->count[r] > 0)
            n += (size_t)snprintf(text + n, size - n, " %" PRIu64 " times %s;", at->count[r],
                                  reasons[r].text);
    if (n < size && to == SOURCE_REASONS && at->ahead_ms > 0)
        n += (size_t)snprintf(text + n, size - n, " its clock was up to %" PRId64 " s ahead;",
                              at->ahead_ms / 1000);
    if (n > 0 && n < size && text[n - 1] == ';')
        text[n - 1] = '\0';
    return n;
}

static void tell(const struct source *at, struct control_status *out)
{
    char text[700];
    if (sum(at, 0, FIRST_OF_RECORDS) > 0) {
        put_counts(at, 0, FIRST_OF_RECORDS, text, sizeof text);
        // Who scans is no fault of ours: the state stays.
        control_status_problem(out, 0, "refused-connections", text,
                               "if it is a sensor, enrol it; if it is a router, see "
                               "collector.exporters; else keep it from this port");
    }
    if (sum(at, FIRST_OF_RECORDS, SOURCE_REASONS) > 0) {
        put_counts(at, FIRST_OF_RECORDS, SOURCE_REASONS, text, sizeof text);
        control_status_problem(out, 1, "broken-source", text,
                               at->count[SOURCE_ahead] > 0
                                   ? "synchronise its clock and the collector's (NTP or PTP)"
                                   : "see what it exports, and its IPFIX settings");
    }
}

void sources_status(const struct sources *s, struct control_status *out)
{
    const struct source *list[SOURCES_MAX + 1];
    size_t n = 0;
    for (size_t r = 0; r < SOURCE_REASONS; r++)
        control_status_counter(out, reasons[r].counter, s->total[r]);
    for (size_t i = 0; i < SOURCES_MAX; i++)
        if (s->item[i].who[0] && sum(&s->item[i], 0, SOURCE_REASONS) > 0)
            list[n++] = &s->item[i];
    if (sum(&s->others, 0, SOURCE_REASONS) > 0)
        list[n++] = &s->others;
    qsort(list, n, sizeof(const struct source *), more_refused);
    for (size_t i = 0; i < n; i++)
        tell(list[i], out);
}
