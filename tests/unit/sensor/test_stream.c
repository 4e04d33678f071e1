// Reassembly: any order, any cut, any overlap gives the octets that were sent, once; what is missing is a
// gap of the right size; a reply never comes before the command it acknowledges.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

#define GAP_US 500000

// What was delivered, as text: "A:abc B:xyz A:gap(3)".
struct log {
    char text[8192];
    uint64_t octets[2], missing[2];
};

static void note_data(void *ctx, unsigned dir, struct span data, int64_t t_us)
{
    struct log *l = ctx;
    (void)t_us;
    size_t used = strlen(l->text);
    const char *colon = strrchr(l->text, ':');
    l->octets[dir] += data.len;
    if (used + data.len + 8 >= sizeof l->text)
        return;
    if (!colon || colon[-1] != "AB"[dir] || l->text[used - 1] == ')') {
        if (used > 0)
            l->text[used++] = ' ';
        l->text[used++] = "AB"[dir];
        l->text[used++] = ':';
    }
    memcpy(l->text + used, data.data, data.len);
    l->text[used + data.len] = '\0';
}

static void note_gap(void *ctx, unsigned dir, uint32_t missing, int64_t t_us)
{
    struct log *l = ctx;
    (void)t_us;
    size_t used = strlen(l->text);
    l->missing[dir] += missing;
    if (used + 24 < sizeof l->text)
        snprintf(l->text + used, sizeof l->text - used, "%s%c:gap(%u)", used ? " " : "", "AB"[dir],
                 missing);
}

static struct stream_pool *pool_of(size_t memory, uint32_t flow_memory)
{
    struct stream_limits limits = {.memory = memory, .flow_memory = flow_memory, .gap_us = GAP_US};
    return stream_pool_new(&limits);
}

// Side A begins at 1000, B at 5000.
struct step {
    char side;          // 0 ends; 'T': time passes, `at` milliseconds; 'C': close
    int at;             // offset in the side's octets
    const char *octets; // NULL: a bare acknowledgement
    int ack;            // offset in the other side's octets; -1: none
    int cut;            // octets cut off by the snap length
    bool fin;
};

