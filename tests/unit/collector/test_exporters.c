// Exporters without identity, routers and softflowd, over connections: they begin anew, send other templates under the same
// numbers, and share an observation domain. What they tell counts as often as it came whole, and no gap is claimed.
#include "session_rig.h"

#define NOW (T0 + 30000)

// ---- Messages

struct field {
    uint16_t id, len;
};

// Source and destination, ports, protocol, counters, times; the second says more, in another order.
static const struct field layout_a[] = {{8, 4}, {12, 4}, {7, 2}, {11, 2},  {4, 1},
                                        {6, 1}, {2, 8},  {1, 8}, {152, 8}, {153, 8}};
static const struct field layout_b[] = {{152, 8}, {153, 8}, {136, 1}, {12, 4}, {8, 4}, {4, 1},
                                        {11, 2},  {7, 2},   {1, 4},   {2, 4},  {6, 2}, {5, 1}};

#define A layout_a, sizeof layout_a / sizeof layout_a[0]
#define B layout_b, sizeof layout_b / sizeof layout_b[0]

struct message {
    struct buf b;
    size_t set;
};

static void begin(struct message *m, int64_t export_ms, uint32_t sequence, uint32_t domain)
{
    buf_init(&m->b, 65535);
    buf_be(&m->b, 10, 2);
    buf_be(&m->b, 0, 2);
    buf_be(&m->b, (uint64_t)export_ms / 1000, 4);
    buf_be(&m->b, sequence, 4);
    buf_be(&m->b, domain, 4);
}

static void set_length(struct message *m, size_t at, size_t len)
{
    m->b.data[at] = (uint8_t)(len >> 8);
    m->b.data[at + 1] = (uint8_t)len;
}

static void begin_set(struct message *m, uint16_t id)
{
    m->set = m->b.len;
    buf_be(&m->b, id, 2);
    buf_be(&m->b, 0, 2);
}

static void end_set(struct message *m)
{
    set_length(m, m->set + 2, m->b.len - m->set);
}

static void put_template(struct message *m, uint16_t id, const struct field *f, size_t count)
{
    begin_set(m, 2);
    buf_be(&m->b, id, 2);
    buf_be(&m->b, count, 2);
    for (size_t i = 0; i < count; i++) {
        buf_be(&m->b, f[i].id, 2);
        buf_be(&m->b, f[i].len, 2);
    }
    end_set(m);
}

// A connection to port 25 that was answered; `n` makes its port.
static uint64_t value_of(uint16_t id, unsigned n, int64_t t_ms)
{
    switch (id) {
    case 8: return 0x64400007;  // 100.64.0.7
    case 12: return 0xc6336419; // 198.51.100.25
    case 7: return 20000 + n;
    case 11: return 25;
    case 4: return 6;
    case 6: return 0x1b;
    case 2: return 9;
    case 1: return 900;
    case 152: return (uint64_t)t_ms - 500;
    case 153: return (uint64_t)t_ms;
    case 136: return 3;
    default: return 0;
    }
}

static void put_flows(struct message *m, uint16_t id, const struct field *f, size_t count,
                      unsigned from, unsigned flows, int64_t t_ms)
{
    begin_set(m, id);
    for (unsigned n = from; n < from + flows; n++)
        for (size_t i = 0; i < count; i++)
            buf_be(&m->b, value_of(f[i].id, n, t_ms), f[i].len);
    end_set(m);
}

static struct span finish(struct message *m)
{
    assert_false(m->b.failed);
    set_length(m, 2, m->b.len);
    return buf_span(&m->b);
}

// Template and flows in one message.
static void export(struct rig *r, size_t i, uint32_t sequence, uint16_t id, const struct field *f,
                   size_t count, unsigned from, unsigned flows, int64_t t_ms)
{
    struct message m;
    begin(&m, t_ms, sequence, 77);
    put_template(&m, id, f, count);
    put_flows(&m, id, f, count, from, flows, t_ms);
    rig_send(r, i, finish(&m), NOW);
    buf_fini(&m.b);
}

// ---- Restarts

static void assert_counted(struct rig *r, uint64_t flows)
{
    assert_int_equal(rig_counter(r, "records_flow"), flows);
    assert_int_equal(rig_counter(r, "gaps"), 0);
    assert_int_equal(rig_counter(r, "records_missing"), 0);
    assert_int_equal(rig_counter(r, "repeats"), 0);
    struct rig_sum sum = rig_read(r);
    assert_int_equal(sum.connections, flows);
    assert_int_equal(sum.lost, 0);
}

