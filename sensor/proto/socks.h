// What SOCKS4 and SOCKS5 share: who is the client, and the relayed dialogue behind the handshake.
#pragma once

#include "proto/proto.h"

#define SOCKS_FIRST_OCTETS 64
#define SOCKS_NAME_MAX     255

// Zeroed is valid. First member of both trackers' states.
struct socks_relay {
    bool relaying;  // the handshake is over: what follows is relayed
    bool asked;     // the request is whole
    bool granted;   // and the server granted it (which may be seen first)
    bool dead;      // octets are missing in the handshake, or it is opaque (GSSAPI)
    bool hashed;    // first octets are
    uint8_t client; // enum proto_side
    uint8_t first_len;
    uint64_t early[2]; // octets sent ahead of the grant
    uint8_t first[SOCKS_FIRST_OCTETS];
};

struct record_socks *socks_result(struct proto_flow *f);

// Once the request is whole and granted, `rest` of this side's octets is relayed; until then it is
// counted as sent ahead.
void socks_rest(struct proto_flow *f, struct socks_relay *r, enum proto_side side, struct span rest,
                int64_t t_us);

// Relayed octets while nobody follows them.
void socks_count(struct proto_flow *f, struct socks_relay *r, enum proto_side side,
                 struct span data);

// Parts of descriptors.
void socks_passed(struct proto_flow *f, void *state, enum proto_side side, struct span data);
void socks_inner(struct proto_flow *f, void *state, uint8_t app);
void socks_gap(struct proto_flow *f, void *state, enum proto_side side, uint64_t missing,
               int64_t t_us);
void socks_close(struct proto_flow *f, void *state, enum proto_end end, int64_t t_us);

// The rules of first octets (socks_match.c).
enum proto_match socks4_match(const struct proto_peek *p);
enum proto_match socks5_match(const struct proto_peek *p);
enum proto_match socks5_match_reverse(const struct proto_peek *p);
