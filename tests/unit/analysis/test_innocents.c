// Those whom every naive rule hits. None of them may be named; a queue for dead destinations may be
// ticketed and nothing more.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "rig.h"

#define MINUTE 60000LL
#define HOUR   (60 * MINUTE)

// A number in [0, n) that looks random and is the same every time.
static uint32_t pick(uint64_t seed, uint32_t n)
{
    return (uint32_t)(hash_mix(seed) % n);
}

static struct rig_flow *flows_new(size_t n)
{
    struct rig_flow *f = calloc(n, sizeof *f);
    assert_non_null(f);
    return f;
}

// `count` deliveries to as many providers over `span_ms`, `failing` of 100 unanswered, `bounces` of
// 100 recipients unknown.
static struct rig_flow *bulk(size_t count, int64_t span_ms, uint32_t failing, uint32_t bounces,
                             uint64_t seed)
{
    struct rig_flow *f = flows_new(count);
    for (size_t i = 0; i < count; i++) {
        f[i].start_ms = (int64_t)i * span_ms / (int64_t)count;
        f[i].provider = (uint32_t)i + 1;
        if (pick(seed + i, 100) < failing) {
            f[i].outcome = MINUTE_OUTCOME_UNANSWERED;
            continue;
        }
        f[i].outcome = MINUTE_OUTCOME_GREETED;
        f[i].mail = f[i].messages_ok = 1;
        for (uint64_t k = 0; k < 3; k++)
            f[i].rcpt_5xx += pick(seed * 7 + i * 3 + k, 100) < bounces;
        f[i].rcpt_ok = 3 - f[i].rcpt_5xx;
    }
    return f;
}

static void play_innocent(const char *yaml, const struct rig_who *who, struct rig_flow *f, size_t n)
{
    struct rig r;
    rig_init(&r, yaml);
    rig_play(&r, who, f, n);
    rig_assert_innocent(&r);
    rig_fini(&r);
    free(f);
}

static const struct rig_who somebody = {.host = 9, .line = true};

static void newsletter_by_an_unknown_server(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++)
        play_innocent(NULL, &somebody, bulk(200, 10 * MINUTE, 3, 3, seed), 200);
}

static void stale_list(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++)
        play_innocent(NULL, &somebody, bulk(200, 15 * MINUTE, 6, 25, seed), 200);
}

static void dead_domain_on_a_list(void **state)
{
    (void)state;
    // One provider refuses all of its hundred recipients, the rest is as usual.
    struct rig_flow *f = bulk(100, 10 * MINUTE, 3, 5, 3);
    for (size_t i = 40; i < 44; i++) {
        f[i].outcome = MINUTE_OUTCOME_GREETED;
        f[i].rcpt_5xx = 100;
        f[i].rcpt_ok = 0;
    }
    play_innocent(NULL, &somebody, f, 100);
}

static void greylisting_everywhere(void **state)
{
    (void)state;
    size_t n = 120;
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){.start_ms = (int64_t)i * 5000,
                                 .provider = (uint32_t)i % 40 + 1,
                                 .outcome = MINUTE_OUTCOME_GREETED,
                                 .mail = 1};
    play_innocent(NULL, &somebody, f, n);
}

static void greetings_put_off(void **state)
{
    (void)state;
    size_t n = 40; // "421 try again later" is no refusal
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){.start_ms = (int64_t)i * 5000,
                                 .provider = (uint32_t)i + 1,
                                 .outcome = MINUTE_OUTCOME_TURNED_AWAY};
    play_innocent(NULL, &somebody, f, n);
}

static void listed_by_policy(void **state)
{
    (void)state;
    // A home server on day one: twenty providers say 554, dynamic address.
    size_t n = 20;
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){.start_ms = (int64_t)i * 20000,
                                 .provider = (uint32_t)i + 1,
                                 .outcome = MINUTE_OUTCOME_TURNED_AWAY,
                                 .banner_5xx = 1,
                                 .blocklist_policy = 1,
                                 .digest_flags = MINUTE_DIGEST_POLICY_REPLY};
    play_innocent(NULL, &somebody, f, n);
}

