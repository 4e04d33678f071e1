// HTTP CONNECT (RFC 9110 section 9.3.6, RFC 9112) as a tunnel of the same kind as SOCKS: the request's line, heads of which
// only the length of a body is read, and behind a 2xx answer what is relayed. Of the target an address is kept, and its
// port; of the heads nothing, for credentials stand there.
//
// A client that was refused (407: it is to give a password) may ask again on the same connection, or have asked ahead:
// requests and answers are paired by their number, whichever side is seen first. The record has the target and the reply
// of the last request that was answered. What a client sends behind a request is a further request if that one is refused,
// and relayed if it is granted, so it is read as the one and counted for the other. Bounds: HEAD_LINES lines a head, PENDING_MAX requests
// that wait for an answer. Behind a request that is no CONNECT nothing is followed.
#include "proto/line.h"
#include "proto/pool.h"
#include "proto/socks.h"

#define METHOD      "CONNECT "
#define HEAD_LINES  100
#define NAME_MAX    255
#define PENDING_MAX 4
#define LENGTH_MAX  (UINT64_C(1) << 48) // of a body: nobody waits for the end of more

// Replies in the numbers of RFC 1928.
enum { SUCCEEDED = 0, FAILED = 1, NOT_ALLOWED = 2, UNREACHABLE = 4 };

struct target {
    struct ip_addr address; // IP_NONE: a name
    uint16_t port;
};

// Where a side is in its messages. Zeroed: ahead of the first.
enum step {
    STEP_HEAD,
    STEP_BODY,       // `left` octets of it are to come
    STEP_CHUNK_SIZE, // RFC 9112 section 7.1
    STEP_CHUNK,      // as STEP_BODY
    STEP_CHUNK_END,
    STEP_TRAILER,
    STEP_UNKNOWN, // a body without a length: until a line that begins an answer
    STEP_STUCK,   // not a request that is followed; octets are counted
};

struct side {
    uint64_t octets; // that were fed
    uint64_t left;
    uint64_t length; // that the head gives the body
    bool sized, chunked;
    uint8_t step;
    uint16_t lines; // of this head that are whole
    struct line line;
};

struct http_connect {
    struct socks_relay relay;
    struct side side[2];
    uint32_t requests, answers; // that are whole; answers in between (1xx) left out
    uint16_t status;
    bool cut; // the client is stuck because of a bound
    // By their number: those that wait for their answer.
    struct {
        struct target target;
        uint64_t end; // octets of the client up to its end
    } pending[PENDING_MAX];
};

_Static_assert(sizeof(struct http_connect) <= 1504, "larger than the pool's second class");

// ---- The request's line.

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

// The record says what the last answered request asked for; as long as there is no answer, the first.
static void tell_target(struct proto_flow *f, const struct target *t)
{
    struct record_socks *r = socks_result(f);
    r->command = RECORD_SOCKS_CONNECT;
    r->target_port = t->port;
    r->target = t->address;
}

// Nothing more can be read of the client. Whether that matters shows when all it asked for is answered.
static void stick(struct proto_flow *f, struct http_connect *s, bool cut)
{
    if (s->requests == 0 || s->answers > s->requests) {
        lose(f, s);
        return;
    }
    s->side[PROTO_INITIATOR].step = STEP_STUCK;
    s->cut = cut;
    if (s->answers < s->requests || s->relay.granted)
        return;
    s->relay.dead = true;
    if (cut)
        lose(f, s);
}

// The first line of a request.
static void on_request(struct proto_flow *f, struct http_connect *s, struct span line)
{
    struct target target;
    uint32_t n = s->requests;
    if (!read_request(line, &target)) {
        stick(f, s, false);
        return;
    }
    if (n >= s->answers + PENDING_MAX) {
        stick(f, s, true);
        return;
    }
    s->pending[n % PENDING_MAX].target = target;
    if (n == 0)
        tell_target(f, &target);
}

