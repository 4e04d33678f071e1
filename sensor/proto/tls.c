// The TLS tracker: records of both sides (RFC 8446 section 5, RFC 5246), the hello messages, a TLS
// 1.2 server's first certificate as SHA-256, alerts in clear, record lengths, octets of application
// data, and the time from the handshake's end to the close. Nothing is decrypted.
//
// Followed only where mail is: on its ports, and behind STARTTLS or STLS. What is no record (or a
// record longer than allowed) ends that side, flagged; behind a gap a side goes on where a packet
// begins with a plausible record header.
#include "proto/tls.h"
#include "ident.h"
#include "table.h"

#define TLS_RECORD_MAX (16384 + 2048)

enum { TLS_CCS = 20, TLS_ALERT = 21, TLS_HANDSHAKE = 22, TLS_DATA = 23 };

_Static_assert(offsetof(struct tls, rest) <= TABLE_LINE - POOL_HEADER, "all in the first line");

static uint16_t be16_len(const uint8_t header[static TLS_HEADER])
{
    return (uint16_t)(header[3] << 8 | header[4]);
}

static bool is_header(struct span s)
{
    return s.len >= 3 && s.data[0] >= TLS_CCS && s.data[0] <= TLS_DATA && s.data[1] == 3 &&
           s.data[2] <= 4;
}

static bool is_sslv2_hello(struct span s)
{
    return s.len >= 5 && (s.data[0] & 0x80) && s.data[2] == TLS_CLIENT_HELLO &&
           ((s.data[3] == 3 && s.data[4] <= 4) || (s.data[3] == 0 && s.data[4] == 2));
}

static bool is_tls_port(uint16_t port)
{
    return port == 465 || port == 993 || port == 995 || port == 443;
}

static enum proto_match tls_match(const struct proto_peek *p)
{
    struct span c = p->first[PROTO_INITIATOR], s = p->first[PROTO_RESPONDER];
    uint16_t port = p->port[PROTO_RESPONDER];
    if (p->ip_proto != 6)
        return PROTO_NO;
    if (p->midstream && is_tls_port(port) && (is_header(c) || is_header(s)))
        return PROTO_YES;
    if (is_sslv2_hello(c) && (is_tls_port(port) || ident_is_mail_port(port)))
        return PROTO_YES;
    static const uint8_t hello[] = {TLS_HANDSHAKE, 3};
    size_t n = c.len < sizeof hello ? c.len : sizeof hello;
    if (n > 0 && memcmp(c.data, hello, n) != 0)
        return PROTO_NO;
    if (c.len == 0)
        return s.len == 0 || is_header(s) ? PROTO_MAYBE : PROTO_NO;
    if (c.len < 6)
        return PROTO_MAYBE;
    return is_header(c) && c.data[5] == TLS_CLIENT_HELLO ? PROTO_YES : PROTO_NO;
}

static bool tls_wanted(uint16_t port)
{
    return ident_is_mail_port(port) || port == 993 || port == 995;
}

// ---- Records.

static void handshake_done(const struct tls_at *at)
{
    if (at->s->done_us != 0)
        return;
    at->s->done_us = at->t_us;
    tls_result(at->f)->handshake_done = true;
}

static void note_length(struct proto_flow *f, struct tls *s, enum proto_side side)
{
    if (s->lengths == RECORD_TLS_LENGTHS)
        return;
    uint16_t octets = s->side[side].left;
    int16_t len = (int16_t)(octets < INT16_MAX ? octets : INT16_MAX);
    tls_result(f)->record_lengths[s->lengths++] = (int16_t)(side == PROTO_RESPONDER ? -len : len);
}

static void begin_record(const struct tls_at *at)
{
    struct tls *s = at->s;
    struct tls_side *d = &s->side[at->side];
    struct record_tls *r = tls_result(at->f);
    note_length(at->f, s, at->side);
    if (d->type == TLS_ALERT) {
        s->rest[at->side].alert_len = 0;
        s->rest[at->side].alert_size = d->left;
    } else if (d->type == TLS_CCS) {
        d->state |= TLS_SIDE_ENCRYPTED;
    } else if (d->type == TLS_HANDSHAKE &&
               (d->state & s->side[1 - at->side].state & TLS_SIDE_ENCRYPTED) &&
               r->version != 0x0304) {
        // TLS 1.2: the second Finished ends the handshake. (In TLS 1.3 the same shape is a second
        // ClientHello behind a HelloRetryRequest.)
        handshake_done(at);
    } else if (d->type == TLS_DATA) {
        // TLS 1.3: the client's first encrypted record carries its Finished. TLS 1.2, or a session
        // joined late: application data means that the handshake lies behind.
        d->state |= TLS_SIDE_ENCRYPTED;
        if (at->side == PROTO_INITIATOR || tls_result(at->f)->version != 0x0304)
            handshake_done(at);
    }
}

