// See mail_table.h. Entry 0 is the anchor of the list in order of use.
#include "maillog/mail_table.h"

#include <stdlib.h>

struct mail_table {
    struct mail_entry *entry; // [0] is the anchor
    uint32_t *bucket, *name_bucket;
    uint32_t entries, mask, used, spare; // `spare`: first of the freed ones, by `chain`
    uint64_t evicted;
};

struct mail_table *mail_table_new(uint32_t entries)
{
    struct mail_table *t = calloc(1, sizeof *t);
    uint32_t buckets = 16;
    while (buckets < entries)
        buckets *= 2;
    if (!t)
        return NULL;
    t->entries = entries;
    t->mask = buckets - 1;
    t->entry = calloc((size_t)entries + 1, sizeof *t->entry);
    t->bucket = calloc(buckets, sizeof *t->bucket);
    t->name_bucket = calloc(buckets, sizeof *t->name_bucket);
    if (!t->entry || !t->bucket || !t->name_bucket) {
        mail_table_free(t);
        return NULL;
    }
    return t;
}

void mail_table_free(struct mail_table *t)
{
    if (!t)
        return;
    free(t->entry);
    free(t->bucket);
    free(t->name_bucket);
    free(t);
}

static uint32_t slot(const struct mail_table *t, uint64_t key)
{
    return (uint32_t)(key * 0x9e3779b97f4a7c15u >> 32) & t->mask;
}

static uint32_t index_of(const struct mail_table *t, const struct mail_entry *e)
{
    return (uint32_t)(e - t->entry);
}

// ---- Order of use: anchor.older is the newest, anchor.newer the oldest.

static void unlink_use(struct mail_table *t, struct mail_entry *e)
{
    t->entry[e->newer].older = e->older;
    t->entry[e->older].newer = e->newer;
}

static void link_newest(struct mail_table *t, struct mail_entry *e)
{
    uint32_t i = index_of(t, e);
    e->newer = 0;
    e->older = t->entry[0].older;
    t->entry[e->older].newer = i;
    t->entry[0].older = i;
}

// ---- Chains.

static void unchain(struct mail_table *t, struct mail_entry *e)
{
    uint32_t *at = &t->bucket[slot(t, e->key)], i = index_of(t, e);
    while (*at != i)
        at = &t->entry[*at].chain;
    *at = e->chain;
}

static void unname(struct mail_table *t, struct mail_entry *e)
{
    if (e->name == 0)
        return;
    uint32_t *at = &t->name_bucket[slot(t, e->name)], i = index_of(t, e);
    while (*at != i)
        at = &t->entry[*at].name_chain;
    *at = e->name_chain;
    e->name = 0;
}

static struct mail_entry *look(struct mail_table *t, uint64_t key)
{
    for (uint32_t i = t->bucket[slot(t, key)]; i; i = t->entry[i].chain)
        if (t->entry[i].key == key)
            return &t->entry[i];
    return NULL;
}

struct mail_entry *mail_table_find(struct mail_table *t, uint64_t key)
{
    struct mail_entry *e = look(t, key);
    if (e) {
        unlink_use(t, e);
        link_newest(t, e);
    }
    return e;
}

void mail_table_drop(struct mail_table *t, struct mail_entry *e)
{
    unlink_use(t, e);
    unname(t, e);
    unchain(t, e);
    *e = (struct mail_entry){.chain = t->spare};
    t->spare = index_of(t, e);
    t->used--;
}

static struct mail_entry *take_place(struct mail_table *t)
{
    struct mail_entry *e;
    if (t->spare) {
        e = &t->entry[t->spare];
        t->spare = e->chain;
    } else if (t->used < t->entries) {
        e = &t->entry[t->used + 1];
    } else {
        mail_table_drop(t, &t->entry[t->entry[0].newer]);
        t->evicted++;
        return take_place(t);
    }
    t->used++;
    return e;
}

struct mail_entry *mail_table_get(struct mail_table *t, uint64_t key)
{
    struct mail_entry *e = mail_table_find(t, key);
    if (e)
        return e;
    e = take_place(t);
    uint32_t *head = &t->bucket[slot(t, key)];
    *e = (struct mail_entry){.key = key, .chain = *head};
    *head = index_of(t, e);
    link_newest(t, e);
    return e;
}

void mail_table_name(struct mail_table *t, struct mail_entry *e, uint64_t name)
{
    unname(t, e);
    if (name == 0)
        return;
    uint32_t *head = &t->name_bucket[slot(t, name)];
    e->name = name;
    e->name_chain = *head;
    *head = index_of(t, e);
}

struct mail_entry *mail_table_named(struct mail_table *t, uint64_t name,
                                    const struct mail_entry *but)
{
    // The newest stands first.
    for (uint32_t i = name ? t->name_bucket[slot(t, name)] : 0; i; i = t->entry[i].name_chain)
        if (t->entry[i].name == name && &t->entry[i] != but)
            return &t->entry[i];
    return NULL;
}

void mail_table_each(struct mail_table *t, bool (*fn)(void *ctx, struct mail_entry *e), void *ctx)
{
    for (uint32_t i = t->entry[0].older, next; i; i = next) {
        next = t->entry[i].older;
        if (fn(ctx, &t->entry[i]))
            return;
    }
}

uint64_t mail_table_evicted(const struct mail_table *t)
{
    return t->evicted;
}

uint32_t mail_table_count(const struct mail_table *t)
{
    return t->used;
}