// "HTTP/1.1 200 Connection established"; 0: no such line
static uint16_t read_status(struct span line)
{
    uint16_t status = 0;
    struct span code = span_cut(line, 9, 3);
    if (!span_begins(line, "HTTP/1.") || code.len < 3 || line.data[8] != ' ')
        return 0;
    for (size_t i = 0; i < 3; i++) {
        if (code.data[i] < '0' || code.data[i] > '9')
            return 0;
        status = (uint16_t)(status * 10 + code.data[i] - '0');
    }
    return status < 100 ? 0 : status;
}

static void on_status(struct proto_flow *f, struct http_connect *s, struct span line)
{
    s->status = read_status(line);
    if (s->status == 0)
        lose(f, s);
}

// ---- Heads, and what of a body follows them.

// Digits in this base up to something else. False: none, or more than LENGTH_MAX.
static bool read_number(struct span text, unsigned base, uint64_t *out)
{
    uint64_t n = 0;
    size_t i = 0;
    for (; i < text.len; i++) {
        uint8_t o = text.data[i], letter = (uint8_t)(o | 32);
        unsigned digit = base;
        if (o >= '0' && o <= '9')
            digit = o - (unsigned)'0';
        else if (letter >= 'a' && letter <= 'f')
            digit = letter - (unsigned)'a' + 10;
        if (digit >= base)
            break;
        n = n * base + digit;
        if (n > LENGTH_MAX)
            return false;
    }
    *out = n;
    return i > 0;
}

static struct span without_blanks(struct span s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = span_cut(s, 1, s.len);
    return s;
}

// A line of a head. False: two lengths, or none where one should stand.
static bool read_field(struct side *side, struct span line)
{
    static const char length[] = "Content-Length:", coding[] = "Transfer-Encoding:";
    uint64_t n;
    if (span_begins(line, coding)) {
        side->chunked = true; // no other tells where it ends
        return span_equal_text(without_blanks(span_cut(line, strlen(coding), line.len)), "chunked");
    }
    if (!span_begins(line, length))
        return true;
    if (!read_number(without_blanks(span_cut(line, strlen(length), line.len)), 10, &n) ||
        (side->sized && side->length != n))
        return false;
    side->sized = true;
    side->length = n;
    return true;
}

// Behind a head. `bodyless`: whatever it says, there is none.
static void begin_body(struct side *side, bool bodyless)
{
    side->left = side->length;
    if (bodyless)
        side->step = STEP_HEAD;
    else if (side->chunked)
        side->step = STEP_CHUNK_SIZE;
    else if (side->sized)
        side->step = side->left > 0 ? STEP_BODY : STEP_HEAD;
    else
        side->step = STEP_UNKNOWN;
    side->lines = 0;
    side->sized = side->chunked = false;
    side->length = 0;
}

// What the client sent behind request number `n` is relayed.
static void begin_relay(struct http_connect *s, uint32_t n)
{
    s->relay.asked = true;
    s->relay.early[PROTO_INITIATOR] = s->side[PROTO_INITIATOR].octets -
                                      s->pending[n % PENDING_MAX].end;
}

static void on_request_end(struct proto_flow *f, struct http_connect *s)
{
    struct side *c = &s->side[PROTO_INITIATOR];
    uint32_t n = s->requests++;
    f->context->counters[PROTO_connect_requests]++;
    s->pending[n % PENDING_MAX].end = c->octets;
    begin_body(c, true); // RFC 9110: a CONNECT has no content, whatever its head says
    if (s->requests == s->answers)
        tell_target(f, &s->pending[n % PENDING_MAX].target);
    if (s->relay.granted && s->requests == s->answers)
        begin_relay(s, n);
}

