// Escaping, and texts of times and durations.
#include "web/html.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/timefmt.h"

void html_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<': buf_text(out, "&lt;"); break;
        case '>': buf_text(out, "&gt;"); break;
        case '&': buf_text(out, "&amp;"); break;
        case '"': buf_text(out, "&quot;"); break;
        case '\'': buf_text(out, "&#39;"); break;
        default: buf_bytes(out, text, 1); break;
        }
    }
}

void html_put(struct buf *out, const char *const *parts)
{
    const char *markup = *parts++;
    for (const char *hole; (hole = strstr(markup, "{}")); markup = hole + 2) {
        assert(*parts);
        buf_bytes(out, markup, (size_t)(hole - markup));
        html_text(out, *parts++);
    }
    assert(!*parts);
    buf_text(out, markup);
}

const char *url_word(const char *text, char *out, size_t size)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;
    for (; *text && n + 4 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (isalnum(c) || strchr("-._~", c)) {
            out[n++] = (char)c;
        } else {
            out[n++] = '%';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    out[n] = '\0';
    return out;
}

const char *html_time(int64_t t_ms, char out[static HTML_TIME_MAX])
{
    char text[TIME_TEXT_MAX];
    if (t_ms == 0)
        return memcpy(out, "-", 2);
    time_format(t_ms - t_ms % 1000, text);
    char *t = strchr(text, 'T'), *z = strchr(text, 'Z');
    if (!t || !z)
        snprintf(out, HTML_TIME_MAX, "%.*s", HTML_TIME_MAX - 1, text);
    else
        snprintf(out, HTML_TIME_MAX, "%.*s %.*s UTC", (int)(t - text), text, (int)(z - t - 1),
                 t + 1);
    return out;
}

const char *html_duration(int64_t ms, char out[static HTML_TIME_MAX])
{
    long long s = (long long)(ms < 0 ? -ms : ms) / 1000;
    if (s < 60)
        snprintf(out, HTML_TIME_MAX, "%lld s", s);
    else if (s < 3600)
        snprintf(out, HTML_TIME_MAX, "%lld min %lld s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, HTML_TIME_MAX, "%lld h %lld min", s / 3600, s % 3600 / 60);
    else
        snprintf(out, HTML_TIME_MAX, "%lld d %lld h", s / 86400, s % 86400 / 3600);
    return out;
}
