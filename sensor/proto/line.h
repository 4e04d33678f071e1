// Lines of a text dialogue, gathered octet for octet out of any cut: bounded, an over-long line is
// truncated, flagged and skipped to its end. LF ends a line, a CR before it is taken off.
#pragma once

#include "common/span.h"

#define LINE_MAX_OCTETS 512

// Zeroed is valid and empty.
struct line {
    const uint8_t *whole; // the finished line where it lay whole in what was fed; NULL: in `octet`
    uint16_t len;
    bool cut;     // longer than LINE_MAX_OCTETS: the rest was passed over
    bool bare_lf; // of the finished line: LF without CR
    bool done;    // finished; the next line_feed begins a new one
    bool last_cr;
    uint16_t used; // octets of `octet` that were ever written
    uint8_t octet[LINE_MAX_OCTETS];
};

// Takes octets up to and with the next LF and returns how many; `l->done` says whether the line is
// finished. The finished line stays readable until the next call, or as long as `data` does. A line that lies
// whole in `data` is not copied.
size_t line_feed(struct line *l, struct span data);

// The line so far, without its end.
static inline struct span line_span(const struct line *l)
{
    return span_of(l->whole ? l->whole : l->octet, l->len);
}

// Forget the text for good: it may have held a credential.
void line_wipe(struct line *l);

// The same at the end of the line's life: all of it is zero again.
void line_fini(struct line *l);
