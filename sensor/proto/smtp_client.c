// The parser behind smtp_client.h. Content is searched for dots behind line ends, and never kept; only in HOLD are up to LINE_MAX_OCTETS octets kept, and wiped when they are used.
#include "proto/smtp_client.h"

#include <assert.h>

enum smtp_dot {
    SMTP_DOT_BOL,    // at the beginning of a line (the zero value: content begins with one)
    SMTP_DOT_MID,    // within a line
    SMTP_DOT_DOT,    // a dot at the beginning of a line
    SMTP_DOT_DOT_CR, // and a CR
};

struct feed {
    struct smtp_client *c;
    smtp_client_event_fn fn;
    void *ctx;
};

static void tell(const struct feed *f, enum smtp_client_event event, uint64_t count)
{
    f->fn(f->ctx, event, count);
}

// The octets of a dot line that turned out to be content.
static void not_the_end(const struct feed *f, uint64_t octets)
{
    f->c->dot = SMTP_DOT_MID;
    tell(f, SMTP_CLIENT_CONTENT, octets);
}

// One octet at a place where the final dot may stand. Returns whether it was used up.
static bool feed_dot(const struct feed *f, uint8_t o)
{
    struct smtp_client *c = f->c;
    switch (c->dot) {
    case SMTP_DOT_BOL:
        if (o != '.') {
            c->dot = SMTP_DOT_MID;
            c->last_cr = false;
            return false;
        }
        c->dot = SMTP_DOT_DOT;
        return true;
    case SMTP_DOT_DOT:
        if (o == '\r') {
            c->dot = SMTP_DOT_DOT_CR;
            return true;
        }
        if (o == '\n') {
            c->dot = SMTP_DOT_BOL;
            c->bol_bare = true;
            tell(f, SMTP_CLIENT_END_BARE, 2);
            return true;
        }
        not_the_end(f, 1);
        c->last_cr = false;
        return false;
    default:
        if (o == '\n') {
            bool bare = c->bol_bare;
            c->dot = SMTP_DOT_BOL;
            c->bol_bare = false;
            tell(f, bare ? SMTP_CLIENT_END_BARE : SMTP_CLIENT_END, 3);
            return true;
        }
        not_the_end(f, 2);
        c->last_cr = true;
        return false;
    }
}

// Octets up to and with the first LF that a dot follows, or that is the last; all of them when there is none.
//
// Most of what mail carries has far fewer dots than lines (base64 has none), so dots are looked for. Where they are
// many (text of short sentences, HTML) it goes on from line to line.
#define DOTS_MAX 4

static size_t up_to_dot_line(struct span data)
{
    size_t at = 1;
    for (unsigned dots = 0; dots < DOTS_MAX; dots++) {
        const uint8_t *dot = at < data.len ? memchr(data.data + at, '.', data.len - at) : NULL;
        if (!dot)
            return data.len;
        if (dot[-1] == '\n')
            return (size_t)(dot - data.data);
        at = (size_t)(dot - data.data) + 1;
    }
    while (at < data.len) {
        const uint8_t *lf = memchr(data.data + at, '\n', data.len - at);
        if (!lf)
            break;
        at = (size_t)(lf - data.data) + 1;
        if (at == data.len || data.data[at] == '.')
            return at;
    }
    return data.len;
}

// Content up to where a dot may end it: behind an LF that a dot follows, or may follow in what comes next.
// Returns the octets used.
static size_t feed_body(const struct feed *f, struct span data)
{
    struct smtp_client *c = f->c;
    if (c->dot != SMTP_DOT_MID && feed_dot(f, data.data[0]))
        return 1;
    if (c->dot != SMTP_DOT_MID)
        return 0;
    size_t used = up_to_dot_line(data);
    uint8_t last = data.data[used - 1];
    if (last == '\n') {
        c->bol_bare = used > 1 ? data.data[used - 2] != '\r' : !c->last_cr;
        c->dot = SMTP_DOT_BOL;
    } else {
        c->last_cr = last == '\r';
    }
    tell(f, SMTP_CLIENT_CONTENT, used);
    return used;
}

static size_t feed_chunk(const struct feed *f, struct span data)
{
    struct smtp_client *c = f->c;
    size_t used = data.len < c->chunk_left ? data.len : (size_t)c->chunk_left;
    c->chunk_left -= used;
    if (used > 0)
        tell(f, SMTP_CLIENT_CONTENT, used);
    if (c->chunk_left == 0 && c->mode == SMTP_CLIENT_CHUNK) {
        c->mode = SMTP_CLIENT_COMMAND;
        tell(f, SMTP_CLIENT_CHUNK_END, 0);
    }
    return used;
}

