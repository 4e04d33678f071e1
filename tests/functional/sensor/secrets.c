// Gathering by words, searching by a sieve over the hash of six octets.
#include "secrets.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SIEVE (1u << 20)
#define HEADS (1u << 16)

void must(bool holds)
{
    if (holds)
        return;
    perror("postern-privacy: cannot go on");
    exit(70);
}

void secrets_init(struct secrets *s)
{
    memset(s, 0, sizeof *s);
}

void secrets_fini(struct secrets *s)
{
    free(s->secret);
    free(s->head);
    free(s->next);
    free(s->sieve);
    secrets_init(s);
}

// An address is in every record, and a name of one letter repeated in every table.
static bool is_telling(const unsigned char *text, size_t len)
{
    bool same = true, number = true;
    for (size_t i = 0; i < len; i++) {
        same &= text[i] == text[0];
        number &= isdigit(text[i]) || strchr(".:[]-_/", text[i]) != NULL;
        if (text[i] < 0x20)
            return false;
    }
    return !same && !number;
}

void secrets_add(struct secrets *s, const void *text, size_t len)
{
    if (len > SECRET_MAX)
        len = SECRET_MAX;
    if (len < SECRET_MIN || !is_telling(text, len))
        return;
    for (size_t i = 0; i < s->count; i++)
        if (s->secret[i].len == len && memcmp(s->secret[i].text, text, len) == 0)
            return;
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 256;
        s->secret = realloc(s->secret, s->room * sizeof *s->secret);
        must(s->secret);
    }
    struct secret *n = &s->secret[s->count++];
    memset(n, 0, sizeof *n);
    n->len = (unsigned char)len;
    memcpy(n->text, text, len);
}

// ---- Gathering.

static bool is_base64(unsigned char c)
{
    return isalnum(c) || c == '+' || c == '/' || c == '=';
}

static size_t decode(struct span in, unsigned char *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0, have = 0;
    size_t n = 0;
    for (size_t i = 0; i < in.len && in.data[i] != '='; i++) {
        const char *at = strchr(alphabet, in.data[i]);
        if (!at || !*at)
            break;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (unsigned char)(bits >> have);
        }
    }
    return n;
}

// As it was sent, and each of the texts inside.
static void add_base64(struct secrets *s, struct span text)
{
    unsigned char plain[1024];
    if (text.len < 8 || text.len > sizeof plain)
        return;
    secrets_add(s, text.data, text.len);
    size_t n = decode(text, plain), from = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && plain[i] != 0)
            continue;
        secrets_add(s, plain + from, i - from);
        from = i + 1;
    }
}

static struct span word(struct span s, size_t *at)
{
    while (*at < s.len && s.data[*at] == ' ')
        ++*at;
    size_t from = *at;
    while (*at < s.len && s.data[*at] > ' ')
        ++*at;
    return span_cut(s, from, *at - from);
}

static void add_word(struct secrets *s, struct span w)
{
    while (w.len > 0 && w.data[0] == '"')
        w = span_cut(w, 1, w.len - 1);
    while (w.len > 0 && w.data[w.len - 1] == '"')
        w.len--;
    secrets_add(s, w.data, w.len);
}

static void add_path(struct secrets *s, struct span rest)
{
    const unsigned char *open = memchr(rest.data, '<', rest.len);
    if (!open)
        return;
    struct span path = span_cut(rest, (size_t)(open + 1 - rest.data), rest.len);
    const unsigned char *close = memchr(path.data, '>', path.len);
    if (close)
        path.len = (size_t)(close - path.data);
    secrets_add(s, path.data, path.len);
    const unsigned char *sign = memchr(path.data, '@', path.len);
    if (sign)
        secrets_add(s, path.data, (size_t)(sign - path.data));
}

static bool begins(struct span line, const char *with)
{
    size_t n = strlen(with);
    return line.len >= n && strncasecmp((const char *)line.data, with, n) == 0;
}

