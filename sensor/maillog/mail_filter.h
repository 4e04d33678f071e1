// Verdicts of content filters in their own logs: amavis, rspamd, spampd, clamav-milter. Each names the
// message by its queue id or its Message-ID.
#pragma once

#include "maillog/mail_line.h"
#include "maillog/mail_note.h"

// True: the line is of one of these programs. `note` comes with its time and process.
bool mail_filter_read(const struct mail_line *line, struct mail_note *note);
