// Minute rows: names, adding, and the encoding: every field there and back, every cut refused, every
// impossible value refused, a newer writer's additions passed over.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "minute_old.h"
#include "minute_sample.h"

static struct buf encoded(const struct minute_row *r)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    minute_row_encode(r, &b);
    assert_false(b.failed);
    return b;
}

static int decoded(struct span s, struct minute_row *r)
{
    struct cursor c = cursor_of(s);
    return minute_row_decode(&c, r, NULL);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(minute_role_name(MINUTE_SMARTHOST), "smarthost");
    assert_string_equal(minute_role_name(MINUTE_OTHER), "other");
    assert_string_equal(minute_counter_name(MINUTE_connections), "connections");
    assert_string_equal(minute_counter_name(MINUTE_destination_blocklist), "destination_blocklist");
    assert_string_equal(minute_counter_text(MINUTE_refused), "reset at once");
    assert_string_equal(minute_gauge_name(MINUTE_flows), "flows");
    assert_string_equal(minute_gauge_name(MINUTE_hashes_cut), "hashes_cut");
    assert_string_equal(minute_gauge_text(MINUTE_dns_mx_queries), "MX queries");
    assert_string_equal(minute_set_name(MINUTE_SET_client_countries), "client_countries");
    assert_true(minute_gauge_is_maximum(MINUTE_concurrent_mx));
    assert_true(minute_gauge_is_maximum(MINUTE_concurrent_socks));
    assert_false(minute_gauge_is_maximum(MINUTE_flows));
}

static void round_trip(void **state)
{
    (void)state;
    struct minute_row r = sample_row(5, 29000000);
    struct buf b = encoded(&r);
    struct minute_row back;
    struct cursor c = cursor_of(buf_span(&b));
    assert_int_equal(minute_row_decode(&c, &back, NULL), 0);
    assert_int_equal(cursor_left(&c), 0);
    assert_int_equal(back.minute, r.minute);
    assert_int_equal(back.cut_ms, r.cut_ms);
    assert_memory_equal(&back.key, &r.key, sizeof r.key);
    assert_memory_equal(&back.party, &r.party, sizeof r.party);
    assert_int_equal(back.confidence, r.confidence);
    assert_int_equal(back.doubts, r.doubts);
    assert_int_equal(back.flags, r.flags);
    assert_string_equal(back.network_class, r.network_class);
    assert_string_equal(back.pop, r.pop);
    assert_int_equal(back.observed_s, r.observed_s);
    assert_int_equal(back.loss_ppm, r.loss_ppm);
    assert_int_equal(back.lease_unseen, r.lease_unseen);
    assert_memory_equal(back.counter, r.counter, sizeof r.counter);
    assert_memory_equal(back.gauge, r.gauge, sizeof r.gauge);
    assert_int_equal(back.digest_count, r.digest_count);
    assert_int_equal(back.digests_cut, r.digests_cut);
    for (unsigned i = 0; i < r.digest_count; i++)
        assert_memory_equal(&back.digest[i], &r.digest[i], sizeof r.digest[i]);
    assert_true(sample_equal(&r, &back)); // sets
    minute_row_fini(&back, NULL);
    minute_row_fini(&r, NULL);
    buf_fini(&b);
}

// What older writers left out says nothing, and costs nothing where there is nothing to say.
static void a_lease_that_is_seen(void **state)
{
    (void)state;
    struct minute_row r = sample_row(5, 29000000), back;
    size_t len[2];
    for (unsigned i = 0; i < 2; i++) {
        r.lease_unseen = i == 0 ? 0 : 59;
        struct buf b = encoded(&r);
        struct cursor c = cursor_of(buf_span(&b));
        assert_int_equal(minute_row_decode(&c, &back, NULL), 0);
        assert_int_equal(back.lease_unseen, r.lease_unseen);
        len[i] = b.len;
        minute_row_fini(&back, NULL);
        buf_fini(&b);
    }
    assert_int_equal(len[1], len[0] + 1);
    minute_row_fini(&r, NULL);
}

