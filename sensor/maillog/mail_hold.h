// How many recipients did the client give? Postfix says how many a message has when aliases have made a list of
// them; what the client gave stands in its "disconnect ... rcpt=2/3", mostly right behind. So the record of a
// message with several recipients waits for that line, two seconds at most, and then counts the smaller number.
//
// Limit: of a session that goes on for longer the queue's number counts.
#pragma once

#include "maillog/mail_table.h"

#define MAIL_HOLD_RECORDS 256
#define MAIL_HOLD_MS      2000

struct mail_join;
struct mail_hold;

struct mail_hold *mail_hold_new(void); // NULL: out of memory
void mail_hold_free(struct mail_hold *h);

// Keeps the joiner's record until the session of this key ends. The one that waited longest gives way.
void mail_hold_put(struct mail_join *j, uint64_t session);
// The session ended; it had `given` recipients accepted. They are shared out among its messages.
void mail_hold_settle(struct mail_join *j, struct mail_entry *session, uint32_t given,
                      int64_t t_ms);
// Tells what has waited for long enough.
void mail_hold_expire(struct mail_join *j, int64_t t_ms);
