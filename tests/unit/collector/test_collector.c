// Records and time: minutes by the watermark, early slices, amendments, silent sensors, clocks, repeats, and
// the same octets for the same records.
#include "fixture.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define US "100.64.0.7"

static void minute_closes_by_the_watermark(void **state)
{
    struct fixture *f = *state;
    struct record r = flow(T0 + 1000, T0 + 3000, 25, RECORD_HANDSHAKE_ESTABLISHED);
    fixture_take(f, &r);
    fixture_until(f, T0, T0 + 61000);
    r = flow(T0 + 61500, T0 + 61900, 25, RECORD_HANDSHAKE_REFUSED);
    fixture_take(f, &r);
    fixture_until(f, T0 + 61000, T0 + 90000);
    fixture_last(f, T0 + 91000);
    fixture_read(f);
    const struct minute_row *row = fixture_row(f, US, M0, MINUTE_CLOSING);
    assert_non_null(row);
    assert_int_equal(row->cut_ms, T0 + 60000);
    assert_int_equal(row->observed_s, 60);
    assert_int_equal(row->flags, MINUTE_CLOSING | MINUTE_FROM_PACKETS);
    assert_int_equal(row->party.kind, PARTY_PROVISIONAL);
    assert_string_equal(row->party.id, US);
    assert_int_equal(row->confidence, IDENTITY_UNKNOWN);
    assert_int_equal(mx_out(row, MINUTE_connections), 1);
    assert_int_equal(mx_out(row, MINUTE_established), 1);
    // The last minute is not full; it closes with the sensor.
    row = fixture_row(f, US, M0 + 1, MINUTE_CLOSING);
    assert_non_null(row);
    assert_int_equal(row->cut_ms, T0 + 91000);
    assert_int_equal(row->observed_s, 31);
    assert_int_equal(mx_out(row, MINUTE_refused), 1);
    assert_int_equal(f->rows, 2);
    assert_int_equal(f->marks, 2);
    assert_int_equal(f->mark[0], T0 + 60000);
    assert_int_equal(f->mark[1], T0 + 120000);
    assert_int_equal(f->coverages, 2);
    assert_int_equal(f->coverage[0].seconds, 60);
    assert_int_equal(f->coverage[0].sum.packets, 6000);
    assert_int_equal(f->coverage[1].seconds, 31);
    assert_true(f->coverage[1].sum.last);
}

// Whatever the phase of the minute: the slice comes with the second failure, within a second.
static void early_slices(void **state)
{
    struct fixture *f = *state;
    static const int64_t phases[] = {0, 10500, 56000, 58999};
    int64_t t = T0;
    for (size_t p = 0; p < 4; p++) {
        int64_t begin = t + phases[p];
        fixture_until(f, t, begin / 1000 * 1000);
        for (int i = 0; i < 2; i++) {
            struct record r = flow(begin + i * 100, begin + i * 100, 25, RECORD_HANDSHAKE_REFUSED);
            r.flow.responder.octet[3] = (uint8_t)i;
            r.flow.initiator.octet[3] = (uint8_t)(10 + p);
            fixture_take(f, &r);
        }
        fixture_until(f, begin / 1000 * 1000, t + 120000);
        t += 120000;
    }
    fixture_read(f);
    for (size_t p = 0; p < 4; p++) {
        char who[32];
        snprintf(who, sizeof who, "100.64.0.%zu", 10 + p);
        int64_t begin = T0 + (int64_t)p * 120000 + phases[p];
        const struct minute_row *row = fixture_row(f, who, begin / 60000, UINT32_MAX);
        assert_non_null(row);
        assert_in_range(row->cut_ms, begin + 101, begin + 1101);
        bool at_close = row->cut_ms % 60000 == 0;
        assert_int_equal(!(row->flags & MINUTE_EARLY), at_close);
        assert_int_equal(mx_out(row, MINUTE_refused), 2);
        row = fixture_row(f, who, begin / 60000, MINUTE_CLOSING);
        assert_non_null(row);
        if (!at_close)
            assert_int_equal(mx_out(row, MINUTE_connections), 0); // additive: already told
    }
}

