// Up to where each log was read, kept over restarts: a JSON document, written whole or not at all.
//     {"v":1,"files":{"/var/log/mail.log":{"device":..,"inode":..,"offset":..,"check":"hex","check_len":..}},
//      "journal":"cursor","journal_ms":..,"ended":true}
#pragma once

#include "maillog/mail_follow.h"

#define MAIL_CURSOR_MAX 256

struct mail_state;

// A file that is not there is an empty state; one that is no state document is -EINVAL. Negative errno.
int mail_state_load(const char *path, struct mail_state **out);
void mail_state_free(struct mail_state *s);

// False: this file has no position yet.
bool mail_state_get(const struct mail_state *s, const char *file, struct mail_position *out);
int mail_state_put(struct mail_state *s, const char *file,
                   const struct mail_position *p);         // -ENOMEM
const char *mail_state_cursor(const struct mail_state *s); // "": none
int64_t mail_state_cursor_ms(const struct mail_state *s);  // of its entry; 0: not known
int mail_state_put_cursor(struct mail_state *s, const char *cursor, int64_t t_ms);
// Did the sensor end with all told? Of a state without a word on it: no.
bool mail_state_ended(const struct mail_state *s);
int mail_state_put_ended(struct mail_state *s, bool ended);
int mail_state_write(const struct mail_state *s, const char *path); // negative errno
