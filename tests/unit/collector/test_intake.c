// The intake: counted once whatever the disk refuses and wherever it ends. The reference is the journal of the same records
// without any trouble.
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults.h"
#include "fixture.h"
#include "intake.h"
#include "scratch.h"

#define MINUTES 4
#define RECORDS 600

struct world {
    struct fixture *fixture; // its configuration
    char dir[SCRATCH_MAX], journal[96], log[96];
    struct record record[RECORDS];
    size_t count;
    struct collector *collector;
    struct intake *intake;
    int64_t keep_ms;
    uint64_t segment_octets;
};

static void add(struct world *w, struct record r)
{
    assert_true(w->count < RECORDS);
    r.version = RECORD_VERSION;
    r.id = (struct record_id){.domain = 1, .epoch = 5, .sequence = w->count + 1};
    assert_null(record_check(&r));
    w->record[w->count++] = r;
}

// Flows that begin, go on over minutes and fail, with what cuts early slices and amends; coverage each second.
static void make_records(struct world *w)
{
    for (int64_t s = 0; s < MINUTES * 60; s++) {
        int64_t t_ms = T0 + s * 1000;
        if (s % 3 == 0)
            add(w, flow(t_ms, t_ms + 500, 25,
                        s % 2 ? RECORD_HANDSHAKE_ESTABLISHED : RECORD_HANDSHAKE_UNANSWERED));
        if (s % 50 == 49)
            add(w, flow(t_ms - 70000 > T0 ? t_ms - 70000 : T0, t_ms, 587,
                        RECORD_HANDSHAKE_ESTABLISHED));
        struct record c = {.kind = RECORD_COVERAGE};
        c.coverage = (struct coverage){
            .t_ms = t_ms + 1000, .sensor = "edge", .sampling = 1, .packets = 7, .records = 2};
        c.coverage.last = s + 1 == MINUTES * 60;
        add(w, c);
    }
}

static void add_as(struct world *w, uint32_t domain, uint64_t *sequence, struct record r)
{
    add(w, r);
    w->record[w->count - 1].id = (struct record_id){
        .domain = domain, .epoch = 5, .sequence = ++*sequence};
}

static void second_of(struct world *w, uint32_t domain, uint64_t *sequence, int64_t s)
{
    int64_t t_ms = T0 + s * 1000;
    struct record c = {.kind = RECORD_COVERAGE};
    c.coverage = (struct coverage){.t_ms = t_ms + 1000, .sampling = 1, .packets = 7, .records = 2};
    snprintf(c.coverage.sensor, sizeof c.coverage.sensor, "edge%u", domain);
    c.coverage.last = s + 1 == MINUTES * 60;
    if (s % 4 == 0) {
        struct record r = flow(t_ms, t_ms + 500, 25, RECORD_HANDSHAKE_UNANSWERED);
        r.flow.initiator.octet[3] = (uint8_t)(s % 8 == 0 ? 9 : domain); // of both, or its own
        add_as(w, domain, sequence, r);
    }
    add_as(w, domain, sequence, c);
}

// Two sensors; the second stalls for seventy seconds over the end of a minute, and comes back.
static void make_stall(struct world *w)
{
    uint64_t sequence[2] = {0, 0};
    w->count = 0;
    for (int64_t s = 0; s < MINUTES * 60; s++) {
        second_of(w, 1, &sequence[0], s);
        for (int64_t late = 40; s == 110 && late < 110; late++)
            second_of(w, 2, &sequence[1], late);
        if (s < 40 || s >= 110)
            second_of(w, 2, &sequence[1], s);
    }
}

