// See line.h.
#include "proto/line.h"

size_t line_feed(struct line *l, struct span data)
{
    if (l->done)
        line_wipe(l);
    if (data.len == 0)
        return 0;
    const uint8_t *lf = memchr(data.data, '\n', data.len);
    size_t used = lf ? (size_t)(lf - data.data) + 1 : data.len;
    size_t text = lf ? used - 1 : used;
    if (lf && l->len == 0 && !l->cut && text <= LINE_MAX_OCTETS) {
        bool cr = text > 0 && data.data[text - 1] == '\r';
        l->whole = data.data;
        l->len = (uint16_t)(text - cr);
        l->bare_lf = !cr;
        l->done = true;
        return used;
    }
    size_t room = LINE_MAX_OCTETS - l->len;
    size_t take = text < room ? text : room;
    memcpy(l->octet + l->len, data.data, take);
    l->len = (uint16_t)(l->len + take);
    if (l->used < l->len)
        l->used = l->len;
    if (take < text)
        l->cut = true;
    if (text > 0)
        l->last_cr = data.data[text - 1] == '\r';
    if (lf) {
        l->done = true;
        l->bare_lf = !l->last_cr;
        if (l->last_cr && l->len > 0 && l->octet[l->len - 1] == '\r')
            l->len--;
    }
    return used;
}

void line_wipe(struct line *l)
{
    if (!l->whole && l->len > 0)
        explicit_bzero(l->octet, l->len);
    memset(l, 0, offsetof(struct line, used));
}

void line_fini(struct line *l)
{
    if (l->used > 0)
        explicit_bzero(l->octet, l->used);
    memset(l, 0, offsetof(struct line, octet));
}
