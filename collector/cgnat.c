// Formulas are computed at each look-up; a table's lines stand sorted by realm, address, port and start
// (cgnat_read.c).
#include "cgnat_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NEAR_CHANGE_MS (120 * 1000)

struct cgnat *cgnat_new(void)
{
    return calloc(1, sizeof(struct cgnat));
}

void cgnat_free(struct cgnat *c)
{
    if (!c)
        return;
    free(c->entry);
    free(c->sort.to);
    free(c);
}

// ---- Formula

static uint64_t addresses(const struct ip_prefix *p)
{
    return UINT64_C(1) << (32 - p->len);
}

static uint32_t number_of(const struct ip_addr *a)
{
    return (uint32_t)a->octet[0] << 24 | (uint32_t)a->octet[1] << 16 | (uint32_t)a->octet[2] << 8 |
           a->octet[3];
}

static struct ip_addr address_of(uint32_t n)
{
    return (struct ip_addr){
        .family = IP_V4,
        .octet = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

int cgnat_add_formula(struct cgnat *c, const struct cgnat_formula *f, char error[static 200])
{
    if (f->inside.addr.family != IP_V4 || f->outside.addr.family != IP_V4) {
        snprintf(error, 200, "inside and outside must be IPv4 prefixes");
        return -EINVAL;
    }
    if (c->formulas == FORMULAS_MAX) {
        snprintf(error, 200, "more than %d formulas; use a table", FORMULAS_MAX);
        return -EINVAL;
    }
    uint64_t inside = addresses(&f->inside), outside = addresses(&f->outside);
    uint64_t usable = 65536 - f->reserved;
    uint64_t share = (inside + outside - 1) / outside; // subscribers of an outside address
    uint64_t ports = f->ports ? f->ports : share <= usable ? usable / share : 0;
    uint64_t blocks = ports ? usable / ports : 0;
    if (blocks * outside < inside || ports == 0) {
        snprintf(
            error, 200,
            "%llu inside addresses need more ports than the pool has; enlarge outside, or lower "
            "ports to %llu",
            (unsigned long long)inside, (unsigned long long)(usable / share));
        return -EINVAL;
    }
    c->formula[c->formulas++] = (struct cgnat_pool){
        .f = *f, .ports = (uint32_t)ports, .blocks = (uint32_t)blocks};
    return 0;
}

static enum cgnat_result by_formula(const struct cgnat_pool *x, const struct ip_addr *addr,
                                    uint16_t port, struct cgnat_inside *out)
{
    if (port == 0)
        return CGNAT_NO_PORT;
    if (port < x->f.reserved)
        return CGNAT_UNUSED;
    uint32_t block = (port - x->f.reserved) / x->ports;
    uint64_t index = (uint64_t)(number_of(addr) - number_of(&x->f.outside.addr)) * x->blocks +
                     block;
    if (block >= x->blocks || index >= addresses(&x->f.inside))
        return CGNAT_UNUSED;
    uint32_t first = x->f.reserved + block * x->ports;
    *out = (struct cgnat_inside){
        .realm = x->f.inside_realm,
        .addr = address_of(number_of(&x->f.inside.addr) + (uint32_t)index),
        .port_first = (uint16_t)first,
        .port_last = (uint16_t)(first + x->ports - 1),
    };
    return CGNAT_INSIDE;
}

// ---- Table

int cgnat_by_place(const struct cgnat_entry *x, uint16_t realm, const struct ip_addr *addr)
{
    if (x->realm != realm)
        return x->realm < realm ? -1 : 1;
    return ip_compare(&x->outside, addr);
}

// The first entry of the address; `entries`: none.
static size_t first_of(const struct cgnat *c, uint16_t realm, const struct ip_addr *addr)
{
    size_t low = 0, high = c->entries;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (cgnat_by_place(&c->entry[mid], realm, addr) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < c->entries && cgnat_by_place(&c->entry[low], realm, addr) == 0 ? low : c->entries;
}

static bool holds(const struct cgnat_entry *e, uint16_t port)
{
    return port >= e->port_first && port <= e->port_last;
}

static bool is_near(const struct cgnat_entry *e, int64_t t_ms)
{
    return e->start_ms > t_ms ? e->start_ms - t_ms <= NEAR_CHANGE_MS
                              : t_ms - e->end_ms < NEAR_CHANGE_MS;
}

static enum cgnat_result by_table(const struct cgnat *c, uint16_t realm, const struct ip_addr *addr,
                                  uint16_t port, int64_t t_ms, struct cgnat_inside *out)
{
    size_t first = first_of(c, realm, addr), last = first;
    const struct cgnat_entry *hit = NULL;
    if (first == c->entries)
        return CGNAT_NOT;
    if (port == 0)
        return CGNAT_NO_PORT;
    for (; last < c->entries && cgnat_by_place(&c->entry[last], realm, addr) == 0; last++)
        if (holds(&c->entry[last], port) && c->entry[last].start_ms <= t_ms &&
            t_ms < c->entry[last].end_ms)
            hit = &c->entry[last];
    if (!hit)
        return CGNAT_UNUSED;
    *out = (struct cgnat_inside){.realm = c->realm[hit->inside_realm],
                                 .addr = hit->inside,
                                 .port_first = hit->port_first,
                                 .port_last = hit->port_last};
    for (size_t i = first; i < last; i++) {
        const struct cgnat_entry *e = &c->entry[i];
        if (!holds(e, port) || ip_compare(&e->inside, &hit->inside) == 0)
            continue;
        if (e->start_ms <= t_ms && t_ms < e->end_ms)
            out->overlap = true;
        else if (is_near(e, t_ms))
            out->near_change = true;
    }
    return CGNAT_INSIDE;
}

enum cgnat_result cgnat_find(const struct cgnat *c, const struct realm *realm,
                             const struct ip_addr *addr, uint16_t port, int64_t t_ms,
                             struct cgnat_inside *out)
{
    enum cgnat_result result = CGNAT_NOT;
    for (uint16_t r = 0; r < c->realms && result == CGNAT_NOT; r++)
        if (memcmp(&c->realm[r], realm, sizeof *realm) == 0)
            result = by_table(c, r, addr, port, t_ms, out);
    for (size_t i = 0; i < c->formulas && result == CGNAT_NOT; i++) {
        const struct cgnat_pool *x = &c->formula[i];
        if (memcmp(&x->f.outside_realm, realm, sizeof *realm) == 0 &&
            prefix_contains(&x->f.outside, addr))
            result = by_formula(x, addr, port, out);
    }
    return result;
}

static int table_window(const struct cgnat *c, uint16_t realm, const struct ip_addr *addr,
                        uint16_t port, int64_t from_ms, int64_t to_ms, cgnat_fn fn, void *ctx)
{
    int rc = 0;
    for (size_t i = first_of(c, realm, addr);
         rc >= 0 && i < c->entries && cgnat_by_place(&c->entry[i], realm, addr) == 0; i++) {
        const struct cgnat_entry *e = &c->entry[i];
        if (holds(e, port) && e->start_ms <= to_ms && e->end_ms > from_ms)
            rc = fn(&c->realm[e->inside_realm], &e->inside,
                    e->start_ms > from_ms ? e->start_ms : from_ms,
                    e->end_ms < to_ms ? e->end_ms : to_ms, ctx);
    }
    return rc;
}

int cgnat_window(const struct cgnat *c, const struct realm *realm, const struct ip_addr *addr,
                 uint16_t port, int64_t from_ms, int64_t to_ms, cgnat_fn fn, void *ctx)
{
    struct cgnat_inside in;
    int rc = 0;
    if (port == 0)
        return 0;
    for (uint16_t r = 0; r < c->realms && rc >= 0; r++)
        if (memcmp(&c->realm[r], realm, sizeof *realm) == 0)
            rc = table_window(c, r, addr, port, from_ms, to_ms, fn, ctx);
    for (size_t i = 0; i < c->formulas && rc >= 0; i++) {
        const struct cgnat_pool *x = &c->formula[i];
        if (memcmp(&x->f.outside_realm, realm, sizeof *realm) == 0 &&
            prefix_contains(&x->f.outside, addr) && by_formula(x, addr, port, &in) == CGNAT_INSIDE)
            rc = fn(&in.realm, &in.addr, from_ms, to_ms, ctx);
    }
    return rc;
}
