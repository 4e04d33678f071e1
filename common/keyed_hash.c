// Keyed hashes by libsodium's BLAKE2b, and the key file. Key material is wiped from what is left.
#include "common/keyed_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
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
    if (sodium_hex2bin(out->octet, sizeof out->octet, text + at, want, NULL, &done, NULL) != 0 ||
        done != sizeof out->octet)
        return -EINVAL;
    out->id = (uint8_t)id;
    return 0;
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
    struct keyed_hash_key key = {.id = REPLAY_KEY_ID};
    static const char text[] = "postern replay: not a secret key";
    _Static_assert(sizeof text - 1 == KEYED_HASH_KEY_SIZE, "the text is the key");
    memcpy(key.octet, text, sizeof key.octet);
    return key;
}

// ASCII letters lowered, eight octets at once: of a word whose octets lie below 128, 0x80 stands where one
// is at least 'A', and where one is more than 'Z'.
static uint64_t lowered(uint64_t word)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t low = word & (each * 0x7f);
    uint64_t from_a = low + each * (0x80 - 'A'), behind_z = low + each * (0x7f - 'Z');
    return word | ((from_a ^ behind_z) & ~word & (each * 0x80)) >> 2;
}

// `len` octets of `from`, lowered. `to` has room for a multiple of eight.
static void lower(uint8_t *to, const uint8_t *from, size_t len)
{
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = 0;
        size_t n = len - at < 8 ? len - at : 8;
        if (n == 8)
            memcpy(&word, from + at, 8);
        else
            memcpy(&word, from + at, n);
        word = lowered(word);
        memcpy(to + at, &word, sizeof word);
    }
}

#define CHUNK 256

// Of the kind and the lowered name.
static uint64_t value_of(const struct keyed_hash_key *key, uint8_t kind, struct span name)
{
    uint8_t chunk[CHUNK], digest[crypto_generichash_BYTES_MIN];
    crypto_generichash_state state;
    crypto_generichash_init(&state, key->octet, sizeof key->octet, sizeof digest);
    crypto_generichash_update(&state, &kind, 1);
    for (size_t at = 0; at < name.len; at += CHUNK) {
        struct span part = span_cut(name, at, CHUNK);
        lower(chunk, part.data, part.len);
        crypto_generichash_update(&state, chunk, part.len);
    }
    crypto_generichash_final(&state, digest, sizeof digest);
    // The name must not stay on the stack.
    explicit_bzero(chunk, name.len < CHUNK ? (name.len + 7) / 8 * 8 : CHUNK);
    explicit_bzero(&state, sizeof state);
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value = value << 8 | digest[i];
    return value;
}

struct keyed_hash keyed_hash(const struct keyed_hash_key *key, enum keyed_hash_kind kind,
                             struct span name)
{
    return (struct keyed_hash){
        .kind = (uint8_t)kind, .key_id = key->id, .value = value_of(key, (uint8_t)kind, name)};
}

// ---- The memo.

#define MEMO_PLACES 2048
#define MEMO_NAME   (CHUNK - 8)

struct keyed_hash_memo {
    struct keyed_hash_key key; // whose hashes these are
    uint8_t print_key[crypto_shorthash_KEYBYTES];
    struct {
        uint64_t print; // 0: nothing
        uint64_t value;
    } place[MEMO_PLACES];
};

struct keyed_hash_memo *keyed_hash_memo_new(void)
{
    return sodium_init() < 0 ? NULL : calloc(1, sizeof(struct keyed_hash_memo));
}

void keyed_hash_memo_free(struct keyed_hash_memo *m)
{
    if (m)
        sodium_memzero(m, sizeof *m);
    free(m);
}

// The key of the prints comes out of the site key: whoever knows neither learns nothing from a print.
static void adopt(struct keyed_hash_memo *m, const struct keyed_hash_key *key)
{
    static const char label[] = "postern: prints of names";
    memset(m->place, 0, sizeof m->place);
    m->key = *key;
    crypto_generichash(m->print_key, sizeof m->print_key, (const uint8_t *)label, sizeof label - 1,
                       key->octet, sizeof key->octet);
}

struct keyed_hash keyed_hash_remembered(struct keyed_hash_memo *m, const struct keyed_hash_key *key,
                                        enum keyed_hash_kind kind, struct span name)
{
    if (!m || name.len > MEMO_NAME)
        return keyed_hash(key, kind, name);
    if (m->key.id != key->id || memcmp(m->key.octet, key->octet, sizeof key->octet) != 0)
        adopt(m, key);
    uint8_t text[CHUNK];
    uint64_t print;
    lower(text, name.data, name.len);
    text[name.len] = (uint8_t)kind; // behind the name, so that both have their place
    _Static_assert(sizeof print == crypto_shorthash_BYTES, "a print is a word");
    crypto_shorthash((uint8_t *)&print, text, name.len + 1, m->print_key);
    explicit_bzero(text, (name.len + 8) / 8 * 8);
    size_t at = print % MEMO_PLACES;
    if (m->place[at].print != print) {
        m->place[at].value = value_of(key, (uint8_t)kind, name);
        m->place[at].print = print;
    }
    return (struct keyed_hash){
        .kind = (uint8_t)kind, .key_id = key->id, .value = m->place[at].value};
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
