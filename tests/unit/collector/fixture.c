// The fixture's records and reading back.
#include "fixture.h"

#include <stdlib.h>

#include "scratch.h"

// The smarthost, a hosting network and default keys of everything else.
static const char config[] = "site:\n"
                             "  smarthosts: [192.0.2.10]\n"
                             "  hosting: [203.0.113.0/24]\n";

static void load_config(struct fixture *f)
{
    struct conf_section sections[] = {
        {"site", conf_site_keys, &f->site},
        {"collector", collector_conf_keys, &f->conf},
    };
    assert_int_equal(conf_load_text("test", "/", config, strlen(config), sections, 2, stderr), 0);
}

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f || scratch_make(f->dir) != 0)
        return -1;
    load_config(f);
    f->conf.flows = 4096;
    f->conf.early_outcomes = 2; // so that one failure can be seen to wait
    f->row = calloc(FIXTURE_ROWS_MAX, sizeof *f->row);
    f->domain = 1;
    f->epoch = 1000;
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    collector_close(f->collector);
    scratch_remove(f->dir);
    for (size_t i = 0; i < f->rows; i++)
        minute_row_fini(&f->row[i], NULL);
    minute_row_fini(&f->row[FIXTURE_ROWS_MAX - 1], NULL);
    free(f->row);
    conf_free(conf_site_keys, &f->site);
    conf_free(collector_conf_keys, &f->conf);
    free(f);
    return 0;
}

void fixture_open(struct fixture *f)
{
    if (!f->collector)
        assert_int_equal(
            collector_open(&f->conf, &f->site, f->dir, f->leases, stderr, &f->collector), 0);
}

void fixture_take(struct fixture *f, struct record *r)
{
    fixture_open(f);
    r->version = RECORD_VERSION;
    r->id = (struct record_id){f->domain, f->epoch, ++f->sequence};
    const char *bad = record_check(r);
    if (bad)
        fail_msg("the test made an impossible record: %s", bad);
    assert_int_equal(collector_take(f->collector, r), 0);
}

static struct record second(const struct fixture *f, int64_t t_ms)
{
    struct record r = {.kind = RECORD_COVERAGE};
    r.coverage = (struct coverage){
        .t_ms = t_ms, .sampling = 1, .packets = 100, .seen_octets = 1000, .octets = 5000};
    snprintf(r.coverage.sensor, sizeof r.coverage.sensor, "edge%u", f->domain);
    return r;
}

void fixture_second(struct fixture *f, int64_t t_ms)
{
    struct record r = second(f, t_ms);
    fixture_take(f, &r);
}

void fixture_until(struct fixture *f, int64_t from_ms, int64_t to_ms)
{
    for (int64_t t = from_ms + 1000; t <= to_ms; t += 1000)
        fixture_second(f, t);
}

void fixture_last(struct fixture *f, int64_t t_ms)
{
    struct record r = second(f, t_ms);
    r.coverage.last = true;
    fixture_take(f, &r);
}

void fixture_close(struct fixture *f)
{
    if (!f->collector)
        return;
    assert_int_equal(collector_finish(f->collector), 0);
    collector_close(f->collector);
    f->collector = NULL;
}

static void keep_row(struct fixture *f, const struct minute_row *row)
{
    assert_true(f->rows < FIXTURE_ROWS_MAX - 1);
    assert_int_equal(minute_row_add(&f->row[f->rows], row, UINT32_MAX, NULL), 0);
    f->row[f->rows].observed_s = row->observed_s;
    f->rows++;
}