static void kinds_of_keys(void **state)
{
    (void)state;
    struct minute_row r[4];
    for (unsigned i = 0; i < 4; i++)
        r[i] = sample_head(i, -3); // before 1970 as well
    r[1].key.port_first = 1024;
    r[1].key.port_last = 2047;
    assert_int_equal(realm_parse("qinq:101.7/pppoe:4711", &r[1].key.realm), 0);
    r[2].key = (struct subscriber_key){.kind = SUBSCRIBER_MAILBOX,
                                       .mailbox_key_id = 3,
                                       .mailbox = 0x8000000000000001u,
                                       .port_last = 65535};
    r[2].party = (struct party){.kind = PARTY_MAILBOX, .id = "3:8000000000000001"};
    struct ip_addr six = {.family = IP_V6, .octet = {0x20, 1, 0xd, 0xb8, 1, 2, 0xff}};
    r[3].key.prefix = prefix_of(&six, 56);
    r[3].key.kind = SUBSCRIBER_CLIENT;
    for (unsigned i = 0; i < 4; i++) {
        if (i != 2)
            r[i].party = party_provisional(&r[i].key);
        struct buf b = encoded(&r[i]);
        struct minute_row back;
        assert_int_equal(decoded(buf_span(&b), &back), 0);
        assert_memory_equal(&back.key, &r[i].key, sizeof back.key);
        assert_string_equal(back.party.id, r[i].party.id);
        assert_int_equal(back.minute, -3);
        minute_row_fini(&back, NULL);
        buf_fini(&b);
    }
}

static void small_when_little_happened(void **state)
{
    (void)state;
    struct minute_row r = sample_head(77, 29000000);
    r.counter[MINUTE_OTHER][MINUTE_OUT][MINUTE_connections] = 12;
    r.counter[MINUTE_OTHER][MINUTE_OUT][MINUTE_octets_up] = 100000;
    r.counter[MINUTE_OTHER][MINUTE_OUT][MINUTE_octets_down] = 9000000;
    r.gauge[MINUTE_flows] = 12;
    struct buf b = encoded(&r);
    assert_in_range(b.len, 1, 80);
    buf_fini(&b);
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    struct minute_row r = sample_row(5, 29000000), back;
    struct buf b = encoded(&r);
    for (size_t len = 0; len < b.len; len += len < 600 ? 1 : 37) {
        // An allocation of just this size, so that a read past its end is seen.
        uint8_t *copy = malloc(len ? len : 1);
        memcpy(copy, b.data, len);
        assert_int_equal(decoded(span_of(copy, len), &back), -EINVAL);
        assert_null(back.digest);
        assert_int_equal(back.key.kind, 0);
        free(copy);
    }
    minute_row_fini(&r, NULL);
    buf_fini(&b);
}

// Changes each octet in turn: never more than an error.
static void every_changed_octet_is_survived(void **state)
{
    (void)state;
    struct minute_row r = sample_row(5, 29000000), back;
    struct buf b = encoded(&r);
    unsigned refused = 0;
    for (size_t i = 0; i < b.len && i < 4000; i++) {
        for (unsigned bit = 0; bit < 8; bit += 3) {
            b.data[i] ^= (uint8_t)(1u << bit);
            int rc = decoded(buf_span(&b), &back);
            assert_true(rc == 0 || rc == -EINVAL);
            refused += rc != 0;
            if (rc == 0) {
                struct buf again = encoded(&back); // what was taken can be written
                buf_fini(&again);
                minute_row_fini(&back, NULL);
            }
            b.data[i] ^= (uint8_t)(1u << bit);
        }
    }
    assert_true(refused > 100);
    minute_row_fini(&r, NULL);
    buf_fini(&b);
}

static void impossible_values(void **state)
{
    (void)state;
    enum { MINUTE, CONFIDENCE, OBSERVED, KIND, PORTS, REALM, PARTY, TEXT, HOST_BITS, CASES };
    for (int what = 0; what < CASES; what++) {
        struct minute_row r = sample_head(1, 29000000), back;
        switch (what) {
        case MINUTE: r.minute = 1000000000000; break;
        case CONFIDENCE: r.confidence = IDENTITY_CERTAIN + 1; break;
        case OBSERVED: r.observed_s = 61; break;
        case KIND: r.key.kind = 9; break;
        case PORTS:
            r.key.port_first = 10;
            r.key.port_last = 9;
            break;
        case REALM: r.key.realm.name[0] = '!'; break;
        case PARTY: r.party.kind = 4; break;
        case TEXT: r.pop[0] = '\n'; break;
        case HOST_BITS: r.key.prefix.len = 30; break; // 10.0.0.1/30
        default: break;
        }
        if (what == MINUTE)
            r.cut_ms = r.minute * 60000;
        struct buf b = encoded(&r);
        if (decoded(buf_span(&b), &back) != -EINVAL)
            fail_msg("impossible value %d was accepted", what);
        buf_fini(&b);
    }
}

