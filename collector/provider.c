// The operator's prefix file, read strictly: a wrong line is an error with its place, never skipped in
// silence, for a missing prefix would change what counts as one provider.
#include "provider.h"

#include <errno.h>
#include <stdlib.h>

#include "common/hash.h"

struct provider_table {
    struct prefix_set *prefixes;
};

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

// The next word of `*at`: its length, with `*at` moved to its first character.
static size_t word(const char **at)
{
    while (blank(**at))
        (*at)++;
    size_t len = 0;
    while ((*at)[len] && !blank((*at)[len]) && (*at)[len] != '#')
        len++;
    return len;
}

// Decimal, with or without "AS". 0: none.
static uint32_t asn_of(const char *text, size_t len)
{
    if (len > 2 && (text[0] == 'A' || text[0] == 'a') && (text[1] == 'S' || text[1] == 's')) {
        text += 2;
        len -= 2;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        v = v * 10 + (uint64_t)(text[i] - '0');
        if (v > UINT32_MAX)
            return 0;
    }
    return (uint32_t)v;
}

// One line. NULL: taken, or empty; else what is wrong, at `*column`.
static const char *take_line(struct prefix_set *set, const char *line, int *rc, size_t *column)
{
    const char *at = line;
    size_t len = word(&at);
    *column = (size_t)(at - line) + 1;
    if (len == 0)
        return NULL;
    char text[PREFIX_TEXT_MAX];
    struct ip_prefix p;
    if (len >= sizeof text)
        return "no prefix; write it as 192.0.2.0/24 or 2001:db8::/32";
    memcpy(text, at, len);
    text[len] = '\0';
    if (prefix_parse(text, &p) < 0)
        return "no prefix; write it as 192.0.2.0/24 or 2001:db8::/32";
    at += len;
    len = word(&at);
    *column = (size_t)(at - line) + 1;
    uint32_t asn = asn_of(at, len);
    if (asn == 0)
        return "no AS number behind the prefix; use 1 to 4294967295";
    at += len;
    if (word(&at) > 0) {
        *column = (size_t)(at - line) + 1;
        return "more than a prefix and an AS number; begin a comment with #";
    }
    *rc = prefix_set_add(set, &p, asn);
    return NULL;
}

static int load_lines(FILE *in, const char *path, struct prefix_set *set, FILE *errors)
{
    char *line = NULL;
    size_t cap = 0;
    int rc = 0, number = 0;
    bool wrong = false;
    ssize_t len;
    while (rc == 0 && (len = getline(&line, &cap, in)) >= 0) {
        number++;
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            line[--len] = '\0';
        size_t column = 1;
        const char *error = strlen(line) == (size_t)len ? take_line(set, line, &rc, &column)
                                                        : "a NUL octet; this is no text";
        if (error) {
            fprintf(errors, "%s:%d:%zu: %s\n", path, number, column, error);
            wrong = true;
        }
    }
    if (rc == 0 && ferror(in))
        rc = -EIO;
    free(line);
    return rc < 0 ? rc : wrong ? -EINVAL : 0;
}

int provider_load(const char *path, FILE *errors, struct provider_table **out)
{
    struct provider_table *t = calloc(1, sizeof *t);
    if (t)
        t->prefixes = prefix_set_new();
    if (!t || !t->prefixes) {
        free(t);
        return -ENOMEM;
    }
    int rc = 0;
    if (path) {
        FILE *in = fopen(path, "re");
        if (!in) {
            rc = -errno;
        } else {
            rc = load_lines(in, path, t->prefixes, errors);
            fclose(in);
        }
        if (rc < 0 && rc != -EINVAL)
            fprintf(errors, "%s: %s\n", path, strerror(-rc));
    }
    if (rc < 0) {
        provider_free(t);
        return rc;
    }
    prefix_set_freeze(t->prefixes);
    *out = t;
    return 0;
}

void provider_free(struct provider_table *t)
{
    if (!t)
        return;
    prefix_set_free(t->prefixes);
    free(t);
}

uint32_t provider_asn(const struct provider_table *t, const struct ip_addr *a)
{
    uint32_t asn = 0;
    return prefix_set_find(t->prefixes, a, &asn) ? asn : 0;
}

struct provider provider_of(const struct provider_table *t, const struct ip_addr *peer,
                            const char *sni)
{
    if (sni[0])
        return (struct provider){MINUTE_PROVIDER_SNI, hash_octets(HASH_SNI, span_of_text(sni))};
    uint32_t asn = provider_asn(t, peer);
    if (asn != 0)
        return (struct provider){MINUTE_PROVIDER_ASN, hash_number(HASH_ASN, asn)};
    return (struct provider){MINUTE_PROVIDER_NETWORK, hash_network(peer)};
}
