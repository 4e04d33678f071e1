// Domains that sensors make themselves: the same at every start, another one elsewhere, with room for processes.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "allotment.h"
#include "domain.h"
#include "scratch.h"

#define MACHINE "0123456789abcdef0123456789abcdef"

static void test_told_apart(void **state)
{
    (void)state;
    static const char *const who[][4] = {
        {MACHINE, "edge", NULL, "/var/lib/postern/spool"},
        {"fedcba9876543210fedcba9876543210", "edge", NULL, "/var/lib/postern/spool"},
        {MACHINE, "edge2", NULL, "/var/lib/postern/spool"}, // a clone that was renamed
        {MACHINE, "edge", "eth0", "/var/lib/postern/spool"},
        {MACHINE, "edge", "eth1", "/var/lib/postern/spool"},
        {MACHINE, "edge", NULL, "/var/lib/postern/mail-log"},
        {MACHINE, "edge", NULL, NULL},
        {NULL, "edge", NULL, NULL},
        {"", "", "", ""},
        {"edge", "", "", ""}, // the same words in another place
        {"", "", "edge", ""},
        {"ed", "ge", "", ""},
    };
    const size_t n = sizeof who / sizeof who[0];
    for (size_t i = 0; i < n; i++) {
        uint32_t one = domain_of(who[i][0], who[i][1], who[i][2], who[i][3]);
        assert_int_equal(one, domain_of(who[i][0], who[i][1], who[i][2], who[i][3]));
        for (size_t k = 0; k < i; k++)
            if (one == domain_of(who[k][0], who[k][1], who[k][2], who[k][3]))
                fail_msg("%zu and %zu have one domain", i, k);
    }
    // None is nothing.
    assert_int_equal(domain_of(NULL, NULL, NULL, NULL), domain_of("", "", "", ""));
}

static void test_room(void **state)
{
    (void)state;
    char host[16];
    for (int i = 0; i < 20000; i++) {
        snprintf(host, sizeof host, "%d", i);
        uint32_t domain = domain_of(MACHINE, host, NULL, NULL);
        assert_true(domain >= 0x80000000u && domain <= UINT32_MAX - SENSOR_PROCESSES_MAX);
    }
}

static void test_lists(void **state)
{
    static const struct {
        const char *text;
        int rc;
        unsigned count;
    } cases[] = {
        {"7", 0, 1},        {"1-3,7,20-21", 0, 3}, {"1048576-1049599", 0, 1},  {"4294967295", 0, 1},
        {"", -EINVAL, 0},   {"0", -EINVAL, 0},     {"7,", -EINVAL, 0},         {",7", -EINVAL, 0},
        {"7-", -EINVAL, 0}, {"9-7", -EINVAL, 0},   {"4294967296", -EINVAL, 0}, {"7;8", -EINVAL, 0},
        {"-7", -EINVAL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct allotment a = {0};
        if (allotment_parse(cases[i].text, &a) != cases[i].rc || a.count != cases[i].count)
            fail_msg("%s: %u", cases[i].text, a.count);
    }
    struct allotment a;
    assert_int_equal(allotment_parse("5-8,20", &a), 0);
    assert_true(allotment_has(&a, 5, 4));
    assert_false(allotment_has(&a, 5, 5));
    assert_true(allotment_has(&a, 20, 1));
    assert_false(allotment_has(&a, 4, 1));
    assert_false(allotment_has(&a, 8, 2));
    char long_list[1200] = "1";
    for (int n = 3; n < 150; n += 2) // more than there may be
        snprintf(long_list + strlen(long_list), 8, ",%d", n);
    assert_int_equal(allotment_parse(long_list, &a), -EINVAL);
}

// Instances that share a certificate: each has its own, the same at every start, until none is left.
static void test_claims(void **state)
{
    char folder[SCRATCH_MAX];
    struct allotment a;
    uint32_t eth0, eth1, again, none = 0;
    (void)state;
    assert_int_equal(scratch_make(folder), 0);
    assert_int_equal(allotment_parse("1048576-1049599", &a), 0);
    assert_int_equal(allotment_claim(&a, folder, "eth0 /spool", 1, &eth0), 0);
    assert_int_equal(allotment_claim(&a, folder, "eth1 /spool", 4, &eth1), 0);
    assert_int_equal(allotment_claim(&a, folder, "eth0 /spool", 8, &again), 0);
    assert_int_equal(eth0, 1048576);
    assert_int_equal(eth1, 1048576 + SENSOR_PROCESSES_MAX);
    assert_int_equal(again, eth0);
    // By hand: two processes each, of five numbers.
    assert_int_equal(allotment_parse("9,20-23", &a), 0);
    assert_int_equal(allotment_claim(&a, folder, "a", 2, &again), 0);
    assert_int_equal(again, 20);
    assert_int_equal(allotment_claim(&a, folder, "b", 2, &again), 0);
    assert_int_equal(again, 22);
    assert_int_equal(allotment_claim(&a, folder, "c", 2, &none), -ENOSPC);
    assert_int_equal(none, 0);
    assert_int_equal(allotment_claim(&a, folder, "c", 1, &again), 0);
    assert_int_equal(again, 9);
    assert_int_equal(allotment_claim(&a, "/nowhere", "c", 1, &none), -ENOENT);
    scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_told_apart),
                                       cmocka_unit_test(test_room), cmocka_unit_test(test_lists),
                                       cmocka_unit_test(test_claims)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
