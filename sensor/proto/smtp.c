// The SMTP tracker (ESMTP, LMTP): client parser, server parser and pairing put together, and the
// switch to TLS. RFC 5321, 2920 (PIPELINING), 3030 (BDAT), 3207 (STARTTLS), 4954 (AUTH), 2033 (LMTP).
//
// The client's octets after DATA are content once the server said 354. Until then they wait, up to
// LINE_MAX_OCTETS of them; a client that sends more without leave, or one whose server is not seen,
// is taken at its word. In the same way a dot between bare LFs and the octets behind STARTTLS wait
// for the server's word.
#include "proto/smtp.h"

#include "proto/pool.h"
#include "table.h"

static void run_client(const struct smtp_at *at, struct span data);

// ---- Client.

static void begin_data(const struct smtp_at *at)
{
    struct smtp *s = at->s;
    s->body_assumed = !s->server_seen;
    s->body_refused = false;
    s->body_gap = false;
    if (s->body_assumed) {
        smtp_client_enter(&s->client, SMTP_CLIENT_BODY);
    } else {
        smtp_client_enter(&s->client, SMTP_CLIENT_HOLD);
        s->wait = SMTP_WAIT_DATA;
    }
    smtp_expect(at, SMTP_EXPECT_DATA);
}

static void begin_chunk(const struct smtp_at *at, struct span args)
{
    struct smtp *s = at->s;
    uint64_t size;
    bool last;
    if (!smtp_bdat_parse(args, &size, &last)) {
        smtp_result(at)->protocol_errors++;
        smtp_expect(at, SMTP_EXPECT_OTHER);
        return;
    }
    if (size > 0) {
        s->client.chunk_left = size;
        smtp_client_enter(&s->client, SMTP_CLIENT_CHUNK);
    }
    smtp_expect(at, last ? SMTP_EXPECT_END : SMTP_EXPECT_CHUNK);
}

static void begin_tls(const struct smtp_at *at)
{
    struct smtp *s = at->s;
    if (!s->server_seen) {
        s->tls_due = true;
        smtp_client_enter(&s->client, SMTP_CLIENT_STOP);
    } else {
        smtp_client_enter(&s->client, SMTP_CLIENT_HOLD);
        s->wait = SMTP_WAIT_TLS;
    }
    smtp_expect(at, SMTP_EXPECT_STARTTLS);
}

static enum smtp_expect expect_of(uint8_t verb)
{
    switch (verb) {
    case SMTP_HELO:
    case SMTP_EHLO:
    case SMTP_LHLO: return SMTP_EXPECT_HELO;
    case SMTP_MAIL: return SMTP_EXPECT_MAIL;
    case SMTP_RCPT: return SMTP_EXPECT_RCPT;
    case SMTP_AUTH: return SMTP_EXPECT_AUTH;
    case SMTP_RSET: return SMTP_EXPECT_RSET;
    case SMTP_QUIT: return SMTP_EXPECT_QUIT;
    case SMTP_TURN: return SMTP_EXPECT_TURN;
    case SMTP_UNKNOWN: return SMTP_EXPECT_UNKNOWN;
    case SMTP_EMPTY: return SMTP_EXPECT_EMPTY;
    default: return SMTP_EXPECT_OTHER;
    }
}

// Behind a gap a line is a command only when nothing speaks against it.
static bool beyond_doubt(const struct smtp_command *c)
{
    bool bare = c->verb == SMTP_DATA || c->verb == SMTP_RSET || c->verb == SMTP_QUIT ||
                c->verb == SMTP_STARTTLS;
    bool named = c->verb == SMTP_HELO || c->verb == SMTP_EHLO || c->verb == SMTP_LHLO;
    return c->verb != SMTP_UNKNOWN && c->verb != SMTP_EMPTY && c->well_formed &&
           !(bare && c->args.len > 0) && !(named && c->args.len == 0);
}

static void note_sending_ahead(const struct smtp_at *at)
{
    struct smtp *s = at->s;
    struct record_smtp *r = smtp_result(at);
    if (s->queue.count == 0 || !s->server_seen || s->holes || s->uncertain || r->pipelining_offered)
        return;
    r->unoffered_pipelining++;
    s->ahead = true;
}

