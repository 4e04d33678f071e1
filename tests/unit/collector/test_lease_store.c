// Leases that come one by one: what is put, renewed, ended, forgotten and kept in the history; CGNAT blocks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgnat.h"
#include "lease_store.h"

#define T0  INT64_C(1767261600000) // 2026-01-01T10:00:00Z
#define MIN INT64_C(60000)

static struct lease lease(const char *addr, const char *line, int64_t start_min, int64_t end_min,
                          int64_t seen_min)
{
    struct lease l = {.source = LEASE_RADIUS,
                      .start_ms = T0 + start_min * MIN,
                      .end_ms = end_min ? T0 + end_min * MIN : 0,
                      .last_seen_ms = T0 + seen_min * MIN,
                      .interim_ms = 30 * MIN};
    l.key.kind = SUBSCRIBER_ADDRESS;
    l.key.port_last = 65535;
    assert_int_equal(prefix_parse(addr, &l.key.prefix), 0);
    l.party.kind = PARTY_LINE;
    snprintf(l.party.id, sizeof l.party.id, "%s", line);
    snprintf(l.nas, sizeof l.nas, "bng-1");
    snprintf(l.session_id, sizeof l.session_id, "s-%s", line);
    snprintf(l.pop, sizeof l.pop, "north");
    return l;
}

static struct lease_answer find(const struct leases *l, const char *addr, uint16_t port,
                                int64_t at_min)
{
    struct realm realm = {0};
    struct ip_addr a;
    assert_int_equal(ip_parse(addr, &a), 0);
    return leases_find(l, &realm, &a, port, T0 + at_min * MIN);
}

static const char *who(const struct leases *l, const char *addr, int64_t at_min)
{
    static char text[PARTY_TEXT_MAX];
    struct realm realm = {0};
    struct ip_prefix p;
    prefix_parse(addr, &p);
    struct lease_answer a = find(l, addr, 0, at_min);
    struct subscriber_key key = subscriber_key_of(&realm, &p);
    struct identity id = leases_identity(l, &a, &key);
    return party_format(&id.party, text);
}

static int put(struct leases *l, const char *addr, const char *line, int64_t start, int64_t end,
               int64_t seen)
{
    struct lease x = lease(addr, line, start, end, seen);
    return leases_put(l, &x);
}

static void one_by_one(void **state)
{
    (void)state;
    struct leases *l = leases_new();
    uint32_t open, changes;
    put(l, "10.0.0.1", "a", 0, 0, 0);
    uint32_t first = find(l, "10.0.0.1", 0, 10).lease;
    put(l, "10.0.0.1", "a", 0, 0, 30);
    assert_int_equal(leases_count(l), 1);
    leases_churn(l, -1, T0 + 30 * MIN, &open, &changes);
    assert_int_equal(open, 1);
    // Said of an earlier time: too late.
    put(l, "10.0.0.1", "a", 0, 20, 20);
    assert_string_equal(who(l, "10.0.0.1", 40), "line:a");
    put(l, "10.0.0.1", "a", 0, 60, 60);
    assert_string_equal(who(l, "10.0.0.1", 61), "provisional:10.0.0.1");
    leases_churn(l, 0, T0 + 61 * MIN, &open, &changes);
    assert_int_equal(open, 0);
    put(l, "10.0.0.1", "b", 120, 0, 120);
    // Comes late, begins between: an address that an answer named keeps its number.
    put(l, "10.0.0.1", "c", 90, 100, 100);
    assert_string_equal(who(l, "10.0.0.1", 95), "line:c");
    assert_string_equal(who(l, "10.0.0.1", 130), "line:b");
    assert_int_equal(find(l, "10.0.0.1", 0, 10).lease, first);
    leases_churn(l, -1, T0 + 120 * MIN, &open, &changes);
    assert_int_equal(open, 1);
    assert_int_equal(changes, 1);
    struct lease found[LEASES_SESSION_MAX];
    assert_int_equal(leases_session(l, "bng-1", "s-b", found), 1);
    assert_int_equal(leases_session(l, "bng-1", "s-a", found), 0); // is over
    assert_int_equal(leases_session(l, "bng-2", "s-b", found), 0);
    leases_free(l);
}

