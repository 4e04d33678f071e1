// Accounts by our own mail log: places, filters and what other servers say, on both sides of their limits, worked
// out by hand; and what a verdict rests on.
#include "play.h"

#include "common/distinct.h"
#include "common/identity.h"
#include "settings.h"

extern const struct detector_descriptor detector_mailbox;

#define ROWS 8 // one each five minutes, but where a case says otherwise

struct account {
    uint32_t networks, countries; // by turns, one a row
    uint32_t rcpt, messages;      // of each row
    uint32_t spam, virus, refused, put_off;
    uint32_t refused_here; // messages, by our own server
    uint32_t minutes;      // between rows; 0: five
    uint32_t flags;        // 0: from the log
    bool line;
};

static void fill(struct minute_row *row, struct minute_digest *d, const struct account *a,
                 uint32_t i)
{
    uint8_t octet[4] = {100, 64, (uint8_t)(i % (a->networks ? a->networks : 1)), 9};
    *d = (struct minute_digest){.flow_hash = i + 1,
                                .peer = ip_from_v4(octet),
                                .role = MINUTE_SMARTHOST,
                                .outcome = MINUTE_OUTCOME_ESTABLISHED,
                                .flags = MINUTE_DIGEST_FROM_LOG | MINUTE_DIGEST_AUTH};
    row->minute = RIG_EPOCH_MS / MINUTE + i * (a->minutes ? a->minutes : 5);
    row->cut_ms = (row->minute + 1) * MINUTE;
    row->flags = (a->flags ? a->flags : (uint32_t)MINUTE_FROM_LOG) | MINUTE_CLOSING;
    row->confidence = IDENTITY_CERTAIN;
    row->observed_s = 60;
    row->digest = d;
    row->digest_count = 1;
    if (a->countries > 0)
        distinct_add(&row->set[MINUTE_SET_client_countries], 0, hash_mix(7 + i % a->countries),
                     NULL);
    uint64_t *c = row->counter[MINUTE_SMARTHOST][MINUTE_OUT];
    c[MINUTE_rcpt_ok] = a->rcpt;
    c[MINUTE_messages_ok] = a->messages ? a->messages : 2;
    c[MINUTE_filter_spam] = a->spam;
    c[MINUTE_filter_virus] = a->virus;
    c[MINUTE_destination_5xx] = a->refused;
    c[MINUTE_deferred] = a->put_off;
    c[MINUTE_messages_5xx] = a->refused_here;
    if (a->flags & MINUTE_FROM_PACKETS) {
        c[MINUTE_connections] = c[MINUTE_established] = 1;
        c[MINUTE_packets_up] = 20;
    }
}

static struct verdict *play_account(const char *yaml, const struct account *a, int class_)
{
    struct rig r;
    struct verdict *found = NULL;
    rig_init(&r, yaml);
    for (uint32_t i = 0; i < ROWS; i++) {
        struct minute_digest d;
        struct minute_row *row = calloc(1, sizeof *row);
        fill(row, &d, a, i);
        row->key = (struct subscriber_key){
            .kind = SUBSCRIBER_MAILBOX, .mailbox_key_id = 1, .mailbox = 77, .port_last = 65535};
        row->party = (struct party){.kind = PARTY_MAILBOX, .id = "1:4d"};
        if (a->line) {
            struct ip_prefix p;
            assert_int_equal(prefix_parse("10.0.0.9", &p), 0);
            row->key = subscriber_key_of(&(struct realm){0}, &p);
            row->party = (struct party){.kind = PARTY_LINE, .id = "9"};
        }
        static const struct journal_cursor at = {20261122, 1, 0, 0};
        assert_int_equal(engine_row(r.engine, row, &at, &at), 0);
        distinct_clear(&row->set[MINUTE_SET_client_countries], NULL);
        free(row);
    }
    const struct verdict *v = rig_verdict(&r, class_, VERDICT_OPENED, 0);
    if (v) {
        found = malloc(sizeof *found);
        *found = *v;
    }
    rig_fini(&r);
    return found;
}

