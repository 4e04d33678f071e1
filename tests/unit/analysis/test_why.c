// `why`: who is meant by an address that several have, in realms and port blocks, and that each sum adds up as it is
// written.
#include "play.h"

#include <stdio.h>

#include "explain.h"

#define NOW (RIG_EPOCH_MS + 10 * MINUTE)

// A bot of 40 providers, of which some answer and some name a blocklist; `from` numbers its providers.
static void play_bot(struct rig *r, const struct rig_who *who)
{
    struct rig_flow f[40] = {{0}};
    for (uint32_t i = 0; i < 40; i++)
        f[i] = (struct rig_flow){.start_ms = i * 4000,
                                 .provider = i + 1,
                                 .outcome = i % 3 ? MINUTE_OUTCOME_GREETED
                                                  : MINUTE_OUTCOME_UNANSWERED,
                                 .tls = i % 3 == 1,
                                 .blocklist_exploit = i % 3 == 2};
    rig_play(r, who, f, 40);
}

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

struct asked {
    const char *who;
    const char *subscriber; // explained; NULL: nobody is
    size_t also;
    const char *says; // part of the sentence
};

static void ask_all(const struct rig *r, const struct asked *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct asked *c = &cases[i];
        json_t *j = explain(r->engine, c->who, NOW);
        if (!j)
            fail_msg("%s: not understood", c->who);
        if (strcmp(text(j, "subscriber"), c->subscriber ? c->subscriber : "") != 0 ||
            json_is_true(json_object_get(j, "known")) != (c->subscriber != NULL) ||
            json_array_size(json_object_get(j, "also_at")) != c->also ||
            !strstr(text(j, "sentence"), c->says))
            fail_msg("%s: %s, %zu besides: %s", c->who, text(j, "subscriber"),
                     json_array_size(json_object_get(j, "also_at")), text(j, "sentence"));
        json_decref(j);
    }
}

static void an_address_in_realms(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, NULL);
    play_bot(&r, &(struct rig_who){.host = 7, .realm = "vlan:101", .line = true});
    const struct asked alone[] = {
        {"10.0.0.7", "vlan:101/10.0.0.7", 0, "acts like a spam bot"},
        {"vlan:101/10.0.0.7", "vlan:101/10.0.0.7", 0, "acts like a spam bot"},
        {"vlan:102/10.0.0.7", NULL, 1,
         "vlan:102/10.0.0.7 is not known; the address is known as vlan:101/10.0.0.7 (line:7); "
         "name that."},
        {"10.0.0.8", NULL, 0, "10.0.0.8 has no verdict at 2026-11-22T06:10:00Z"},
    };
    ask_all(&r, alone, sizeof alone / sizeof alone[0]);
    play_bot(&r, &(struct rig_who){.host = 7, .realm = "qinq:5.7/pppoe:1"});
    const struct asked two[] = {
        {"10.0.0.7", NULL, 2,
         "10.0.0.7 is the address of 2 subscribers: qinq:5.7/pppoe:1/10.0.0.7, "
         "vlan:101/10.0.0.7 (line:7); name one of them."},
        {"qinq:5.7/pppoe:1/10.0.0.7", "qinq:5.7/pppoe:1/10.0.0.7", 1, "acts like a spam bot"},
        {"line:7", "vlan:101/10.0.0.7", 0, "acts like a spam bot"},
        {"provisional:qinq:5.7/pppoe:1/10.0.0.7", "qinq:5.7/pppoe:1/10.0.0.7", 0, "acts like"},
    };
    ask_all(&r, two, sizeof two / sizeof two[0]);
    // The sensor's own realm is meant where none is named.
    play_bot(&r, &(struct rig_who){.host = 7});
    const struct asked own[] = {{"10.0.0.7", "10.0.0.7", 2, "acts like a spam bot"}};
    ask_all(&r, own, 1);
    // More than the sentence names.
    for (unsigned i = 0; i < 7; i++) {
        char realm[16];
        snprintf(realm, sizeof realm, "vlan:%u", 201 + i);
        play_bot(&r, &(struct rig_who){.host = 9, .realm = realm});
    }
    const struct asked many[] = {{"10.0.0.9", NULL, 7, "vlan:204/10.0.0.9 and 3 more; name one"}};
    ask_all(&r, many, 1);
    rig_fini(&r);
}

