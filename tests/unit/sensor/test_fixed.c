// Which keys a reload takes over: every key of the section is tried, so that a new one is decided on.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "fixed.h"

// The other words of the sensor's documents; kept by hand, on purpose.
static const char *const taken_over[] = {"name",
                                         "leg",
                                         "nat",
                                         "port25",
                                         "tier",
                                         "syn_timeout",
                                         "half_open_timeout",
                                         "early_close",
                                         "idle_timeout",
                                         "closing_timeout",
                                         "reset_linger",
                                         "closed_timeout",
                                         "udp_timeout",
                                         "dns_timeout",
                                         "short_tls_octets",
                                         "mail_log"};

static bool is_taken_over(const char *name)
{
    for (size_t i = 0; i < sizeof taken_over / sizeof *taken_over; i++)
        if (strcmp(taken_over[i], name) == 0)
            return true;
    return false;
}

static void load(const char *text, struct sensor_conf *out)
{
    struct conf_section s = {"sensor", sensor_conf_keys, out};
    assert_int_equal(conf_load_text("t", "/", text, strlen(text), &s, 1, stderr), 0);
}

// What fixed_tell logs.
static unsigned tell(const struct sensor_conf *a, const struct sensor_conf *b, bool asked,
                     char *text, size_t size)
{
    FILE *written = tmpfile();
    assert_non_null(written);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    assert_true(dup2(fileno(written), STDERR_FILENO) >= 0);
    log_open("postern-sensor");
    unsigned n = fixed_tell(a, b, asked);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(written);
    text[fread(text, 1, size - 1, written)] = '\0';
    fclose(written);
    return n;
}

// A value of the key that is not its default.
static const char *other_value(const struct conf_key *k)
{
    static char text[64];
    switch (k->type) {
    case CONF_INT:
    case CONF_SIZE: snprintf(text, sizeof text, "%.0f", k->min + 1); return text;
    case CONF_DURATION: snprintf(text, sizeof text, "%.0fms", k->min + 1); return text;
    case CONF_ENUM: return k->names[strcmp(k->names[0], k->def) == 0];
    case CONF_STRING_LIST: return strcmp(k->name, "realm_layers") == 0 ? "[vlan, b4]" : "[eth7]";
    case CONF_PATH: return "/other";
    case CONF_SECTION: return "{files: [/other]}";
    default: return "other";
    }
}

static void test_every_key(void **state)
{
    (void)state;
    struct sensor_conf old, now;
    load("sensor: {}", &old);
    for (const struct conf_key *k = sensor_conf_keys; k->name; k++) {
        char text[200], said[4096], line[120];
        snprintf(text, sizeof text, "sensor: {%s: %s}", k->name, other_value(k));
        load(text, &now);
        unsigned n = tell(&old, &now, false, said, sizeof said);
        snprintf(line, sizeof line, "sensor.%s: a change needs a restart of the sensor\n", k->name);
        if (n != !is_taken_over(k->name) || (n == 1 && !strstr(said, line)) || (n == 0 && said[0]))
            fail_msg("%s: %u, \"%s\"", k->name, n, said);
        conf_free(sensor_conf_keys, &now);
    }
    conf_free(sensor_conf_keys, &old);
}

static void test_several(void **state)
{
    (void)state;
    static const struct {
        const char *old, *now;
        bool asked;
        unsigned lines;
    } cases[] = {
        {"flows: 5000, ring: 8M, leg: pni", "flows: 5000, ring: 8M, leg: pni", false, 0},
        {"flows: 5000, ring: 8M, collector: 'a:1'", "leg: pni, filter: tcp", false, 4},
        {"interfaces: [a]", "interfaces: [b]", false, 1},
        {"interfaces: [a]", "interfaces: [b]", true, 0},
        {"interfaces: [a]", "interfaces: [a, b]", false, 1},
        {"domain: 7", "domain: 8", false, 1},
        {"domain: 7", "domain: 0", false, 0}, // of what it is made then
        {"realm_layers: [vlan, b4]", "realm_layers: [b4, vlan]", false, 0},
        {"realm_layers: [b4]", "leg: pni", false, 0},
        {"realm_layers: [none]", "leg: pni", false, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sensor_conf old, now;
        char text[200], said[4096];
        snprintf(text, sizeof text, "sensor: {%s}", cases[i].old);
        load(text, &old);
        snprintf(text, sizeof text, "sensor: {%s}", cases[i].now);
        load(text, &now);
        unsigned n = tell(&old, &now, cases[i].asked, said, sizeof said);
        if (n != cases[i].lines)
            fail_msg("%s, then %s: %u, \"%s\"", cases[i].old, cases[i].now, n, said);
        conf_free(sensor_conf_keys, &old);
        conf_free(sensor_conf_keys, &now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_key),
                                       cmocka_unit_test(test_several)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
