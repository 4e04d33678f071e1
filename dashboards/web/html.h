// Writing HTML: markup is ours, everything put in is escaped.
#pragma once

#include "common/buf.h"

// Copies `markup`, with each {} replaced by the next text (const char *), escaped for element content
// and quoted attributes. The list of texts ends with NULL; as many as there are {}.
//     html(out, "<td class=\"{}\">{}</td>", class, name, NULL);
#define html(out, ...) html_put(out, (const char *const[]){__VA_ARGS__})

// The same from an array: markup first, then the texts, NULL at the end.
void html_put(struct buf *out, const char *const *parts);

void html_text(struct buf *out, const char *text);

// A word for use inside a URL's path or query: what RFC 3986 does not call unreserved is %XX.
// `out` is cut to its size, always terminated. Returns `out`.
const char *url_word(const char *text, char *out, size_t size);

// "2026-03-02 14:05:09 UTC", and "-" for 0.
#define HTML_TIME_MAX 32
const char *html_time(int64_t t_ms, char out[static HTML_TIME_MAX]);

// "3 s", "4 min 10 s", "2 h 5 min", "3 d 4 h".
const char *html_duration(int64_t ms, char out[static HTML_TIME_MAX]);
