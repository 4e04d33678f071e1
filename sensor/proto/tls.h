// One TLS dialogue as its tracker sees it, shared by its two parts: tls.c (records) and tls_handshake.c (the
// messages of a handshake in clear).
#pragma once

#include "proto/pool.h"
#include "proto/proto.h"
#include "proto/sha256.h"
#include "proto/tls_hello.h"

#define TLS_HEADER 5

enum { TLS_CLIENT_HELLO = 1, TLS_SERVER_HELLO = 2, TLS_CERTIFICATE = 11 };

enum tls_side_state {
    TLS_SIDE_DEAD = 1 << 0,      // not followed any more
    TLS_SIDE_HUNTING = 1 << 1,   // behind a gap: waits for something like a record header
    TLS_SIDE_ENCRYPTED = 1 << 2, // its handshake records are not messages in clear any more
    TLS_SIDE_BEGAN = 1 << 3,     // a record or an SSLv2 hello was seen
};

// Of one side, what each record needs.
struct tls_side {
    uint8_t state; // enum tls_side_state
    uint8_t header_len;
    uint8_t type;
    uint16_t left; // of the present record
    uint16_t skip; // of an SSLv2 hello
};

// And what only a handshake, an alert or a cut header needs.
struct tls_rest {
    uint8_t header[TLS_HEADER]; // as much of it as is here
    uint8_t alert[2];
    uint8_t alert_len;
    uint16_t alert_size; // of its record
    // The handshake message being read.
    uint8_t message_len;
    uint8_t message[4];
    uint32_t message_left;
    uint32_t message_at; // octets of the body so far
};

// What each record needs stands in the first line, behind the pool's header.
struct tls {
    int64_t done_us; // end of the handshake; 0: not yet
    struct tls_side side[2];
    uint8_t lengths; // records noted
    bool certificate_done;
    bool certificate_read; // some of it
    bool hello_read;       // some of one that came in parts
    struct tls_rest rest[2];
    uint8_t certificate_head[6];
    uint32_t certificate_left;
    struct sha256 certificate;
    struct tls_hello hello[2]; // by side; of those that come in parts
};

struct tls_at {
    struct proto_flow *f;
    struct tls *s;
    enum proto_side side;
    int64_t t_us;
};

static inline struct record_tls *tls_result(struct proto_flow *f)
{
    return &proto_result_part(f, RECORD_HAS_TLS)->tls;
}

// Octets of a handshake record, up to where the side's messages are not in clear any more.
void tls_feed_handshake(const struct tls_at *at, struct span data);