static const struct {
    const char *name;
    struct step step[14];
    const char *want;
} cases[] = {
    {"in order",
     {{'A', 0, "abc", 0, 0, false}, {'B', 0, "xyz", 3, 0, false}, {'A', 3, "def", 3, 0, false}},
     "A:abc B:xyz A:def"},
    {"out of order", {{'A', 3, "def", 0, 0, false}, {'A', 0, "abc", 0, 0, false}}, "A:abcdef"},
    {"retransmission",
     {{'A', 0, "abc", 0, 0, false}, {'A', 0, "abc", 0, 0, false}, {'A', 3, "d", 0, 0, false}},
     "A:abcd"},
    {"overlap behind", {{'A', 0, "abc", 0, 0, false}, {'A', 1, "XXd", 0, 0, false}}, "A:abcd"},
    {"overlap of held octets, the first stay",
     {{'A', 4, "EF", 0, 0, false}, {'A', 2, "cdxyg", 0, 0, false}, {'A', 0, "ab", 0, 0, false}},
     "A:abcdEFg"},
    {"holes filled by a larger segment, the first stay",
     {{'A', 2, "c", 0, 0, false}, {'A', 4, "e", 0, 0, false}, {'A', 0, "abXdYf", 0, 0, false}},
     "A:abcdef"},
    {"the reply waits for the command it acknowledges",
     {{'B', 0, "250", 4, 0, false}, {'A', 0, "MAIL", 0, 0, false}},
     "A:MAIL B:250"},
    {"both wait for each other: the initiator first",
     {{'B', 0, "250", 4, 0, false}, {'A', 0, "MAIL", 3, 0, false}},
     "A:MAIL B:250"},
    {"three turns captured backwards",
     {{'A', 4, "RCPT", 3, 0, false}, {'B', 0, "250", 4, 0, false}, {'A', 0, "MAIL", 0, 0, false}},
     "A:MAIL B:250 A:RCPT"},
    {"not acknowledged: the sender will send again",
     {{'A', 0, "ab", 0, 0, false},
      {'A', 4, "ef", 0, 0, false},
      {'T', 60000, NULL, 0, 0, false},
      {'A', 2, "cd", 0, 0, false}},
     "A:abcdef"},
    {"acknowledged and never seen: a gap after a while",
     {{'A', 0, "ab", 0, 0, false},
      {'A', 4, "ef", 0, 0, false},
      {'B', 0, NULL, 6, 0, false},
      {'T', 4000, NULL, 0, 0, false},
      {'B', 0, "x", 6, 0, false},
      {'T', 2000, NULL, 0, 0, false}},
     "A:ab A:gap(2) A:ef B:x"},
    {"late, but not too late",
     {{'A', 0, "ab", 0, 0, false},
      {'A', 4, "ef", 0, 0, false},
      {'B', 0, "x", 6, 0, false},
      {'T', 400, NULL, 0, 0, false},
      {'A', 2, "cd", 0, 0, false}},
     "A:abcdef B:x"},
    {"what waits for a lost reply and was answered itself stays behind the gap",
     {{'A', 0, "ab", 0, 0, false},
      {'A', 2, "cd", 3, 0, false},
      {'B', 3, "123", 4, 0, false},
      {'A', 4, "ef", 6, 0, false},
      {'B', 6, "456", 6, 0, false},
      {'C', 0, NULL, 0, 0, false}},
     "A:ab B:gap(3) A:cd B:123 A:ef B:456"},
    {"the lost reply is a gap in its place",
     {{'A', 0, "ab", 0, 0, false}, {'A', 2, "cd", 3, 0, false}, {'T', 6000, NULL, 0, 0, false}},
     "A:ab B:gap(3) A:cd"},
    {"commands that waited for a lost reply come behind its gap",
     {{'A', 0, "ab", 0, 0, false},
      {'A', 2, "cd", 3, 0, false},
      {'A', 4, "ef", 3, 0, false},
      {'B', 3, NULL, 6, 0, false},
      {'T', 6000, NULL, 0, 0, false}},
     "A:ab B:gap(3) A:cdef"},
    {"held octets at the close",
     {{'A', 0, "ab", 0, 0, false}, {'A', 4, "ef", 0, 0, false}, {'C', 0, NULL, 0, 0, false}},
     "A:ab A:gap(2) A:ef"},
    {"acknowledged octets at the close",
     {{'A', 0, "ab", 0, 0, false}, {'B', 0, NULL, 5, 0, false}, {'C', 0, NULL, 0, 0, false}},
     "A:ab A:gap(3)"},
    {"the snap length cuts",
     {{'A', 0, "ab", 0, 3, false}, {'A', 5, "f", 0, 0, false}},
     "A:ab A:gap(3) A:f"},
    {"cut and held",
     {{'A', 5, "f", 0, 0, false}, {'A', 2, "c", 0, 2, false}, {'A', 0, "ab", 0, 0, false}},
     "A:abc A:gap(2) A:f"},
    {"FIN with octets, before the rest",
     {{'A', 2, "cd", 0, 0, true}, {'A', 0, "ab", 0, 0, false}, {'B', 0, "x", 5, 0, false}},
     "A:abcd B:x"},
    {"nothing comes behind a FIN",
     {{'A', 0, "ab", 0, 0, true}, {'A', 2, "zz", 0, 0, false}, {'B', 0, "x", 3, 0, false}},
     "A:ab B:x"},
    {"a keep-alive is nothing",
     {{'A', 0, "ab", 0, 0, false}, {'A', 1, "?", 0, 0, false}, {'A', 2, "c", 0, 0, false}},
     "A:abc"},
    {"a zero-window probe is sent again with more",
     {{'A', 0, "ab", 0, 0, false}, {'A', 2, "c", 0, 0, false}, {'A', 2, "cde", 0, 0, false}},
     "A:abcde"},
};

