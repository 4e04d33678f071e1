// Addresses, sockets and acknowledgements of transport.h.
#include "common/transport.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cursor.h"
#include "common/ipfix.h"

// ---- Addresses

static int parse_port(const char *text, char out[static 8])
{
    unsigned port = 0;
    size_t n = strlen(text);
    if (n == 0 || n > 5 || strspn(text, "0123456789") != n)
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        port = port * 10 + (unsigned)(text[i] - '0');
    if (port > 65535)
        return -EINVAL;
    snprintf(out, 8, "%u", port);
    return 0;
}

int transport_address_parse(const char *text, struct transport_address *out)
{
    struct transport_address a = {.kind = TRANSPORT_TLS};
    if (strncmp(text, "unix:", 5) == 0) {
        struct sockaddr_un un;
        if (text[5] != '/' || strlen(text + 5) >= sizeof un.sun_path)
            return -EINVAL;
        a.kind = TRANSPORT_UNIX;
        snprintf(a.host, sizeof a.host, "%s", text + 5);
        *out = a;
        return 0;
    }
    if (strncmp(text, "tcp:", 4) == 0) {
        a.kind = TRANSPORT_TCP;
        text += 4;
    }
    const char *colon = strrchr(text, ':');
    if (!colon || parse_port(colon + 1, a.port) < 0)
        return -EINVAL;
    size_t len = (size_t)(colon - text);
    if (text[0] == '[' && len >= 2 && text[len - 1] == ']') {
        text++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        return -EINVAL; // an IPv6 address stands in brackets
    }
    if (len == 0 || len >= sizeof a.host)
        return -EINVAL;
    memcpy(a.host, text, len);
    *out = a;
    return 0;
}

int transport_resolve(const struct transport_address *a, bool listen_there,
                      struct transport_peer *out)
{
    struct transport_peer p = {0};
    if (a->kind == TRANSPORT_UNIX) {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        memcpy(un.sun_path, a->host, strlen(a->host) + 1);
        memcpy(&p.addr, &un, sizeof un);
        p.len = sizeof un;
        *out = p;
        return 0;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | (listen_there ? AI_PASSIVE : 0)};
    struct addrinfo *found = NULL;
    if (getaddrinfo(a->host, a->port, &hints, &found) != 0)
        return -EHOSTUNREACH;
    memcpy(&p.addr, found->ai_addr, found->ai_addrlen);
    p.len = found->ai_addrlen;
    freeaddrinfo(found);
    *out = p;
    return 0;
}

static const struct sockaddr *sockaddr_of(const struct transport_peer *p)
{
    return (const struct sockaddr *)&p->addr;
}

static int new_socket(const struct transport_peer *p)
{
    int fd = socket(p->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

// A socket file that nobody serves any more is in the way of the next start.
static void remove_stale(const struct transport_peer *p)
{
    struct sockaddr_un un;
    int fd = new_socket(p);
    if (fd < 0)
        return;
    memcpy(&un, &p->addr, sizeof un);
    if (connect(fd, sockaddr_of(p), p->len) < 0 && errno == ECONNREFUSED)
        unlink(un.sun_path);
    close(fd);
}

bool transport_address_of(const struct sockaddr_storage *a, struct ip_addr *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    switch (a->ss_family) {
    case AF_INET:
        memcpy(&v4, a, sizeof v4);
        *out = (struct ip_addr){.family = IP_V4};
        memcpy(out->octet, &v4.sin_addr, 4);
        return true;
    case AF_INET6:
        memcpy(&v6, a, sizeof v6);
        bool is_mapped = memcmp(&v6.sin6_addr, mapped, sizeof mapped) == 0;
        *out = (struct ip_addr){.family = is_mapped ? IP_V4 : IP_V6};
        memcpy(out->octet, (const uint8_t *)&v6.sin6_addr + (is_mapped ? 12 : 0),
               is_mapped ? 4 : 16);
        return true;
    default: return false;
    }
}

int transport_listen(const struct transport_peer *p, int *out)
{
    int on = 1;
    if (p->addr.ss_family == AF_UNIX)
        remove_stale(p);
    int fd = new_socket(p);
    if (fd < 0)
        return fd;
    if (p->addr.ss_family != AF_UNIX)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, sockaddr_of(p), p->len) < 0 || listen(fd, SOMAXCONN) < 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    *out = fd;
    return 0;
}

int transport_connect(const struct transport_peer *p, int *out)
{
    int on = 1;
    int fd = new_socket(p);
    if (fd < 0)
        return fd;
    if (p->addr.ss_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, sockaddr_of(p), p->len) < 0 && errno != EINPROGRESS) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    *out = fd;
    return 0;
}

