// Whose an address was: by time, prefix length, port block and realm, with the doubts that are told.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/timefmt.h"
#include "leases.h"
#include "strings.h"

#define HEADING                                                                                   \
    "realm,prefix,port_first,port_last,party,start,end,last_seen,interim_s,mac,nas,session,user," \
    "pop,class\n"

static struct leases *load(const char *text, int expected, char *said, size_t size)
{
    char path[] = "/tmp/test_leases.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    FILE *errors = fmemopen(said, size, "w");
    struct leases *l = NULL;
    assert_int_equal(leases_load(path, errors, &l), expected);
    fclose(errors);
    unlink(path);
    return l;
}

static int64_t at(const char *text)
{
    int64_t t;
    assert_int_equal(time_parse(text, &t), 0);
    return t;
}

static struct lease_answer find(const struct leases *l, const char *realm, const char *addr,
                                uint16_t port, const char *time)
{
    struct realm r;
    struct ip_addr a;
    assert_int_equal(realm_parse(realm, &r), 0);
    assert_int_equal(ip_parse(addr, &a), 0);
    return leases_find(l, &r, &a, port, at(time));
}

static const char *party(const struct leases *l, const struct lease_answer *a)
{
    static char text[PARTY_TEXT_MAX];
    struct realm realm = {.name = ""};
    struct ip_prefix p = {.addr = {.family = IP_V4, .octet = {10, 0, 0, 1}}, .len = 32};
    struct subscriber_key key = subscriber_key_of(&realm, &p);
    struct identity id = leases_identity(l, a, &key);
    return party_format(&id.party, text);
}

static const char history[] = HEADING
    // One address, three parties in turn: a long pause, then none.
    ",10.0.0.1,,,line:a,2026-01-01T00:00:00Z,2026-01-01T10:00:00Z,,,,,,,north,residential\n"
    ",10.0.0.1,,,line:b,2026-01-01T12:00:00Z,2026-01-01T14:00:00Z,,,,,,,north,residential\n"
    ",10.0.0.1,,,line:c,2026-01-01T14:00:00Z,2026-01-01T16:00:00Z,,,,,,,north,residential\n"
    // The same address in another realm.
    "vlan:7,10.0.0.1,,,line:v,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,south,business\n"
    // No stop was seen: the next start ends it.
    ",10.0.0.2,,,line:d,2026-01-01T00:00:00Z,,2026-01-01T05:00:00Z,1800,,,,,north,\n"
    ",10.0.0.2,,,line:e,2026-01-01T08:00:00Z,,2026-01-01T08:00:00Z,1800,,,,,north,\n"
    // Two that overlap.
    ",10.0.0.3,,,line:f,2026-01-01T00:00:00Z,2026-01-01T06:00:00Z,,,,,,,,\n"
    ",10.0.0.3,,,line:g,2026-01-01T05:00:00Z,2026-01-01T09:00:00Z,,,,,,,,\n"
    // A delegated prefix, and a longer one within it.
    ",2001:db8:1::/48,,,line:h,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,,\n"
    ",2001:db8:1:ff00::/56,,,line:i,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,,\n"
    // Port blocks behind CGNAT.
    ",100.64.0.1,1024,2047,line:j,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,,\n"
    ",100.64.0.1,2048,3071,line:k,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,,\n";

