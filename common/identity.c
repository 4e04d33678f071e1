// Realms, subscriber keys and parties: their text forms, order and hash.
//
// A key's text is read from its end: a port block, then an address or prefix, then the realm, because
// a realm may look like an address ("b4:2001:db8::1"). Reading what was written gives the same key.
#include "common/identity.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

static_assert(sizeof(struct subscriber_key) == 88, "memcmp compares keys: no padding");

#define PORT_LAST    65535
#define CLIENT_MARK  "client:"
#define MAILBOX_MARK "mailbox:"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool realm_character(char c)
{
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == ':' || c == '.' || c == '/' || c == '-' ||
           c == '#';
}

bool realm_is_valid(const struct realm *r)
{
    static const char zero[REALM_MAX];
    size_t n = 0;
    for (; n < REALM_MAX && r->name[n]; n++) {
        if (!realm_character(r->name[n]))
            return false;
        // No empty layers, or a key's text could be read in two ways.
        if (r->name[n] == '/' && (n == 0 || r->name[n - 1] == '/'))
            return false;
    }
    if (n == REALM_MAX || (n > 0 && r->name[n - 1] == '/'))
        return false;
    return memcmp(r->name + n, zero, REALM_MAX - n) == 0;
}

int realm_parse(const char *text, struct realm *out)
{
    struct realm r = {0};
    size_t n = strlen(text);
    if (n >= REALM_MAX)
        return -EINVAL;
    memcpy(r.name, text, n);
    if (!realm_is_valid(&r))
        return -EINVAL;
    *out = r;
    return 0;
}

struct subscriber_key subscriber_key_of(const struct realm *realm, const struct ip_prefix *prefix)
{
    return (struct subscriber_key){
        .kind = SUBSCRIBER_ADDRESS, .port_last = PORT_LAST, .prefix = *prefix, .realm = *realm};
}

