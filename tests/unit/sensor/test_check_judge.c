// What `postern-sensor check` concludes: each limit from both sides, and nothing from nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "check_judge.h"
#include "path.h"

// What was seen, and what the struct only points to. A good mirror of 10,000 packets.
static struct seen {
    struct check_seen s;
    struct decap decap;
    struct stats stats;
    struct check_clock clock;
    struct ip_prefix prefix[2];
    struct conf_prefixes expected;
    bool prefix_seen[2];
} a;

static void good(uint64_t packets)
{
    memset(&a, 0, sizeof a);
    assert_int_equal(prefix_parse("10.0.0.0/8", &a.prefix[0]), 0);
    assert_int_equal(prefix_parse("2001:db8::/32", &a.prefix[1]), 0);
    a.expected = (struct conf_prefixes){.item = a.prefix, .count = 2};
    a.prefix_seen[0] = a.prefix_seen[1] = true;
    a.stats.packets = packets;
    a.stats.seen_octets = packets * 100;
    a.stats.mail_flows = packets / 100;
    a.s = (struct check_seen){.interface = "eth1",
                              .seconds = 60,
                              .link = RING_UP,
                              .mtu = 1500,
                              .decap = &a.decap,
                              .stats = &a.stats,
                              .clock = &a.clock,
                              .packets = packets,
                              .from_subscriber = packets / 2,
                              .to_subscriber = packets - packets / 2,
                              .with_subscriber = packets,
                              .expected = &a.expected,
                              .prefix_seen = a.prefix_seen,
                              .clock_synchronised = true,
                              .losses = {.card_known = true},
                              .contradiction = ""};
}

// The finding of that name; every question is answered once, and every answer but "ok" names a fix.
static struct check_finding finding_of(const char *name)
{
    struct check_finding f[CHECK_FINDINGS_MAX], found = {0};
    size_t n = check_judge(&a.s, f), times = 0;
    assert_in_range(n, 1, CHECK_FINDINGS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(f[i].name, name) == 0) {
            found = f[i];
            times++;
        }
        assert_int_equal(f[i].result == CHECK_OK, f[i].fix[0] == '\0');
        assert_true(f[i].text[0] != '\0');
    }
    if (times != 1)
        fail_msg("%s: answered %zu times", name, times);
    return found;
}

static void must_find(const char *name, enum check_result wanted, const char *says)
{
    struct check_finding f = finding_of(name);
    if (f.result != wanted)
        fail_msg("%s: result %d, not %d: %s", name, f.result, wanted, f.text);
    if (!strstr(f.text, says) && !strstr(f.fix, says))
        fail_msg("%s: does not say \"%s\": %s; %s", name, says, f.text, f.fix);
}

static void test_good(void **state)
{
    (void)state;
    struct check_finding f[CHECK_FINDINGS_MAX];
    good(10000);
    size_t n = check_judge(&a.s, f);
    for (size_t i = 0; i < n; i++)
        if (f[i].result != CHECK_OK)
            fail_msg("%s: %s", f[i].name, f[i].text);
}

static const char *const by_packets[] = {"directions", "prefixes", "layers",     "vlans",
                                         "doubled",    "slicing",  "mtu",        "clock",
                                         "declared",   "mail",     "mirror-loss"};

// Without packets nothing that only packets can show is said to be good.
static void test_idle(void **state)
{
    (void)state;
    good(0);
    a.prefix_seen[0] = a.prefix_seen[1] = false;
    for (size_t i = 0; i < sizeof by_packets / sizeof by_packets[0]; i++)
        must_find(by_packets[i], CHECK_NOT_JUDGED, "no packets");
    must_find("packets", CHECK_FAILED, "mirror session");
    must_find("link", CHECK_OK, "eth1 is up");
    must_find("drops", CHECK_OK, "0 dropped");
    a.s.clock_synchronised = false;
    must_find("clock", CHECK_WARNING, "not synchronised");
}

// A hundred packets are enough to call a mirror good, 99 are not; what is bad is bad at once.
static void test_few(void **state)
{
    (void)state;
    good(99);
    a.stats.mail_flows = 0;
    must_find("packets", CHECK_WARNING, "Look longer");
    must_find("directions", CHECK_WARNING, "look longer");
    for (size_t i = 1; i < sizeof by_packets / sizeof by_packets[0]; i++)
        must_find(by_packets[i], CHECK_NOT_JUDGED, "99 packets are too few");
    a.decap.sliced = 1;
    must_find("slicing", CHECK_FAILED, "1 packets were cut");
    a.stats.mail_flows = 1;
    must_find("mail", CHECK_OK, "1 mail");
    good(100);
    for (size_t i = 0; i < sizeof by_packets / sizeof by_packets[0]; i++)
        must_find(by_packets[i], CHECK_OK, "");
}

