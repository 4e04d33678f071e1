// Reading the table of rates. See rates.h.
#include "rates.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[RATE_N] = {
#define X(name) #name,
    RATES(X)
#undef X
};

static int rate_of(const char *name, size_t length)
{
    for (int i = 0; i < RATE_N; i++) {
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
            return i;
    }
    return -1;
}

static bool read_line(const char *line, struct rates *t, bool *seen)
{
    const char *tab = strchr(line, '\t');
    int i = tab ? rate_of(line, (size_t)(tab - line)) : -1;
    char *end = NULL;
    if (i < 0 || seen[i])
        return false;
    t->low[i] = strtod(tab + 1, &end);
    if (*end != '\t')
        return false;
    t->high[i] = strtod(end + 1, &end);
    seen[i] = true;
    return *end == '\t' && t->low[i] >= 0 && t->high[i] >= t->low[i] && strchr(end + 1, '\t');
}

static int scale(const char *scaled, struct rates *t)
{
    const char *equals = scaled ? strchr(scaled, '=') : NULL;
    int i = equals ? rate_of(scaled, (size_t)(equals - scaled)) : -1;
    if (!scaled)
        return 0;
    double factor = i < 0 ? 0 : strtod(equals + 1, NULL);
    if (factor <= 0) {
        fprintf(stderr, "evaluate: %s: not KEY=FACTOR with a key of rates.tsv\n", scaled);
        return -EINVAL;
    }
    t->low[i] *= factor;
    t->high[i] *= factor;
    return 0;
}

int rates_load(const char *path, const char *scaled, struct rates *out)
{
    struct rates t = {0};
    bool seen[RATE_N] = {false};
    char line[512];
    unsigned number = 0;
    int rc = 0;
    FILE *f = fopen(path, "re");
    if (!f) {
        fprintf(stderr, "evaluate: %s: %s\n", path, strerror(errno));
        return -errno;
    }
    while (rc == 0 && fgets(line, sizeof line, f)) {
        number++;
        if (line[0] != '#' && !read_line(line, &t, seen)) {
            fprintf(stderr, "evaluate: %s:%u: not KEY LOW HIGH UNIT SOURCE\n", path, number);
            rc = -EINVAL;
        }
    }
    fclose(f);
    for (int i = 0; rc == 0 && i < RATE_N; i++) {
        if (!seen[i]) {
            fprintf(stderr, "evaluate: %s: %s is missing\n", path, names[i]);
            rc = -EINVAL;
        }
    }
    if (rc == 0)
        rc = scale(scaled, &t);
    if (rc == 0)
        *out = t;
    return rc;
}

uint32_t rng_poisson(struct rng *r, double mean)
{
    uint32_t n = 0;
    // Sums of smaller ones, so that exp() does not vanish.
    for (; mean > 30; mean -= 30)
        n += rng_poisson(r, 30);
    double limit = exp(-mean), p = rng_real(r);
    for (; p > limit; n++)
        p *= rng_real(r);
    return n;
}

double rate_draw(const struct rates *t, enum rate rate, struct rng *r)
{
    return t->low[rate] + (t->high[rate] - t->low[rate]) * rng_real(r);
}

uint64_t seed_of(const char *name, uint64_t a, uint64_t b)
{
    struct rng r = {14695981039346656037u};
    for (; *name; name++)
        r.state = (r.state ^ (unsigned char)*name) * 1099511628211u;
    r.state += rng_next(&r) ^ a;
    r.state += rng_next(&r) ^ b;
    return rng_next(&r);
}
