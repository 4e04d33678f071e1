// DHCP servers' lease files: Kea's and ISC's, fed split at every octet, and followed while they are rewritten.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "common/timefmt.h"
#include "dhcp_follow.h"
#include "dhcp_isc.h"
#include "dhcp_kea.h"
#include "scratch.h"

#define T0 INT64_C(1767261600) // 2026-01-01T10:00:00Z

// ---- What a file says, as text

struct said {
    char text[4096];
    size_t len;
};

static int say(const struct dhcp_lease *d, void *ctx)
{
    struct said *s = ctx;
    char prefix[PREFIX_TEXT_MAX], remote[300] = "-", circuit[300] = "-", client[300] = "-";
    dhcp_id_text(&d->remote_id, remote, sizeof remote);
    dhcp_id_text(&d->circuit_id, circuit, sizeof circuit);
    dhcp_id_text(&d->client_id, client, sizeof client);
    int n = snprintf(s->text + s->len, sizeof s->text - s->len, "%s %lld+%lld %s%s%02x %s %s %s\n",
                     prefix_format(&d->prefix, prefix), (long long)(d->seen_ms / 1000 - T0),
                     d->end_ms ? (long long)((d->end_ms - d->seen_ms) / 1000) : -1,
                     d->ended ? "ended " : "", d->dropped ? "dropped " : "",
                     d->has_mac ? d->mac[5] : 0, remote, circuit, client);
    s->len += (size_t)n;
    return 0;
}

static const char kea4[] =
    "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,"
    "user_context,pool_id\n"
    "10.0.0.1,02:00:5e:10:00:01,01:02:00:5e:10:00:01,3600,1767265200,1,0,0,host&#x2cone,0,,0\n"
    "10.0.0.2,02:00:5e:10:00:02,,3600,1767265200,1,0,0,,0,"
    "{ \"ISC\": { \"relay-agent-info\": { \"sub-options\": \"0x01026331020372616E\"&#x2c "
    "\"remote-id\": \"72616E\" } } },0\n"
    "10.0.0.3,02:00:5e:10:00:03,,3600,1767265200,1,0,0,,0,"
    "{ \"ISC\": { \"relay-agent-info\": \"0x0106020304050607\" } },0\n"
    "10.0.0.1,02:00:5e:10:00:01,01:02:00:5e:10:00:01,3600,1767267000,1,0,0,,0,,0\n"
    "10.0.0.4,02:00:5e:10:00:04,,4294967295,4294967296,1,0,0,,0,,0\n"
    "10.0.0.5,,,3600,1767265200,1,0,0,,1,,0\n"
    "10.0.0.6,02:00:5e:10:00:06,,3600,1767261600,1,0,0,,2,,0\n"
    "10.0.0.2,02:00:5e:10:00:02,,0,1767261600,1,0,0,,0,,0\n"
    "10.0.0.999,02:00:5e:10:00:06,,3600,1767261600,1,0,0,,2,,0\n"
    "10.0.0.7,02:00:5e:10:00:06,,later,1767261600,1,0,0,,2,,0\n"
    "\n";

static const char kea4_says[] = "10.0.0.1 0+3600 01 - - 0x0102005e100001\n"
                                "10.0.0.2 0+3600 02 ran c1 -\n"
                                "10.0.0.3 0+3600 03 - 02:03:04:05:06:07 -\n"
                                "10.0.0.1 1800+3600 01 - - 0x0102005e100001\n"
                                "10.0.0.4 -1767261599+-1 04 - - -\n"
                                "10.0.0.6 -3600+3600 ended 06 - - -\n"
                                "10.0.0.2 0+0 dropped 02 - - -\n";

// An older version's columns, and another order of them.
static const char kea6[] =
    "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_"
    "fwd,"
    "fqdn_rev,hostname,hwaddr,state,user_context\n"
    "2001:db8::7,00:03:00:01:02:00:5e:10:00:07,3600,1767265200,1,3000,0,1,128,0,0,,,0,\n"
    "2001:db8:7::,00:03:00:01:02:00:5e:10:00:07,3600,1767265200,1,3000,2,1,56,0,0,,,0,"
    "{ \"ISC\": { \"relay-info\": [ { \"hop\": 1&#x2c \"options\": \"0x0025000600000DE96F66\" "
    "}&#x2c "
    "{ \"hop\": 0&#x2c \"options\": \"0x0012000263310025000700000de9616263\" } ] } }\n"
    "2001:db8:8::,00:01,3600,1767265200,1,3000,2,1,129,0,0,,,0,\n";

static const char kea6_says[] = "2001:db8::7 0+3600 07 - - 0x0003000102005e100007\n"
                                "2001:db8:7::/56 0+3600 07 abc c1 0x0003000102005e100007\n";

