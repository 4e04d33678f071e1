// The collector's small tables: sequences, flows, destinations, providers, the watermark's clocks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "actives.h"
#include "common/control.h"
#include "common/hash.h"
#include "destinations.h"
#include "flowmap.h"
#include "provider.h"
#include "seen.h"
#include "sequence.h"
#include "watermark.h"

// ---- Sequences

static enum sequence_result take(struct sequence_table *t, uint32_t domain, uint64_t epoch,
                                 uint64_t sequence)
{
    struct record_id id = {domain, epoch, sequence};
    return sequence_take(t, &id);
}

static void sequences(void **state)
{
    (void)state;
    struct sequence_table *t = sequence_new();
    for (uint64_t i = 1; i <= 3000; i++)
        assert_int_equal(take(t, 1, 10, i), SEQUENCE_NEW);
    assert_int_equal(take(t, 1, 10, 3000), SEQUENCE_REPEAT);
    assert_int_equal(take(t, 1, 10, 3000 - 1023), SEQUENCE_REPEAT);
    assert_int_equal(take(t, 1, 10, 3000 - 1024), SEQUENCE_OLD);
    assert_int_equal(take(t, 1, 10, 0), SEQUENCE_OLD);
    // Others have numbers of their own.
    assert_int_equal(take(t, 2, 10, 1), SEQUENCE_NEW);
    assert_int_equal(take(t, 1, 11, 1), SEQUENCE_NEW);
    // A gap, part of which comes late.
    assert_int_equal(take(t, 1, 11, 6), SEQUENCE_NEW);
    assert_int_equal(sequence_missing(t, 1), 4);
    assert_int_equal(take(t, 1, 11, 3), SEQUENCE_NEW);
    assert_int_equal(take(t, 1, 11, 3), SEQUENCE_REPEAT);
    assert_int_equal(sequence_missing(t, 1), 3);
    assert_int_equal(sequence_missing(t, 2), 0);
    // The epoch before is still known; when four later ones were, it no longer is.
    assert_int_equal(take(t, 1, 10, 3001), SEQUENCE_NEW);
    for (uint64_t e = 12; e <= 15; e++)
        assert_int_equal(take(t, 1, e, 1), SEQUENCE_NEW);
    assert_int_equal(take(t, 1, 10, 3002), SEQUENCE_OLD);
    const struct sequence_stats *s = sequence_stats(t);
    assert_int_equal(s->gaps, 1);
    assert_int_equal(s->missing, 3);
    assert_int_equal(s->filled, 1);
    // A wild number costs only its own domain.
    assert_int_equal(take(t, 3, 1, UINT64_MAX), SEQUENCE_NEW);
    assert_int_equal(take(t, 3, 1, 5), SEQUENCE_OLD);
    assert_int_equal(take(t, 2, 10, 2), SEQUENCE_NEW);
    sequence_free(t);
}

static void too_many_domains(void **state)
{
    (void)state;
    struct sequence_table *t = sequence_new();
    for (uint32_t d = 0; d < SEQUENCE_DOMAINS_MAX; d++)
        assert_int_equal(take(t, d * 7919, 1, 1), SEQUENCE_NEW);
    assert_int_equal(take(t, 1, 1, 1), SEQUENCE_FULL);
    assert_int_equal(take(t, 7919, 1, 1), SEQUENCE_REPEAT);
    sequence_free(t);
}

// ---- Flows

static void count_end(struct flow *f, void *ctx)
{
    uint64_t *sum = ctx;
    *sum = *sum * 100 + f->hash;
}

