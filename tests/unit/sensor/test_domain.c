// Domains that sensors make themselves: the same at every start, another one elsewhere, with room for processes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "domain.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_told_apart),
                                       cmocka_unit_test(test_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
