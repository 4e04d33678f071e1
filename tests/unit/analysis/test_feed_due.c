// What time alone makes of tickets: a stolen mailbox is locked though its thief has gone quiet, a lock outlasts the
// quiet that it makes, and both survive a restart and come out of a replay as they do live.
#include "feed_bench.h"

#define DAY_MS (24 * HOUR_MS)

struct bench {
    struct ticket_store *store;
    struct feed feed;
    struct ticket_change last;
    size_t changes;
    char text[16384]; // number, time, kind, state and actions of each change
};

static void bench_open(struct bench *b, const struct place *p)
{
    char error[160];
    struct keyed_hash_key key = keyed_hash_key_replay();
    memset(b, 0, sizeof *b);
    assert_int_equal(ticket_store_open(p->db, true, &b->store, error), 0);
    assert_int_equal(feed_init(&b->feed, b->store, &feed_bench_rule, &key), 0);
}

static void restart(struct bench *b, const struct place *p)
{
    ticket_store_close(b->store);
    bench_open(b, p);
}

static int keep_change(const struct ticket_change *c, void *ctx)
{
    struct bench *b = ctx;
    size_t used = strlen(b->text);
    b->last = *c;
    b->changes++;
    snprintf(b->text + used, sizeof b->text - used, "%lld %lld %s %s %x %lld %s\n",
             (long long)c->ticket.number, (long long)(c->t_ms - T0),
             ticket_change_kind_name(c->kind), ticket_state_name(c->ticket.state),
             c->ticket.actions, (long long)(c->ticket.expires_ms ? c->ticket.expires_ms - T0 : 0),
             c->by);
    return 0;
}

// Takes a verdict, or with none lets the time pass; `last` is the latest change then.
static void go(struct bench *b, const struct verdict *v, int64_t after_ms)
{
    assert_int_equal(ticket_store_begin(b->store), 0);
    assert_int_equal(v ? feed_take(&b->feed, v) : feed_advance(&b->feed, T0 + after_ms), 0);
    assert_int_equal(ticket_store_commit(b->store, "x"), 0);
    b->changes = 0;
    b->text[0] = '\0';
    assert_int_equal(ticket_store_changes(b->store, 0, 0, keep_change, b), 0);
}

// Places alone: one family, as of a thief with a botnet.
static struct verdict stolen(enum verdict_event event, unsigned who, int64_t after_ms)
{
    struct verdict v = make_verdict(event, who, after_ms);
    char party[32];
    v.class_ = VERDICT_COMPROMISED_ACCOUNT;
    v.score = 0.991;
    v.evidence_count = 1;
    snprintf(party, sizeof party, "mailbox:1:%016x", who);
    assert_int_equal(party_parse(party, &v.party), 0);
    return v;
}

#define LOCKED (TICKET_NOTIFY | TICKET_LOCK_MAILBOX)

static void thief_goes_quiet(void **state)
{
    struct bench b;
    bench_open(&b, *state);
    struct verdict v = stolen(VERDICT_OPENED, 1, 0);
    go(&b, &v, 0);
    assert_int_equal(b.last.ticket.state, TICKET_SUSPECT);
    go(&b, NULL, 30 * MINUTE_MS - 1);
    assert_int_equal(b.changes, 1);
    restart(&b, *state);
    go(&b, NULL, 30 * MINUTE_MS + 700);
    assert_int_equal(b.changes, 2);
    assert_int_equal(b.last.kind, TICKET_CHANGED);
    assert_string_equal(b.last.by, "timer");
    assert_int_equal(b.last.t_ms, T0 + 30 * MINUTE_MS); // when it was due, not when it was noticed
    assert_int_equal(b.last.ticket.state, TICKET_CONFIRMED);
    assert_int_equal(b.last.ticket.actions, LOCKED);
    assert_int_equal(b.last.ticket.expires_ms, T0 + 30 * MINUTE_MS + DAY_MS);
    assert_int_equal(b.feed.confirmed, 1);
    // Once.
    go(&b, NULL, 2 * HOUR_MS);
    restart(&b, *state);
    go(&b, NULL, 3 * HOUR_MS);
    assert_int_equal(b.changes, 2);
    ticket_store_close(b.store);
}

