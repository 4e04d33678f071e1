// What changes while a verdict is open: an exemption begins or ends, another configuration is taken, the address goes to
// somebody else, the party turns up under another address or in another realm.
#include "play.h"

#include <stdio.h>

#include "overrides.h"

#define VALIDATED "site:\n  source_validated: true\n"

// A bot beyond doubt, one contact in three seconds.
static void play_bot(struct rig *r, const struct rig_who *who, int64_t from_ms, size_t n)
{
    struct rig_flow *f = calloc(n, sizeof *f);
    assert_non_null(f);
    for (size_t k = 0; k < n; k++)
        f[k] = (struct rig_flow){.start_ms = from_ms + (int64_t)k * 3000,
                                 .provider = (uint32_t)k + 1,
                                 .outcome = k % 3 == 0 ? MINUTE_OUTCOME_REFUSED
                                                       : MINUTE_OUTCOME_GREETED,
                                 .blocklist_exploit = k % 3 == 1};
    rig_play(r, who, f, n);
    free(f);
}

static const struct verdict *last(const struct rig *r)
{
    assert_true(r->verdicts > 0);
    return &r->verdict[r->verdicts - 1];
}

static void an_exemption_ends(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, VALIDATED "analysis:\n  exemptions:\n    - {class: all, subject: line:9, owner: "
                           "desk, reason: x, expires: 2026-11-22T06:10:30Z}\n");
    play_bot(&r, &play_somebody, 0, 150);
    assert_int_equal(r.verdict[0].event, VERDICT_OPENED);
    assert_int_equal(last(&r)->ceiling, VERDICT_OBSERVE);
    assert_true(last(&r)->limitations & VERDICT_EXEMPT);
    // It is over, and the very next row says so.
    size_t before = r.verdicts;
    play_bot(&r, &play_somebody, 11 * MINUTE, 2);
    assert_true(r.verdicts > before);
    assert_int_equal(r.verdict[before].event, VERDICT_UPDATED);
    assert_int_equal(r.verdict[before].ceiling, VERDICT_QUARANTINE);
    assert_false(r.verdict[before].limitations & VERDICT_EXEMPT);
    assert_string_equal(last(&r)->id, r.verdict[0].id);
    rig_fini(&r);
}

static void reconfigure(struct rig *r, const struct overrides *said, struct rig *with)
{
    struct engine_options options = {.settings = with->settings,
                                     .site = &with->site,
                                     .overrides = said,
                                     .conf_hash = with->hash};
    assert_int_equal(engine_reconfigure(r->engine, &options), 0);
}

// Who acts on a verdict lets go as soon as the desk has said so, though the party is silent by now.
static void an_exemption_begins(void **state)
{
    (void)state;
    struct rig r;
    char error[OVERRIDE_ERROR];
    struct overrides *said = overrides_new();
    rig_init(&r, VALIDATED);
    reconfigure(&r, said, &r);
    play_bot(&r, &play_somebody, 0, 150);
    rig_mark(&r, 20 * MINUTE);
    assert_int_equal(last(&r)->ceiling, VERDICT_QUARANTINE);
    size_t before = r.verdicts;
    json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s}", "subject", "line:9", "class",
                          "spambot-direct", "owner", "desk", "reason", "a test", "expires",
                          "2027-01-01T00:00:00Z");
    assert_int_equal(overrides_exempt(said, j, RIG_EPOCH_MS + 20 * MINUTE + 1, error), 0);
    json_decref(j);
    for (int i = 1; i <= 5; i++)
        rig_mark(&r, (20 + i) * MINUTE);
    // Once, not at each mark.
    assert_int_equal(r.verdicts, before + 1);
    assert_int_equal(last(&r)->event, VERDICT_UPDATED);
    assert_int_equal(last(&r)->ceiling, VERDICT_OBSERVE);
    assert_true(last(&r)->limitations & VERDICT_EXEMPT);
    assert_true(last(&r)->made_ms == RIG_EPOCH_MS + 21 * MINUTE);
    assert_true(last(&r)->evidence_count > 0); // still measured
    // Taken back: with the next thing it does.
    j = json_pack("{s:s, s:s}", "end", "line:9", "class", "spambot-direct");
    assert_int_equal(overrides_exempt(said, j, RIG_EPOCH_MS + 26 * MINUTE, error), 0);
    json_decref(j);
    before = r.verdicts;
    play_bot(&r, &play_somebody, 27 * MINUTE, 5);
    assert_true(r.verdicts > before);
    assert_int_equal(r.verdict[before].ceiling, VERDICT_QUARANTINE);
    rig_fini(&r);
    overrides_free(said);
}

// The same by a configuration that is taken while it runs.
static void a_configuration_exempts(void **state)
{
    (void)state;
    struct rig r, with;
    rig_init(&r, VALIDATED);
    rig_init(&with, VALIDATED "analysis:\n  exemptions:\n    - {class: all, subject: 10.0.0.9, "
                              "owner: desk, reason: x, expires: 2027-01-01T00:00:00Z}\n");
    play_bot(&r, &play_somebody, 0, 150);
    size_t before = r.verdicts;
    reconfigure(&r, NULL, &with);
    rig_mark(&r, 10 * MINUTE);
    assert_int_equal(r.verdicts, before + 1);
    assert_int_equal(last(&r)->ceiling, VERDICT_OBSERVE);
    assert_string_equal(last(&r)->conf_hash, with.hash);
    rig_fini(&r);
    rig_fini(&with);
}