static void one_failure_waits(void **state)
{
    struct fixture *f = *state;
    struct record r = flow(T0 + 1000, T0 + 1000, 25, RECORD_HANDSHAKE_REFUSED);
    fixture_take(f, &r);
    fixture_until(f, T0, T0 + 60000);
    fixture_read(f);
    assert_int_equal(f->rows, 1);
    assert_int_equal(f->row[0].flags & MINUTE_EARLY, 0);
}

static void many_connections_are_early_too(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 8; i++) {
        struct record r = flow(T0 + i, T0 + i, 587, RECORD_HANDSHAKE_ESTABLISHED);
        r.flow.responder.octet[3] = (uint8_t)i;
        fixture_take(f, &r);
    }
    fixture_until(f, T0, T0 + 5000);
    fixture_read(f);
    const struct minute_row *row = fixture_row(f, US, M0, MINUTE_EARLY);
    assert_non_null(row);
    assert_int_equal(row->cut_ms, T0 + 1000);
    assert_int_equal(row->counter[MINUTE_SUBMISSION][MINUTE_OUT][MINUTE_connections], 8);
}

static void a_granted_socks_session_to_mail_is_early(void **state)
{
    struct fixture *f = *state;
    struct record r = flow(T0 + 100, T0 + 200, 1080, RECORD_HANDSHAKE_ESTABLISHED);
    r.flow.initiator = addr("198.51.100.77");
    r.flow.responder = addr(US);
    r.flow.side = RECORD_SIDE_RESPONDER;
    r.flow.app = RECORD_APP_SOCKS5;
    r.flow.groups = RECORD_HAS_SOCKS;
    r.flow.flags = RECORD_START | RECORD_OUTCOME;
    r.flow.socks.granted = true;
    r.flow.socks.reply = 0;
    r.flow.socks.target_port = 25;
    fixture_take(f, &r);
    fixture_until(f, T0, T0 + 5000);
    fixture_read(f);
    const struct minute_row *row = fixture_row(f, US, M0, MINUTE_EARLY);
    assert_non_null(row);
    assert_int_equal(row->cut_ms, T0 + 1000);
    assert_int_equal(row->gauge[MINUTE_socks_in_mail], 1);
}

static void late_records_amend(void **state)
{
    struct fixture *f = *state;
    fixture_until(f, T0, T0 + 70000);
    struct record r = flow(T0 + 5000, T0 + 6000, 25, RECORD_HANDSHAKE_ESTABLISHED);
    fixture_take(f, &r);
    fixture_until(f, T0 + 70000, T0 + 120000);
    fixture_read(f);
    const struct minute_row *row = fixture_row(f, US, M0, MINUTE_AMENDMENT);
    assert_non_null(row);
    assert_int_equal(row->cut_ms, T0 + 120000);
    assert_int_equal(mx_out(row, MINUTE_connections), 1);
    assert_null(fixture_row(f, US, M0, MINUTE_CLOSING));
}

static void repeats_and_gaps(void **state)
{
    struct fixture *f = *state;
    struct record r = flow(T0 + 1000, T0 + 1000, 25, RECORD_HANDSHAKE_ESTABLISHED);
    fixture_take(f, &r);
    assert_int_equal(collector_take(f->collector, &r), 0); // the same identity
    f->sequence += 3;                                      // three are lost
    fixture_until(f, T0, T0 + 60000);
    assert_int_equal(fixture_counter(f, "repeats"), 1);
    assert_int_equal(fixture_counter(f, "gaps"), 1);
    assert_int_equal(fixture_counter(f, "records_missing"), 3);
    fixture_read(f);
    assert_int_equal(mx_out(fixture_sum(f, US, M0), MINUTE_connections), 1);
}

