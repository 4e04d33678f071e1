// HTTP CONNECT (RFC 9110 section 9.3.6, RFC 9112) as a tunnel of the same kind as SOCKS: the request's line, two heads that are
// passed over, and behind a 2xx answer what is relayed. Of the target an address is kept, and its port; of the
// heads nothing, for credentials stand there.
//
// The first request of a connection alone: a proxy that asks for a password first (407) and is asked again on the
// same connection counts as one that refused. Heads of up to HEAD_LINES lines.
#include "proto/line.h"
#include "proto/socks.h"

#define METHOD     "CONNECT "
#define HEAD_LINES 100
#define NAME_MAX   255

// Replies in the numbers of RFC 1928.
enum { SUCCEEDED = 0, FAILED = 1, NOT_ALLOWED = 2, UNREACHABLE = 4 };

struct http_connect {
    struct socks_relay relay;
    struct {
        uint16_t lines; // that are whole
        struct line line;
    } head[2]; // the client's, the server's
    uint16_t status;
};

// ---- The request's line.

struct target {
    struct ip_addr address; // IP_NONE: a name
    uint16_t port;
};

static bool read_port(struct span digits, uint16_t *out)
{
    uint32_t port = 0;
    if (digits.len == 0 || digits.len > 5)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        port = port * 10 + digits.data[i] - '0';
    }
    *out = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

static bool is_host_octet(uint8_t o)
{
    return (o >= '0' && o <= '9') || ((o | 32) >= 'a' && (o | 32) <= 'z') || o == '.' || o == '-' ||
           o == '_' || o == ':' || o == '%';
}

// "HOST:PORT", "192.0.2.1:PORT", "[2001:db8::1]:PORT"
static bool read_authority(struct span s, struct target *out)
{
    char host[NAME_MAX + 1];
    const uint8_t *colon = memrchr(s.data, ':', s.len);
    size_t len = colon ? (size_t)(colon - s.data) : 0;
    if (!read_port(span_cut(s, len + 1, s.len), &out->port))
        return false;
    struct span name = span_cut(s, 0, len);
    bool bracketed = len > 2 && name.data[0] == '[' && name.data[len - 1] == ']';
    if (bracketed)
        name = span_cut(name, 1, len - 2);
    if (name.len == 0 || name.len > NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_host_octet(name.data[i]) || (name.data[i] == ':' && !bracketed))
            return false;
    memcpy(host, name.data, name.len);
    host[name.len] = '\0';
    if (ip_parse(host, &out->address) != 0)
        out->address = (struct ip_addr){0};
    explicit_bzero(host, sizeof host);
    return !bracketed || out->address.family == IP_V6;
}

// The line without its end: "CONNECT AUTHORITY HTTP/1.1".
static bool read_request(struct span line, struct target *out)
{
    if (!span_begins(line, METHOD))
        return false;
    struct span rest = span_cut(line, strlen(METHOD), line.len);
    const uint8_t *space = memchr(rest.data, ' ', rest.len);
    size_t len = space ? (size_t)(space - rest.data) : 0;
    struct span version = span_cut(rest, len + 1, rest.len);
    return len > 0 && version.len == 8 && span_begins(version, "HTTP/1.") &&
           read_authority(span_cut(rest, 0, len), out);
}

static enum proto_match match(const struct proto_peek *p)
{
    struct span c = p->first[PROTO_INITIATOR];
    struct target target;
    if (p->ip_proto != 6 || p->midstream || c.len == 0 || p->responder_spoke_first)
        return PROTO_NO;
    size_t method = c.len < strlen(METHOD) ? c.len : strlen(METHOD);
    if (memcmp(c.data, METHOD, method) != 0)
        return PROTO_NO;
    const uint8_t *lf = memchr(c.data, '\n', c.len);
    if (!lf)
        return PROTO_MAYBE;
    size_t len = (size_t)(lf - c.data);
    if (len > 0 && c.data[len - 1] == '\r')
        len--;
    return read_request(span_cut(c, 0, len), &target) ? PROTO_YES : PROTO_NO;
}

