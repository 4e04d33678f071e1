// Evidence to judgement: what findings add up to, what bounds it, who is exempt.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "exempt.h"
#include "policy.h"

#define HOUR_MS 3600000LL
#define T0      1795327200000LL // 2026-11-22T06:00:00Z

#define assert_near(a, b, by) assert_true(fabs((a) - (b)) <= (by))

static struct detector_finding found(unsigned family, double log_odds, bool conclusive,
                                     uint8_t ceiling, bool defines)
{
    struct detector_finding f = {.ceiling = ceiling};
    f.evidence.family = (uint8_t)family;
    f.evidence.log_odds = log_odds;
    f.evidence.conclusive = conclusive;
    f.supports = DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT);
    f.defines = defines ? f.supports : 0;
    return f;
}

static void policy_sums(void **state)
{
    (void)state;
    enum { S = VERDICT_FAMILY_SPREAD, C = VERDICT_FAMILY_CONTACT, R = VERDICT_FAMILY_REPUTATION };
    const uint8_t Q = VERDICT_QUARANTINE, T = VERDICT_TICKET;
    const struct policy_class rule = {0.99, 0.5, HOUR_MS, VERDICT_QUARANTINE};
    const struct policy_priors priors = {{0.001, 0.0005, 0.0001}, 0.5};
    const struct {
        struct detector_finding f[4];
        size_t n;
        struct policy_facts facts;
        bool found;
        double log_odds; // of the evidence
        uint8_t ceiling;
    } cases[] = {
        // Two families.
        {{found(S, 4, false, Q, true), found(C, 8, false, Q, true)}, 2, {0}, true, 12, Q},
        // The same weight in one family is not enough, and only the strongest counts.
        {{found(C, 4, false, Q, true), found(C, 12, false, Q, true)}, 2, {0}, false, 12, Q},
        // Unless it is conclusive.
        {{found(C, 12, true, Q, true)}, 1, {0}, true, 12, Q},
        // Too light; nothing that defines the class.
        {{found(S, 4, false, Q, true), found(C, 7, false, Q, true)}, 2, {0}, false, 11, Q},
        {{found(S, 6, false, Q, false), found(C, 12, false, Q, false)}, 2, {0}, false, 18, Q},
        // A higher prior of innocence needs more.
        {{found(S, 4, false, Q, true), found(C, 8, false, Q, true)},
         2,
         {.role = ROLE_MAIL_SERVER},
         false,
         12,
         Q},
        // Evidence that ends at a ticket limits the whole, unless the rest suffices.
        {{found(S, 3, false, Q, true), found(C, 12, true, T, true)}, 2, {0}, true, 15, T},
        {{found(S, 6, false, Q, true), found(C, 12, true, T, true), found(R, 6, false, Q, true)},
         3,
         {0},
         true,
         24,
         Q},
        // Loss takes off what evidence weighs: nothing up to 2 % of the packets, half at most; and beyond
        // 2 % it ends at a ticket.
        {{found(S, 6, false, Q, true), found(C, 8, false, Q, true)},
         2,
         {.loss_ppm = 20000},
         true,
         14,
         Q},
        {{found(S, 6, false, Q, true), found(C, 12, false, Q, true)},
         2,
         {.loss_ppm = 50000},
         true,
         15.3,
         T},
        {{found(S, 6, false, Q, true), found(C, 12, false, Q, true)},
         2,
         {.loss_ppm = 500000},
         false,
         9,
         Q},
        // Facts that bound what may be done.
        {{found(C, 12, true, Q, true)},
         1,
         {.provisional = true, .provisional_ceiling = T},
         true,
         12,
         T},
        {{found(C, 12, true, Q, true)},
         1,
         {.provisional = true, .provisional_ceiling = VERDICT_RESTRICT},
         true,
         12,
         VERDICT_RESTRICT},
        {{found(C, 12, true, Q, true)}, 1, {.identity_held = true}, true, 12, T},
        {{found(C, 12, true, Q, true)}, 1, {.exempt = true}, true, 12, VERDICT_OBSERVE},
        {{found(C, 12, true, Q, true)}, 1, {.short_history = true}, true, 12, Q},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct judgement j;
        policy_judge(VERDICT_SPAMBOT_DIRECT, &rule, &priors, &cases[i].facts, cases[i].f,
                     cases[i].n, &j);
        assert_int_equal(j.found, cases[i].found);
        assert_near(j.log_odds - j.prior, cases[i].log_odds, 1e-6);
        if (cases[i].found)
            assert_int_equal(j.ceiling, cases[i].ceiling);
        double sum = j.prior; // the sum adds up
        for (uint32_t k = 0; k < j.count; k++)
            sum += j.evidence[k].counted ? j.evidence[k].log_odds : 0;
        assert_near(sum, j.log_odds, 1e-9);
    }
    // Silence alone is nobody's word where sources are not validated.
    struct judgement j;
    struct detector_finding f[2] = {found(S, 6, false, Q, true), found(C, 12, false, Q, true)};
    f[0].rests_on_silence = f[1].rests_on_silence = true;
    policy_judge(VERDICT_SPAMBOT_DIRECT, &rule, &priors, &(struct policy_facts){0}, f, 2, &j);
    assert_int_equal(j.ceiling, T);
    assert_true(j.limitations & VERDICT_UNVALIDATED);
    policy_judge(VERDICT_SPAMBOT_DIRECT, &rule, &priors,
                 &(struct policy_facts){.source_validated = true}, f, 2, &j);
    assert_int_equal(j.ceiling, Q);
    f[1].rests_on_silence = false;
    policy_judge(VERDICT_SPAMBOT_DIRECT, &rule, &priors, &(struct policy_facts){0}, f, 2, &j);
    assert_int_equal(j.ceiling, Q);
}

