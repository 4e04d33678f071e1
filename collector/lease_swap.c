// Three steps: every line is read and held against the index; what differs is put, each lease in the place of what the file
// said of its key and time before; what the file no longer has is taken out. Nothing changes before the last
// line was found to be a lease.
#include "lease_swap.h"

#include <errno.h>
#include <stdlib.h>

#include "common/buf.h"
#include "lease_index.h"

// What one slice does: some milliseconds.
#define LINES_A_SLICE 2000
#define PUTS_A_SLICE  500
#define SPANS_A_SLICE 20000
#define ERRORS_KEPT   5

enum step { STEP_READ, STEP_PUT, STEP_DROP, STEP_DONE };

struct lease_swap {
    struct leases *leases;
    FILE *in; // borrowed
    const char *path;
    uint8_t source, file;
    uint16_t round;
    bool appended;
    enum step step;
    char *line; // of getline
    size_t line_cap;
    unsigned number; // of the line
    unsigned wrong;
    char *errors[ERRORS_KEPT];
    struct buf changed; // lines that say something new, each with its zero
    size_t put;         // of these
    uint32_t span;      // looked at for leases that are gone
};

struct lease_swap *lease_swap_new(struct leases *l, FILE *in, const char *path, uint8_t source,
                                  uint8_t file, uint16_t round, bool appended)
{
    struct lease_swap *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    *w = (struct lease_swap){.leases = l,
                             .in = in,
                             .path = path,
                             .source = source,
                             .file = file,
                             .round = round,
                             .appended = appended,
                             .span = 1};
    buf_init(&w->changed, SIZE_MAX / 2);
    return w;
}

void lease_swap_free(struct lease_swap *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < ERRORS_KEPT; i++)
        free(w->errors[i]);
    buf_fini(&w->changed);
    free(w->line);
    free(w);
}

void lease_swap_tell(const struct lease_swap *w, FILE *errors)
{
    for (size_t i = 0; i < ERRORS_KEPT && i < w->wrong; i++)
        fprintf(errors, "%s\n", w->errors[i] ? w->errors[i] : w->path);
    if (w->wrong > ERRORS_KEPT)
        fprintf(errors, "%s: and %u lines more that are no leases\n", w->path,
                w->wrong - ERRORS_KEPT);
}

// ---- Reading

// 1: a lease; 0: none; -EINVAL.
static int parse(const struct lease_swap *w, const char *line, struct lease *out,
                 char error[static 160])
{
    if (line[0] == '\0' || line[0] == '#' || strncmp(line, "realm,", 6) == 0)
        return 0;
    if (lease_parse_csv(line, out, error) < 0)
        return -EINVAL;
    if (out->source == 0)
        out->source = w->source;
    if (w->source == LEASE_PREFIX_MAP) {
        out->source = w->source;
        out->interim_ms = 0;
    }
    return 1;
}

static bool is_text(const struct leases *l, uint32_t string, const char *text)
{
    return strcmp(strings_get(l->strings, string), text) == 0;
}

static bool same_place_and_name(const struct leases *l, const struct lease_span *s,
                                const struct lease *lease)
{
    return is_text(l, s->pop, lease->pop) && is_text(l, s->nas, lease->nas) &&
           is_text(l, s->network_class, lease->network_class);
}

// Does the index say all that the line says? Then the lease is of this round.
static bool is_known(const struct lease_swap *w, const struct lease *lease)
{
    struct leases *l = w->leases;
    uint32_t at = leases_span_of(l, lease);
    if (at == 0)
        return false;
    struct lease_span *s = &l->span[at];
    int64_t end_ms = lease->end_ms ? lease->end_ms : INT64_MAX;
    if (s->file != w->file) // others said it, and as late
        return s->file == 0 && (lease->last_seen_ms < s->last_seen_ms ||
                                (lease->last_seen_ms == s->last_seen_ms && end_ms >= s->end_ms));
    if (s->end_ms != end_ms || s->last_seen_ms != lease->last_seen_ms ||
        s->interim_s != (uint32_t)(lease->interim_ms / 1000) || !same_place_and_name(l, s, lease))
        return false;
    s->round = w->round;
    return true;
}

static void note_error(struct lease_swap *w, const char *error)
{
    char text[400];
    snprintf(text, sizeof text, "%.200s:%u: %s", w->path, w->number, error);
    if (w->wrong < ERRORS_KEPT)
        w->errors[w->wrong] = strdup(text);
    w->wrong++;
}

