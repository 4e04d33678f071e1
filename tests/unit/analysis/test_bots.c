// Two real bots, from the flow facts of infected machines: Neris sprays, Virut tries a few providers
// for ever. Nobody ever answered either.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"

#define BOTS POSTERN_SHARED_DIR "/captures/bots/"

// Flows of a file up to `until_ms`. NULL: the file is not there.
static struct rig_flow *read_bot(const char *name, int64_t until_ms, size_t *count)
{
    char path[512], line[256];
    snprintf(path, sizeof path, BOTS "%s", name);
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    struct rig_flow *flows = calloc(20000, sizeof *flows);
    assert_non_null(flows);
    *count = 0;
    assert_non_null(fgets(line, sizeof line, f)); // names
    while (*count < 20000 && fgets(line, sizeof line, f)) {
        char *at = line, *start = strsep(&at, ","), *peer = strsep(&at, ",");
        struct rig_flow flow = {.outcome = MINUTE_OUTCOME_UNANSWERED};
        assert_non_null(peer);
        flow.start_ms = (int64_t)(strtod(start, NULL) * 1000 + 0.5);
        assert_int_equal(ip_parse(peer, &flow.peer), 0);
        if (flow.start_ms <= until_ms)
            flows[(*count)++] = flow;
    }
    fclose(f);
    return flows;
}

static void neris(void **state)
{
    (void)state;
    struct rig r;
    size_t n = 0;
    struct rig_flow *flows = read_bot("neris-port25.csv", 3600000, &n);
    if (!flows)
        skip();
    rig_init(&r, NULL);
    rig_play(&r, &(struct rig_who){.host = 7, .line = true}, flows, n);
    const struct verdict *v = rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0);
    assert_non_null(v);
    assert_true(v->made_ms - RIG_EPOCH_MS < 340000);
    assert_int_equal(v->first_ms, RIG_EPOCH_MS);
    assert_true(v->score > 0.99);
    const struct verdict_evidence *fan_out = rig_evidence(v, "fan-out");
    const struct verdict_evidence *contact = rig_evidence(v, "first-contact");
    assert_non_null(fan_out);
    assert_non_null(contact);
    // The contacts that failed are the spread, too: said twice, counted once.
    assert_true(contact->counted && !fan_out->counted);
    assert_int_not_equal(fan_out->family, contact->family);
    assert_true(contact->measured >= 9);
    assert_true(contact->limit == 9);
    // Nobody answered and sources are not validated here: a ticket, no more.
    assert_int_equal(v->ceiling, VERDICT_TICKET);
    assert_true(v->limitations & VERDICT_UNVALIDATED);
    assert_false(v->limitations & VERDICT_LOOKS_LIKE_DEAD_QUEUE);
    assert_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 1));
    rig_fini(&r);
    free(flows);
}

static void neris_where_sources_are_validated(void **state)
{
    (void)state;
    struct rig r;
    size_t n = 0;
    struct rig_flow *flows = read_bot("neris-port25.csv", 600000, &n);
    if (!flows)
        skip();
    rig_init(&r, "site:\n  source_validated: true\n");
    rig_play(&r, &(struct rig_who){.host = 7, .line = true}, flows, n);
    const struct verdict *v = rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0);
    assert_non_null(v);
    // Nobody answered, so there is no second witness: a ticket.
    assert_int_equal(v->ceiling, VERDICT_TICKET);
    assert_false(v->limitations & VERDICT_UNVALIDATED);
    rig_fini(&r);
    free(flows);
}

static void virut(void **state)
{
    (void)state;
    struct rig r;
    size_t n = 0;
    struct rig_flow *flows = read_bot("virut-port25.csv", INT64_MAX, &n);
    if (!flows)
        skip();
    rig_init(&r, "site:\n  source_validated: true\n");
    rig_play(&r, &(struct rig_who){.host = 7, .line = true}, flows, n);
    const struct verdict *v = rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0);
    assert_non_null(v);
    assert_true(v->made_ms - RIG_EPOCH_MS <= 900000);
    assert_int_equal(v->ceiling, VERDICT_TICKET);
    assert_true(v->limitations & VERDICT_LOOKS_LIKE_DEAD_QUEUE);
    assert_null(rig_evidence(v, "fan-out")); // five providers are within a household's limit
    assert_null(rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 1));
    rig_fini(&r);
    free(flows);
}

int main(void)
{
    if (access(BOTS "neris-port25.csv", R_OK) != 0) {
        printf("skipped: " BOTS " is not there\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neris),
        cmocka_unit_test(neris_where_sources_are_validated),
        cmocka_unit_test(virut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
