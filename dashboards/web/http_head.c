// See http_head.h.
#include "web/http_head.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void http_head_field(struct http_head *h, const char *name, const char *value)
{
    if (strcasecmp(name, "Host") == 0) {
        h->hosts++;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        h->lengths++;
        h->doubtful |= !value || !*value || value[strspn(value, "0123456789")] != '\0';
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        h->encodings++;
        h->doubtful |= !value || strcasecmp(value, "chunked") != 0;
    }
}

bool http_head_is_framed(const struct http_head *h)
{
    return h->hosts <= 1 && h->lengths + h->encodings <= 1 && !h->doubtful;
}

bool http_head_is_ours(const char *host, const struct ip_addr *address, uint16_t port)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    char own[IP_TEXT_MAX + 2], text[IP_TEXT_MAX];
    if (!host)
        return false;
    ip_format(address, text);
    snprintf(own, sizeof own, address->family == IP_V6 ? "[%s]" : "%s", text);
    for (size_t i = 0; i <= sizeof names / sizeof names[0]; i++) {
        const char *name = i < sizeof names / sizeof names[0] ? names[i] : own;
        size_t n = strlen(name);
        if (strncasecmp(host, name, n) != 0)
            continue;
        char with[8];
        snprintf(with, sizeof with, ":%u", port);
        if (host[n] == '\0' || strcmp(host + n, with) == 0)
            return true;
    }
    return false;
}

void http_head_answer(const char *type, int max_age_s, const char *etag,
                      char cache[static HTTP_HEAD_CACHE_MAX],
                      struct http_field out[static HTTP_HEAD_FIELDS])
{
    // An SVG opened by itself is a document whose colours stand in its style attributes: without them it is
    // black. It gets those and nothing else.
    static const char of_svg[] = "default-src 'none'; style-src 'unsafe-inline'; "
                                 "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
                      of_page[] = "default-src 'none'; img-src 'self'; style-src 'self'; "
                                  "script-src 'self'; connect-src 'self'; "
                                  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    if (max_age_s > 0)
        snprintf(cache, HTTP_HEAD_CACHE_MAX, "private, max-age=%d", max_age_s);
    else
        snprintf(cache, HTTP_HEAD_CACHE_MAX, max_age_s < 0 ? "private, no-cache" : "no-store");
    const struct http_field fields[HTTP_HEAD_FIELDS] = {
        {"Content-Type", type},
        {"Cache-Control", cache},
        {"ETag", etag},
        {"Content-Security-Policy", strcmp(type, "image/svg+xml") == 0 ? of_svg : of_page},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
    };
    memcpy(out, fields, sizeof fields);
}