static void gather_line(struct secrets *s, struct span line)
{
    size_t at = 5;
    bool base64 = line.len >= 12;
    for (size_t i = 0; i < line.len && base64; i++)
        base64 = is_base64(line.data[i]);
    if (base64) {
        add_base64(s, line);
    } else if (begins(line, "MAIL FROM") || begins(line, "RCPT TO")) {
        add_path(s, line);
    } else if (begins(line, "EHLO ") || begins(line, "HELO ") || begins(line, "LHLO ") ||
               begins(line, "USER ") || begins(line, "PASS ")) {
        add_word(s, word(line, &at));
    } else if (begins(line, "AUTH ")) {
        word(line, &at);
        add_base64(s, word(line, &at));
    } else if (begins(line, "Subject: ")) {
        secrets_add(s, line.data + 9, line.len - 9);
    } else {
        at = 0;
        word(line, &at);
        struct span verb = word(line, &at);
        if (verb.len == 5 && begins(verb, "LOGIN")) {
            add_word(s, word(line, &at));
            add_word(s, word(line, &at));
        } else if (verb.len == 12 && begins(verb, "AUTHENTICATE")) {
            word(line, &at);
            add_base64(s, word(line, &at));
        }
    }
}

// RFC 1929: one packet, nothing else in it.
static void gather_socks(struct secrets *s, struct span p)
{
    if (p.len < 5 || p.data[0] != 1 || (size_t)p.data[1] + 3 > p.len)
        return;
    size_t user = p.data[1], password = p.data[2 + user];
    if (user == 0 || password == 0 || user + password + 3 != p.len)
        return;
    secrets_add(s, p.data + 2, user);
    secrets_add(s, p.data + 3 + user, password);
}

void secrets_gather(struct secrets *s, struct span payload)
{
    gather_socks(s, payload);
    for (size_t at = 0; at < payload.len;) {
        size_t end = at;
        while (end < payload.len && payload.data[end] != '\n')
            end++;
        size_t len = end - at;
        while (len > 0 && payload.data[at + len - 1] == '\r')
            len--;
        if (end < payload.len) // a whole line
            gather_line(s, span_cut(payload, at, len));
        at = end + 1;
    }
}

// ---- Searching.

__attribute__((no_sanitize("address", "undefined"), always_inline)) static inline uint32_t
hash_of(const unsigned char *at)
{
    uint64_t v = 0;
    memcpy(&v, at, 4);
    v |= (uint64_t)at[4] << 32 | (uint64_t)at[5] << 40;
    v &= 0xffffffffffffu;
    return (uint32_t)((v * 0x9e3779b97f4a7c15u) >> 40);
}

void secrets_index(struct secrets *s)
{
    s->head = calloc(HEADS, sizeof *s->head);
    s->next = calloc(s->count + 1, sizeof *s->next);
    s->sieve = calloc(SIEVE / 8, 1);
    must(s->head && s->next && s->sieve);
    for (unsigned i = 0; i < s->count; i++) {
        uint32_t h = hash_of(s->secret[i].text);
        s->sieve[h % SIEVE / 8] |= (unsigned char)(1u << h % 8);
        s->next[i + 1] = s->head[h % HEADS];
        s->head[h % HEADS] = i + 1;
    }
}

__attribute__((no_sanitize("address", "undefined"), optimize("O2"))) void
secrets_search(const struct secrets *s, const unsigned char *data, size_t len,
               void (*found)(void *ctx, struct secret *secret, size_t at), void *ctx)
{
    for (size_t at = 0; at + SECRET_MIN + 2 <= len; at++) {
        uint32_t h = hash_of(data + at);
        if (!(s->sieve[h % SIEVE / 8] & 1u << h % 8))
            continue;
        for (unsigned i = s->head[h % HEADS]; i; i = s->next[i]) {
            struct secret *n = &s->secret[i - 1];
            if (!n->known && n->len <= len - at && memcmp(n->text, data + at, n->len) == 0)
                found(ctx, n, at);
        }
    }
}