void fixture_read(struct fixture *f)
{
    fixture_close(f);
    struct journal_reader *r;
    const struct journal_entry *e;
    int rc;
    assert_int_equal(journal_reader_open(f->dir, NULL, NULL, &r), 0);
    while ((rc = journal_next(r, &e)) == 1) {
        if (e->kind == JOURNAL_ROW)
            keep_row(f, &e->row);
        else if (e->kind == JOURNAL_COVERAGE)
            f->coverage[f->coverages++] = e->coverage;
        else if (e->kind == JOURNAL_SITE)
            f->sites[f->site_count++] = e->site;
        else
            f->mark[f->marks++] = e->mark_ms;
        assert_true(f->coverages < FIXTURE_MARKS_MAX && f->site_count < FIXTURE_MARKS_MAX &&
                    f->marks < FIXTURE_MARKS_MAX);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(journal_reader_stats(r)->bad_blocks, 0);
    journal_reader_close(r);
}

struct ip_addr addr(const char *text)
{
    struct ip_addr a;
    assert_int_equal(ip_parse(text, &a), 0);
    return a;
}

struct record flow(int64_t start_ms, int64_t end_ms, uint16_t port, uint8_t handshake)
{
    static uint64_t hash = 0x1000;
    struct record r = {.kind = RECORD_FLOW};
    struct record_flow *f = &r.flow;
    f->flow_hash = ++hash * 0x9e3779b97f4a7c15u;
    f->ip_proto = 6;
    f->initiator = addr("100.64.0.7");
    f->responder = addr("198.51.100.25");
    f->initiator_port = 40000;
    f->responder_port = port;
    f->side = RECORD_SIDE_INITIATOR;
    f->flags = RECORD_START | RECORD_END;
    f->handshake = handshake;
    if (handshake != RECORD_HANDSHAKE_PENDING && handshake != RECORD_HANDSHAKE_MIDSTREAM) {
        f->flags |= RECORD_OUTCOME;
        f->outcome_ms = handshake == RECORD_HANDSHAKE_UNANSWERED ? end_ms : start_ms;
    }
    f->sampling = 1;
    f->flow_start_ms = start_ms;
    f->start_ms = start_ms;
    f->end_ms = end_ms;
    f->packets[0] = 1;
    f->octets[0] = 60;
    f->tls.alert = 255;
    f->socks.reply = 0xff;
    f->socks.version = 5;
    f->ttl_min = f->ttl_max = 63;
    return r;
}

struct record mail_event(int64_t t_ms, uint8_t event)
{
    struct record r = {.kind = RECORD_MAIL};
    r.mail = (struct record_mail){
        .t_ms = t_ms,
        .event = event,
        .client = addr("203.0.113.9"),
        .client_port = 50000,
        .mailbox = {KEYED_HASH_MAILBOX, 1, 0xabcdef},
        .server_port = 587,
        .server_hash = 77,
    };
    return r;
}

static bool is_of(const struct minute_row *r, const char *subscriber)
{
    char text[SUBSCRIBER_TEXT_MAX];
    return strcmp(subscriber_key_format(&r->key, text), subscriber) == 0;
}

const struct minute_row *fixture_sum(struct fixture *f, const char *subscriber, int64_t minute)
{
    struct minute_row *sum = &f->row[FIXTURE_ROWS_MAX - 1];
    minute_row_fini(sum, NULL);
    bool found = false;
    for (size_t i = 0; i < f->rows; i++) {
        if (f->row[i].minute != minute || !is_of(&f->row[i], subscriber))
            continue;
        assert_int_equal(minute_row_add(sum, &f->row[i], UINT32_MAX, NULL), 0);
        found = true;
    }
    return found ? sum : NULL;
}

const struct minute_row *fixture_row(struct fixture *f, const char *subscriber, int64_t minute,
                                     uint32_t flags)
{
    for (size_t i = 0; i < f->rows; i++)
        if (f->row[i].minute == minute && is_of(&f->row[i], subscriber) &&
            (f->row[i].flags & flags))
            return &f->row[i];
    return NULL;
}

const struct minute_row *fixture_one(struct fixture *f, struct record *r, const char *subscriber)
{
    fixture_take(f, r);
    fixture_until(f, T0, T0 + 61000);
    fixture_read(f);
    return fixture_sum(f, subscriber, M0);
}

struct fixture *fixture_again(void **state)
{
    fixture_teardown(state);
    assert_int_equal(fixture_setup(state), 0);
    return *state;
}

uint64_t fixture_counter(struct fixture *f, const char *name)
{
    struct control_status *s = control_status_new("test");
    collector_status(f->collector, true, s);
    json_t *doc = control_status_json(s);
    json_t *v = json_object_get(json_object_get(doc, "counters"), name);
    assert_non_null(v);
    uint64_t n = (uint64_t)json_integer_value(v);
    json_decref(doc);
    control_status_free(s);
    return n;
}
