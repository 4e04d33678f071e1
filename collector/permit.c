// Domains and prefixes of a sensor, and the certificates that are its own.
#include "permit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_domains(const json_t *list, uint32_t *out, size_t *count)
{
    size_t n = list ? json_array_size(list) : 0;
    if ((list && !json_is_array(list)) || n > REGISTRY_DOMAINS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        json_int_t d = json_integer_value(v);
        if (!json_is_integer(v) || d < 1 || d > UINT32_MAX)
            return -EINVAL;
        out[i] = (uint32_t)d;
    }
    *count = n;
    return 0;
}

static int parse_prefixes(const json_t *list, struct prefix_set **out)
{
    size_t n = list ? json_array_size(list) : 0;
    if ((list && !json_is_array(list)) || n > REGISTRY_PREFIXES_MAX)
        return -EINVAL;
    struct prefix_set *set = NULL;
    int rc = 0;
    if (n > 0 && !(set = prefix_set_new()))
        return -ENOMEM;
    for (size_t i = 0; i < n && rc == 0; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        struct ip_prefix p;
        rc = text && prefix_parse(text, &p) == 0 ? prefix_set_add(set, &p, 0) : -EINVAL;
    }
    if (rc < 0) {
        prefix_set_free(set);
        return rc;
    }
    if (set)
        prefix_set_freeze(set);
    *out = set;
    return 0;
}

int permit_allow(struct permit *p, const json_t *domains, const json_t *prefixes)
{
    uint32_t domain[REGISTRY_DOMAINS_MAX];
    size_t count;
    struct prefix_set *set = NULL;
    int rc = parse_domains(domains, domain, &count);
    if (rc == 0)
        rc = parse_prefixes(prefixes, &set);
    if (rc < 0)
        return rc;
    p->allotted = 0;
    memcpy(p->domain, domain, count * sizeof *domain);
    p->domains = count;
    prefix_set_free(p->prefixes);
    json_decref(p->prefix_list);
    p->prefixes = set;
    p->prefix_list = set ? json_deep_copy(prefixes) : NULL;
    return 0;
}

static bool has_domain(const struct permit *p, uint32_t domain)
{
    if (p->allotted)
        return domain - p->allotted < PERMIT_ALLOTTED;
    size_t i = 0;
    while (i < p->domains && p->domain[i] != domain)
        i++;
    return p->domains == 0 || i < p->domains;
}

bool permit_overlaps(const struct permit *p, uint32_t first, uint32_t count)
{
    if (p->allotted && p->allotted < first + count && first < p->allotted + PERMIT_ALLOTTED)
        return true;
    for (size_t i = 0; i < p->domains; i++)
        if (p->domain[i] - first < count)
            return true;
    return false;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

bool permit_domains(const struct permit *p, char text[static PERMIT_DOMAINS_TEXT])
{
    uint32_t sorted[REGISTRY_DOMAINS_MAX];
    size_t at = 0;
    text[0] = '\0';
    if (p->allotted) {
        snprintf(text, PERMIT_DOMAINS_TEXT, "%u-%u", p->allotted,
                 p->allotted + PERMIT_ALLOTTED - 1);
        return true;
    }
    memcpy(sorted, p->domain, p->domains * sizeof sorted[0]);
    qsort(sorted, p->domains, sizeof sorted[0], by_number);
    for (size_t i = 0, n; i < p->domains; i += n) {
        for (n = 1; i + n < p->domains && sorted[i + n] - sorted[i] <= n; n++)
            ;
        at += (size_t)snprintf(text + at, PERMIT_DOMAINS_TEXT - at, "%s%u", i ? "," : "",
                               sorted[i]);
        if (sorted[i + n - 1] != sorted[i])
            at += (size_t)snprintf(text + at, PERMIT_DOMAINS_TEXT - at, "-%u", sorted[i + n - 1]);
    }
    return p->domains > 0;
}

static bool inside(const struct permit *p, const struct ip_addr *a)
{
    return prefix_set_find(p->prefixes, a, NULL);
}

enum permit_answer permit_check(const struct permit *p, const struct record *r)
{
    if (!has_domain(p, r->id.domain))
        return PERMIT_DOMAIN;
    if (!p->prefixes || r->kind == RECORD_COVERAGE)
        return PERMIT_YES;
    if (r->kind == RECORD_MAIL)
        return r->mail.client.family == 0 || inside(p, &r->mail.client) ? PERMIT_YES
                                                                        : PERMIT_PREFIX;
    const struct record_flow *f = &r->flow;
    bool a = inside(p, &f->initiator), b = inside(p, &f->responder);
    switch (f->side) {
    case RECORD_SIDE_INITIATOR: return a ? PERMIT_YES : PERMIT_PREFIX;
    case RECORD_SIDE_RESPONDER: return b ? PERMIT_YES : PERMIT_PREFIX;
    case RECORD_SIDE_BOTH: return a && b ? PERMIT_YES : PERMIT_PREFIX;
    // The collector will find out by its own prefixes which side is a subscriber: neither may be one
    // of another sensor.
    default: return a || b ? PERMIT_YES : PERMIT_PREFIX;
    }
}

void permit_count(struct permit *p, enum permit_answer why, uint32_t domain)
{
    if (why == PERMIT_DOMAIN)
        p->refused = domain;
    p->foreign_domain += why == PERMIT_DOMAIN;
    p->foreign_prefix += why == PERMIT_PREFIX;
}

const char *permit_name(const struct permit *p)
{
    return p->name;
}

bool permit_valid(const struct permit *p, const char *serial)
{
    return p->serial[0] && (strcmp(p->serial, serial) == 0 || strcmp(p->before, serial) == 0);
}

void permit_note_source(struct permit *p, uint64_t source)
{
    if (permit_came_from(p, source))
        return;
    memmove(p->source + 1, p->source, sizeof p->source - sizeof p->source[0]);
    p->source[0] = source;
}

bool permit_came_from(const struct permit *p, uint64_t source)
{
    for (size_t i = 0; p->serial[0] && i < PERMIT_SOURCES; i++)
        if (p->source[i] == source)
            return true;
    return false;
}

void permit_free(struct permit *p)
{
    prefix_set_free(p->prefixes);
    json_decref(p->prefix_list);
    free(p);
}