// A new connection: its sequence from 0, the template under the same number with another layout, under another as well.
static void an_exporter_that_begins_anew_is_counted_once(void **state)
{
    struct rig *r = *state;
    rig_connect(r, 0, "192.0.2.1", NOW);
    export(r, 0, 0, 256, A, 0, 10, NOW - 9000);
    export(r, 0, 10, 256, A, 10, 10, NOW - 8000);
    rig_hang_up(r, 0);
    rig_connect(r, 0, "192.0.2.1", NOW);
    export(r, 0, 0, 256, B, 20, 10, NOW - 7000);
    export(r, 0, 10, 400, A, 30, 10, NOW - 6000);
    assert_int_equal(rig_counter(r, "source_unknown_templates"), 0);
    assert_int_equal(rig_counter(r, "source_bad_sets"), 0);
    assert_counted(r, 40);
}

// Within a connection, as a relay between makes of it: sequence back to 0, 256 means something else from now on.
static void an_exporter_that_begins_anew_within_a_connection(void **state)
{
    struct rig *r = *state;
    rig_connect(r, 0, "192.0.2.1", NOW);
    export(r, 0, 5000, 256, A, 0, 10, NOW - 9000);
    export(r, 0, 0, 256, B, 10, 10, NOW - 8000);
    export(r, 0, 10, 257, A, 20, 10, NOW - 7000);
    struct message m; // and 256 goes on as it was said last
    begin(&m, NOW - 6000, 20, 77);
    put_flows(&m, 256, B, 30, 10, NOW - 6000);
    rig_send(r, 0, finish(&m), NOW);
    buf_fini(&m.b);
    assert_counted(r, 40);
}

// Cut off anywhere within a message: what was not whole counts nothing, and once when it is sent again.
static void a_message_cut_off_counts_when_it_is_whole(void **state)
{
    struct rig *r = *state;
    struct message m;
    begin(&m, NOW - 9000, 0, 77);
    put_template(&m, 256, A);
    put_flows(&m, 256, A, 0, 3, NOW - 9000);
    struct span whole = finish(&m);
    for (size_t cut = 0; cut < whole.len; cut++) {
        rig_connect(r, 0, "192.0.2.1", NOW);
        rig_send(r, 0, span_cut(whole, 0, cut), NOW);
        rig_hang_up(r, 0);
    }
    assert_int_equal(rig_counter(r, "records_flow"), 0);
    rig_connect(r, 0, "192.0.2.1", NOW);
    for (size_t i = 0; i < whole.len; i++)
        rig_send(r, 0, span_cut(whole, i, 1), NOW);
    buf_fini(&m.b);
    assert_counted(r, 3);
}

// One observation domain over two connections at once: each has its own templates, and the end of one is not that of the other.
static void two_connections_of_one_domain(void **state)
{
    struct rig *r = *state;
    rig_connect(r, 0, "192.0.2.1", NOW);
    rig_connect(r, 1, "192.0.2.1", NOW);
    export(r, 0, 0, 256, A, 0, 5, NOW - 9000);
    export(r, 1, 0, 256, B, 5, 5, NOW - 9000);
    for (uint32_t n = 1; n < 4; n++) {
        for (size_t i = 0; i < 2; i++) {
            struct message m;
            int64_t t_ms = NOW - 9000 + n * 1000;
            begin(&m, t_ms, 5 * n, 77);
            if (i == 0)
                put_flows(&m, 256, A, 10 * n, 5, t_ms);
            else
                put_flows(&m, 256, B, 10 * n + 5, 5, t_ms);
            rig_send(r, i, finish(&m), NOW);
            buf_fini(&m.b);
        }
    }
    rig_hang_up(r, 0);
    export(r, 1, 20, 256, B, 40, 5, NOW - 2000);
    assert_int_equal(rig_counter(r, "source_unknown_templates"), 0);
    assert_int_equal(rig_counter(r, "sensors"), 1);
    assert_counted(r, 45);
}