static void play(struct stream *s, struct stream_pool *pool, const struct step *steps,
                 uint32_t base_a, uint32_t base_b, struct log *l)
{
    const struct stream_sink sink = {.data = note_data, .gap = note_gap, .ctx = l};
    int64_t now = 1000000;
    stream_begin(s, 0, base_a, true);
    stream_begin(s, 1, base_b, true);
    for (const struct step *x = steps; x->side; x++) {
        if (x->side == 'T') {
            now += x->at * 1000;
            if (s->gap_deadline_us != 0 && s->gap_deadline_us <= now)
                stream_timeout(s, pool, now, &sink);
            continue;
        }
        if (x->side == 'C') {
            stream_flush(s, pool, now, &sink);
            continue;
        }
        unsigned dir = x->side == 'B';
        uint32_t len = x->octets ? (uint32_t)strlen(x->octets) : 0;
        struct stream_segment seg = {.dir = dir,
                                     .seq = (dir ? base_b : base_a) + (uint32_t)x->at,
                                     .ack = (dir ? base_a : base_b) + (uint32_t)x->ack,
                                     .has_ack = x->ack >= 0,
                                     .fin = x->fin,
                                     .window = 65535,
                                     .data = span_of(x->octets, len),
                                     .wire = len + (uint32_t)x->cut};
        stream_feed(s, pool, &seg, now += 100, &sink);
    }
}

static void test_cases(void **state)
{
    (void)state;
    // The last base makes the sequence numbers wrap in the middle.
    static const uint32_t bases[] = {1000, 0xfffffffd};
    struct stream_pool *pool = pool_of(1 << 20, 1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t b = 0; b < 2; b++) {
            struct stream s = {0};
            struct log l = {0};
            play(&s, pool, cases[i].step, bases[b], bases[b] + 7, &l);
            if (strcmp(l.text, cases[i].want) != 0)
                fail_msg("%s: \"%s\" instead of \"%s\"", cases[i].name, l.text, cases[i].want);
            stream_drop(&s, pool);
            assert_int_equal(stream_pool_in_use(pool), 0);
        }
    }
    stream_pool_free(pool);
}

static void test_finished(void **state)
{
    (void)state;
    struct stream_pool *pool = pool_of(1 << 20, 1 << 16);
    struct stream s = {0};
    struct log l = {0};
    const struct step steps[] = {
        {'A', 0, "ab", 0, 0, true}, {'B', 0, "x", 3, 0, true}, {.side = 0}};
    play(&s, pool, steps, 1, 1, &l);
    assert_true(stream_finished(&s, 0));
    assert_true(stream_finished(&s, 1));
    assert_int_equal(s.gap_deadline_us, 0);
    stream_pool_free(pool);
}

static void test_verdicts(void **state)
{
    (void)state;
    struct stream_pool *pool = pool_of(1 << 20, 1 << 16);
    struct stream s = {0};
    struct log l = {0};
    const struct stream_sink sink = {.data = note_data, .gap = note_gap, .ctx = &l};
    struct stream_segment seg = {.seq = 100, .data = span_of_text("abcdef"), .wire = 6};
    stream_begin(&s, 0, 100, true);
    stream_begin(&s, 1, 900, true);
    assert_int_equal(stream_feed(&s, pool, &seg, 1, &sink).verdict, STREAM_NEW);
    assert_int_equal(stream_feed(&s, pool, &seg, 2, &sink).verdict, STREAM_OLD);
    seg.seq = 110;
    assert_int_equal(stream_feed(&s, pool, &seg, 3, &sink).verdict, STREAM_NEW);
    assert_int_equal(stream_feed(&s, pool, &seg, 4, &sink).verdict, STREAM_OLD);
    seg.data = span_of_text("abXdef");
    struct stream_outcome out = stream_feed(&s, pool, &seg, 5, &sink);
    assert_int_equal(out.verdict, STREAM_OLD);
    assert_true(out.conflict);
    seg = (struct stream_segment){.dir = 1, .seq = 900, .ack = 106, .has_ack = true, .window = 10};
    assert_int_equal(stream_feed(&s, pool, &seg, 6, &sink).verdict, STREAM_NOTHING);
    // Far beyond the window that was just offered.
    seg = (struct stream_segment){.seq = 106 + 10 + 70000, .data = span_of_text("zz"), .wire = 2};
    assert_int_equal(stream_feed(&s, pool, &seg, 7, &sink).verdict, STREAM_OUTSIDE);
    stream_drop(&s, pool);
    stream_pool_free(pool);
}

