// Formulas are computed at each look-up; a table's lines stand sorted by realm, address, port and start. Blocks
// of a table do not overlap at one time, so the last that begins at or below the port decides.
#include "cgnat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/timefmt.h"

#define FORMULAS_MAX    64
#define NEAR_CHANGE_MS  (120 * 1000)
#define LINE_MAX_OCTETS 256

struct formula {
    struct cgnat_formula f;
    uint32_t ports, blocks; // of a subscriber; of an outside address
};

struct entry {
    uint16_t realm; // index into `realm`
    uint16_t port_first, port_last, inside_realm;
    struct ip_addr outside, inside;
    int64_t start_ms, end_ms;
};

struct cgnat {
    struct formula formula[FORMULAS_MAX];
    size_t formulas;
    struct realm realm[2 * FORMULAS_MAX];
    uint16_t realms;
    struct entry *entry;
    size_t entries, cap;
};

struct cgnat *cgnat_new(void)
{
    return calloc(1, sizeof(struct cgnat));
}

void cgnat_free(struct cgnat *c)
{
    if (!c)
        return;
    free(c->entry);
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
    c->formula[c->formulas++] = (struct formula){
        .f = *f, .ports = (uint32_t)ports, .blocks = (uint32_t)blocks};
    return 0;
}

static enum cgnat_result by_formula(const struct formula *x, const struct ip_addr *addr,
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

static uint16_t realm_number(struct cgnat *c, const struct realm *r)
{
    for (uint16_t i = 0; i < c->realms; i++)
        if (memcmp(&c->realm[i], r, sizeof *r) == 0)
            return i;
    if (c->realms == sizeof c->realm / sizeof *c->realm)
        return UINT16_MAX;
    c->realm[c->realms] = *r;
    return c->realms++;
}

static bool read_port(const char *text, uint16_t *out)
{
    unsigned v = 0;
    size_t n = strlen(text);
    if (n == 0 || n > 5 || strspn(text, "0123456789") != n)
        return false;
    for (const char *p = text; *p; p++)
        v = v * 10 + (unsigned)(*p - '0');
    *out = (uint16_t)v;
    return v <= 65535;
}

// What is wrong with the line, NULL: nothing.
static const char *parse_line(char *line, struct entry *e)
{
    char *cell[6];
    size_t n = 0;
    for (char *at = line; at && n < 6;)
        cell[n++] = strsep(&at, ",");
    if (n < 6 || strchr(cell[5], ','))
        return "a line is outside,port_first,port_last,inside,start,end";
    e->start_ms = INT64_MIN;
    e->end_ms = INT64_MAX;
    if (ip_parse(cell[0], &e->outside) != 0 || ip_parse(cell[3], &e->inside) != 0)
        return "outside and inside are addresses, such as 192.0.2.1";
    if (!read_port(cell[1], &e->port_first) || !read_port(cell[2], &e->port_last) ||
        e->port_first > e->port_last)
        return "port_first and port_last are numbers from 0 to 65535, the lower one first";
    if ((cell[4][0] && time_parse(cell[4], &e->start_ms) != 0) ||
        (cell[5][0] && time_parse(cell[5], &e->end_ms) != 0) || e->end_ms < e->start_ms)
        return "start and end are times such as 2026-11-22T05:52:00Z, or nothing";
    return NULL;
}

static int put_entry(struct cgnat *c, const struct entry *e)
{
    if (c->entries == c->cap) {
        size_t cap = 2 * c->cap + 256;
        struct entry *more = realloc(c->entry, cap * sizeof *more);
        if (!more)
            return -ENOMEM;
        c->entry = more;
        c->cap = cap;
    }
    c->entry[c->entries++] = *e;
    return 0;
}

static int by_place(const struct entry *x, uint16_t realm, const struct ip_addr *addr)
{
    if (x->realm != realm)
        return x->realm < realm ? -1 : 1;
    return ip_compare(&x->outside, addr);
}

static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = by_place(x, y->realm, &y->outside);
    if (order == 0)
        order = (x->port_first > y->port_first) - (x->port_first < y->port_first);
    return order ? order : (x->start_ms > y->start_ms) - (x->start_ms < y->start_ms);
}

