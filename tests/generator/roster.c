// From entries with counts to single parties.
#include "roster.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "families/registry.h"

enum { PARTIES_MAX = 1000000 };

static size_t count_all(const struct scenario *s, size_t injects)
{
    size_t n = injects;
    for (size_t f = 0; families[f]; f++) {
        const struct conf_list *list = &s->parties[f];
        for (size_t e = 0; e < list->count; e++) {
            const struct family_common *c = (const void *)((const char *)list->item +
                                                           e * families[f]->size);
            n += (size_t)c->count;
        }
    }
    return n;
}

// Open addressing over what has been given out: names and addresses by their hash.
struct taken {
    uint64_t *slot;
    size_t mask;
};

static bool take(struct taken *t, uint64_t key)
{
    key |= 1;
    for (size_t i = key & t->mask;; i = (i + 1) & t->mask) {
        if (t->slot[i] == key)
            return false;
        if (t->slot[i] == 0) {
            t->slot[i] = key;
            return true;
        }
    }
}

static uint64_t address_key(const struct ip_addr *a)
{
    char text[IP_TEXT_MAX];
    return rng_hash(1, ip_format(a, text), 0);
}

static int add(struct roster *r, struct taken *taken, const struct scenario *s, struct run *run,
               const struct family *f, const void *habits, int64_t i, FILE *errors)
{
    const struct family_common *c = habits;
    struct roster_entry *e = &r->entry[r->count];
    *e = (struct roster_entry){.family = f, .habits = habits, .declared = c->declared};
    int rc = scenario_party(s, run, f, c, i, 0, &e->party, errors);
    if (rc != 0)
        return rc;
    if (!take(taken, rng_hash(2, e->party.name, 0))) {
        fprintf(errors,
                "scenario.parties.%s: there are two parties with the name \"%s\"; rename one\n",
                f->name, e->party.name);
        return EX_CONFIG;
    }
    for (unsigned attempt = 1; !e->party.outside && !take(taken, address_key(&e->party.v4));
         attempt++) {
        if (c->address || attempt == 1000) {
            fprintf(errors, "scenario.parties.%s: the address of \"%s\" is another party's%s\n",
                    f->name, e->party.name, c->address ? "" : "; its range is too small");
            return EX_CONFIG;
        }
        rc = scenario_party(s, run, f, c, i, attempt, &e->party, errors);
        if (rc != 0)
            return rc;
    }
    r->count++;
    return 0;
}

static void add_inject(struct roster *r, struct run *run, const struct scenario *s,
                       struct inject *in, size_t i)
{
    char name[32];
    const char *file = strrchr(in->path, '/');
    struct roster_entry *e = &r->entry[r->count++];
    snprintf(name, sizeof name, "injected-%zu", i + 1);
    *e = (struct roster_entry){.inject = in};
    party_init(&e->party, run, "injected", name);
    e->party.link.wrap = (enum wrap)s->mirror.wrap;
    e->party.v4 = in->v4;
    e->party.v6 = in->v6;
    snprintf(e->party.note, sizeof e->party.note, "flow facts of %.120s",
             file ? file + 1 : in->path);
}

int roster_fill(struct roster *r, const struct scenario *s, struct inject *injects,
                size_t inject_count, struct run *run, FILE *errors)
{
    size_t n = count_all(s, inject_count);
    *r = (struct roster){0};
    if (n > PARTIES_MAX) {
        fprintf(errors, "scenario.parties: %zu parties are more than %d\n", n, PARTIES_MAX);
        return EX_CONFIG;
    }
    struct taken taken = {.mask = 1023};
    while (taken.mask < n * 8)
        taken.mask = taken.mask * 2 + 1;
    taken.slot = calloc(taken.mask + 1, sizeof *taken.slot);
    r->entry = calloc(n ? n : 1, sizeof *r->entry);
    int rc = taken.slot && r->entry ? 0 : EX_OSERR;
    for (size_t f = 0; rc == 0 && families[f]; f++) {
        const struct conf_list *list = &s->parties[f];
        for (size_t e = 0; rc == 0 && e < list->count; e++) {
            const void *habits = (const char *)list->item + e * families[f]->size;
            const struct family_common *c = habits;
            for (int64_t i = 0; rc == 0 && i < c->count; i++)
                rc = add(r, &taken, s, run, families[f], habits, i, errors);
        }
    }
    for (size_t i = 0; rc == 0 && i < inject_count; i++)
        add_inject(r, run, s, &injects[i], i);
    free(taken.slot);
    if (rc != 0)
        roster_free(r);
    return rc;
}

void roster_free(struct roster *r)
{
    free(r->entry);
    *r = (struct roster){0};
}
