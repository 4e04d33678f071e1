// A collector behind its intake, and records to put into it, for tests of both: started, killed, and its journal read.
#pragma once

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

static inline void add(struct world *w, struct record r)
{
    assert_true(w->count < RECORDS);
    r.version = RECORD_VERSION;
    r.id = (struct record_id){.domain = 1, .epoch = 5, .sequence = w->count + 1};
    assert_null(record_check(&r));
    w->record[w->count++] = r;
}

// Flows that begin, go on over minutes and fail, with what cuts early slices and amends; coverage each second.
static inline void make_records(struct world *w)
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

static inline void add_as(struct world *w, uint32_t domain, uint64_t *sequence, struct record r)
{
    add(w, r);
    w->record[w->count - 1].id = (struct record_id){
        .domain = domain, .epoch = 5, .sequence = ++*sequence};
}

static inline void second_of(struct world *w, uint32_t domain, uint64_t *sequence, int64_t s)
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
static inline void make_stall(struct world *w)
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

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    struct world *w = *state;
    void *fixture = w->fixture;
    scratch_remove(w->dir);
    fixture_teardown(&fixture);
    free(w);
    return 0;
}

static inline void place(struct world *w, const char *name)
{
    snprintf(w->journal, sizeof w->journal, "%s/%s-journal", w->dir, name);
    snprintf(w->log, sizeof w->log, "%s/%s-log", w->dir, name);
}

static inline int start_slowly(struct world *w)
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

static inline void replay_all(struct world *w)
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

static inline int start(struct world *w)
{
    int rc = start_slowly(w);
    if (rc == 0)
        replay_all(w);
    return rc;
}

// As a kill: nothing is written that was not.
static inline void end(struct world *w)
{
    intake_close(w->intake);
    collector_close(w->collector);
}

// Puts a record until it is taken; true: it had to be tried again.
static inline bool insist(struct world *w, const struct record *r)
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

static inline void sync_all(struct world *w)
{
    for (unsigned tries = 0; intake_sync(w->intake) < 0; tries++) {
        assert_true(tries < 100);
        intake_retry(w->intake);
    }
}

static inline uint64_t counter(const struct world *w, const char *name)
{
    struct control_status *s = control_status_new("test");
    intake_status(w->intake, s);
    json_t *j = control_status_json(s);
    json_int_t n = json_integer_value(json_object_get(json_object_get(j, "counters"), name));
    json_decref(j);
    control_status_free(s);
    return (uint64_t)n;
}

static inline char *read_journal(const struct world *w, size_t *len)
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

static inline char *reference(struct world *w, size_t *len)
{
    place(w, "reference");
    assert_int_equal(start(w), 0);
    for (size_t i = 0; i < w->count; i++)
        assert_false(insist(w, &w->record[i]));
    end(w);
    return read_journal(w, len);
}

static inline void same(const struct world *w, const char *good, size_t good_len)
{
    size_t len;
    char *data = read_journal(w, &len);
    assert_int_equal(len, good_len);
    assert_memory_equal(data, good, len);
    free(data);
}
