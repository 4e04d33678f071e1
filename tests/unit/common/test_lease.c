// Leases as CSV: what is written reads back; what is wrong is named by column, with the fix.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/identity.h"

#define START_MS INT64_C(1795327200000) // 2026-11-22T06:00:00Z

static void test_a_full_line(void **state)
{
    (void)state;
    struct lease l;
    char error[160];
    assert_int_equal(lease_parse_csv("vlan:101,192.0.2.7,1024,2047,line:4711,2026-11-22T06:00:00Z,"
                                     "2026-11-22T07:00:00Z,2026-11-22T06:30:00Z,600,"
                                     "02:00:5E:10:00:01,bng-1,0a1b,\"Doe, \"\"J\"\"\",POP 3,"
                                     "residential\r\n",
                                     &l, error),
                     0);
    assert_int_equal(l.key.kind, SUBSCRIBER_ADDRESS);
    assert_string_equal(l.key.realm.name, "vlan:101");
    assert_int_equal(l.key.port_first, 1024);
    assert_int_equal(l.key.port_last, 2047);
    assert_int_equal(l.party.kind, PARTY_LINE);
    assert_string_equal(l.party.id, "4711");
    assert_int_equal(l.source, LEASE_CSV);
    assert_true(l.start_ms == START_MS && l.end_ms == START_MS + 3600000);
    assert_true(l.last_seen_ms == START_MS + 1800000 && l.interim_ms == 600000);
    assert_memory_equal(l.mac, "\x02\x00\x5e\x10\x00\x01", 6);
    assert_string_equal(l.nas, "bng-1");
    assert_string_equal(l.session_id, "0a1b");
    assert_string_equal(l.user_name, "Doe, \"J\"");
    assert_string_equal(l.pop, "POP 3");
    assert_string_equal(l.network_class, "residential");
}

static void test_what_may_be_left_out(void **state)
{
    (void)state;
    struct lease l;
    char error[160];
    assert_int_equal(
        lease_parse_csv(",2001:db8:1::/56,,,4711,2026-11-22T06:00:00Z,,,,,,,,,", &l, error), 0);
    assert_string_equal(l.key.realm.name, "");
    assert_int_equal(l.key.port_first, 0);
    assert_int_equal(l.key.port_last, 65535);
    assert_string_equal(l.party.id, "4711"); // without a kind: a line
    assert_true(l.end_ms == 0);
    assert_true(l.last_seen_ms == START_MS);
    assert_true(l.interim_ms == 1800000);
}

