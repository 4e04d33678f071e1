// The feed: states and remedies under their ceiling, one ticket a party and class.
#include "feed_bench.h"

#include "feed/case_code.h"

struct bench {
    struct ticket_store *store;
    struct feed feed;
    struct ticket_change last;
    size_t changes;
};

static int keep_change(const struct ticket_change *c, void *ctx)
{
    struct bench *b = ctx;
    b->last = *c;
    b->changes++;
    assert_int_equal(c->number, (int64_t)b->changes);
    return 0;
}

static void bench_open(struct bench *b, const struct place *p)
{
    char error[160];
    struct keyed_hash_key key = keyed_hash_key_replay();
    memset(b, 0, sizeof *b);
    assert_int_equal(ticket_store_open(p->db, true, &b->store, error), 0);
    assert_int_equal(feed_init(&b->feed, b->store, &feed_bench_rule, &key), 0);
}

static const struct ticket *take(struct bench *b, const struct verdict *v)
{
    assert_int_equal(ticket_store_begin(b->store), 0);
    assert_int_equal(feed_take(&b->feed, v), 0);
    assert_int_equal(ticket_store_commit(b->store, "x"), 0);
    b->changes = 0;
    assert_int_equal(ticket_store_changes(b->store, 0, 0, keep_change, b), 0);
    return &b->last.ticket;
}

static void life_of_a_ticket(void **state)
{
    struct bench b;
    bench_open(&b, *state);
    struct verdict v = make_verdict(VERDICT_OPENED, 1, 0);
    const struct ticket *t = take(&b, &v);
    assert_int_equal(b.last.kind, TICKET_OPENED);
    assert_int_equal(t->number, 1);
    assert_int_equal(t->state, TICKET_CONFIRMED);
    assert_int_equal(t->actions, TICKET_NOTIFY | TICKET_BLOCK25);
    assert_int_equal(t->expires_ms, T0 + 24 * HOUR_MS);
    assert_int_equal(t->offence, 1);
    v = make_verdict(VERDICT_UPDATED, 1, HOUR_MS);
    t = take(&b, &v);
    assert_int_equal(b.last.kind, TICKET_CHANGED);
    assert_int_equal(t->number, 1);
    assert_int_equal(t->detected_ms, T0);
    assert_int_equal(t->expires_ms, T0 + 25 * HOUR_MS);
    v = make_verdict(VERDICT_CLOSED, 1, 8 * HOUR_MS);
    t = take(&b, &v);
    assert_int_equal(b.last.kind, TICKET_ENDED);
    assert_int_equal(t->state, TICKET_CLOSED);
    assert_int_equal(t->close_reason, TICKET_CLOSED_QUIET);
    assert_int_equal(t->actions, 0);
    assert_int_equal(b.changes, 3);
    // Closing what is closed changes nothing; a new verdict is a second offence.
    take(&b, &v);
    assert_int_equal(b.changes, 3);
    v = make_verdict(VERDICT_OPENED, 1, 20 * HOUR_MS);
    snprintf(v.id, sizeof v.id, "v1-again");
    t = take(&b, &v);
    assert_int_equal(t->number, 2);
    assert_int_equal(t->offence, 2);
    ticket_store_close(b.store);
}

static void offence_is_forgotten(void **state)
{
    struct bench b;
    bench_open(&b, *state);
    struct verdict v = make_verdict(VERDICT_OPENED, 1, 0);
    take(&b, &v);
    v = make_verdict(VERDICT_CLOSED, 1, HOUR_MS);
    take(&b, &v);
    v = make_verdict(VERDICT_OPENED, 1, 90 * 24 * HOUR_MS + 1);
    snprintf(v.id, sizeof v.id, "v1-again");
    assert_int_equal(take(&b, &v)->offence, 1);
    ticket_store_close(b.store);
}