static int read_lines(struct cgnat *c, FILE *in, const char *path, struct entry *e, FILE *errors)
{
    char line[LINE_MAX_OCTETS];
    int rc = 0;
    for (int number = 1; rc != -ENOMEM && fgets(line, sizeof line, in); number++) {
        size_t len = strcspn(line, "\r\n");
        const char *wrong = line[len] ? NULL : len + 1 == sizeof line ? "is too long" : NULL;
        line[len] = '\0';
        if (!wrong && (line[0] == '\0' || line[0] == '#' || strncmp(line, "outside,", 8) == 0))
            continue;
        if (!wrong)
            wrong = parse_line(line, e);
        if (wrong) {
            fprintf(errors, "%s:%d: %s\n", path, number, wrong);
            rc = -EINVAL;
        } else {
            int put = put_entry(c, e);
            rc = put < 0 ? put : rc;
        }
    }
    return rc == 0 && ferror(in) ? -EIO : rc;
}

int cgnat_add_table(struct cgnat *c, const char *path, const struct realm *outside,
                    const struct realm *inside, FILE *errors)
{
    struct entry e = {.realm = realm_number(c, outside), .inside_realm = realm_number(c, inside)};
    FILE *in = fopen(path, "re");
    int rc = in ? read_lines(c, in, path, &e, errors) : -errno;
    if (in)
        fclose(in);
    if (rc < 0 && rc != -EINVAL)
        fprintf(errors, "%s: %s\n", path, strerror(-rc));
    if (c->entries > 1)
        qsort(c->entry, c->entries, sizeof *c->entry, compare);
    return rc;
}

// The first entry of the address; `entries`: none.
static size_t first_of(const struct cgnat *c, uint16_t realm, const struct ip_addr *addr)
{
    size_t low = 0, high = c->entries;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (by_place(&c->entry[mid], realm, addr) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < c->entries && by_place(&c->entry[low], realm, addr) == 0 ? low : c->entries;
}

static bool holds(const struct entry *e, uint16_t port)
{
    return port >= e->port_first && port <= e->port_last;
}

static bool is_near(const struct entry *e, int64_t t_ms)
{
    return e->start_ms > t_ms ? e->start_ms - t_ms <= NEAR_CHANGE_MS
                              : e->end_ms > t_ms || t_ms - e->end_ms < NEAR_CHANGE_MS;
}

static enum cgnat_result by_table(const struct cgnat *c, uint16_t realm, const struct ip_addr *addr,
                                  uint16_t port, int64_t t_ms, struct cgnat_inside *out)
{
    size_t first = first_of(c, realm, addr), last = first;
    const struct entry *hit = NULL;
    if (first == c->entries)
        return CGNAT_NOT;
    if (port == 0)
        return CGNAT_NO_PORT;
    for (; last < c->entries && by_place(&c->entry[last], realm, addr) == 0; last++)
        if (holds(&c->entry[last], port) && c->entry[last].start_ms <= t_ms &&
            t_ms < c->entry[last].end_ms)
            hit = &c->entry[last];
    if (!hit)
        return CGNAT_UNUSED;
    *out = (struct cgnat_inside){.realm = c->realm[hit->inside_realm],
                                 .addr = hit->inside,
                                 .port_first = hit->port_first,
                                 .port_last = hit->port_last};
    for (size_t i = first; i < last; i++)
        if (holds(&c->entry[i], port) && ip_compare(&c->entry[i].inside, &hit->inside) != 0 &&
            is_near(&c->entry[i], t_ms))
            out->near_change = true;
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
        const struct formula *x = &c->formula[i];
        if (memcmp(&x->f.outside_realm, realm, sizeof *realm) == 0 &&
            prefix_contains(&x->f.outside, addr))
            result = by_formula(x, addr, port, out);
    }
    return result;
}
