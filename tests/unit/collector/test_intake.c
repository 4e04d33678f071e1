// The intake: counted once whatever the disk refuses and wherever it ends. The reference is the journal of the same records
// without any trouble.
#include "intake_world.h"

// Killed after every so manyeth record, with and without a sync before; sent again from the last acknowledged one.
static void kill_often(struct world *w)
{
    size_t len;
    char *good = reference(w, &len), name[32];
    assert_true(len > 2000);
    for (size_t every = 7; every <= 300; every = every * 2 + 1) {
        snprintf(name, sizeof name, "kill%zu", every);
        place(w, name);
        assert_int_equal(start(w), 0);
        size_t acknowledged = 0, since = 0;
        for (size_t i = 0; i < w->count; i++) {
            insist(w, &w->record[i]);
            if (i % 11 == 10) {
                sync_all(w);
                acknowledged = i + 1;
            }
            if (++since < every)
                continue;
            since = 0;
            end(w);
            assert_int_equal(start(w), 0);
            for (size_t k = acknowledged; k < i + 1; k++)
                insist(w, &w->record[k]);
        }
        end(w);
        same(w, good, len);
    }
    free(good);
}

static void test_killed(void **state)
{
    kill_often(*state);
}

// Rows that wait for a stalled sensor wait in the state that is counted again.
static void test_killed_while_one_stalls(void **state)
{
    struct world *w = *state;
    make_stall(w);
    kill_often(w);
}

// Every so manyeth call of the disk fails, writes of the journal among them.
static void test_faults(void **state)
{
    struct world *w = *state;
    size_t len;
    char *good = reference(w, &len), name[32];
    for (unsigned every = 7; every <= 31; every += 3) { // a retry makes several calls
        bool again = false;
        snprintf(name, sizeof name, "fault%u", every);
        place(w, name);
        assert_int_equal(start(w), 0);
        faults = (struct faults){
            .every = every, .error = every % 2 ? EIO : ENOSPC, .half = every % 3 == 0};
        for (size_t i = 0; i < w->count; i++) {
            again |= insist(w, &w->record[i]);
            if (i % 20 == 0)
                sync_all(w);
        }
        faults = (struct faults){0};
        assert_true(again);
        sync_all(w);
        end(w);
        same(w, good, len);
        // And again from the log: nothing is added.
        assert_int_equal(start(w), 0);
        end(w);
        same(w, good, len);
    }
    free(good);
}

// A journal block that was written is not written again; one whose tail was cut is.
static void test_torn_journal(void **state)
{
    struct world *w = *state;
    size_t len;
    char *good = reference(w, &len), path[400];
    place(w, "reference");
    DIR *d = opendir(w->journal);
    struct dirent *e;
    while ((e = readdir(d)) && !strstr(e->d_name, ".pj"))
        ;
    assert_non_null(e);
    snprintf(path, sizeof path, "%s/%s", w->journal, e->d_name);
    closedir(d);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    char last[400];
    snprintf(last, sizeof last, "%s/LAST", w->journal);
    for (off_t cut = st.st_size; cut > 0; cut -= cut / 9 + 1) {
        unlink(last); // what a crash tears is not said to be written
        assert_int_equal(truncate(path, cut), 0);
        assert_int_equal(start(w), 0);
        end(w);
        same(w, good, len);
    }
    free(good);
}

// All sources silent, or the sensors alone: minutes close, and again so after a crash.
static void falls_silent(struct world *w, const char *name, bool all)
{
    size_t len, again;
    place(w, name);
    assert_int_equal(start(w), 0);
    for (size_t i = 0; i < w->count / 2; i++)
        insist(w, &w->record[i]);
    if (all)
        assert_int_equal(intake_silent(w->intake, T0 + 3600000), 0);
    else
        assert_int_equal(intake_mute(w->intake, T0 + 3600000), 1);
    if (!all) // nobody is waited for
        assert_int_equal(intake_mute(w->intake, T0 + 3600000), 0);
    for (size_t i = w->count / 2; i < w->count; i++)
        insist(w, &w->record[i]);
    sync_all(w);
    end(w);
    char *first = read_journal(w, &len);
    // The journal is made anew from the log.
    char old[120];
    snprintf(old, sizeof old, "%s.old", w->journal);
    assert_int_equal(rename(w->journal, old), 0);
    assert_int_equal(start(w), 0);
    end(w);
    char *second = read_journal(w, &again);
    assert_int_equal(len, again);
    assert_memory_equal(first, second, len);
    free(first);
    free(second);
}

static void test_silent(void **state)
{
    falls_silent(*state, "silent", true);
    falls_silent(*state, "mute", false);
}

// Records that never came are told in the minute in which it shows, once, and so again after a crash.
static void test_gap(void **state)
{
    struct world *w = *state;
    place(w, "gap");
    assert_int_equal(start(w), 0);
    size_t cut = 100;
    for (size_t i = 0; i < w->count; i++) {
        if (i < cut || i >= cut + 30)
            insist(w, &w->record[i]);
        if (i == w->count / 2) {
            sync_all(w);
            end(w);
            assert_int_equal(start(w), 0);
        }
    }
    end(w);
    struct journal_reader *r;
    const struct journal_entry *e;
    uint64_t lost = 0, minutes = 0;
    assert_int_equal(journal_reader_open(w->journal, NULL, NULL, &r), 0);
    while (journal_next(r, &e) == 1) {
        if (e->kind != JOURNAL_COVERAGE || e->coverage.sum.lost_records == 0)
            continue;
        minutes++;
        lost += e->coverage.sum.lost_records;
        assert_int_equal(e->coverage.minute, M0 + 1);
        assert_true(e->coverage.loss_ppm > 100000);
    }
    journal_reader_close(r);
    assert_int_equal(minutes, 1);
    assert_int_equal(lost, 30);
}

// The log gives up what the minutes no longer need. After a crash even records that are in it no more are known for repeats.
static void test_trimmed(void **state)
{
    struct world *w = *state;
    size_t len;
    char *good = reference(w, &len);
    w->keep_ms = 60000;
    w->segment_octets = 4096;
    place(w, "trimmed");
    assert_int_equal(start(w), 0);
    uint64_t most = 0;
    for (size_t i = 0; i < w->count; i++) {
        insist(w, &w->record[i]);
        if (i % 10 == 9)
            sync_all(w);
        if (i % 97 != 96)
            continue;
        sync_all(w);
        uint64_t segments = counter(w, "intake_segments");
        most = segments > most ? segments : most;
        end(w);
        assert_int_equal(start(w), 0);
        // What is replayed are the last minutes, not all; what comes again is dropped, however old.
        assert_true(i < 400 || counter(w, "intake_replayed") < i - 50);
        for (size_t k = 0; k <= i; k++)
            insist(w, &w->record[k]);
        assert_int_equal(counter(w, "intake_repeats"), i + 1);
    }
    assert_true(most > 3);
    end(w);
    same(w, good, len);
    free(good);
}

// Two collectors must not share a log; a log that was emptied begins another.
static void test_alone(void **state)
{
    struct world *w = *state, other = *w;
    place(w, "alone");
    assert_int_equal(start(w), 0);
    other = *w;
    snprintf(other.journal, sizeof other.journal, "%s/other", w->dir);
    assert_int_equal(start(&other), -EBUSY);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_while_one_stalls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torn_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trimmed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
