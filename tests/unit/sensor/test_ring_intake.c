// Frames of several interfaces in order of time: rings are played from lists, and the packet path writes down
// what it is given.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "intake.h"

#define LAG_US 500000

struct ring {
    const int64_t *t; // times of its frames, in order; 0 ends them
    enum ring_link link;
    struct ring_losses losses;
    size_t sifted; // so many come first, and the filter takes them out
    bool endless, closed;
    unsigned fetched;
    uint8_t lent[INTAKE_BATCH]; // octets of frames that are borrowed until it is read again
    size_t lent_n;
};

static struct played {
    int64_t t[32];
    int linktype[32];
    size_t n, all, batches;
} got;

// Times were written over where a ring was read again too early.
void sensor_frames(struct sensor *s, const struct source_frame *frame, size_t count)
{
    (void)s;
    assert_in_range(count, 1, INTAKE_BATCH);
    got.batches++;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(*frame[i].data.data, (uint8_t)frame[i].linktype);
        if (got.n < 32) {
            got.t[got.n] = frame[i].t_us;
            got.linktype[got.n++] = frame[i].linktype;
        }
        got.all++;
    }
}

// What was lent is no longer what it was.
size_t ring_read(struct ring *r, struct source_frame *out, size_t max, size_t *count)
{
    for (size_t i = 0; i < r->lent_n; i++)
        r->lent[i] = 255;
    r->lent_n = *count = 0;
    if (r->sifted > 0) {
        size_t n = r->sifted < max ? r->sifted : max;
        r->sifted -= n;
        return n;
    }
    for (; *count < max && *r->t != 0; ++*count) {
        r->lent[*count] = (uint8_t)(*r->t % 10);
        out[*count] = (struct source_frame){
            .t_us = *r->t, .linktype = (int)*r->t % 10, .data = span_of(&r->lent[*count], 1)};
        r->t += r->endless ? 0 : 1;
    }
    r->lent_n = *count;
    return *count;
}

enum ring_link ring_link(const struct ring *r)
{
    return r->link;
}

void ring_losses(struct ring *r, struct ring_losses *out)
{
    *out = r->losses;
}

void ring_fetch(struct ring *r)
{
    r->fetched++;
}

void ring_close(struct ring *r)
{
    r->closed = true;
}

// ---- Two interfaces (the second NULL: one), from the beginning.
static struct intake open_intake(struct ring *a, struct ring *b)
{
    struct intake in = {.ring = {a, b}, .rings = b ? 2 : 1, .lag_us = LAG_US};
    got = (struct played){0};
    return in;
}

static void must_have(const int64_t *t)
{
    size_t n = 0;
    for (; t[n] != 0; n++)
        if (n >= got.n || got.t[n] != t[n])
            fail_msg("frame %zu: %lld, not %lld", n, n < got.n ? (long long)got.t[n] : -1,
                     (long long)t[n]);
    assert_int_equal(got.n, n);
}

static void test_merge(void **state)
{
    (void)state;
    struct ring a = {.t = (const int64_t[]){11, 31, 51, 0}};
    struct ring b = {.t = (const int64_t[]){22, 32, 62, 72, 0}};
    struct intake in = open_intake(&a, &b);
    // Until the one that is silent cannot have anything earlier any more.
    assert_int_equal(intake_run(&in, 60 + LAG_US), INTAKE_WAITS);
    must_have((const int64_t[]){11, 22, 31, 32, 51, 0});
    assert_int_equal(intake_run(&in, 61 + LAG_US), INTAKE_WAITS);
    assert_int_equal(got.n, 5);
    assert_int_equal(intake_run(&in, 62 + LAG_US), INTAKE_WAITS);
    assert_int_equal(got.n, 6);
    // What it gives while the other's frame waits goes first.
    a.t = (const int64_t[]){71, 0};
    assert_int_equal(intake_run(&in, 72 + LAG_US), INTAKE_EMPTY);
    must_have((const int64_t[]){11, 22, 31, 32, 51, 62, 71, 72, 0});
    assert_int_equal(got.linktype[7], 2);
}

// An interface that is down is not waited for.
static void test_down(void **state)
{
    (void)state;
    static const enum ring_link links[] = {RING_DOWN, RING_NO_CARRIER, RING_GONE};
    for (size_t i = 0; i < 3; i++) {
        struct ring a = {.t = (const int64_t[]){0}, .link = links[i]};
        struct ring b = {.t = (const int64_t[]){10, 20, 0}};
        struct intake in = open_intake(&a, &b);
        assert_int_equal(intake_run(&in, 0), INTAKE_EMPTY);
        must_have((const int64_t[]){10, 20, 0});
    }
}