static const char isc[] =
    "# The format of this file is documented in the dhcpd.leases(5) manual page.\n"
    "authoring-byte-order little-endian;\n"
    "server-duid \"\\000\\001\\000\\001\";\n"
    "failover peer \"x\" state { my state normal at 4 2026/01/01 10:00:00; }\n"
    "lease 10.0.0.1 {\n"
    "  starts 4 2026/01/01 10:00:00;\n  ends 4 2026/01/01 11:00:00;\n"
    "  cltt 4 2026/01/01 10:00:00;\n  binding state active;\n  next binding state free;\n"
    "  hardware ethernet 02:00:5e:10:00:01;\n  uid \"\\001\\002\\000^\\020\\000\\001\";\n"
    "  option agent.circuit-id \"c\\\"1\";\n  option agent.remote-id 2:0:5e:0:0:9;\n"
    "  set vendor = \"x; }\";\n  client-hostname \"h{\";\n"
    "  on expiry { set x = \"1\"; execute(\"a\", \"b\"); }\n}\n"
    "lease 10.0.0.2 {\n  starts epoch 1767261600; # Thu Jan  1\n  ends never;\n"
    "  binding state active;\n  hardware ethernet 02:00:5e:10:00:02;\n}\n"
    "lease 10.0.0.1 {\n  starts 4 2026/01/01 10:00:00;\n  ends 4 2026/01/01 10:20:00;\n"
    "  cltt 4 2026/01/01 10:00:00;\n  binding state free;\n"
    "  hardware ethernet 02:00:5e:10:00:01;\n  option agent.remote-id 2:0:5e:0:0:9;\n}\n"
    "lease 10.0.0.300 {\n  starts epoch 1767261600;\n  ends never;\n}\n"
    "lease 10.0.0.4 {\n  starts 4 2026/13/01 10:00:00;\n}\n"
    "ia-na \"\\001\\000\\000\\000\\000\\003\\000\\001\\002\\000^\\020\\000\\007\" {\n"
    "  cltt 4 2026/01/01 10:00:00;\n"
    "  iaaddr 2001:db8::7 {\n    binding state active;\n    preferred-life 375;\n"
    "    max-life 600;\n    ends 4 2026/01/01 10:10:00;\n    set remote-id = \"line 7\";\n  }\n}\n"
    "ia-pd \"\\001\\000\\000\\000\\000\\003\\000\\001\\002\\000^\\020\\000\\007\" {\n"
    "  cltt 4 2026/01/01 10:00:00;\n"
    "  iaprefix 2001:db8:7::/56 {\n    binding state expired;\n    ends 4 2026/01/01 10:10:00;\n"
    "  }\n}\n";

static const char isc_says[] = "10.0.0.1 0+3600 01 02:00:5e:00:00:09 c\"1 0x0102005e100001\n"
                               "10.0.0.2 0+-1 02 - - -\n"
                               "10.0.0.1 0+1200 ended 01 02:00:5e:00:00:09 - -\n"
                               "2001:db8::7 0+600 07 line 7 - 0x0003000102005e100007\n"
                               "2001:db8:7::/56 0+600 ended 07 - - 0x0003000102005e100007\n";

static void check_kea(const char *text, const char *says, uint64_t broken)
{
    size_t len = strlen(text);
    for (size_t cut = 0; cut <= len; cut++) {
        struct said s = {.len = 0};
        struct dhcp_kea *k = dhcp_kea_new(say, &s);
        assert_int_equal(dhcp_kea_feed(k, span_of(text, cut)), 0);
        assert_int_equal(dhcp_kea_feed(k, span_of(text + cut, len - cut)), 0);
        assert_string_equal(s.text, says);
        assert_int_equal(dhcp_kea_broken(k), broken);
        dhcp_kea_free(k);
    }
}

static void keas_columns(void **state)
{
    (void)state;
    check_kea(kea4, kea4_says, 2);
    check_kea(kea6, kea6_says, 1);
    // Not Kea's at all.
    check_kea("hello\nworld\n", "", 2);
}

static void keas_longest_line(void **state)
{
    (void)state;
    struct said s = {.len = 0};
    struct dhcp_kea *k = dhcp_kea_new(say, &s);
    dhcp_kea_feed(k, span_of_text(kea4));
    size_t before = s.len;
    for (int i = 0; i < 20000; i++)
        dhcp_kea_feed(k, span_of_text("x"));
    dhcp_kea_feed(k, span_of_text("\n10.0.0.9,02:00:5e:10:00:09,,3600,1767265200,1,0,0,,0,,0\n"));
    assert_string_equal(s.text + before, "10.0.0.9 0+3600 09 - - -\n");
    assert_int_equal(dhcp_kea_broken(k), 3);
    dhcp_kea_free(k);
}