static void an_address_by_port_blocks(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, NULL);
    play_bot(&r, &(struct rig_who){.host = 9, .port_first = 1024, .port_last = 2047});
    const struct asked alone[] = {
        {"10.0.0.9", "10.0.0.9:1024-2047", 0, "acts like a spam bot"},
        {"10.0.0.9:4096-5119", NULL, 0, "has no verdict"},
    };
    ask_all(&r, alone, sizeof alone / sizeof alone[0]);
    play_bot(&r, &(struct rig_who){.host = 9, .port_first = 2048, .port_last = 3071});
    const struct asked two[] = {
        {"10.0.0.9", NULL, 2, "10.0.0.9 is the address of 2 subscribers: 10.0.0.9:2048-3071, "},
        {"10.0.0.9:1024-2047", "10.0.0.9:1024-2047", 0, "acts like a spam bot"},
        {"10.0.0.9:2100-2100", "10.0.0.9:2048-3071", 0, "acts like a spam bot"},
    };
    ask_all(&r, two, sizeof two / sizeof two[0]);
    rig_fini(&r);
}

// Who has the address now is meant, not who had it before.
static void the_latest_of_one_key(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, NULL);
    play_bot(&r, &(struct rig_who){.host = 7});
    play_bot(&r, &(struct rig_who){.host = 7, .line = true});
    json_t *j = explain(r.engine, "10.0.0.7", NOW);
    assert_string_equal(text(j, "party"), "line:7");
    assert_int_equal(json_array_size(json_object_get(j, "also_at")), 0);
    json_decref(j);
    rig_fini(&r);
}

// And a server that is named by one is one by the other.
static void named_by_either_family(void **state)
{
    (void)state;
    for (int named = 0; named < 2; named++) {
        struct rig r;
        rig_init(&r, named ? "site:\n  mail_servers: [10.0.0.7]\n" : "");
        const struct rig_who v4 = {.host = 7, .line = true},
                             v6 = {.host = 7, .line = true, .v6 = true};
        rig_play(&r, &v4, &(struct rig_flow){.provider = 99, .outcome = MINUTE_OUTCOME_GREETED}, 1);
        play_bot(&r, &v6);
        json_t *j = explain(r.engine, "line:7", NOW);
        assert_string_equal(text(j, "role"), named ? "mail-server" : "household");
        json_decref(j);
        rig_fini(&r);
    }
}

// A line has addresses of both families: it is found by either, and an exemption of one holds whichever was seen last.
static void both_families_are_one_party(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "analysis:\n  exemptions:\n    - {class: all, subject: 10.0.0.7, owner: desk, "
                 "reason: a test, "
                 "expires: '2027-01-01T00:00:00Z'}\n");
    const struct rig_who v4 = {.host = 7, .line = true}, v6 = {.host = 7, .line = true, .v6 = true};
    rig_play(&r, &v4, &(struct rig_flow){.provider = 99, .outcome = MINUTE_OUTCOME_GREETED}, 1);
    play_bot(&r, &v6);
    const struct asked both[] = {
        {"10.0.0.7", "2001:db8:0:7::/64", 0, "acts like a spam bot"},
        {"2001:db8:0:7::1", "2001:db8:0:7::/64", 0, "acts like a spam bot"},
    };
    ask_all(&r, both, 2);
    play_bot(&r, &v4);
    play_bot(&r, &v6);
    assert_true(r.verdicts > 0);
    for (size_t i = 0; i < r.verdicts; i++)
        assert_int_equal(r.verdict[i].ceiling, VERDICT_OBSERVE);
    // Leased anew: the address is another's from its first row on, and the line keeps its prefix.
    play_bot(&r, &(struct rig_who){.host = 9, .address = 7, .line = true});
    const struct asked moved[] = {
        {"10.0.0.7", "10.0.0.7", 0, "acts like a spam bot"},
        {"2001:db8:0:7::/64", "2001:db8:0:7::/64", 0, "acts like a spam bot"},
    };
    ask_all(&r, moved, 2);
    json_t *j = explain(r.engine, "10.0.0.7", NOW);
    assert_string_equal(text(j, "party"), "line:9");
    json_decref(j);
    rig_fini(&r);
}