// Private ranges repeat: an exemption of an address is of one realm, or says that it is of all.
static void exempt_in_its_realm(void **state)
{
    (void)state;
    static const struct {
        const char *subject, *key;
        bool exempt;
    } cases[] = {
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "vlan:101/192.0.2.7", false},
        {"192.0.2.0/24", "192.0.2.7", true},
        {"192.0.2.0/24", "vlan:101/192.0.2.7", false},
        {"vlan:101/192.0.2.0/24", "vlan:101/192.0.2.7", true},
        {"vlan:101/192.0.2.0/24", "vlan:102/192.0.2.7", false},
        {"vlan:101/192.0.2.0/24", "192.0.2.7", false},
        {"*/192.0.2.0/24", "vlan:102/192.0.2.7", true},
        {"*/192.0.2.0/24", "192.0.2.7", true},
        {"*/192.0.2.0/24", "192.0.3.7", false},
        {"*/2001:db8::/32", "vlan:7/2001:db8:1::/56", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char subject[64], class_[] = "all", owner[] = "desk", reason[] = "x",
                          expires[] = "2027-01-01T00:00:00Z";
        snprintf(subject, sizeof subject, "%s", cases[i].subject);
        struct exempt_entry e = {class_, subject, owner, reason, expires};
        struct conf_list list = {.item = &e, .count = 1};
        struct subscriber_key key;
        char why[EXEMPT_WHY_MAX];
        assert_null(exempt_check(&e, why));
        assert_int_equal(subscriber_key_parse(cases[i].key, &key), 0);
        struct party party = party_provisional(&key);
        assert_int_equal(exempt_find(&list, 0, &party, &key, T0) != NULL, cases[i].exempt);
    }
}

// Whatever two detectors of different families share is one witness: the heavier counts, and nothing but a ticket comes
// of it. That holds for all that say in their descriptor on what they rest, and each has to.
static void one_fact_one_witness(void **state)
{
    (void)state;
    const struct policy_class rule = {0.99, 0.5, HOUR_MS, VERDICT_QUARANTINE};
    const struct policy_priors priors = {{0.001, 0.0005, 0.0001}, 0.5};
    const struct policy_facts facts = {.source_validated = true};
    size_t clashes = 0, pairs = 0;
    for (size_t a = 0; detectors[a]; a++) {
        assert_int_not_equal(detectors[a]->raw, 0);
        for (size_t b = 0; detectors[b]; b++) {
            struct judgement j;
            struct detector_finding f[2];
            if (detectors[a]->family == detectors[b]->family ||
                detectors[a]->family == VERDICT_FAMILY_BASELINE ||
                detectors[b]->family == VERDICT_FAMILY_BASELINE)
                continue;
            for (size_t k = 0; k < 2; k++) {
                f[k] = detector_finding_of(detectors[k == 0 ? a : b], 1, 0, "x", 60,
                                           k == 0 ? 12 : 8);
                f[k].supports = f[k].defines = DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT);
            }
            policy_judge(VERDICT_SPAMBOT_DIRECT, &rule, &priors, &facts, f, 2, &j);
            bool shared = (detectors[a]->raw & detectors[b]->raw) != 0;
            assert_true(j.found);
            assert_near(j.log_odds - j.prior, shared ? 12 : 20, 1e-9);
            assert_int_equal(j.ceiling, shared ? VERDICT_TICKET : VERDICT_QUARANTINE);
            assert_int_equal(j.count, 2); // what is not counted is shown
            clashes += shared;
            pairs++;
        }
    }
    assert_true(clashes > 0 && pairs > 200);
    // Of a family that says two things, the one that rests on others' facts gives way to the one that does not.
    struct detector_finding f[3] = {
        {.evidence = {.family = VERDICT_FAMILY_SPREAD, .log_odds = 7},
         .raw = DETECTOR_RAW_FAILED | DETECTOR_RAW_REACHED},
        {.evidence = {.family = VERDICT_FAMILY_SPREAD, .log_odds = 5}, .raw = DETECTOR_RAW_REACHED},
        {.evidence = {.family = VERDICT_FAMILY_CONTACT, .log_odds = 6},
         .raw = DETECTOR_RAW_FAILED}};
    for (size_t k = 0; k < 3; k++) {
        f[k].supports = f[k].defines = DETECTOR_CLASS(VERDICT_SPAMBOT_DIRECT);
        f[k].ceiling = VERDICT_QUARANTINE;
    }
    struct judgement j;
    policy_judge(VERDICT_SPAMBOT_DIRECT, &rule, &priors, &facts, f, 3, &j);
    assert_near(j.log_odds - j.prior, 11, 1e-9);
    f[1].evidence.log_odds = 0.5; // then the whole spread weighs more than the two
    policy_judge(VERDICT_SPAMBOT_DIRECT, &rule, &priors, &facts, f, 3, &j);
    assert_near(j.log_odds - j.prior, 7, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_sums),
        cmocka_unit_test(one_fact_one_witness),
        cmocka_unit_test(exempt_in_its_realm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