static void impossible_digests(void **state)
{
    (void)state;
    for (int what = 0; what < 6; what++) {
        struct minute_row r = sample_row(1, 29000000), back;
        struct minute_digest *d = &r.digest[0];
        switch (what) {
        case 0: d->role = MINUTE_ROLES; break;
        case 1: d->direction = MINUTE_DIRECTIONS; break;
        case 2: d->outcome = MINUTE_OUTCOME_MIDSTREAM + 1; break;
        case 3: d->carrier_behind = 301; break;
        case 4: d->carrier_chance = 1001; break;
        default: d->provider_kind = MINUTE_PROVIDER_NETWORK + 1; break;
        }
        struct buf b = encoded(&r);
        if (decoded(buf_span(&b), &back) != -EINVAL)
            fail_msg("impossible digest %d was accepted", what);
        buf_fini(&b);
        minute_row_fini(&r, NULL);
    }
}

static void newer_sections_are_passed_over(void **state)
{
    (void)state;
    struct minute_row r = sample_head(1, 29000000), back;
    r.gauge[MINUTE_flows] = 4;
    struct buf b = encoded(&r);
    // A section of number 99 with three octets at the row's end.
    static const uint8_t section[] = {99, 3, 1, 2, 3};
    buf_bytes(&b, section, sizeof section);
    b.data[1] = (uint8_t)(b.len - 2); // still one octet
    assert_int_equal(decoded(buf_span(&b), &back), 0);
    assert_true(sample_equal(&r, &back));
    minute_row_fini(&back, NULL);
    // The same section twice is broken.
    buf_bytes(&b, section, sizeof section);
    b.data[1] = (uint8_t)(b.len - 2); // still one octet
    assert_int_equal(decoded(buf_span(&b), &back), -EINVAL);
    // Another version is refused.
    b.data[0] = MINUTE_VERSION + 1;
    assert_int_equal(decoded(buf_span(&b), &back), -EINVAL);
    buf_fini(&b);
}

static void digests_that_lie_about_their_number(void **state)
{
    (void)state;
    struct minute_row r = sample_head(1, 29000000), back;
    struct buf b = encoded(&r);
    // DIGESTS: none cut, 4,000,000,000 follow.
    static const uint8_t section[] = {6, 6, 0, 0x80, 0xd0, 0xac, 0xf3, 0x0e};
    buf_bytes(&b, section, sizeof section);
    b.data[1] = (uint8_t)(b.len - 2); // still one octet
    assert_int_equal(decoded(buf_span(&b), &back), -EINVAL);
    buf_fini(&b);
}

static void rows_of_version_1(void **state)
{
    (void)state;
    struct minute_row want = old_row(), got;
    assert_int_equal(decoded(span_of(old_row_octets, sizeof old_row_octets), &got), 0);
    assert_true(sample_equal(&got, &want));
    minute_row_fini(&got, NULL);
    for (size_t len = 0; len < sizeof old_row_octets; len++)
        assert_int_equal(decoded(span_of(old_row_octets, len), &got), -EINVAL);
    // Version 2 differs in flows that began before their row only, and this has none of them.
    struct buf b = encoded(&want);
    b.data[0] = 2;
    assert_int_equal(decoded(buf_span(&b), &got), 0);
    assert_true(sample_equal(&got, &want));
    minute_row_fini(&got, NULL);
    buf_fini(&b);
    want.digest[0].flags &= ~(uint32_t)MINUTE_DIGEST_START;
    b = encoded(&want);
    assert_int_equal(decoded(buf_span(&b), &got), 0);
    assert_true(sample_equal(&got, &want));
    minute_row_fini(&got, NULL);
    b.data[0] = 2;
    assert_int_equal(decoded(buf_span(&b), &got), -EINVAL);
    buf_fini(&b);
    minute_row_fini(&want, NULL);
}

