// Names of mailboxes, sealed: written once, readable with the secret key alone.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/mailbox_map.h"
#include "scratch.h"

static char folder[SCRATCH_MAX], map[128], public_path[128], secret_path[128];

static int set_up(void **state)
{
    (void)state;
    if (scratch_make(folder) != 0)
        return -1;
    snprintf(map, sizeof map, "%s/map", folder);
    snprintf(public_path, sizeof public_path, "%s/public", folder);
    snprintf(secret_path, sizeof secret_path, "%s/secret", folder);
    return mailbox_map_make_keys(public_path, secret_path);
}

static int tear_down(void **state)
{
    (void)state;
    return scratch_remove(folder);
}

static struct keyed_hash hash_of(const char *name)
{
    struct keyed_hash_key key = keyed_hash_key_replay();
    return keyed_hash(&key, KEYED_HASH_MAILBOX, span_of_text(name));
}

static void put(const char *name)
{
    struct mailbox_map_keys keys = {0};
    struct mailbox_map_writer *w;
    struct keyed_hash h = hash_of(name);
    assert_int_equal(mailbox_map_load_public(public_path, &keys), 0);
    assert_int_equal(mailbox_map_open(map, &keys, &w), 0);
    assert_int_equal(mailbox_map_put(w, &h, span_of_text(name), 1795338000000), 0);
    assert_int_equal(mailbox_map_put(w, &h, span_of_text(name), 1795338000000), 0);
    assert_int_equal(mailbox_map_close(w), 0);
}

static size_t lines_in(const char *path, const char *not_there)
{
    char text[1024];
    size_t n = 0;
    FILE *f = fopen(path, "r");
    while (fgets(text, sizeof text, f)) {
        n++;
        assert_null(strstr(text, not_there));
    }
    fclose(f);
    return n;
}

static void test_names(void **state)
{
    (void)state;
    char out[MAILBOX_NAME_MAX + 1];
    struct mailbox_map_keys keys;
    struct keyed_hash bob = hash_of("bob@example.net"), eve = hash_of("eve@example.net");
    put("bob@example.net");
    put("carol@example.net");
    put("bob@example.net"); // after a restart: known
    assert_int_equal(lines_in(map, "bob"), 2);
    assert_int_equal(mailbox_map_load_secret(secret_path, &keys), 0);
    assert_int_equal(mailbox_map_find(map, &keys, &bob, out), 1);
    assert_string_equal(out, "bob@example.net");
    assert_int_equal(mailbox_map_find(map, &keys, &eve, out), 0);
    // A torn or foreign line hides nothing.
    FILE *f = fopen(map, "a");
    fputs("nonsense\n255 00 x\n255 0000000000000001 !!! t\n255 00000000000", f);
    fclose(f);
    assert_int_equal(mailbox_map_find(map, &keys, &bob, out), 1);
}

static void test_wrong_key(void **state)
{
    (void)state;
    char out[MAILBOX_NAME_MAX + 1], other[160];
    struct mailbox_map_keys keys;
    struct keyed_hash bob = hash_of("bob@example.net");
    put("bob@example.net");
    snprintf(other, sizeof other, "%s/other", folder);
    char other_public[160];
    snprintf(other_public, sizeof other_public, "%s/other.pub", folder);
    assert_int_equal(mailbox_map_make_keys(other_public, other), 0);
    assert_int_equal(mailbox_map_load_secret(other, &keys), 0);
    assert_int_equal(mailbox_map_find(map, &keys, &bob, out), 0);
    assert_int_equal(mailbox_map_make_keys(other_public, other), -EEXIST);
    assert_int_equal(chmod(other, 0644), 0);
    assert_int_equal(mailbox_map_load_secret(other, &keys), -EPERM);
    assert_int_equal(mailbox_map_load_public(map, &keys), -EINVAL);
    assert_int_equal(mailbox_map_load_public(folder, &keys), -EINVAL);
    assert_int_equal(mailbox_map_load_public("/nowhere/x", &keys), -ENOENT);
}

// One file looks like the other: each says what it is, and a bare key is taken for what is asked.
static void test_mistaken(void **state)
{
    (void)state;
    char text[80] = "", bare[160];
    struct mailbox_map_keys keys, again = {0};
    assert_int_equal(mailbox_map_load_public(secret_path, &keys), -EKEYREJECTED);
    assert_int_equal(mailbox_map_load_secret(public_path, &keys), -EKEYREJECTED);
    assert_int_equal(mailbox_map_load_public(public_path, &keys), 0);
    FILE *f = fopen(public_path, "r");
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    assert_memory_equal(text, "public ", 7);
    snprintf(bare, sizeof bare, "%s/bare", folder);
    static const struct {
        const char *before;
        int rc;
    } cases[] = {
        {"", 0}, {"Public ", -EINVAL}, {"public", -EINVAL}, {"public  ", -EINVAL}, {"0", -EINVAL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        f = fopen(bare, "w");
        fprintf(f, "%s%s", cases[i].before, text + 7);
        fclose(f);
        assert_int_equal(mailbox_map_load_public(bare, &again), cases[i].rc);
    }
    assert_memory_equal(again.public_key, keys.public_key, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mistaken, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
