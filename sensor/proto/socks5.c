// The SOCKS5 tracker: RFC 1928, with username and password (RFC 1929, neither is kept) and GSSAPI
// (RFC 1961, opaque from there on). The client may be the responder: a bot that dials out and serves
// as the proxy on that connection.
#include "proto/socks.h"

#define SOCKS5_MESSAGE_MAX 22 // header, IPv6 address and port

enum { METHOD_NONE = 0, METHOD_GSSAPI = 1, METHOD_LOGIN = 2, METHOD_REFUSED = 0xff };
enum { ATYP_V4 = 1, ATYP_NAME = 3, ATYP_V6 = 4 };

enum client_step { CLIENT_GREETING, CLIENT_LOGIN_OR_REQUEST, CLIENT_REQUEST, CLIENT_DONE };
enum server_step { SERVER_METHOD, SERVER_LOGIN, SERVER_REPLY, SERVER_DONE };

// A message being gathered: only what is read is kept, names and credentials are passed over.
struct message {
    uint8_t octet[SOCKS5_MESSAGE_MAX];
    uint16_t len;  // octets so far, those passed over included
    uint16_t skip; // to pass over
    uint8_t pass;  // RFC 1929: 1 when the password is next
};

struct socks5 {
    struct socks_relay relay;
    uint8_t client_step, server_step;
    uint8_t replies;
    struct message client, server;
};

static void socks5_open(struct proto_flow *f, void *state, int64_t t_us)
{
    (void)state;
    (void)t_us;
    socks_result(f)->version = 5;
}

// The responder greets: the initiator dialled out to be the proxy.
static void socks5_open_reverse(struct proto_flow *f, void *state, int64_t t_us)
{
    struct socks5 *s = state;
    socks5_open(f, state, t_us);
    s->relay.client = PROTO_RESPONDER;
    socks_result(f)->reverse = true;
}

static void begin_message(struct message *m)
{
    explicit_bzero(m, sizeof *m);
}

// One octet of a greeting: version, number, methods. True when it is whole.
static bool feed_greeting(struct message *m, uint8_t o)
{
    if (m->len < 2)
        m->octet[m->len] = o;
    m->len++;
    return m->len >= 2 && m->len == 2 + m->octet[1];
}

// One octet of RFC 1929's message: 1, length, user, length, password.
static bool feed_login(struct message *m, uint8_t o)
{
    if (m->len++ == 0)
        return false;
    if (m->skip > 0) {
        m->skip--;
        return m->skip == 0 && m->pass == 2;
    }
    m->skip = o;
    m->pass++;
    return m->pass == 2 && o == 0;
}

// One octet of a request or reply: version, command or reply, 0, type, address, port.
static bool feed_address(struct message *m, uint8_t o)
{
    if (m->skip > 0) {
        m->skip--;
        return false;
    }
    if (m->len < SOCKS5_MESSAGE_MAX)
        m->octet[m->len++] = o;
    if (m->len < 5)
        return false;
    switch (m->octet[3]) {
    case ATYP_V4: return m->len == 10;
    case ATYP_V6: return m->len == 22;
    case ATYP_NAME:
        if (m->len == 5)
            m->skip = m->octet[4];
        return m->len == 7; // the name passed over
    default: return true;   // no known type: its length is not known either
    }
}

static void read_request(struct proto_flow *f, const struct message *m)
{
    struct record_socks *r = socks_result(f);
    r->command = m->octet[1];
    switch (m->octet[3]) {
    case ATYP_V4: r->target = ip_from_v4(m->octet + 4); break;
    case ATYP_V6: r->target = ip_from_v6(m->octet + 4); break;
    default: break;
    }
    if (m->len >= 7)
        r->target_port = (uint16_t)(m->octet[m->len - 2] << 8 | m->octet[m->len - 1]);
}

// Returns what does not belong to the handshake.
static struct span feed_client(struct proto_flow *f, struct socks5 *s, struct span data)
{
    while (data.len > 0 && s->client_step != CLIENT_DONE) {
        uint8_t o = data.data[0];
        if (s->client_step == CLIENT_LOGIN_OR_REQUEST && s->client.len == 0 && o != 1)
            s->client_step = CLIENT_REQUEST;
        data = span_cut(data, 1, data.len);
        switch (s->client_step) {
        case CLIENT_GREETING:
            if (!feed_greeting(&s->client, o))
                continue;
            s->client_step = CLIENT_LOGIN_OR_REQUEST;
            break;
        case CLIENT_LOGIN_OR_REQUEST:
            if (!feed_login(&s->client, o))
                continue;
            s->client_step = CLIENT_REQUEST;
            break;
        default:
            if (!feed_address(&s->client, o))
                continue;
            read_request(f, &s->client);
            s->client_step = CLIENT_DONE;
            break;
        }
        begin_message(&s->client);
    }
    return data;
}