static void what_is_no_subscriber(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "", "nobody", "foo:1/10.0.0.7", "vlan:5000/10.0.0.7", "10.0.0.7/8", "vlan:1/"};
    struct rig r;
    rig_init(&r, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *j = explain(r.engine, cases[i], NOW);
        if (j)
            fail_msg("%s: %s", cases[i], text(j, "sentence"));
    }
    rig_fini(&r);
}

// The numbers of "-6.91 (prior) + 12.00 (first-contact) = 5.09" as they stand there.
static void assert_adds_up(const char *sum)
{
    double total = 0, sign = 1;
    char *rest;
    for (const char *at = sum;; at = rest) {
        double v = strtod(at, &rest);
        assert_true(rest > at);
        total += sign * v;
        rest += strspn(rest, " ");
        if (*rest == '(')
            rest = strchr(rest, ')') + 2;
        sign = *rest == '-' ? -1 : 1;
        if (*rest++ == '=') {
            if (total - strtod(rest, NULL) > 0.0001 || strtod(rest, NULL) - total > 0.0001)
                fail_msg("%s is %.4f", sum, total);
            return;
        }
    }
}

// On paper too, whatever is lost: each piece is then cut by as much as the loss takes off.
static void sums_add_up(void **state)
{
    (void)state;
    size_t counted = 0;
    for (uint32_t loss_ppm = 0; loss_ppm < 100000; loss_ppm += 7777) {
        struct rig r;
        rig_init(&r, NULL);
        play_bot(&r, &(struct rig_who){.host = 7, .line = true, .loss_ppm = loss_ppm});
        for (int64_t at = MINUTE; at <= 120 * MINUTE; at += 7 * MINUTE) {
            json_t *j = explain(r.engine, "line:7", RIG_EPOCH_MS + at), *c;
            size_t i;
            json_array_foreach (json_object_get(j, "classes"), i, c) {
                assert_adds_up(text(c, "sum"));
                counted++;
            }
            json_decref(j);
        }
        rig_fini(&r);
    }
    assert_true(counted > 100);
}

static const json_t *class_of(const json_t *j, const char *name)
{
    const json_t *classes = json_object_get(j, "classes");
    for (size_t i = 0; i < json_array_size(classes); i++) {
        if (strcmp(text(json_array_get(classes, i), "class"), name) == 0)
            return json_array_get(classes, i);
    }
    fail_msg("%s is not explained", name);
    return NULL;
}

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

