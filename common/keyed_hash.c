// Keyed hashes by libsodium's SipHash-2-4, and the key file. Key material is wiped from what is left.
#include "common/keyed_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPLAY_KEY_ID 255
#define KEY_LINE_MAX  80 // "254 " and 64 digits and some blanks

static int read_file(const char *path, char *out, size_t max, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    struct stat st;
    int rc = fstat(fd, &st) != 0 ? -errno : !S_ISREG(st.st_mode) ? -EINVAL : 0;
    // Its group may read it, for programs that run as a user of their own; nobody else may.
    if (rc == 0 && (st.st_mode & (S_IRWXO | S_IWGRP)) != 0)
        rc = -EPERM;
    *len = 0;
    while (rc == 0 && *len < max) {
        ssize_t n = read(fd, out + *len, max - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = -errno;
        if (n <= 0)
            break;
        *len += (size_t)n;
    }
    close(fd);
    return rc;
}

struct keyed_hash_key keyed_hash_key_of(uint8_t id, const uint8_t octet[static KEYED_HASH_KEY_SIZE])
{
    _Static_assert(KEYED_HASH_KEY_SIZE == crypto_kdf_KEYBYTES,
                   "the site key is what keys are made of");
    _Static_assert(KEYED_HASH_NAME_KEY_SIZE == crypto_shorthash_KEYBYTES, "of SipHash");
    struct keyed_hash_key key = {.id = id};
    memcpy(key.octet, octet, sizeof key.octet);
    crypto_kdf_derive_from_key(key.name_key, sizeof key.name_key, 1, "postern.", octet);
    return key;
}

// "ID HEX64", then a newline or nothing.
static int key_parse(const char *text, size_t len, struct keyed_hash_key *out)
{
    size_t at = 0;
    unsigned id = 0;
    while (at < len && at < 3 && text[at] >= '0' && text[at] <= '9')
        id = id * 10 + (unsigned)(text[at++] - '0');
    if (at == 0 || text[0] == '0' || id >= REPLAY_KEY_ID || at >= len || text[at] != ' ')
        return -EINVAL;
    at++;
    size_t want = 2 * KEYED_HASH_KEY_SIZE;
    if (len - at < want || !(len == at + want || (len == at + want + 1 && text[len - 1] == '\n')))
        return -EINVAL;
    size_t done;
    uint8_t octet[KEYED_HASH_KEY_SIZE];
    int rc = 0;
    if (sodium_hex2bin(octet, sizeof octet, text + at, want, NULL, &done, NULL) != 0 ||
        done != sizeof octet)
        rc = -EINVAL;
    else
        *out = keyed_hash_key_of((uint8_t)id, octet);
    sodium_memzero(octet, sizeof octet);
    return rc;
}

int keyed_hash_key_load(const char *path, struct keyed_hash_key *out)
{
    if (sodium_init() < 0)
        return -ENOSYS;
    char text[KEY_LINE_MAX];
    size_t len = 0;
    struct keyed_hash_key key = {0};
    int rc = read_file(path, text, sizeof text, &len);
    if (rc == 0)
        rc = key_parse(text, len, &key);
    if (rc == 0)
        *out = key;
    sodium_memzero(text, sizeof text);
    sodium_memzero(&key, sizeof key);
    return rc;
}

struct keyed_hash_key keyed_hash_key_replay(void)
{
    // Picks the fast code for this processor; where it cannot, the hashes are the same.
    int ready = sodium_init();
    (void)ready;
    static const char text[] = "postern replay: not a secret key";
    _Static_assert(sizeof text - 1 == KEYED_HASH_KEY_SIZE, "the text is the key");
    uint8_t octet[KEYED_HASH_KEY_SIZE];
    memcpy(octet, text, sizeof octet);
    return keyed_hash_key_of(REPLAY_KEY_ID, octet);
}

struct keyed_hash keyed_hash(const struct keyed_hash_key *key, enum keyed_hash_kind kind,
                             struct span name)
{
    uint8_t text[1 + KEYED_HASH_NAME_MAX], digest[crypto_shorthash_BYTES];
    size_t len = name.len < KEYED_HASH_NAME_MAX ? name.len : KEYED_HASH_NAME_MAX;
    text[0] = (uint8_t)kind;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = name.data[i];
        text[1 + i] = (uint8_t)(c | ((uint8_t)(c - 'A') < 26 ? 0x20 : 0));
    }
    crypto_shorthash(digest, text, 1 + len, key->name_key);
    // The name must not stay on the stack.
    explicit_bzero(text, 1 + len);
    struct keyed_hash h = {.kind = (uint8_t)kind, .key_id = key->id};
    for (size_t i = 0; i < sizeof digest; i++)
        h.value = h.value << 8 | digest[i];
    return h;
}

void hash_text(struct span text, char out[static 33])
{
    uint8_t digest[16];
    crypto_generichash(digest, sizeof digest, text.data, text.len, NULL, 0);
    sodium_bin2hex(out, 33, digest, sizeof digest);
}

uint64_t hash_sum(struct span s)
{
    uint8_t digest[crypto_generichash_BYTES_MIN]; // libsodium's smallest: 16 octets
    crypto_generichash(digest, sizeof digest, s.data, s.len, NULL, 0);
    uint64_t sum = 0;
    for (unsigned i = 0; i < 8; i++)
        sum = sum << 8 | digest[i];
    return sum;
}