static void iscs_blocks(void **state)
{
    (void)state;
    size_t len = strlen(isc);
    for (size_t cut = 0; cut <= len; cut++) {
        struct said s = {.len = 0};
        struct dhcp_isc *d = dhcp_isc_new(say, &s);
        assert_int_equal(dhcp_isc_feed(d, span_of(isc, cut)), 0);
        assert_int_equal(dhcp_isc_feed(d, span_of(isc + cut, len - cut)), 0);
        assert_string_equal(s.text, isc_says);
        assert_int_equal(dhcp_isc_broken(d), 2);
        dhcp_isc_free(d);
    }
}

// ---- Followed

struct fixture {
    char dir[SCRATCH_MAX], path[80];
    struct leases *leases;
    struct lease_store store;
    struct dhcp_counts counts;
    struct dhcp_follow *follow;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_int_equal(scratch_make(f->dir), 0);
    snprintf(f->path, sizeof f->path, "%s/leases", f->dir);
    f->store.leases = leases_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    scratch_remove(f->dir);
    dhcp_follow_free(f->follow);
    leases_free(f->store.leases);
    free(f);
    return 0;
}

static void follow(struct fixture *f, enum dhcp_format format)
{
    struct dhcp_naming naming = {.source = format == DHCP_KEA ? LEASE_DHCP_KEA : LEASE_DHCP_ISC,
                                 .pop = "north",
                                 .network_class = "",
                                 .server = "test"};
    f->follow = dhcp_follow_new(f->path, format, &naming, &f->store, &f->counts);
}

