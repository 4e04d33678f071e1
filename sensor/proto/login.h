// What POP3 and IMAP share: only log-in tries and failures are counted, users leave as hashes,
// everything behind a successful log-in is let pass.
#pragma once

#include "proto/line.h"
#include "proto/proto.h"

// First member of both trackers' states; zeroed is valid.
struct login {
    bool over;    // logged in: nothing more is read
    bool tls_due; // STLS or STARTTLS was accepted
    bool oauth;   // of the SASL exchange: a challenge that is no empty one refuses
    bool told;    // and did, so the exchange is counted already
    uint8_t due;  // answers to challenges, still to come
    struct line line[2];
};

void login_try(struct proto_flow *f, struct span user);
void login_failed(struct proto_flow *f, struct span reply);
// The server's line of a SASL exchange that begins with a plus sign.
void login_challenged(struct proto_flow *f, struct login *l, struct span line);
void login_user(struct proto_flow *f, struct span user);

// Of a decoded SASL PLAIN message or LOGIN answer in base64: hashes its user.
void login_sasl_user(struct proto_flow *f, struct span base64, bool plain);

// Feeds lines of one side to `fn` until one of them ends the reading (TLS, log-in). The handler of
// octets that are no line (literals) returns how many it used; may be NULL.
typedef void (*login_line_fn)(struct proto_flow *f, void *state, struct span line);
typedef size_t (*login_raw_fn)(struct proto_flow *f, void *state, struct span data);
void login_feed(struct proto_flow *f, struct login *l, enum proto_side side, struct span data,
                int64_t t_us, login_line_fn fn, login_raw_fn raw);

// Parts of descriptors.
void login_gap(struct proto_flow *f, void *state, enum proto_side side, uint64_t missing,
               int64_t t_us);