static void flows(void **state)
{
    (void)state;
    uint64_t ended = 0;
    struct flowmap *m = flowmap_new(4, count_end, &ended);
    for (uint64_t h = 1; h <= 4; h++)
        flowmap_put(m, &(struct flow){.hash = h, .last_ms = (int64_t)h});
    flowmap_touch(m, flowmap_find(m, 1), 10); // 2 is now the oldest
    flowmap_put(m, &(struct flow){.hash = 5, .last_ms = 11});
    assert_int_equal(ended, 2);
    assert_null(flowmap_find(m, 2));
    assert_int_equal(flowmap_evicted(m), 1);
    flowmap_drop(m, flowmap_find(m, 3));
    assert_int_equal(flowmap_count(m), 3);
    flowmap_expire(m, 11); // 4 and 1, the older first
    assert_int_equal(ended, 20401);
    assert_int_equal(flowmap_count(m), 1);
    assert_non_null(flowmap_find(m, 5));
    for (uint64_t h = 100; h < 1000; h++) {
        flowmap_put(m, &(struct flow){.hash = h, .last_ms = (int64_t)h});
        assert_non_null(flowmap_find(m, h));
    }
    assert_int_equal(flowmap_count(m), 4);
    flowmap_free(m);
}

// ---- Subscribers

static struct subscriber_key key(unsigned n)
{
    struct realm realm = {.name = ""};
    struct ip_prefix p = {
        .addr = {.family = IP_V4, .octet = {10, 0, (uint8_t)(n >> 8), (uint8_t)n}}, .len = 32};
    return subscriber_key_of(&realm, &p);
}

static struct active *get(struct actives *t, unsigned n, uint32_t lease, int64_t t_ms, bool *is_new)
{
    struct subscriber_key k = key(n);
    struct lease_answer a = {.lease = lease, .confidence = IDENTITY_CERTAIN};
    return actives_get(t, &k, &a, t_ms, is_new);
}

static void subscribers(void **state)
{
    (void)state;
    struct acc_limits limits = {.digests_max = 4};
    struct actives *t = actives_new(4000);
    bool is_new;
    for (unsigned n = 0; n < 4000; n++) {
        get(t, n, 0, n * 1000, &is_new);
        assert_true(is_new);
    }
    struct active *seven = get(t, 7, 0, 4000000, &is_new);
    assert_false(is_new);
    // Another lease, and a doubtful one, are others.
    struct active *leased = get(t, 7, 3, 4000000, &is_new);
    assert_true(is_new);
    assert_ptr_not_equal(seven, leased);
    // A full table gives up the oldest that holds nothing open; 7 was heard of since.
    assert_int_equal(actives_count(t), 4000);
    assert_int_equal(actives_evicted(t), 1);
    get(t, 0, 0, 4000000, &is_new);
    assert_true(is_new);
    get(t, 7, 0, 4000000, &is_new);
    assert_false(is_new);
    // Who holds something open stays, however old.
    get(t, 10, 0, 4000000 - 60000, &is_new)->flows = 1;
    actives_expire(t, 3990000);
    assert_int_equal(actives_count(t), 4000 - 3990 + 4); // 0, 7 twice, 10
    get(t, 10, 0, 4000000, &is_new);
    assert_false(is_new);
    get(t, 11, 0, 4000000, &is_new);
    assert_true(is_new);
    actives_free(t, &limits);
}

static void nobody_can_go(void **state)
{
    (void)state;
    struct acc_limits limits = {.digests_max = 4};
    struct actives *t = actives_new(2);
    bool is_new;
    get(t, 1, 0, 1, &is_new)->flows = 1;
    get(t, 2, 0, 1, &is_new)->flows = 1;
    assert_null(get(t, 3, 0, 1, &is_new));
    assert_int_equal(actives_refused(t), 1);
    actives_free(t, &limits);
}

// ---- Destinations