static void test_ends(void **state)
{
    (void)state;
    good(10000);
    a.s.to_subscriber = 200;
    a.s.from_subscriber = 9800;
    must_find("directions", CHECK_OK, "200 to them");
    a.s.to_subscriber = 199; // less than one in fifty
    a.s.from_subscriber = 9801;
    must_find("directions", CHECK_FAILED, "both directions");
    good(10000);
    a.s.alarms = COVERAGE_ONE_DIRECTION;
    must_find("directions", CHECK_FAILED, "both directions");
    good(10000);
    a.s.with_subscriber = 200;
    must_find("prefixes", CHECK_OK, "2.0 %");
    a.s.with_subscriber = 199;
    must_find("prefixes", CHECK_FAILED, "site.subscribers");
    good(10000);
    a.prefix_seen[1] = false;
    must_find("prefixes", CHECK_WARNING, "not seen: 2001:db8::/32");
}

static void test_layers(void **state)
{
    (void)state;
    good(10000);
    a.decap.skipped.total = 1;
    must_find("layers", CHECK_WARNING, "1 not opened");
    a.decap.skipped.total = 499;
    must_find("layers", CHECK_WARNING, "499");
    a.decap.skipped.total = 500; // one in twenty
    must_find("layers", CHECK_FAILED, "500");
    a.decap.skipped.total = 250;
    a.decap.no_ip = 5000; // of those that can carry IP
    must_find("layers", CHECK_FAILED, "250");
    good(200);
    a.decap.skipped.total = 19;
    must_find("layers", CHECK_WARNING, "19");
    good(10000);
    skipped_count(&a.decap.skipped, SKIPPED_ETHERTYPE, 0x88e5);
    must_find("layers", CHECK_WARNING, "mostly ethertype 0x88e5");
}

static void test_vlans(void **state)
{
    (void)state;
    good(10000);
    a.s.realm_layers = PATH_REALM_VLAN;
    must_find("vlans", CHECK_FAILED, "stripping");
    a.s.tagged[0] = true;
    a.s.vlan[0][0] = 0x81;
    a.s.vlan[0][511] = 0x80;
    must_find("vlans", CHECK_OK, "3 outer and 0 inner");
    a.s.realm_layers = PATH_REALM_QINQ;
    must_find("vlans", CHECK_FAILED, "stripping");
    a.s.tagged[1] = true;
    must_find("vlans", CHECK_OK, "");
}

static void test_mirror(void **state)
{
    (void)state;
    good(10000);
    a.stats.duplicates = 100;
    must_find("doubled", CHECK_OK, "1.0 %");
    a.stats.duplicates = 101;
    must_find("doubled", CHECK_WARNING, "once");
    a.stats.duplicates = 1000;
    must_find("doubled", CHECK_FAILED, "10.0 %");
    good(10000);
    a.decap.sliced = a.decap.cut = 99;
    must_find("slicing", CHECK_WARNING, "99 packets were cut short, before they came");
    must_find("layers", CHECK_OK, "0 not opened");
    a.decap.sliced = a.decap.cut = 100; // one in a hundred
    must_find("slicing", CHECK_FAILED, "truncation");
    a.decap.cut = 0;
    must_find("slicing", CHECK_FAILED, "sensor.snaplen");
    good(400);
    a.stats.duplicates = 49; // too few to be sure
    must_find("doubled", CHECK_WARNING, "once");
    good(10000);
    a.s.losses.oversized = 1;
    must_find("mtu", CHECK_WARNING, "gro off");
    a.stats.missing_octets = 10000;
    a.stats.seen_octets = 990000; // one in a hundred
    must_find("mirror-loss", CHECK_OK, "1.00 %");
    a.stats.missing_octets = 10001;
    must_find("mirror-loss", CHECK_FAILED, "oversubscribed");
    a.stats.missing_octets = a.stats.seen_octets = 0;
    must_find("mirror-loss", CHECK_NOT_JUDGED, "no TCP connection");
}

// Looks, each with the frames' times before it; the times are milliseconds behind T.
#define T 1000000