// Two exporters that happen to have the same number are two.
static void two_exporters_of_one_number(void **state)
{
    struct rig *r = *state;
    rig_connect(r, 0, "192.0.2.1", NOW);
    rig_connect(r, 1, "192.0.2.2", NOW);
    export(r, 0, 0, 256, A, 0, 5, NOW - 9000);
    export(r, 1, 0, 256, B, 5, 5, NOW - 9000);
    assert_int_equal(rig_counter(r, "sensors"), 2);
    assert_counted(r, 10);
}

// Data before its template: counted with its source, which keeps it when the connection is gone; what follows is taken.
static void what_has_no_template_stays_counted(void **state)
{
    struct rig *r = *state;
    struct message m;
    rig_connect(r, 0, "192.0.2.1", NOW);
    begin(&m, NOW - 9000, 0, 77);
    put_flows(&m, 256, A, 0, 4, NOW - 9000);
    rig_send(r, 0, finish(&m), NOW);
    buf_fini(&m.b);
    begin(&m, NOW - 9000, 4, 77);
    put_template(&m, 256, A);
    begin_set(&m, 77); // a number that no set has
    end_set(&m);
    put_flows(&m, 256, A, 4, 4, NOW - 9000);
    rig_send(r, 0, finish(&m), NOW);
    buf_fini(&m.b);
    rig_hang_up(r, 0);
    assert_int_equal(sources_count(r->sources, "192.0.2.1", SOURCE_template_), 1);
    assert_int_equal(sources_count(r->sources, "192.0.2.1", SOURCE_set), 1);
    struct control_status *s = control_status_new("test");
    sources_status(r->sources, s);
    json_t *doc = control_status_json(s);
    const json_t *problem = json_array_get(json_object_get(doc, "problems"), 0);
    assert_string_equal(json_string_value(json_object_get(problem, "text")),
                        "192.0.2.1: 1 times broken sets and templates; 1 times sets without a "
                        "template");
    json_decref(doc);
    control_status_free(s);
    assert_counted(r, 4);
}

// ---- Clocks

static struct record own(uint32_t domain, uint64_t *sequence, struct record r)
{
    r.version = RECORD_VERSION;
    r.id = (struct record_id){.domain = domain, .epoch = 9, .sequence = ++*sequence};
    return r;
}

static struct record second(uint32_t domain, int64_t t_ms)
{
    struct record r = {.kind = RECORD_COVERAGE};
    r.coverage = (struct coverage){.t_ms = t_ms, .sampling = 1, .packets = 100};
    snprintf(r.coverage.sensor, sizeof r.coverage.sensor, "edge%u", domain);
    return r;
}

// `off_ms`: what its clock says more than it is. Two minutes, a flow every ten seconds.
static void sensor_tells(struct rig *r, size_t i, uint32_t domain, uint64_t *sequence,
                         int64_t from_ms, int64_t off_ms, unsigned seconds)
{
    for (unsigned s = 0; s < seconds; s++) {
        int64_t t_ms = from_ms + s * 1000;
        struct record c = own(domain, sequence, second(domain, t_ms + off_ms + 1000));
        rig_record(r, i, &c, t_ms + 1000);
        if (s % 10 != 5)
            continue;
        struct record f = flow(t_ms + off_ms, t_ms + off_ms + 300, 25,
                               RECORD_HANDSHAKE_ESTABLISHED);
        f.flow.initiator_port = (uint16_t)(40000 + domain); // not one flow that two saw
        f = own(domain, sequence, f);
        rig_record(r, i, &f, t_ms + 1000);
    }
}

#define HOURS3 INT64_C(10800000)

// The exporter is heard first, by a collector that knows nobody yet.
static void an_exporter_ahead_does_not_move_a_fresh_collector(void **state)
{
    for (int synchronised = 0; synchronised < 2; synchronised++) {
        struct rig *r = *state;
        uint64_t sequence = 0;
        r->clocks.synchronised = synchronised == 1;
        rig_connect(r, 0, "192.0.2.1", T0);
        struct message m;
        begin(&m, T0 + HOURS3, 0, 77);
        put_template(&m, 256, A);
        put_flows(&m, 256, A, 0, 50, T0 + HOURS3);
        rig_send(r, 0, finish(&m), T0);
        buf_fini(&m.b);
        rig_connect(r, 1, "edge1", T0);
        sensor_tells(r, 1, 1, &sequence, T0, 0, 120);
        assert_int_equal(rig_counter(r, "refused_ahead"), 50);
        assert_int_equal(rig_counter(r, "refused_late"), 0);
        assert_int_equal(rig_counter(r, "clock_faults"), 0);
        struct rig_sum sum = rig_read(r);
        assert_int_equal(sum.connections, 12);
        assert_int_equal(sum.amendments, 0);
        assert_in_range(sum.mark_max_ms, T0, T0 + 180000);
        if (synchronised == 0) {
            assert_int_equal(rig_teardown(state), 0);
            assert_int_equal(rig_setup(state), 0);
        }
    }
}