static void suspect_first(void **state)
{
    struct bench b;
    bench_open(&b, *state);
    struct verdict v = make_verdict(VERDICT_OPENED, 1, 0);
    v.score = 0.995;
    assert_int_equal(take(&b, &v)->state, TICKET_SUSPECT);
    assert_int_equal(b.last.ticket.actions, 0);
    assert_int_equal(b.last.ticket.expires_ms, 0);
    v = make_verdict(VERDICT_UPDATED, 1, 30 * MINUTE_MS - 1);
    v.score = 0.995;
    assert_int_equal(take(&b, &v)->state, TICKET_SUSPECT);
    v = make_verdict(VERDICT_UPDATED, 1, 30 * MINUTE_MS);
    v.score = 0.995;
    assert_int_equal(take(&b, &v)->state, TICKET_CONFIRMED);
    // One family is not enough at once, whatever its score.
    v = make_verdict(VERDICT_OPENED, 2, 0);
    v.evidence[1].counted = false;
    assert_int_equal(take(&b, &v)->state, TICKET_SUSPECT);
    ticket_store_close(b.store);
}

// What a bounce flood leaves behind (refusals) does not replace what the ticket was opened for.
static void sentence_stays_with_the_class(void **state)
{
    struct bench b;
    bench_open(&b, *state);
    struct verdict v = make_verdict(VERDICT_OPENED, 1, 0);
    v.class_ = VERDICT_BACKSCATTER;
    snprintf(v.evidence[1].detector, sizeof v.evidence[1].detector, "backscatter");
    snprintf(v.evidence[1].sentence, sizeof v.evidence[1].sentence, "90 bounces.");
    assert_non_null(strstr(take(&b, &v)->sentence, ": 90 bounces."));
    v = make_verdict(VERDICT_UPDATED, 1, MINUTE_MS);
    v.class_ = VERDICT_BACKSCATTER;
    assert_non_null(strstr(take(&b, &v)->sentence, ": 90 bounces."));
    v.made_ms += MINUTE_MS;
    snprintf(v.evidence[1].detector, sizeof v.evidence[1].detector, "backscatter");
    snprintf(v.evidence[1].sentence, sizeof v.evidence[1].sentence, "95 bounces.");
    assert_non_null(strstr(take(&b, &v)->sentence, ": 95 bounces."));
    // A class without a mark of its own tells what is strongest now.
    v = make_verdict(VERDICT_OPENED, 2, 0);
    assert_non_null(strstr(take(&b, &v)->sentence, ": Too many."));
    snprintf(v.evidence[0].sentence, sizeof v.evidence[0].sentence, "More.");
    v.event = VERDICT_UPDATED;
    v.made_ms += MINUTE_MS;
    assert_non_null(strstr(take(&b, &v)->sentence, ": More."));
    ticket_store_close(b.store);
}

static void ceilings(void **state)
{
    static const struct {
        unsigned class_, ceiling, party_kind;
        uint32_t actions;
    } cases[] = {
        {VERDICT_SPAMBOT_DIRECT, VERDICT_TICKET, PARTY_LINE, 0},
        {VERDICT_SPAMBOT_DIRECT, VERDICT_RESTRICT, PARTY_LINE, TICKET_NOTIFY | TICKET_BLOCK25},
        {VERDICT_SPAMBOT_DIRECT, VERDICT_QUARANTINE, PARTY_LINE, TICKET_NOTIFY | TICKET_BLOCK25},
        {VERDICT_PROXY_ABUSE, VERDICT_TICKET, PARTY_LINE, 0},
        {VERDICT_COMPROMISED_ACCOUNT, VERDICT_RESTRICT, PARTY_MAILBOX,
         TICKET_NOTIFY | TICKET_LOCK_MAILBOX},
        {VERDICT_COMPROMISED_ACCOUNT, VERDICT_RESTRICT, PARTY_LINE,
         TICKET_NOTIFY | TICKET_SUSPEND_SMARTHOST},
        {VERDICT_AUTH_GUESSING, VERDICT_QUARANTINE, PARTY_LINE,
         TICKET_NOTIFY | TICKET_BLOCK_SUBMISSION_EXTERNAL},
        {VERDICT_POLICY_LIMIT, VERDICT_RESTRICT, PARTY_LINE, TICKET_NOTIFY},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(remedy_actions(cases[i].class_, cases[i].party_kind, TICKET_CONFIRMED,
                                        cases[i].ceiling),
                         cases[i].actions);
        assert_int_equal(
            remedy_actions(cases[i].class_, cases[i].party_kind, TICKET_SUSPECT, cases[i].ceiling),
            0);
    }
}

