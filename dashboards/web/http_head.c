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
