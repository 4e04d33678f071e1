// Lines of Exim's main log (4.x, message ids of 16 and of 23 characters), from its file or through syslog.
#pragma once

#include "maillog/mail_line.h"
#include "maillog/mail_note.h"

// `text` stands behind the stamp and, when there is one, the syslog head. True: it is of Exim's form.
bool exim_read(struct span text, struct mail_note *note);