static void places(void **state)
{
    (void)state;
    static const struct {
        struct account account;
        bool found;
        const char *says;
    } cases[] = {
        // Networks: 8 rows of 7 recipients are 56, of 6 are 48.
        {{.networks = 3, .rcpt = 40}, false, ""},
        {{.networks = 4, .rcpt = 40}, true, "from 4 networks"},
        {{.networks = 8, .rcpt = 6}, false, ""},
        {{.networks = 8, .rcpt = 7}, true, "from 8 networks"},
        // Four networks, never two of them in an hour.
        {{.networks = 4, .rcpt = 60, .minutes = 61}, false, ""},
        // Three of them in any hour of 21 minutes a row.
        {{.networks = 4, .rcpt = 60, .minutes = 21}, false, ""},
        {{.networks = 4, .rcpt = 60, .minutes = 19}, true, "from 4 networks"},
        // Countries: one a minute, never two at once, still three in the hour.
        {{.networks = 1, .countries = 2, .rcpt = 40}, false, ""},
        {{.networks = 1, .countries = 3, .rcpt = 40}, true, "from 3 countries"},
        {{.networks = 1, .countries = 3, .rcpt = 6}, false, ""},
        {{.networks = 1, .countries = 3, .rcpt = 60, .minutes = 31}, false, ""},
        {{.networks = 1, .countries = 8, .rcpt = 40}, true, "countries"},
        // Of a line both say nothing: who lives there may be many.
        {{.networks = 8, .countries = 8, .rcpt = 40, .line = true}, false, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict *v = play_account(NULL, &cases[i].account, VERDICT_COMPROMISED_ACCOUNT);
        if ((v != NULL) != cases[i].found)
            fail_msg("case %zu: %s", i, v ? v->evidence[0].sentence : "nothing found");
        if (v) {
            const struct verdict_evidence *e = rig_evidence(v, "mailbox");
            assert_true(e->conclusive);
            assert_non_null(strstr(e->sentence, cases[i].says));
            assert_int_equal(v->sources, VERDICT_FROM_LOG);
            assert_int_equal(v->first_ms, RIG_EPOCH_MS);
            assert_int_equal(v->ceiling, VERDICT_RESTRICT);
        }
        free(v);
    }
}

// Since when: logins as they come, a minute and a network each; the last one tips it.
static void since_when(void **state)
{
    (void)state;
    static const struct {
        struct {
            uint16_t minute;
            uint8_t network;
        } login[16];
        unsigned since; // minute
    } cases[] = {
        // Each place again and again: not the earliest of the latest uses.
        {{{100, 1}, {105, 2}, {110, 3}, {115, 1}, {120, 2}, {125, 3}, {130, 4}}, 100},
        // The owner at home since the morning.
        {{{1, 9}, {40, 9}, {80, 9}, {120, 9}, {130, 1}, {131, 2}, {132, 9}, {133, 3}}, 130},
        // A slow thief, whose first place is older than the hour, and is still used.
        {{{1, 9}, {50, 9}, {100, 1}, {105, 9}, {140, 1}, {145, 2}, {150, 9}, {180, 1}, {190, 3}},
         100},
        // Used once, and again behind a pause of more than an hour: that is when it came.
        {{{1, 1}, {100, 1}, {101, 2}, {102, 3}, {103, 4}}, 100},
        // At home a minute before: nobody can tell him from the thief.
        {{{99, 9}, {100, 1}, {101, 2}, {102, 3}}, 99},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r;
        rig_init(&r, NULL);
        for (size_t k = 0; k < 16 && cases[i].login[k].network; k++) {
            struct minute_digest d;
            struct minute_row *row = calloc(1, sizeof *row);
            struct account a = {.rcpt = 20, .networks = 200};
            static const struct journal_cursor at = {20261122, 1, 0, 0};
            fill(row, &d, &a, cases[i].login[k].network);
            row->minute = RIG_EPOCH_MS / MINUTE + cases[i].login[k].minute;
            row->cut_ms = (row->minute + 1) * MINUTE;
            row->key = subscriber_key_mailbox(&(struct realm){0}, 1, 77);
            row->party = (struct party){.kind = PARTY_MAILBOX, .id = "1:4d"};
            assert_int_equal(engine_row(r.engine, row, &at, &at), 0);
            free(row);
        }
        const struct verdict *v = rig_verdict(&r, VERDICT_COMPROMISED_ACCOUNT, VERDICT_OPENED, 0);
        assert_non_null(v);
        if (v->first_ms != RIG_EPOCH_MS + cases[i].since * MINUTE)
            fail_msg("case %zu: minute %lld", i,
                     (long long)((v->first_ms - RIG_EPOCH_MS) / MINUTE));
        rig_fini(&r);
    }
}

static void filters(void **state)
{
    (void)state;
    // A burst of recipients and as many stopped messages: two families. Ten stopped are not enough.
    for (uint32_t spam = 1; spam <= 8; spam += 7) {
        for (int line = 0; line <= 1; line++) {
            struct account a = {.networks = 1, .rcpt = 150, .spam = spam, .line = line};
            struct verdict *v = play_account(
                NULL, &a, line ? VERDICT_SPAMBOT_SMARTHOST : VERDICT_COMPROMISED_ACCOUNT);
            assert_int_equal(v != NULL, spam > 1);
            if (v)
                assert_non_null(rig_evidence(v, "recipient-burst"));
            free(v);
        }
    }
    // Filters alone never convict.
    struct account alone = {.networks = 1, .rcpt = 1, .spam = 200};
    assert_null(play_account(NULL, &alone, VERDICT_COMPROMISED_ACCOUNT));
}

// Spam that our own server refuses: a mailbox is stolen, a line has a bot behind it, and neither is called the other.
static void refused_by_our_own(void **state)
{
    (void)state;
    for (int line = 0; line <= 1; line++) {
        for (uint32_t bad = 1; bad <= 6;
             bad += 5) { // beside 3 accepted: the walk climbs above 42 %
            struct account a = {
                .networks = 1, .rcpt = 3, .spam = bad, .refused_here = bad, .line = line};
            int right = line ? VERDICT_SPAMBOT_SMARTHOST : VERDICT_COMPROMISED_ACCOUNT;
            int wrong = line ? VERDICT_COMPROMISED_ACCOUNT : VERDICT_SPAMBOT_SMARTHOST;
            struct verdict *v = play_account(NULL, &a, right);
            assert_int_equal(v != NULL, bad > 1);
            if (v) {
                assert_non_null(rig_evidence(v, "rejections"));
                assert_non_null(rig_evidence(v, "mailbox"));
            }
            free(v);
            assert_null(play_account(NULL, &a, wrong));
        }
    }
}

// What is measured, by hand: stopped + refused, and of what was put off a quarter, at most as much again.
static void what_others_say(void **state)
{
    (void)state;
    static const struct {
        struct account account;
        double measured; // of all rows; 0: nothing is said
    } cases[] = {
        {{.rcpt = 1, .spam = 1}, 0}, // 8: the limit is 10
        {{.rcpt = 1, .spam = 1, .virus = 1}, 16},
        {{.rcpt = 1, .refused = 2}, 16},
        {{.rcpt = 1, .spam = 1, .refused = 1}, 16},
        {{.rcpt = 1, .put_off = 100}, 0},              // greylisting everywhere, nobody refuses
        {{.rcpt = 1, .refused = 1, .put_off = 1}, 0},  // 8 + 2: the limit, not above
        {{.rcpt = 1, .refused = 1, .put_off = 2}, 12}, // 8 + 4
        {{.rcpt = 1, .refused = 1, .put_off = 100}, 16},
        // A fifth of all messages: 16 of 80 are, of 88 are not.
        {{.rcpt = 1, .messages = 10, .refused = 2}, 16},
        {{.rcpt = 1, .messages = 11, .refused = 2}, 0},
        // Recipients are no messages: of 10 each, 16 refused are a fifth of 80, but not of the 160 of 20 each.
        {{.rcpt = 10, .messages = 1, .refused = 2}, 16},
        {{.rcpt = 20, .messages = 1, .refused = 2}, 0},
        {{.rcpt = 20, .messages = 1, .refused = 4}, 32},
        // What filters stopped stays a share of messages, and both add up.
        {{.rcpt = 20, .messages = 1, .spam = 1, .refused = 1}, 16},
        {{.rcpt = 100, .messages = 5, .spam = 1, .refused = 4}, 0},
        {{.rcpt = 100, .messages = 5, .spam = 1, .refused = 5}, 48},
        // One row an hour: no hour has more than ten.
        {{.rcpt = 1, .spam = 10, .minutes = 66}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int line = 0; line <= 1; line++) {
            struct rig r;
            struct account a = cases[i].account;
            const struct detector_finding *best = NULL;
            struct detector_finding out[DETECTOR_FINDINGS_MAX];
            struct window *w = calloc(1, sizeof *w);
            rig_init(&r, NULL);
            size_t at = 0;
            while (detectors[at] != &detector_mailbox)
                at++;
            void *own = calloc(1, detector_mailbox.state_size);
            struct detector_ctx ctx = {.conf = settings_detector(r.settings, at), .factor = 1};
            for (uint32_t k = 0; k < ROWS; k++) {
                struct minute_digest d;
                struct window_contacts none;
                struct window_options options = {.memory_ms = HOUR};
                struct minute_row *row = calloc(1, sizeof *row);
                fill(row, &d, &a, k);
                row->key.kind = line ? SUBSCRIBER_ADDRESS : SUBSCRIBER_MAILBOX;
                window_add(w, row, &options, &none);
                detector_mailbox.observe(own, w, row, &none, &ctx);
                ctx.now_ms = row->cut_ms;
                free(row);
            }
            if (detector_mailbox.evaluate(w, own, &ctx, out) > 0)
                best = &out[0];
            if (!best != (cases[i].measured == 0))
                fail_msg("case %zu: %s", i, best ? best->evidence.sentence : "nothing is said");
            if (best) {
                assert_true(best->evidence.measured == cases[i].measured);
                assert_int_equal(best->evidence.family, VERDICT_FAMILY_FILTER);
                assert_int_equal(best->defines, DETECTOR_CLASS(line ? VERDICT_SPAMBOT_SMARTHOST
                                                                    : VERDICT_COMPROMISED_ACCOUNT));
            }
            free(own);
            free(w);
            rig_fini(&r);
        }
}

// Packets alone, the log alone, both: the verdict says it, and so does its sentence.
static void what_it_rests_on(void **state)
{
    (void)state;
    static const struct {
        uint32_t flags, sources;
        const char *says;
    } cases[] = {
        {MINUTE_FROM_PACKETS, VERDICT_FROM_PACKETS, "Z: "},
        {MINUTE_FROM_LOG, VERDICT_FROM_LOG, "Z, by the mail log: "},
        {MINUTE_FROM_PACKETS | MINUTE_FROM_LOG, VERDICT_FROM_PACKETS | VERDICT_FROM_LOG,
         "Z, by packets and the mail log: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct account a = {
            .networks = 1, .rcpt = 150, .spam = 8, .flags = cases[i].flags, .line = true};
        struct verdict *v = play_account(NULL, &a, VERDICT_SPAMBOT_SMARTHOST);
        char text[VERDICT_SENTENCE_MAX];
        assert_non_null(v);
        assert_int_equal(v->sources, cases[i].sources);
        verdict_sentence(v, text);
        assert_non_null(strstr(text, cases[i].says));
        free(v);
    }
}

// A mailbox has a past like a line's (a level is kept in sixteenths of an octave, 50 is 50.5): four weeks of fifty recipients an hour, and then an hour with more than four
// times as many beside what the filters stopped. Of a mailbox there are no connections, recipients alone count.
static void surge_by_mailbox(void **state)
{
    (void)state;
    static const struct {
        uint32_t rcpt;
        double log_odds; // of surge; 0: it says nothing
    } cases[] = {{202, 0}, {203, 0.75}, {405, 1.5}, {60, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r;
        rig_init(&r, play_at_once);
        for (uint32_t hour = 0; hour <= 4 * 168; hour++) {
            bool last = hour == 4 * 168;
            struct account a = {.networks = 1,
                                .rcpt = last ? cases[i].rcpt : 50,
                                .spam = last ? 40 : 0,
                                .minutes = 60};
            struct minute_digest d;
            struct minute_row *row = calloc(1, sizeof *row);
            fill(row, &d, &a, hour);
            row->key = subscriber_key_mailbox(&(struct realm){0}, 1, 77);
            row->party = (struct party){.kind = PARTY_MAILBOX, .id = "1:4d"};
            static const struct journal_cursor at = {20261122, 1, 0, 0};
            assert_int_equal(engine_row(r.engine, row, &at, &at), 0);
            free(row);
        }
        const struct verdict *v = rig_verdict(&r, VERDICT_COMPROMISED_ACCOUNT, VERDICT_OPENED, 0);
        assert_non_null(v);
        const struct verdict_evidence *e = rig_evidence(v, "surge");
        if (!e != (cases[i].log_odds == 0))
            fail_msg("%u recipients: %s", cases[i].rcpt, e ? e->sentence : "nothing is said");
        if (e) {
            assert_float_equal(e->log_odds, cases[i].log_odds, 0.01);
            assert_true(e->measured == cases[i].rcpt);
        }
        rig_fini(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places),
        cmocka_unit_test(filters),
        cmocka_unit_test(what_others_say),
        cmocka_unit_test(what_it_rests_on),
        cmocka_unit_test(surge_by_mailbox),
        cmocka_unit_test(since_when),
        cmocka_unit_test(refused_by_our_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