static void note_binary(const struct smtp_at *at, struct span line)
{
    struct smtp *s = at->s;
    for (size_t i = 0; i < line.len && !s->binary; i++) {
        uint8_t o = line.data[i];
        if (o == 0 || (o < ' ' && o != '\t' && o != '\r' && o != '\f' && o != '\v')) {
            s->binary = true;
            at->f->context->counters[PROTO_binary_in_text]++;
        }
    }
}

static void on_command(const struct smtp_at *at, struct span line)
{
    struct smtp *s = at->s;
    struct smtp_command c = smtp_command_parse(line);
    if ((s->doubt || s->uncertain) && !beyond_doubt(&c)) {
        // More likely content whose beginning was not seen.
        smtp_client_enter(&s->client, SMTP_CLIENT_BODY);
        s->suspected = true;
        return;
    }
    s->doubt = false;
    s->lf_session = s->client.line.bare_lf;
    if (c.verb == SMTP_UNKNOWN)
        note_binary(at, line);
    if (c.verb != SMTP_EMPTY)
        note_sending_ahead(at);
    smtp_count_command(at, &c, s->client.line.cut);
    switch (c.verb) {
    case SMTP_DATA: begin_data(at); break;
    case SMTP_BDAT: begin_chunk(at, c.args); break;
    case SMTP_STARTTLS: begin_tls(at); break;
    case SMTP_AUTH:
        smtp_expect(at, SMTP_EXPECT_AUTH);
        smtp_auth_begin(at, c.args);
        break;
    default: smtp_expect(at, expect_of(c.verb)); break;
    }
}

// A line of an AUTH exchange? After 334 it is, whatever it says; before the server's answer was
// seen, when it does not look like a command.
static bool is_auth_line(struct smtp *s, struct span line)
{
    if (s->auth_lines > 0) {
        s->auth_lines--;
        return true;
    }
    if (!s->auth_open)
        return false;
    if (smtp_command_looks_like(line)) {
        // With the server out of sight nothing else ends the exchange.
        s->auth_open = s->server_seen;
        return false;
    }
    if (s->auth_ahead < UINT8_MAX)
        s->auth_ahead++;
    return true;
}

static void on_line(const struct smtp_at *at)
{
    struct smtp *s = at->s;
    struct span line = line_span(&s->client.line);
    if (s->client.line.cut)
        at->f->context->counters[PROTO_lines_cut]++;
    if (is_auth_line(s, line))
        smtp_auth_line(at, line);
    else
        on_command(at, line);
}

static void end_of_content(const struct smtp_at *at)
{
    struct smtp *s = at->s;
    smtp_client_enter(&s->client, SMTP_CLIENT_COMMAND);
    if (s->suspected) {
        // The end of content that began in a gap: answered, but by which reply is not known.
        s->suspected = false;
        s->doubt = false;
    }
    s->body_gap = false;
    bool refused = s->body_refused;
    s->body_refused = false;
    smtp_expect(at, refused ? SMTP_EXPECT_REFUSED : SMTP_EXPECT_END);
}

static void on_bare_dot(const struct smtp_at *at, uint64_t octets)
{
    struct smtp *s = at->s;
    if (s->lf_session) {
        end_of_content(at);
        return;
    }
    if (s->suspected)
        return;
    s->dot_octets = (uint8_t)octets;
    smtp_client_enter(&s->client, SMTP_CLIENT_HOLD);
    s->wait = SMTP_WAIT_DOT;
}

// No room to wait any longer.
static void on_held_full(const struct smtp_at *at)
{
    struct smtp *s = at->s;
    uint8_t wait = s->wait;
    s->wait = SMTP_WAIT_NONE;
    switch (wait) {
    case SMTP_WAIT_DATA: {
        bool commands = s->uncertain &&
                        smtp_command_looks_like(span_of(s->client.line.octet, s->client.held));
        s->body_assumed = !commands;
        smtp_client_enter(&s->client, commands ? SMTP_CLIENT_COMMAND : SMTP_CLIENT_BODY);
        break;
    }
    case SMTP_WAIT_DOT:
        smtp_result(at)->message_octets += s->dot_octets;
        smtp_client_enter(&s->client, SMTP_CLIENT_BODY);
        s->client.bol_bare = true;
        break;
    default:
        s->tls_due = true;
        smtp_client_enter(&s->client, SMTP_CLIENT_STOP);
        break;
    }
}