// Joined in the middle: what was sent first is delivered first, though it was seen last.
static void test_float(void **state)
{
    (void)state;
    struct stream_pool *pool = pool_of(1 << 20, 1 << 16);
    struct stream s = {0};
    struct log l = {0};
    const struct stream_sink sink = {.data = note_data, .gap = note_gap, .ctx = &l};
    struct stream_segment seg = {
        .seq = 104, .ack = 900, .has_ack = true, .data = span_of_text("ef"), .wire = 2};
    stream_feed(&s, pool, &seg, 1, &sink);
    assert_true(stream_floats(&s));
    seg.seq = 100;
    seg.data = span_of_text("abcd");
    seg.wire = 4;
    stream_feed(&s, pool, &seg, 2, &sink);
    assert_string_equal(l.text, "");
    assert_true(s.gap_deadline_us > 0);
    stream_timeout(&s, pool, s.gap_deadline_us, &sink);
    assert_string_equal(l.text, "A:abcdef");
    assert_false(stream_floats(&s));
    stream_drop(&s, pool);

    // A SYN shown late settles it: what lies before it was never sent.
    s = (struct stream){0};
    l = (struct log){0};
    stream_feed(&s, pool, &seg, 1, &sink);
    stream_begin(&s, 0, 101, true);
    stream_begin(&s, 1, 900, true);
    seg = (struct stream_segment){.dir = 1, .seq = 900, .ack = 104, .has_ack = true};
    stream_feed(&s, pool, &seg, 2, &sink);
    assert_string_equal(l.text, "A:bcd");
    stream_drop(&s, pool);
    stream_pool_free(pool);
}

// The mirror shows one side: after one wait in vain the other's gaps come at once.
static void test_one_direction(void **state)
{
    (void)state;
    struct stream_pool *pool = pool_of(1 << 20, 1 << 16);
    struct stream s = {0};
    struct log l = {0};
    const struct stream_sink sink = {.data = note_data, .gap = note_gap, .ctx = &l};
    stream_begin(&s, 0, 100, true);
    stream_begin(&s, 1, 900, false);
    struct stream_segment seg = {
        .seq = 100, .ack = 905, .has_ack = true, .data = span_of_text("a"), .wire = 1};
    stream_feed(&s, pool, &seg, 1, &sink);
    assert_string_equal(l.text, "");
    stream_timeout(&s, pool, s.gap_deadline_us, &sink);
    assert_string_equal(l.text, "B:gap(5) A:a");
    seg.seq = 101;
    seg.ack = 907;
    stream_feed(&s, pool, &seg, 9000000, &sink);
    assert_string_equal(l.text, "B:gap(5) A:a B:gap(2) A:a");
    stream_pool_free(pool);
}

static uint64_t seed = 7;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed % below);
}

// Random cuts, order, overlaps and repeats of one side's octets: all of them, once, in order.
static void test_random(void **state)
{
    (void)state;
    enum { LENGTH = 3000 };
    static char octets[LENGTH + 1];
    struct stream_pool *pool = pool_of(1 << 20, 1 << 20);
    for (size_t i = 0; i < LENGTH; i++)
        octets[i] = (char)('a' + i % 26);
    for (int round = 0; round < 200; round++) {
        struct stream s = {0};
        struct log l = {0};
        const struct stream_sink sink = {.data = note_data, .gap = note_gap, .ctx = &l};
        uint32_t base = round % 2 ? 4294966000u : 1;
        bool done[LENGTH] = {false};
        uint32_t left = LENGTH, largest = 1 + draw(1400);
        stream_begin(&s, 0, base, true);
        stream_begin(&s, 1, 1, true);
        while (left > 0) {
            uint32_t at = draw(LENGTH), n = 1 + draw(largest);
            if (draw(3) == 0) // the first that is still to come
                for (at = 0; done[at]; at++) {}
            if (n > LENGTH - at)
                n = LENGTH - at;
            for (uint32_t i = at; i < at + n; i++) {
                left -= !done[i];
                done[i] = true;
            }
            struct stream_segment seg = {.seq = base + at,
                                         .ack = 1,
                                         .has_ack = draw(2),
                                         .data = span_of(octets + at, n),
                                         .wire = n};
            struct stream_outcome out = stream_feed(&s, pool, &seg, 1, &sink);
            assert_false(out.conflict);
            assert_false(out.no_memory);
        }
        assert_int_equal(l.octets[0], LENGTH);
        assert_memory_equal(l.text + 2, octets, LENGTH);
        assert_int_equal(stream_pool_in_use(pool), 0);
    }
    stream_pool_free(pool);
}