// A row a case: the second verdict (if any) comes before the half hour is over.
static void who_is_confirmed(void **state)
{
    static const struct {
        const char *party;
        unsigned class_, ceiling;
        int event; // of the second verdict; -1: none
        int64_t event_ms;
        unsigned state;
        uint32_t actions;
    } cases[] = {
        {"mailbox:1:0000000000000007", VERDICT_COMPROMISED_ACCOUNT, VERDICT_RESTRICT, -1, 0,
         TICKET_CONFIRMED, LOCKED},
        // People decide: confirmed, and nothing is done.
        {"mailbox:1:0000000000000007", VERDICT_COMPROMISED_ACCOUNT, VERDICT_TICKET, -1, 0,
         TICKET_CONFIRMED, 0},
        // Said again early: it stands since it was opened.
        {"mailbox:1:0000000000000007", VERDICT_COMPROMISED_ACCOUNT, VERDICT_RESTRICT,
         VERDICT_UPDATED, 10 * MINUTE_MS, TICKET_CONFIRMED, LOCKED},
        // Over before it was confirmed.
        {"mailbox:1:0000000000000007", VERDICT_COMPROMISED_ACCOUNT, VERDICT_RESTRICT,
         VERDICT_CLOSED, 10 * MINUTE_MS, TICKET_CLOSED, 0},
        // A line, and a mailbox for another reason: said again, or nothing.
        {"line:7", VERDICT_COMPROMISED_ACCOUNT, VERDICT_RESTRICT, -1, 0, TICKET_SUSPECT, 0},
        {"line:7", VERDICT_SPAMBOT_DIRECT, VERDICT_RESTRICT, -1, 0, TICKET_SUSPECT, 0},
        {"mailbox:1:0000000000000007", VERDICT_POLICY_LIMIT, VERDICT_RESTRICT, -1, 0,
         TICKET_SUSPECT, 0},
        {"mailbox:1:0000000000000007", VERDICT_BACKSCATTER, VERDICT_RESTRICT, VERDICT_UPDATED,
         10 * MINUTE_MS, TICKET_SUSPECT, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench b;
        remove_store(*state);
        bench_open(&b, *state);
        struct verdict v = stolen(VERDICT_OPENED, 7, 0);
        v.class_ = (uint8_t)cases[i].class_;
        v.ceiling = (uint8_t)cases[i].ceiling;
        assert_int_equal(party_parse(cases[i].party, &v.party), 0);
        go(&b, &v, 0);
        if (cases[i].event >= 0) {
            v.event = (uint8_t)cases[i].event;
            v.made_ms = T0 + cases[i].event_ms;
            go(&b, &v, 0);
        }
        go(&b, NULL, HOUR_MS);
        if (b.last.ticket.state != cases[i].state || b.last.ticket.actions != cases[i].actions)
            fail_msg("case %zu:\n%s", i, b.text);
        ticket_store_close(b.store);
    }
}

static void lock_outlasts_quiet(void **state)
{
    struct bench b;
    bench_open(&b, *state);
    struct verdict v = stolen(VERDICT_OPENED, 1, 0);
    go(&b, &v, 0);
    v = stolen(VERDICT_CLOSED, 1, 6 * HOUR_MS); // confirmed meanwhile
    go(&b, &v, 0);
    assert_int_equal(b.changes, 3);
    assert_int_equal(b.last.kind, TICKET_CHANGED);
    assert_int_equal(b.last.verdict.event, VERDICT_CLOSED);
    assert_int_equal(b.last.ticket.actions, LOCKED);
    restart(&b, *state);
    go(&b, NULL, 30 * MINUTE_MS + DAY_MS - 1);
    assert_int_equal(b.changes, 3);
    go(&b, NULL, 30 * MINUTE_MS + DAY_MS);
    assert_int_equal(b.changes, 4);
    assert_int_equal(b.last.kind, TICKET_ENDED);
    assert_int_equal(b.last.ticket.state, TICKET_CLOSED);
    assert_int_equal(b.last.ticket.close_reason, TICKET_CLOSED_QUIET);
    assert_int_equal(b.last.ticket.actions, 0);
    // The thief comes back while it is locked (who had a session open): the same ticket goes on.
    v = stolen(VERDICT_OPENED, 2, 30 * HOUR_MS);
    go(&b, &v, 0);
    v = stolen(VERDICT_CLOSED, 2, 36 * HOUR_MS);
    go(&b, &v, 0);
    v = stolen(VERDICT_OPENED, 2, 40 * HOUR_MS);
    go(&b, &v, 0);
    assert_int_equal(b.last.ticket.number, 2);
    assert_int_equal(b.last.ticket.expires_ms, T0 + 40 * HOUR_MS + DAY_MS);
    go(&b, NULL, 40 * HOUR_MS + DAY_MS);
    // Its verdict holds: the ticket stays open without a remedy.
    assert_int_equal(b.last.ticket.state, TICKET_CONFIRMED);
    assert_int_equal(b.last.ticket.actions, 0);
    ticket_store_close(b.store);
}

static void an_exemption_ends_it(void **state)
{
    struct bench b;
    bench_open(&b, *state);
    struct verdict v = stolen(VERDICT_OPENED, 1, 0);
    go(&b, &v, 0);
    v = stolen(VERDICT_CLOSED, 1, HOUR_MS);
    // That mail failed for others is no word on a lock.
    v.limitations = VERDICT_SITE_FAILURE;
    go(&b, &v, 0);
    assert_int_equal(b.last.kind, TICKET_CHANGED);
    assert_int_equal(b.last.ticket.actions, LOCKED);
    ticket_store_close(b.store);
    remove_store(*state);
    bench_open(&b, *state);
    // Who is exempt is let go at once.
    v = stolen(VERDICT_OPENED, 2, 2 * HOUR_MS);
    go(&b, &v, 0);
    v = stolen(VERDICT_UPDATED, 2, 3 * HOUR_MS);
    v.ceiling = VERDICT_OBSERVE;
    go(&b, &v, 0);
    assert_int_equal(b.last.ticket.close_reason, TICKET_CLOSED_EXEMPT);
    assert_int_equal(b.last.ticket.actions, 0);
    ticket_store_close(b.store);
}

// A replay's clock jumps from verdict to verdict, a service's moves each second.
static void replay_says_what_live_says(void **state)
{
    static char live[sizeof((struct bench *)0)->text];
    for (int jump = 0; jump <= 1; jump++) {
        struct bench b;
        remove_store(*state);
        bench_open(&b, *state);
        struct verdict first = stolen(VERDICT_OPENED, 1, 0),
                       second = stolen(VERDICT_OPENED, 2, 5 * MINUTE_MS),
                       bot = make_verdict(VERDICT_OPENED, 3, 7 * MINUTE_MS),
                       late = stolen(VERDICT_OPENED, 4, 60 * HOUR_MS);
        go(&b, &first, 0);
        go(&b, &second, 0);
        go(&b, &bot, 0);
        for (int64_t t = 8; !jump && t < 60 * 60; t += 1)
            if (b.feed.next_due_ms <= T0 + t * MINUTE_MS + 777)
                go(&b, NULL, t * MINUTE_MS + 777);
        go(&b, &late, 0);
        assert_int_equal(b.changes, 3 + 2 + 3 + 1);
        if (jump)
            assert_string_equal(b.text, live);
        else
            memcpy(live, b.text, sizeof live);
        ticket_store_close(b.store);
    }
}

// More at once than one look takes: all, in the order of their times, without a gap.
static void many_at_once(void **state)
{
    enum { MANY = 300 };
    struct bench b;
    bench_open(&b, *state);
    assert_int_equal(ticket_store_begin(b.store), 0);
    for (unsigned i = 0; i < MANY; i++) {
        struct verdict v = stolen(VERDICT_OPENED, i + 1, (MANY - i) * 10); // the last is due first
        assert_int_equal(feed_take(&b.feed, &v), 0);
    }
    assert_int_equal(feed_advance(&b.feed, T0 + 2 * DAY_MS), 0);
    assert_int_equal(ticket_store_commit(b.store, "x"), 0);
    assert_int_equal(b.feed.confirmed, MANY);
    assert_int_equal(b.feed.expired, MANY);
    assert_true(b.feed.next_due_ms == INT64_MAX);
    assert_int_equal(ticket_store_changes(b.store, MANY, 1, keep_change, &b), 0);
    assert_int_equal(b.last.ticket.number, MANY);
    int64_t t_ms = 0;
    for (int64_t n = MANY; n < 3 * MANY; n++) {
        assert_int_equal(ticket_store_changes(b.store, n, 1, keep_change, &b), 0);
        assert_int_equal(b.last.number, n + 1);
        assert_true(b.last.t_ms >= t_ms);
        assert_int_equal(b.last.ticket.actions, n < 2 * MANY ? LOCKED : 0);
        t_ms = b.last.t_ms;
    }
    ticket_store_close(b.store);
}

static void another_rule(void **state)
{
    struct bench b;
    bench_open(&b, *state);
    struct verdict v = stolen(VERDICT_OPENED, 1, 0);
    go(&b, &v, 0);
    go(&b, NULL, 10 * MINUTE_MS);
    assert_int_equal(b.changes, 1);
    struct feed_rule sooner = feed_bench_rule;
    sooner.remedy.confirm_after_ms = 5 * MINUTE_MS;
    assert_int_equal(feed_set_rule(&b.feed, &sooner), 0);
    go(&b, NULL, 11 * MINUTE_MS);
    assert_int_equal(b.last.ticket.actions, LOCKED);
    assert_int_equal(b.last.t_ms, T0 + 10 * MINUTE_MS); // never before what was written already
    ticket_store_close(b.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(thief_goes_quiet),    PLACE_TEST(who_is_confirmed),
        PLACE_TEST(lock_outlasts_quiet), PLACE_TEST(an_exemption_ends_it),
        PLACE_TEST(many_at_once),        PLACE_TEST(replay_says_what_live_says),
        PLACE_TEST(another_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
