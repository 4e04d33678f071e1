// The parser behind smtp_server.h.
#include "proto/smtp_server.h"

// Three digits from 200 to 599, then a blank, a hyphen or the line's end.
static uint16_t code_of(struct span line)
{
    if (line.len < 3)
        return 0;
    unsigned a = line.data[0] - (unsigned)'0', b = line.data[1] - (unsigned)'0',
             c = line.data[2] - (unsigned)'0';
    if (a - 2 > 3 || b > 9 || c > 9)
        return 0;
    // Some servers leave the blank out; more digits are no reply code.
    if (line.len > 3 && line.data[3] - (unsigned)'0' <= 9)
        return 0;
    return (uint16_t)(a * 100 + b * 10 + c);
}

static void finish_line(struct smtp_server *s, smtp_reply_fn fn, void *ctx)
{
    if (s->blind) {
        s->blind = false;
        s->partial = true;
        return;
    }
    struct span text = line_span(&s->line);
    uint16_t code = code_of(text);
    struct smtp_reply_line r = {.code = code, .text = text};
    if (code == 0) {
        fn(ctx, &r);
        return;
    }
    uint8_t behind = text.len > 3 ? text.data[3] : 0;
    bool more = behind == '-';
    r.first = s->code_before == 0;
    r.last = !more;
    r.uncertain = s->partial;
    size_t head = more || behind == ' ' ? 4 : 3;
    r.text = span_of(text.data + head, text.len - head);
    s->code_before = more ? code : 0;
    if (!more)
        s->partial = false;
    fn(ctx, &r);
}

size_t smtp_server_feed(struct smtp_server *s, struct span data, smtp_reply_fn fn, void *ctx)
{
    size_t at = 0;
    // Behind a gap a packet begins; one that begins with a reply code begins a line.
    if (s->blind && s->line.len == 0 && data.len > 4 && code_of(data) != 0 &&
        (data.data[3] == ' ' || data.data[3] == '-')) {
        s->blind = false;
        s->partial = true;
    }
    while (at < data.len && !s->stop) {
        at += line_feed(&s->line, span_cut(data, at, data.len));
        if (s->line.done) {
            finish_line(s, fn, ctx);
            line_wipe(&s->line);
        }
    }
    return at;
}

void smtp_server_end(struct smtp_server *s, smtp_reply_fn fn, void *ctx)
{
    struct span text = line_span(&s->line);
    if (!s->stop && !s->blind && text.len > 0) {
        if (text.data[text.len - 1] == '\r')
            s->line.len--;
        finish_line(s, fn, ctx);
    }
    line_wipe(&s->line);
}

void smtp_server_gap(struct smtp_server *s)
{
    line_wipe(&s->line);
    s->blind = true;
}
