// Keyed hashes by SipHash-2-4 (Aumasson, Bernstein 2012), and the key file. Key material is wiped from what is left.
//
// SipHash is written out here, not libsodium's: names are lowered word by word on their way in, without a copy of
// them that would have to be wiped, at little more than half the price. The rest is libsodium's.
#include "common/keyed_hash.h"

#include <endian.h>
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

// ---- SipHash.

struct sip {
    uint64_t v[4];
};

static inline uint64_t turn(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static inline void sip_round(struct sip *s)
{
    s->v[0] += s->v[1];
    s->v[1] = turn(s->v[1], 13) ^ s->v[0];
    s->v[0] = turn(s->v[0], 32);
    s->v[2] += s->v[3];
    s->v[3] = turn(s->v[3], 16) ^ s->v[2];
    s->v[0] += s->v[3];
    s->v[3] = turn(s->v[3], 21) ^ s->v[0];
    s->v[2] += s->v[1];
    s->v[1] = turn(s->v[1], 17) ^ s->v[2];
    s->v[2] = turn(s->v[2], 32);
}

static inline void sip_add(struct sip *s, uint64_t word)
{
    s->v[3] ^= word;
    sip_round(s);
    sip_round(s);
    s->v[0] ^= word;
}

static inline uint64_t word_at(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64toh(v);
}

// Eight octets at once: those from A to Z become small.
static inline uint64_t lower(uint64_t w)
{
    const uint64_t each = UINT64_C(0x0101010101010101), top = each << 7;
    uint64_t low = w & ~top, from_a = low + each * (0x80 - 'A'),
             behind_z = low + each * (0x7f - 'Z');
    return w | ((from_a ^ behind_z) & ~w & top) >> 2;
}

// The last octets of a name, fewer than eight, as the lower part of a word.
static inline uint64_t rest_of(const uint8_t *p, size_t len)
{
    size_t rest = len % 8;
    if (rest == 0)
        return 0;
    if (len >= 8)
        return word_at(p + len - 8) >> (64 - 8 * rest);
    uint64_t w = 0;
    for (size_t i = rest; i > 0; i--)
        w = w << 8 | p[i - 1];
    return w;
}

struct keyed_hash keyed_hash(const struct keyed_hash_key *key, enum keyed_hash_kind kind,
                             struct span name)
{
    size_t len = name.len < KEYED_HASH_NAME_MAX ? name.len : KEYED_HASH_NAME_MAX;
    uint64_t k[2] = {word_at(key->name_key), word_at(key->name_key + 8)};
    struct sip s = {{k[0] ^ UINT64_C(0x736f6d6570736575), k[1] ^ UINT64_C(0x646f72616e646f6d),
                     k[0] ^ UINT64_C(0x6c7967656e657261), k[1] ^ UINT64_C(0x7465646279746573)}};
    // The kind goes before the name, so that of each word one octet waits for the next.
    uint64_t waiting = (uint8_t)kind;
    for (size_t i = 0; i + 8 <= len; i += 8) {
        uint64_t w = lower(word_at(name.data + i));
        sip_add(&s, w << 8 | waiting);
        waiting = w >> 56;
    }
    uint64_t last = lower(rest_of(name.data, len)) << 8 | waiting;
    if (len % 8 == 7) {
        sip_add(&s, last);
        last = 0;
    }
    sip_add(&s, last | (uint64_t)(len + 1) << 56);
    s.v[2] ^= 0xff;
    for (unsigned i = 0; i < 4; i++)
        sip_round(&s);
    uint64_t digest = s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
    return (struct keyed_hash){
        .kind = (uint8_t)kind, .key_id = key->id, .value = __builtin_bswap64(digest)};
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
