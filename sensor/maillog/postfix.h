// Lines of Postfix (smtpd, cleanup, qmgr, smtp, lmtp, local, virtual, pipe, error, bounce, pickup) and of
// the filters that stand beside it (amavis, rspamd, spampd, clamav-milter). Postfix 2.3 to 3.9; short
// and long queue ids; several instances by their syslog names.
#pragma once

#include "maillog/mail_line.h"
#include "maillog/mail_note.h"

// Which port a service of master.cf stands for when its syslog name does not say.
#define POSTFIX_PORT_DEFAULT 25

// True: the line is of one of these programs (and `note->kind` may still be MAIL_NOTE_NONE).
bool postfix_read(const struct mail_line *line, struct mail_note *note);