struct subscriber_key subscriber_key_mailbox(const struct realm *realm, uint8_t key_id,
                                             uint64_t mailbox)
{
    return (struct subscriber_key){
        .kind = SUBSCRIBER_MAILBOX, .mailbox_key_id = key_id, .mailbox = mailbox, .realm = *realm};
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

// Member by member, so that the order is the same on every machine.
int subscriber_key_compare(const struct subscriber_key *a, const struct subscriber_key *b)
{
    int d = compare_numbers(a->kind, b->kind);
    if (d == 0)
        d = memcmp(a->realm.name, b->realm.name, REALM_MAX);
    if (d == 0)
        d = ip_compare(&a->prefix.addr, &b->prefix.addr);
    if (d == 0)
        d = compare_numbers(a->prefix.len, b->prefix.len);
    if (d == 0)
        d = compare_numbers(a->port_first, b->port_first);
    if (d == 0)
        d = compare_numbers(a->port_last, b->port_last);
    if (d == 0)
        d = compare_numbers(a->mailbox_key_id, b->mailbox_key_id);
    return d ? d : compare_numbers(a->mailbox, b->mailbox);
}

// Both halves of a 128-bit product folded: one multiplication mixes sixteen octets.
static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

// For tables in memory only: not the same on every machine. The seed is the table's secret, so that
// nobody outside can choose addresses that collide.
uint64_t subscriber_key_hash(const struct subscriber_key *k, uint64_t seed)
{
    uint64_t word[11];
    memcpy(word, k, sizeof word);
    uint64_t h = seed ^ UINT64_C(0xa0761d6478bd642f);
    for (size_t i = 0; i < 10; i += 2)
        h = fold(word[i] ^ h, word[i + 1] ^ UINT64_C(0xe7037ed1a0b428db) ^ seed) ^ (h << 1);
    return fold(h ^ word[10], UINT64_C(0x8ebc6af09c88c6e3));
}

// ---- Text of keys.

static bool whole_address(const struct subscriber_key *k)
{
    return k->port_first == 0 && k->port_last == PORT_LAST;
}

const char *subscriber_key_format(const struct subscriber_key *k,
                                  char out[static SUBSCRIBER_TEXT_MAX])
{
    const char *slash = k->realm.name[0] ? "/" : "";
    if (k->kind == SUBSCRIBER_MAILBOX) {
        snprintf(out, SUBSCRIBER_TEXT_MAX, "%.47s%smailbox:%u:%016llx", k->realm.name, slash,
                 k->mailbox_key_id, (unsigned long long)k->mailbox);
        return out;
    }
    char prefix[PREFIX_TEXT_MAX];
    prefix_format(&k->prefix, prefix);
    const char *client = k->kind == SUBSCRIBER_CLIENT ? "client:" : "";
    bool brackets = !whole_address(k) && k->prefix.addr.family == IP_V6;
    int n = snprintf(out, SUBSCRIBER_TEXT_MAX, "%.47s%s%s%s%s%s", k->realm.name, slash, client,
                     brackets ? "[" : "", prefix, brackets ? "]" : "");
    if (!whole_address(k))
        snprintf(out + n, SUBSCRIBER_TEXT_MAX - (size_t)n, ":%u-%u", k->port_first, k->port_last);
    return out;
}

// Decimal without sign, blanks or leading zeros, at most `max`.
static bool read_number(const char *text, size_t len, unsigned max, unsigned *out)
{
    unsigned v = 0;
    if (len == 0 || len > 9 || (len > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(text[i]))
            return false;
        v = v * 10 + (unsigned)(text[i] - '0');
    }
    if (v > max)
        return false;
    *out = v;
    return true;
}

// Cuts ":FIRST-LAST" off the end. False: there is something like it, but it is wrong.
static bool cut_ports(char *text, struct subscriber_key *k)
{
    char *dash = strrchr(text, '-');
    char *colon = strrchr(text, ':');
    k->port_first = 0;
    k->port_last = PORT_LAST;
    if (!dash || !colon || colon > dash || strchr(dash, '/'))
        return true;
    unsigned first, last;
    if (!read_number(colon + 1, (size_t)(dash - colon - 1), PORT_LAST, &first) ||
        !read_number(dash + 1, strlen(dash + 1), PORT_LAST, &last) || first > last ||
        (first == 0 && last == PORT_LAST))
        return false;
    k->port_first = (uint16_t)first;
    k->port_last = (uint16_t)last;
    *colon = 0;
    return true;
}

// Where the last "/"-separated part begins that is not a prefix length.
static char *address_part(char *text)
{
    char *slash = strrchr(text, '/');
    if (!slash)
        return text;
    unsigned bits;
    if (!read_number(slash + 1, strlen(slash + 1), 128, &bits))
        return slash + 1;
    *slash = 0;
    char *before = strrchr(text, '/');
    *slash = '/';
    return before ? before + 1 : text;
}

static int read_mailbox(const char *text, struct subscriber_key *k)
{
    unsigned id;
    const char *colon = strchr(text, ':');
    if (!colon || !read_number(text, (size_t)(colon - text), 255, &id) || id == 0 ||
        strlen(colon + 1) != 16)
        return -EINVAL;
    uint64_t v = 0;
    for (const char *p = colon + 1; *p; p++) {
        if (!is_digit(*p) && !(*p >= 'a' && *p <= 'f'))
            return -EINVAL;
        v = v << 4 | (uint64_t)(is_digit(*p) ? *p - '0' : *p - 'a' + 10);
    }
    k->kind = SUBSCRIBER_MAILBOX;
    k->mailbox_key_id = (uint8_t)id;
    k->mailbox = v;
    return 0;
}

static int read_prefix(char *text, bool ports, struct subscriber_key *k)
{
    k->kind = SUBSCRIBER_ADDRESS;
    if (strncmp(text, CLIENT_MARK, strlen(CLIENT_MARK)) == 0) {
        k->kind = SUBSCRIBER_CLIENT;
        text += strlen(CLIENT_MARK);
    }
    size_t n = strlen(text);
    bool brackets = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    if (brackets) {
        text[n - 1] = 0;
        text++;
    }
    if (prefix_parse(text, &k->prefix) != 0)
        return -EINVAL;
    // An IPv6 address has brackets exactly when a port block follows.
    return brackets == (ports && k->prefix.addr.family == IP_V6) ? 0 : -EINVAL;
}

// Where the realm ends and the rest begins, its port block cut off.
static char *rest_part(char *text)
{
    size_t n = strlen(text);
    char *bracket = n > 0 && text[n - 1] == ']' ? strrchr(text, '[') : NULL;
    if (!bracket)
        return address_part(text);
    size_t mark = strlen(CLIENT_MARK);
    bool client = (size_t)(bracket - text) >= mark &&
                  memcmp(bracket - mark, CLIENT_MARK, mark) == 0;
    return client ? bracket - mark : bracket;
}

int subscriber_key_parse(const char *text, struct subscriber_key *out)
{
    struct subscriber_key k = {0};
    char copy[SUBSCRIBER_TEXT_MAX];
    size_t n = strlen(text);
    if (n == 0 || n >= sizeof copy)
        return -EINVAL;
    memcpy(copy, text, n + 1);

    char *slash = strrchr(copy, '/');
    char *rest = slash ? slash + 1 : copy;
    int rc;
    if (strncmp(rest, MAILBOX_MARK, strlen(MAILBOX_MARK)) == 0) {
        rc = read_mailbox(rest + strlen(MAILBOX_MARK), &k);
    } else {
        if (!cut_ports(copy, &k))
            return -EINVAL;
        rest = rest_part(copy);
        rc = read_prefix(rest, !whole_address(&k), &k);
    }
    if (rc == 0 && rest > copy) {
        bool joined = rest[-1] == '/' && rest - 1 > copy;
        rest[-1] = 0;
        rc = joined ? realm_parse(copy, &k.realm) : -EINVAL;
    }
    if (rc == 0)
        *out = k;
    return rc;
}
