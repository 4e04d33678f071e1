// Tickets: their JSON both ways, and the store: numbers without gaps, one open ticket a party and
// class, transactions that hold or never were.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "common/ticket.h"
#include "scratch.h"
#include "verdict_sample.h"

static struct ticket_change change_sample(void)
{
    struct ticket_change c = {.t_ms = SAMPLE_MS + 339000, .kind = TICKET_OPENED, .by = "analysis"};
    struct ticket *t = &c.ticket;
    c.verdict = verdict_sample();
    *t = (struct ticket){.case_code = "7K3QA-9XHM2",
                         .class_ = VERDICT_SPAMBOT_DIRECT,
                         .party = c.verdict.party,
                         .key = c.verdict.key,
                         .pop = "north",
                         .network_class = "residential",
                         .state = TICKET_CONFIRMED,
                         .actions = TICKET_NOTIFY | TICKET_BLOCK25,
                         .actions_applied = TICKET_NOTIFY,
                         .ceiling = VERDICT_RESTRICT,
                         .first_seen_ms = SAMPLE_MS,
                         .detected_ms = SAMPLE_MS + 339000,
                         .last_seen_ms = SAMPLE_MS + 338697,
                         .changed_ms = SAMPLE_MS + 339000,
                         .expires_ms = SAMPLE_MS + 86739000,
                         .score = 0.999917,
                         .offence = 2,
                         .self_releases = 1,
                         .held = "helpdesk-hours",
                         .sentence = "Line 4711 sends spam."};
    memcpy(t->verdict_id, c.verdict.id, sizeof t->verdict_id);
    return c;
}

static char *canonical(json_t *j)
{
    assert_non_null(j);
    char *text = json_canonical(j);
    json_decref(j);
    assert_non_null(text);
    return text;
}

static void round_trip(void **state)
{
    (void)state;
    char error[160];
    struct ticket_change c = change_sample(), again = {0};
    c.number = 17;
    c.ticket.number = 4;
    char *text = canonical(ticket_change_to_json(&c));
    json_t *j = json_loads(text, 0, NULL);
    assert_int_equal(ticket_change_from_json(j, &again, error), 0);
    char *second = canonical(ticket_change_to_json(&again));
    assert_string_equal(text, second);
    assert_int_equal(again.ticket.actions, TICKET_NOTIFY | TICKET_BLOCK25);
    assert_int_equal(again.ticket.actions_applied, TICKET_NOTIFY);
    assert_int_equal(again.verdict.evidence_count, 2);
    // Without evidence there is no verdict in it.
    c.verdict.evidence_count = 0;
    json_decref(j);
    free(text);
    text = canonical(ticket_change_to_json(&c));
    assert_non_null(strstr(text, "\"verdict\":null"));
    j = json_loads(text, 0, NULL);
    assert_int_equal(ticket_change_from_json(j, &again, error), 0);
    assert_int_equal(again.verdict.evidence_count, 0);
    json_decref(j);
    free(text);
    free(second);
}

static void every_member_is_needed(void **state)
{
    (void)state;
    struct ticket_change c = change_sample(), out;
    char error[160];
    c.number = c.ticket.number = 1;
    json_t *whole = ticket_change_to_json(&c);
    const char *key;
    json_t *value;
    json_object_foreach (whole, key, value) {
        json_t *cut = json_copy(whole);
        json_object_del(cut, key);
        assert_int_equal(ticket_change_from_json(cut, &out, error), -EINVAL);
        assert_non_null(strstr(error, key));
        json_decref(cut);
    }
    json_object_foreach (json_object_get(whole, "ticket"), key, value) {
        json_t *cut = json_deep_copy(whole);
        json_object_del(json_object_get(cut, "ticket"), key);
        assert_int_equal(ticket_change_from_json(cut, &out, error), -EINVAL);
        assert_non_null(strstr(error, key));
        json_decref(cut);
    }
    json_decref(whole);
}

