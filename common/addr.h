// IP addresses, prefixes, and a set of prefixes that answers "is it in, and which is longest".
#pragma once

#include "common/span.h"

enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

// An IPv4 address stands in the first four octets, the rest is zero, so that memcmp compares.
struct ip_addr {
    uint8_t family; // enum ip_family
    uint8_t octet[16];
};

struct ip_prefix {
    struct ip_addr addr; // host bits are zero
    uint8_t len;         // 0-32 or 0-128
};

#define IP_TEXT_MAX     46 // longest IPv6 text and its NUL
#define PREFIX_TEXT_MAX 50

static inline struct ip_addr ip_from_v4(const uint8_t octet[static 4])
{
    struct ip_addr a = {.family = IP_V4};
    memcpy(a.octet, octet, 4);
    return a;
}

static inline struct ip_addr ip_from_v6(const uint8_t octet[static 16])
{
    struct ip_addr a = {.family = IP_V6};
    memcpy(a.octet, octet, 16);
    return a;
}

static inline bool ip_equal(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static inline int ip_compare(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a, b, sizeof *a);
}

// Octets of an address of this family: 4, 16, or 0.
static inline size_t ip_size(uint8_t family)
{
    return family == IP_V4 ? 4 : family == IP_V6 ? 16 : 0;
}

// Strict text forms ("192.0.2.7", "2001:db8::1"); -EINVAL leaves `out` alone.
int ip_parse(const char *text, struct ip_addr *out);

// Writes the canonical text (RFC 5952) and returns `out`. IP_NONE gives "-".
const char *ip_format(const struct ip_addr *a, char out[static IP_TEXT_MAX]);

// "192.0.2.0/24", or a bare address as its host prefix. Host bits set are an error: -EINVAL.
int prefix_parse(const char *text, struct ip_prefix *out);

// A host prefix is written as a bare address.
const char *prefix_format(const struct ip_prefix *p, char out[static PREFIX_TEXT_MAX]);

bool prefix_contains(const struct ip_prefix *p, const struct ip_addr *a);

// The prefix of `len` bits that holds `a`; `len` is cut to the family's maximum.
struct ip_prefix prefix_of(const struct ip_addr *a, uint8_t len);

int prefix_compare(const struct ip_prefix *a, const struct ip_prefix *b);

// A set of prefixes, each with a number of the caller's. Look-ups take the longest match.
// Build it once, then freeze; a frozen set is read-only.
struct prefix_set;

struct prefix_set *prefix_set_new(void); // NULL: out of memory
void prefix_set_free(struct prefix_set *s);
int prefix_set_add(struct prefix_set *s, const struct ip_prefix *p, uint32_t value); // -ENOMEM
void prefix_set_freeze(struct prefix_set *s);
size_t prefix_set_count(const struct prefix_set *s);

// True when some prefix holds `a`; then `*value` (may be NULL) is that of the longest.
bool prefix_set_find(const struct prefix_set *s, const struct ip_addr *a, uint32_t *value);

// Add 10/8, 172.16/12, 192.168/16, 100.64/10 and fc00::/7: the subscribers when nobody says better.
int prefix_set_add_private(struct prefix_set *s, uint32_t value);
