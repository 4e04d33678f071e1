// See network_file.h. Neighbouring lines of one network share its entry.
#include "common/network_file.h"

#include <errno.h>
#include <stdlib.h>

struct network_file {
    struct prefix_set *prefixes; // to an index into `network`
    struct network *network;
    size_t count, room;
};

// ---- One line.

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

static bool country_of(const char *text, size_t len, char out[static 3])
{
    for (size_t i = 0; i < 2 && len == 2; i++) {
        char c = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 'a' + 'A') : text[i];
        if (c < 'A' || c > 'Z')
            return false;
        out[i] = c;
    }
    out[2] = '\0';
    return len == 2;
}

static int add(struct network_file *f, const struct ip_prefix *p, const struct network *n)
{
    const struct network *last = f->count ? &f->network[f->count - 1] : NULL;
    if (!last || last->asn != n->asn || strcmp(last->country, n->country) != 0) {
        if (f->count == f->room) {
            size_t room = f->room ? f->room * 2 : 64;
            struct network *more = reallocarray(f->network, room, sizeof *more);
            if (!more)
                return -ENOMEM;
            f->network = more;
            f->room = room;
        }
        f->network[f->count++] = *n;
    }
    return prefix_set_add(f->prefixes, p, (uint32_t)(f->count - 1));
}

// NULL: taken, or empty; else what is wrong, at `*column`.
static const char *take_line(struct network_file *f, const char *line, int *rc, size_t *column)
{
    const char *at = line;
    size_t len = word(&at);
    *column = (size_t)(at - line) + 1;
    if (len == 0)
        return NULL;
    char text[PREFIX_TEXT_MAX];
    struct ip_prefix p;
    struct network n = {0};
    if (len >= sizeof text)
        return "no prefix; write it as 192.0.2.0/24 or 2001:db8::/32";
    memcpy(text, at, len);
    text[len] = '\0';
    if (prefix_parse(text, &p) < 0)
        return "no prefix; write it as 192.0.2.0/24 or 2001:db8::/32";
    at += len;
    len = word(&at);
    *column = (size_t)(at - line) + 1;
    n.asn = asn_of(at, len);
    if (n.asn == 0)
        return "no AS number behind the prefix; use 1 to 4294967295";
    at += len;
    len = word(&at);
    *column = (size_t)(at - line) + 1;
    if (len > 0 && !country_of(at, len, n.country))
        return "no country behind the AS number; use two letters, or begin a comment with #";
    at += len;
    if (word(&at) > 0) {
        *column = (size_t)(at - line) + 1;
        return "more than a prefix, an AS number and a country; begin a comment with #";
    }
    *rc = add(f, &p, &n);
    return NULL;
}

// ---- The file.

static int load_lines(FILE *in, const char *path, struct network_file *f, FILE *errors)
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
        const char *error = strlen(line) == (size_t)len ? take_line(f, line, &rc, &column)
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

int network_file_load(const char *path, FILE *errors, struct network_file **out)
{
    struct network_file *f = calloc(1, sizeof *f);
    if (f)
        f->prefixes = prefix_set_new();
    if (!f || !f->prefixes) {
        free(f);
        return -ENOMEM;
    }
    int rc = 0;
    if (path) {
        FILE *in = fopen(path, "re");
        if (!in) {
            rc = -errno;
        } else {
            rc = load_lines(in, path, f, errors);
            fclose(in);
        }
        if (rc < 0 && rc != -EINVAL)
            fprintf(errors, "%s: %s\n", path, strerror(-rc));
    }
    if (rc < 0) {
        network_file_free(f);
        return rc;
    }
    prefix_set_freeze(f->prefixes);
    *out = f;
    return 0;
}

void network_file_free(struct network_file *f)
{
    if (!f)
        return;
    prefix_set_free(f->prefixes);
    free(f->network);
    free(f);
}

const struct network *network_file_find(const struct network_file *f, const struct ip_addr *a)
{
    uint32_t i;
    return prefix_set_find(f->prefixes, a, &i) ? &f->network[i] : NULL;
}