static void many_are_forgotten(void **state)
{
    (void)state;
    struct leases *l = leases_new();
    char addr[32], line[16];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3000; i++) {
            snprintf(addr, sizeof addr, "10.0.%d.%d", i / 250, i % 250);
            snprintf(line, sizeof line, "%d-%d", round, i);
            assert_int_equal(
                put(l, addr, line, 1000 * round, 1000 * round + 900, 1000 * round + 900), 0);
        }
        assert_int_equal(leases_count(l), 3000 * (round < 2 ? round + 1 : 2));
        if (round == 1)
            leases_forget(l, T0 + 950 * MIN);
        if (round == 1)
            assert_int_equal(leases_count(l), 3000);
    }
    assert_string_equal(who(l, "10.0.3.7", 500), "provisional:10.0.3.7");
    assert_string_equal(who(l, "10.0.3.7", 1500), "line:1-757");
    assert_string_equal(who(l, "10.0.3.7", 2500), "line:2-757");
    uint32_t open, changes;
    leases_churn(l, -1, T0 + 2500 * MIN, &open, &changes);
    assert_int_equal(open, 3000);
    leases_free(l);
}

// ---- History

static void history(void **state)
{
    (void)state;
    char dir[] = "/tmp/test_lease_store.XXXXXX", path[64];
    struct lease_store s = {0};
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/leases.csv", dir);
    s.leases = leases_new();
    assert_int_equal(lease_history_open(path, s.leases, false, stderr, &s.history), 0);
    uint64_t empty = lease_history_octets(s.history);
    struct lease x = lease("10.0.0.1", "a", 0, 0, 0), y = lease("10.0.0.2", "b", 0, 0, 0);
    lease_store_put(&s, &x);
    lease_store_put(&s, &y);
    assert_int_equal(lease_history_octets(s.history), empty); // not yet
    assert_int_equal(lease_store_sync(&s), 0);
    uint64_t two = lease_history_octets(s.history);
    assert_true(two > empty);
    x = lease("10.0.0.1", "a", 0, 0, 30); // seen again within the hour: not written
    lease_store_put(&s, &x);
    lease_store_sync(&s);
    assert_int_equal(lease_history_octets(s.history), two);
    y = lease("10.0.0.2", "b", 0, 45, 45);
    lease_store_put(&s, &y);
    lease_store_sync(&s);
    assert_true(lease_history_octets(s.history) > two);
    lease_history_close(s.history);
    leases_free(s.leases);
    // A torn tail, and a line that is none: the rest is known.
    FILE *f = fopen(path, "a");
    fputs("no lease at all\n,10.0.0.3,,,line:c,2026-01-01T10:0", f);
    fclose(f);
    s.leases = leases_new();
    char said[256] = "";
    FILE *errors = fmemopen(said, sizeof said, "w");
    assert_int_equal(lease_history_open(path, s.leases, false, errors, &s.history), 0);
    fclose(errors);
    assert_non_null(strstr(said, "1 lines are no leases"));
    assert_int_equal(leases_count(s.leases), 2);
    assert_string_equal(who(s.leases, "10.0.0.1", 20), "line:a");
    assert_string_equal(who(s.leases, "10.0.0.2", 20), "line:b");
    assert_string_equal(who(s.leases, "10.0.0.2", 60), "provisional:10.0.0.2");
    // Rewritten: what is over goes with everything it said, what is open stays.
    assert_int_equal(lease_history_rewrite(s.history, s.leases, T0 - 60 * MIN), 0);
    struct leases *again = leases_new();
    struct lease_history *h;
    assert_int_equal(lease_history_open(path, again, true, stderr, &h), 0);
    assert_int_equal(leases_count(again), 2);
    assert_string_equal(who(again, "10.0.0.2", 60), "provisional:10.0.0.2");
    lease_history_close(h);
    leases_free(again);
    assert_int_equal(lease_history_rewrite(s.history, s.leases, T0 + 40 * MIN), 0);
    y = lease("10.0.0.4", "d", 50, 0, 50);
    lease_store_put(&s, &y); // goes on in the new file
    assert_int_equal(lease_store_sync(&s), 0);
    again = leases_new();
    assert_int_equal(lease_history_open(path, again, true, stderr, &h), 0);
    assert_string_equal(who(again, "10.0.0.2", 20), "line:b"); // ended at 45, later than 40
    assert_string_equal(who(again, "10.0.0.4", 55), "line:d");
    lease_history_close(h);
    leases_free(again);
    lease_history_close(s.history);
    leases_free(s.leases);
    unlink(path);
    rmdir(dir);
}

