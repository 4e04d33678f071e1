// JA4 of a ClientHello, by its public description: part a in clear, b the ciphers, c the extensions
// and signature algorithms, b and c as the first 12 hexadecimal digits of SHA-256 over lower-case
// four-digit numbers with commas. GREASE is left out, ciphers and extensions are sorted.
//
// Programs offer the same lists again and again (behind a sort also those that shuffle them), so that the
// digits of a text met before are remembered.
#include <stdio.h>
#include <stdlib.h>

#include "proto/sha256.h"
#include "proto/tls_hello.h"

#define PLACES   256
#define KEPT_MAX 380
#define TEXT_MAX (5 * (TLS_EXTENSIONS_MAX + TLS_SIGALGS_MAX) + 1)
#define DIGITS   12
#define LIST_MAX TLS_CIPHERS_MAX

_Static_assert(5 * TLS_CIPHERS_MAX <= TEXT_MAX, "a list of ciphers fits");

struct tls_ja4_memo {
    struct {
        uint16_t len; // 0: nothing
        char text[KEPT_MAX];
        char digits[DIGITS];
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

static void digits_remembered(struct tls_ja4_memo *m, const char *text, size_t len,
                              char out[static DIGITS])
{
    if (!m || len == 0 || len > KEPT_MAX) {
        digits_of(text, len, out);
        return;
    }
    uint64_t h = len, word = 0;
    for (size_t i = 0; i < len; i += 8) {
        memcpy(&word, text + i, len - i < 8 ? len - i : 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    size_t at = h % PLACES;
    if (m->place[at].len != len || memcmp(m->place[at].text, text, len) != 0) {
        digits_of(text, len, m->place[at].digits);
        memcpy(m->place[at].text, text, len);
        m->place[at].len = (uint16_t)len;
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

static void alpn_text(const struct tls_hello *h, char out[static 3])
{
    if (!h->alpn_seen)
        snprintf(out, 3, "00");
    else if (is_alnum(h->alpn_first) && is_alnum(h->alpn_last))
        snprintf(out, 3, "%c%c", h->alpn_first, h->alpn_last);
    else
        snprintf(out, 3, "%x%x", h->alpn_first >> 4, h->alpn_last & 0xfu);
}

static size_t kept(size_t count, size_t max)
{
    return count < max ? count : max;
}

void tls_ja4(const struct tls_hello *h, struct tls_ja4_memo *memo, char out[static 37])
{
    char b[DIGITS + 1] = "000000000000", c[DIGITS + 1] = "000000000000", alpn[3], text[TEXT_MAX];
    uint16_t sorted[LIST_MAX];

    size_t n = kept(h->cipher_count, TLS_CIPHERS_MAX);
    memcpy(sorted, h->ciphers, n * sizeof *sorted);
    sort(sorted, n);
    if (n > 0)
        digits_remembered(memo, text, add_list(text, 0, sorted, n), b);

    size_t all = kept(h->extension_count, TLS_EXTENSIONS_MAX);
    n = 0;
    for (size_t i = 0; i < all; i++)
        if (h->extensions[i] != 0x0000 && h->extensions[i] != 0x0010)
            sorted[n++] = h->extensions[i];
    sort(sorted, n);
    if (all > 0) {
        size_t len = add_list(text, 0, sorted, n);
        if (h->sigalg_count > 0) {
            text[len++] = '_';
            len = add_list(text, len, h->sigalgs, h->sigalg_count);
        }
        digits_remembered(memo, text, len, c);
    }

    alpn_text(h, alpn);
    snprintf(out, 37, "t%s%c%02zu%02zu%s_%s_%s", version_text(h->version), h->sni_seen ? 'd' : 'i',
             kept(h->cipher_count, 99), kept(h->extension_count, 99), alpn, b, c);
}
