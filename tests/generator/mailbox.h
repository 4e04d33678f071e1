// IMAP (RFC 9051) and POP3 (RFC 1939) sessions: log in, look, leave. Logins are counted in the tally.
#pragma once

#include "channel.h"
#include "tls.h"

enum mailbox_protocol { MAILBOX_IMAP, MAILBOX_POP3 };

struct mailbox {
    struct channel *channel;
    enum mailbox_protocol protocol;
    unsigned tag;
};

// The greeting and, with `starttls`, the change to TLS (on 143 and 110).
void mailbox_greet(struct mailbox *m, struct channel *c, enum mailbox_protocol protocol,
                   const char *host, const struct tls_client *starttls);

// True when the server took the password.
bool mailbox_login(struct mailbox *m, const char *user, const char *password, bool right);

// Looks for new mail and fetches about `octets`; 0: nothing new.
void mailbox_fetch(struct mailbox *m, size_t octets);
void mailbox_leave(struct mailbox *m); // LOGOUT or QUIT, then FIN