static void impossible_records_are_refused(void **state)
{
    struct fixture *f = *state;
    fixture_second(f, T0 + 1000);
    struct record r = flow(T0 + 1000, T0 + 1000, 25, RECORD_HANDSHAKE_ESTABLISHED);
    r.version = RECORD_VERSION;
    r.id = (struct record_id){1, 1000, 99};
    r.flow.side = 17;
    assert_int_equal(collector_take(f->collector, &r), 0);
    assert_int_equal(fixture_counter(f, "refused_value"), 1);
    assert_int_equal(fixture_counter(f, "gaps"), 0); // what is not believed moves nothing
}

static void a_far_future_freezes_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_until(f, T0, T0 + 30000);
    struct record r = flow(T0 + 86400000, T0 + 86400000, 25, RECORD_HANDSHAKE_ESTABLISHED);
    fixture_take(f, &r);
    fixture_second(f, T0 + 86400000); // a coverage record too, once
    r = flow(T0 + 31000, T0 + 31000, 25, RECORD_HANDSHAKE_ESTABLISHED);
    fixture_take(f, &r);
    fixture_until(f, T0 + 31000, T0 + 61000);
    assert_int_equal(fixture_counter(f, "refused_future"), 2);
    assert_int_equal(fixture_counter(f, "clock_faults"), 1);
    fixture_read(f);
    const struct minute_row *row = fixture_row(f, US, M0, MINUTE_CLOSING);
    assert_non_null(row);
    assert_int_equal(row->cut_ms, T0 + 60000);
    assert_int_equal(f->mark[f->marks - 1], T0 + 120000);
}

static void of_two_sensors_the_slower_counts(void **state)
{
    struct fixture *f = *state;
    uint64_t sequence[2] = {0, 0};
    for (int s = 1; s <= 90; s++) {
        for (uint32_t d = 0; d < 2; d++) {
            f->domain = d + 1;
            f->sequence = sequence[d];
            int64_t t = T0 + (s - 5 * (int)d) * 1000; // the second is five seconds behind
            if (s == 3 && d == 0) {
                struct record r = flow(t, t, 25, RECORD_HANDSHAKE_ESTABLISHED);
                fixture_take(f, &r);
            }
            if (t > T0)
                fixture_second(f, t);
            sequence[d] = f->sequence;
        }
        int64_t now = collector_watermark(f->collector);
        // Until the second is heard of, in the sixth second, the first counts alone.
        assert_int_equal(now, T0 + (s <= 6 ? s : s <= 11 ? 6 : s - 5) * 1000);
    }
    fixture_read(f);
    const struct minute_row *row = fixture_row(f, US, M0, MINUTE_CLOSING);
    assert_non_null(row);
    assert_int_equal(row->cut_ms, T0 + 60000);
    assert_int_equal(row->observed_s, 60); // of the sensor that saw it
}

static void a_silent_sensor_is_given_up(void **state)
{
    struct fixture *f = *state;
    f->conf.silent_after = 120000;
    // Sensor 2 sees a flow and dies after ten seconds.
    f->domain = 2;
    fixture_until(f, T0, T0 + 10000);
    struct record r = flow(T0 + 9000, T0 + 9500, 25, RECORD_HANDSHAKE_ESTABLISHED);
    fixture_take(f, &r);
    f->domain = 1;
    f->sequence = 0;
    struct record other = flow(T0 + 9000, T0 + 9500, 25, RECORD_HANDSHAKE_ESTABLISHED);
    other.flow.initiator = addr("100.64.0.8");
    fixture_take(f, &other);
    fixture_until(f, T0, T0 + 130000);
    assert_int_equal(collector_watermark(f->collector), T0 + 10000);
    fixture_until(f, T0 + 130000, T0 + 131000);
    assert_int_equal(collector_watermark(f->collector), T0 + 131000);
    fixture_until(f, T0 + 131000, T0 + 180000);
    assert_int_equal(fixture_counter(f, "sensors_silent"), 1);
    fixture_read(f);
    const struct minute_row *row = fixture_row(f, US, M0, MINUTE_CLOSING);
    assert_non_null(row);
    assert_true(row->flags & MINUTE_UNOBSERVED);
    assert_int_equal(row->observed_s, 10);
    row = fixture_row(f, "100.64.0.8", M0, MINUTE_CLOSING);
    assert_non_null(row);
    assert_false(row->flags & MINUTE_UNOBSERVED);
    assert_int_equal(row->observed_s, 60);
    // Its minutes stand in the journal as not watched.
    unsigned unwatched = 0;
    for (size_t i = 0; i < f->coverages; i++)
        unwatched += f->coverage[i].closed_by_timeout && f->coverage[i].seconds == 0;
    assert_int_equal(unwatched, 2);
}