static void test_clock(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct {
            int64_t frame[3]; // 0 ends them
            int64_t wall, monotonic;
            bool full; // more was in the ring
        } look[3];
        int64_t behind;
        uint64_t back;
    } cases[] = {
        {"a block's wait", {{{10, 20}, 120, 100, false}, {{130}, 240, 220, false}}, 0, 0},
        {"read three seconds late", {{{10}, 3100, 3090, false}, {{3110}, 3200, 3190, false}}, 0, 0},
        {"late, and never empty",
         {{{10}, 1100, 1100, true}, {{20}, 2200, 2200, true}, {{30}, 3300, 3300, false}},
         0,
         0},
        {"a clock three seconds off",
         {{{10}, 3110, 100, false}, {{210}, 3310, 300, false}},
         3000,
         0},
        {"off the other way", {{{5000}, 100, 100, false}, {{5100}, 200, 200, false}}, -4900, 0},
        {"two processors", {{{300, 1, 301}, 320, 320, false}}, 0, 0},
        {"set back", {{{600, 1, 2}, 610, 610, false}}, 0, 2},
        {"nothing came", {{{0}, 100, 100, false}, {{0}, 5000, 100, false}}, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct check_clock c;
        check_clock_begin(&c, 0);
        for (size_t l = 0; l < 3 && cases[i].look[l].wall != 0; l++) {
            for (size_t f = 0; f < 3 && cases[i].look[l].frame[f] != 0; f++)
                check_clock_frame(&c, (T + cases[i].look[l].frame[f]) * 1000);
            check_clock_look(&c, T + cases[i].look[l].wall, cases[i].look[l].monotonic,
                             !cases[i].look[l].full);
        }
        if (c.behind_ms != cases[i].behind || c.went_back != cases[i].back)
            fail_msg("%s: %lld ms behind, %llu back", cases[i].what, (long long)c.behind_ms,
                     (unsigned long long)c.went_back);
    }
}

static void test_host(void **state)
{
    (void)state;
    static const enum ring_link links[] = {RING_DOWN, RING_NO_CARRIER, RING_GONE};
    good(10000);
    a.clock.behind_ms = -2000;
    must_find("clock", CHECK_OK, "-2000 ms");
    a.clock.behind_ms = -2001;
    must_find("clock", CHECK_FAILED, "NTP");
    a.clock.behind_ms = 2001;
    must_find("clock", CHECK_FAILED, "NTP");
    good(10000);
    a.clock.went_back = 1;
    must_find("clock", CHECK_FAILED, "1 went back");
    good(10000);
    a.s.clock_synchronised = false;
    must_find("clock", CHECK_WARNING, "not synchronised");
    a.s.losses.ring = 1;
    must_find("drops", CHECK_FAILED, "sensor.ring");
    a.s.losses = (struct ring_losses){.card = 1, .card_known = true};
    must_find("drops", CHECK_FAILED, "ethtool -G");
    a.s.losses = (struct ring_losses){0};
    must_find("drops", CHECK_WARNING, "not known");
    a.s.contradiction = "Set sensor.nat to inside.";
    must_find("declared", CHECK_FAILED, "sensor.nat");
    a.stats.mail_flows = 0;
    must_find("mail", CHECK_WARNING, "2525");
    a.s.speed_mbit = 10000;
    must_find("link", CHECK_OK, "10000 Mbit/s");
    for (size_t i = 0; i < 3; i++) {
        a.s.link = links[i];
        must_find("link", CHECK_FAILED, ring_link_text(links[i]));
    }
}

// A filter that lets nothing pass is not a mirror that sends nothing; commands name the interface.
static void test_fixes(void **state)
{
    (void)state;
    good(0);
    must_find("packets", CHECK_FAILED, "mirror session's destination");
    a.s.filter = "tcp port 25";
    must_find("packets", CHECK_FAILED, "sensor.filter lets hardly anything pass");
    good(10000);
    a.s.from_subscriber = 20;
    a.s.to_subscriber = 30;
    must_find("directions", CHECK_WARNING, "between subscribers");
    a.s.with_subscriber = 50;
    must_find("directions", CHECK_WARNING, "Name the subscribers' networks");
    good(10000);
    a.s.filter = "tcp port 25";
    must_find("packets", CHECK_OK, "10000 packets");
    a.s.losses.oversized = 1;
    must_find("mtu", CHECK_WARNING, "ethtool -K eth1 gro off lro off");
    a.s.losses.card = 1;
    must_find("drops", CHECK_FAILED, "(ethtool -G eth1 rx N)");
    a.s.link = RING_DOWN;
    must_find("link", CHECK_FAILED, "(ip link set eth1 up)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixes), cmocka_unit_test(test_good),   cmocka_unit_test(test_idle),
        cmocka_unit_test(test_few),   cmocka_unit_test(test_ends),   cmocka_unit_test(test_layers),
        cmocka_unit_test(test_vlans), cmocka_unit_test(test_mirror), cmocka_unit_test(test_clock),
        cmocka_unit_test(test_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