static void answers(void **state)
{
    (void)state;
    static const struct {
        const char *realm, *addr;
        uint16_t port;
        const char *time, *party;
        uint8_t confidence;
        uint32_t doubts;
    } cases[] = {
        {"", "10.0.0.1", 0, "2026-01-01T05:00:00Z", "line:a", IDENTITY_CERTAIN, 0},
        {"", "10.0.0.1", 0, "2026-01-01T09:59:59Z", "line:a", IDENTITY_CERTAIN, 0},
        {"", "10.0.0.1", 0, "2026-01-01T10:00:00Z", "provisional:10.0.0.1", IDENTITY_UNKNOWN, 0},
        {"", "10.0.0.1", 0, "2025-12-31T23:59:59Z", "provisional:10.0.0.1", IDENTITY_UNKNOWN, 0},
        // Whoever had it before left two hours ago: no doubt.
        {"", "10.0.0.1", 0, "2026-01-01T12:00:01Z", "line:b", IDENTITY_CERTAIN, 0},
        {"", "10.0.0.1", 0, "2026-01-01T13:57:59Z", "line:b", IDENTITY_CERTAIN, 0},
        {"", "10.0.0.1", 0, "2026-01-01T13:58:01Z", "provisional:10.0.0.1", IDENTITY_AMBIGUOUS,
         IDENTITY_NEAR_CHANGE},
        {"", "10.0.0.1", 0, "2026-01-01T14:01:59Z", "provisional:10.0.0.1", IDENTITY_AMBIGUOUS,
         IDENTITY_NEAR_CHANGE},
        {"", "10.0.0.1", 0, "2026-01-01T14:02:00Z", "line:c", IDENTITY_CERTAIN, 0},
        {"vlan:7", "10.0.0.1", 0, "2026-01-01T10:00:00Z", "line:v", IDENTITY_CERTAIN, 0},
        {"vlan:8", "10.0.0.1", 0, "2026-01-01T05:00:00Z", "provisional:10.0.0.1", IDENTITY_UNKNOWN,
         0},
        {"", "10.0.0.2", 0, "2026-01-01T04:00:00Z", "line:d", IDENTITY_CERTAIN, 0},
        {"", "10.0.0.2", 0, "2026-01-01T05:30:00Z", "line:d", IDENTITY_LIKELY, IDENTITY_LOST_STOP},
        {"", "10.0.0.2", 0, "2026-01-01T07:00:00Z", "line:d", IDENTITY_STALE, IDENTITY_LOST_STOP},
        {"", "10.0.0.2", 0, "2026-01-01T09:00:00Z", "line:e", IDENTITY_CERTAIN, 0},
        {"", "10.0.0.2", 0, "2026-01-01T09:00:01Z", "line:e", IDENTITY_STALE, 0},
        {"", "10.0.0.3", 0, "2026-01-01T04:00:00Z", "line:f", IDENTITY_CERTAIN, 0},
        {"", "10.0.0.3", 0, "2026-01-01T05:30:00Z", "provisional:10.0.0.1", IDENTITY_AMBIGUOUS,
         IDENTITY_OVERLAP},
        {"", "10.0.0.3", 0, "2026-01-01T06:01:59Z", "provisional:10.0.0.1", IDENTITY_AMBIGUOUS,
         IDENTITY_NEAR_CHANGE},
        {"", "10.0.0.3", 0, "2026-01-01T07:00:00Z", "line:g", IDENTITY_CERTAIN, 0},
        {"", "2001:db8:1:1::7", 0, "2026-01-01T07:00:00Z", "line:h", IDENTITY_CERTAIN, 0},
        {"", "2001:db8:1:ff00::7", 0, "2026-01-01T07:00:00Z", "line:i", IDENTITY_CERTAIN, 0},
        {"", "2001:db8:2::7", 0, "2026-01-01T07:00:00Z", "provisional:10.0.0.1", IDENTITY_UNKNOWN,
         0},
        {"", "100.64.0.1", 1024, "2026-01-01T07:00:00Z", "line:j", IDENTITY_CERTAIN, 0},
        {"", "100.64.0.1", 3071, "2026-01-01T07:00:00Z", "line:k", IDENTITY_CERTAIN, 0},
        {"", "100.64.0.1", 4000, "2026-01-01T07:00:00Z", "provisional:10.0.0.1", IDENTITY_UNKNOWN,
         0},
        {"", "100.64.0.1", 0, "2026-01-01T07:00:00Z", "provisional:10.0.0.1", IDENTITY_AMBIGUOUS,
         IDENTITY_NO_PORT},
    };
    char said[512];
    struct leases *l = load(history, 0, said, sizeof said);
    assert_int_equal(leases_count(l), 12);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lease_answer a = find(l, cases[i].realm, cases[i].addr, cases[i].port,
                                     cases[i].time);
        if (strcmp(party(l, &a), cases[i].party) != 0 || a.confidence != cases[i].confidence ||
            a.doubts != cases[i].doubts)
            fail_msg("case %zu: %s, confidence %u, doubts %x", i, party(l, &a), a.confidence,
                     a.doubts);
    }
    // An ambiguous answer still tells where.
    struct lease_answer a = find(l, "", "10.0.0.1", 0, "2026-01-01T13:59:00Z");
    assert_string_equal(leases_pop(l, (size_t)leases_pop_of(l, &a)), "north");
    assert_int_equal(leases_party(l, &a), 0);
    leases_free(l);
}

