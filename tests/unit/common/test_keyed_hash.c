// Keyed hashes against values of another implementation (SipHash by OpenSSL's `openssl mac`, the key's
// derivation by Python's hashlib), and the key file: its one form, its permissions.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/keyed_hash.h"

static struct keyed_hash_key counting_key(void)
{
    uint8_t octet[KEYED_HASH_KEY_SIZE];
    for (uint8_t i = 0; i < KEYED_HASH_KEY_SIZE; i++)
        octet[i] = i;
    return keyed_hash_key_of(9, octet);
}

static void known_values(void **state)
{
    (void)state;
    static char long_name[KEYED_HASH_NAME_MAX + 100];
    memset(long_name, 'a', sizeof long_name);
    const struct {
        enum keyed_hash_kind kind;
        struct span name;
        uint64_t value;
    } cases[] = {
        {KEYED_HASH_RECIPIENT, span_of_text("user@example.net"), 0xea5c00feead916bf},
        {KEYED_HASH_RECIPIENT, span_of_text("USER@Example.NET"), 0xea5c00feead916bf},
        {KEYED_HASH_SENDER, span_of_text("user@example.net"), 0xe7f59937e17d40c1},
        {KEYED_HASH_RECIPIENT, {0}, 0x6e5a116eb2a05b35},
        {KEYED_HASH_HELO, span_of(long_name, 1000), 0xb1a85f705b7bb9e9},
        {KEYED_HASH_RECIPIENT, span_of(long_name, 255), 0x4ef88d3e93735531}, // whole words
        {KEYED_HASH_HELO, span_of(long_name, KEYED_HASH_NAME_MAX), 0xd6c2b0eb915e6ffd},
        {KEYED_HASH_HELO, span_of(long_name, sizeof long_name), 0xd6c2b0eb915e6ffd}, // cut
        {KEYED_HASH_RECIPIENT,
         span_of_text("\xc3\x84"
                      "B"),
         0xdc2bc016b50ff47a}, // only ASCII is lowered
    };
    struct keyed_hash_key key = counting_key();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct keyed_hash h = keyed_hash(&key, cases[i].kind, cases[i].name);
        assert_int_equal(h.kind, cases[i].kind);
        assert_int_equal(h.key_id, 9);
        assert_true(h.value == cases[i].value);
    }
}

// Each length, held against libsodium's SipHash of the kind and the lowered name.
static void as_libsodium(void **state)
{
    (void)state;
    struct keyed_hash_key key = counting_key();
    uint8_t name[80], text[1 + sizeof name], digest[crypto_shorthash_BYTES];
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = (uint8_t)(i * 37 + 11);
    for (size_t len = 0; len <= sizeof name; len++) {
        text[0] = KEYED_HASH_SENDER;
        for (size_t i = 0; i < len; i++)
            text[1 + i] = name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i];
        crypto_shorthash(digest, text, 1 + len, key.name_key);
        uint64_t value = 0;
        for (size_t i = 0; i < sizeof digest; i++)
            value = value << 8 | digest[i];
        assert_true(keyed_hash(&key, KEYED_HASH_SENDER, span_of(name, len)).value == value);
    }
}

// Every octet, before and behind those that are letters too.
static void lowers_ascii_only(void **state)
{
    (void)state;
    struct keyed_hash_key key = counting_key();
    for (unsigned c = 0; c < 256; c++) {
        uint8_t octet = (uint8_t)c, lower = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : (uint8_t)c;
        for (unsigned other = 0; other < 256; other++) {
            uint8_t with = (uint8_t)other;
            bool same = keyed_hash(&key, KEYED_HASH_HELO, span_of(&octet, 1)).value ==
                        keyed_hash(&key, KEYED_HASH_HELO, span_of(&with, 1)).value;
            uint8_t lowered = other >= 'A' && other <= 'Z' ? (uint8_t)(other + 32) : with;
            assert_int_equal(same, lower == lowered);
        }
    }
}

