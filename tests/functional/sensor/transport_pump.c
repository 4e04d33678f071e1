// A sensor without packets: takes records from a file, at a pace, through the sensor's own spool and sender. Killed and started again
// it goes on where its spool ends, under a new epoch, as a restarted sensor does; what it said it had exported (synced) must be there.
//
//   pump RECORDS SPOOL ADDRESS TLS|- RECORDS_A_SECOND [DOMAIN [AHEAD_S]]
//
// With AHEAD_S the records are of now, as a live sensor tells them, by a clock that is so far ahead; else of the file's time.
// Ends with 0 when all records are acknowledged; with 3 when something exported is missing in the spool.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/record.h"
#include "sender.h"

#define STEP_MS 10
#define BASE    INT64_C(1000000000)

struct pump {
    struct record_reader *reader;
    struct sensor_spool *spool;
    struct sink sink;
    struct sender *sender;
    const char *exported_path;
    uint64_t index, first; // records put ever; before this run
    uint64_t rate, due;    // records a second; thousandths of a record that are due
    uint32_t domain;
    bool live;
    int64_t ahead_ms, shift_ms; // the latter is known with the first record
    unsigned steps;
    bool ended, held;
    struct record record;
};

static uint64_t read_number(const char *path)
{
    FILE *f = fopen(path, "re");
    char text[32] = "0";
    if (f && !fgets(text, sizeof text, f))
        snprintf(text, sizeof text, "0");
    if (f)
        fclose(f);
    return strtoull(text, NULL, 10);
}

static void write_number(const char *path, uint64_t n)
{
    char fresh[512];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *f = fopen(fresh, "we");
    if (!f)
        return;
    fprintf(f, "%llu\n", (unsigned long long)n);
    fclose(f);
    rename(fresh, path);
}

static void shift(int64_t *t_ms, int64_t by_ms)
{
    *t_ms += *t_ms != 0 ? by_ms : 0;
}

static void make_live(struct pump *p, struct record *r)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (p->shift_ms == 0)
        p->shift_ms = (int64_t)now.tv_sec * 1000 + p->ahead_ms -
                      (r->kind == RECORD_COVERAGE ? r->coverage.t_ms
                       : r->kind == RECORD_MAIL   ? r->mail.t_ms
                                                  : r->flow.start_ms);
    if (r->kind == RECORD_COVERAGE) {
        r->coverage.alarms &= ~(uint32_t)COVERAGE_REPLAY;
        shift(&r->coverage.t_ms, p->shift_ms);
    } else if (r->kind == RECORD_MAIL) {
        shift(&r->mail.t_ms, p->shift_ms);
    } else {
        shift(&r->flow.flow_start_ms, p->shift_ms);
        shift(&r->flow.start_ms, p->shift_ms);
        shift(&r->flow.end_ms, p->shift_ms);
        shift(&r->flow.outcome_ms, p->shift_ms);
    }
}

// Puts one record; false: no room now, or no more.
static bool put_one(struct pump *p)
{
    if (!p->held && record_reader_next(p->reader, &p->record) != 1) {
        p->ended = true;
        return false;
    }
    p->held = true;
    struct record r = p->record;
    r.id = (struct record_id){.domain = p->domain,
                              .epoch = (uint64_t)BASE + p->first,
                              .sequence = p->index - p->first + 1};
    if (p->live)
        make_live(p, &r);
    int rc = sink_put(&p->sink, &r);
    if (rc == -ENOSPC)
        return false;
    if (rc != 0) {
        fprintf(stderr, "pump: %s\n", strerror(-rc));
        exit(1);
    }
    p->held = false;
    p->index++;
    return true;
}

static void on_step(struct loop *l, int64_t now_ms, void *ctx)
{
    struct pump *p = ctx;
    for (p->due += p->rate * STEP_MS; p->due >= 1000 && !p->ended && put_one(p); p->due -= 1000)
        ;
    if (++p->steps % 5 == 0 || p->ended) {
        if (sink_flush(&p->sink, now_ms) == 0)
            write_number(p->exported_path, p->index);
        sender_wake(p->sender, now_ms);
    }
    if (p->ended && sender_drained(p->sender))
        loop_stop(l, 0);
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 64;
    static struct pump p;
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL); // as daemon.c does
    char error[200], exported[512];
    uint64_t rate = strtoull(argv[5], NULL, 10);
    struct sender_options o = {.collector = argv[3],
                               .tls = strcmp(argv[4], "-") == 0 ? NULL : argv[4]};
    struct loop *l = loop_new();
    p.domain = argc > 6 ? (uint32_t)strtoul(argv[6], NULL, 10) : 1;
    p.live = argc > 7;
    p.ahead_ms = p.live ? 1000 * strtoll(argv[7], NULL, 10) : 0;
    p.rate = rate;
    snprintf(exported, sizeof exported, "%s.exported", argv[2]);
    p.exported_path = exported;
    int rc = record_reader_open(argv[1], &p.reader);
    if (rc == 0)
        rc = sensor_spool_open(argv[2], 64 << 20, p.domain, &p.spool);
    if (rc < 0 || !l) {
        fprintf(stderr, "pump: %s\n", strerror(-rc));
        return 1;
    }
    struct record_id last;
    if (spool_last(sensor_spool_log(p.spool), &last))
        p.first = last.epoch - (uint64_t)BASE + last.sequence;
    p.index = p.first;
    if (read_number(exported) > p.first) {
        fprintf(stderr, "pump: %llu records were exported, the spool ends at %llu\n",
                (unsigned long long)read_number(exported), (unsigned long long)p.first);
        return 3;
    }
    for (uint64_t i = 0; i < p.first; i++)
        if (record_reader_next(p.reader, &p.record) != 1)
            return 2;
    p.sink = sensor_spool_sink(p.spool);
    rc = sender_open(l, &o, sensor_spool_log(p.spool), &p.sender, error);
    if (rc < 0) {
        fprintf(stderr, "pump: %s\n", error);
        return 1;
    }
    loop_every(l, STEP_MS, on_step, &p);
    rc = loop_run(l);
    sender_close(p.sender);
    sink_close(&p.sink);
    sensor_spool_close(p.spool);
    record_reader_close(p.reader);
    loop_free(l);
    return rc == 0 ? 0 : 1;
}
