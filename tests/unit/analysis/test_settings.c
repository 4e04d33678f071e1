// The configuration of postern-analysis beyond its tables: what contradicts itself is refused with its place, and what
// is not said stays as the class has it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "settings.h"

static struct settings *load(const char *yaml, const char *path, struct conf_section *section)
{
    struct settings *s = calloc(1, settings_size());
    FILE *f = fopen(path, "w");
    assert_non_null(s);
    assert_non_null(f);
    fputs(yaml, f);
    fclose(f);
    *section = (struct conf_section){"analysis", settings_keys(), s};
    assert_int_equal(conf_load(path, section, 1, stderr), 0);
    return s;
}

static void contradictions(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *said; // NULL: it is right
    } cases[] = {
        {"  first_contact: {theta0: 0.5, theta1: 0.5}", ":2:40: analysis.first_contact.theta1: "},
        {"  first_contact: {theta0: 0.5, theta1: 0.49}", NULL},
        {"  first_contact: {steady0: 0.7, steady1: 0.7}",
         ":2:42: analysis.first_contact.steady1: "},
        {"  first_contact: {retry_dead: 0.6}", ":2:31: analysis.first_contact.retry_dead: "},
        {"  rejections: {theta0: 0.6, theta1: 0.6}", ":2:37: analysis.rejections.theta1: "},
        {"  rejections: {theta0: 0.6, theta1: 0.5}", NULL},
        {"  fan_out: {limit_10min: 13}", ":2:26: analysis.fan_out.limit_10min: "},
        {"  fan_out: {limit_10min: 12}", NULL},
        {"  fan_out: {limit_hour: 25}", ":2:25: analysis.fan_out.limit_hour: "},
        {"  recipient_burst: {messages_hour: 400}", "analysis.recipient_burst.messages_hour: "},
        {"  classes: [{class: harvester}, {class: harvester}]",
         ":2:41: analysis.classes[1].class: "},
        {"  classes: [{class: harvester}, {class: open-relay}]", NULL},
        {"  profiles: [{network_class: a, limit_factor: 2}, {network_class: a, limit_factor: 3}]",
         "analysis.profiles[1].network_class: "},
        {"  policy_limits: {messages_10min: 41, messages_hour: 40}",
         ":2:35: analysis.policy_limits.messages_10min: is above messages_hour"},
        {"  policy_limits: {messages_10min: 40, messages_hour: 40, messages_day: 40}", NULL},
        {"  policy_limits: {messages_hour: 101, messages_day: 100}",
         "analysis.policy_limits.messages_hour: is above messages_day"},
        {"  policy_limits: {messages_10min: 101, messages_day: 100}",
         "analysis.policy_limits.messages_10min: is above messages_day"},
        {"  policy_limits: {messages_10min: 40, recipients_day: 10}", NULL},
        {"  policy_limits: {messages_10min: 40}", NULL},
        {"  policy_limits: {recipients_10min: 101, recipients_hour: 100}",
         "analysis.policy_limits.recipients_10min: is above recipients_hour"},
        {"  policy_limits: {recipients_hour: 1001, recipients_day: 1000}",
         "analysis.policy_limits.recipients_hour: is above recipients_day"},
        {"  policy_limits: {recipients_10min: 1001, recipients_day: 1000}",
         "analysis.policy_limits.recipients_10min: is above recipients_day"},
        {"  exemptions: [{class: all, subject: 'client:192.0.2.0/24', owner: a, reason: x, "
         "expires: "
         "2027-01-01T00:00:00Z}]",
         "analysis.exemptions[0].subject: subject is neither"},
        {"  exemptions: [{class: all, subject: '*/vlan:1/192.0.2.0/24', owner: a, reason: x, "
         "expires: 2027-01-01T00:00:00Z}]",
         "analysis.exemptions[0].subject: subject is neither"},
        {"  exemptions: [{class: all, subject: 'line:1', owner: ' ', reason: x, expires: "
         "2027-01-01T00:00:00Z}]",
         ":2:55: analysis.exemptions[0].owner: owner may not be blank"},
        {"  exemptions: [{class: all, subject: 'foo:1/192.0.2.0/24', owner: a, reason: x, expires: "
         "2027-01-01T00:00:00Z}]",
         ":2:38: analysis.exemptions[0].subject: subject's realm foo:1 names a layer that there is "
         "not; use vlan, "},
        {"  exemptions: [{class: all, subject: 'vlan:5000/192.0.2.7', owner: a, reason: x, "
         "expires: 2027-01-01T00:00:00Z}]",
         "realm vlan:5000 has a VLAN that is none; write vlan:0 to vlan:4095"},
        {"  exemptions: [{class: all, subject: 'provisional:vlan:5000/192.0.2.7', owner: a, "
         "reason: x, expires: 2027-01-01T00:00:00Z}]",
         "realm vlan:5000 has a VLAN that is none"},
        {"  exemptions: [{class: all, subject: 'qinq:101.7/pppoe:4711/192.0.2.7', owner: a, "
         "reason: x, expires: 2027-01-01T00:00:00Z}]",
         NULL},
        // One does not hide the others.
        {"  provisional_ceiling: quarantine\n  detectors_off: [fan-in]\n"
         "  fan_out: {limit_10min: 13}\n  policy_limits: {messages_10min: 41, messages_hour: 40}",
         "analysis.policy_limits.messages_10min: is above messages_hour"},
        {"  classes: [{class: harvester, open: 0.6, close: 0.7}, {class: harvester}]\n"
         "  detectors_off: [fan-in]",
         "analysis.classes[1].class: there is"},
    };
    char path[] = "/tmp/postern-settings.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char yaml[400], error[SETTINGS_ERROR] = "";
        struct conf_section section;
        snprintf(yaml, sizeof yaml, "analysis:\n%s\n", cases[i].yaml);
        struct settings *s = load(yaml, path, &section);
        int rc = settings_check(s, path, error);
        if ((rc != 0) != (cases[i].said != NULL) || (rc != 0 && !strstr(error, cases[i].said)))
            fail_msg("%s: %d %s", cases[i].yaml, rc, error);
        conf_free(section.keys, s);
        free(s);
    }
    unlink(path);
}

