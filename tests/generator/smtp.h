// SMTP sessions as dialogues on a channel: RFC 5321 with SIZE, PIPELINING (2920), CHUNKING (3030),
// AUTH (4954), STARTTLS (3207). A family plays a session step by step; where a step
// can end the session it says so. What was said is counted in the party's tally.
#pragma once

#include "channel.h"
#include "smtp_server.h"
#include "tls.h"

enum { SMTP_ADDRESS_MAX = 128 };

// Habits of a client program.
struct smtp_client {
    const char *name;
    const struct tls_client *tls;
    const struct tcp_stack *stack;
    bool ehlo;        // else HELO
    bool pipelining;  // uses it where it is offered
    bool chunking;    // BDAT where it is offered
    bool size;        // MAIL FROM with SIZE
    bool careless;    // sends MAIL ... DATA in one go without having been offered PIPELINING
    double early;     // share of sessions in which it speaks before the banner
    double quit;      // share of sessions it ends with QUIT
    int64_t think_ms; // before a command, at most
};
extern const struct smtp_client smtp_postfix, smtp_exchange, smtp_mua, smtp_phone, smtp_ratware,
    smtp_ratware_polite, smtp_appliance, smtp_callout;

struct smtp_rcpt {
    char address[SMTP_ADDRESS_MAX];
    enum smtp_reply reply;
};

enum smtp_body { SMTP_LETTER, SMTP_NEWSLETTER, SMTP_SPAM_BODY, SMTP_BOUNCE };

struct smtp_message {
    char sender[SMTP_ADDRESS_MAX]; // "": the null sender
    const struct smtp_rcpt *rcpt;
    size_t rcpts;
    size_t octets; // of header and body, about
    enum smtp_body body;
    enum smtp_reply end; // answer to the final dot, or the last BDAT
};

struct smtp {
    struct channel *channel;
    const struct smtp_client *client;
    const struct peer *server; // names and dialect
    char helo[WORLD_NAME_MAX];
    struct ip_addr client_addr;
    enum tally_side side;
    bool alive;
    bool pipelining, chunking; // offered and used
    bool spoke_early;
};

// A session on an open conversation. `side`: who is the client, the subscriber (OUT) or the peer.
void smtp_begin(struct smtp *s, struct channel *channel, const struct smtp_client *client,
                const struct peer *server, enum tally_side side, const char *helo);

// The banner, or with `refusal` (not SMTP_OK) a greeting that sends the client away.
bool smtp_greet(struct smtp *s, enum smtp_reply refusal);
void smtp_hello(struct smtp *s, bool offer_starttls, bool offer_auth);

// STARTTLS, handshake, EHLO again. `refused`: the server answers 454 and the session goes on in clear.
void smtp_starttls(struct smtp *s, bool refused, bool offer_auth);

enum smtp_mechanism { SMTP_PLAIN, SMTP_LOGIN };
// True when the server took the password.
bool smtp_auth(struct smtp *s, enum smtp_mechanism mechanism, const char *user,
               const char *password, bool right);

void smtp_send(struct smtp *s, const struct smtp_message *m);
void smtp_rset(struct smtp *s);

// MAIL and RCPTs without a message behind.
void smtp_ask(struct smtp *s, const char *sender, const struct smtp_rcpt *rcpt, size_t rcpts);

// VRFY or EXPN of `name`; `known`: 252 or 250 instead of 550.
void smtp_probe(struct smtp *s, const char *verb, const char *name, bool known);

// Ends the session as the client is used to, unless it has ended.
void smtp_end(struct smtp *s);

// Header and body with final CRLF, about `octets` long; lines with a leading dot are stuffed if `stuff`.
void smtp_write_body(struct buf *out, struct rng *r, const struct smtp_message *m, bool stuff);
