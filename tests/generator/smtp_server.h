// What mail servers say: banners, EHLO replies, and the words of acceptance and refusal of common
// servers (RFC 5321, 3463, 2034).
#pragma once

#include "common/addr.h"
#include "common/buf.h"
#include "rng.h"

enum smtp_reply {
    SMTP_OK,
    SMTP_UNKNOWN_USER, // 550 5.1.1
    SMTP_MAILBOX_FULL, // 452 4.2.2
    SMTP_GREYLISTED,   // 451 4.7.1
    SMTP_TOO_FAST,     // 450 4.7.1
    SMTP_RELAY_DENIED, // 554 5.7.1
    SMTP_SPAM,         // 550 5.7.1, for the message's content
    SMTP_LISTED_ZEN,   // names zen.spamhaus.org and the client's address
    SMTP_LISTED_XBL,   // the exploits list
    SMTP_LISTED_PBL,   // the policy list any home line is on
    SMTP_LISTED_SPAMCOP,
    SMTP_LISTED_LOCAL, // "blocked", no list named
    SMTP_NO_REVERSE,   // generic or missing reverse DNS
    SMTP_BUSY,         // 421 4.3.2
    SMTP_BAD_SENDER,   // 553 5.1.8
    SMTP_REPLIES,
};

// First digit of the reply: 2, 4 or 5.
int smtp_reply_class(enum smtp_reply reply);
// A list is named, or a policy about the client's address; a bare "rejected" is neither.
bool smtp_reply_is_blocklist(enum smtp_reply reply);

struct smtp_words { // what a text may mention
    uint8_t dialect;
    const char *host;      // the server's
    const char *helo;      // the client's
    const char *recipient; // NULL: none
    struct ip_addr client;
    struct rng *rng;
};

void smtp_say_banner(struct buf *out, const struct smtp_words *w);
void smtp_say_ehlo(struct buf *out, const struct smtp_words *w, bool starttls, bool auth);
bool smtp_offers_pipelining(uint8_t dialect);
bool smtp_offers_chunking(uint8_t dialect);

// The answer to MAIL, RCPT, the end of data, or the greeting when it is a refusal.
void smtp_say_mail(struct buf *out, const struct smtp_words *w);
void smtp_say_rcpt(struct buf *out, const struct smtp_words *w, enum smtp_reply reply);
void smtp_say_end(struct buf *out, const struct smtp_words *w, enum smtp_reply reply);
void smtp_say_refusal(struct buf *out, const struct smtp_words *w, enum smtp_reply reply);
