// What a replay found, from synthetic status documents and a synthetic feed: folded tickets, the JSON
// object key by key, and the sentences as a whole.
#include "command/outcome.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/control.h"

#define T0 1795326720000ll // 2026-11-22T05:52:00Z

static struct subscriber_key key_of(const char *address)
{
    struct realm realm;
    struct ip_prefix prefix;
    assert_int_equal(realm_parse("", &realm), 0);
    assert_int_equal(prefix_parse(address, &prefix), 0);
    return subscriber_key_of(&realm, &prefix);
}

static void add_evidence(struct verdict *v, const char *detector, unsigned family, double log_odds,
                         bool counted, const char *sentence)
{
    struct verdict_evidence *e = &v->evidence[v->evidence_count++];
    *e = (struct verdict_evidence){.family = (uint8_t)family,
                                   .measured = 63,
                                   .limit = 10,
                                   .window_s = 300,
                                   .log_odds = log_odds,
                                   .counted = counted,
                                   .first_ms = T0,
                                   .last_ms = T0 + 280000};
    snprintf(e->detector, sizeof e->detector, "%s", detector);
    snprintf(e->unit, sizeof e->unit, "providers");
    snprintf(e->sentence, sizeof e->sentence, "%s", sentence);
}

// A change of ticket `number`; its evidence is the caller's to add.
static struct ticket_change change_of(int64_t number, const char *address, unsigned class_,
                                      int64_t detected_ms, double score)
{
    static int64_t change_number;
    struct ticket_change c = {.number = ++change_number, .t_ms = detected_ms};
    struct ticket *t = &c.ticket;
    t->number = number;
    t->class_ = (uint8_t)class_;
    t->key = key_of(address);
    t->party = party_provisional(&t->key);
    t->state = TICKET_CONFIRMED;
    t->first_seen_ms = T0;
    t->detected_ms = detected_ms;
    t->last_seen_ms = detected_ms + 60000;
    t->changed_ms = detected_ms;
    t->score = score;
    snprintf(t->case_code, sizeof t->case_code, "CASE-%lld", (long long)number);
    snprintf(t->verdict_id, sizeof t->verdict_id, "v%lld", (long long)number);
    snprintf(t->sentence, sizeof t->sentence, "%s sends spam directly.", address);
    snprintf(c.by, sizeof c.by, "analysis");
    c.verdict.class_ = t->class_;
    c.verdict.key = t->key;
    c.verdict.party = t->party;
    c.verdict.first_ms = T0;
    c.verdict.made_ms = detected_ms;
    c.verdict.score = score;
    snprintf(c.verdict.id, sizeof c.verdict.id, "%s", t->verdict_id);
    return c;
}

static void write_change(FILE *feed, const struct ticket_change *c)
{
    json_t *o = ticket_change_to_json(c);
    assert_non_null(o);
    assert_int_equal(json_write_line(feed, o), 0);
    json_decref(o);
}

// Two tickets: number 2 is detected first; number 1 grows stronger, then is closed without evidence.
static void read_tickets(struct ticket_list *out)
{
    FILE *feed = tmpfile();
    assert_non_null(feed);
    struct ticket_change c = change_of(1, "192.0.2.7", VERDICT_SPAMBOT_DIRECT, T0 + 280000, 0.97);
    c.kind = TICKET_OPENED;
    add_evidence(&c.verdict, "fan-out", VERDICT_FAMILY_SPREAD, 4.5, true, "Weak.");
    write_change(feed, &c);

    c = change_of(2, "2001:db8::/56", VERDICT_SOCKS_RELAY, T0 + 60000, 0.91);
    c.kind = TICKET_OPENED;
    c.verdict.limitations = VERDICT_ONE_SIDED;
    add_evidence(&c.verdict, "relay", VERDICT_FAMILY_RELAY, 3, true, "It relays.");
    write_change(feed, &c);

    c = change_of(1, "192.0.2.7", VERDICT_SPAMBOT_DIRECT, T0 + 280000, 0.999);
    c.kind = TICKET_CHANGED;
    add_evidence(&c.verdict, "fan-out", VERDICT_FAMILY_SPREAD, 6, true,
                 "63 providers in 5 minutes, where 10 is the limit.");
    add_evidence(&c.verdict, "peers", VERDICT_FAMILY_SPREAD, 2, false, "The same again.");
    write_change(feed, &c);

    fputs("{\"this is\":\"no change\"}\nnor is this\n", feed);

    c = change_of(1, "192.0.2.7", VERDICT_SPAMBOT_DIRECT, T0 + 280000, 0.01);
    c.kind = TICKET_ENDED;
    c.ticket.state = TICKET_CLOSED;
    c.ticket.close_reason = TICKET_CLOSED_QUIET;
    write_change(feed, &c);

    rewind(feed);
    assert_int_equal(ticket_list_read(out, feed), 0);
    fclose(feed);
}