static int setup(void **state)
{
    void *fixture;
    struct world *w = calloc(1, sizeof *w);
    faults = (struct faults){0};
    if (fixture_setup(&fixture) < 0 || scratch_make(w->dir) < 0)
        return -1;
    w->fixture = fixture;
    make_records(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    void *fixture = w->fixture;
    scratch_remove(w->dir);
    fixture_teardown(&fixture);
    free(w);
    return 0;
}

static void place(struct world *w, const char *name)
{
    snprintf(w->journal, sizeof w->journal, "%s/%s-journal", w->dir, name);
    snprintf(w->log, sizeof w->log, "%s/%s-log", w->dir, name);
}

static int start_slowly(struct world *w)
{
    struct intake_options o = {.dir = w->log,
                               .journal = w->journal,
                               .keep_ms = w->keep_ms ? w->keep_ms : 3900000,
                               .octets_max = 1 << 30,
                               .segment_octets = w->segment_octets};
    assert_int_equal(collector_open(&w->fixture->conf, &w->fixture->site, w->journal, NULL, stderr,
                                    &w->collector),
                     0);
    int rc = intake_open(&o, w->collector, stderr, &w->intake);
    if (rc < 0) {
        collector_close(w->collector);
        w->intake = NULL;
    }
    return rc;
}

static void replay_all(struct world *w)
{
    int rc;
    for (unsigned tries = 0; (rc = intake_replay(w->intake, 50)) != 0;) {
        if (rc > 0)
            continue;
        assert_true(tries++ < 1000);
        assert_true(intake_stalled(w->intake));
        intake_retry(w->intake);
    }
    assert_false(intake_replaying(w->intake));
}

static int start(struct world *w)
{
    int rc = start_slowly(w);
    if (rc == 0)
        replay_all(w);
    return rc;
}

// As a kill: nothing is written that was not.
static void end(struct world *w)
{
    intake_close(w->intake);
    collector_close(w->collector);
}

// Puts a record until it is taken; true: it had to be tried again.
static bool insist(struct world *w, const struct record *r)
{
    bool again = false, put = false;
    while (!put) {
        int rc = intake_put(w->intake, r, NULL, &put);
        for (unsigned tries = 0; rc < 0; tries++) {
            assert_true(tries < 100);
            assert_true(intake_stalled(w->intake));
            again = true;
            rc = intake_retry(w->intake);
        }
    }
    return again;
}

static void sync_all(struct world *w)
{
    for (unsigned tries = 0; intake_sync(w->intake) < 0; tries++) {
        assert_true(tries < 100);
        intake_retry(w->intake);
    }
}

static uint64_t counter(const struct world *w, const char *name)
{
    struct control_status *s = control_status_new("test");
    intake_status(w->intake, s);
    json_t *j = control_status_json(s);
    json_int_t n = json_integer_value(json_object_get(json_object_get(j, "counters"), name));
    json_decref(j);
    control_status_free(s);
    return (uint64_t)n;
}

static char *read_journal(const struct world *w, size_t *len)
{
    char *data = NULL;
    FILE *out = open_memstream(&data, len);
    struct journal_reader *r;
    const struct journal_entry *e;
    assert_int_equal(journal_reader_open(w->journal, NULL, NULL, &r), 0);
    while (journal_next(r, &e) == 1) {
        struct buf b;
        buf_init(&b, 1 << 20);
        if (e->kind == JOURNAL_ROW)
            minute_row_encode(&e->row, &b);
        fprintf(out, "%u %lld %lld %u:", e->kind, (long long)e->mark_ms,
                (long long)(e->kind == JOURNAL_COVERAGE ? e->coverage.minute : 0),
                e->kind == JOURNAL_COVERAGE ? (unsigned)e->coverage.seconds : 0u);
        if (b.len > 0)
            fwrite(b.data, 1, b.len, out);
        buf_fini(&b);
    }
    assert_int_equal(journal_reader_stats(r)->bad_blocks, 0);
    journal_reader_close(r);
    fclose(out);
    return data;
}

static char *reference(struct world *w, size_t *len)
{
    place(w, "reference");
    assert_int_equal(start(w), 0);
    for (size_t i = 0; i < w->count; i++)
        assert_false(insist(w, &w->record[i]));
    end(w);
    return read_journal(w, len);
}

static void same(const struct world *w, const char *good, size_t good_len)
{
    size_t len;
    char *data = read_journal(w, &len);
    assert_int_equal(len, good_len);
    assert_memory_equal(data, good, len);
    free(data);
}

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

// Killed again while it is counted again; meanwhile records come, old ones and new ones, and the disk fails at times.
static void heard_while_replaying(struct world *w, unsigned fail_every)
{
    size_t len;
    char *good = reference(w, &len), name[32];
    for (size_t every = 5; every <= 320; every = every * 2 + 1)
        for (unsigned slice = 1; slice <= 101; slice += 50) {
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
    for (off_t cut = st.st_size; cut > 0; cut -= cut / 9 + 1) {
        assert_int_equal(truncate(path, cut), 0);
        assert_int_equal(start(w), 0);
        end(w);
        same(w, good, len);
    }
    free(good);
}

// All sources silent: minutes close, and again so after a crash.
static void test_silent(void **state)
{
    struct world *w = *state;
    size_t len, again;
    place(w, "silent");
    assert_int_equal(start(w), 0);
    for (size_t i = 0; i < w->count / 2; i++)
        insist(w, &w->record[i]);
    assert_int_equal(intake_silent(w->intake, T0 + 3600000), 0);
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
        cmocka_unit_test_setup_teardown(test_heard_while_replaying, setup, teardown),
        cmocka_unit_test_setup_teardown(test_heard_while_replaying_and_failing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_durable_before_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torn_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trimmed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