// Who claims an address together: of one source and of two, with and without ends, and what ends the doubt.
static void claims(void **state)
{
    (void)state;
#define DAY(from) "2026-01-01T" from ":00Z"
#define STARTS(addr, ports, who, from, to, seen, source) \
    "," addr "," ports ",line:" who "," from "," to "," seen ",1800,,,,,,," source "\n"
    static const char text[] = HEADING
        // The same start, nobody ended: neither ends the other, a later start ends both.
        STARTS("10.2.0.1", ",", "a", DAY("00:00"), "", DAY("12:00"), "radius")
            STARTS("10.2.0.1", ",", "b", DAY("00:00"), "", DAY("12:00"), "radius")
                STARTS("10.2.0.1", ",", "c", DAY("06:00"), "", DAY("12:00"), "radius")
        // The same start, one ended; and three at once.
        STARTS("10.2.0.2", ",", "a", DAY("00:00"), DAY("03:00"), "",
               "") STARTS("10.2.0.2", ",", "b", DAY("00:00"), "", DAY("12:00"), "")
            STARTS("10.2.0.3", ",", "a", DAY("00:00"), "", DAY("12:00"), "kea")
                STARTS("10.2.0.3", ",", "b", DAY("00:00"), "", DAY("12:00"), "kea")
                    STARTS("10.2.0.3", ",", "c", DAY("00:00"), DAY("20:00"), DAY("12:00"), "kea")
        // A static line and a session: each of its own source, neither is the other's end.
        STARTS("10.2.0.4", ",", "office", DAY("00:00"), "2027-01-01T00:00:00Z", "", "csv")
            STARTS("10.2.0.4", ",", "anna", DAY("04:00"), DAY("06:00"), DAY("06:00"), "radius")
                STARTS("10.2.0.5", ",", "office", DAY("00:00"), "", DAY("09:00"), "csv")
                    STARTS("10.2.0.5", ",", "anna", DAY("04:00"), "", DAY("23:00"), "radius")
        // Both sources name one party.
        STARTS("10.2.0.6", ",", "anna", DAY("00:00"), "", DAY("12:00"), "csv")
            STARTS("10.2.0.6", ",", "anna", DAY("04:00"), "", DAY("12:00"), "radius")
        // Port blocks that cross, and one within another.
        STARTS("10.2.0.7", "1024,2047", "a", DAY("00:00"), "", DAY("12:00"), "")
            STARTS("10.2.0.7", "2000,3023", "b", DAY("00:00"), "", DAY("12:00"), "")
                STARTS("10.2.0.7", "2900,2999", "c", DAY("00:00"), "", DAY("12:00"), "")
        // A longer prefix goes before a shorter one, whichever source says so.
        STARTS("10.2.1.0/24", ",", "school", DAY("00:00"), "", DAY("12:00"), "prefix-map")
            STARTS("10.2.1.9", ",", "anna", DAY("00:00"), "", DAY("12:00"), "radius");
#undef STARTS
    static const struct {
        const char *addr;
        uint16_t port;
        const char *time, *party;
        uint8_t confidence;
        uint32_t doubts;
    } cases[] = {
        {"10.2.0.1", 0, DAY("00:01"), "?", IDENTITY_AMBIGUOUS, IDENTITY_OVERLAP},
        {"10.2.0.1", 0, DAY("05:00"), "?", IDENTITY_AMBIGUOUS, IDENTITY_OVERLAP},
        {"10.2.0.1", 0, DAY("06:01"), "?", IDENTITY_AMBIGUOUS, IDENTITY_NEAR_CHANGE},
        {"10.2.0.1", 0, DAY("06:02"), "line:c", IDENTITY_CERTAIN, 0},
        {"10.2.0.2", 0, DAY("02:00"), "?", IDENTITY_AMBIGUOUS, IDENTITY_OVERLAP},
        {"10.2.0.2", 0, DAY("03:02"), "line:b", IDENTITY_CERTAIN, 0},
        {"10.2.0.3", 0, DAY("05:00"), "?", IDENTITY_AMBIGUOUS, IDENTITY_OVERLAP},
        {"10.2.0.4", 0, DAY("03:00"), "line:office", IDENTITY_CERTAIN, 0},
        {"10.2.0.4", 0, DAY("03:59"), "?", IDENTITY_AMBIGUOUS, IDENTITY_NEAR_CHANGE},
        {"10.2.0.4", 0, DAY("05:00"), "?", IDENTITY_AMBIGUOUS, IDENTITY_OVERLAP},
        {"10.2.0.4", 0, DAY("07:00"), "line:office", IDENTITY_CERTAIN, 0},
        {"10.2.0.5", 0, DAY("05:00"), "?", IDENTITY_AMBIGUOUS, IDENTITY_OVERLAP},
        {"10.2.0.5", 0, DAY("09:59"), "?", IDENTITY_AMBIGUOUS, IDENTITY_OVERLAP},
        {"10.2.0.5", 0, DAY("10:03"), "line:anna", IDENTITY_CERTAIN, 0},
        {"10.2.0.6", 0, DAY("05:00"), "line:anna", IDENTITY_CERTAIN, 0},
        {"10.2.0.7", 1500, DAY("05:00"), "line:a", IDENTITY_CERTAIN, 0},
        {"10.2.0.7", 2010, DAY("05:00"), "?", IDENTITY_AMBIGUOUS, IDENTITY_OVERLAP},
        {"10.2.0.7", 2950, DAY("05:00"), "line:c", IDENTITY_CERTAIN, 0},
        {"10.2.1.9", 0, DAY("05:00"), "line:anna", IDENTITY_CERTAIN, 0},
        {"10.2.1.8", 0, DAY("05:00"), "line:school", IDENTITY_CERTAIN, 0},
    };
#undef DAY
    char said[512];
    struct leases *l = load(text, 0, said, sizeof said);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lease_answer a = find(l, "", cases[i].addr, cases[i].port, cases[i].time);
        const char *expected = cases[i].party[0] == '?' ? "provisional:10.0.0.1" : cases[i].party;
        if (strcmp(party(l, &a), expected) != 0 || a.confidence != cases[i].confidence ||
            a.doubts != cases[i].doubts)
            fail_msg("case %zu: %s, confidence %u, doubts %x", i, party(l, &a), a.confidence,
                     a.doubts);
        assert_true((leases_party(l, &a) == 0) == (a.confidence == IDENTITY_AMBIGUOUS));
    }
    leases_free(l);
}

