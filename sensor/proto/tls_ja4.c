// JA4 of a ClientHello, by its public description: part a in clear, b the ciphers, c the extensions
// and signature algorithms, b and c as the first 12 hexadecimal digits of SHA-256 over lower-case
// four-digit numbers with commas. GREASE is left out, ciphers and extensions are sorted.
#include <stdio.h>
#include <stdlib.h>

#include "proto/sha256.h"
#include "proto/tls_hello.h"

static int by_value(const void *a, const void *b)
{
    uint16_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void add_list(struct sha256 *h, const uint16_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[6];
        int len = snprintf(text, sizeof text, i ? ",%04x" : "%04x", v[i]);
        sha256_add(h, span_of(text, (size_t)len));
    }
}

static void finish(struct sha256 *h, char out[static 13])
{
    uint8_t digest[SHA256_SIZE];
    sha256_end(h, digest);
    for (size_t i = 0; i < 6; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
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

void tls_ja4(const struct tls_hello *h, char out[static 37])
{
    char b[13] = "000000000000", c[13] = "000000000000", alpn[3];
    uint16_t sorted[TLS_CIPHERS_MAX];
    struct sha256 hash;

    size_t n = kept(h->cipher_count, TLS_CIPHERS_MAX);
    memcpy(sorted, h->ciphers, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    if (n > 0) {
        sha256_init(&hash);
        add_list(&hash, sorted, n);
        finish(&hash, b);
    }

    size_t all = kept(h->extension_count, TLS_EXTENSIONS_MAX);
    n = 0;
    for (size_t i = 0; i < all; i++)
        if (h->extensions[i] != 0x0000 && h->extensions[i] != 0x0010)
            sorted[n++] = h->extensions[i];
    qsort(sorted, n, sizeof *sorted, by_value);
    if (all > 0) {
        sha256_init(&hash);
        add_list(&hash, sorted, n);
        if (h->sigalg_count > 0) {
            sha256_add(&hash, span_of("_", 1));
            add_list(&hash, h->sigalgs, h->sigalg_count);
        }
        finish(&hash, c);
    }

    alpn_text(h, alpn);
    snprintf(out, 37, "t%s%c%02zu%02zu%s_%s_%s", version_text(h->version), h->sni_seen ? 'd' : 'i',
             kept(h->cipher_count, 99), kept(h->extension_count, 99), alpn, b, c);
}
