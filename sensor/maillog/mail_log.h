// A mail server's log as a source of records: lines in, whatever wrote them; records out. Whoever feeds it
// (a file, a followed file, the journal) gives whole lines without their ends.
#pragma once

#include "common/control.h"
#include "maillog/mail_emit.h"
#include "maillog/mail_join.h"

enum mail_log_format { // configuration: sensor.mail_log.format
    MAIL_LOG_AUTO,
    MAIL_LOG_POSTFIX, // syslog lines of Postfix and its filters
    MAIL_LOG_EXIM,    // Exim's main log
    MAIL_LOG_EVENT,   // our own JSON lines
};

#define MAIL_LOG_STATS(X)                                                              \
    X(lines, "lines read")                                                             \
    X(lines_long, "lines cut at 65,536 octets")                                        \
    X(lines_unknown, "lines of no form known here")                                    \
    X(lines_other, "lines of other programs")                                          \
    X(lines_broken, "JSON lines that are none, or hold a wrong value")                 \
    X(clock_back, "lines whose time lies more than five seconds behind another")       \
    X(clock_ahead,                                                                     \
      "lines stamped an hour and more ahead of this machine's clock, or of the lines " \
      "around them")                                                                   \
    X(odd_queue_ids, "lines whose queue id is of no form known here")

struct mail_log_stats {
#define X(name, text) uint64_t name;
    MAIL_LOG_STATS(X)
#undef X
};

struct mail_log_config {
    struct mail_join_config join; // `tell` and `ctx` are the log's own
    struct mail_emit_config emit;
    int format;     // enum mail_log_format
    int64_t now_ms; // names the year of stamps without one
};

struct mail_log;

struct mail_log *mail_log_new(const struct mail_log_config *config); // NULL: out of memory
void mail_log_free(struct mail_log *l);

// A file begins. `first_ms` is its first line's time when its stamps have no year, 0: they have, or it is not known; none
// of its lines is later than `ref_ms` by more than a day.
void mail_log_begin(struct mail_log *l, int64_t first_ms, int64_t ref_ms);
// The latest time of all lines, and of those of this file as they are stamped; 0: none yet.
int64_t mail_log_latest(const struct mail_log *l);
int64_t mail_log_latest_here(const struct mail_log *l);
void mail_log_line(struct mail_log *l, struct span line);
// Until told otherwise lines are joined and nothing is told: what was told before a restart.
void mail_log_quiet(struct mail_log *l, bool quiet);
// What was read before is read again: from here on is told, and counted in the status. `all_told`: whoever read
// it ended well, so that nothing was waiting; else what waits is told, perhaps a second time.
void mail_log_caught_up(struct mail_log *l, bool all_told);
// What this machine's clock says (live): a line an hour and more ahead of it is not believed, and counts as of the
// latest time; one such line would carry the time of all that follow. A line that is so far ahead of the one before,
// and not near the clock either, waits for the next: only when that agrees is it believed.
void mail_log_clock(struct mail_log *l, int64_t now_ms);
// Time moves without a line (live). To the latest line's time at most when `t_ms` lies before it.
void mail_log_advance(struct mail_log *l, int64_t t_ms);
void mail_log_finish(struct mail_log *l);

int mail_log_error(const struct mail_log *l);
// Why the last broken JSON line was refused; "" when none was.
const char *mail_log_last_error(const struct mail_log *l);
void mail_log_status(const struct mail_log *l, struct control_status *s);
const struct mail_log_stats *mail_log_stats(const struct mail_log *l);
const struct mail_join_stats *mail_log_join_stats(const struct mail_log *l);
