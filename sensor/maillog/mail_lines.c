// See mail_lines.h. A line that lies whole in the input is handed out from there, uncopied.
#include "maillog/mail_lines.h"

static void hold(struct mail_lines *l, struct span part)
{
    size_t room = sizeof l->held - l->len;
    size_t n = part.len < room ? part.len : room;
    if (n > 0)
        memcpy(l->held + l->len, part.data, n);
    l->len += n;
}

void mail_lines_feed(struct mail_lines *l, struct span in, mail_lines_fn fn, void *ctx)
{
    while (in.len > 0) {
        const uint8_t *end = memchr(in.data, '\n', in.len);
        size_t n = end ? (size_t)(end - in.data) : in.len;
        if (end && l->len == 0) {
            fn(ctx, span_cut(in, 0, n < sizeof l->held ? n : sizeof l->held));
        } else {
            hold(l, span_cut(in, 0, n));
            if (end) {
                fn(ctx, span_of(l->held, l->len));
                l->len = 0;
            }
        }
        in = span_cut(in, end ? n + 1 : n, in.len);
    }
}

void mail_lines_end(struct mail_lines *l, mail_lines_fn fn, void *ctx)
{
    if (l->len > 0)
        fn(ctx, span_of(l->held, l->len));
    l->len = 0;
}
