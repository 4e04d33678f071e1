// Tables of port blocks, of a million lines and more: read and sorted in slices, runs first, then merges of them that can
// stop anywhere.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cgnat_parts.h"
#include "common/timefmt.h"

#define LINE_MAX_OCTETS 256
#define ERRORS_MAX      5
#define NO_REALM        UINT16_MAX

// What one slice does.
#define LINES_A_SLICE 2000
#define RUN_ENTRIES   2048
#define MOVES_A_SLICE 20000

struct cgnat_reading {
    struct cgnat *into;
    FILE *in;
    char *path;
    struct cgnat_entry e; // its realms
    unsigned line, wrong;
};

// ---- Lines

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

struct mistake {
    unsigned column;
    const char *text; // NULL: none
};

// Splits the line at its commas, six cells.
static struct mistake parse_line(char *line, struct cgnat_entry *e)
{
    char *cell[6];
    size_t n = 0;
    for (char *at = line; at && n < 6;)
        cell[n++] = strsep(&at, ",");
    if (n < 6 || strchr(cell[5], ','))
        return (struct mistake){1, "a line is outside,port_first,port_last,inside,start,end"};
    static const char address[] = "outside and inside are addresses, such as 192.0.2.1";
    static const char ports[] =
        "port_first and port_last are numbers from 0 to 65535, the lower one first";
    static const char times[] = "start and end are times such as 2026-11-22T05:52:00Z, or nothing";
    e->start_ms = INT64_MIN;
    e->end_ms = INT64_MAX;
    const char *text = NULL;
    if (ip_parse(cell[n = 0], &e->outside) != 0)
        text = address;
    else if (!read_port(cell[n = 1], &e->port_first))
        text = ports;
    else if (!read_port(cell[n = 2], &e->port_last) || e->port_first > e->port_last)
        text = ports;
    else if (ip_parse(cell[n = 3], &e->inside) != 0)
        text = address;
    else if (cell[n = 4][0] && time_parse(cell[4], &e->start_ms) != 0)
        text = times;
    else if (cell[n = 5][0] && (time_parse(cell[5], &e->end_ms) != 0 || e->end_ms < e->start_ms))
        text = times;
    return (struct mistake){(unsigned)(cell[n] - line) + 1, text};
}

static int put_entry(struct cgnat *c, const struct cgnat_entry *e)
{
    if (c->entries == c->cap) {
        size_t cap = 2 * c->cap + 256;
        struct cgnat_entry *more = realloc(c->entry, cap * sizeof *more);
        if (!more)
            return -ENOMEM;
        c->entry = more;
        c->cap = cap;
    }
    c->entry[c->entries++] = *e;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct cgnat_entry *x = a, *y = b;
    int order = cgnat_by_place(x, y->realm, &y->outside);
    if (order == 0)
        order = (x->port_first > y->port_first) - (x->port_first < y->port_first);
    return order ? order : (x->start_ms > y->start_ms) - (x->start_ms < y->start_ms);
}

// ---- Reading