// Frames that stand slightly out of order count as of the time before; a real step back is the sensor's.
static void test_disorder(void **state)
{
    (void)state;
    const int64_t late = 900000 - INTAKE_DISORDER_US;
    struct ring a = {.t = (const int64_t[]){900000, 899999, late, late - 1, 900001, 0}};
    struct intake in = open_intake(&a, NULL);
    assert_int_equal(intake_run(&in, 0), INTAKE_EMPTY);
    must_have((const int64_t[]){900000, 900000, 900000, late - 1, 900001, 0});
    assert_int_equal(in.last_us, 900001);
}

// The event loop gets its turn, also where frames never end.
static void test_budget(void **state)
{
    (void)state;
    struct ring a = {.t = (const int64_t[]){1, 0}, .endless = true};
    struct ring b = {.t = (const int64_t[]){1, 0}, .endless = true};
    struct intake in = open_intake(&a, NULL);
    assert_int_equal(intake_run(&in, 0), INTAKE_MORE);
    assert_int_equal(got.all, INTAKE_BUDGET);
    assert_int_equal(got.batches, INTAKE_BUDGET / INTAKE_BATCH);
    in = open_intake(&a, &b);
    assert_int_equal(intake_run(&in, 0), INTAKE_MORE);
    assert_int_equal(got.all, INTAKE_BUDGET);
    // Those that the filter takes out count as well.
    a.sifted = b.sifted = SIZE_MAX;
    in = open_intake(&a, NULL);
    assert_int_equal(intake_run(&in, 0), INTAKE_MORE);
    in = open_intake(&a, &b);
    assert_int_equal(intake_run(&in, 0), INTAKE_MORE);
    assert_int_equal(got.all, 0);
}

// Frames behind many that the filter takes out are found, in one ring and in several.
static void test_sifted(void **state)
{
    (void)state;
    struct ring a = {.t = (const int64_t[]){21, 0}, .sifted = 1000};
    struct ring b = {.t = (const int64_t[]){11, 31, 0}, .sifted = 33};
    struct intake in = open_intake(&a, NULL);
    assert_int_equal(intake_run(&in, 0), INTAKE_EMPTY);
    must_have((const int64_t[]){21, 0});
    a = (struct ring){.t = (const int64_t[]){21, 0}, .sifted = 1000};
    in = open_intake(&a, &b);
    assert_int_equal(intake_run(&in, 31 + LAG_US), INTAKE_EMPTY);
    must_have((const int64_t[]){11, 21, 31, 0});
}

// More than a batch of each, one by one from either: nobody's frames are read over before they are handed on.
static void test_long_merge(void **state)
{
    (void)state;
    int64_t even[101] = {0}, odd[101] = {0};
    for (int i = 0; i < 100; i++) {
        even[i] = 1000 + 2 * i;
        odd[i] = 1001 + 2 * i;
    }
    struct ring a = {.t = even}, b = {.t = odd};
    struct intake in = open_intake(&a, &b);
    assert_int_equal(intake_run(&in, 2000 + LAG_US), INTAKE_EMPTY);
    assert_int_equal(got.all, 200);
    for (int i = 0; i < 32; i++)
        assert_int_equal(got.t[i], 1000 + i);
    assert_true(got.batches < 15);
}

static void test_losses(void **state)
{
    (void)state;
    struct ring a = {.losses = {.card = 1, .ring = 20, .oversized = 300, .card_known = true}};
    struct ring b = {.losses = {.card = 2, .ring = 40, .oversized = 500, .card_known = true}};
    struct intake in = open_intake(&a, &b);
    struct ring_losses l;
    intake_losses(&in, &l);
    assert_int_equal(l.card, 3);
    assert_int_equal(l.ring, 60);
    assert_int_equal(l.oversized, 800);
    assert_true(l.card_known);
    b.losses.card_known = false; // of one that is not known the sum is not, either
    intake_losses(&in, &l);
    assert_false(l.card_known);
    intake_close(&in);
    assert_true(a.closed && b.closed);
    assert_int_equal(in.rings, 0);
}

// Of one interface the next frames are known; of several not which of them comes next.
static void test_fetch(void **state)
{
    (void)state;
    struct ring a = {0}, b = {0};
    struct intake in = open_intake(&a, NULL);
    intake_fetch(&in);
    assert_int_equal(a.fetched, 1);
    in = open_intake(&a, &b);
    intake_fetch(&in);
    assert_int_equal(a.fetched, 1);
    assert_int_equal(b.fetched, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fetch),      cmocka_unit_test(test_merge),
        cmocka_unit_test(test_down),       cmocka_unit_test(test_disorder),
        cmocka_unit_test(test_budget),     cmocka_unit_test(test_sifted),
        cmocka_unit_test(test_long_merge), cmocka_unit_test(test_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
