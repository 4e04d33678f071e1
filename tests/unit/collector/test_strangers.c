// Places for who has not said who it is, and what the log and the status say of those that were sent away.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "places.h"
#include "sources.h"

#define T0 INT64_C(1795326720000)

static size_t held(const struct places *p, uint64_t source)
{
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++)
        n += p->item[i].used && p->item[i].source == source;
    return n;
}

static void the_oldest_of_a_source_goes_first(void **state)
{
    struct places p;
    bool used;
    (void)state;
    assert_int_equal(places_init(&p, 8, 4, 3), 0);
    size_t first = places_take(&p, 7, false, &used);
    assert_false(used);
    places_take(&p, 7, false, &used);
    places_take(&p, 7, false, &used);
    assert_false(used);
    assert_int_equal(places_take(&p, 7, false, &used), first);
    assert_true(used);
    assert_int_equal(held(&p, 7), 3);
    places_leave(&p, first);
    assert_int_equal(held(&p, 7), 2);
    places_fini(&p);
    // Who has said something stays for longer than who has not.
    assert_int_equal(places_init(&p, 8, 4, 3), 0);
    first = places_take(&p, 7, false, &used);
    places_spoke(&p, first);
    for (int i = 0; i < 50; i++)
        assert_int_not_equal(places_take(&p, 7, false, &used), first);
    places_fini(&p);
}

// However many strangers from however many addresses: they have their share, and a known source finds a place that none of
// them has.
static void a_known_source_finds_a_place(void **state)
{
    struct places p;
    bool used;
    (void)state;
    assert_int_equal(places_init(&p, 8, 4, 3), 0);
    for (uint64_t source = 100; source < 1000; source++)
        places_take(&p, source, false, &used);
    size_t strangers = 0;
    for (size_t i = 0; i < p.count; i++)
        strangers += p.item[i].used;
    assert_int_equal(strangers, 8);
    assert_int_equal(held(&p, 999), 1);
    assert_int_equal(held(&p, 991), 0); // the eight last are there
    for (uint64_t source = 1; source <= 4; source++) {
        places_take(&p, source, true, &used);
        assert_false(used);
    }
    for (uint64_t source = 1000; source < 2000; source++)
        places_take(&p, source, false, &used);
    for (uint64_t source = 1; source <= 4; source++)
        assert_int_equal(held(&p, source), 1);
    // More known ones than places are kept for: a stranger goes, not a sensor.
    places_take(&p, 5, true, &used);
    assert_true(used);
    for (uint64_t source = 1; source <= 5; source++)
        assert_int_equal(held(&p, source), 1);
    places_fini(&p);
}

static void sources_are_addresses_and_networks_of_ipv6(void **state)
{
    static const struct {
        const char *a, *b, *text;
        bool same;
    } cases[] = {
        {"192.0.2.7", "192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.8", "192.0.2.8", false},
        {"2001:db8::1", "2001:db8::ffff:1", "2001:db8::/64", true},
        {"2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:1::/64", false},
        {"::1", "0.0.0.0", "0.0.0.0", false},
        {"::192.0.2.7", "192.0.2.7", "192.0.2.7", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ip_addr a, b;
        char text[SOURCE_TEXT_MAX];
        assert_int_equal(ip_parse(cases[i].a, &a), 0);
        assert_int_equal(ip_parse(cases[i].b, &b), 0);
        uint64_t first = source_of(&a, text), second = source_of(&b, text);
        assert_int_equal(first == second, cases[i].same);
        assert_string_equal(text, cases[i].text);
        assert_int_not_equal(first, 0);
    }
}

struct lines {
    unsigned count;
    char last[400];
};

static void say(void *ctx, const char *line)
{
    struct lines *l = ctx;
    l->count++;
    snprintf(l->last, sizeof l->last, "%s", line);
}

static void a_source_has_a_line_a_minute(void **state)
{
    struct lines l = {0};
    struct sources *s = sources_new(say, &l);
    (void)state;
    for (int i = 0; i < 600; i++)
        sources_refuse(s, "192.0.2.7", SOURCE_certificate, 1, "no certificate", T0 + i * 10);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.last, "192.0.2.7: no certificate");
    sources_tick(s, T0 + 59000);
    assert_int_equal(l.count, 1);
    sources_tick(s, T0 + 61000);
    assert_int_equal(l.count, 2);
    assert_non_null(strstr(l.last, "and 599 more"));
    sources_tick(s, T0 + 200000);
    assert_int_equal(l.count, 2);
    assert_int_equal(sources_count(s, "192.0.2.7", SOURCE_certificate), 600);
    sources_free(s);
}

// Thousands of addresses: the log gets a few lines a minute, the table keeps its size, and the sums are whole.
static void thousands_of_sources_are_bounded(void **state)
{
    struct lines l = {0};
    struct sources *s = sources_new(say, &l);
    char who[40];
    (void)state;
    sources_refuse(s, "exporter", SOURCE_set, 12, "a broken set", T0 - 1000);
    for (int i = 0; i < 5000; i++) {
        snprintf(who, sizeof who, "10.0.%d.%d", i / 250, i % 250);
        sources_refuse(s, who, i % 2 ? SOURCE_no_tls : SOURCE_gave_way, 1, NULL, T0 + i);
        sources_tick(s, T0 + i);
    }
    assert_in_range(l.count, 10, SOURCES_LINES + 1);
    for (int64_t t = 0; t < 600; t++)
        sources_tick(s, T0 + 5000 + t * 1000);
    assert_in_range(l.count, 100, 11 * SOURCES_LINES + 1);
    assert_int_equal(sources_total(s, SOURCE_no_tls) + sources_total(s, SOURCE_gave_way), 5000);
    // Who brought records is not forgotten for them.
    assert_int_equal(sources_count(s, "exporter", SOURCE_set), 12);
    struct control_status *status = control_status_new("test");
    sources_status(s, status);
    json_t *doc = control_status_json(status), *p;
    char *line = json_canonical(doc);
    assert_true(strlen(line) < 20000);
    size_t i;
    unsigned others = 0, exporter = 0;
    json_array_foreach (json_object_get(doc, "problems"), i, p) {
        const char *text = json_string_value(json_object_get(p, "text"));
        others += strncmp(text, "others: ", 8) == 0; // the most refused: first
        exporter += strcmp(text, "exporter: 12 times broken sets and templates") == 0;
    }
    assert_int_equal(others, 1);
    assert_int_equal(exporter, 1);
    free(line);
    json_decref(doc);
    control_status_free(status);
    sources_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_of_a_source_goes_first),
        cmocka_unit_test(a_known_source_finds_a_place),
        cmocka_unit_test(sources_are_addresses_and_networks_of_ipv6),
        cmocka_unit_test(a_source_has_a_line_a_minute),
        cmocka_unit_test(thousands_of_sources_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