// A flow that goes on says its hash once for all rows of the stream.
static void a_flow_that_goes_on(void **state)
{
    (void)state;
    struct minute_hashes *h = minute_hashes_new();
    struct minute_row row = sample_head(1, 29000000), back;
    struct minute_digest d = {.flow_hash = 0x1122334455667788, .flags = MINUTE_DIGEST_START};
    struct buf body;
    buf_init(&body, 1 << 16);
    row.digest = &d;
    row.digest_count = 1;
    // It begins, goes on, and ends; then another one begins and ends at once, and comes back all the same.
    static const struct {
        uint64_t flow;
        uint32_t flags;
        size_t more; // values in the stream
    } rows[] = {{1, MINUTE_DIGEST_START, 1}, {1, 0, 0},
                {1, MINUTE_DIGEST_END, 0},   {2, MINUTE_DIGEST_START | MINUTE_DIGEST_END, 1},
                {2, MINUTE_DIGEST_END, 1},   {2, 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t at = minute_hashes_count(h), before = at;
        d.flow_hash = rows[i].flow << 32 | 5;
        d.flags = rows[i].flags;
        buf_clear(&body);
        minute_row_put(&row, &body, h);
        assert_int_equal(minute_hashes_count(h) - before, rows[i].more);
        assert_int_equal(minute_row_get(cursor_of(buf_span(&body)), MINUTE_VERSION,
                                        minute_hashes_octets(h), &at, &back, NULL),
                         0);
        assert_int_equal(back.digest_count, 1);
        assert_true(back.digest[0].flow_hash == d.flow_hash);
        assert_int_equal(back.digest[0].flags, d.flags);
        minute_row_fini(&back, NULL);
    }
    buf_fini(&body);
    minute_hashes_free(h);
}

// Many rows with one stream of hashes, read in another order than written: what one row says of a value that an
// earlier one said holds all the same.
static void hashes_of_many_rows(void **state)
{
    (void)state;
    enum { ROWS = 50 };
    struct minute_hashes *h = minute_hashes_new();
    struct minute_row row[ROWS], back;
    struct buf body[ROWS];
    size_t from[ROWS];
    for (unsigned i = 0; i < ROWS; i++) {
        row[i] = sample_row(i, 29000000);
        buf_init(&body[i], 1 << 20);
        from[i] = minute_hashes_count(h);
        minute_row_put(&row[i], &body[i], h);
        assert_false(body[i].failed);
    }
    // Of the second row on only what hardly ever comes again, and what found no place in the table.
    assert_true(from[2] - from[1] < (from[1] - from[0]) / 4);
    struct span all = minute_hashes_octets(h);
    for (unsigned i = ROWS; i > 0; i--) {
        size_t at = from[i - 1];
        struct cursor c = cursor_of(buf_span(&body[i - 1]));
        assert_int_equal(minute_row_get(c, MINUTE_VERSION, all, &at, &back, NULL), 0);
        assert_int_equal(minute_row_time(&back, 29000000, row[i - 1].cut_ms), 0);
        assert_true(sample_equal(&back, &row[i - 1]));
        assert_int_equal(at, i < ROWS ? from[i] : all.len / 8);
        minute_row_fini(&back, NULL);
        at = all.len / 8 + 1; // behind the end
        assert_int_equal(minute_row_get(c, MINUTE_VERSION, all, &at, &back, NULL), -EINVAL);
        at = 0; // a stream that was cut
        assert_int_equal(minute_row_get(c, MINUTE_VERSION, span_cut(all, 0, 8), &at, &back, NULL),
                         -EINVAL);
    }
    // A row that was not taken leaves nothing behind that others could refer to.
    minute_hashes_cut(h, from[1]);
    buf_clear(&body[1]);
    minute_row_put(&row[1], &body[1], h);
    size_t at = from[1];
    assert_int_equal(minute_row_get(cursor_of(buf_span(&body[1])), MINUTE_VERSION,
                                    minute_hashes_octets(h), &at, &back, NULL),
                     0);
    assert_int_equal(minute_row_time(&back, row[1].minute, row[1].cut_ms), 0);
    assert_true(sample_equal(&back, &row[1]));
    minute_row_fini(&back, NULL);
    for (unsigned i = 0; i < ROWS; i++) {
        minute_row_fini(&row[i], NULL);
        buf_fini(&body[i]);
    }
    minute_hashes_free(h);
}

static void adding(void **state)
{
    (void)state;
    struct minute_row a = sample_head(1, 100), b = sample_head(1, 100), sum = {0};
    a.counter[MINUTE_MX][MINUTE_OUT][MINUTE_rcpt] = 3;
    b.counter[MINUTE_MX][MINUTE_OUT][MINUTE_rcpt] = 4;
    b.counter[MINUTE_SMARTHOST][MINUTE_OUT][MINUTE_rcpt] = 5;
    b.counter[MINUTE_MX][MINUTE_IN][MINUTE_rcpt] = 100;
    a.counter[MINUTE_MX][MINUTE_OUT][MINUTE_octets_up] = UINT64_MAX - 1;
    b.counter[MINUTE_MX][MINUTE_OUT][MINUTE_octets_up] = 5;
    a.gauge[MINUTE_flows] = 1;
    b.gauge[MINUTE_flows] = 2;
    a.gauge[MINUTE_concurrent_mx] = 9;
    b.gauge[MINUTE_concurrent_mx] = 7;
    distinct_add(&a.set[MINUTE_SET_peers_mx], 0, 1, NULL);
    distinct_add(&b.set[MINUTE_SET_peers_mx], 0, 1, NULL);
    distinct_add(&b.set[MINUTE_SET_peers_mx], 0, 2, NULL);
    a.confidence = IDENTITY_CERTAIN;
    b.confidence = IDENTITY_STALE;
    b.doubts = IDENTITY_OVERLAP;
    a.flags = MINUTE_EARLY;
    b.flags = MINUTE_CLOSING;
    a.observed_s = 20;
    b.observed_s = 60;
    b.loss_ppm = 5;
    a.lease_unseen = 7;
    a.cut_ms = 6020000;
    assert_int_equal(minute_row_add(&sum, &a, 64, NULL), 0);
    assert_int_equal(minute_row_add(&sum, &b, 64, NULL), 0);
    assert_int_equal(sum.minute, 100);
    assert_int_equal(sum.key.kind, SUBSCRIBER_ADDRESS);
    assert_int_equal(minute_sum(&sum, MINUTE_OUT, MINUTE_rcpt), 12);
    assert_int_equal(minute_sum(&sum, MINUTE_IN, MINUTE_rcpt), 100);
    assert_true(sum.counter[MINUTE_MX][MINUTE_OUT][MINUTE_octets_up] == UINT64_MAX);
    assert_int_equal(sum.gauge[MINUTE_flows], 3);
    assert_int_equal(sum.gauge[MINUTE_concurrent_mx], 9);
    assert_int_equal((int)distinct_count(&sum.set[MINUTE_SET_peers_mx]), 2);
    assert_int_equal(sum.confidence, IDENTITY_STALE);
    assert_int_equal(sum.doubts, IDENTITY_OVERLAP);
    assert_int_equal(sum.flags, MINUTE_EARLY | MINUTE_CLOSING);
    assert_int_equal(sum.observed_s, 60);
    assert_int_equal(sum.loss_ppm, 5);
    assert_int_equal(sum.lease_unseen, 7);
    assert_int_equal(sum.cut_ms, 6060000);
    minute_row_fini(&a, NULL);
    minute_row_fini(&b, NULL);
    minute_row_fini(&sum, NULL);
}

static void adding_digests(void **state)
{
    (void)state;
    struct minute_row into = sample_head(1, 100), from = sample_head(1, 102);
    struct minute_digest one = {.flow_hash = 1, .start_ms = 50000};
    struct minute_digest late = {.flow_hash = 3, .start_ms = 59000};
    // In minute 102, but begun 61 s before its start: between the two of minute 100.
    struct minute_digest two[] = {
        {.flow_hash = 2, .start_ms = -61000, .end_ms = 5, .outcome = MINUTE_OUTCOME_REFUSED},
        {.flow_hash = 4, .start_ms = 10, .end_ms = 20},
        {.flow_hash = 5, .start_ms = 11, .end_ms = 20},
    };
    into.digest = malloc(2 * sizeof one);
    into.digest[0] = one;
    into.digest[1] = late;
    into.digest_count = 2;
    late.start_ms = 59500;
    into.digest[1].start_ms = 59500;
    from.digest = malloc(sizeof two);
    memcpy(from.digest, two, sizeof two);
    from.digest_count = 3;
    from.digests_cut = 10;
    assert_int_equal(minute_row_add(&into, &from, 4, NULL), 0);
    assert_int_equal(into.digest_count, 4);
    assert_int_equal(into.digests_cut, 11); // ten before, one for want of room
    static const uint64_t order[] = {1, 2, 3, 4};
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(into.digest[i].flow_hash, order[i]);
    assert_int_equal(into.digest[1].start_ms, 59000);
    assert_int_equal(into.digest[1].end_ms, 120005);
    assert_int_equal(into.digest[1].outcome_ms, 120000);
    assert_int_equal(into.digest[3].outcome_ms, 0);
    minute_row_fini(&into, NULL);
    minute_row_fini(&from, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(a_lease_that_is_seen),
        cmocka_unit_test(kinds_of_keys),
        cmocka_unit_test(small_when_little_happened),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(every_changed_octet_is_survived),
        cmocka_unit_test(impossible_values),
        cmocka_unit_test(impossible_digests),
        cmocka_unit_test(newer_sections_are_passed_over),
        cmocka_unit_test(digests_that_lie_about_their_number),
        cmocka_unit_test(rows_of_version_1),
        cmocka_unit_test(hashes_of_many_rows),
        cmocka_unit_test(a_flow_that_goes_on),
        cmocka_unit_test(adding),
        cmocka_unit_test(adding_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