static void destinations(void **state)
{
    (void)state;
    struct destinations d = {0};
    int64_t minute = 29000000;
    for (uint64_t i = 0; i < 150; i++)
        assert_true(destinations_meet(&d, hash_number(HASH_ADDRESS, i), minute));
    unsigned forgotten = 0;
    for (uint64_t i = 0; i < 150; i++)
        forgotten += destinations_meet(&d, hash_number(HASH_ADDRESS, i), minute + 30);
    assert_in_range(forgotten, 0, 3); // a set that forgets a little is good enough
    // An hour after they were last met they are new.
    assert_false(destinations_meet(&d, hash_number(HASH_ADDRESS, 7), minute + 89));
    assert_true(destinations_meet(&d, hash_number(HASH_ADDRESS, 8), minute + 90));
    assert_false(destinations_meet(&d, hash_number(HASH_ADDRESS, 7), minute + 148));
    // However many: the table stays at its size.
    for (uint64_t i = 0; i < 5000; i++)
        assert_true(destinations_meet(&d, hash_number(HASH_ADDRESS, 1000 + i), minute + 150));
    assert_int_equal(d.cap, DESTINATIONS_MAX);
    destinations_clear(&d);
}

// ---- Providers

static int load(const char *text, char *said, size_t size, struct network_file **out)
{
    char path[] = "/tmp/test_provider.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    FILE *errors = fmemopen(said, size, "w");
    int rc = network_file_load(path, errors, out);
    fclose(errors);
    unlink(path);
    return rc;
}

static void providers(void **state)
{
    (void)state;
    char said[512] = "";
    struct network_file *t;
    assert_int_equal(load("# prefix asn\n192.0.2.0/24 64496\n\n192.0.2.128/25\tAS64497 # half\r\n"
                          "2001:db8::/32 64498 de # with its country\n",
                          said, sizeof said, &t),
                     0);
    static const struct {
        const char *addr, *sni;
        enum minute_provider kind;
        uint32_t asn;
    } cases[] = {
        {"192.0.2.1", "", MINUTE_PROVIDER_ASN, 64496},
        {"192.0.2.200", "", MINUTE_PROVIDER_ASN, 64497},
        {"2001:db8::1", "", MINUTE_PROVIDER_ASN, 64498},
        {"198.51.100.1", "", MINUTE_PROVIDER_NETWORK, 0},
        {"192.0.2.1", "example.org", MINUTE_PROVIDER_SNI, 64496},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ip_addr a;
        ip_parse(cases[i].addr, &a);
        struct provider p = provider_of(t, &a, cases[i].sni);
        assert_int_equal(p.kind, cases[i].kind);
        assert_int_equal(provider_asn(t, &a), cases[i].asn);
        if (p.kind == MINUTE_PROVIDER_ASN)
            assert_true(p.hash == hash_number(HASH_ASN, cases[i].asn));
    }
    struct ip_addr a;
    ip_parse("2001:db8::1", &a);
    assert_string_equal(network_file_find(t, &a)->country, "DE");
    ip_parse("192.0.2.1", &a);
    assert_string_equal(network_file_find(t, &a)->country, "");
    network_file_free(t);
}

static void wrong_provider_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *where;
    } cases[] = {
        {"192.0.2.0/24\n", ":1:13: no AS number"},
        {"192.0.2.1/24 64496\n", ":1:1: no prefix"},
        {"192.0.2.0/24 64496\n\n  nonsense 1\n", ":3:3: no prefix"},
        {"192.0.2.0/24 0\n", ":1:14: no AS number"},
        {"192.0.2.0/24 4294967296\n", ":1:14: no AS number"},
        {"192.0.2.0/24 64496 more\n", ":1:20: no country"},
        {"192.0.2.0/24 64496 D1\n", ":1:20: no country"},
        {"192.0.2.0/24 64496 DE more\n", ":1:23: more than"},
        {"192.0.2.0/24 64496x\n", ":1:14: no AS number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char said[512] = "";
        struct network_file *t;
        assert_int_equal(load(cases[i].text, said, sizeof said, &t), -EINVAL);
        if (!strstr(said, cases[i].where))
            fail_msg("case %zu: %s", i, said);
    }
}

// ---- The watermark

static enum watermark_result second(struct watermark *w, int process, int64_t t_ms, bool last)
{
    struct coverage c = {.t_ms = t_ms, .sensor = "edge", .last = last};
    return watermark_coverage(w, process, 1, &c);
}