// A verdict that nothing supports any more is explained by what it was, and named once it is closed.
static void what_was(void **state)
{
    (void)state;
    struct rig r;
    struct rig_flow f[20] = {{0}};
    rig_init(&r, NULL);
    for (uint32_t i = 0; i < 20; i++)
        f[i] = (struct rig_flow){.start_ms = i * 20000,
                                 .provider = i + 1,
                                 .outcome = MINUTE_OUTCOME_GREETED,
                                 .blocklist_exploit = i % 4 == 0};
    rig_play(&r, &play_somebody, f, 20);
    const struct verdict *v = rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0);
    assert_non_null(v);
    json_t *j = explain(r.engine, "line:9", NOW);
    const json_t *c = class_of(j, "spambot-direct");
    assert_null(json_object_get(c, "sum_now"));
    assert_string_equal(text(c, "as_of"), "2026-11-22T06:10:00Z");
    json_decref(j);
    // Four hours of silence: twenty providers are too many in an hour, not in a day.
    j = explain(r.engine, "line:9", NOW + 4 * HOUR);
    c = class_of(j, "spambot-direct");
    assert_non_null(json_object_get(c, "sum_now"));
    assert_true(number(c, "score") >= number(c, "opens_at"));
    assert_adds_up(text(c, "sum"));
    assert_adds_up(text(c, "sum_now"));
    assert_string_equal(text(c, "verdict"), v->id);
    assert_true(strcmp(text(c, "as_of"), text(c, "supported")) <= 0);
    assert_true(strcmp(text(c, "supported"), text(c, "closes")) < 0);
    assert_non_null(strstr(text(j, "sentence"), "acts like a spam bot"));
    assert_true(json_is_null(json_object_get(j, "closed")));
    json_decref(j);
    rig_mark(&r, 12 * HOUR);
    assert_non_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_CLOSED, 0));
    j = explain(r.engine, "line:9", NOW + 12 * HOUR);
    const json_t *closed = json_object_get(j, "closed");
    assert_string_equal(text(closed, "verdict"), v->id);
    assert_string_equal(text(closed, "class"), "spambot-direct");
    assert_non_null(
        strstr(text(j, "sentence"), "; its last one, spambot-direct of 2026-11-22T06:0"));
    json_decref(j);
    rig_fini(&r);
}

// Sessions of a household that sends through `role`, each under TLS unless `clear` leaves that many out.
static void play_sessions(struct rig *r, uint8_t role, uint32_t count, uint32_t clear)
{
    struct rig_flow f[12] = {{0}};
    for (uint32_t i = 0; i < count; i++)
        f[i] = (struct rig_flow){.start_ms = i * 4000,
                                 .provider = 1,
                                 .port = role == MINUTE_MX ? 25 : 587,
                                 .role = role,
                                 .outcome = MINUTE_OUTCOME_GREETED,
                                 .tls = i >= clear};
    rig_play(r, &play_somebody, f, count);
}