static int read_lines(struct lease_swap *w)
{
    for (unsigned n = 0; n < LINES_A_SLICE; n++) {
        struct lease lease;
        char error[160];
        ssize_t len = getline(&w->line, &w->line_cap, w->in);
        if (len < 0) {
            if (ferror(w->in))
                return -EIO;
            w->step = STEP_PUT;
            return w->wrong > 0 ? -EINVAL : w->changed.failed ? -ENOMEM : 1;
        }
        w->number++;
        while (len > 0 && (w->line[len - 1] == '\n' || w->line[len - 1] == '\r'))
            w->line[--len] = '\0';
        int rc = parse(w, w->line, &lease, error);
        if (rc < 0)
            note_error(w, error);
        else if (rc > 0 && w->wrong == 0 && !is_known(w, &lease))
            buf_bytes(&w->changed, w->line, strlen(w->line) + 1);
    }
    return 1;
}

// ---- Putting

static int take_out(struct leases *l, uint32_t at)
{
    const struct lease_span *s = &l->span[at];
    struct group *g = &l->group[s->group];
    if (!lease_churn_gone(l->churn[0], s->start_ms, s->until_ms) ||
        (s->pop_index >= 0 &&
         !lease_churn_gone(l->churn[s->pop_index + 1], s->start_ms, s->until_ms)))
        return -ENOMEM;
    take_out_span(l, at);
    return mend_group(l, g);
}

static bool is_stale(const struct lease_swap *w, const struct lease_span *s)
{
    return s->used && s->file == w->file && s->round != w->round;
}

// What the file said before of the key, of a time that is the lease's now.
static int take_out_before(struct lease_swap *w, const struct lease *lease)
{
    struct leases *l = w->leases;
    uint32_t at = leases_span_of(l, lease);
    struct group *g = at ? &l->group[l->span[at].group] : NULL;
    int64_t end_ms = lease->end_ms ? lease->end_ms : INT64_MAX;
    int rc = 0;
    for (uint32_t i = g ? g->count : 0; i > 0 && rc == 0; i--) {
        const struct lease_span *s = &l->span[g->span[i - 1]];
        if (is_stale(w, s) && s->start_ms < end_ms && s->until_ms > lease->start_ms)
            rc = take_out(l, g->span[i - 1]);
    }
    return rc;
}

static int put_one(struct lease_swap *w, const struct lease *lease)
{
    struct leases *l = w->leases;
    uint32_t at = leases_span_of(l, lease);
    int rc = 0;
    // Of the same lease the file says something else now: POPs count it elsewhere.
    if (at && l->span[at].file == w->file && !same_place_and_name(l, &l->span[at], lease))
        rc = take_out(l, at);
    l->file = w->file;
    l->round = w->round;
    if (rc == 0)
        rc = leases_put(l, lease);
    l->file = 0;
    l->round = 0;
    return rc == 0 && !w->appended ? take_out_before(w, lease) : rc;
}

static int put_changed(struct lease_swap *w)
{
    int rc = 0;
    for (unsigned n = 0; n < PUTS_A_SLICE && rc == 0 && w->put < w->changed.len; n++) {
        const char *line = (const char *)w->changed.data + w->put;
        struct lease lease;
        char error[160];
        w->put += strlen(line) + 1;
        if (parse(w, line, &lease, error) > 0)
            rc = put_one(w, &lease);
    }
    if (w->put == w->changed.len)
        w->step = w->appended ? STEP_DONE : STEP_DROP;
    return rc;
}

static int drop_gone(struct lease_swap *w)
{
    struct leases *l = w->leases;
    int rc = 0;
    for (unsigned n = 0; n < SPANS_A_SLICE && rc == 0 && w->span <= l->used; n++, w->span++)
        if (is_stale(w, &l->span[w->span]))
            rc = take_out(l, w->span);
    if (w->span > l->used)
        w->step = STEP_DONE;
    return rc;
}

int lease_swap_slice(struct lease_swap *w)
{
    int rc = 0;
    switch (w->step) {
    case STEP_READ: rc = read_lines(w); break;
    case STEP_PUT: rc = put_changed(w); break;
    case STEP_DROP: rc = drop_gone(w); break;
    case STEP_DONE: break;
    }
    if (rc < 0)
        return rc;
    return w->step == STEP_DONE ? 0 : 1;
}