static void clocks(void **state)
{
    (void)state;
    struct watermark *w = watermark_new(900000, 300000);
    int a = watermark_process(w, 1), b = watermark_process(w, 2);
    const int64_t t = 1000000000;
    assert_int_equal(watermark_now(w), WATERMARK_NONE);
    second(w, a, t, false);
    second(w, b, t, false);
    // One clock jumps a day ahead and stays there: it is not believed, and holds nobody up.
    for (int i = 1; i <= 600; i++) {
        assert_int_equal(second(w, a, t + 86400000 + i * 1000, false), WATERMARK_FUTURE);
        second(w, b, t + i * 1000, false);
        assert_int_equal(watermark_now(w), t + i * 1000);
        assert_int_equal(watermark_record(w, a, 1, t + 86400000 + i * 1000), WATERMARK_FUTURE);
    }
    // Mended, it counts again.
    assert_int_equal(second(w, a, t + 601000, false), WATERMARK_TAKEN);
    second(w, b, t + 605000, false);
    assert_int_equal(watermark_now(w), t + 601000);
    // A clock that is set back does not take the watermark with it.
    second(w, b, t + 500000, false);
    assert_int_equal(watermark_now(w), t + 601000);
    assert_int_equal(watermark_clock_faults(w), 601); // the step back is one too
    watermark_free(w);
}

static void alone_it_must_repeat_itself(void **state)
{
    (void)state;
    struct watermark *w = watermark_new(900000, 300000);
    int a = watermark_process(w, 1);
    const int64_t t = 1000000000;
    second(w, a, t, false);
    // A single wild second is not believed.
    assert_int_equal(second(w, a, t + 86400000, false), WATERMARK_FUTURE);
    assert_int_equal(second(w, a, t + 2000, false), WATERMARK_TAKEN);
    assert_int_equal(watermark_now(w), t + 2000);
    // The link was down for an hour: after a few seconds it is.
    for (int i = 0; i <= WATERMARK_CONFIRM; i++)
        second(w, a, t + 3600000 + i * 1000, false);
    assert_int_equal(watermark_now(w), t + 3600000 + WATERMARK_CONFIRM * 1000);
    watermark_free(w);
}

static void both_step(void **state)
{
    (void)state;
    struct watermark *w = watermark_new(900000, 300000);
    int a = watermark_process(w, 1), b = watermark_process(w, 2);
    const int64_t t = 1000000000;
    second(w, a, t, false);
    second(w, b, t, false);
    for (int i = 0; i < 10; i++) {
        second(w, a, t + 3600000 + i * 1000, false);
        second(w, b, t + 3600000 + i * 1000, false);
    }
    assert_int_equal(watermark_now(w), t + 3609000);
    watermark_free(w);
}

// A sensor dies without a word; another begins much later. Nobody contradicts it, so it is believed.
static void a_dead_sensor_contradicts_nobody(void **state)
{
    (void)state;
    struct watermark *w = watermark_new(900000, 300000);
    int a = watermark_process(w, 1), b = watermark_process(w, 2);
    const int64_t t = 1000000000;
    second(w, a, t, false);
    for (int i = 0; i < WATERMARK_CONFIRM; i++)
        second(w, b, t + 7200000 + i * 1000, false);
    second(w, b, t + 7200000 + WATERMARK_CONFIRM * 1000, false);
    assert_int_equal(watermark_now(w), t + 7200000 + WATERMARK_CONFIRM * 1000);
    assert_true(watermark_is_silent(w, a));
    watermark_free(w);
}