// Holes that are never filled, from many connections and in one: bounded, and what goes on is delivered.
static void test_bounds(void **state)
{
    (void)state;
    enum { FLOWS = 50 };
    struct stream_pool *pool = pool_of(64 * 1024, 8192);
    static struct stream s[FLOWS];
    struct log l = {0};
    const struct stream_sink sink = {.data = note_data, .gap = note_gap, .ctx = &l};
    static uint8_t filler[1000];
    memset(s, 0, sizeof s);
    memset(filler, 'f', sizeof filler);
    bool refused = false;
    for (uint32_t round = 0; round < 100; round++) {
        for (size_t i = 0; i < FLOWS; i++) {
            if (round == 0) {
                stream_begin(&s[i], 0, 0, true);
                stream_begin(&s[i], 1, 0, true);
            }
            struct stream_segment seg = {
                .seq = 10 + round * 2000, .data = span_of(filler, 1000), .wire = 1000};
            refused |= stream_feed(&s[i], pool, &seg, 1, &sink).no_memory;
            assert_true((size_t)s[i].blocks * STREAM_BLOCK <= 8192);
            assert_true(stream_pool_in_use(pool) <= stream_pool_size(pool));
        }
    }
    assert_true(refused);
    for (size_t i = 0; i < FLOWS; i++) {
        stream_flush(&s[i], pool, 2, &sink);
        stream_drop(&s[i], pool);
    }
    assert_int_equal(stream_pool_in_use(pool), 0);
    // Octets and gaps together are what was sent, up to the last octet that was kept.
    assert_true(l.octets[0] + l.missing[0] <= (uint64_t)FLOWS * (10 + 99 * 2000 + 1000));
    assert_true(l.octets[0] > 0);
    stream_pool_free(pool);
}

// A lost reply holds up so much that the bound is reached: its gap comes first even so, and nothing
// counts as passed over for want of memory.
static void test_bound_of_a_wait(void **state)
{
    (void)state;
    struct stream_pool *pool = pool_of(1 << 20, 8192);
    struct stream s = {0};
    struct log l = {0};
    const struct stream_sink sink = {.data = note_data, .gap = note_gap, .ctx = &l};
    static uint8_t filler[1000];
    memset(filler, 'f', sizeof filler);
    stream_begin(&s, 0, 0, true);
    stream_begin(&s, 1, 0, true);
    for (uint32_t i = 0; i < 20; i++) {
        struct stream_segment seg = {.seq = i * 1000,
                                     .ack = 5,
                                     .has_ack = true,
                                     .data = span_of(filler, 1000),
                                     .wire = 1000};
        assert_false(stream_feed(&s, pool, &seg, 1 + i, &sink).no_memory);
    }
    assert_int_equal(strncmp(l.text, "B:gap(5) A:f", 12), 0);
    assert_int_equal(l.octets[0], 20000);
    assert_int_equal(l.missing[0], 0);
    stream_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),         cmocka_unit_test(test_finished),
        cmocka_unit_test(test_verdicts),      cmocka_unit_test(test_float),
        cmocka_unit_test(test_one_direction), cmocka_unit_test(test_random),
        cmocka_unit_test(test_bounds),        cmocka_unit_test(test_bound_of_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