static void queue_flush(void **state)
{
    (void)state;
    play_innocent(NULL, &somebody, bulk(120, 6 * MINUTE, 8, 3, 11), 120);
}

// A server that did well for an hour, then nothing answers any more.
static struct rig_flow *outage(size_t *count, bool known_too)
{
    size_t n = 200;
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++) {
        bool down = i >= 120;
        bool known = !down || (known_too && i % 3 == 0);
        f[i].start_ms = down ? HOUR + (int64_t)(i - 120) * 3000 : (int64_t)i * 30000;
        f[i].provider = known ? (uint32_t)i % 20 + 1 : (uint32_t)i + 100;
        f[i].outcome = down ? MINUTE_OUTCOME_UNANSWERED : MINUTE_OUTCOME_GREETED;
    }
    *count = n;
    return f;
}

static void line_broken(void **state)
{
    (void)state;
    size_t n;
    struct rig_flow *f = outage(&n, true);
    play_innocent(NULL, &somebody, f, n);
}

static void server_cut_off(void **state)
{
    (void)state;
    // A verifier of senders with short sessions; at night transit fails for too few to tell. Fourteen new
    // servers do not answer: who reached all and now reaches none is cut off.
    size_t n = 54;
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){.start_ms = (int64_t)i * 60000,
                                 .provider = (uint32_t)i + 1,
                                 .outcome = i < 40 ? MINUTE_OUTCOME_GREETED
                                                   : MINUTE_OUTCOME_UNANSWERED,
                                 .tls = i < 40,
                                 .tls_short = i < 40,
                                 .no_quit = i < 40,
                                 .unasked = i < 40};
    struct rig r;
    rig_init(&r, "site:\n  mail_servers: [10.0.0.9]\n");
    rig_play(&r, &somebody, f, n);
    rig_assert_innocent(&r);
    rig_fini(&r);
    // One that is reached in between, and it is a list: the test can fail.
    f[44].outcome = MINUTE_OUTCOME_GREETED;
    struct rig_flow *more = flows_new(n + 8);
    memcpy(more, f, n * sizeof *f);
    for (size_t i = n; i < n + 8; i++) {
        more[i] = f[53];
        more[i].start_ms = (int64_t)i * 60000;
        more[i].provider = (uint32_t)i + 1;
    }
    rig_init(&r, "site:\n  mail_servers: [10.0.0.9]\n");
    rig_play(&r, &somebody, more, n + 8);
    assert_int_not_equal(r.verdicts, 0);
    for (size_t i = 0; i < r.verdicts; i++)
        assert_int_equal(r.verdict[i].ceiling, VERDICT_TICKET);
    rig_fini(&r);
    free(more);
    free(f);
}

static void one_host_for_ever(void **state)
{
    (void)state;
    size_t n = 1440;
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){
            .start_ms = (int64_t)i * MINUTE, .provider = 1, .outcome = MINUTE_OUTCOME_UNANSWERED};
    play_innocent(NULL, &somebody, f, n);
}

static void printer_with_turning_addresses(void **state)
{
    (void)state;
    // A name whose address changes every five minutes, in another network each time, for an hour.
    size_t n = 120;
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){.start_ms = (int64_t)i * 30000,
                                 .provider = (uint32_t)(i / 10) % 8 + 1,
                                 .outcome = MINUTE_OUTCOME_UNANSWERED};
    play_innocent(NULL, &somebody, f, n);
}

static void dead_smarthost(void **state)
{
    (void)state;
    size_t n = 300;
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){.start_ms = (int64_t)i * 10000,
                                 .provider = 1 + (uint32_t)i % 4,
                                 .port = 25,
                                 .role = MINUTE_SMARTHOST,
                                 .outcome = MINUTE_OUTCOME_UNANSWERED};
    play_innocent(NULL, &somebody, f, n);
}