static void derived_key(void **state)
{
    (void)state;
    static const uint8_t want[] = {0xd4, 0xef, 0x52, 0x3a, 0x8f, 0x49, 0x4b, 0x59,
                                   0x8f, 0xb6, 0xdd, 0x9a, 0x48, 0x07, 0xe9, 0xd7};
    struct keyed_hash_key key = counting_key();
    assert_memory_equal(key.name_key, want, sizeof want);
}

static void replay_key(void **state)
{
    (void)state;
    struct keyed_hash_key key = keyed_hash_key_replay();
    assert_int_equal(key.id, 255);
    struct keyed_hash_key again = keyed_hash_key_replay();
    assert_memory_equal(key.octet, again.octet, KEYED_HASH_KEY_SIZE);
    struct keyed_hash_key other = counting_key();
    struct span name = span_of_text("a@example.org");
    assert_true(keyed_hash(&key, KEYED_HASH_SENDER, name).value !=
                keyed_hash(&other, KEYED_HASH_SENDER, name).value);
}

static void text_hash(void **state)
{
    (void)state;
    char hex[33];
    hash_text((struct span){0}, hex);
    assert_string_equal(hex, "cae66941d9efbd404e4d88758ea67670");
    hash_text(span_of_text("postern"), hex);
    assert_string_equal(hex, "bb9e09465acb12b4a236ebd97b5954cd");
}

#define HEX64 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static int load(const char *text, mode_t mode, struct keyed_hash_key *out)
{
    char path[] = "/tmp/postern-key-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    int rc = keyed_hash_key_load(path, out);
    unlink(path);
    return rc;
}

static void key_file(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int id; // 0: refused
    } cases[] = {
        {"7 " HEX64 "\n", 7},
        {"7 " HEX64, 7},
        {"254 " HEX64 "\n", 254},
        {"1 000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F\n", 1},
        {"", 0},
        {"\n", 0},
        {"0 " HEX64 "\n", 0},
        {"255 " HEX64 "\n", 0}, // the replays'
        {"256 " HEX64 "\n", 0},
        {"07 " HEX64 "\n", 0},
        {"-1 " HEX64 "\n", 0},
        {HEX64 "\n", 0},
        {"7" HEX64 "\n", 0},
        {"7  " HEX64 "\n", 0},
        {"7 " HEX64 "0\n", 0},
        {"7 " HEX64 "00\n", 0},
        {"7 " HEX64 "\n\n", 0},
        {"7 " HEX64 " \n", 0},
        {"7 " HEX64 "\n8 " HEX64 "\n", 0},
        {"7 0001\n", 0},
        {"7 zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 0},
        {"1000 " HEX64 "\n", 0},
    };
    struct keyed_hash_key wanted = counting_key();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct keyed_hash_key key = {.id = 77};
        int rc = load(cases[i].text, 0600, &key);
        if (rc != (cases[i].id ? 0 : -EINVAL))
            fail_msg("case %zu: %d", i, rc);
        assert_int_equal(key.id, cases[i].id ? cases[i].id : 77);
        if (rc == 0)
            assert_memory_equal(key.octet, wanted.octet, KEYED_HASH_KEY_SIZE);
    }
}

static void key_file_permissions(void **state)
{
    (void)state;
    static const struct {
        mode_t mode;
        int rc;
    } cases[] = {{0600, 0},      {0400, 0},      {0640, 0},      {0644, -EPERM},
                 {0604, -EPERM}, {0602, -EPERM}, {0660, -EPERM}, {0601, -EPERM}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct keyed_hash_key key;
        assert_int_equal(load("7 " HEX64 "\n", cases[i].mode, &key), cases[i].rc);
    }
    struct keyed_hash_key key;
    assert_int_equal(keyed_hash_key_load("/nonexistent/key", &key), -ENOENT);
    assert_int_equal(keyed_hash_key_load("/tmp", &key), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),      cmocka_unit_test(as_libsodium),
        cmocka_unit_test(lowers_ascii_only), cmocka_unit_test(derived_key),
        cmocka_unit_test(replay_key),        cmocka_unit_test(text_hash),
        cmocka_unit_test(key_file),          cmocka_unit_test(key_file_permissions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
