// What the table of sensor.mail_log cannot express.
#pragma once

#include "common/conf.h"
#include "common/daemon.h"

// At a start that reads logs, and of --check: keys that need one another, a mailbox domain that is none, the wrong
// one of two key files. 0, or EX_CONFIG after having said all that is wrong, with its place.
int mail_check(const struct daemon *d);

// The same of what a log that is followed needs.
int mail_check_live(const struct daemon *d);

// --check of the places that are named: logs that could never come, are folders, or the same file twice; folders of state
// and map that are not there; a section that names no log at all.
int mail_check_places(const struct daemon *d);

// Of the names the first that is the same file as `name[at]`, there or not: `at` itself when it is the only one.
size_t mail_check_repeats(const struct conf_strings *names, size_t at);
