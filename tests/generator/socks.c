// Octets of the handshakes.
#include "socks.h"

#include <stdio.h>

#include "common/buf.h"

enum { MESSAGE_MAX = 600, COMMAND_CONNECT = 1, ADDRESS_V4 = 1, ADDRESS_NAME = 3, UNREACHABLE = 4 };

static void say(struct channel *c, enum tcp_who who, struct buf *b)
{
    struct party *p = channel_party(c);
    channel_pause(c, rng_between(&p->rng, NS_PER_MS / 5, 4 * NS_PER_MS));
    channel_send(c, who, buf_span(b));
    buf_clear(b);
}

static void ask4(struct channel *c, struct buf *b, const struct peer *target, uint16_t port,
                 bool by_name)
{
    buf_be(b, 4, 1);
    buf_be(b, COMMAND_CONNECT, 1);
    buf_be(b, port, 2);
    if (by_name)
        buf_be(b, 1, 4); // 0.0.0.1: the name follows
    else
        buf_bytes(b, target->v4.octet, 4);
    buf_bytes(b, "", 1); // user
    if (by_name)
        buf_bytes(b, target->host, strlen(target->host) + 1);
    say(c, TCP_CLIENT, b);
}

static void ask5(struct channel *c, struct buf *b, const struct peer *target, uint16_t port,
                 bool by_name)
{
    buf_be(b, 0x050100, 3);
    if (by_name) {
        buf_be(b, ADDRESS_NAME, 1);
        buf_be(b, strlen(target->host), 1);
        buf_text(b, target->host);
    } else {
        buf_be(b, ADDRESS_V4, 1);
        buf_bytes(b, target->v4.octet, 4);
    }
    buf_be(b, port, 2);
    say(c, TCP_CLIENT, b);
}

static bool log_in(struct channel *c, struct buf *b, bool wrong_password)
{
    static const char user[] = "u71", password[] = "hb4Yq2";
    buf_be(b, 0x050102, 3);
    say(c, TCP_CLIENT, b);
    buf_be(b, 0x0502, 2);
    say(c, TCP_SERVER, b);
    buf_be(b, 1, 1);
    buf_be(b, sizeof user - 1, 1);
    buf_text(b, user);
    buf_be(b, sizeof password - 1, 1);
    buf_text(b, password);
    say(c, TCP_CLIENT, b);
    buf_be(b, wrong_password ? 0x0101 : 0x0100, 2);
    say(c, TCP_SERVER, b);
    return !wrong_password;
}

static void ask_http(struct channel *c, struct buf *b, const struct peer *target, uint16_t port,
                     bool by_name)
{
    char where[300], line[700];
    const uint8_t *a = target->v4.octet;
    if (by_name)
        snprintf(where, sizeof where, "%s", target->host);
    else
        snprintf(where, sizeof where, "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
    snprintf(line, sizeof line, "CONNECT %s:%u HTTP/1.1\r\nHost: %s:%u\r\n\r\n", where, port, where,
             port);
    buf_text(b, line);
    say(c, TCP_CLIENT, b);
}

bool socks_ask(struct channel *c, enum socks_version version, const struct peer *target,
               uint16_t port, bool by_name, bool wrong_password)
{
    struct buf b;
    buf_init(&b, MESSAGE_MAX);
    bool open = true;
    if (version == SOCKS_4 || version == SOCKS_4A) {
        ask4(c, &b, target, port, version == SOCKS_4A);
    } else if (version == SOCKS_HTTP) {
        ask_http(c, &b, target, port, by_name);
    } else {
        if (version == SOCKS_5_PASSWORD) {
            open = log_in(c, &b, wrong_password);
        } else {
            buf_be(&b, 0x050100, 3);
            say(c, TCP_CLIENT, &b);
            buf_be(&b, 0x0500, 2);
            say(c, TCP_SERVER, &b);
        }
        if (open)
            ask5(c, &b, target, port, by_name);
        else
            channel_close(c, TCP_SERVER);
    }
    buf_fini(&b);
    return open;
}

void socks_answer(struct channel *c, enum socks_version version, const struct ip_addr *bound,
                  bool granted)
{
    struct buf b;
    buf_init(&b, MESSAGE_MAX);
    if (version == SOCKS_4 || version == SOCKS_4A) {
        buf_be(&b, granted ? 0x005a : 0x005b, 2);
        buf_be(&b, 0, 6);
    } else if (version == SOCKS_HTTP) {
        buf_text(&b, granted ? "HTTP/1.1 200 Connection established\r\n\r\n"
                             : "HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n");
    } else {
        buf_be(&b, 5, 1);
        buf_be(&b, granted ? 0 : UNREACHABLE, 1);
        buf_be(&b, 0, 1);
        buf_be(&b, ADDRESS_V4, 1);
        buf_bytes(&b, bound->octet, 4);
        buf_be(&b, granted ? 49876 : 0, 2);
    }
    say(c, TCP_SERVER, &b);
    buf_fini(&b);
}