static void restarts_and_gaps_in_time(void **state)
{
    struct fixture *f = *state;
    struct record r = flow(T0 + 1000, T0 + 1000, 25, RECORD_HANDSHAKE_ESTABLISHED);
    fixture_take(f, &r);
    fixture_until(f, T0, T0 + 30000);
    fixture_last(f, T0 + 31000);
    // A day later the sensor begins anew: with a flow before its first second of coverage.
    int64_t t = T0 + 86400000;
    f->epoch++;
    f->sequence = 0;
    r = flow(t, t + 100, 25, RECORD_HANDSHAKE_ESTABLISHED);
    fixture_take(f, &r);
    fixture_until(f, t, t + 60000);
    assert_int_equal(fixture_counter(f, "refused_future"), 0);
    fixture_read(f);
    assert_non_null(fixture_row(f, US, M0, MINUTE_CLOSING));
    assert_non_null(fixture_row(f, US, M0 + 1440, MINUTE_CLOSING));
    assert_int_equal(f->mark[0], T0 + 60000);
}

static void a_replay_may_step(void **state)
{
    struct fixture *f = *state;
    fixture_until(f, T0, T0 + 10000);
    struct record r = {
        .kind = RECORD_COVERAGE,
        .coverage = {
            .t_ms = T0 + 7200000, .sampling = 1, .sensor = "edge1", .alarms = COVERAGE_REPLAY}};
    fixture_take(f, &r);
    assert_int_equal(collector_watermark(f->collector), T0 + 7200000);
}

static size_t journal_octets(const char *dir, uint8_t *out, size_t max)
{
    size_t len = 0;
    struct dirent **names;
    int n = scandir(dir, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
        FILE *in = names[i]->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (in) {
            len += fread(out + len, 1, max - len, in);
            fclose(in);
        }
        free(names[i]);
    }
    free(names);
    return len;
}

// A capture with a pause of two hours: what comes behind it comes before the next second of coverage.
static void a_replay_may_pause(void **state)
{
    struct fixture *f = *state;
    struct record c = {
        .kind = RECORD_COVERAGE,
        .coverage = {
            .t_ms = T0 + 1000, .sampling = 1, .sensor = "edge1", .alarms = COVERAGE_REPLAY}};
    fixture_take(f, &c);
    struct record r = flow(T0 + 7200100, T0 + 7200200, 25, RECORD_HANDSHAKE_ESTABLISHED);
    fixture_take(f, &r);
    c.coverage.t_ms = T0 + 7201000;
    fixture_take(f, &c);
    assert_int_equal(fixture_counter(f, "refused_future"), 0);
    fixture_read(f);
    assert_int_equal(mx_out(fixture_sum(f, US, M0 + 120), MINUTE_connections), 1);
}

// The file of one of two sensors ends in the middle: its last minute was not watched to the end, and the other
// goes on.
static void a_sensor_without_a_last_word(void **state)
{
    struct fixture *f = *state;
    struct record r = flow(T0 + 1000, T0 + 1000, 25, RECORD_HANDSHAKE_ESTABLISHED);
    fixture_take(f, &r);
    fixture_until(f, T0, T0 + 20000);
    collector_ended(f->collector, f->domain);
    f->domain = 2;
    f->sequence = 0;
    fixture_until(f, T0, T0 + 70000);
    assert_int_equal(collector_watermark(f->collector), T0 + 70000);
    fixture_read(f);
    const struct minute_row *row = fixture_row(f, US, M0, MINUTE_CLOSING);
    assert_non_null(row);
    assert_true(row->flags & MINUTE_UNOBSERVED);
    assert_int_equal(row->observed_s, 20);
}