static void run_client(struct proto_flow *f, struct socks5 *s, enum proto_side side,
                       struct span data, int64_t t_us)
{
    struct span rest = feed_client(f, s, data);
    s->relay.asked = s->client_step == CLIENT_DONE;
    if (s->relay.asked)
        socks_rest(f, &s->relay, side, rest, t_us);
}

static void read_method(struct proto_flow *f, struct socks5 *s)
{
    uint8_t method = s->server.octet[1];
    socks_result(f)->method = method;
    s->server_step = method == METHOD_LOGIN ? SERVER_LOGIN : SERVER_REPLY;
    // GSSAPI wraps what follows; other methods have messages of their own.
    s->relay.dead = method != METHOD_NONE && method != METHOD_LOGIN;
}

static void read_login(struct proto_flow *f, struct socks5 *s)
{
    bool failed = s->server.octet[1] != 0;
    socks_result(f)->auth_failed = failed;
    s->server_step = SERVER_REPLY;
    s->relay.dead = failed;
}

// Returns whether the relay begins with the next octet.
static bool read_reply(struct proto_flow *f, struct socks5 *s)
{
    struct record_socks *r = socks_result(f);
    r->reply = s->server.octet[1];
    r->granted = r->reply == 0;
    s->replies++;
    if (!r->granted) {
        s->server_step = SERVER_DONE;
        s->relay.dead = true;
        return false;
    }
    // UDP ASSOCIATE relays elsewhere; BIND answers a second time when the peer has come.
    if (r->command == RECORD_SOCKS_UDP || (r->command == RECORD_SOCKS_BIND && s->replies < 2))
        return false;
    s->server_step = SERVER_DONE;
    return true;
}

static void feed_server(struct proto_flow *f, struct socks5 *s, enum proto_side side,
                        struct span data, int64_t t_us)
{
    while (data.len > 0 && !s->relay.dead && s->server_step != SERVER_DONE) {
        uint8_t o = data.data[0];
        data = span_cut(data, 1, data.len);
        if (s->server_step == SERVER_REPLY) {
            if (!feed_address(&s->server, o))
                continue;
            bool relay = read_reply(f, s);
            begin_message(&s->server);
            s->relay.granted = relay;
            if (relay)
                break;
            continue;
        }
        s->server.octet[s->server.len++] = o;
        if (s->server.len < 2)
            continue;
        if (s->server_step == SERVER_METHOD)
            read_method(f, s);
        else
            read_login(f, s);
        begin_message(&s->server);
    }
    if (s->relay.granted)
        socks_rest(f, &s->relay, side, data, t_us);
}

static void socks5_feed(struct proto_flow *f, void *state, enum proto_side side, struct span data,
                        int64_t t_us)
{
    struct socks5 *s = state;
    if (s->relay.relaying)
        socks_count(f, &s->relay, side, data);
    else if (s->relay.dead)
        return;
    else if (side == s->relay.client)
        run_client(f, s, side, data, t_us);
    else
        feed_server(f, s, side, data, t_us);
}

const struct proto_descriptor proto_socks5 = {
    .name = "socks5",
    .state_size = sizeof(struct socks5),
    .app = RECORD_APP_SOCKS5,
    .match = socks5_match,
    .open = socks5_open,
    .feed = socks5_feed,
    .gap = socks_gap,
    .close = socks_close,
    .passed = socks_passed,
    .inner = socks_inner,
};

const struct proto_descriptor proto_socks5_reverse = {
    .name = "socks5-reverse",
    .state_size = sizeof(struct socks5),
    .app = RECORD_APP_SOCKS5,
    .match = socks5_match_reverse,
    .open = socks5_open_reverse,
    .feed = socks5_feed,
    .gap = socks_gap,
    .close = socks_close,
    .passed = socks_passed,
    .inner = socks_inner,
};
