// How far the sensors have come. A process says once a second that no record before `t_ms` follows; the
// watermark is the least of those that are alive. A silent process stops holding it back after a while,
// and one whose clock ran ahead never moves it.
//
// The front is the least of those that are not stalled: minutes close by it, but for the subscribers that a
// stalled process tells of, which wait for that process.
//
// A source that sends no coverage (a router's IPFIX) counts with its newest record less two minutes.
#pragma once

#include "common/record.h"

#define WATERMARK_PROCESSES_MAX 4096
#define WATERMARK_EXPORT_LAG_MS (120 * 1000)
// So far behind the furthest a process is stalled: it holds up its own subscribers only.
#define WATERMARK_STALLED_MS (10 * 1000)
#define WATERMARK_BACK_MS    2000
// How many seconds in a row a process must repeat, uncontradicted, that it is much later than it was.
#define WATERMARK_CONFIRM 3

#define WATERMARK_NONE INT64_MIN

struct watermark;

enum watermark_result {
    WATERMARK_TAKEN,
    WATERMARK_FUTURE, // ahead of all that is known: refused
    WATERMARK_FULL,   // a new process, and no room for it
};

struct watermark *watermark_new(int64_t silent_after_ms, int64_t future_max_ms); // NULL: no memory
void watermark_free(struct watermark *w);
// What comes is of files: it pauses for days as it likes, and nothing is refused for that. A source without coverage moves the
// watermark over a pause when WATERMARK_CONFIRM of its records in a row say so: one bad stamp does not.
void watermark_of_files(struct watermark *w);

// The index of a process, made on first sight; -1: no room.
int watermark_process(struct watermark *w, uint32_t domain);
enum watermark_result watermark_coverage(struct watermark *w, int process, uint64_t epoch,
                                         const struct coverage *c);
// A record of `process` whose latest time is `t_ms`. May it be counted?
enum watermark_result watermark_record(struct watermark *w, int process, uint64_t epoch,
                                       int64_t t_ms);
// Nothing more comes from it for now (its file ended).
void watermark_end(struct watermark *w, int process);
// Nothing comes from any sensor: what is known of time begins anew with the next record of whoever talks.
void watermark_mute(struct watermark *w);

int64_t watermark_now(const struct watermark *w);   // WATERMARK_NONE: not known yet
int64_t watermark_front(const struct watermark *w); // at or ahead of watermark_now
// Of processes and masks of them: a bit each, those from 63 on share the last.
uint64_t watermark_bit(int process);
// The living processes that have not passed `t_ms`.
uint64_t watermark_behind(const struct watermark *w, int64_t t_ms);
size_t watermark_alive(const struct watermark *w);
size_t watermark_processes(const struct watermark *w);
// Fell silent, or ended without saying so.
bool watermark_is_silent(const struct watermark *w, int process);
const char *watermark_name(const struct watermark *w, int process);
bool watermark_waits_for_sensors(const struct watermark *w); // there is one that has not ended
bool watermark_has_coverage(const struct watermark *w, int process);
// Clocks that ran ahead, or were set back by more than WATERMARK_BACK_MS.
uint64_t watermark_clock_faults(const struct watermark *w);
uint64_t watermark_silences(const struct watermark *w);

struct control_status;
// Who is stalled, who ended without saying so (when all `ended`), whether clocks are wrong.
void watermark_status(const struct watermark *w, bool ended, struct control_status *s);
