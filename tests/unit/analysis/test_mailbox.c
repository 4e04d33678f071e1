// Accounts by our own mail log: places and filters, on both sides of their limits.
#include "play.h"

#include "common/identity.h"

// `networks` places, one login each every five minutes, `rcpt` recipients each.
static struct verdict *play_account(uint32_t networks, uint32_t rcpt, bool mailbox, uint32_t spam)
{
    struct rig r;
    struct verdict *found = NULL;
    rig_init(&r, NULL);
    for (uint32_t i = 0; i < 8; i++) {
        uint8_t octet[4] = {100, 64, (uint8_t)(i % networks), 9};
        struct minute_digest d = {.flow_hash = i + 1,
                                  .peer = ip_from_v4(octet),
                                  .role = MINUTE_SMARTHOST,
                                  .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                  .flags = MINUTE_DIGEST_FROM_LOG | MINUTE_DIGEST_AUTH};
        struct minute_row *row = calloc(1, sizeof *row);
        row->minute = RIG_EPOCH_MS / MINUTE + i * 5;
        row->cut_ms = (row->minute + 1) * MINUTE;
        row->flags = MINUTE_FROM_LOG | MINUTE_CLOSING;
        row->confidence = IDENTITY_CERTAIN;
        row->observed_s = 60;
        row->digest = &d;
        row->digest_count = 1;
        row->key = (struct subscriber_key){
            .kind = SUBSCRIBER_MAILBOX, .mailbox_key_id = 1, .mailbox = 77, .port_last = 65535};
        row->party = (struct party){.kind = PARTY_MAILBOX, .id = "1:4d"};
        if (!mailbox) {
            struct ip_prefix p;
            assert_int_equal(prefix_parse("10.0.0.9", &p), 0);
            row->key = subscriber_key_of(&(struct realm){0}, &p);
            row->party = (struct party){.kind = PARTY_LINE, .id = "9"};
        }
        uint64_t *c = row->counter[MINUTE_SMARTHOST][MINUTE_OUT];
        c[MINUTE_rcpt_ok] = rcpt;
        c[MINUTE_messages_ok] = 2;
        c[MINUTE_filter_spam] = spam;
        static const struct journal_cursor at = {20261122, 1, 0, 0};
        assert_int_equal(engine_row(r.engine, row, &at, &at), 0);
        free(row);
    }
    const struct verdict *v = rig_verdict(
        &r, mailbox ? VERDICT_COMPROMISED_ACCOUNT : VERDICT_SPAMBOT_SMARTHOST, VERDICT_OPENED, 0);
    if (v) {
        found = malloc(sizeof *found);
        *found = *v;
    }
    rig_fini(&r);
    return found;
}

static void places(void **state)
{
    (void)state;
    static const struct {
        uint32_t networks, rcpt;
        bool found;
    } cases[] = {{3, 40, false}, {4, 40, true}, {8, 6, false}, {8, 7, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict *v = play_account(cases[i].networks, cases[i].rcpt, true, 0);
        assert_int_equal(v != NULL, cases[i].found);
        if (v) {
            assert_true(rig_evidence(v, "mailbox")->conclusive);
            assert_int_equal(v->sources, VERDICT_FROM_LOG);
            assert_int_equal(v->first_ms, RIG_EPOCH_MS);
        }
        free(v);
    }
}

static void filters(void **state)
{
    (void)state;
    // A burst of recipients and as many stopped messages: two families. Ten stopped are not enough.
    for (uint32_t spam = 1; spam <= 8; spam += 7) {
        for (int mailbox = 0; mailbox <= 1; mailbox++) {
            struct verdict *v = play_account(1, 150, mailbox, spam);
            assert_int_equal(v != NULL, spam > 1);
            if (v)
                assert_non_null(rig_evidence(v, "recipient-burst"));
            free(v);
        }
    }
    // Filters alone never convict.
    assert_null(play_account(1, 1, true, 200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places),
        cmocka_unit_test(filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