// An answer is whole: in between (1xx), a grant, or a refusal.
static void on_answer(struct proto_flow *f, struct http_connect *s)
{
    struct record_socks *r = socks_result(f);
    bool granted = s->status >= 200 && s->status < 300;
    begin_body(&s->side[PROTO_RESPONDER], s->status < 300 || s->status == 304);
    if (s->status < 200)
        return;
    uint32_t n = s->answers++;
    f->context->counters[granted ? PROTO_connect_grants : PROTO_connect_refusals]++;
    r->granted = s->relay.granted = granted;
    r->auth_failed = s->status == 401 || s->status == 407;
    switch (s->status) {
    case 401:
    case 403:
    case 405:
    case 407: r->reply = NOT_ALLOWED; break;
    case 502:
    case 503:
    case 504: r->reply = UNREACHABLE; break;
    default: r->reply = granted ? SUCCEEDED : FAILED;
    }
    if (n < s->requests)
        tell_target(f, &s->pending[n % PENDING_MAX].target);
    if (granted && n < s->requests)
        begin_relay(s, n);
    else if (!granted && s->answers >= s->requests && s->side[PROTO_INITIATOR].step == STEP_STUCK)
        stick(f, s, s->cut);
}

// A line of a head. The first says what it is about, an empty one ends it; ahead of it empty ones mean nothing.
static void on_head_line(struct proto_flow *f, struct http_connect *s, enum proto_side from,
                         struct span text)
{
    struct side *side = &s->side[from];
    if (text.len == 0 && side->lines == 0)
        return;
    uint16_t before = side->lines++;
    bool bad = before > HEAD_LINES ||
               (before > 0 && from == PROTO_RESPONDER && !read_field(side, text));
    if (bad && from == PROTO_INITIATOR)
        stick(f, s, true);
    else if (bad)
        lose(f, s);
    else if (text.len == 0 && from == PROTO_INITIATOR)
        on_request_end(f, s);
    else if (text.len == 0)
        on_answer(f, s);
    else if (before == 0 && from == PROTO_INITIATOR)
        on_request(f, s, text);
    else if (before == 0)
        on_status(f, s, text);
}

static void on_line(struct proto_flow *f, struct http_connect *s, enum proto_side from)
{
    struct side *side = &s->side[from];
    struct span text = line_span(&side->line);
    switch (side->step) {
    case STEP_HEAD:
        f->context->counters[PROTO_lines_cut] += side->line.cut;
        on_head_line(f, s, from, text);
        break;
    case STEP_CHUNK_SIZE:
        if (!read_number(text, 16, &side->left))
            lose(f, s);
        side->step = side->left > 0 ? STEP_CHUNK : STEP_TRAILER;
        break;
    case STEP_CHUNK_END: side->step = STEP_CHUNK_SIZE; break;
    case STEP_TRAILER: side->step = text.len > 0 ? STEP_TRAILER : STEP_HEAD; break;
    default: // an answer behind one whose end nobody told
        if (read_status(text) > 0) {
            side->step = STEP_HEAD;
            on_head_line(f, s, from, text);
        }
    }
    line_wipe(&side->line);
}

// Takes octets up to the next thing that may change what the rest means.
static size_t take(struct proto_flow *f, struct http_connect *s, enum proto_side from,
                   struct span data)
{
    struct side *side = &s->side[from];
    size_t n = data.len;
    switch (side->step) {
    case STEP_STUCK: side->octets += n; return n;
    case STEP_BODY:
    case STEP_CHUNK:
        if (n > side->left)
            n = (size_t)side->left;
        side->octets += n;
        side->left -= n;
        if (side->left == 0)
            side->step = side->step == STEP_CHUNK ? STEP_CHUNK_END : STEP_HEAD;
        return n;
    default:
        n = line_feed(&side->line, data);
        side->octets += n;
        if (side->line.done)
            on_line(f, s, from);
        return n;
    }
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
    while (data.len > 0 && !*over && !s->relay.dead)
        data = span_cut(data, take(f, s, side, data), data.len);
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