// A static line under a hundred sessions of its own party that came and went is still found.
static void many_within_one(void **state)
{
    (void)state;
    struct leases *l = leases_new();
    struct lease x = {.source = LEASE_CSV, .interim_ms = 1800000, .party = {.kind = PARTY_LINE}};
    x.key.kind = SUBSCRIBER_ADDRESS;
    x.key.port_last = 65535;
    prefix_parse("10.2.0.1", &x.key.prefix);
    snprintf(x.party.id, sizeof x.party.id, "office");
    x.start_ms = x.last_seen_ms = at("2026-01-01T00:00:00Z");
    x.end_ms = at("2027-01-01T00:00:00Z");
    assert_int_equal(leases_put(l, &x), 0);
    for (int i = 0; i < 100; i++) {
        x.source = LEASE_RADIUS;
        x.start_ms = at("2026-01-01T01:00:00Z") + i * 600000;
        x.end_ms = x.last_seen_ms = x.start_ms + 60000;
        assert_int_equal(leases_put(l, &x), 0);
    }
    struct lease_answer a = find(l, "", "10.2.0.1", 0, "2026-06-01T00:00:00Z");
    assert_string_equal(party(l, &a), "line:office");
    assert_int_equal(a.confidence, IDENTITY_CERTAIN);
    leases_free(l);
}