// ---- Acknowledgements

// Our elements of record identity (ipfix_table.c).
#define ELEMENT_EPOCH    2
#define ELEMENT_SEQUENCE 3
#define ENTERPRISE       0x8000

static void put_field(struct buf *out, unsigned element)
{
    buf_be(out, ENTERPRISE | element, 2);
    buf_be(out, 8, 2);
    buf_be(out, IPFIX_PEN_POSTERN, 4);
}

void transport_ack_put(struct transport_ack_writer *w, const struct transport_ack *a,
                       int64_t now_ms, struct buf *out)
{
    size_t at = out->len;
    buf_be(out, IPFIX_VERSION, 2);
    buf_be(out, 0, 2);
    buf_be(out, (uint64_t)(now_ms / 1000), 4);
    buf_be(out, w->sequence, 4);
    buf_be(out, a->domain, 4);
    if (!w->begun) {
        buf_be(out, 2, 2);
        buf_be(out, 24, 2);
        buf_be(out, TRANSPORT_TEMPLATE_ACK, 2);
        buf_be(out, 2, 2);
        put_field(out, ELEMENT_EPOCH);
        put_field(out, ELEMENT_SEQUENCE);
    }
    buf_be(out, TRANSPORT_TEMPLATE_ACK, 2);
    buf_be(out, 20, 2);
    buf_be(out, a->epoch, 8);
    buf_be(out, a->sequence, 8);
    if (out->failed)
        return;
    buf_patch_be(out, at + 2, out->len - at, 2);
    w->begun = true;
    w->sequence++;
}

static int read_message(struct span m, transport_ack_fn fn, void *ctx)
{
    struct cursor c = cursor_of(m);
    cursor_skip(&c, 12);
    uint32_t domain = cursor_u32(&c);
    while (!c.failed && cursor_left(&c) > 0) {
        uint16_t id = cursor_u16(&c), len = cursor_u16(&c);
        if (c.failed || len < 4)
            return -EBADMSG;
        struct cursor set = cursor_of(cursor_take(&c, len - 4u));
        while (!c.failed && id == TRANSPORT_TEMPLATE_ACK && cursor_left(&set) >= 16) {
            struct transport_ack a = {.domain = domain};
            a.epoch = cursor_u64(&set);
            a.sequence = cursor_u64(&set);
            fn(ctx, &a);
        }
    }
    return c.failed ? -EBADMSG : 0;
}

// Length of the message whose header stands at the start; 0: more is needed. -EBADMSG.
static int message_length(const struct transport_ack_reader *r)
{
    if (r->len < 4)
        return 0;
    struct cursor c = cursor_of(span_of(r->octet, r->len));
    uint16_t version = cursor_u16(&c), len = cursor_u16(&c);
    if (version != IPFIX_VERSION || len < IPFIX_HEADER_SIZE || len > sizeof r->octet)
        return -EBADMSG;
    return len;
}

int transport_ack_feed(struct transport_ack_reader *r, struct span in, transport_ack_fn fn,
                       void *ctx)
{
    while (!r->broken && in.len > 0) {
        int whole = message_length(r);
        size_t want = whole > 0 ? (size_t)whole - r->len : 4u - r->len;
        size_t take = in.len < want ? in.len : want;
        memcpy(r->octet + r->len, in.data, take);
        r->len = (uint16_t)(r->len + take);
        in = span_cut(in, take, in.len);
        whole = message_length(r);
        if (whole < 0) {
            r->broken = true;
        } else if (whole > 0 && r->len == whole) {
            r->broken = read_message(span_of(r->octet, r->len), fn, ctx) < 0;
            r->len = 0;
        }
    }
    return r->broken ? -EBADMSG : 0;
}
