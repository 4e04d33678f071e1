// One record of each file is read ahead; the file whose time is least gives the next. A file's time never
// goes back, so a record that is late within its file keeps its place there.
#include "inputs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

// A file is of one sensor process, or of a few.
#define DOMAINS_MAX 64

struct input {
    char *path; // owned
    struct record_reader *reader;
    struct record ahead;
    bool there; // `ahead` is one
    int64_t time_ms;
    uint32_t domain[DOMAINS_MAX]; // that were in it; when it is at its end, those not yet told of
    size_t domains;
};

struct inputs {
    struct input *item;
    size_t count;
};

struct inputs *inputs_new(void)
{
    return calloc(1, sizeof(struct inputs));
}

void inputs_free(struct inputs *in)
{
    if (!in)
        return;
    for (size_t i = 0; i < in->count; i++) {
        record_reader_close(in->item[i].reader);
        free(in->item[i].path);
    }
    free(in->item);
    free(in);
}

static int64_t time_of(const struct record *r)
{
    switch (r->kind) {
    case RECORD_COVERAGE: return r->coverage.t_ms;
    case RECORD_MAIL: return r->mail.t_ms;
    default: return r->flow.outcome_ms > r->flow.end_ms ? r->flow.outcome_ms : r->flow.end_ms;
    }
}

static void note_domain(struct input *i, uint32_t domain)
{
    for (size_t d = 0; d < i->domains; d++)
        if (i->domain[d] == domain)
            return;
    if (i->domains < DOMAINS_MAX)
        i->domain[i->domains++] = domain;
}

static void read_ahead(struct input *i)
{
    if (i->there)
        note_domain(i, i->ahead.id.domain);
    i->there = record_reader_next(i->reader, &i->ahead) == 1;
    if (i->there && time_of(&i->ahead) > i->time_ms)
        i->time_ms = time_of(&i->ahead);
}

int inputs_add(struct inputs *in, const char *path)
{
    struct input *more = realloc(in->item, (in->count + 1) * sizeof *more);
    if (!more)
        return -ENOMEM;
    in->item = more;
    struct input *i = &more[in->count];
    memset(i, 0, sizeof *i);
    i->time_ms = INT64_MIN;
    i->path = strdup(path);
    int rc = i->path ? record_reader_open(path, &i->reader) : -ENOMEM;
    if (rc < 0) {
        free(i->path);
        return rc;
    }
    in->count++;
    read_ahead(i);
    return 0;
}

int inputs_next(struct inputs *in, struct record *r)
{
    struct input *first = NULL;
    for (size_t i = 0; i < in->count; i++) {
        struct input *here = &in->item[i];
        if (here->there && (!first || here->time_ms < first->time_ms))
            first = here;
    }
    if (!first)
        return 0;
    *r = first->ahead;
    read_ahead(first);
    return 1;
}

bool inputs_ended(struct inputs *in, uint32_t *domain)
{
    for (size_t i = 0; i < in->count; i++) {
        struct input *it = &in->item[i];
        if (it->there || it->domains == 0)
            continue;
        *domain = it->domain[--it->domains];
        return true;
    }
    return false;
}

bool inputs_status(const struct inputs *in, struct control_status *s)
{
    bool whole = true;
    for (size_t i = 0; i < in->count; i++) {
        const struct input *it = &in->item[i];
        const struct record_reader_stats *t = record_reader_stats(it->reader);
        uint64_t bad = t->bad_message + t->bad_set + t->bad_record + t->bad_value;
        const char *state = bad > 0        ? "broken"
                            : t->truncated ? "truncated"
                            : t->records   ? "whole"
                                           : "empty";
        const char *reason = record_reader_bad_value(it->reader);
        char text[320];
        snprintf(text, sizeof text,
                 "%llu records in %llu messages; %llu messages, %llu sets, %llu records broken, "
                 "%llu refused%s%s; %llu sets without template",
                 (unsigned long long)t->records, (unsigned long long)t->messages,
                 (unsigned long long)t->bad_message, (unsigned long long)t->bad_set,
                 (unsigned long long)t->bad_record, (unsigned long long)t->bad_value,
                 reason ? ", last for " : "", reason ? reason : "",
                 (unsigned long long)t->unknown_template);
        control_status_input(s, it->path, state, text);
        if (bad > 0 || t->truncated)
            log_warning("%s: %s: %s%s", it->path, state, text,
                        t->records == 0 ? "; are these records of a sensor (IPFIX)?" : "");
        whole = whole && bad == 0 && !t->truncated;
    }
    return whole;
}
