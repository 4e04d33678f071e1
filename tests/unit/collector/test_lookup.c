// The desk's question, whose an address was: how it may be written, and what the answer says of doubt and of the
// others who held the address.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/timefmt.h"
#include "lookup.h"

static int64_t at(const char *text)
{
    int64_t t;
    assert_int_equal(time_parse(text, &t), 0);
    return t;
}

static void questions(void **state)
{
    (void)state;
    static const struct {
        const char *text, *realm, *addr;
        uint16_t port;
        const char *time; // NULL: now
    } rows[] = {
        {"192.0.2.7", "", "192.0.2.7", 0, NULL},
        {"192.0.2.7:4711", "", "192.0.2.7", 4711, NULL},
        {"192.0.2.7:65535@2026-11-22T05:52:00Z", "", "192.0.2.7", 65535, "2026-11-22T05:52:00Z"},
        {"2001:db8::7", "", "2001:db8::7", 0, NULL},
        {"[2001:db8::7]", "", "2001:db8::7", 0, NULL},
        {"[2001:db8::7]:25", "", "2001:db8::7", 25, NULL},
        {"vlan:7/10.0.0.1", "vlan:7", "10.0.0.1", 0, NULL},
        {"vlan:7/10.0.0.1:1@2026-11-22T05:52:00Z", "vlan:7", "10.0.0.1", 1, "2026-11-22T05:52:00Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lookup q;
        struct ip_addr want;
        char error[200] = "";
        if (lookup_parse(rows[i].text, &q, error) != 0)
            fail_msg("%s: %s", rows[i].text, error);
        assert_int_equal(ip_parse(rows[i].addr, &want), 0);
        assert_true(ip_equal(&q.addr, &want));
        assert_string_equal(q.realm.name, rows[i].realm);
        assert_int_equal(q.port, rows[i].port);
        assert_int_equal(q.t_ms, rows[i].time ? at(rows[i].time) : 0);
        assert_int_equal(q.window_ms, LOOKUP_WINDOW_DEFAULT_MS);
    }
}

static void what_is_no_question(void **state)
{
    (void)state;
    static char endless[400];
    memset(endless, '1', sizeof endless - 1);
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "is no address"},
        {endless, "is no address"},
        {"192.0.2", "is no address"},
        {"192.0.2.7:", "is no port"},
        {"192.0.2.7:0", "is no port"},
        {"192.0.2.7:65536", "is no port"},
        {"192.0.2.7:000025", "is no port"},
        {"192.0.2.7:2x", "is no port"},
        {"[2001:db8::7]:", "is no port"},
        {"[2001:db8::7", "is no address"},
        {"[2001:db8::7]25", "is no address"},
        {"192.0.2.7@", "is no time"},
        {"192.0.2.7@yesterday", "is no time"},
        {"192.0.2.7@1970-01-01T00:00:00Z", "is no time"},
        {"vlan 7/10.0.0.1", "the realm vlan 7"},
        {"vlan:7/", "is no address"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lookup q = {.port = 4242};
        char error[200] = "";
        assert_int_equal(lookup_parse(rows[i].text, &q, error), -EINVAL);
        if (!strstr(error, rows[i].says))
            fail_msg("'%s' says: %s", rows[i].text, error);
        assert_int_equal(q.port, 4242); // as it was
    }
}

static void windows(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; // -1: none
    } rows[] = {
        {"0s", 0},
        {"90s", 90000},
        {"30m", 1800000},
        {"2h", 7200000},
        {"7d", LOOKUP_WINDOW_MAX_MS},
        {"8d", -1},
        {"169h", -1},
        {"", -1},
        {"30", -1},
        {"m", -1},
        {"-5m", -1},
        {" 5m", -1},
        {"5 m", -1},
        {"5mm", -1},
        {"99999999999999999999s", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ms = -1;
        if (lookup_window(rows[i].text, &ms) != (rows[i].ms >= 0) || ms != rows[i].ms)
            fail_msg("'%s': %lld", rows[i].text, (long long)ms);
    }
}

// ---- The answer

static const char history[] =
    "realm,prefix,port_first,port_last,party,start,end,last_seen,interim_s,mac,nas,session,user,"
    "pop,class\n"
    ",10.0.0.1,,,line:a,2026-01-01T00:00:00Z,2026-01-01T10:00:00Z,,,,,,,north,residential\n"
    ",10.0.0.1,,,line:b,2026-01-01T10:10:00Z,2026-01-01T14:00:00Z,,,,,,,north,business\n"
    ",10.0.0.1,,,line:c,2026-01-01T14:00:00Z,,2026-01-01T15:00:00Z,1800,,,,,north,\n"
    ",10.0.0.9,,,line:x,2026-01-01T00:00:00Z,2026-01-01T10:00:00Z,,,,,,,north,\n"
    ",10.0.0.9,,,line:y,2026-01-01T05:00:00Z,2026-01-01T10:00:00Z,,,,,,,north,\n";

