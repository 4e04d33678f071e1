// The mail facility of systemd's journal, followed through journalctl -o json: a child whose output is read
// as it comes, started again when it ends, from the cursor of the last entry that was read.
#pragma once

#include "maillog/mail_lines.h"
#include "maillog/mail_state.h"

struct mail_journal;

// `command` is the program; with `cursor` "" what is logged from `now_ms` on is read. Negative errno.
int mail_journal_open(const char *command, const char *cursor, int64_t last_ms, int64_t now_ms,
                      struct mail_journal **out);
void mail_journal_close(struct mail_journal *j); // ends the child, by its number

// Hands out whole lines. 1: there may be more; 0: none for now. Starts the child again after a pause.
int mail_journal_read(struct mail_journal *j, int64_t now_ms, mail_lines_fn fn, void *ctx);
// Of the last entry handed out; "": none yet.
int64_t mail_journal_latest_ms(const struct mail_journal *j); // of the cursor's entry; 0: not known
const char *mail_journal_cursor(const struct mail_journal *j);
uint64_t mail_journal_restarts(const struct mail_journal *j);
bool mail_journal_running(const struct mail_journal *j);

// Reads again what was read before: the entries of five minutes up to the cursor, so that messages in the queue are
// known. Waits for them. 1: the cursor was met; 0: it was not; negative errno.
int mail_journal_warm_up(const char *command, const char *cursor, int64_t last_ms, mail_lines_fn fn,
                         void *ctx);