// Limits of a class of networks are raised, and the detectors that spoke are turned off: the verdict stays what it was,
// says nothing new under the new rules, and is closed after its quiet time.
static void other_rules(void **state)
{
    (void)state;
    static const char *const yaml[] = {
        VALIDATED "analysis:\n  profiles:\n    - {network_class: office, limit_factor: 100}\n"
                  "  detectors_off: [first-contact, blocklist, direct-mx, ratware, rejections]\n",
        VALIDATED "analysis:\n  detectors_off: [fan-out, first-contact, blocklist, direct-mx, "
                  "ratware, rejections, recipient-burst, policy-limits]\n",
    };
    const struct rig_who who = {.host = 9, .line = true, .network_class = "office"};
    for (size_t i = 0; i < sizeof yaml / sizeof yaml[0]; i++) {
        struct rig r, with;
        rig_init(&r, VALIDATED);
        rig_init(&with, yaml[i]);
        play_bot(&r, &who, 0, 100);
        assert_int_equal(r.verdict[0].event, VERDICT_OPENED);
        size_t before = r.verdicts;
        reconfigure(&r, NULL, &with);
        play_bot(&r, &who, 6 * MINUTE, 40);
        rig_mark(&r, 5 * HOUR);
        assert_int_equal(r.verdicts, before);
        rig_mark(&r, 8 * HOUR);
        assert_int_equal(r.verdicts, before + 1);
        assert_int_equal(last(&r)->event, VERDICT_CLOSED);
        assert_string_equal(last(&r)->id, r.verdict[0].id);
        // Each says under which rules it was made.
        assert_string_equal(r.verdict[0].conf_hash, r.hash);
        rig_fini(&r);
        rig_fini(&with);
    }
}

// A bare address that goes to somebody else takes neither suspicion nor verdict along; a line that dials in anew keeps
// both.
static void an_address_changes_hands(void **state)
{
    (void)state;
    for (int line = 0; line <= 1; line++) {
        struct rig r;
        struct rig_who who = {.host = 9, .line = line};
        rig_init(&r, VALIDATED);
        play_bot(&r, &who, 0, 100);
        assert_int_equal(r.verdict[0].event, VERDICT_OPENED);
        char id[sizeof r.verdict[0].id];
        memcpy(id, r.verdict[0].id, sizeof id);
        size_t before = r.verdicts;
        struct rig_flow one = {
            .start_ms = 10 * MINUTE, .provider = 500, .outcome = MINUTE_OUTCOME_GREETED};
        who.row_flags = MINUTE_LEASE_START;
        rig_play(&r, &who, &one, 1);
        if (line) {
            for (size_t i = before; i < r.verdicts; i++)
                assert_int_equal(r.verdict[i].event, VERDICT_UPDATED);
        } else {
            assert_int_equal(r.verdicts, before + 1);
            assert_int_equal(last(&r)->event, VERDICT_CLOSED);
            assert_string_equal(last(&r)->id, id);
        }
        rig_fini(&r);
    }
}

// A line is one party under whatever address and realm: half of what convicts it is seen under one, half under another.
static void a_line_moves(void **state)
{
    (void)state;
    struct rig r;
    struct rig_who who = {.host = 9, .line = true};
    rig_init(&r, VALIDATED);
    for (int i = 0; i < 40; i++) {
        struct rig_flow one = {.start_ms = i * 3000,
                               .provider = (uint32_t)i + 1,
                               .outcome = i % 3 ? MINUTE_OUTCOME_GREETED : MINUTE_OUTCOME_REFUSED,
                               .blocklist_exploit = i % 3 == 1};
        who.realm = i % 2 ? "vlan:101" : "qinq:7.8/pppoe:3";
        rig_play(&r, &who, &one, 1);
    }
    assert_true(r.verdicts > 0);
    size_t opened = 0;
    for (size_t i = 0; i < r.verdicts; i++) {
        opened += r.verdict[i].event == VERDICT_OPENED;
        assert_string_equal(r.verdict[i].party.id, "9");
    }
    assert_int_equal(opened, 1);
    // It says where it was seen last, and a bare address in two realms is two.
    rig_fini(&r);
    rig_init(&r, VALIDATED);
    who.line = false;
    for (int i = 0; i < 12; i++) {
        struct rig_flow one = {
            .start_ms = i * 3000, .provider = (uint32_t)i + 1, .outcome = MINUTE_OUTCOME_REFUSED};
        who.realm = i % 2 ? "vlan:101" : "vlan:102";
        rig_play(&r, &who, &one, 1);
    }
    assert_int_equal(r.verdicts, 0);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exemption_ends),        cmocka_unit_test(an_exemption_begins),
        cmocka_unit_test(a_configuration_exempts),  cmocka_unit_test(other_rules),
        cmocka_unit_test(an_address_changes_hands), cmocka_unit_test(a_line_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