static void names(void **state)
{
    (void)state;
    for (unsigned s = 0; s < TICKET_STATES; s++)
        assert_int_equal(ticket_state_parse(ticket_state_name(s)), (int)s);
    assert_null(ticket_state_name(TICKET_STATES));
    for (uint32_t bit = TICKET_NOTIFY; bit <= TICKET_GARDEN_STRICT; bit <<= 1)
        assert_int_equal(ticket_action_parse(ticket_action_name(bit)), (int)bit);
    assert_null(ticket_action_name(TICKET_GARDEN_STRICT << 1));
    assert_int_equal(ticket_action_parse("jail"), -EINVAL);
    assert_int_equal(ticket_state_parse(""), -EINVAL);
    for (unsigned r = TICKET_NOT_CLOSED; r <= TICKET_CLOSED_MERGED; r++)
        assert_non_null(ticket_close_reason_name(r));
    assert_null(ticket_close_reason_name(TICKET_CLOSED_MERGED + 1));
}

struct place {
    char dir[SCRATCH_MAX], path[96];
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p || scratch_make(p->dir) != 0)
        return -1;
    snprintf(p->path, sizeof p->path, "%s/t.db", p->dir);
    *state = p;
    return 0;
}

static int remove_place(void **state)
{
    struct place *p = *state;
    scratch_remove(p->dir);
    free(p);
    return 0;
}

static struct ticket_store *open_store(const struct place *p, bool write)
{
    char error[160];
    struct ticket_store *s = NULL;
    assert_int_equal(ticket_store_open(p->path, write, &s, error), 0);
    return s;
}

static void put(struct ticket_store *s, struct ticket_change *c)
{
    assert_int_equal(ticket_store_put(s, c), 0);
}

static int count_change(const struct ticket_change *c, void *ctx)
{
    int64_t *last = ctx;
    assert_int_equal(c->number, *last + 1);
    *last = c->number;
    return 0;
}

static void stored(void **state)
{
    const struct place *p = *state;
    char cursor[64];
    struct ticket found;
    struct ticket_change c = change_sample();
    struct ticket_store *s = open_store(p, true);
    assert_int_equal(ticket_store_cursor(s, cursor, sizeof cursor), 0);
    assert_string_equal(cursor, "");
    assert_int_equal(ticket_store_find_open(s, &c.ticket.party, VERDICT_SPAMBOT_DIRECT, &found), 0);
    assert_int_equal(ticket_store_begin(s), 0);
    put(s, &c);
    assert_int_equal(c.number, 1);
    assert_int_equal(c.ticket.number, 1);
    assert_int_equal(ticket_store_commit(s, "100:7"), 0);
    ticket_store_close(s);

    s = open_store(p, true);
    assert_int_equal(ticket_store_cursor(s, cursor, sizeof cursor), 0);
    assert_string_equal(cursor, "100:7");
    assert_int_equal(ticket_store_find_open(s, &c.ticket.party, VERDICT_SPAMBOT_DIRECT, &found), 1);
    assert_string_equal(found.case_code, c.ticket.case_code);
    assert_int_equal(found.expires_ms, c.ticket.expires_ms);
    assert_int_equal(ticket_store_find_open(s, &c.ticket.party, VERDICT_SOCKS_RELAY, &found), 0);
    // A second open ticket of the party and class is refused.
    struct ticket_change twin = change_sample();
    snprintf(twin.ticket.case_code, sizeof twin.ticket.case_code, "OTHER");
    assert_int_equal(ticket_store_begin(s), 0);
    assert_int_equal(ticket_store_put(s, &twin), -EEXIST);
    // A closed one makes room; the evidence of before stays.
    c.ticket.state = TICKET_CLOSED;
    c.verdict.evidence_count = 0;
    put(s, &c);
    assert_int_equal(c.number, 2);
    twin.ticket.number = 0;
    put(s, &twin);
    assert_int_equal(twin.ticket.number, 2);
    assert_int_equal(ticket_store_commit(s, "200:7"), 0);
    int64_t last = 0;
    assert_int_equal(ticket_store_changes(s, 0, 0, count_change, &last), 0);
    assert_int_equal(last, 3);
    assert_int_equal(ticket_store_last_change(s, &last), 0);
    assert_int_equal(last, 3);
    last = 1;
    assert_int_equal(ticket_store_changes(s, 1, 1, count_change, &last), 0);
    assert_int_equal(last, 2);
    ticket_store_close(s);
}

