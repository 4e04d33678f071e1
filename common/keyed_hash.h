// Keyed hashes: what leaves the sensor instead of a name.
//
// SipHash-2-4 (Aumasson, Bernstein 2012), 64 bits, over a type octet and the normalised name, its key derived
// from the site key (32 octets; docs/adr/0006). The site key and its id are the same on all sensors of a site and rotate
// every 30 days or more with an overlap; collector and analysis see ids, never keys. Hashes of different
// key ids are never compared or merged. 64 bits: at 10^7 names the chance of any collision is about 3e-6.
#pragma once

#include "common/span.h"

enum keyed_hash_kind {
    KEYED_HASH_RECIPIENT = 1,
    KEYED_HASH_SENDER = 2,
    KEYED_HASH_SENDER_DOMAIN = 3,
    KEYED_HASH_HELO = 4,
    KEYED_HASH_AUTH_USER = 5,
    KEYED_HASH_LOGIN_USER = 6, // POP3, IMAP
    KEYED_HASH_MAILBOX = 7,    // own mailbox, from the mail log
    KEYED_HASH_RECIPIENT_DOMAIN = 8,
};

struct keyed_hash {
    uint8_t kind; // enum keyed_hash_kind
    uint8_t key_id;
    uint64_t value;
};

#define KEYED_HASH_KEY_SIZE      32
#define KEYED_HASH_NAME_KEY_SIZE 16
// Of a longer name only this many octets count; no protocol's name is longer.
#define KEYED_HASH_NAME_MAX 1023

struct keyed_hash_key {
    uint8_t id; // 1-255
    uint8_t octet[KEYED_HASH_KEY_SIZE];
    uint8_t name_key[KEYED_HASH_NAME_KEY_SIZE]; // derived from `octet`
};

// The key with these octets, made ready for use.
struct keyed_hash_key keyed_hash_key_of(uint8_t id,
                                        const uint8_t octet[static KEYED_HASH_KEY_SIZE]);

// A key file has one line `ID HEX64`, ID from 1 to 254. -EINVAL when it has not, -EPERM when others
// may read it or its group may write it.
int keyed_hash_key_load(const char *path, struct keyed_hash_key *out);

// The fixed key (id 255) of replays without a key file: results are reproducible and not private,
// and the program says so.
struct keyed_hash_key keyed_hash_key_replay(void);

// `name` is lower-cased (ASCII) first; for an address the local part too, since no mail service of
// size tells them apart and a bot must not hide behind case.
struct keyed_hash keyed_hash(const struct keyed_hash_key *key, enum keyed_hash_kind kind,
                             struct span name);

// BLAKE2b-128 without key, as 32 hex digits: says whether two texts (configurations) are the same.
void hash_text(struct span text, char out[static 33]);

// The first 64 bits of BLAKE2b-128 without key: the checksum of files.
uint64_t hash_sum(struct span s);