static struct leases *load(void)
{
    struct leases *l = leases_new();
    char copy[sizeof history];
    memcpy(copy, history, sizeof history);
    FILE *in = fmemopen(copy, sizeof history - 1, "r");
    assert_non_null(in);
    assert_int_equal(leases_file_read(l, in, "history", LEASE_CSV, 1, 1, stderr), 0);
    fclose(in);
    return l;
}

// The command's answer, as the desk asks; the caller's.
static json_t *ask(const struct leases *l, const char *address, const char *window,
                   const char *purpose, struct control_error *error)
{
    json_t *request = json_pack("{s:s?, s:s?, s:s?}", "address", address, "window", window,
                                "purpose", purpose);
    assert_non_null(request);
    json_t *answer = lookup_control(l, request, at("2026-01-01T20:00:00Z"), error);
    json_decref(request);
    return answer;
}

static const char *text_of(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "";
}

static void answers(void **state)
{
    (void)state;
    static const struct {
        const char *address, *window;
        const char *party, *confidence, *advice, *class_;
        const char *doubt;     // the first of them; NULL: none
        const char *others[2]; // in order of start
    } rows[] = {
        {"10.0.0.1@2026-01-01T05:00:00Z",
         NULL,
         "line:a",
         "certain",
         "may be acted on",
         "residential",
         NULL,
         {NULL}},
        // The window reaches the neighbours in time, and leaves out whom the answer names.
        {"10.0.0.1@2026-01-01T12:00:00Z",
         "3h",
         "line:b",
         "certain",
         "may be acted on",
         "business",
         NULL,
         {"line:a", "line:c"}},
        {"10.0.0.1@2026-01-01T12:00:00Z",
         "119m",
         "line:b",
         "certain",
         "may be acted on",
         "business",
         NULL,
         {NULL}},
        {"10.0.0.1@2026-01-01T14:01:00Z",
         "1m",
         "provisional:10.0.0.1",
         "ambiguous",
         "more than one party",
         "",
         "near-change",
         {"line:c", NULL}},
        // Two claim it: both stand there, for none is named.
        {"10.0.0.9@2026-01-01T07:00:00Z",
         NULL,
         "provisional:10.0.0.9",
         "ambiguous",
         "more than one party",
         "",
         "overlap",
         {"line:x", "line:y"}},
        {"10.0.0.1", NULL, "line:c", "stale", "not seen for twice", "", NULL, {NULL}},
        {"10.0.0.77", NULL, "provisional:10.0.0.77", "unknown", "nobody says", "", NULL, {NULL}},
    };
    struct leases *l = load();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct control_error error = {0};
        json_t *o = ask(l, rows[i].address, rows[i].window, "ticket 7", &error);
        if (!o)
            fail_msg("%s: %s", rows[i].address, error.text);
        assert_string_equal(text_of(o, "party"), rows[i].party);
        assert_string_equal(text_of(o, "confidence"), rows[i].confidence);
        assert_ptr_equal(strstr(text_of(o, "advice"), rows[i].advice), text_of(o, "advice"));
        assert_string_equal(text_of(o, "class"), rows[i].class_);
        assert_string_equal(text_of(o, "purpose"), "ticket 7");
        const json_t *doubts = json_object_get(o, "doubts"), *others = json_object_get(o, "others");
        assert_string_equal(text_of(json_array_get(doubts, 0), "name"),
                            rows[i].doubt ? rows[i].doubt : "");
        size_t count = rows[i].others[1] ? 2 : rows[i].others[0] ? 1 : 0;
        assert_int_equal(json_array_size(others), count);
        for (size_t k = 0; k < count; k++)
            assert_string_equal(text_of(json_array_get(others, k), "party"), rows[i].others[k]);
        json_decref(o);
    }
    leases_free(l);
}

// Who looks whom up is personal data: no purpose, no answer.
static void what_is_not_answered(void **state)
{
    (void)state;
    static char endless[201];
    memset(endless, 'p', sizeof endless - 1);
    static const struct {
        const char *address, *window, *purpose, *says;
    } rows[] = {
        {"10.0.0.1", NULL, NULL, "needs its purpose"},
        {"10.0.0.1", NULL, "", "needs its purpose"},
        {"10.0.0.1", NULL, endless, "needs its purpose"},
        {"10.0.0.1", NULL, "a\nline", "needs its purpose"},
        {NULL, NULL, "ticket 7", "is no address"},
        {"10.0.0.1:x", NULL, "ticket 7", "is no port"},
        {"10.0.0.1", "8d", "ticket 7", "is no window"},
    };
    struct leases *l = load();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct control_error error = {0};
        assert_null(ask(l, rows[i].address, rows[i].window, rows[i].purpose, &error));
        assert_string_equal(error.code, "bad-argument");
        if (!strstr(error.text, rows[i].says))
            fail_msg("row %zu says: %s", i, error.text);
    }
    leases_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions),
        cmocka_unit_test(what_is_no_question),
        cmocka_unit_test(windows),
        cmocka_unit_test(answers),
        cmocka_unit_test(what_is_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