// Flow times that are right and a message from the future are of one clock.
static void a_message_from_the_future_is_not_believed(void **state)
{
    struct rig *r = *state;
    struct message m;
    r->clocks.synchronised = true;
    rig_connect(r, 0, "192.0.2.1", T0);
    begin(&m, T0 + 121000, 0, 77);
    put_template(&m, 256, A);
    put_flows(&m, 256, A, 0, 5, T0 - 5000);
    rig_send(r, 0, finish(&m), T0);
    buf_fini(&m.b);
    assert_int_equal(rig_counter(r, "refused_ahead"), 5);
    begin(&m, T0 + 119000, 5, 77);
    put_flows(&m, 256, A, 5, 5, T0 + 100000);
    rig_send(r, 0, finish(&m), T0);
    buf_fini(&m.b);
    assert_int_equal(rig_counter(r, "refused_ahead"), 5);
    assert_counted(r, 5);
}

static bool status_says(struct rig *r, const char *code, const char *part)
{
    struct control_status *s = control_status_new("test");
    sources_status(r->sources, s);
    json_t *doc = control_status_json(s), *p;
    size_t i;
    bool says = false;
    json_array_foreach (json_object_get(doc, "problems"), i, p)
        says |= strcmp(json_string_value(json_object_get(p, "code")), code) == 0 &&
                strstr(json_string_value(json_object_get(p, "text")), part) != NULL;
    json_decref(doc);
    control_status_free(s);
    return says;
}

// Refused while its clock is ahead; no gap, but told in its coverage when it is right again. So again after a kill.
static void a_sensor_ahead_is_refused_and_told(void **state)
{
    struct rig *r = *state;
    uint64_t sequence[2] = {0};
    r->clocks.synchronised = true;
    rig_connect(r, 0, "edge1", T0);
    rig_connect(r, 1, "edge2", T0);
    sensor_tells(r, 1, 2, &sequence[1], T0, 0, 60);
    sensor_tells(r, 0, 1, &sequence[0], T0, HOURS3, 60); // 60 seconds and 6 flows
    assert_int_equal(rig_counter(r, "refused_ahead"), 66);
    assert_true(status_says(r, "broken-source", "its clock was up to 10800 s ahead"));
    for (unsigned s = 60; s < 120; s += 10) {
        sensor_tells(r, 1, 2, &sequence[1], T0 + s * 1000, 0, 10);
        sensor_tells(r, 0, 1, &sequence[0], T0 + s * 1000, 0, 10);
    }
    assert_int_equal(rig_counter(r, "records_missing"), 0);
    assert_int_equal(rig_counter(r, "gaps"), 0);
    rig_end(r); // killed: from the log it is the same
    assert_int_equal(start(r->world), 0);
    assert_int_equal(rig_counter(r, "records_missing"), 0);
    assert_int_equal(rig_counter(r, "gaps"), 0);
    struct rig_sum sum = rig_read(r);
    assert_int_equal(sum.connections, 18);
    assert_int_equal(sum.lost, 66);
    assert_int_equal(sum.amendments, 0);
}

// Nobody but an own clock that is not synchronised contradicts: believed. With a second sensor beside it, not.
static void a_lone_sensor_is_believed_until_another_contradicts(void **state)
{
    struct rig *r = *state;
    uint64_t sequence[2] = {0};
    rig_connect(r, 0, "edge1", T0);
    sensor_tells(r, 0, 1, &sequence[0], T0, HOURS3, 10);
    assert_int_equal(rig_counter(r, "refused_ahead"), 0);
    rig_connect(r, 1, "edge2", T0);
    sensor_tells(r, 1, 2, &sequence[1], T0 + 10000, 0, 10);
    sensor_tells(r, 0, 1, &sequence[0], T0 + 20000, HOURS3, 10);
    assert_int_equal(rig_counter(r, "refused_ahead"), 11);
}