static void test_feed(void **state)
{
    (void)state;
    struct ticket_list l;
    read_tickets(&l);
    assert_int_equal(l.count, 2);
    assert_int_equal(l.broken_lines, 2);
    assert_int_equal(l.item[0].ticket.number, 2);
    assert_int_equal(l.item[1].ticket.number, 1);
    // The last state, the strongest evidence.
    assert_int_equal(l.item[1].ticket.state, TICKET_CLOSED);
    assert_int_equal(l.item[1].verdict.evidence_count, 2);
    assert_true(l.item[1].verdict.score > 0.99);
    ticket_list_free(&l);
}

static void test_empty_feed(void **state)
{
    (void)state;
    struct ticket_list l;
    FILE *feed = tmpfile();
    assert_int_equal(ticket_list_read(&l, feed), 0);
    assert_int_equal(l.count, 0);
    ticket_list_free(&l);
    fclose(feed);
}

static void add_status(struct outcome *o, enum stage_id stage, struct control_status *s)
{
    json_t *status = control_status_json(s);
    assert_non_null(status);
    assert_int_equal(outcome_add_status(o, stage, status), 0);
    json_decref(status);
    control_status_free(s);
}

static void fill(struct outcome *o)
{
    assert_int_equal(outcome_init(o), 0);
    struct control_status *s = control_status_new("postern-sensor");
    control_status_counter(s, "packets", 50000);
    control_status_counter(s, "tcp_flows", 12345);
    control_status_counter(s, "sliced", 3);
    control_status_counter(s, "skipped_layers", 12031);
    control_status_skipped(s, "ethertype 0x88e5", 12031);
    control_status_input(s, "a.pcap", "whole", "");
    control_status_input(s, "b.pcap", "truncated", "the last packet is cut");
    add_status(o, STAGE_SENSOR, s);
    s = control_status_new("postern-collector");
    control_status_counter(s, "subscribers", 214);
    add_status(o, STAGE_COLLECTOR, s);
    s = control_status_new("postern-analysis");
    control_status_not_visible(s, "backscatter", "no inbound mail was seen");
    control_status_problem(s, 1, "short", "the history is short", "replay more days");
    add_status(o, STAGE_ANALYSIS, s);
    read_tickets(&o->tickets);
}

static const char *text_at(const json_t *o, const char *list, size_t i, const char *key)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(o, list), i), key));
}

static void test_json(void **state)
{
    (void)state;
    struct outcome o;
    fill(&o);
    json_t *j = outcome_to_json(&o);
    assert_non_null(j);
    assert_int_equal(json_integer_value(json_object_get(j, "subscribers")), 214);
    assert_int_equal(json_integer_value(json_object_get(j, "flows")), 12345);
    const json_t *loss = json_object_get(j, "loss");
    assert_int_equal(json_integer_value(json_object_get(loss, "sliced")), 3);
    assert_true(json_is_integer(json_object_get(loss, "ppm")));
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(loss, "skipped"), "ethertype 0x88e5")),
        12031);
    assert_string_equal(text_at(j, "not_visible", 0, "detector"), "backscatter");
    assert_string_equal(text_at(j, "inputs", 1, "state"), "truncated");
    assert_string_equal(text_at(j, "problems", 0, "stage"), "analysis");

    const json_t *tickets = json_object_get(j, "tickets");
    assert_int_equal(json_array_size(tickets), 2);
    assert_string_equal(text_at(j, "tickets", 1, "class"), "spambot-direct");
    assert_string_equal(text_at(j, "tickets", 1, "subscriber"), "192.0.2.7");
    assert_string_equal(text_at(j, "tickets", 1, "party"), "provisional:192.0.2.7");
    assert_string_equal(text_at(j, "tickets", 1, "first_seen"), "2026-11-22T05:52:00Z");
    assert_string_equal(text_at(j, "tickets", 1, "detected"), "2026-11-22T05:56:40Z");
    const json_t *ticket = json_array_get(tickets, 1);
    assert_true(json_real_value(json_object_get(ticket, "score")) > 0.99);
    const json_t *evidence = json_array_get(json_object_get(ticket, "evidence"), 0);
    static const char *const keys[] = {"detector", "measured", "limit",    "unit",
                                       "window_s", "family",   "log_odds", "sentence"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_non_null(json_object_get(evidence, keys[i]));
    assert_string_equal(json_string_value(json_object_get(evidence, "family")), "spread");
    assert_int_equal(json_integer_value(json_object_get(evidence, "measured")), 63);
    json_decref(j);
    assert_false(outcome_inputs_whole(&o));
    outcome_fini(&o);
}

