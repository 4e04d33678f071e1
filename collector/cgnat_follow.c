// One table changed: all are read into a new set, which takes the old one's place when the last line was good.
#include "cgnat_follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cgnat.h"
#include "file_watch.h"
#include "lease_conf.h"
#include "lease_follow.h"

struct source {
    struct realm outside, inside;
    char *path;                   // table; NULL: formula
    struct cgnat_formula formula; // with the number of the entry for its errors
    size_t number;
    struct file_watch watch;
    struct file_version reading;
};

struct cgnat_follow {
    struct leases *leases;
    struct source *source;
    size_t count;
    struct cgnat *used;
    // Of a reading under way.
    struct cgnat *fresh;
    struct cgnat_reading *table; // of source `at`
    size_t at;
    size_t changed; // why it began
    const char *path;
};

static struct realm realm_of(const char *text)
{
    struct realm r = {0};
    realm_parse(text, &r); // checked with the configuration
    return r;
}

static bool add_source(struct cgnat_follow *f, const struct lease_source_conf *c, size_t number)
{
    struct source *s = &f->source[f->count++];
    s->outside = realm_of(c->realm);
    s->inside = realm_of(c->inside_realm);
    s->number = number;
    if (c->kind == LEASE_KIND_CGNAT_TABLE)
        return (s->path = strdup(c->path)) != NULL;
    s->formula = (struct cgnat_formula){.outside_realm = s->outside,
                                        .inside_realm = s->inside,
                                        .outside = c->outside.item[0],
                                        .inside = c->inside.item[0],
                                        .ports = (uint32_t)c->ports,
                                        .reserved = (uint16_t)c->reserved};
    return true;
}

struct cgnat_follow *cgnat_follow_new(const struct conf_list *sources, struct leases *leases)
{
    const struct lease_source_conf *c = sources->item;
    struct cgnat_follow *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->leases = leases;
    f->path = "";
    f->source = calloc(sources->count + 1, sizeof *f->source);
    bool whole = f->source != NULL;
    for (size_t i = 0; whole && i < sources->count; i++)
        if (c[i].kind == LEASE_KIND_CGNAT_TABLE || c[i].kind == LEASE_KIND_CGNAT_FORMULA)
            whole = add_source(f, &c[i], i + 1);
    if (whole)
        return f;
    cgnat_follow_free(f);
    return NULL;
}

static void end_reading(struct cgnat_follow *f)
{
    cgnat_read_close(f->table);
    cgnat_free(f->fresh);
    f->table = NULL;
    f->fresh = NULL;
}

void cgnat_follow_free(struct cgnat_follow *f)
{
    if (!f)
        return;
    end_reading(f);
    for (size_t i = 0; i < f->count && f->source; i++)
        free(f->source[i].path);
    free(f->source);
    cgnat_free(f->used);
    free(f);
}

// ---- Reading

static int begin(struct cgnat_follow *f)
{
    f->at = 0;
    f->fresh = cgnat_new();
    return f->fresh ? 0 : -ENOMEM;
}

static int add_formula(struct cgnat_follow *f, const struct source *s, FILE *errors)
{
    char error[200];
    int rc = cgnat_add_formula(f->fresh, &s->formula, error);
    if (rc < 0)
        fprintf(errors, "collector.lease_sources: entry %zu: %s\n", s->number, error);
    return rc;
}

static int open_table(struct cgnat_follow *f, struct source *s, FILE *errors)
{
    f->path = s->path;
    s->reading = file_version_now(s->path);
    return cgnat_read_open(f->fresh, s->path, &s->outside, &s->inside, errors, &f->table);
}

// The next source, or the next lines of its table. 1: there is more; 0: all is read.
static int read_slice(struct cgnat_follow *f, FILE *errors)
{
    int rc = 0;
    if (f->table) {
        rc = cgnat_read_slice(f->table, errors);
        if (rc != 0)
            return rc;
        cgnat_read_close(f->table);
        f->table = NULL;
        f->at++;
    }
    for (; f->at < f->count && !f->source[f->at].path; f->at++)
        if ((rc = add_formula(f, &f->source[f->at], errors)) < 0)
            return rc;
    if (f->at == f->count)
        return 0;
    rc = open_table(f, &f->source[f->at], errors);
    return rc < 0 ? rc : 1;
}

static void use(struct cgnat_follow *f)
{
    leases_cgnat(f->leases, f->fresh);
    cgnat_free(f->used);
    f->used = f->fresh;
    f->fresh = NULL;
    for (size_t i = 0; i < f->count; i++)
        if (f->source[i].path)
            file_watch_took(&f->source[i].watch, &f->source[i].reading);
}

// 1: there is more; CGNAT_FOLLOW_ANEW: done.
static int go_on(struct cgnat_follow *f, FILE *errors)
{
    int rc = f->at < f->count || f->table ? read_slice(f, errors) : 0;
    if (rc == 0 && f->at == f->count)
        rc = cgnat_sort_slice(f->fresh);
    if (rc == 0)
        use(f);
    return rc == 0 ? CGNAT_FOLLOW_ANEW : rc;
}

int cgnat_follow_load(struct cgnat_follow *f, FILE *errors)
{
    int rc = begin(f);
    while (rc >= 0 && rc != CGNAT_FOLLOW_ANEW)
        rc = go_on(f, errors);
    end_reading(f);
    return rc < 0 ? rc : 0;
}

// ---- Following

bool cgnat_follow_busy(const struct cgnat_follow *f)
{
    return f->fresh != NULL;
}

const char *cgnat_follow_path(const struct cgnat_follow *f)
{
    return f->path;
}

// Each table is looked at each second, so that its state is known. False: none changed.
static bool look_for_change(struct cgnat_follow *f)
{
    bool found = false;
    for (size_t i = 0; i < f->count; i++)
        if (f->source[i].path && file_watch_look(&f->source[i].watch, f->source[i].path) &&
            !found) {
            found = true;
            f->changed = i;
        }
    return found;
}

// Neither what changed is tried again, nor what stands in its way, until one of them changes.
static void refuse(struct cgnat_follow *f, int error)
{
    file_watch_refused(&f->source[f->changed].watch, error);
    if (f->at < f->count && f->source[f->at].path)
        file_watch_refused(&f->source[f->at].watch, error);
}

int cgnat_follow_poll(struct cgnat_follow *f, bool look, FILE *errors)
{
    int rc = 0;
    if (!f->fresh) {
        if (!look || !look_for_change(f))
            return 0;
        rc = begin(f);
        f->path = f->source[f->changed].path;
    }
    if (rc == 0)
        rc = go_on(f, errors);
    if (rc < 0)
        refuse(f, rc);
    if (rc == CGNAT_FOLLOW_ANEW)
        f->path = f->source[f->changed].path;
    if (rc != 1)
        end_reading(f);
    return rc;
}

void cgnat_follow_status(const struct cgnat_follow *f, struct control_status *s)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->source[i].path)
            lease_file_status(f->source[i].path, f->source[i].watch.error, s);
}
