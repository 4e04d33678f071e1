// Records in, journal out: every record checked, taken once, put in its minute, and the minutes closed in time.
// Whoever feeds it (a file now, a connection in a daemon) has no part in what becomes of a record.
#pragma once

#include <stdio.h>

#include "aggregate.h"
#include "common/control.h"
#include "common/daemon.h"
#include "config.h"
#include "lease_sources.h"
#include "sequence.h"

struct collector;

// `leases` NULL: the configuration's, or none. Errors are written to `errors`. -EINVAL: of the
// configuration or its files; else a negative errno. Both configurations are borrowed.
int collector_open(const struct collector_conf *conf, const struct conf_site *site,
                   const char *journal, const char *leases, FILE *errors, struct collector **out);
void collector_close(struct collector *c);
// The sources of leases, for a live collector to listen and start (lease_sources.h), and to look up in.
struct lease_sources *collector_leases(struct collector *c);

// Negative errno of the journal (nothing is lost, but nothing goes on); what is wrong with a record is
// counted.
int collector_take(struct collector *c, const struct record *r);
// One that record_check was asked about already: what a decoder gives, what an encoder took.
int collector_take_checked(struct collector *c, const struct record *r);
// Records that will be taken next: what they need is asked of the memory, for all of them at once.
#define COLLECTOR_FETCH_MAX 16
void collector_fetch(const struct collector *c, const struct record *r, size_t count);
// What will come is read from files (watermark.h): said before the first record.
void collector_of_files(struct collector *c);
// The input of a sensor process came to its end; it holds nothing back any more.
void collector_ended(struct collector *c, uint32_t domain);
// No more records: closes all minutes.
int collector_finish(struct collector *c);

// ---- Live (intake.c): the same records in the same order, again after a crash

struct journal_writer *collector_journal(struct collector *c);
// The record was taken before; nothing is changed by asking.
bool collector_knows(const struct collector *c, const struct record_id *id);
// `count` records from `first` on came and are refused: they are known, and no gap. `lost`: the next coverage of their process
// counts them.
void collector_refused(struct collector *c, const struct record_id *first, uint64_t count,
                       bool lost);
// After an error of collector_take: the rest of what it had to do. 0: go on with the next record.
int collector_retry(struct collector *c);
// Nobody has said anything for collector.silent_after: closes all that is open. Records may follow.
int collector_silent(struct collector *c);
// The same of the sensors alone: what they said last holds nobody back any more, until they say something.
int collector_mute(struct collector *c);
bool collector_waits_for_sensors(const struct collector *c);
// The highest sequence of every domain and epoch known, and telling a new collector of one.
void collector_positions(const struct collector *c, sequence_fn fn, void *ctx);
void collector_seed(struct collector *c, const struct record_id *highest);
// Takes a new configuration over; the old one is not used any more. Sizes of tables stay.
void collector_reload(struct collector *c, const struct collector_conf *conf);

int64_t collector_watermark(const struct collector *c);
// `ended`: no more records will come, so that a sensor that did not say its last is told of.
void collector_status(const struct collector *c, bool ended, struct control_status *s);