// The collector's own clock is three hours behind, and nobody synchronises it: most say so.
static void a_collector_behind_believes_most(void **state)
{
    struct rig *r = *state;
    uint64_t sequence[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "edge%zu", i + 1);
        rig_connect(r, i, name, T0);
        sensor_tells(r, i, (uint32_t)i + 1, &sequence[i], T0, HOURS3, 5);
    }
    rig_connect(r, 3, "192.0.2.1", T0);
    struct message m;
    begin(&m, T0 + HOURS3, 0, 77);
    put_template(&m, 256, A);
    put_flows(&m, 256, A, 0, 5, T0 + HOURS3);
    rig_send(r, 3, finish(&m), T0 + 5000);
    buf_fini(&m.b);
    assert_int_equal(rig_counter(r, "refused_ahead"), 0);
}

// A capture's time is its own, whatever the clocks say.
static void a_capture_of_tomorrow_is_taken(void **state)
{
    struct rig *r = *state;
    uint64_t sequence = 0;
    r->clocks.synchronised = true;
    rig_connect(r, 0, "edge1", T0);
    for (unsigned s = 1; s < 10; s++) {
        struct record c = second(1, T0 + HOURS3 + s * 1000);
        c.coverage.alarms = COVERAGE_REPLAY;
        c = own(1, &sequence, c);
        rig_record(r, 0, &c, T0);
        struct record f = own(1, &sequence,
                              flow(T0 + HOURS3 + s * 1000, T0 + HOURS3 + s * 1000 + 10, 25,
                                   RECORD_HANDSHAKE_ESTABLISHED));
        rig_record(r, 0, &f, T0);
    }
    assert_int_equal(rig_counter(r, "refused_ahead"), 0);
    assert_int_equal(rig_read(r).connections, 9);
}

// ---- Prefixes

// What is refused because it is another sensor's subscriber is no gap, now and after a kill.
static void a_foreign_prefix_is_no_gap(void **state)
{
    struct rig *r = *state;
    uint64_t sequence = 0;
    struct permit *p = calloc(1, sizeof *p);
    json_t *prefixes = json_pack("[s]", "100.64.0.0/24");
    snprintf(p->serial, sizeof p->serial, "01");
    assert_int_equal(permit_allow(p, NULL, prefixes), 0);
    json_decref(prefixes);
    rig_connect_as(r, 0, "edge1", p, T0);
    for (unsigned s = 0; s < 40; s++) {
        struct record f = flow(T0 + s * 1000, T0 + s * 1000 + 10, 25, RECORD_HANDSHAKE_ESTABLISHED);
        f.flow.initiator.octet[2] = s % 4 == 1; // 100.64.1.7 is not its own
        f = own(1, &sequence, f);
        rig_record(r, 0, &f, T0 + s * 1000);
        struct record c = own(1, &sequence, second(1, T0 + s * 1000 + 1000));
        rig_record(r, 0, &c, T0 + s * 1000 + 1000);
    }
    assert_int_equal(r->room.totals.foreign_prefix, 10);
    assert_int_equal(rig_counter(r, "records_missing"), 0);
    rig_end(r);
    permit_free(p);
    assert_int_equal(start(r->world), 0);
    assert_int_equal(rig_counter(r, "records_missing"), 0);
    assert_int_equal(rig_counter(r, "gaps"), 0);
    struct rig_sum sum = rig_read(r);
    assert_int_equal(sum.connections, 30);
    assert_int_equal(sum.lost, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_exporter_that_begins_anew_is_counted_once),
        TEST(an_exporter_that_begins_anew_within_a_connection),
        TEST(a_message_cut_off_counts_when_it_is_whole),
        TEST(two_connections_of_one_domain),
        TEST(two_exporters_of_one_number),
        TEST(what_has_no_template_stays_counted),
        TEST(an_exporter_ahead_does_not_move_a_fresh_collector),
        TEST(a_message_from_the_future_is_not_believed),
        TEST(a_sensor_ahead_is_refused_and_told),
        TEST(a_lone_sensor_is_believed_until_another_contradicts),
        TEST(a_collector_behind_believes_most),
        TEST(a_capture_of_tomorrow_is_taken),
        TEST(a_foreign_prefix_is_no_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