static void a_class_keeps_what_is_not_said(void **state)
{
    (void)state;
    struct conf_section section;
    char path[] = "/tmp/postern-settings.XXXXXX", text[65536] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct settings *s = load(
        "analysis:\n  classes:\n    - {class: compromised-account, open: 0.995}\n"
        "    - {class: open-relay, ceiling: observe}\n"
        "    - {class: backscatter, ceiling: quarantine}\n"
        "    - {class: proxy-abuse, ceiling: quarantine}\n",
        path, &section);
    // As it is printed by -C and read again, too.
    for (int again = 0; again <= 1; again++) {
        struct policy_class rule = settings_class_rule(s, VERDICT_COMPROMISED_ACCOUNT);
        assert_int_equal(rule.ceiling, VERDICT_RESTRICT);
        assert_true(rule.open == 0.995 && rule.close == 0.5 && rule.quiet_ms == 6 * 3600000LL);
        assert_int_equal(settings_class_rule(s, VERDICT_OPEN_RELAY).ceiling, VERDICT_OBSERVE);
        assert_int_equal(settings_class_rule(s, VERDICT_BACKSCATTER).ceiling, VERDICT_QUARANTINE);
        assert_int_equal(settings_class_rule(s, VERDICT_PROXY_ABUSE).ceiling, VERDICT_TICKET);
        assert_int_equal(settings_class_rule(s, VERDICT_HARVESTER).ceiling, VERDICT_QUARANTINE);
        if (again == 0) {
            FILE *f = fmemopen(text, sizeof text, "w");
            assert_int_equal(conf_print(&section, 1, false, f), 0);
            fclose(f);
        }
        conf_free(section.keys, s);
        free(s);
        s = again == 0 ? load(text, path, &section) : NULL;
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contradictions),
        cmocka_unit_test(a_class_keeps_what_is_not_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
