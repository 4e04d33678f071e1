// The intake counted again after a start, in slices, while records come: in the same order, each once. The reference is the
// journal of the same records without any trouble.
#include "intake_world.h"

// Killed again while it is counted again; meanwhile records come, old ones and new ones, and the disk fails at times.
static void heard_while_replaying(struct world *w, unsigned fail_every)
{
    size_t len;
    char *good = reference(w, &len), name[32];
    for (size_t every = 5; every <= 320; every = every * 2 + 1)
        for (unsigned slice = 1; slice <= 101; slice += 100) {
            snprintf(name, sizeof name, "slow%zu-%u-%u", every, slice, fail_every);
            place(w, name);
            assert_int_equal(start_slowly(w), 0);
            size_t acknowledged = 0, since = 0, replaying = 0;
            faults = (struct faults){.every = fail_every, .error = ENOSPC};
            for (size_t i = 0; i < w->count; i++) {
                replaying += intake_replaying(w->intake);
                insist(w, &w->record[i]);
                if (i % 11 == 10) {
                    sync_all(w);
                    acknowledged = i + 1;
                }
                if (i % 3 == 0 && intake_replay(w->intake, slice) < 0)
                    intake_retry(w->intake);
                if (++since < every)
                    continue;
                since = 0;
                faults.every = 0;
                end(w);
                assert_int_equal(start_slowly(w), 0);
                faults.every = fail_every;
                for (size_t k = acknowledged; k < i + 1; k++)
                    insist(w, &w->record[k]);
            }
            assert_true(replaying > 0);
            replay_all(w);
            faults = (struct faults){0};
            sync_all(w);
            assert_int_equal(counter(w, "intake_to_replay"), 0);
            end(w);
            same(w, good, len);
        }
    free(good);
}

static void test_heard_while_replaying(void **state)
{
    heard_while_replaying(*state, 0);
}

static void test_heard_while_replaying_and_failing(void **state)
{
    heard_while_replaying(*state, 29);
}

// What is put while it is counted again is durable as always, and nothing of it is counted before its turn.
static void test_durable_before_counted(void **state)
{
    struct world *w = *state;
    place(w, "durable");
    assert_int_equal(start(w), 0);
    for (size_t i = 0; i < w->count / 2; i++)
        insist(w, &w->record[i]);
    sync_all(w);
    end(w);
    assert_int_equal(start_slowly(w), 0);
    assert_int_equal(counter(w, "intake_to_replay"), w->count / 2);
    for (size_t i = w->count / 2; i < w->count; i++)
        insist(w, &w->record[i]);
    sync_all(w);
    assert_int_equal(counter(w, "intake_to_replay"), w->count);
    assert_int_equal(counter(w, "intake_replayed"), 0);
    // A slice takes twice what came since, so that it ends however much comes.
    assert_int_equal(intake_replay(w->intake, 1), 1);
    assert_true(counter(w, "intake_replayed") >= w->count / 2);
    end(w);
    assert_int_equal(start_slowly(w), 0);
    assert_int_equal(counter(w, "intake_to_replay"), w->count);
    replay_all(w);
    assert_int_equal(counter(w, "intake_replayed"), w->count);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_heard_while_replaying, setup, teardown),
        cmocka_unit_test_setup_teardown(test_heard_while_replaying_and_failing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_durable_before_counted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
