// What an SMTP server sends, taken apart: reply lines with their code. RFC 5321 section 4.2. Lines
// without a reply code (echoed garbage, wrapped text) are told apart and end nothing.
#pragma once

#include "proto/line.h"

// Zeroed is valid: at the beginning of a reply.
struct smtp_server {
    bool stop;            // the owner decides before the next octet (after STARTTLS was accepted)
    bool blind;           // behind a gap: up to the next line end nothing is known
    bool partial;         // lines of the present reply were lost
    uint16_t code_before; // of the reply being continued; 0 between replies
    struct line line;
};

struct smtp_reply_line {
    uint16_t code;    // 0: the line has no reply code
    bool first, last; // of its reply
    bool uncertain;   // lines of this reply may be missing
    struct span text; // behind the code; borrowed
};

// The receiver may set `stop`.
typedef void (*smtp_reply_fn)(void *ctx, const struct smtp_reply_line *line);

// Returns how many octets were used: fewer than all only when `stop` is set.
size_t smtp_server_feed(struct smtp_server *s, struct span data, smtp_reply_fn fn, void *ctx);

// The stream ended: a reply without line end counts, too.
void smtp_server_end(struct smtp_server *s, smtp_reply_fn fn, void *ctx);

void smtp_server_gap(struct smtp_server *s);
