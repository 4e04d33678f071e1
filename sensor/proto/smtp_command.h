// SMTP command lines: the verb, and what the arguments of HELO, MAIL, RCPT, BDAT and AUTH say.
// RFC 5321 section 4.1, RFC 3030, RFC 4954, RFC 2033 (LHLO). Case is ignored, blanks where clients
// in the wild put them are tolerated.
#pragma once

#include "common/addr.h"
#include "common/span.h"

enum smtp_verb {
    SMTP_UNKNOWN, // no verb of any RFC known to us
    SMTP_EMPTY,   // an empty line: some servers answer it, some do not
    SMTP_HELO,
    SMTP_EHLO,
    SMTP_LHLO,
    SMTP_MAIL,
    SMTP_RCPT,
    SMTP_DATA,
    SMTP_BDAT,
    SMTP_AUTH,
    SMTP_STARTTLS,
    SMTP_RSET,
    SMTP_QUIT,
    SMTP_NOOP,
    SMTP_VRFY,
    SMTP_EXPN,
    SMTP_HELP,
    SMTP_XCLIENT,
    SMTP_XFORWARD,
    SMTP_TURN,  // TURN, ATRN
    SMTP_OTHER, // known, of no interest: ETRN, SEND, SOML, SAML, BURL, X-...
};

struct smtp_command {
    uint8_t verb;     // enum smtp_verb
    bool well_formed; // what must follow the verb does
    struct span args; // behind the verb and its blanks; borrowed
};

struct smtp_command smtp_command_parse(struct span line);

// Is this octet run the beginning of a command line, as far as one can see?
bool smtp_command_looks_like(struct span text);

struct smtp_path {
    struct span address; // without brackets and route; empty for the null sender; borrowed
    struct span domain;  // behind the last @; empty when there is none
    bool null;           // <>
    bool routed;         // %, ! or a second @, or an explicit source route
    bool complete;       // its end was seen
    bool bracketed;      // it stood in < >
};

// The path of MAIL FROM: or RCPT TO: (`args` of the command). False when there is none.
bool smtp_path_parse(struct span args, struct smtp_path *out);

// BDAT's size and LAST. False when malformed: then no chunk follows.
bool smtp_bdat_parse(struct span args, uint64_t *size, bool *last);

// The name a client gave: the first word. `literal`: an address, with or without brackets; then
// `*addr` is filled when it can be read.
struct span smtp_helo_name(struct span args, bool *literal, struct ip_addr *addr);

// First word of `text`, and `text` moved behind it and the blanks that follow.
struct span smtp_word(struct span *text);
