// Parties of a minute gathered, sorted and folded: a party with several addresses counts once.
#include "site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
    uint64_t party;
    int pop;
    uint64_t mx, mx_failed, smarthost, smarthost_failed;
};

struct site {
    const struct leases *leases;
    struct item *item;
    size_t count, cap;
    struct minute_site *pop; // one a POP
    size_t pops;
    uint64_t lost; // items there was no memory for
};

struct site *site_new(const struct leases *leases)
{
    struct site *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->leases = leases;
    return s;
}

// New POPs come with new leases.
static bool know_pops(struct site *s)
{
    size_t pops = leases_pops(s->leases);
    if (pops <= s->pops)
        return true;
    struct minute_site *more = realloc(s->pop, pops * sizeof *more);
    if (!more)
        return false;
    memset(more + s->pops, 0, (pops - s->pops) * sizeof *more);
    s->pop = more;
    s->pops = pops;
    return true;
}

void site_free(struct site *s)
{
    if (!s)
        return;
    free(s->item);
    free(s->pop);
    free(s);
}

void site_add(struct site *s, const struct acc *a, const struct lease_answer *lease,
              uint64_t number)
{
    if (s->count == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 256;
        struct item *more = realloc(s->item, cap * sizeof *more);
        if (!more) {
            s->lost++;
            return;
        }
        s->item = more;
        s->cap = cap;
    }
    uint32_t party = leases_party(s->leases, lease);
    s->item[s->count++] = (struct item){
        // Provisional parties have numbers above those of texts.
        .party = party ? party : (uint64_t)UINT32_MAX + 1 + number,
        .pop = leases_pop_of(s->leases, lease),
        .mx = a->mx_connections,
        .mx_failed = a->mx_failures,
        .smarthost = a->smarthost_connections,
        .smarthost_failed = a->smarthost_failures,
    };
}

static int by_party(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = (x->party > y->party) - (x->party < y->party);
    return order ? order : (x->pop > y->pop) - (x->pop < y->pop);
}

static void count_party(struct minute_site *m, const struct item *i)
{
    m->active_parties++;
    m->parties_mx += i->mx > 0 || i->mx_failed > 0;
    m->parties_mx_failing += 2 * i->mx_failed > i->mx;
    m->mx_connections += i->mx;
    m->mx_failures += i->mx_failed;
    m->smarthost_connections += i->smarthost;
    m->smarthost_failures += i->smarthost_failed;
}

static void add_item(struct item *into, const struct item *from)
{
    into->mx += from->mx;
    into->mx_failed += from->mx_failed;
    into->smarthost += from->smarthost;
    into->smarthost_failed += from->smarthost_failed;
}

// Folds the sorted items: of each party, and of each of its POPs.
static void fold(struct site *s, struct minute_site *whole)
{
    for (size_t i = 0; i < s->count;) {
        struct item party = s->item[i];
        size_t j = i;
        while (j < s->count && s->item[j].party == party.party) {
            struct item here = s->item[j];
            size_t k = j + 1;
            while (k < s->count && s->item[k].party == here.party && s->item[k].pop == here.pop)
                add_item(&here, &s->item[k++]);
            if (here.pop >= 0 && (size_t)here.pop < s->pops)
                count_party(&s->pop[here.pop], &here);
            if (j == i)
                party = here;
            else
                add_item(&party, &here);
            j = k;
        }
        count_party(whole, &party);
        i = j;
    }
}

int site_close(struct site *s, int64_t minute, int (*give)(const struct minute_site *, void *),
               void *ctx)
{
    struct minute_site whole = {.minute = minute};
    int64_t end_ms = (minute + 1) * 60000;
    if (s->count > 1)
        qsort(s->item, s->count, sizeof *s->item, by_party);
    if (!know_pops(s))
        s->lost++;
    fold(s, &whole);
    leases_churn(s->leases, -1, end_ms, &whole.leases, &whole.lease_changes);
    int rc = give(&whole, ctx);
    for (size_t p = 0; p < s->pops; p++) {
        struct minute_site *pop = &s->pop[p];
        leases_churn(s->leases, (int)p, end_ms, &pop->leases, &pop->lease_changes);
        if (rc >= 0 && (pop->active_parties > 0 || pop->lease_changes > 0)) {
            pop->minute = minute;
            snprintf(pop->pop, sizeof pop->pop, "%s", leases_pop(s->leases, p));
            rc = give(pop, ctx);
        }
        *pop = (struct minute_site){0};
    }
    s->count = 0;
    return rc;
}