// One in clear has two octets: level and description.
static void feed_alert(const struct tls_at *at, struct span data)
{
    struct tls_rest *d = &at->s->rest[at->side];
    for (size_t i = 0; i < data.len && d->alert_len < 2; i++)
        d->alert[d->alert_len++] = data.data[i];
    if (d->alert_len == 2 && d->alert_size == 2)
        tls_result(at->f)->alert = d->alert[1];
}

static void feed_record(const struct tls_at *at, struct span data)
{
    struct tls_side *d = &at->s->side[at->side];
    d->left = (uint16_t)(d->left - data.len);
    switch (d->type) {
    case TLS_HANDSHAKE: tls_feed_handshake(at, data); break;
    case TLS_DATA: tls_result(at->f)->application_octets[at->side] += data.len; break;
    case TLS_ALERT: feed_alert(at, data); break;
    default: break;
    }
}

// Is there a good header of application data, whole?
static bool begins_data(struct span data)
{
    return data.len >= TLS_HEADER && data.data[0] == TLS_DATA && data.data[1] == 3 &&
           data.data[2] <= 4 && be16_len(data.data) <= TLS_RECORD_MAX;
}

static void give_up(const struct tls_at *at)
{
    at->s->side[at->side].state |= TLS_SIDE_DEAD;
    proto_result(at->f)->incomplete |= RECORD_PARSER_LOST;
}

// One octet of the header; begins the record when it is complete.
static void feed_header(const struct tls_at *at, uint8_t o)
{
    struct tls_side *d = &at->s->side[at->side];
    uint8_t *header = at->s->rest[at->side].header;
    header[d->header_len++] = o;
    if (d->header_len == TLS_HEADER && !(d->state & TLS_SIDE_BEGAN) &&
        is_sslv2_hello(span_of(header, TLS_HEADER))) {
        // An old client that offers TLS in the old form: the answer is a TLS record.
        d->skip = (uint16_t)(((header[0] & 0x7f) << 8 | header[1]) + 2 - TLS_HEADER);
        d->state |= TLS_SIDE_BEGAN;
        d->header_len = 0;
        tls_result(at->f);
        return;
    }
    bool may_be_sslv2 = !(d->state & TLS_SIDE_BEGAN) && (header[0] & 0x80) &&
                        d->header_len < TLS_HEADER;
    bool good = is_header(span_of(header, 3)) || may_be_sslv2;
    if (d->header_len >= 3 && !good) {
        give_up(at);
        return;
    }
    if (d->header_len < TLS_HEADER)
        return;
    d->left = be16_len(header);
    d->type = header[0];
    d->state |= TLS_SIDE_BEGAN;
    d->header_len = 0;
    if (!good || d->left > TLS_RECORD_MAX) {
        give_up(at);
        return;
    }
    begin_record(at);
}

// A good header that lies here whole, behind others: feed_header in one step.
static bool begin_whole(const struct tls_at *at, struct span data)
{
    struct tls_side *d = &at->s->side[at->side];
    if (!(d->state & TLS_SIDE_BEGAN) || d->header_len != 0 || data.len < TLS_HEADER ||
        !is_header(data) || be16_len(data.data) > TLS_RECORD_MAX)
        return false;
    d->left = be16_len(data.data);
    d->type = data.data[0];
    begin_record(at);
    return true;
}

// Records of application data behind the handshake, which most are: only their lengths count. Returns what is left
// where another begins, or a header that is not whole or not good.
static struct span feed_data(struct proto_flow *f, struct tls *s, enum proto_side side,
                             struct span data)
{
    struct tls_side *d = &s->side[side];
    const uint8_t *const begin = data.data;
    uint64_t octets = 0;
    while (d->left > 0 ? d->type == TLS_DATA : begins_data(data)) {
        if (d->left == 0) {
            d->left = be16_len(data.data);
            d->type = TLS_DATA;
            note_length(f, s, side);
            data.data += TLS_HEADER;
            data.len -= TLS_HEADER;
        }
        size_t used = data.len < d->left ? data.len : d->left;
        octets += used;
        d->left = (uint16_t)(d->left - used);
        data.data += used;
        data.len -= used;
        if (data.len == 0)
            break;
    }
    if (data.data != begin)
        tls_result(f)->application_octets[side] += octets;
    return data;
}