static void rolled_back(void **state)
{
    const struct place *p = *state;
    char cursor[64];
    struct ticket found;
    struct ticket_change c = change_sample();
    struct ticket_store *s = open_store(p, true);
    assert_int_equal(ticket_store_begin(s), 0);
    put(s, &c);
    assert_int_equal(ticket_store_rollback(s), 0);
    assert_int_equal(ticket_store_find_open(s, &c.ticket.party, VERDICT_SPAMBOT_DIRECT, &found), 0);
    // A program that dies before the commit leaves nothing either.
    assert_int_equal(ticket_store_begin(s), 0);
    c.ticket.number = 0;
    put(s, &c);
    ticket_store_close(s);
    s = open_store(p, true);
    assert_int_equal(ticket_store_cursor(s, cursor, sizeof cursor), 0);
    assert_string_equal(cursor, "");
    int64_t last = 0;
    assert_int_equal(ticket_store_last_change(s, &last), 0);
    assert_int_equal(last, 0);
    ticket_store_close(s);
}

struct seen {
    int64_t number[16];
    size_t count, verdicts;
};

static int see(const struct ticket *t, const struct verdict *v, void *ctx)
{
    struct seen *seen = ctx;
    seen->number[seen->count++] = t->number;
    seen->verdicts += v != NULL;
    return 0;
}

static void queried(void **state)
{
    const struct place *p = *state;
    struct ticket_store *s = open_store(p, true);
    assert_int_equal(ticket_store_begin(s), 0);
    for (unsigned i = 1; i <= 6; i++) {
        struct ticket_change c = change_sample();
        char line[32];
        snprintf(line, sizeof line, "line:%u", i);
        assert_int_equal(party_parse(line, &c.ticket.party), 0);
        snprintf(c.ticket.case_code, sizeof c.ticket.case_code, "CODE%u", i);
        c.ticket.class_ = i % 2 ? VERDICT_SPAMBOT_DIRECT : VERDICT_SOCKS_RELAY;
        c.ticket.state = i == 3 ? TICKET_CLOSED : TICKET_SUSPECT;
        if (i == 6)
            c.verdict.evidence_count = 0;
        put(s, &c);
    }
    assert_int_equal(ticket_store_commit(s, "x"), 0);
    ticket_store_close(s);
    s = open_store(p, false);
    static const struct {
        struct ticket_query q;
        size_t count;
        int64_t first;
    } cases[] = {
        {{.class_ = -1}, 6, 6},
        {{.class_ = -1, .open_only = true}, 5, 6},
        {{.class_ = VERDICT_SPAMBOT_DIRECT}, 3, 5},
        {{.class_ = -1, .limit = 2}, 2, 6},
        {{.class_ = -1, .before_number = 5, .limit = 2}, 2, 4},
        {{.class_ = -1, .number = 3}, 1, 3},
        {{.class_ = -1, .subscriber = "line:4"}, 1, 4},
        {{.class_ = -1, .subscriber = "vlan:101/192.0.2.7"}, 6, 6},
        {{.class_ = -1, .subscriber = "line:9"}, 0, 0},
        {{.class_ = 99}, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seen seen = {0};
        assert_int_equal(ticket_store_each(s, &cases[i].q, see, &seen), 0);
        assert_int_equal(seen.count, cases[i].count);
        assert_int_equal(seen.number[0], cases[i].first);
        if (i == 0)
            assert_int_equal(seen.verdicts, 5);
    }
    ticket_store_close(s);
}

static void not_a_store(void **state)
{
    const struct place *p = *state;
    char error[160];
    struct ticket_store *s = NULL;
    assert_int_equal(ticket_store_open(p->path, false, &s, error), -ENOENT);
    FILE *f = fopen(p->path, "w");
    fprintf(f, "this is a text and no database, whatever its name says\n");
    for (int i = 0; i < 200; i++)
        fputs("padding", f);
    fclose(f);
    assert_int_equal(ticket_store_open(p->path, true, &s, error), -EBADMSG);
    assert_true(error[0] != '\0');
    assert_null(s);
}

int main(void)
{
#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip), cmocka_unit_test(every_member_is_needed),
        cmocka_unit_test(names),      STORE_TEST(stored),
        STORE_TEST(rolled_back),      STORE_TEST(queried),
        STORE_TEST(not_a_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
