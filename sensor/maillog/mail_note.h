// What one line of a mail server's log says, whichever server wrote it. Spans are borrowed from the
// line and are outside bytes: data to be hashed or compared, never printed.
//
// Readers of lines (postfix.h, exim.h, mail_event.h) have no state; who joins notes to messages and
// sessions is mail_join.h.
#pragma once

#include "common/addr.h"
#include "common/record.h"
#include "common/span.h"

enum mail_note_kind {
    MAIL_NOTE_NONE,       // a line that says nothing of use here
    MAIL_NOTE_CONNECT,    // a client connected
    MAIL_NOTE_TLS,        // its session is inside TLS
    MAIL_NOTE_DISCONNECT, // it is gone
    MAIL_NOTE_AUTH,       // a try to authenticate; `auth_failed`
    MAIL_NOTE_OPEN,       // a message began: `queue_id`, client, perhaps who authenticated
    MAIL_NOTE_LOCAL,      // a message made on the server itself
    MAIL_NOTE_NAME,       // its Message-ID
    MAIL_NOTE_ACCEPTED,   // it is in the queue: sender, size, number of recipients
    MAIL_NOTE_WHOLE,      // open and accepted in one line (Exim)
    MAIL_NOTE_REJECT,     // a recipient or message refused by us; `filter`
    MAIL_NOTE_BLOCK,      // a content filter's verdict on a message it was given
    MAIL_NOTE_DELIVERY,   // a recipient: sent, put off or refused by `reply_code`
    MAIL_NOTE_HANDED_ON,  // given to a filter that hands it back as `other_id`
    MAIL_NOTE_BOUNCE,     // a report to the sender was made; `other_id`: the report
    MAIL_NOTE_DONE,       // the message left the queue
    MAIL_NOTES,
};

struct mail_note {
    uint8_t kind; // enum mail_note_kind
    bool tls;
    bool auth_failed;
    bool sender_seen;  // `sender` is there; empty: the null sender
    bool whole;        // refused at the end of the message, not a recipient of several
    bool aside;        // told by a process that does not speak with the client
    bool odd_id;       // named a message in a form that is not known
    bool counted;      // disconnect: `recipients` is what its client gave and had accepted
    uint8_t filter;    // enum record_mail_filter
    uint8_t blocklist; // as in struct record_mail
    uint16_t reply_code;
    uint16_t server_port; // 0: not known
    uint16_t client_port; // 0: not in the log
    uint32_t pid;         // of the process that speaks with the client; 0: not known
    uint32_t size;        // octets of the message; 0: not known
    uint32_t recipients;  // accepted
    int64_t t_ms;
    struct ip_addr client; // IP_NONE: not in the line
    struct span instance;  // of the server: "postfix", "postfix-out", "exim"
    struct span queue_id, other_id;
    struct span user, sender, helo, message_id;
    struct span recipient;      // one
    struct span recipient_list; // several, with blanks between
};
