// A small reader of SMTP in clear, written for the check alone: commands are counted when their line is
// complete and it is no line of a message. It needs streams without gaps.
#pragma once

#include "common/span.h"

struct smtp_seen {
    uint64_t mail, null_sender, rcpt, data, bdat, auth, starttls, probes;
};

enum { SMTP_LINE_MAX = 1024 };

struct smtp_reader {
    bool is_smtp, no_smtp; // decided by the server's first octets
    bool tls;              // STARTTLS was taken: nothing can be read any more
    bool body;             // between 354 and the dot
    bool asked_tls;
    int logging_in; // lines of AUTH still to come
    uint64_t chunk; // octets of BDAT still to come
    size_t len[2];
    char line[2][SMTP_LINE_MAX]; // client's, server's
};

// Octets of the client or the server, in order.
void smtp_read(struct smtp_reader *r, bool server, struct span data, struct smtp_seen *seen);