int cgnat_read_open(struct cgnat *c, const char *path, const struct realm *outside,
                    const struct realm *inside, FILE *errors, struct cgnat_reading **out)
{
    struct cgnat_reading *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    r->into = c;
    r->e.realm = realm_number(c, outside);
    r->e.inside_realm = realm_number(c, inside);
    r->path = strdup(path);
    r->in = fopen(path, "re");
    int rc = r->in ? 0 : -errno;
    if (!r->path)
        rc = -ENOMEM;
    else if (rc == 0 && (r->e.realm == NO_REALM || r->e.inside_realm == NO_REALM))
        rc = -E2BIG;
    if (rc < 0) {
        fprintf(errors, "%s: %s\n", path, rc == -E2BIG ? "too many realms" : strerror(-rc));
        cgnat_read_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

void cgnat_read_close(struct cgnat_reading *r)
{
    if (!r)
        return;
    if (r->in)
        fclose(r->in);
    free(r->path);
    free(r);
}

static int take_line(struct cgnat_reading *r, char line[static LINE_MAX_OCTETS], FILE *errors)
{
    size_t len = strcspn(line, "\r\n");
    struct mistake wrong = {0};
    if (!line[len] && len + 1 == LINE_MAX_OCTETS)
        wrong = (struct mistake){LINE_MAX_OCTETS, "is too long"};
    line[len] = '\0';
    if (!wrong.text && (line[0] == '\0' || line[0] == '#' || strncmp(line, "outside,", 8) == 0))
        return 0;
    if (!wrong.text)
        wrong = parse_line(line, &r->e);
    if (!wrong.text)
        return r->wrong > 0 ? 0 : put_entry(r->into, &r->e);
    if (r->wrong++ < ERRORS_MAX)
        fprintf(errors, "%s:%u:%u: %s\n", r->path, r->line, wrong.column, wrong.text);
    return 0;
}

int cgnat_read_slice(struct cgnat_reading *r, FILE *errors)
{
    char line[LINE_MAX_OCTETS];
    int rc = 0;
    for (unsigned n = 0; n < LINES_A_SLICE && rc == 0; n++) {
        if (fgets(line, sizeof line, r->in)) {
            r->line++;
            rc = take_line(r, line, errors);
            continue;
        }
        if (ferror(r->in))
            rc = -EIO;
        else if (r->wrong > ERRORS_MAX)
            fprintf(errors, "%s: and %u lines more\n", r->path, r->wrong - ERRORS_MAX);
        if (rc == 0)
            return r->wrong > 0 ? -EINVAL : 0;
    }
    if (rc < 0)
        fprintf(errors, "%s: %s\n", r->path, strerror(-rc));
    return rc < 0 ? rc : 1;
}

// ---- Sorting

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool in_order(const struct cgnat *c)
{
    for (size_t i = RUN_ENTRIES; i < c->entries; i += RUN_ENTRIES)
        if (compare(&c->entry[i - 1], &c->entry[i]) > 0)
            return false;
    return true;
}

// 1: more runs; 0: all are in order already, or there is none but one.
static int make_run(struct cgnat *c)
{
    size_t at = c->sort.at, len = least(RUN_ENTRIES, c->entries - at);
    if (len > 1)
        qsort(c->entry + at, len, sizeof *c->entry, compare);
    c->sort.at += len;
    if (c->sort.at < c->entries)
        return 1;
    if (in_order(c))
        return 0;
    c->sort.to = malloc(c->entries * sizeof *c->entry);
    if (!c->sort.to)
        return -ENOMEM;
    c->sort.run = RUN_ENTRIES;
    c->sort.at = c->sort.left = 0;
    c->sort.right = least(c->sort.run, c->entries);
    return 1;
}

// `at` is where the next entry goes; it lies in the pair of runs that begins at a multiple of two runs.
static void merge_one(struct cgnat *c)
{
    size_t begin = c->sort.at / (2 * c->sort.run) * (2 * c->sort.run);
    size_t mid = least(begin + c->sort.run, c->entries), end = least(mid + c->sort.run, c->entries);
    bool left = c->sort.left < mid &&
                (c->sort.right == end ||
                 compare(&c->entry[c->sort.left], &c->entry[c->sort.right]) <= 0);
    c->sort.to[c->sort.at++] = c->entry[left ? c->sort.left++ : c->sort.right++];
    if (c->sort.at == end) {
        c->sort.left = end;
        c->sort.right = least(end + c->sort.run, c->entries);
    }
}

int cgnat_sort_slice(struct cgnat *c)
{
    if (c->sort.run == 0)
        return c->entries == 0 ? 0 : make_run(c);
    for (size_t n = 0; n < MOVES_A_SLICE && c->sort.at < c->entries; n++)
        merge_one(c);
    if (c->sort.at < c->entries)
        return 1;
    struct cgnat_entry *merged = c->sort.to;
    c->sort.to = c->entry;
    c->entry = merged;
    c->cap = c->entries;
    c->sort.run *= 2;
    c->sort.at = c->sort.left = 0;
    c->sort.right = least(c->sort.run, c->entries);
    if (c->sort.run < c->entries)
        return 1;
    free(c->sort.to);
    c->sort.to = NULL;
    c->sort.run = c->sort.at = 0;
    return 0;
}

int cgnat_add_table(struct cgnat *c, const char *path, const struct realm *outside,
                    const struct realm *inside, FILE *errors)
{
    struct cgnat_reading *r = NULL;
    int rc = cgnat_read_open(c, path, outside, inside, errors, &r);
    while (rc == 0 && (rc = cgnat_read_slice(r, errors)) == 1)
        rc = 0;
    cgnat_read_close(r);
    c->sort.at = 0;
    while (rc == 0 && (rc = cgnat_sort_slice(c)) == 1)
        rc = 0;
    return rc;
}
