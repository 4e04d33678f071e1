// Who is enrolled gets domains that nobody else has, is told them, and may speak for no others; what was enrolled before goes on.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "enroll.h"
#include "permit.h"
#include "scratch.h"

#define NOW INT64_C(1795326720000)

struct site {
    char dir[SCRATCH_MAX], ca[SCRATCH_MAX + 8];
    struct registry *registry;
};

static void open_registry(struct site *s)
{
    char error[300];
    assert_int_equal(registry_open(s->ca, "test", "localhost", NOW, &s->registry, error), 0);
}

static int setup(void **state)
{
    struct site *s = calloc(1, sizeof *s);
    if (!s || scratch_make(s->dir) < 0)
        return -1;
    snprintf(s->ca, sizeof s->ca, "%s/ca", s->dir);
    open_registry(s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct site *s = *state;
    registry_close(s->registry);
    scratch_remove(s->dir);
    free(s);
    return 0;
}

// `domains` as JSON text; NULL: none.
static int invite(struct site *s, const char *name, const char *domains, char *token)
{
    char own_token[REGISTRY_TOKEN_MAX], why[160];
    json_t *list = domains ? json_loads(domains, JSON_DECODE_ANY, NULL) : NULL;
    assert_true(!domains || list);
    int rc = registry_invite(s->registry, name, list, NULL, NOW, token ? token : own_token, why);
    json_decref(list);
    return rc;
}

// A certificate for it. The answer is the caller's.
static char *enrol(struct site *s, const char *name, const char *domains, struct tls_identity *who)
{
    char token[REGISTRY_TOKEN_MAX], key[SCRATCH_MAX + 40], *pem = NULL, *request = NULL, *answer;
    assert_int_equal(invite(s, name, domains, token), 0);
    snprintf(key, sizeof key, "%s/%s.key", s->dir, name);
    unlink(key);
    assert_int_equal(tls_cert_request(key, name, &pem), 0);
    assert_true(asprintf(&request, "POSTERN-ENROLL 1\n%s\n%s", token, pem) > 0);
    assert_int_equal(enroll_answer(s->registry, span_of_text(request), NULL, 365, NOW, &answer), 1);
    free(pem);
    free(request);
    if (who) {
        FILE *f;
        char path[SCRATCH_MAX + 60], serial[60];
        snprintf(path, sizeof path, "%s/sensors.json", s->ca);
        snprintf(who->name, sizeof who->name, "%s", name);
        assert_non_null(f = fopen(path, "re"));
        json_t *doc = json_loadf(f, 0, NULL), *item;
        fclose(f);
        size_t i;
        json_array_foreach (json_object_get(doc, "sensors"), i, item) {
            if (strcmp(json_string_value(json_object_get(item, "name")), name) != 0)
                continue;
            snprintf(serial, sizeof serial, "%s",
                     json_string_value(json_object_get(item, "serial")));
            snprintf(who->serial, sizeof who->serial, "%.40s", serial);
        }
        json_decref(doc);
    }
    return answer;
}

static enum permit_answer may(struct site *s, const struct tls_identity *who, uint32_t domain)
{
    struct record r = {.kind = RECORD_COVERAGE, .id = {.domain = domain, .sequence = 1}};
    const struct permit *p = registry_find(s->registry, who);
    assert_non_null(p);
    return permit_check(p, &r);
}

static void the_collector_gives_domains(void **state)
{
    struct site *s = *state;
    struct tls_identity one = {0}, two = {0};
    assert_int_equal(invite(s, "by-hand", "[1048576, 1048577]", NULL), 0);
    char *first = enrol(s, "edge1", NULL, &one), *second = enrol(s, "edge2", "\"auto\"", &two);
    // The first block holds one that was given by hand.
    assert_int_equal(strncmp(first, "OK\nDomains: 1049600-1050623\n-----BEGIN CERT", 43), 0);
    assert_int_equal(strncmp(second, "OK\nDomains: 1050624-1051647\n-----BEGIN CERT", 43), 0);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(may(s, &one, 1049600), PERMIT_YES);
        assert_int_equal(may(s, &one, 1050623), PERMIT_YES);
        assert_int_equal(may(s, &one, 1049599), PERMIT_DOMAIN);
        assert_int_equal(may(s, &one, 1050624), PERMIT_DOMAIN);
        assert_int_equal(may(s, &one, 7), PERMIT_DOMAIN);
        assert_int_equal(may(s, &two, 1050624), PERMIT_YES);
        registry_close(s->registry); // and so after a restart
        open_registry(s);
    }
    free(first);
    // Enrolled again it has the same.
    first = enrol(s, "edge1", NULL, &one);
    assert_int_equal(strncmp(first, "OK\nDomains: 1049600-1050623\n", 28), 0);
    free(first);
    free(second);
}

static void those_given_by_hand_are_told(void **state)
{
    static const struct {
        const char *domains, *line;
    } cases[] = {
        {"[9]", "OK\nDomains: 9\n-----BEGIN"},
        {"[3, 1, 2, 20, 7, 21]", "OK\nDomains: 1-3,7,20-21\n-----BEGIN"},
        {"\"any\"", "OK\n-----BEGIN"},
        {"[]", "OK\n-----BEGIN"},
    };
    struct site *s = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *answer = enrol(s, "mx1", cases[i].domains, NULL);
        if (strncmp(answer, cases[i].line, strlen(cases[i].line)) != 0)
            fail_msg("%s: %.60s", cases[i].domains, answer);
        free(answer);
    }
    assert_int_equal(invite(s, "mx1", "\"some\"", NULL), -EINVAL);
    assert_int_equal(invite(s, "mx1", "[0]", NULL), -EINVAL);
    assert_int_equal(invite(s, "mx1", "{}", NULL), -EINVAL);
}

// Who was enrolled for any domain, as all were without --domains, goes on; also when it is enrolled again, for its records are
// under way.
static void what_was_enrolled_before_goes_on(void **state)
{
    struct site *s = *state;
    struct tls_identity who = {.name = "old", .serial = "0A0B"};
    char path[SCRATCH_MAX + 40];
    registry_close(s->registry);
    snprintf(path, sizeof path, "%s/sensors.json", s->ca);
    FILE *f = fopen(path, "we");
    fputs("{\"sensors\":[{\"domains\":[],\"name\":\"old\",\"not_after_ms\":1895326720000,"
          "\"prefixes\":null,\"serial\":\"0A0B\",\"token\":\"\",\"token_until_ms\":0}],\"v\":1}\n",
          f);
    fclose(f);
    open_registry(s);
    assert_int_equal(may(s, &who, 0x80000007u), PERMIT_YES);
    char *answer = enrol(s, "old", NULL, &who);
    assert_int_equal(strncmp(answer, "OK\n-----BEGIN", 13), 0);
    assert_int_equal(may(s, &who, 0x80000007u), PERMIT_YES);
    free(answer);
    // Until it is said.
    answer = enrol(s, "old", "\"auto\"", &who);
    assert_int_equal(strncmp(answer, "OK\nDomains: 1048576-1049599\n", 28), 0);
    assert_int_equal(may(s, &who, 0x80000007u), PERMIT_DOMAIN);
    free(answer);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_collector_gives_domains),
        TEST(those_given_by_hand_are_told),
        TEST(what_was_enrolled_before_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