static void on_client_event(void *ctx, enum smtp_client_event event, uint64_t count)
{
    const struct smtp_at *at = ctx;
    switch (event) {
    case SMTP_CLIENT_LINE: on_line(at); break;
    case SMTP_CLIENT_CONTENT:
        // Behind a gap it may be content no more.
        if (!at->s->suspected && !at->s->body_gap)
            smtp_result(at)->message_octets += (uint32_t)count;
        break;
    case SMTP_CLIENT_END: end_of_content(at); break;
    case SMTP_CLIENT_END_BARE: on_bare_dot(at, count); break;
    case SMTP_CLIENT_CHUNK_END: break; // answered as its BDAT
    case SMTP_CLIENT_HELD_FULL: on_held_full(at); break;
    }
}

void smtp_drain(const struct smtp_at *at)
{
    struct smtp_at here = *at;
    smtp_client_feed(&at->s->client, (struct span){0}, on_client_event, &here);
}

// ---- Both sides, and the switch to TLS.

static void run_client(const struct smtp_at *at, struct span data)
{
    struct smtp *s = at->s;
    struct smtp_at here = *at;
    for (;;) {
        if (s->client.mode == SMTP_CLIENT_STOP) {
            if (s->client.held > 0 && !smtp_held_before_tls(at)) {
                proto_pass(at->f, s->client_side, data, at->t_us);
                return;
            }
            if (data.len == 0 || !smtp_in_clear(at, s->client_side, data))
                return;
        }
        if (s->wait == SMTP_WAIT_HEAD || (data.len > 0 && data.data[0] == SMTP_TLS_HEAD)) {
            bool over;
            size_t head = smtp_look_at_head(at, data, &over);
            if (over || s->wait == SMTP_WAIT_HEAD)
                return;
            data = span_cut(data, head, data.len);
        }
        size_t used = smtp_client_feed(&s->client, data, on_client_event, &here);
        data = span_cut(data, used, data.len);
        if (s->client.mode != SMTP_CLIENT_STOP || (data.len == 0 && s->client.held == 0))
            return;
    }
}

static void on_reply_line(void *ctx, const struct smtp_reply_line *line)
{
    smtp_reply_line(ctx, line);
}

static void run_server(const struct smtp_at *at, struct span data)
{
    struct smtp *s = at->s;
    struct smtp_at here = *at;
    while (data.len > 0) {
        if (s->server.stop && !smtp_in_clear(at, 1 - s->client_side, data))
            return;
        size_t used = smtp_server_feed(&s->server, data, on_reply_line, &here);
        data = span_cut(data, used, data.len);
        // A reply may have settled what the client's held octets are.
        if (s->client.held > 0 && s->client.mode != SMTP_CLIENT_HOLD) {
            uint8_t depth = at->f->depth;
            run_client(at, (struct span){0});
            if (at->f->depth != depth) {
                proto_pass(at->f, 1 - s->client_side, data, at->t_us);
                return;
            }
        }
    }
}

// ---- The descriptor.

static void smtp_open(struct proto_flow *f, void *state, int64_t t_us)
{
    (void)t_us;
    struct smtp *s = state;
    s->uncertain = s->doubt = f->midstream;
    struct proto_result *r = proto_result(f);
    r->groups |= RECORD_HAS_SMTP;
    // The client is who initiated, but for what a backconnected SOCKS server relays.
    bool reverse = f->depth > 1 && (r->groups & RECORD_HAS_SOCKS) && r->socks.reverse;
    s->client_side = reverse ? PROTO_RESPONDER : PROTO_INITIATOR;
}

static void smtp_feed(struct proto_flow *f, void *state, enum proto_side side, struct span data,
                      int64_t t_us)
{
    struct smtp *s = state;
    struct smtp_at at = {.f = f, .s = s, .t_us = t_us};
    if (s->turned)
        return;
    if (side == s->client_side) {
        if (!s->greeted && !s->server_seen)
            s->spoke_early = true;
        run_client(&at, data);
    } else {
        s->server_seen = true;
        run_server(&at, data);
    }
}

