// Verdicts as JSON: the same both ways, and nothing broken is taken.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "verdict_sample.h"

static char *canonical(const struct verdict *v)
{
    json_t *j = verdict_to_json(v);
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
    struct verdict v = verdict_sample(), again = {0};
    char *text = canonical(&v);
    json_t *j = json_loads(text, 0, NULL);
    assert_int_equal(verdict_from_json(j, &again, error), 0);
    assert_string_equal(error, "");
    char *second = canonical(&again);
    assert_string_equal(text, second);
    assert_memory_equal(&v.key, &again.key, sizeof v.key);
    assert_string_equal(again.party.id, "4711");
    assert_int_equal(again.evidence_count, 2);
    assert_true(again.evidence[0].counted && !again.evidence[1].counted);
    assert_true(again.evidence[1].conclusive);
    assert_int_equal(again.made_ms, v.made_ms);
    assert_int_equal(again.limitations, v.limitations);
    assert_int_equal(again.doubts, v.doubts);
    json_decref(j);
    free(text);
    free(second);
}

static void whole_line(void **state)
{
    (void)state;
    // The octets themselves: a reader elsewhere relies on names, order and number forms.
    struct verdict v = verdict_sample();
    v.evidence_count = 1;
    char *text = canonical(&v);
    assert_string_equal(
        text,
        "{\"ceiling\":\"restrict\",\"class\":\"spambot-direct\","
        "\"conf_hash\":\"00112233445566778899aabbccddeeff\",\"confidence\":\"likely\","
        "\"detected\":\"2026-11-22T06:05:39Z\",\"doubts\":[\"near-change\",\"lost-stop\"],"
        "\"event\":\"opened\",\"evidence\":[{\"conclusive\":false,\"counted\":true,"
        "\"detector\":\"first-contact\",\"family\":\"contact\","
        "\"first_seen\":\"2026-11-22T06:00:00Z\",\"last_seen\":\"2026-11-22T06:05:38.697Z\","
        "\"limit\":9,\"log_odds\":12,\"measured\":10,"
        "\"sentence\":\"10 of 10 first contacts failed.\",\"unit\":\"failed first contacts\","
        "\"window_s\":339}],\"first_seen\":\"2026-11-22T06:00:00Z\","
        "\"id\":\"v00ff00ff00ff00ff-1a201d70b00\","
        "\"inputs\":\"20261122.000001:0-20261122.000001:4096\","
        "\"last_seen\":\"2026-11-22T06:05:38.697Z\",\"limitations\":[\"loss\",\"short-history\"],"
        "\"log_odds\":9.3932,\"loss_ppm\":1200,\"network_class\":\"residential\","
        "\"observed_s\":338,\"party\":\"line:4711\",\"pop\":\"north\",\"prior\":-6.9068,"
        "\"role\":\"household\",\"rules_version\":\"2026.1\",\"score\":0.999917,"
        "\"sentence\":\"Line 4711 acts like a spam bot that sends straight to mail "
        "providers since "
        "2026-11-22T06:00:00Z, by packets and the mail log: 10 of 10 first contacts failed.\","
        "\"sources\":[\"packets\",\"log\"],\"subscriber\":\"vlan:101/192.0.2.7\",\"v\":1,"
        "\"window_s\":339}");
    free(text);
}