// ---- CGNAT

static void port_blocks_by_formula(void **state)
{
    (void)state;
    struct cgnat *c = cgnat_new();
    struct leases *l = leases_new();
    struct cgnat_formula f = {.ports = 1000, .reserved = 1024};
    char error[200];
    prefix_parse("198.51.100.0/30", &f.outside);
    prefix_parse("100.64.0.0/24", &f.inside);
    assert_int_equal(cgnat_add_formula(c, &f, error), 0);
    leases_cgnat(l, c);
    put(l, "100.64.0.0", "first", 0, 0, 0);
    put(l, "100.64.0.65", "next", 0, 0, 0);
    put(l, "100.64.0.255", "last", 0, 0, 0);
    // 64 blocks of 1,000 from 1,024 on fit below 65,536: 1024-2023 is the first address's.
    static const struct {
        const char *addr;
        uint16_t port, first;
        bool found;
    } cases[] = {
        {"198.51.100.0", 1023, 0, false},     {"198.51.100.0", 1024, 1024, true},
        {"198.51.100.0", 2023, 1024, true},   {"198.51.100.0", 2024, 2024, false},
        {"198.51.100.1", 2024, 2024, true}, // 64 + 1
        {"198.51.100.3", 65023, 64024, true}, {"198.51.100.3", 65024, 0, false},
        {"198.51.100.4", 1024, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lease_answer a = find(l, cases[i].addr, cases[i].port, 10);
        if ((a.lease != LEASES_NONE) != cases[i].found ||
            (cases[i].first && a.port_first != cases[i].first))
            fail_msg("case %zu: %u, from %u", i, a.lease, a.port_first);
    }
    assert_int_equal(find(l, "198.51.100.0", 0, 10).doubts, IDENTITY_NO_PORT);
    // More inside addresses than the pool has ports for.
    prefix_parse("100.64.0.0/16", &f.inside);
    assert_int_equal(cgnat_add_formula(c, &f, error), -EINVAL);
    assert_non_null(strstr(error, "lower ports to 3"));
    leases_free(l);
    cgnat_free(c);
}

#define NAMES_SIZE 64

static int add_name(const struct lease *lease, void *ctx)
{
    char *names = ctx;
    size_t len = strlen(names);
    snprintf(names + len, NAMES_SIZE - len, "%s ", lease->party.id);
    return 0;
}

static void port_blocks_by_table(void **state)
{
    (void)state;
    char path[] = "/tmp/test_cgnat.XXXXXX", said[256] = "";
    int fd = mkstemp(path);
    static const char lines[] = "outside,port_first,port_last,inside,start,end\n"
                                "198.51.100.1,1024,2047,100.64.0.1,,2026-01-01T11:00:00Z\n"
                                "198.51.100.1,1024,2047,100.64.0.2,2026-01-01T11:00:00Z,\n"
                                "198.51.100.1,2048,3071,100.64.0.3,,\n"
                                "198.51.100.1,3072,4095,100.64.0.1,,\n"
                                "198.51.100.1,3072,4095,100.64.0.3,,\n";
    assert_int_equal(write(fd, lines, sizeof lines - 1), sizeof lines - 1);
    struct cgnat *c = cgnat_new();
    struct leases *l = leases_new();
    struct realm realm = {0};
    assert_int_equal(cgnat_add_table(c, path, &realm, &realm, stderr), 0);
    leases_cgnat(l, c);
    put(l, "100.64.0.1", "one", 0, 0, 0);
    put(l, "100.64.0.2", "two", 0, 0, 0);
    put(l, "100.64.0.3", "three", 0, 0, 0);
    struct lease x;
    leases_get(l, find(l, "198.51.100.1", 1500, 10).lease, &x);
    assert_string_equal(x.party.id, "one");
    leases_get(l, find(l, "198.51.100.1", 1500, 70).lease, &x);
    assert_string_equal(x.party.id, "two");
    assert_int_equal(find(l, "198.51.100.1", 1500, 61).confidence, IDENTITY_AMBIGUOUS);
    assert_int_equal(find(l, "198.51.100.1", 2500, 61).confidence, IDENTITY_STALE);
    assert_int_equal(find(l, "198.51.100.1", 5000, 10).confidence, IDENTITY_UNKNOWN);
    // Two have one block: both are named.
    assert_int_equal(find(l, "198.51.100.1", 4000, 10).confidence, IDENTITY_AMBIGUOUS);
    assert_int_equal(find(l, "198.51.100.1", 4000, 10).doubts, IDENTITY_OVERLAP);
    struct ip_addr outside;
    char names[NAMES_SIZE] = "";
    assert_int_equal(ip_parse("198.51.100.1", &outside), 0);
    leases_window(l, &realm, &outside, 4000, T0, T0 + 20 * MIN, add_name, names);
    assert_string_equal(names, "one three ");
    static const char wrong[] =
        "198.51.100.1,9,8,100.64.0.1,,\n198.51.100.1,x,8,100.64.0.1,,\na,b\n";
    assert_int_equal(pwrite(fd, wrong, sizeof wrong - 1, 0), sizeof wrong - 1);
    assert_int_equal(ftruncate(fd, sizeof wrong - 1), 0);
    FILE *errors = fmemopen(said, sizeof said, "w");
    assert_int_equal(cgnat_add_table(c, path, &realm, &realm, errors), -EINVAL);
    fclose(errors);
    assert_non_null(strstr(said, ":1:16: port_first"));
    assert_non_null(strstr(said, ":2:14: port_first"));
    assert_non_null(strstr(said, ":3:1: a line is"));
    leases_free(l);
    cgnat_free(c);
    close(fd);
    unlink(path);
}

// Lines in any order, more than a run of the sort has, in two tables: each block is found, and reading goes in slices.
static void a_large_table_in_slices(void **state)
{
    (void)state;
    char path[] = "/tmp/test_cgnat.XXXXXX";
    struct realm inside = {0}, outside[2] = {{.name = "vlan:1"}, {.name = "vlan:2"}};
    struct cgnat *c = cgnat_new();
    struct cgnat_reading *r;
    for (unsigned table = 0; table < 2; table++) {
        unsigned lines = table ? 5000 : 9973, slices = 0;
        snprintf(path, sizeof path, "/tmp/test_cgnat.XXXXXX");
        FILE *f = fdopen(mkstemp(path), "w");
        for (unsigned i = 0; i < lines; i++) {
            unsigned n = i * 7919 % lines;
            fprintf(f, "198.51.%u.%u,%u,%u,100.%u.%u.%u,,\n", n / 40 / 256, n / 40 % 256,
                    1024 + n % 40 * 1000, 2023 + n % 40 * 1000, 64 + table, n / 256, n % 256);
        }
        fclose(f);
        assert_int_equal(cgnat_read_open(c, path, &outside[table], &inside, stderr, &r), 0);
        while (cgnat_read_slice(r, stderr) == 1)
            slices++;
        assert_true(slices >= lines / 2000);
        cgnat_read_close(r);
        unlink(path);
    }
    unsigned slices = 0;
    while (cgnat_sort_slice(c) == 1)
        slices++;
    assert_true(slices > 5);
    for (unsigned table = 0; table < 2; table++)
        for (unsigned n = 0; n < (table ? 5000 : 9973); n++) {
            struct cgnat_inside in;
            struct ip_addr addr = {
                .family = IP_V4,
                .octet = {198, 51, (uint8_t)(n / 40 / 256), (uint8_t)(n / 40 % 256)}};
            uint8_t want[4] = {100, (uint8_t)(64 + table), (uint8_t)(n / 256), (uint8_t)n};
            assert_int_equal(
                cgnat_find(c, &outside[table], &addr, (uint16_t)(1500 + n % 40 * 1000), T0, &in),
                CGNAT_INSIDE);
            assert_memory_equal(in.addr.octet, want, 4);
            assert_false(in.overlap || in.near_change);
        }
    cgnat_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_by_one),
        cmocka_unit_test(many_are_forgotten),
        cmocka_unit_test(history),
        cmocka_unit_test(port_blocks_by_formula),
        cmocka_unit_test(port_blocks_by_table),
        cmocka_unit_test(a_large_table_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
