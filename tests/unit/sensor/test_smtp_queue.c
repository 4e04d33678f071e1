// The queue of unanswered commands: runs, its bound, and what is passed over.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proto/smtp_queue.h"

static void test_runs(void **state)
{
    (void)state;
    struct smtp_queue q = {0};
    assert_int_equal(smtp_queue_head(&q), SMTP_EXPECT_NOTHING);
    assert_true(smtp_queue_push(&q, SMTP_EXPECT_MAIL));
    for (int i = 0; i < 100000; i++)
        assert_true(smtp_queue_push(&q, SMTP_EXPECT_RCPT));
    assert_true(smtp_queue_push(&q, SMTP_EXPECT_DATA));
    assert_int_equal(smtp_queue_number(&q, SMTP_EXPECT_RCPT), 100000);
    assert_int_equal(smtp_queue_number(&q, SMTP_EXPECT_NOTHING), 100002);
    assert_int_equal(smtp_queue_head(&q), SMTP_EXPECT_MAIL);
    smtp_queue_pop(&q);
    assert_int_equal(smtp_queue_head(&q), SMTP_EXPECT_RCPT);
    assert_false(smtp_queue_change_next(&q, SMTP_EXPECT_END, SMTP_EXPECT_REFUSED));
    assert_true(smtp_queue_change_next(&q, SMTP_EXPECT_DATA, SMTP_EXPECT_OTHER));
    smtp_queue_forward(&q, SMTP_EXPECT_OTHER);
    assert_int_equal(smtp_queue_number(&q, SMTP_EXPECT_NOTHING), 1);
    smtp_queue_forward(&q, SMTP_EXPECT_QUIT);
    assert_int_equal(smtp_queue_head(&q), SMTP_EXPECT_NOTHING);
}

// Whatever is pushed and popped, answers come out in the order of questions; those beyond the bound as
// SKIP, as many as there were.
static void test_bound(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        struct smtp_queue q = {0};
        unsigned pushed = 0, popped = 0, skipped = 0, lost = 0, seed = round;
        uint8_t want[2000];
        for (unsigned step = 0; step < 1500; step++) {
            seed = seed * 1103515245u + 12345u;
            if ((seed >> 16) % 100 < (step < 700 ? 70u : 40u)) {
                want[pushed] = (uint8_t)(pushed % 2 ? SMTP_EXPECT_MAIL : SMTP_EXPECT_RCPT);
                if (!smtp_queue_push(&q, want[pushed])) {
                    want[pushed] = SMTP_EXPECT_SKIP;
                    lost++;
                }
                pushed++;
            } else if (popped < pushed) {
                assert_int_equal(smtp_queue_head(&q), want[popped]);
                skipped += want[popped] == SMTP_EXPECT_SKIP;
                smtp_queue_pop(&q);
                popped++;
            }
            assert_int_equal(smtp_queue_number(&q, SMTP_EXPECT_NOTHING), pushed - popped);
            assert_true(q.count <= SMTP_QUEUE_MAX);
        }
        assert_true(skipped <= lost);
        assert_true(lost > 0);
        smtp_queue_clear(&q);
        assert_int_equal(smtp_queue_head(&q), SMTP_EXPECT_NOTHING);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_runs), cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
