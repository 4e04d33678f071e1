// Text of addresses and prefixes. Reading is strict (no octal, no short forms, no zone); writing is
// RFC 5952, mixed notation only for ::ffff:0:0/96, where that RFC asks for it.
#include "common/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

int ip_parse(const char *text, struct ip_addr *out)
{
    struct ip_addr a = {0};
    if (inet_pton(AF_INET, text, a.octet) == 1)
        a.family = IP_V4;
    else if (inet_pton(AF_INET6, text, a.octet) == 1)
        a.family = IP_V6;
    else
        return -EINVAL;
    *out = a;
    return 0;
}

// The longest run of at least two zero groups, the first of equals: where "::" goes.
static void longest_zeros(const unsigned group[static 8], int groups, int *at, int *len)
{
    *at = -1;
    *len = 1;
    for (int i = 0; i < groups;) {
        int n = 0;
        while (i + n < groups && group[i + n] == 0)
            n++;
        if (n > *len) {
            *at = i;
            *len = n;
        }
        i += n > 0 ? n : 1;
    }
}

static void format_v6(const uint8_t octet[static 16], char out[static IP_TEXT_MAX])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(octet, mapped, sizeof mapped) == 0) {
        snprintf(out, IP_TEXT_MAX, "::ffff:%u.%u.%u.%u", octet[12], octet[13], octet[14],
                 octet[15]);
        return;
    }
    unsigned group[8];
    for (int i = 0; i < 8; i++)
        group[i] = (unsigned)octet[2 * i] << 8 | octet[2 * i + 1];
    int zeros_at, zeros;
    longest_zeros(group, 8, &zeros_at, &zeros);
    char *p = out;
    for (int i = 0; i < 8;) {
        if (i == zeros_at) {
            *p++ = ':';
            *p++ = ':';
            i += zeros;
            continue;
        }
        if (i > 0 && p[-1] != ':')
            *p++ = ':';
        p += snprintf(p, (size_t)(out + IP_TEXT_MAX - p), "%x", group[i]);
        i++;
    }
    *p = '\0';
}

const char *ip_format(const struct ip_addr *a, char out[static IP_TEXT_MAX])
{
    if (a->family == IP_V4)
        snprintf(out, IP_TEXT_MAX, "%u.%u.%u.%u", a->octet[0], a->octet[1], a->octet[2],
                 a->octet[3]);
    else if (a->family == IP_V6)
        format_v6(a->octet, out);
    else
        snprintf(out, IP_TEXT_MAX, "-");
    return out;
}

// A length in decimal without sign or leading zero, at most `max`.
static int len_parse(const char *text, unsigned max, uint8_t *out)
{
    unsigned v = 0;
    size_t n = strlen(text);
    if (n == 0 || n > 3 || (n > 1 && text[0] == '0'))
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        v = v * 10 + (unsigned)(*text - '0');
    }
    if (v > max)
        return -EINVAL;
    *out = (uint8_t)v;
    return 0;
}

int prefix_parse(const char *text, struct ip_prefix *out)
{
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    char address[IP_TEXT_MAX];
    if (n >= sizeof address)
        return -EINVAL;
    memcpy(address, text, n);
    address[n] = '\0';
    struct ip_prefix p;
    if (ip_parse(address, &p.addr) != 0)
        return -EINVAL;
    p.len = (uint8_t)(ip_size(p.addr.family) * 8);
    if (slash && len_parse(slash + 1, p.len, &p.len) != 0)
        return -EINVAL;
    struct ip_prefix whole = prefix_of(&p.addr, p.len);
    if (!ip_equal(&whole.addr, &p.addr))
        return -EINVAL;
    *out = p;
    return 0;
}

const char *prefix_format(const struct ip_prefix *p, char out[static PREFIX_TEXT_MAX])
{
    ip_format(&p->addr, out);
    if (p->addr.family != IP_NONE && p->len < ip_size(p->addr.family) * 8) {
        size_t n = strlen(out);
        snprintf(out + n, PREFIX_TEXT_MAX - n, "/%u", p->len);
    }
    return out;
}

bool prefix_contains(const struct ip_prefix *p, const struct ip_addr *a)
{
    if (a->family != p->addr.family || a->family == IP_NONE)
        return false;
    size_t whole = p->len / 8;
    if (memcmp(p->addr.octet, a->octet, whole) != 0)
        return false;
    unsigned bits = p->len % 8;
    if (bits == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff00u >> bits);
    return ((p->addr.octet[whole] ^ a->octet[whole]) & mask) == 0;
}

struct ip_prefix prefix_of(const struct ip_addr *a, uint8_t len)
{
    size_t size = ip_size(a->family);
    struct ip_prefix p = {.addr = {.family = a->family}};
    p.len = len < size * 8 ? len : (uint8_t)(size * 8);
    size_t whole = p.len / 8;
    memcpy(p.addr.octet, a->octet, whole);
    if (p.len % 8 != 0)
        p.addr.octet[whole] = (uint8_t)(a->octet[whole] & (0xff00u >> p.len % 8));
    return p;
}

int prefix_compare(const struct ip_prefix *a, const struct ip_prefix *b)
{
    int c = ip_compare(&a->addr, &b->addr);
    return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}
