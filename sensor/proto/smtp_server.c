// The parser behind smtp_server.h.
#include "proto/smtp_server.h"

static bool is_digit(uint8_t o)
{
    return o >= '0' && o <= '9';
}

// Three digits from 200 to 599, then a blank, a hyphen or the line's end.
static uint16_t code_of(struct span line)
{
    if (line.len < 3 || !is_digit(line.data[0]) || !is_digit(line.data[1]) ||
        !is_digit(line.data[2]))
        return 0;
    if (line.data[0] < '2' || line.data[0] > '5')
        return 0;
    // Some servers leave the blank out; more digits are no reply code.
    if (line.len > 3 && is_digit(line.data[3]))
        return 0;
    return (uint16_t)((line.data[0] - '0') * 100 + (line.data[1] - '0') * 10 + line.data[2] - '0');
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
    bool more = text.len > 3 && text.data[3] == '-';
    r.first = s->code_before == 0;
    r.last = !more;
    r.uncertain = s->partial;
    r.text = span_cut(text, more || (text.len > 3 && text.data[3] == ' ') ? 4 : 3, text.len);
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
