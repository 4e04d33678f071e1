// Counters by name of layers that could not be opened: an open-addressed table that never grows, so
// that hostile traffic with random types costs a bounded search and no memory.
#include "skipped.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Half full is as full as it gets: a search for a new name stays short.
#define SKIPPED_USED_MAX (SKIPPED_NAMES_MAX / 2)

void skipped_count(struct skipped *s, enum skipped_kind kind, uint32_t number)
{
    uint32_t key = ((uint32_t)kind + 1) << 24 | (number & 0xffffff);
    uint32_t slot = (key * 2654435761u) >> 16;
    s->total++;
    for (;; slot++) {
        struct skipped_name *n = &s->name[slot % SKIPPED_NAMES_MAX];
        if (n->kind_and_number == key) {
            n->count++;
            return;
        }
        if (n->kind_and_number != 0)
            continue;
        if (s->used >= SKIPPED_USED_MAX) {
            s->other++;
            return;
        }
        s->used++;
        *n = (struct skipped_name){.kind_and_number = key, .count = 1};
        return;
    }
}

struct entry {
    char text[SKIPPED_TEXT_MAX];
    uint64_t count;
};

static int by_count(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->text, y->text);
}

static void word(const struct skipped_name *n, skipped_broken_fn broken_text,
                 char out[static SKIPPED_TEXT_MAX])
{
    static const char *const format[SKIPPED_KIND_N] = {
        [SKIPPED_LINKTYPE] = "linktype %u",
        [SKIPPED_ETHERTYPE] = "ethertype 0x%04x",
        [SKIPPED_LLC] = "llc 0x%02x",
        [SKIPPED_IP_PROTOCOL] = "ip protocol %u",
        [SKIPPED_PPP] = "ppp protocol 0x%04x",
        [SKIPPED_GRE] = "gre protocol 0x%04x",
        [SKIPPED_MPLS] = "mpls payload nibble %u",
        [SKIPPED_NULL] = "null family %u",
        [SKIPPED_GPE] = "vxlan-gpe protocol %u",
        [SKIPPED_HARDWARE] = "cooked hardware %u",
        [SKIPPED_WLAN] = "802.11 payload %u",
    };
    unsigned kind = (n->kind_and_number >> 24) - 1;
    uint32_t number = n->kind_and_number & 0xffffff;
    if (kind == SKIPPED_BROKEN) {
        broken_text(number, out);
        return;
    }
    snprintf(out, SKIPPED_TEXT_MAX, format[kind], number);
}

void skipped_each(const struct skipped *s, skipped_broken_fn broken_text, skipped_fn fn, void *ctx)
{
    struct entry *list = calloc(SKIPPED_USED_MAX + 1, sizeof *list);
    size_t n = 0;
    if (!list)
        return;
    for (size_t i = 0; i < SKIPPED_NAMES_MAX; i++) {
        if (s->name[i].kind_and_number == 0)
            continue;
        list[n].count = s->name[i].count;
        word(&s->name[i], broken_text, list[n++].text);
    }
    if (s->other > 0) {
        snprintf(list[n].text, SKIPPED_TEXT_MAX, "other layers");
        list[n++].count = s->other;
    }
    qsort(list, n, sizeof *list, by_count);
    for (size_t i = 0; i < n; i++)
        fn(ctx, list[i].text, list[i].count);
    free(list);
}