static void test_text(void **state)
{
    (void)state;
    struct outcome o;
    char text[4096] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    fill(&o);
    outcome_print(&o, out);
    fclose(out);
    outcome_fini(&o);

    // In this order.
    static const char *const parts[] = {
        "2 tickets; 214 subscribers, 12,345 TCP flows looked at.\n\n",
        "2001:db8::/56  socks-relay  score 0.91  confirmed\n"
        "    since 2026-11-22T05:52:00Z, detected 2026-11-22T05:53:00Z (after 1 min 0 s)\n",
        "    - It relays. [relay, +3.0]\n    note: ",
        "\n192.0.2.7  spambot-direct  score 1.00  closed\n",
        "(after 4 min 40 s)\n",
        "    - 63 providers in 5 minutes, where 10 is the limit. [fan-out, +6.0]\n"
        "    (1 more that stronger evidence of the same family covers)\n",
        "\nNot seen:\n  b.pcap is truncated: the last packet is cut\n",
        "  3 packets cut by the snap length\n",
        "  skipped: ethertype 0x88e5 12,031\n",
        "  off: backscatter, not visible: no inbound mail was seen\n",
        "\nTo know:\n  analysis: the history is short; replay more days\n",
    };
    const char *at = text;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        at = strstr(at, parts[i]);
        if (!at)
            fail_msg("not found: %s\nin: %s", parts[i], text);
    }
}

// What limits every ticket is said once, behind them; one ticket says it itself.
static void test_shared_limitations(void **state)
{
    (void)state;
    struct ticket_list l;
    char text[4096] = "";
    read_tickets(&l);
    l.item[0].verdict.limitations = VERDICT_PROVISIONAL | VERDICT_ONE_SIDED;
    l.item[1].verdict.limitations = VERDICT_PROVISIONAL;
    FILE *out = fmemopen(text, sizeof text, "w");
    ticket_list_print(&l, out);
    fclose(out);
    const char *shared = strstr(text, verdict_limitation_text(VERDICT_PROVISIONAL));
    assert_non_null(shared);
    assert_null(strstr(shared + 1, verdict_limitation_text(VERDICT_PROVISIONAL)));
    assert_true(strstr(text, "\nFor all of them:\n") < shared);
    assert_true(strstr(text, verdict_limitation_text(VERDICT_ONE_SIDED)) < shared);

    memset(text, 0, sizeof text);
    l.count = 1;
    out = fmemopen(text, sizeof text, "w");
    ticket_list_print(&l, out);
    fclose(out);
    assert_non_null(strstr(text, "    note: "));
    assert_null(strstr(text, "For all of them"));
    ticket_list_free(&l);
}

static void test_nothing(void **state)
{
    (void)state;
    struct outcome o;
    char text[512] = "";
    assert_int_equal(outcome_init(&o), 0);
    FILE *out = fmemopen(text, sizeof text, "w");
    outcome_print(&o, out);
    fclose(out);
    assert_string_equal(text, "No tickets; 0 subscribers, 0 TCP flows looked at.\n\nNot seen:\n"
                              "  nothing of what was captured was lost or left unopened\n");
    assert_true(outcome_inputs_whole(&o));
    outcome_fini(&o);
}

// A status document is outside input: the wrong kinds are left out.
static void test_hostile_status(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "[]",
        "{\"counters\":7,\"skipped\":[1],\"inputs\":{\"a\":1},\"not_visible\":\"x\"}",
        "{\"counters\":{\"packets\":\"many\",\"tcp_flows\":-4},\"inputs\":[1,{\"name\":\"a\"},"
        "{\"name\":1,\"state\":\"whole\"}],\"problems\":[{\"code\":null}]}",
    };
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct outcome o;
        json_t *status = json_loads(documents[i], 0, NULL);
        assert_non_null(status);
        assert_int_equal(outcome_init(&o), 0);
        assert_int_equal(outcome_add_status(&o, STAGE_SENSOR, status), 0);
        assert_int_equal(o.flows, 0);
        assert_int_equal(json_array_size(o.inputs), 0);
        assert_int_equal(json_array_size(o.problems), 0);
        json_decref(status);
        outcome_fini(&o);
    }
}

static void test_terminal(void **state)
{
    (void)state;
    char text[64] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    print_text("a\x1b[31mb\r\n\x7f", out);
    print_text("gr\xc3\xbc\xc3\x9f", out);
    fclose(out);
    assert_string_equal(text, "a?[31mb???gr\xc3\xbc\xc3\x9f");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_feed),     cmocka_unit_test(test_empty_feed),
        cmocka_unit_test(test_json),     cmocka_unit_test(test_text),
        cmocka_unit_test(test_nothing),  cmocka_unit_test(test_hostile_status),
        cmocka_unit_test(test_terminal), cmocka_unit_test(test_shared_limitations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