static void observed_only(void **state)
{
    struct bench b;
    bench_open(&b, *state);
    struct verdict v = make_verdict(VERDICT_OPENED, 1, 0);
    v.ceiling = VERDICT_OBSERVE;
    v.limitations = VERDICT_EXEMPT;
    take(&b, &v);
    assert_int_equal(b.changes, 0);
    // The exemption ends: the verdict that goes on gets its ticket.
    v = make_verdict(VERDICT_UPDATED, 1, HOUR_MS);
    assert_int_equal(take(&b, &v)->number, 1);
    assert_int_equal(b.last.kind, TICKET_OPENED);
    // And the other way round.
    v.ceiling = VERDICT_OBSERVE;
    assert_int_equal(take(&b, &v)->close_reason, TICKET_CLOSED_EXEMPT);
    ticket_store_close(b.store);
}

static void actions_end_by_themselves(void **state)
{
    struct bench b;
    bench_open(&b, *state);
    struct verdict v = make_verdict(VERDICT_OPENED, 1, 0);
    take(&b, &v);
    v = make_verdict(VERDICT_OPENED, 2, 24 * HOUR_MS - 1);
    take(&b, &v);
    assert_int_equal(b.changes, 2);
    // A new program knows of it, too.
    ticket_store_close(b.store);
    bench_open(&b, *state);
    v = make_verdict(VERDICT_UPDATED, 2, 24 * HOUR_MS);
    take(&b, &v);
    assert_int_equal(b.changes, 4);
    assert_int_equal(b.feed.expired, 1);
    struct ticket t;
    assert_int_equal(party_parse("line:1", &v.party), 0);
    assert_int_equal(ticket_store_find_open(b.store, &v.party, VERDICT_SPAMBOT_DIRECT, &t), 1);
    assert_int_equal(t.actions, 0);
    assert_int_equal(t.expires_ms, 0);
    assert_int_equal(t.state, TICKET_CONFIRMED);
    ticket_store_close(b.store);
}

static void case_codes(void **state)
{
    (void)state;
    struct keyed_hash_key a = keyed_hash_key_replay();
    char one[CASE_CODE_MAX], two[CASE_CODE_MAX];
    uint8_t octet[KEYED_HASH_KEY_SIZE];
    memcpy(octet, a.octet, sizeof octet);
    octet[31] ^= 1;
    struct keyed_hash_key other = keyed_hash_key_of(a.id, octet);
    case_code_make(&a, "v1", 0, one);
    case_code_make(&a, "v1", 0, two);
    assert_string_equal(one, two);
    assert_int_equal(strlen(one), 11);
    assert_int_equal(one[5], '-');
    case_code_make(&a, "v2", 0, two);
    assert_string_not_equal(one, two);
    case_code_make(&a, "v1", 1, two);
    assert_string_not_equal(one, two);
    case_code_make(&other, "v1", 0, two);
    assert_string_not_equal(one, two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(life_of_a_ticket),
        PLACE_TEST(offence_is_forgotten),
        PLACE_TEST(suspect_first),
        PLACE_TEST(sentence_stays_with_the_class),
        cmocka_unit_test(ceilings),
        PLACE_TEST(observed_only),
        PLACE_TEST(actions_end_by_themselves),
        cmocka_unit_test(case_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