// Each column wrong in each way; the rest of the line is right.
static void test_errors_name_the_column(void **state)
{
    (void)state;
    static const char *const right[15] = {"", "192.0.2.7", "", "", "line:1", "2026-11-22T06:00:00Z",
                                          "", "",          "", "", "",       "",
                                          "", "",          ""};
    static char too_long[70];
    memset(too_long, 'x', 64);
    static const struct {
        int column;
        const char *cell, *says;
    } rows[] = {
        {1, "VLAN", "column 1 (realm): 'VLAN' is no realm"},
        {2, "", "column 2 (prefix): '' is no address or prefix"},
        {2, "192.0.2.7/24", "column 2 (prefix): '192.0.2.7/24' is no address or prefix"},
        {3, "65536", "column 3 (port_first): '65536' is no port"},
        {3, "-1", "column 3 (port_first): '-1' is no port"},
        {4, "x", "column 4 (port_last): 'x' is no port"},
        {5, "", "column 5 (party): '' is no party"},
        {5, "person:1", "column 5 (party): 'person:1' is no party; write line:ACCOUNT"},
        {5, "provisional:192.0.2.7", "column 5 (party)"},
        {6, "", "column 6 (start): '' is missing"},
        {6, "yesterday", "column 6 (start): 'yesterday' is no time; write it as 2026-"},
        {7, "2026-11-22T05:59:59Z", "column 7 (end): '2026-11-22T05:59:59Z' lies before the start"},
        {8, "1.1.2026", "column 8 (last_seen): '1.1.2026' is no time"},
        {8, "2020-01-01T00:00:00Z", "column 8 (last_seen): '2020-01-01T00:00:00Z' lies before"},
        {9, "0", "column 9 (interim_s): '0' is no interval"},
        {9, "99999999999999999999", "column 9 (interim_s)"},
        {10, "02:00:5e:10:00", "column 10 (mac): '02:00:5e:10:00' is no MAC address"},
        {10, "02:00-5e:10:00:01", "column 10 (mac)"},
        {10, "02:00:5e:10:00:0g", "column 10 (mac)"},
        {10, "02x00x5ex10x00x01", "column 10 (mac)"},
        {11, "a\tb", "column 11 (nas): 'a?b' is no text"},
        {12, too_long, "column 12 (session): 'xxxxxxxxxxxxxxxxxxxxxxxx...' is too long"},
        {13, "a\"b", "column 13 (user): 'a' has a quote inside"},
        {15, "\"open", "column 15 (class): 'open' has no closing quote"},
        {15, "\"open\"\"", "column 15 (class): 'open\"' has no closing quote"},
        {15, "\"class\"x", "column 15 (class): 'class' goes on behind its closing quote"},
        {15, "\xff", "column 15 (class): '?' is no text"},
        {15, "a,b", "column 16 (source): 'b' is no source"},
        {15, "a,csv,b", "more than 16 columns"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[512] = "", error[160] = "";
        int n = 0;
        for (int c = 0; c < 15; c++)
            n += snprintf(line + n, sizeof line - (size_t)n, "%s%s",
                          c + 1 == rows[i].column ? rows[i].cell : right[c], c < 14 ? "," : "");
        struct lease l = {.source = 99};
        assert_int_equal(lease_parse_csv(line, &l, error), -EINVAL);
        assert_int_equal(l.source, 99);
        if (strncmp(error, rows[i].says, strlen(rows[i].says)) != 0)
            fail_msg("expected %s, got %s", rows[i].says, error);
        assert_true(strlen(error) < 159); // a sentence, not cut
    }
    char error[160];
    struct lease l;
    assert_int_equal(lease_parse_csv("", &l, error), -EINVAL);
    assert_int_equal(lease_parse_csv(",192.0.2.7,,,1,2026-11-22T06:00:00Z", &l, error), -EINVAL);
    assert_string_equal(error, "column 7 (end) is missing; a line has 15 columns");
    assert_int_equal(lease_parse_csv(",192.0.2.7,9,8,1,2026-11-22T06:00:00Z,,,,,,,,,", &l, error),
                     -EINVAL);
    assert_string_equal(error, "column 4 (port_last): '8' is below port_first; exchange the two");
    char cell[400];
    memset(cell, 'a', sizeof cell - 1);
    cell[sizeof cell - 1] = 0;
    assert_int_equal(lease_parse_csv(cell, &l, error), -EINVAL);
    assert_non_null(strstr(error, "is too long"));
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const lines[] = {
        ",192.0.2.7,,,line:4711,2026-11-22T06:00:00Z,,2026-11-22T06:00:00Z,1800,,,,,,\n",
        "vlan:1/vni:7,2001:db8::/56,0,1023,mailbox:1:00ff00ff00ff00ff,2026-11-22T06:00:00.001Z,"
        "2026-11-22T07:00:00Z,2026-11-22T06:00:00.5Z,60,02:00:5e:10:00:01,bng,s,\"a,b\",\"\"\"\","
        "business-static\n",
        ",10.0.0.0/8,,,\"line:a,b\",1970-01-01T00:00:00Z,,1970-01-01T00:00:00Z,1,,,,,,\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct lease l, again;
        char error[160], *text = NULL;
        size_t len = 0;
        memset(&l, 0, sizeof l);
        memset(&again, 0, sizeof again);
        if (lease_parse_csv(lines[i], &l, error) != 0)
            fail_msg("%s", error);
        FILE *out = open_memstream(&text, &len);
        assert_int_equal(lease_write_csv(out, &l), 0);
        fclose(out);
        if (lease_parse_csv(text, &again, error) != 0)
            fail_msg("%s: %s", text, error);
        assert_memory_equal(&l, &again, sizeof l);
        free(text);
    }
}

static void test_header_has_the_columns(void **state)
{
    (void)state;
    struct lease l;
    char error[160];
    size_t commas = 0;
    for (const char *p = LEASE_CSV_HEADER; *p; p++)
        commas += *p == ',';
    assert_int_equal(commas, 14);
    // A header is no lease, and the error shows it.
    assert_int_equal(lease_parse_csv(LEASE_CSV_HEADER, &l, error), -EINVAL);
    assert_int_equal(strncmp(error, "column 2 (prefix): 'prefix' ", 28), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_line),
        cmocka_unit_test(test_what_may_be_left_out),
        cmocka_unit_test(test_errors_name_the_column),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_header_has_the_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