static size_t feed_hold(const struct feed *f, struct span data)
{
    struct smtp_client *c = f->c;
    size_t room = LINE_MAX_OCTETS - (size_t)c->held;
    size_t used = data.len < room ? data.len : room;
    memcpy(c->line.octet + c->held, data.data, used);
    c->held = (uint16_t)(c->held + used);
    if (c->line.used < c->held)
        c->line.used = c->held;
    if (c->held == LINE_MAX_OCTETS) {
        tell(f, SMTP_CLIENT_HELD_FULL, c->held);
        assert(c->mode != SMTP_CLIENT_HOLD);
    }
    return used;
}

static size_t feed_line(const struct feed *f, struct span data)
{
    struct smtp_client *c = f->c;
    size_t used = line_feed(&c->line, data);
    if (c->line.done) {
        tell(f, SMTP_CLIENT_LINE, 0);
        if (c->held == 0)
            line_wipe(&c->line);
    }
    return used;
}

// Octets held until the mode was changed go first. A receiver that holds again within them holds
// fewer, so this ends.
static void feed_held(struct smtp_client *c, smtp_client_event_fn fn, void *ctx)
{
    uint8_t held[LINE_MAX_OCTETS];
    size_t len = smtp_client_unhold(c, held);
    size_t used = smtp_client_feed(c, span_of(held, len), fn, ctx);
    if (used < len) {
        // STOP within what was held: the owner asks for it with smtp_client_unhold.
        memcpy(c->line.octet, held + used, len - used);
        c->held = (uint16_t)(len - used);
    }
    explicit_bzero(held, len);
}

size_t smtp_client_feed(struct smtp_client *c, struct span data, smtp_client_event_fn fn, void *ctx)
{
    struct feed f = {.c = c, .fn = fn, .ctx = ctx};
    size_t at = 0;
    for (;;) {
        if (c->held > 0 && c->mode != SMTP_CLIENT_HOLD && c->mode != SMTP_CLIENT_STOP)
            feed_held(c, fn, ctx);
        if (at == data.len || c->mode == SMTP_CLIENT_STOP)
            return at;
        struct span rest = span_cut(data, at, data.len);
        switch (c->mode) {
        case SMTP_CLIENT_COMMAND: at += feed_line(&f, rest); break;
        case SMTP_CLIENT_BODY: at += feed_body(&f, rest); break;
        case SMTP_CLIENT_CHUNK: at += feed_chunk(&f, rest); break;
        default: at += feed_hold(&f, rest); break;
        }
    }
}

void smtp_client_enter(struct smtp_client *c, enum smtp_client_mode mode)
{
    if (c->held == 0)
        line_wipe(&c->line);
    if (mode == SMTP_CLIENT_BODY) {
        c->dot = SMTP_DOT_BOL;
        c->bol_bare = false;
        c->last_cr = false;
    }
    c->mode = (uint8_t)mode;
}

void smtp_client_hold(struct smtp_client *c, uint8_t octet)
{
    assert(c->held < LINE_MAX_OCTETS);
    c->line.octet[c->held++] = octet;
    if (c->line.used < c->held)
        c->line.used = c->held;
}

void smtp_client_forget(struct smtp_client *c)
{
    explicit_bzero(c->line.octet, c->held);
    c->held = 0;
}

size_t smtp_client_unhold(struct smtp_client *c, uint8_t out[static LINE_MAX_OCTETS])
{
    size_t len = c->held;
    memcpy(out, c->line.octet, len);
    smtp_client_forget(c);
    line_wipe(&c->line);
    return len;
}

void smtp_client_gap(struct smtp_client *c, uint64_t missing)
{
    // With exactly the rest of a chunk missing the next octet is known to begin a command.
    if (c->mode == SMTP_CLIENT_CHUNK && missing <= c->chunk_left) {
        c->chunk_left -= missing;
        return;
    }
    if (c->mode != SMTP_CLIENT_BODY) {
        smtp_client_forget(c);
        smtp_client_enter(c, SMTP_CLIENT_BODY);
    }
    // The final dot may stand in the gap; what follows is not known to begin a line.
    c->dot = SMTP_DOT_MID;
    c->last_cr = false;
}

bool smtp_client_at_line_start(const struct smtp_client *c)
{
    return c->mode == SMTP_CLIENT_COMMAND ? c->line.len == 0 || c->line.done
                                          : c->dot == SMTP_DOT_BOL;
}
