// `postern-sensor check IFACE`: looks at an interface for a while and says whether it shows what a sensor
// needs; each failure names its fix.
#pragma once

#include "common/daemon.h"

int check_open(struct daemon *d);
void check_abandon(struct daemon *d);
// No interface was named: says which there are.
int check_usage(void);
// 0: fit; EX_DATAERR: something failed; another sysexits code when it could not be looked.
int check_run(struct daemon *d);