static void same_records_same_octets(void **state)
{
    struct fixture *f = *state;
    static uint8_t octets[2][1 << 20];
    size_t len[2];
    void *other;
    assert_int_equal(fixture_setup(&other), 0);
    struct fixture *both[2] = {f, other};
    struct record made[300];
    for (int i = 0; i < 300; i++) {
        int64_t t = T0 + i * 700;
        made[i] = flow(t, t + 3000, (uint16_t)(i % 3 ? 25 : 443),
                       i % 4 ? RECORD_HANDSHAKE_UNANSWERED : RECORD_HANDSHAKE_ESTABLISHED);
        made[i].flow.initiator.octet[3] = (uint8_t)(i * 37);
        made[i].flow.responder.octet[3] = (uint8_t)(i * 11);
    }
    for (int k = 0; k < 2; k++) {
        for (int i = 0, s = 0; i < 300; i++) {
            fixture_take(both[k], &made[i]);
            for (; T0 + s * 1000 < made[i].flow.start_ms; s++)
                fixture_second(both[k], T0 + (s + 1) * 1000);
        }
        fixture_close(both[k]);
        len[k] = journal_octets(both[k]->dir, octets[k], sizeof octets[k]);
    }
    assert_true(len[0] > 1000);
    assert_int_equal(len[0], len[1]);
    assert_memory_equal(octets[0], octets[1], len[0]);
    fixture_teardown(&other);
}

// One by one as a record a second, however cut: what the rows add up to does not depend on early slices.
static void slices_add_up(void **state)
{
    struct fixture *f = *state;
    void *state2;
    assert_int_equal(fixture_setup(&state2), 0);
    struct fixture *whole = state2;
    whole->conf.early_outcomes = 1000000;
    whole->conf.early_connections = 1000000;
    struct record made[200];
    for (int i = 0; i < 200; i++) {
        made[i] = flow(T0 + i * 250, T0 + i * 250 + 200, 25, RECORD_HANDSHAKE_REFUSED);
        made[i].flow.responder.octet[3] = (uint8_t)i;
    }
    struct fixture *both[2] = {f, whole};
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 200; i++) {
            fixture_take(both[k], &made[i]);
            if (i % 4 == 3)
                fixture_second(both[k], T0 + (i / 4 + 1) * 1000);
        }
        fixture_until(both[k], T0 + 50000, T0 + 60000);
        fixture_read(both[k]);
    }
    assert_true(f->rows > 40);
    assert_int_equal(whole->rows, 1);
    const struct minute_row *a = fixture_sum(f, US, M0), *b = fixture_sum(whole, US, M0);
    assert_memory_equal(a->counter, b->counter, sizeof a->counter);
    assert_memory_equal(a->gauge, b->gauge, sizeof a->gauge);
    for (unsigned s = 0; s < MINUTE_SET_N; s++)
        assert_true(distinct_count(&a->set[s]) == distinct_count(&b->set[s]));
    assert_int_equal(a->digest_count + a->digests_cut, b->digest_count + b->digests_cut);
    assert_int_equal(a->digest_count, 200); // small slices have room for all
    fixture_teardown(&state2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(minute_closes_by_the_watermark),
        TEST(early_slices),
        TEST(one_failure_waits),
        TEST(many_connections_are_early_too),
        TEST(a_granted_socks_session_to_mail_is_early),
        TEST(late_records_amend),
        TEST(repeats_and_gaps),
        TEST(impossible_records_are_refused),
        TEST(a_far_future_freezes_nothing),
        TEST(of_two_sensors_the_slower_counts),
        TEST(a_silent_sensor_is_given_up),
        TEST(restarts_and_gaps_in_time),
        TEST(a_replay_may_step),
        TEST(a_replay_may_pause),
        TEST(a_sensor_without_a_last_word),
        TEST(same_records_same_octets),
        TEST(slices_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