// `per_second` SYNs to addresses anywhere, an eighth of them answered by a reset.
static struct rig_flow *scan(size_t n, int64_t per_second, bool raw)
{
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){.start_ms = (int64_t)i * 1000 / per_second,
                                 .provider = (uint32_t)i + 1,
                                 .raw = raw,
                                 .outcome = pick(i, 8) == 0 ? MINUTE_OUTCOME_REFUSED
                                                            : MINUTE_OUTCOME_UNANSWERED};
    return f;
}

static void scanner_of_addresses(void **state)
{
    (void)state;
    // Neighbours in order, as the collector counts them.
    play_innocent(NULL, &(struct rig_who){.host = 9, .line = true, .scan_syns = 500},
                  scan(600, 10, false), 600);
    // In no order, fast and not so fast.
    play_innocent(NULL, &somebody, scan(2000, 100, true), 2000);
    play_innocent(NULL, &somebody, scan(4800, 10, true), 4800);
    // A program that connects as programs do is none: the test can fail.
    struct rig r;
    struct rig_flow *f = scan(600, 4, false);
    rig_init(&r, NULL);
    rig_play(&r, &somebody, f, 600);
    assert_int_not_equal(r.verdicts, 0);
    rig_fini(&r);
    free(f);
}

static void spoofed(void **state)
{
    (void)state;
    size_t n = 60;
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){.start_ms = (int64_t)i * 1000,
                                 .provider = (uint32_t)i + 1,
                                 .digest_flags = MINUTE_DIGEST_SUSPECT_SPOOF,
                                 .outcome = MINUTE_OUTCOME_UNANSWERED};
    // Of the fan-out the set of providers still speaks; what convicts is missing.
    play_innocent(NULL, &somebody, f, n);
}

static void dead_queue(void **state)
{
    (void)state;
    // Seven peers that never answer, two tries a minute: the ticket only.
    size_t n = 240;
    struct rig r;
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){.start_ms = (int64_t)i * 30000,
                                 .provider = 1 + (uint32_t)i % 7,
                                 .outcome = MINUTE_OUTCOME_UNANSWERED};
    rig_init(&r, "site:\n  source_validated: true\n");
    rig_play(&r, &somebody, f, n);
    assert_int_not_equal(r.verdicts, 0);
    for (size_t i = 0; i < r.verdicts; i++) {
        assert_int_equal(r.verdict[i].ceiling, VERDICT_TICKET);
        assert_true(r.verdict[i].limitations & VERDICT_LOOKS_LIKE_DEAD_QUEUE);
    }
    assert_true(r.verdict[0].made_ms - RIG_EPOCH_MS <= 15 * MINUTE);
    rig_fini(&r);
    // Where one of the seven refuses no block answers for all: hosts are gone, the queue is real.
    for (size_t i = 1; i < n; i += 7)
        f[i].outcome = MINUTE_OUTCOME_REFUSED;
    rig_init(&r, NULL);
    rig_play(&r, &somebody, f, n);
    rig_assert_innocent(&r);
    rig_fini(&r);
    for (size_t i = 1; i < n; i += 7)
        f[i].outcome = MINUTE_OUTCOME_UNANSWERED;
    // Who is named as a mail server gets no ticket for it; nor does one who also reaches somebody.
    rig_init(&r, "site:\n  mail_servers: [10.0.0.0/24]\n");
    rig_play(&r, &somebody, f, n);
    rig_assert_innocent(&r);
    rig_fini(&r);
    for (size_t i = 3; i < n; i += 14) {
        f[i].provider = 20;
        f[i].outcome = MINUTE_OUTCOME_GREETED;
    }
    play_innocent(NULL, &somebody, f, n);
}