// Not inlined, so that the usual segment does not pay for what this keeps in registers.
static __attribute__((noinline)) void feed_any(struct proto_flow *f, struct tls *s,
                                               enum proto_side side, struct span data, int64_t t_us)
{
    struct tls_at here = {.f = f, .s = s, .side = side, .t_us = t_us}, *at = &here;
    struct tls_side *d = &s->side[side];
    if (d->state & TLS_SIDE_HUNTING) {
        if (data.len < TLS_HEADER || !is_header(data))
            return;
        d->state &= (uint8_t)~TLS_SIDE_HUNTING;
    }
    while (data.len > 0 && !(d->state & TLS_SIDE_DEAD)) {
        if (d->skip > 0) {
            struct span part = span_cut(data, 0, d->skip);
            d->skip = (uint16_t)(d->skip - part.len);
            data = span_cut(data, part.len, data.len);
        } else if (d->left > 0) {
            struct span part = span_cut(data, 0, d->left);
            feed_record(at, part);
            data = span_cut(data, part.len, data.len);
        } else if (begin_whole(at, data)) {
            data = span_cut(data, TLS_HEADER, data.len);
        } else {
            feed_header(at, data.data[0]);
            data = span_cut(data, 1, data.len);
        }
    }
}

static void tls_feed(struct proto_flow *f, void *state, enum proto_side side, struct span data,
                     int64_t t_us)
{
    struct tls *s = state;
    const struct tls_side *d = &s->side[side];
    const uint8_t usual = TLS_SIDE_BEGAN | TLS_SIDE_ENCRYPTED;
    if (s->done_us != 0 && d->state == usual && d->header_len == 0 && d->skip == 0)
        data = feed_data(f, s, side, data);
    if (data.len > 0)
        feed_any(f, s, side, data, t_us);
}

static void tls_open(struct proto_flow *f, void *state, int64_t t_us)
{
    (void)t_us;
    struct tls *s = state;
    if (f->midstream && f->depth == 1)
        s->side[0].state = s->side[1].state = TLS_SIDE_HUNTING;
    struct record_tls *r = tls_result(f);
    // A hello stands in what comes next; what it says goes here.
    for (size_t i = 0; i < sizeof *r; i += TABLE_LINE)
        __builtin_prefetch((const char *)r + i, 1);
    if (f->depth != 1)
        return;
    uint16_t port = f->port[PROTO_RESPONDER];
    uint8_t app = port == 993   ? RECORD_APP_IMAPS
                  : port == 995 ? RECORD_APP_POP3S
                                : RECORD_APP_SMTPS;
    if (tls_wanted(port))
        proto_set_app(f, app, RECORD_APP_BY_CONTENT);
}

static void tls_gap(struct proto_flow *f, void *state, enum proto_side side, uint64_t missing,
                    int64_t t_us)
{
    struct tls *s = state;
    struct tls_side *d = &s->side[side];
    struct tls_at at = {.f = f, .s = s, .side = side, .t_us = t_us};
    if (d->state & TLS_SIDE_DEAD)
        return;
    // A handshake message with a hole is not read any further.
    if (d->type == TLS_HANDSHAKE)
        d->state |= TLS_SIDE_ENCRYPTED;
    if (missing <= d->left) {
        d->left = (uint16_t)(d->left - missing);
        return;
    }
    proto_result(at.f)->incomplete |= RECORD_PARSER_LOST;
    d->left = 0;
    d->skip = 0;
    d->header_len = 0;
    d->state |= TLS_SIDE_HUNTING;
}

static void tls_close(struct proto_flow *f, void *state, enum proto_end end, int64_t t_us)
{
    (void)end;
    struct tls *s = state;
    if (s->done_us == 0)
        return;
    int64_t ms = (t_us - s->done_us) / 1000;
    tls_result(f)->time_to_close_ms = ms < 1 ? 1 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

static void tls_wipe(void *state)
{
    struct tls *s = state;
    if (s->hello_read) {
        tls_hello_wipe(&s->hello[PROTO_INITIATOR]);
        tls_hello_wipe(&s->hello[PROTO_RESPONDER]);
    }
    if (s->certificate_read)
        memset(&s->certificate, 0, sizeof s->certificate);
    memset(s, 0, offsetof(struct tls, certificate));
}

const struct proto_descriptor proto_tls = {
    .name = "tls",
    .state_size = sizeof(struct tls),
    .told = {offsetof(struct proto_result, tls.application_octets),
             offsetof(struct proto_result, tls.time_to_close_ms)},
    .app = RECORD_APP_TLS,
    .handshake_only = true,
    .match = tls_match,
    .wanted = tls_wanted,
    .open = tls_open,
    .feed = tls_feed,
    .gap = tls_gap,
    .close = tls_close,
    .wipe = tls_wipe,
};