static void every_member_is_needed(void **state)
{
    (void)state;
    struct verdict v = verdict_sample();
    json_t *whole = verdict_to_json(&v);
    const char *key;
    json_t *value;
    json_object_foreach (whole, key, value) {
        char error[160];
        struct verdict out = {.score = 0.5};
        json_t *cut = json_copy(whole);
        json_object_del(cut, key);
        int rc = verdict_from_json(cut, &out, error);
        if (strcmp(key, "sentence") == 0) { // made from the rest
            assert_int_equal(rc, 0);
        } else {
            assert_int_equal(rc, -EINVAL);
            assert_non_null(strstr(error, key));
            assert_true(out.score == 0.5);
        }
        // A value of another type is refused as well.
        json_object_set_new(cut, key, json_true());
        assert_int_equal(verdict_from_json(cut, &out, error),
                         strcmp(key, "sentence") == 0 ? 0 : -EINVAL);
        json_decref(cut);
    }
    json_decref(whole);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
    } cases[] = {
        {"v", "2"},
        {"event", "\"maybe\""},
        {"id", "\"\""},
        {"id", "\"0123456789012345678901234567890123456789\""},
        {"class", "\"spambot\""},
        {"party", "\"4711\""},
        {"subscriber", "\"192.0.2\""},
        {"score", "1.5"},
        {"score", "-0.1"},
        {"first_seen", "\"yesterday\""},
        {"doubts", "[\"none\"]"},
        {"doubts", "\"near-change\""},
        {"limitations", "[1]"},
        {"loss_ppm", "-1"},
        {"loss_ppm", "1.5"},
        {"evidence", "{}"},
        {"evidence", "[1]"},
        {"evidence", "[{}]"},
        {"conf_hash", "\"00112233445566778899aabbccddeeff0\""},
        {"role", "\"a\\u0000b\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[160];
        struct verdict v = verdict_sample(), out;
        json_t *j = verdict_to_json(&v);
        json_object_set_new(j, cases[i].key,
                            json_loads(cases[i].value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
        assert_int_equal(verdict_from_json(j, &out, error), -EINVAL);
        assert_non_null(strstr(error, cases[i].key));
        json_decref(j);
    }
    char error[160];
    struct verdict out;
    json_t *list = json_array();
    assert_int_equal(verdict_from_json(list, &out, error), -EINVAL);
    assert_int_equal(verdict_from_json(NULL, &out, error), -EINVAL);
    json_decref(list);
}

static void too_much_evidence(void **state)
{
    (void)state;
    char error[160];
    struct verdict v = verdict_sample(), out;
    for (uint32_t i = 2; i < VERDICT_EVIDENCE_MAX; i++)
        v.evidence[i] = v.evidence[1];
    v.evidence_count = VERDICT_EVIDENCE_MAX;
    json_t *j = verdict_to_json(&v);
    assert_int_equal(verdict_from_json(j, &out, error), 0);
    json_array_append(json_object_get(j, "evidence"),
                      json_array_get(json_object_get(j, "evidence"), 0));
    assert_int_equal(verdict_from_json(j, &out, error), -EINVAL);
    json_decref(j);
}

static void names(void **state)
{
    (void)state;
    for (unsigned c = 0; c < VERDICT_CLASSES; c++)
        assert_int_equal(verdict_class_parse(verdict_class_name(c)), (int)c);
    assert_null(verdict_class_name(VERDICT_CLASSES));
    assert_int_equal(verdict_class_parse("spam"), -EINVAL);
    for (unsigned c = VERDICT_OBSERVE; c <= VERDICT_QUARANTINE; c++)
        assert_int_equal(verdict_ceiling_parse(verdict_ceiling_name(c)), (int)c);
    assert_null(verdict_ceiling_name(VERDICT_QUARANTINE + 1));
    for (unsigned f = 0; f < VERDICT_FAMILIES; f++)
        assert_non_null(verdict_family_name(f));
    for (uint32_t bit = VERDICT_LOSS; bit <= VERDICT_RELAY_UNSEEN; bit <<= 1) {
        assert_non_null(verdict_limitation_name(bit));
        assert_non_null(verdict_limitation_text(bit));
    }
    assert_null(verdict_limitation_text(VERDICT_RELAY_UNSEEN << 1));
}

static void sentences_are_whole(void **state)
{
    (void)state;
    struct verdict v = verdict_sample();
    char out[VERDICT_SENTENCE_MAX];
    // A reason too long for the room is left out, not cut in the middle of a number.
    memset(v.evidence[0].sentence, '7', VERDICT_SENTENCE_MAX - 1);
    verdict_sentence(&v, out);
    assert_string_equal(out, "Line 4711 acts like a spam bot that sends straight to mail "
                             "providers since "
                             "2026-11-22T06:00:00Z, by packets and the mail log");
    // Names that are no UTF-8 cost a character, not the verdict.
    memcpy(v.pop, "n\xffrd", 5);
    char *text = canonical(&v);
    assert_non_null(strstr(text, "\"pop\":\"n?rd\""));
    free(text);
}

// The class's own mark is told before what weighs more, as long as it counts.
static void sentences_tell_the_class_mark(void **state)
{
    (void)state;
    char out[VERDICT_SENTENCE_MAX];
    struct verdict v = verdict_sample();
    v.sources = VERDICT_FROM_PACKETS;
    v.class_ = VERDICT_BACKSCATTER;
    v.evidence[1].counted = true;
    snprintf(v.evidence[1].sentence, sizeof v.evidence[1].sentence, "90 bounces in an hour.");
    verdict_sentence(&v, out); // nothing of it: the strongest
    assert_false(verdict_tells_class(&v));
    assert_non_null(strstr(out, "06:00:00Z: 10 of 10 first contacts failed."));
    snprintf(v.evidence[1].detector, sizeof v.evidence[1].detector, "backscatter");
    verdict_sentence(&v, out);
    assert_non_null(strstr(out, "06:00:00Z: 90 bounces in an hour."));
    assert_true(verdict_tells_class(&v));
    v.evidence[1].counted = false;
    assert_false(verdict_tells_class(&v));
    verdict_sentence(&v, out);
    assert_non_null(strstr(out, "10 of 10"));
    v.evidence[1].counted = true;
    struct verdict_evidence swap = v.evidence[0]; // whatever the order
    v.evidence[0] = v.evidence[1];
    v.evidence[1] = swap;
    verdict_sentence(&v, out);
    assert_non_null(strstr(out, "90 bounces"));
    assert_true(verdict_tells_class(&v));
    v.class_ = VERDICT_SPAMBOT_DIRECT; // a class with many marks has none of its own
    verdict_sentence(&v, out);
    assert_non_null(strstr(out, "10 of 10"));
}

// What it rests on stands in the sentence, unless it is the packets alone.
static void sentences_name_their_source(void **state)
{
    (void)state;
    static const struct {
        uint32_t sources;
        const char *says;
    } cases[] = {{VERDICT_FROM_PACKETS, "06:00:00Z: 10 of"},
                 {VERDICT_FROM_LOG, "06:00:00Z, by the mail log: 10 of"},
                 {VERDICT_FROM_PACKETS | VERDICT_FROM_LOG, ", by packets and the mail log: 10 of"},
                 {VERDICT_FROM_EXPORT, ", by a router's flows: 10 of"}};
    char out[VERDICT_SENTENCE_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v = verdict_sample();
        v.sources = cases[i].sources;
        verdict_sentence(&v, out);
        assert_non_null(strstr(out, cases[i].says));
    }
    struct verdict v = verdict_sample();
    v.class_ = VERDICT_COMPROMISED_ACCOUNT;
    v.party.kind = PARTY_MAILBOX;
    verdict_sentence(&v, out);
    assert_non_null(strstr(out, " looks stolen since "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(whole_line),
        cmocka_unit_test(every_member_is_needed),
        cmocka_unit_test(refused),
        cmocka_unit_test(too_much_evidence),
        cmocka_unit_test(names),
        cmocka_unit_test(sentences_are_whole),
        cmocka_unit_test(sentences_tell_the_class_mark),
        cmocka_unit_test(sentences_name_their_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