static void churn(void **state)
{
    (void)state;
    char said[512];
    struct leases *l = load(history, 0, said, sizeof said);
    uint32_t open, changes;
    assert_int_equal(leases_pops(l), 2);
    assert_string_equal(leases_pop(l, 0), "north");
    leases_churn(l, -1, at("2026-01-01T14:00:30Z"), &open, &changes);
    assert_int_equal(changes, 2); // of one address: an end and a start
    assert_int_equal(open, 7);    // c, v, e, h, i, j, k
    leases_churn(l, 1, at("2026-01-01T14:00:30Z"), &open, &changes);
    assert_int_equal(open, 1);
    assert_int_equal(changes, 0);
    leases_free(l);
}

// A router restarts: of a hundred lines thirty begin anew within a minute.
static void reboot(void **state)
{
    (void)state;
    static char text[65536], said[512];
    size_t len = (size_t)snprintf(text, sizeof text, "%s", HEADING);
    for (int i = 0; i < 100; i++) {
        const char *end = i < 30 ? "2026-01-01T12:00:00Z" : "2027-01-01T00:00:00Z";
        len += (size_t)snprintf(text + len, sizeof text - len,
                                ",10.1.0.%d,,,line:%d,2026-01-01T00:00:00Z,%s,,,,,,,north,\n", i, i,
                                end);
        if (i < 30)
            len += (size_t)snprintf(
                text + len, sizeof text - len,
                ",10.1.0.%d,,,line:%d,2026-01-01T12:00:%02dZ,2027-01-01T00:00:00Z,,,,,,,north,\n",
                i, i, i);
    }
    struct leases *l = load(text, 0, said, sizeof said);
    static const struct {
        const char *time;
        uint32_t doubts;
    } cases[] = {
        {"2026-01-01T00:01:00Z", 0}, // the history begins: nothing restarted
        {"2026-01-01T11:59:59Z", 0},
        {"2026-01-01T12:05:00Z", IDENTITY_BNG_REBOOT},
        {"2026-01-01T12:15:28Z", IDENTITY_BNG_REBOOT},
        {"2026-01-01T12:15:30Z", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        // A line that was not touched is in the same doubt: its router lost count.
        struct lease_answer a = find(l, "", "10.1.0.77", 0, cases[i].time);
        assert_int_equal(a.doubts, cases[i].doubts);
        assert_int_equal(a.confidence, cases[i].doubts ? IDENTITY_LIKELY : IDENTITY_CERTAIN);
    }
    leases_free(l);
}

static void wrong_lines(void **state)
{
    (void)state;
    char said[1024] = "";
    load(HEADING "# a comment\n\n,10.0.0.999,,,line:a,2026-01-01T00:00:00Z,,,,,,,,,\n"
                 ",10.0.0.1,,,line:a,yesterday,,,,,,,,,\n",
         -EINVAL, said, sizeof said);
    assert_non_null(strstr(said, ":4: "));
    assert_non_null(strstr(said, ":5: "));
    FILE *errors = fmemopen(said, sizeof said, "w");
    struct leases *l;
    assert_int_equal(leases_load("/nonexistent/leases", errors, &l), -ENOENT);
    fclose(errors);
    assert_non_null(strstr(said, "/nonexistent/leases: "));
    assert_int_equal(leases_load(NULL, stderr, &l), 0);
    struct lease_answer a = find(l, "", "10.0.0.1", 0, "2026-01-01T00:00:00Z");
    assert_int_equal(a.confidence, IDENTITY_UNKNOWN);
    leases_free(l);
}

static void texts_are_kept_once(void **state)
{
    (void)state;
    struct strings *s = strings_new();
    uint32_t n, again;
    char text[32];
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 1; i <= 5000; i++) {
            snprintf(text, sizeof text, "account-%u", i);
            assert_true(strings_put(s, text, &n));
            assert_int_equal(n, i);
        }
    assert_true(strings_find(s, "account-77", &again));
    assert_string_equal(strings_get(s, again), "account-77");
    assert_false(strings_find(s, "account-0", &again));
    assert_string_equal(strings_get(s, 0), "");
    strings_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(claims),
        cmocka_unit_test(many_within_one),
        cmocka_unit_test(churn),
        cmocka_unit_test(reboot),
        cmocka_unit_test(wrong_lines),
        cmocka_unit_test(texts_are_kept_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
