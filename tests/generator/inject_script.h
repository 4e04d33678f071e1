// What the two ends of an injected conversation say, exact to the octet each way.
#pragma once

#include "common/buf.h"
#include "rng.h"

enum { SCRIPT_TURNS_MAX = 256, SCRIPT_TEXT_MAX = 4 << 20 };

struct script_turn {
    bool from_server;
    size_t len;
};

// Turns take their text from `text` of their side, one after the other.
struct script {
    struct buf text[2]; // client, server
    struct script_turn turn[SCRIPT_TURNS_MAX];
    size_t turns;
    bool smtp;            // a session of it
    size_t mail, refused; // MAILs, and how many of their RCPTs were refused
};

// A script of `client` and `server` octets for a server on `port`: SMTP on 25 and 587, TLS on 443, 465,
// 993 and 995, else octets without meaning. `rounds` is how many questions and answers the packets of
// the flow have room for. Free with script_fini.
void script_write(struct script *s, struct rng *r, uint16_t port, size_t client, size_t server,
                  size_t rounds);
void script_fini(struct script *s);
