// What an SMTP client sends, taken apart: command lines, content of DATA and BDAT, and the end of
// each. Which of them the next octet belongs to is the mode; the pairing (smtp_pair.c) sets it, since
// only the server's replies tell. RFC 5321 section 4.5.2 (transparency), RFC 3030 (chunks).
#pragma once

#include "proto/line.h"

enum smtp_client_mode {
    SMTP_CLIENT_COMMAND, // lines
    SMTP_CLIENT_BODY,    // content of DATA, up to CRLF.CRLF
    SMTP_CLIENT_CHUNK,   // content of BDAT, `chunk_left` octets
    SMTP_CLIENT_HOLD,    // wait: it is not known yet what these octets are
    SMTP_CLIENT_STOP,    // the owner decides before the next octet (TLS or clear text)
};

// Zeroed is valid: command mode, nothing begun.
struct smtp_client {
    uint8_t mode;  // enum smtp_client_mode
    uint8_t dot;   // place in the search for the final dot
    bool last_cr;  // the octet before was CR (in content)
    bool bol_bare; // the present content line began behind a bare LF
    uint16_t held; // octets in `line.octet` while in HOLD
    uint64_t chunk_left;
    struct line line;
};

enum smtp_client_event {
    SMTP_CLIENT_LINE,      // `line` of the parser is a finished command line
    SMTP_CLIENT_CONTENT,   // `count` octets of content
    SMTP_CLIENT_END,       // CRLF.CRLF: the content is complete, commands follow
    SMTP_CLIENT_END_BARE,  // a dot between bare LFs: whether that ends it, the server decides
    SMTP_CLIENT_CHUNK_END, // the chunk is complete, commands follow
    SMTP_CLIENT_HELD_FULL, // no room to wait: the mode has to be changed now
};

// The event's receiver may change the mode (smtp_client_enter), not call the parser.
typedef void (*smtp_client_event_fn)(void *ctx, enum smtp_client_event event, uint64_t count);

// Returns how many octets were used: fewer than all only when the mode became STOP.
size_t smtp_client_feed(struct smtp_client *c, struct span data, smtp_client_event_fn fn,
                        void *ctx);

void smtp_client_enter(struct smtp_client *c, enum smtp_client_mode mode);

// In HOLD, with room left: one octet more is held.
void smtp_client_hold(struct smtp_client *c, uint8_t octet);

// What is held is not needed any more.
void smtp_client_forget(struct smtp_client *c);

// Takes the held octets out (at most LINE_MAX_OCTETS) and returns how many; to be fed again.
size_t smtp_client_unhold(struct smtp_client *c, uint8_t out[static LINE_MAX_OCTETS]);

// Octets are missing here: what is half read is forgotten. In content the search for its end goes on
// (a chunk that ended within the gap becomes a body whose end is searched for); anything else that
// was under way becomes such a body, too, until the owner knows better.
void smtp_client_gap(struct smtp_client *c, uint64_t missing);

// Is the next octet the first of a line?
bool smtp_client_at_line_start(const struct smtp_client *c);