// Beside the rows of a mail log, the smarthost's sessions are no secret.
static void what_tls_hides(void **state)
{
    (void)state;
    static const struct {
        uint8_t role;
        uint32_t count, clear;
        int64_t asked_ms;
        const char *says; // NULL: nothing
        bool most;
    } cases[] = {
        {MINUTE_MX, 4, 0, NOW,
         "Under TLS and not read: 4 of 4 sessions with mail servers in 24 hours (100 %); not "
         "visible "
         "under TLS: rejections, harvest, blocklist, backscatter, policy-limits, open-relay.",
         true},
        {MINUTE_MX, 4, 0, NOW + 8 * HOUR, "4 of 4 sessions with mail servers in 24 hours", true},
        {MINUTE_MX, 4, 3, NOW, "1 of 4 sessions with mail servers in 24 hours (25 %);", false},
        {MINUTE_MX, 4, 4, NOW, NULL, false},
        {MINUTE_SUBMISSION, 12, 0, NOW,
         "Under TLS and not read: 12 of 12 sessions with submission servers in 1 hour (100 %); not "
         "visible under TLS: recipient-burst, identity-rotation, policy-limits.",
         true},
        {MINUTE_SUBMISSION, 12, 0, NOW + 2 * HOUR, NULL, false},
        {MINUTE_SMARTHOST, 12, 6, NOW,
         "6 of 12 sessions with the smarthost in 1 hour (50 %); not visible under TLS: "
         "rejections, recipient-burst, identity-rotation, policy-limits.",
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r;
        rig_init(&r, NULL);
        play_sessions(&r, cases[i].role, cases[i].count, cases[i].clear);
        json_t *j = explain(r.engine, "line:9", cases[i].asked_ms);
        const json_t *unread = json_object_get(j, "unread");
        assert_int_equal(json_array_size(json_object_get(j, "open_verdicts")), 0);
        if (cases[i].says ? !strstr(text(unread, "sentence"), cases[i].says)
                          : !json_is_null(unread))
            fail_msg("case %zu: %s", i, text(unread, "sentence"));
        if (!strstr(text(j, "sentence"), "could not be read (TLS)") != !cases[i].most)
            fail_msg("case %zu: %s", i, text(j, "sentence"));
        json_decref(j);
        rig_fini(&r);
    }
}

// Two ways in one line; what is off is not named as hidden; and what the log of the smarthost tells is not hidden.
static void tls_by_several_ways(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "analysis:\n  detectors_off: [identity-rotation]\n");
    play_sessions(&r, MINUTE_SUBMISSION, 3, 0);
    play_sessions(&r, MINUTE_SMARTHOST, 5, 1);
    json_t *j = explain(r.engine, "line:9", NOW);
    const json_t *unread = json_object_get(j, "unread");
    assert_string_equal(
        text(unread, "sentence"),
        "Under TLS and not read: 3 of 3 sessions with submission servers in 1 hour (100 %), 4 of 5 "
        "sessions with the smarthost in 1 hour (80 %); not visible under TLS: rejections, "
        "recipient-burst, policy-limits.");
    assert_int_equal(json_array_size(json_object_get(unread, "sessions")), 2);
    assert_int_equal(json_array_size(json_object_get(unread, "detectors")), 3);
    json_decref(j);
    const struct rig_who told = {.host = 9, .line = true, .row_flags = MINUTE_FROM_LOG};
    rig_play(&r, &told,
             &(struct rig_flow){.provider = 1,
                                .port = 587,
                                .role = MINUTE_SUBMISSION,
                                .outcome = MINUTE_OUTCOME_GREETED},
             1);
    j = explain(r.engine, "line:9", NOW);
    assert_null(strstr(text(json_object_get(j, "unread"), "sentence"), "smarthost"));
    json_decref(j);
    rig_fini(&r);
}

static void what_is_outside(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, NULL);
    play_bot(&r, &(struct rig_who){.host = 7, .realm = "vlan:101"});
    const struct asked private[] = {
        {"8.8.8.8", NULL, 0,
         "8.8.8.8 is no subscriber's address: it is not in site.subscribers (private networks, as "
         "none are named), and nobody has it in the sensor's own realm, vlan:101."},
        {"10.0.0.8", NULL, 0, "it has done nothing on mail ports"},
        {"line:8", NULL, 0, "it has done nothing on mail ports"},
    };
    ask_all(&r, private, sizeof private / sizeof private[0]);
    rig_fini(&r);
    rig_init(&r, "site:\n  subscribers: [198.51.100.0/24, '2001:db8::/32']\n");
    const struct asked named[] = {
        {"8.8.8.8", NULL, 0, "it is not in site.subscribers, and nobody has it in the sensor's"},
        {"10.0.0.8", NULL, 0, "10.0.0.8 is no subscriber's address"},
        {"198.51.100.8", NULL, 0, "it has done nothing on mail ports"},
        {"2001:db8::1", NULL, 0, "it has done nothing on mail ports"},
        {"2001:db9::1", NULL, 0, "2001:db9::1 is no subscriber's address"},
    };
    ask_all(&r, named, sizeof named / sizeof named[0]);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_in_realms),
        cmocka_unit_test(an_address_by_port_blocks),
        cmocka_unit_test(the_latest_of_one_key),
        cmocka_unit_test(what_is_no_subscriber),
        cmocka_unit_test(sums_add_up),
        cmocka_unit_test(what_was),
        cmocka_unit_test(both_families_are_one_party),
        cmocka_unit_test(named_by_either_family),
        cmocka_unit_test(what_tls_hides),
        cmocka_unit_test(tls_by_several_ways),
        cmocka_unit_test(what_is_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
