// postern-collector as a daemon: its open, start, reload, status and stop (daemon.h).
#pragma once

#include "common/daemon.h"

// Is there something to listen for, and nothing to read from files?
bool live_wanted(const struct daemon *d);

int live_open(struct daemon *d);
int live_start(struct daemon *d);
int live_reload(struct daemon *d, void *new_conf);
void live_status(struct daemon *d);
void live_stop(struct daemon *d);
