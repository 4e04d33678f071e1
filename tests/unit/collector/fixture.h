// A collector on a journal in a temporary folder, records made by hand, and the journal read back.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector.h"

// 2026-11-22T05:52:00Z: where the tests' time begins; a whole minute.
#define T0 INT64_C(1795326720000)
#define M0 (T0 / 60000)

#define FIXTURE_ROWS_MAX  4096
#define FIXTURE_MARKS_MAX 4096

struct fixture {
    char dir[64];
    struct collector_conf conf;
    struct conf_site site;
    struct collector *collector;
    char *leases; // path, or NULL
    uint32_t domain;
    uint64_t epoch, sequence;
    // What the journal held (fixture_read).
    struct minute_row *row;
    size_t rows;
    struct coverage_minute coverage[FIXTURE_MARKS_MAX];
    size_t coverages;
    struct minute_site sites[FIXTURE_MARKS_MAX];
    size_t site_count;
    int64_t mark[FIXTURE_MARKS_MAX];
    size_t marks;
};

int fixture_setup(void **state); // configuration at its defaults, with `site` from fixture.c
int fixture_teardown(void **state);

// Opens the collector when it is not open yet: change `conf` before the first record.
void fixture_open(struct fixture *f);
void fixture_take(struct fixture *f, struct record *r); // gives it the next identity
void fixture_second(struct fixture *f, int64_t t_ms);   // a coverage record of sensor "edge"
void fixture_until(struct fixture *f, int64_t from_ms, int64_t to_ms); // one each second
void fixture_last(struct fixture *f, int64_t t_ms);                    // and the process ends
void fixture_close(struct fixture *f);                                 // collector_finish and close
void fixture_read(struct fixture *f);                                  // closes first

struct ip_addr addr(const char *text);

// A whole flow in one record: begun, outcome decided and ended. From a subscriber (100.64.0.7) to 198.51.100.25.
struct record flow(int64_t start_ms, int64_t end_ms, uint16_t port, uint8_t handshake);
// A record of kind mail log for client and mailbox.
struct record mail_event(int64_t t_ms, uint8_t event);

// The sum of all rows of the subscriber in the minute; NULL: none. Valid until the next call.
const struct minute_row *fixture_sum(struct fixture *f, const char *subscriber, int64_t minute);
// The first row of the subscriber in the minute that has one of `flags`; NULL: none.
const struct minute_row *fixture_row(struct fixture *f, const char *subscriber, int64_t minute,
                                     uint32_t flags);

// Gives the record, closes the minute and reads: the subscriber's sum of minute M0.
const struct minute_row *fixture_one(struct fixture *f, struct record *r, const char *subscriber);
// A new fixture in the place of the old: for tables of cases.
struct fixture *fixture_again(void **state);

uint64_t fixture_counter(struct fixture *f, const char *name); // of the status document

static inline uint64_t mx_out(const struct minute_row *r, enum minute_counter c)
{
    return r->counter[MINUTE_MX][MINUTE_OUT][c];
}
