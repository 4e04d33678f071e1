// JA4 of a ClientHello, by its public description: part a in clear, b the ciphers, c the extensions
// and signature algorithms, b and c as the first 12 hexadecimal digits of SHA-256 over lower-case
// four-digit numbers with commas. GREASE is left out, ciphers and extensions are sorted.
//
// Programs offer the same lists again and again (behind a sort also those that shuffle them), so that the
// digits of a list met before are remembered.
#include <stdlib.h>

#include "proto/sha256.h"
#include "proto/tls_hello.h"

#define PLACES   256
#define TEXT_MAX (5 * (TLS_EXTENSIONS_MAX + TLS_SIGALGS_MAX) + 1)
#define DIGITS   12
#define LIST_MAX (TLS_EXTENSIONS_MAX + TLS_SIGALGS_MAX)

_Static_assert(LIST_MAX >= TLS_CIPHERS_MAX, "a list of ciphers fits");
_Static_assert(5 * TLS_CIPHERS_MAX <= TEXT_MAX, "and its text");

// Numbers that a hello offers, in its order: ciphers, or (sorted) extensions and then, in the order in
// which they stand, signature algorithms.
struct offer {
    bool ciphers;
    size_t first, count; // the part to be sorted, and all
    uint16_t number[LIST_MAX];
};

struct tls_ja4_memo {
    struct {
        uint16_t count; // 0: nothing
        uint8_t first;
        bool ciphers;
        char digits[DIGITS]; // in front of what is rarely full
        uint16_t number[LIST_MAX];
    } place[PLACES];
};

struct tls_ja4_memo *tls_ja4_memo_new(void)
{
    return calloc(1, sizeof(struct tls_ja4_memo));
}

void tls_ja4_memo_free(struct tls_ja4_memo *m)
{
    free(m);
}

// Short lists: insertion is the quickest.
static void sort(uint16_t *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint16_t moved = v[i];
        size_t at = i;
        for (; at > 0 && v[at - 1] > moved; at--)
            v[at] = v[at - 1];
        v[at] = moved;
    }
}

static const char hex[] = "0123456789abcdef";

static size_t add_list(char *text, size_t len, const uint16_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            text[len++] = ',';
        for (int shift = 12; shift >= 0; shift -= 4)
            text[len++] = hex[v[i] >> shift & 15];
    }
    return len;
}

static void digits_of(const char *text, size_t len, char out[static DIGITS])
{
    struct sha256 h;
    uint8_t digest[SHA256_SIZE];
    sha256_init(&h);
    sha256_add(&h, span_of(text, len));
    sha256_end(&h, digest);
    for (size_t i = 0; i < DIGITS; i++)
        out[i] = hex[(i % 2 ? digest[i / 2] : digest[i / 2] >> 4) & 15];
}

static void digits_of_offer(const struct offer *o, char out[static DIGITS])
{
    char text[TEXT_MAX];
    uint16_t sorted[LIST_MAX];
    memcpy(sorted, o->number, o->first * sizeof *sorted);
    sort(sorted, o->first);
    size_t len = add_list(text, 0, sorted, o->first);
    if (o->count > o->first) {
        text[len++] = '_';
        len = add_list(text, len, o->number + o->first, o->count - o->first);
    }
    digits_of(text, len, out);
}

static void digits_remembered(struct tls_ja4_memo *m, const struct offer *o,
                              char out[static DIGITS])
{
    if (!m || o->count == 0) {
        digits_of_offer(o, out);
        return;
    }
    uint64_t h = o->count << 16 | o->first << 1 | o->ciphers;
    size_t size = o->count * sizeof *o->number;
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = 0;
        const uint8_t *at = (const uint8_t *)o->number + i;
        if (size - i >= 8)
            memcpy(&word, at, 8);
        else
            memcpy(&word, at, size - i);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    size_t at = h % PLACES;
    if (m->place[at].count != o->count || m->place[at].first != o->first ||
        m->place[at].ciphers != o->ciphers || memcmp(m->place[at].number, o->number, size) != 0) {
        digits_of_offer(o, m->place[at].digits);
        memcpy(m->place[at].number, o->number, size);
        m->place[at].count = (uint16_t)o->count;
        m->place[at].first = (uint8_t)o->first;
        m->place[at].ciphers = o->ciphers;
    }
    memcpy(out, m->place[at].digits, DIGITS);
}

static const char *version_text(uint16_t v)
{
    switch (v) {
    case 0x0304: return "13";
    case 0x0303: return "12";
    case 0x0302: return "11";
    case 0x0301: return "10";
    case 0x0300: return "s3";
    case 0x0002: return "s2";
    default: return "00";
    }
}

static bool is_alnum(uint8_t o)
{
    return (o >= '0' && o <= '9') || (o >= 'A' && o <= 'Z') || (o >= 'a' && o <= 'z');
}

static char *put_alpn(const struct tls_hello *h, char *to)
{
    bool plain = is_alnum(h->alpn_first) && is_alnum(h->alpn_last);
    to[0] = to[1] = '0';
    if (h->alpn_seen) {
        to[0] = plain ? (char)h->alpn_first : hex[h->alpn_first >> 4];
        to[1] = plain ? (char)h->alpn_last : hex[h->alpn_last & 15];
    }
    return to + 2;
}

static size_t kept(size_t count, size_t max)
{
    return count < max ? count : max;
}

// Two decimal digits, at most 99.
static char *put_count(size_t count, char *to)
{
    size_t n = kept(count, 99);
    to[0] = (char)('0' + n / 10);
    to[1] = (char)('0' + n % 10);
    return to + 2;
}

static char *put_digits(struct tls_ja4_memo *memo, const struct offer *o, bool any, char *to)
{
    *to++ = '_';
    memset(to, '0', DIGITS);
    if (any)
        digits_remembered(memo, o, to);
    return to + DIGITS;
}

void tls_ja4(const struct tls_hello *h, struct tls_ja4_memo *memo, char out[static 37])
{
    struct offer o;
    o.ciphers = true;
    char *to = out;
    *to++ = 't';
    memcpy(to, version_text(h->version), 2);
    to[2] = h->sni_seen ? 'd' : 'i';
    to = put_alpn(h, put_count(h->extension_count, put_count(h->cipher_count, to + 3)));

    o.first = o.count = kept(h->cipher_count, TLS_CIPHERS_MAX);
    memcpy(o.number, h->ciphers, o.count * sizeof *o.number);
    to = put_digits(memo, &o, o.count > 0, to);

    size_t all = kept(h->extension_count, TLS_EXTENSIONS_MAX);
    o.ciphers = false;
    o.count = 0;
    for (size_t i = 0; i < all; i++)
        if (h->extensions[i] != 0x0000 && h->extensions[i] != 0x0010)
            o.number[o.count++] = h->extensions[i];
    o.first = o.count;
    // Programs that shuffle their extensions are known by the sorted ones.
    sort(o.number, o.first);
    memcpy(o.number + o.count, h->sigalgs, h->sigalg_count * sizeof *o.number);
    o.count += h->sigalg_count;
    to = put_digits(memo, &o, o.first > 0, to);
    *to = '\0';
}