static void monitoring_probe(void **state)
{
    (void)state;
    size_t n = 1440;
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){.start_ms = (int64_t)i * 10000,
                                 .provider = 1 + (uint32_t)i % 6,
                                 .outcome = MINUTE_OUTCOME_CLOSED_EARLY};
    play_innocent(NULL, &somebody, f, n);
}

static void large_monitor_under_tls(void **state)
{
    (void)state;
    size_t n = 2880; // thirty servers, each every five minutes for eight hours
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){.start_ms = (int64_t)i * 10000,
                                 .provider = 1 + (uint32_t)i % 30,
                                 .outcome = MINUTE_OUTCOME_GREETED,
                                 .tls = true,
                                 .tls_short = true};
    play_innocent(NULL, &somebody, f, n);
}

static void sender_callouts(void **state)
{
    (void)state;
    size_t n = 300;
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++) {
        bool unknown = pick(i + 5, 100) < 45;
        f[i] = (struct rig_flow){.start_ms = (int64_t)i * 12000,
                                 .provider = 1 + pick(i, 200),
                                 .outcome = MINUTE_OUTCOME_GREETED,
                                 .mail = 1,
                                 .null_sender = 1,
                                 .rcpt_ok = !unknown,
                                 .rcpt_5xx = unknown,
                                 .no_data = unknown};
    }
    play_innocent(NULL, &somebody, f, n);
}

static void exempt_and_still_measured(void **state)
{
    (void)state;
    struct rig r;
    size_t n = 40;
    struct rig_flow *f = flows_new(n);
    for (size_t i = 0; i < n; i++)
        f[i] = (struct rig_flow){.start_ms = (int64_t)i * 3000,
                                 .provider = 1 + (uint32_t)i,
                                 .outcome = MINUTE_OUTCOME_UNANSWERED};
    static const char *const subjects[] = {"line:9", "10.0.0.0/24"};
    for (size_t s = 0; s < 2; s++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml,
                 "analysis:\n  exemptions:\n    - class: spambot-direct\n      subject: \"%s\"\n"
                 "      owner: desk\n      reason: a test network of the university\n"
                 "      expires: 2026-12-01T00:00:00Z\n",
                 subjects[s]);
        rig_init(&r, yaml);
        rig_play(&r, &somebody, f, n);
        const struct verdict *v = rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0);
        assert_non_null(v);
        assert_int_equal(v->ceiling, VERDICT_OBSERVE);
        assert_true(v->limitations & VERDICT_EXEMPT);
        rig_fini(&r);
    }
    rig_init(&r, "analysis:\n  exemptions:\n    - class: all\n      subject: line:9\n"
                 "      owner: desk\n      reason: over by now\n"
                 "      expires: 2026-11-22T06:00:00Z\n");
    rig_play(&r, &somebody, f, n);
    const struct verdict *v = rig_verdict(&r, VERDICT_SPAMBOT_DIRECT, VERDICT_OPENED, 0);
    assert_non_null(v);
    assert_int_equal(v->ceiling, VERDICT_TICKET);
    rig_fini(&r);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newsletter_by_an_unknown_server),
        cmocka_unit_test(stale_list),
        cmocka_unit_test(dead_domain_on_a_list),
        cmocka_unit_test(greylisting_everywhere),
        cmocka_unit_test(greetings_put_off),
        cmocka_unit_test(listed_by_policy),
        cmocka_unit_test(queue_flush),
        cmocka_unit_test(line_broken),
        cmocka_unit_test(server_cut_off),
        cmocka_unit_test(one_host_for_ever),
        cmocka_unit_test(printer_with_turning_addresses),
        cmocka_unit_test(dead_smarthost),
        cmocka_unit_test(scanner_of_addresses),
        cmocka_unit_test(spoofed),
        cmocka_unit_test(dead_queue),
        cmocka_unit_test(monitoring_probe),
        cmocka_unit_test(large_monitor_under_tls),
        cmocka_unit_test(sender_callouts),
        cmocka_unit_test(exempt_and_still_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
