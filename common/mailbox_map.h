// The names of the site's own mailboxes behind their keyed hashes, kept apart from everything else: only
// who has the secret key (the feed, which must tell somebody whose mailbox to lock) can open it.
//
// A text file, one mailbox a line: `KEYID HASH SEALED TIME` — the key's number, 16 hex digits, the name in
// a sealed box (X25519, XSalsa20-Poly1305; libsodium's crypto_box_seal) in base64, RFC 3339. Lines are only
// added; of two for one hash the later counts. docs/formats/mailbox-map.md.
#pragma once

#include "common/keyed_hash.h"

#define MAILBOX_NAME_MAX 320

// Key files: one line, `public HEX64` or `secret HEX64`; a bare HEX64 is taken for what is asked for. The secret
// one must not be readable by others (-EPERM). -EINVAL: no such line; -EKEYREJECTED: the other one of the pair.
struct mailbox_map_keys {
    uint8_t public_key[32], secret_key[32];
};

// Makes a pair of key files; the secret one with mode 0600. -EEXIST: there is one already.
int mailbox_map_make_keys(const char *public_path, const char *secret_path);
int mailbox_map_load_public(const char *path, struct mailbox_map_keys *out);
int mailbox_map_load_secret(const char *path, struct mailbox_map_keys *out);

// ---- Writing.

struct mailbox_map_writer;

// Knows which hashes the file has already; each is written once. Negative errno.
int mailbox_map_open(const char *path, const struct mailbox_map_keys *keys,
                     struct mailbox_map_writer **out);
// At most 1,000,000 names; more are not kept and counted. Negative errno of the file.
int mailbox_map_put(struct mailbox_map_writer *w, const struct keyed_hash *hash, struct span name,
                    int64_t t_ms);
uint64_t mailbox_map_left_out(const struct mailbox_map_writer *w);
int mailbox_map_close(struct mailbox_map_writer *w);

// ---- Reading.

// The name behind a hash, looked for in the file. 1: `out` is filled; 0: not there, or not for this key;
// negative errno.
int mailbox_map_find(const char *path, const struct mailbox_map_keys *keys,
                     const struct keyed_hash *hash, char out[static MAILBOX_NAME_MAX + 1]);