// ---- The dialogue.

static void open_state(struct proto_flow *f, void *state, int64_t t_us)
{
    (void)state;
    (void)t_us;
    socks_result(f)->version = RECORD_SOCKS_HTTP;
}

static void lose(struct proto_flow *f, struct http_connect *s)
{
    s->relay.dead = true;
    proto_result(f)->incomplete |= RECORD_PARSER_LOST;
}

static void on_request(struct proto_flow *f, struct http_connect *s, struct span line)
{
    struct target target;
    if (!read_request(line, &target)) {
        lose(f, s);
        return;
    }
    struct record_socks *r = socks_result(f);
    r->command = RECORD_SOCKS_CONNECT;
    r->target_port = target.port;
    r->target = target.address;
}

// "HTTP/1.1 200 Connection established"
static void on_status(struct proto_flow *f, struct http_connect *s, struct span line)
{
    uint16_t status = 0;
    struct span code = span_cut(line, 9, 3);
    bool known = span_begins(line, "HTTP/1.") && code.len == 3 && line.data[8] == ' ';
    for (size_t i = 0; known && i < 3; i++) {
        known = code.data[i] >= '0' && code.data[i] <= '9';
        status = (uint16_t)(status * 10 + code.data[i] - '0');
    }
    if (!known || status < 100) {
        lose(f, s);
        return;
    }
    s->status = status;
}

// An answer is whole: in between (1xx), a grant, or a refusal.
static void on_answer(struct proto_flow *f, struct http_connect *s)
{
    struct record_socks *r = socks_result(f);
    s->head[PROTO_RESPONDER].lines = 0;
    if (s->status < 200)
        return;
    r->granted = s->relay.granted = s->status < 300;
    s->relay.dead = !r->granted;
    switch (s->status) {
    case 401:
    case 407: r->auth_failed = true; /* fall through */
    case 403:
    case 405: r->reply = NOT_ALLOWED; break;
    case 502:
    case 503:
    case 504: r->reply = UNREACHABLE; break;
    default: r->reply = r->granted ? SUCCEEDED : FAILED;
    }
}

// A line of a head. The first says what it is about, an empty one ends it.
static void on_line(struct proto_flow *f, struct http_connect *s, enum proto_side side)
{
    struct line *l = &s->head[side].line;
    struct span text = line_span(l);
    uint16_t before = s->head[side].lines++;
    f->context->counters[PROTO_lines_cut] += l->cut;
    if (before > HEAD_LINES)
        lose(f, s);
    else if (text.len == 0 && before > 0 && side == PROTO_INITIATOR)
        s->relay.asked = true;
    else if (text.len == 0 && before > 0)
        on_answer(f, s);
    else if (before == 0 && side == PROTO_INITIATOR)
        on_request(f, s, text);
    else if (before == 0)
        on_status(f, s, text);
    line_wipe(l);
}

static void feed(struct proto_flow *f, void *state, enum proto_side side, struct span data,
                 int64_t t_us)
{
    struct http_connect *s = state;
    const bool *over = side == PROTO_INITIATOR ? &s->relay.asked : &s->relay.granted;
    if (s->relay.relaying) {
        socks_count(f, &s->relay, side, data);
        return;
    }
    while (data.len > 0 && !*over && !s->relay.dead) {
        data = span_cut(data, line_feed(&s->head[side].line, data), data.len);
        if (s->head[side].line.done)
            on_line(f, s, side);
    }
    if (*over && !s->relay.dead)
        socks_rest(f, &s->relay, side, data, t_us);
}

const struct proto_descriptor proto_http_connect = {
    .name = "http-connect",
    .state_size = sizeof(struct http_connect),
    .app = RECORD_APP_HTTP,
    .match = match,
    .open = open_state,
    .feed = feed,
    .gap = socks_gap,
    .close = socks_close,
    .passed = socks_passed,
    .inner = socks_inner,
};
