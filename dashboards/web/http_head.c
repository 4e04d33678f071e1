// See http_head.h.
#include "web/http_head.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct framing {
    unsigned hosts, lengths, encodings;
    bool doubtful;
};

static enum MHD_Result look(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct framing *f = ctx;
    (void)kind;
    if (strcasecmp(name, "Host") == 0) {
        f->hosts++;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        f->lengths++;
        f->doubtful |= !value || !*value || value[strspn(value, "0123456789")] != '\0';
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        f->encodings++;
        f->doubtful |= !value || strcasecmp(value, "chunked") != 0;
    }
    return MHD_YES;
}

bool http_head_is_framed(struct MHD_Connection *connection)
{
    struct framing f = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, look, &f);
    return f.hosts <= 1 && f.lengths + f.encodings <= 1 && !f.doubtful;
}

static bool is_own(const struct ip_addr *address, uint16_t port, const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    char own[IP_TEXT_MAX + 2], text[IP_TEXT_MAX];
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

bool http_head_is_ours(struct MHD_Connection *connection, const struct ip_addr *address,
                       uint16_t port)
{
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    return host && is_own(address, port, host);
}