static void client_gap(const struct smtp_at *at, uint64_t missing)
{
    struct smtp *s = at->s;
    uint8_t mode = s->client.mode;
    bool was_content = mode == SMTP_CLIENT_BODY && !s->suspected;
    uint8_t wait = s->wait;
    smtp_client_gap(&s->client, missing);
    if (mode == SMTP_CLIENT_CHUNK && s->client.mode == SMTP_CLIENT_CHUNK)
        return; // content only
    if (was_content || wait == SMTP_WAIT_DATA || wait == SMTP_WAIT_DOT) {
        s->body_gap = true;
        s->body_assumed = s->body_assumed || wait == SMTP_WAIT_DATA;
        s->wait = SMTP_WAIT_NONE;
        return;
    }
    s->wait = SMTP_WAIT_NONE;
    s->auth_lines = 0;
    smtp_lose(at);
    s->doubt = true;
    if (wait == SMTP_WAIT_TLS) {
        s->tls_due = true;
        smtp_client_enter(&s->client, SMTP_CLIENT_STOP);
        return;
    }
    // The next reply will tell; with no server in sight nothing but the text itself can.
    s->suspected = s->server_seen;
    if (!s->suspected)
        smtp_client_enter(&s->client, SMTP_CLIENT_COMMAND);
}

static void smtp_gap(struct proto_flow *f, void *state, enum proto_side side, uint64_t missing,
                     int64_t t_us)
{
    struct smtp *s = state;
    struct smtp_at at = {.f = f, .s = s, .t_us = t_us};
    s->holes = true;
    if (side == s->client_side) {
        client_gap(&at, missing);
        return;
    }
    smtp_server_gap(&s->server);
    smtp_lose(&at);
}

// The server's word never came: the text itself has to tell what waited.
static void settle_held(const struct smtp_at *at)
{
    struct smtp *s = at->s;
    if (s->client.mode != SMTP_CLIENT_HOLD || s->wait == SMTP_WAIT_TLS || s->wait == SMTP_WAIT_HEAD)
        return;
    struct span held = span_of(s->client.line.octet, s->client.held);
    bool proper = memmem(held.data, held.len, "\r\n.\r\n", 5) != NULL;
    bool commands = s->wait == SMTP_WAIT_DOT && proper ? false : smtp_command_looks_like(held);
    s->wait = SMTP_WAIT_NONE;
    smtp_client_enter(&s->client, commands ? SMTP_CLIENT_COMMAND : SMTP_CLIENT_BODY);
    smtp_drain(at);
}

static void smtp_close(struct proto_flow *f, void *state, enum proto_end end, int64_t t_us)
{
    (void)end;
    struct smtp *s = state;
    struct smtp_at at = {.f = f, .s = s, .t_us = t_us};
    settle_held(&at);
    // A last line without its end was sent all the same.
    if (s->client.mode == SMTP_CLIENT_COMMAND && s->client.line.len > 0 && !s->client.line.done &&
        !s->auth_open && smtp_command_looks_like(line_span(&s->client.line))) {
        s->client.line.cut = true;
        on_line(&at);
    }
    smtp_server_end(&s->server, on_reply_line, &at);
}

static void smtp_wipe(void *state)
{
    struct smtp *s = state;
    line_fini(&s->client.line);
    line_fini(&s->server.line);
    smtp_queue_fini(&s->queue);
    memset(&s->client, 0, offsetof(struct smtp_client, line));
    memset(&s->server, 0, offsetof(struct smtp_server, line));
    memset(&s->client_side, 0, offsetof(struct smtp, queue) - offsetof(struct smtp, client_side));
    memset(&s->server_name, 0, offsetof(struct smtp, server) - offsetof(struct smtp, server_name));
}

_Static_assert((offsetof(struct smtp, client_side) + POOL_HEADER) % TABLE_LINE == 0 &&
                   offsetof(struct smtp, queue.run[2]) <=
                       offsetof(struct smtp, client_side) + TABLE_LINE,
               "what both sides share begins a line, and ends in it");
_Static_assert((offsetof(struct smtp, server) + POOL_HEADER) % TABLE_LINE <=
                   TABLE_LINE - offsetof(struct smtp_server, line.octet),
               "the server parser's head stands in one");

const struct proto_descriptor proto_smtp = {
    .name = "smtp",
    .state_size = sizeof(struct smtp),
    .touched = {offsetof(struct smtp, client_side), offsetof(struct smtp, server)},
    .told = {offsetof(struct proto_result, smtp) + 64, offsetof(struct proto_result, hash) + 64},
    .app = RECORD_APP_SMTP,
    .match = smtp_match,
    .open = smtp_open,
    .feed = smtp_feed,
    .gap = smtp_gap,
    .close = smtp_close,
    .wipe = smtp_wipe,
};
