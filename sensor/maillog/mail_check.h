// What the table of sensor.mail_log cannot express.
#pragma once

#include "common/daemon.h"

// At a start that reads logs, and of --check: keys that need one another, a mailbox domain that is none, the wrong
// one of two key files. 0, or EX_CONFIG after having said all that is wrong, with its place.
int mail_check(const struct daemon *d);

// The same of what a log that is followed needs.
int mail_check_live(const struct daemon *d);
