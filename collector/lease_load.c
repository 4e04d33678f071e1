// Lease files into the index, and the POPs with their churn: many lines are put first and set in order once.
#include <errno.h>
#include <stdlib.h>

#include "lease_index.h"

static bool is_heading(const char *line)
{
    return line[0] == '\0' || line[0] == '#' || strncmp(line, "realm,", 6) == 0;
}

// `l` NULL: are all lines leases?
static int load_lines(struct leases *l, FILE *in, const char *path, uint8_t source, FILE *errors)
{
    char *line = NULL;
    size_t cap = 0;
    int number = 0, rc = 0;
    ssize_t len;
    while ((len = getline(&line, &cap, in)) >= 0) {
        number++;
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            line[--len] = '\0';
        if (is_heading(line))
            continue;
        struct lease lease;
        char error[160];
        if (lease_parse_csv(line, &lease, error) < 0) {
            fprintf(errors, "%s:%d: %s\n", path, number, error);
            rc = -EINVAL;
            continue;
        }
        if (source == LEASE_PREFIX_MAP) {
            lease.source = source;
            lease.interim_ms = 0;
        }
        if (l && rc == 0 && (rc = leases_put(l, &lease)) < 0)
            break;
    }
    if (rc == 0 && ferror(in))
        rc = -EIO;
    free(line);
    return rc;
}

int leases_add_file(struct leases *l, const char *path, uint8_t source, FILE *errors)
{
    FILE *in = fopen(path, "re");
    int rc = in ? 0 : -errno;
    if (in) {
        l->loading = true;
        rc = load_lines(l, in, path, source, errors);
        fclose(in);
        int settled = leases_settle(l);
        rc = rc ? rc : settled;
    }
    if (rc < 0 && rc != -EINVAL)
        fprintf(errors, "%s: %s\n", path, strerror(-rc));
    return rc;
}

static void drop_unread(struct leases *l)
{
    for (uint32_t s = 1; s <= l->used; s++)
        if (l->span[s].used && l->span[s].file == l->file && l->span[s].round != l->round)
            take_out_span(l, s);
}

int leases_file_read(struct leases *l, FILE *in, const char *path, uint8_t source, uint8_t file,
                     uint16_t round, FILE *errors)
{
    int rc = load_lines(NULL, in, path, source, errors);
    if (rc < 0)
        return rc;
    rewind(in);
    l->file = file;
    l->round = round;
    l->loading = true;
    rc = load_lines(l, in, path, source, errors);
    if (rc == 0)
        drop_unread(l);
    int settled = leases_settle(l);
    l->file = 0;
    l->round = 0;
    return rc ? rc : settled;
}

int leases_load(const char *path, FILE *errors, struct leases **out)
{
    struct leases *l = leases_new();
    if (!l) {
        fprintf(errors, "leases: %s\n", strerror(ENOMEM));
        return -ENOMEM;
    }
    int rc = path ? leases_add_file(l, path, LEASE_CSV, errors) : 0;
    if (rc < 0)
        leases_free(l);
    else
        *out = l;
    return rc;
}

// ---- POPs

static int32_t find_pop(const struct leases *l, uint32_t name)
{
    for (size_t p = 0; p < l->pops; p++)
        if (l->pop[p] == name)
            return (int32_t)p;
    return -1;
}

int32_t pop_index(struct leases *l, uint32_t name)
{
    int32_t known = name ? find_pop(l, name) : -1;
    if (name == 0 || known >= 0)
        return known;
    if (l->pops == l->pop_cap) {
        size_t cap = 2 * l->pop_cap + 16;
        uint32_t *pop = realloc(l->pop, cap * sizeof *pop);
        if (!pop)
            return -1;
        l->pop = pop;
        struct lease_churn **churn = realloc(l->churn, (cap + 1) * sizeof(struct lease_churn *));
        if (!churn)
            return -1;
        l->churn = churn;
        l->pop_cap = cap;
    }
    l->churn[l->pops + 1] = lease_churn_new();
    if (!l->churn[l->pops + 1])
        return -1;
    l->pop[l->pops] = name;
    return (int32_t)l->pops++;
}

static int by_text(const void *a, const void *b, void *strings)
{
    const uint32_t *x = a, *y = b;
    return strcmp(strings_get(strings, *x), strings_get(strings, *y));
}

// The first file makes their order; POPs that come later stand behind them, so that an index never changes.
static int list_pops(struct leases *l)
{
    bool first = l->pops == 0;
    for (uint32_t s = 1; s <= l->used; s++)
        if (l->span[s].used && l->span[s].pop && pop_index(l, l->span[s].pop) < 0)
            return -ENOMEM;
    if (first && l->pops > 1)
        qsort_r(l->pop, l->pops, sizeof *l->pop, by_text, l->strings);
    for (uint32_t s = 1; s <= l->used; s++)
        if (l->span[s].used)
            l->span[s].pop_index = l->span[s].pop ? find_pop(l, l->span[s].pop) : -1;
    return 0;
}

static int fill_churn(struct leases *l)
{
    for (size_t p = 0; p <= l->pops; p++)
        lease_churn_clear(l->churn[p]);
    for (uint32_t i = 1; i <= l->used; i++) {
        const struct lease_span *s = &l->span[i];
        if (!s->used)
            continue;
        if (!lease_churn_add(l->churn[0], s->start_ms, s->until_ms) ||
            (s->pop_index >= 0 &&
             !lease_churn_add(l->churn[s->pop_index + 1], s->start_ms, s->until_ms)))
            return -ENOMEM;
    }
    for (size_t p = 0; p <= l->pops; p++)
        if (!lease_churn_freeze(l->churn[p]))
            return -ENOMEM;
    return 0;
}

int leases_settle(struct leases *l)
{
    int rc = 0;
    for (uint32_t g = 1; g <= l->groups && rc == 0; g++)
        rc = mend_group(l, &l->group[g]);
    if (rc == 0)
        rc = list_pops(l);
    if (rc == 0)
        rc = fill_churn(l);
    l->loading = false;
    return rc;
}

size_t leases_pops(const struct leases *l)
{
    return l->pops;
}

const char *leases_pop(const struct leases *l, size_t pop)
{
    return strings_get(l->strings, l->pop[pop]);
}

void leases_churn(const struct leases *l, int pop, int64_t t_ms, uint32_t *open, uint32_t *changes)
{
    lease_churn_at(l->churn[pop + 1], t_ms, open, changes);
}