static void write_file(const struct fixture *f, const char *suffix, const char *mode,
                       const char *text)
{
    char path[96];
    snprintf(path, sizeof path, "%s%s", f->path, suffix);
    FILE *out = fopen(path, mode);
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static const char *who(const struct fixture *f, const char *addr, int64_t s, uint8_t *confidence)
{
    static char text[PARTY_TEXT_MAX];
    struct realm realm = {0};
    struct ip_prefix p;
    assert_int_equal(prefix_parse(addr, &p), 0);
    struct lease_answer a = leases_find(f->store.leases, &realm, &p.addr, 0, 1000 * (T0 + s));
    struct subscriber_key key = subscriber_key_of(&realm, &p);
    struct identity id = leases_identity(f->store.leases, &a, &key);
    if (confidence)
        *confidence = id.confidence;
    return party_format(&id.party, text);
}

#define HEAD4 \
    "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state\n"

static void kea_appends_and_cleans_up(void **state)
{
    struct fixture *f = *state;
    uint8_t c;
    follow(f, DHCP_KEA);
    assert_int_equal(dhcp_follow_read_all(f->follow, 0), -ENOENT);
    // What a cleanup left beside it is older.
    write_file(f, ".2", "w", HEAD4 "10.0.0.9,02:00:5e:10:00:09,,3600,1767265200,1,0,0,,0\n");
    write_file(f, "", "w", HEAD4 "10.0.0.1,02:00:5e:10:00:01,,3600,1767265200,1,0,0,,0\n");
    assert_int_equal(dhcp_follow_read_all(f->follow, 0), 0);
    assert_string_equal(who(f, "10.0.0.9", 60, NULL), "line:02:00:5e:10:00:09");
    assert_string_equal(who(f, "10.0.0.1", 3599, &c), "line:02:00:5e:10:00:01");
    assert_int_equal(c, IDENTITY_CERTAIN);
    assert_string_equal(who(f, "10.0.0.1", 3600, NULL), "provisional:10.0.0.1");
    // Renewed half-way, a line written in two parts.
    write_file(f, "", "a", "10.0.0.1,02:00:5e:10:00:01,,3600,176726");
    assert_int_equal(dhcp_follow_poll(f->follow, 1000 * (T0 + 1801)), 0);
    write_file(f, "", "a", "7000,1,0,0,,0\n");
    assert_int_equal(dhcp_follow_poll(f->follow, 1000 * (T0 + 1801)), 0);
    assert_string_equal(who(f, "10.0.0.1", 5000, &c), "line:02:00:5e:10:00:01");
    assert_int_equal(leases_count(f->store.leases), 2); // one lease, renewed
    // Kea moves its file away and begins another; a release says no time: it is now.
    char old[96];
    snprintf(old, sizeof old, "%s.1", f->path);
    assert_int_equal(rename(f->path, old), 0);
    assert_int_equal(dhcp_follow_poll(f->follow, 1000 * (T0 + 2000)), 0);
    write_file(f, "", "w", HEAD4 "10.0.0.1,02:00:5e:10:00:01,,0,1767263400,1,0,0,,0\n");
    assert_int_equal(dhcp_follow_poll(f->follow, 1000 * (T0 + 2400)), 0);
    assert_string_equal(who(f, "10.0.0.1", 2399, NULL), "line:02:00:5e:10:00:01");
    assert_string_equal(who(f, "10.0.0.1", 2401, NULL), "provisional:10.0.0.1");
    // Another gets it: near the change nobody is named, then the new one.
    write_file(f, "", "a", "10.0.0.1,02:00:5e:10:00:02,,3600,1767267600,1,0,0,,0\n");
    assert_int_equal(dhcp_follow_poll(f->follow, 1000 * (T0 + 2402)), 0);
    assert_string_equal(who(f, "10.0.0.1", 2402, &c), "provisional:10.0.0.1");
    assert_int_equal(c, IDENTITY_AMBIGUOUS);
    assert_string_equal(who(f, "10.0.0.1", 2600, NULL), "line:02:00:5e:10:00:02");
    assert_int_equal(f->counts.broken, 0);
}

static void isc_rewrites_its_file(void **state)
{
    struct fixture *f = *state;
    follow(f, DHCP_ISC);
    write_file(f, "", "w",
               "lease 10.0.0.1 { starts epoch 1767261600; ends epoch 1767265200; binding state "
               "active; hardware ethernet 02:00:5e:10:00:01; }\n");
    assert_int_equal(dhcp_follow_read_all(f->follow, 0), 0);
    char old[96];
    snprintf(old, sizeof old, "%s~", f->path);
    rename(f->path, old);
    write_file(f, "", "w",
               "lease 10.0.0.1 { starts epoch 1767263400; ends epoch 1767267000; binding state "
               "active; hardware ethernet 02:00:5e:10:00:01; }\nlease 10.0.0.2 { starts epoch 17");
    assert_int_equal(dhcp_follow_poll(f->follow, 1000 * (T0 + 1801)), 0);
    assert_string_equal(who(f, "10.0.0.1", 5000, NULL), "line:02:00:5e:10:00:01");
    assert_int_equal(leases_count(f->store.leases), 1);
    write_file(f, "", "a", "67263400; ends epoch 1767267000; uid \"two\"; }\n");
    assert_int_equal(dhcp_follow_poll(f->follow, 1000 * (T0 + 1802)), 0);
    assert_string_equal(who(f, "10.0.0.2", 1900, NULL), "line:two");
    // Cut in place: read from its beginning again.
    write_file(f, "", "w",
               "lease 10.0.0.3 { starts epoch 1767263400; ends epoch 1767267000; uid \"three\"; }");
    assert_int_equal(dhcp_follow_poll(f->follow, 1000 * (T0 + 1803)), 0);
    assert_string_equal(who(f, "10.0.0.3", 1900, NULL), "line:three");
}

static void what_names_the_line(void **state)
{
    (void)state;
    static const struct {
        enum dhcp_party party;
        const char *says;
    } cases[] = {
        {DHCP_PARTY_AUTO, "line:ran"},
        {DHCP_PARTY_REMOTE_ID, "line:ran"},
        {DHCP_PARTY_CIRCUIT_ID, "line:c1"},
        {DHCP_PARTY_MAC, "line:02:00:5e:10:00:02"},
        {DHCP_PARTY_CLIENT_ID, "provisional:10.0.0.2"}, // none was told
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *again = NULL;
        setup(&again);
        struct fixture *f = again;
        struct dhcp_naming naming = {.source = LEASE_DHCP_KEA,
                                     .party = cases[i].party,
                                     .pop = "",
                                     .network_class = "",
                                     .server = ""};
        struct dhcp_lease d = {.seen_ms = 1000 * (int64_t)T0,
                               .end_ms = 1000 * (int64_t)(T0 + 3600),
                               .has_mac = true,
                               .mac = {2, 0, 0x5e, 0x10, 0, 2},
                               .remote_id = {.len = 3, .octet = "ran"},
                               .circuit_id = {.len = 2, .octet = "c1"}};
        prefix_parse("10.0.0.2", &d.prefix);
        assert_int_equal(dhcp_apply(&f->store, &naming, &d, 0, &f->counts), 0);
        assert_string_equal(who(f, "10.0.0.2", 60, NULL), cases[i].says);
        assert_int_equal(f->counts.no_party, cases[i].party == DHCP_PARTY_CLIENT_ID);
        teardown(&again);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keas_columns),  cmocka_unit_test(keas_longest_line),
        cmocka_unit_test(iscs_blocks),   cmocka_unit_test(what_names_the_line),
        TEST(kea_appends_and_cleans_up), TEST(isc_rewrites_its_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