static void ends(void **state)
{
    (void)state;
    struct watermark *w = watermark_new(900000, 300000);
    int a = watermark_process(w, 1), b = watermark_process(w, 2);
    const int64_t t = 1000000000;
    second(w, a, t, false);
    second(w, b, t - 5000, false);
    assert_int_equal(watermark_now(w), t);
    second(w, a, t + 10000, false);
    assert_int_equal(watermark_now(w), t);
    second(w, b, t + 2000, true); // it no longer holds anything back
    assert_int_equal(watermark_now(w), t + 10000);
    assert_int_equal(watermark_alive(w), 1);
    watermark_end(w, a);
    assert_int_equal(watermark_alive(w), 0);
    struct control_status *s = control_status_new("test");
    watermark_status(w, true, s);
    json_t *doc = control_status_json(s), *problems = json_object_get(doc, "problems");
    assert_int_equal(json_array_size(problems), 1); // the other said goodbye
    const json_t *text = json_object_get(json_array_get(problems, 0), "text");
    assert_non_null(strstr(json_string_value(text), "edge/0 ended"));
    json_decref(doc);
    control_status_free(s);
    watermark_free(w);
}

static void a_router_has_no_coverage(void **state)
{
    (void)state;
    struct watermark *w = watermark_new(900000, 300000);
    int a = watermark_process(w, 1);
    const int64_t t = 1000000000;
    assert_int_equal(watermark_record(w, a, 0, t), WATERMARK_TAKEN);
    assert_int_equal(watermark_now(w), t - WATERMARK_EXPORT_LAG_MS);
    assert_int_equal(watermark_record(w, a, 0, t + 400000), WATERMARK_FUTURE);
    assert_int_equal(watermark_record(w, a, 0, t + 200000), WATERMARK_TAKEN);
    assert_int_equal(watermark_now(w), t + 200000 - WATERMARK_EXPORT_LAG_MS);
    watermark_end(w, a);
    assert_int_equal(watermark_now(w), t + 200000);
    watermark_free(w);
}

// A router whose clock is ten hours ahead takes nobody with it, whether it was there first or not.
static void a_routers_clock_counts_for_no_sensor(void **state)
{
    (void)state;
    const int64_t t = 1000000000, ahead = 36000000;
    for (unsigned first = 0; first < 2; first++) {
        struct watermark *w = watermark_new(900000, 300000);
        int router = watermark_process(w, 1), sensor = watermark_process(w, 2);
        if (first)
            watermark_record(w, router, 0, t + ahead);
        for (int i = 1; i <= 100; i++) {
            assert_int_equal(second(w, sensor, t + i * 1000, false), WATERMARK_TAKEN);
            assert_int_equal(watermark_record(w, router, 0, t + ahead + i * 1000),
                             WATERMARK_FUTURE);
        }
        assert_false(watermark_is_silent(w, sensor));
        if (!first)
            assert_int_equal(watermark_now(w), t + 100000);
        // Set right it counts again.
        assert_int_equal(watermark_record(w, router, 0, t + 100000), WATERMARK_TAKEN);
        watermark_free(w);
    }
}

static void seen(void **state)
{
    (void)state;
    struct seen *s = seen_new();
    unsigned count = 0;
    for (unsigned round = 0; round < 2; round++)
        for (uint64_t i = 0; i < 10000; i++)
            count += seen_add(s, hash_number(HASH_ADDRESS, i));
    assert_int_equal(count, 10000);
    assert_true(seen_add(s, 0));
    assert_false(seen_add(s, 0));
    seen_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences),
        cmocka_unit_test(too_many_domains),
        cmocka_unit_test(flows),
        cmocka_unit_test(subscribers),
        cmocka_unit_test(nobody_can_go),
        cmocka_unit_test(destinations),
        cmocka_unit_test(providers),
        cmocka_unit_test(wrong_provider_files),
        cmocka_unit_test(clocks),
        cmocka_unit_test(alone_it_must_repeat_itself),
        cmocka_unit_test(both_step),
        cmocka_unit_test(a_dead_sensor_contradicts_nobody),
        cmocka_unit_test(ends),
        cmocka_unit_test(a_router_has_no_coverage),
        cmocka_unit_test(a_routers_clock_counts_for_no_sensor),
        cmocka_unit_test(seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
