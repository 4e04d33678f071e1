// The sensor as a daemon: interfaces, the packet path, and time that goes on without packets. One process
// of a port, or the first that keeps the others (workers.h). The functions are those of daemon.h.
#pragma once

#include "common/daemon.h"

// The interfaces of the command line, else those of the configuration. How many; 0: none.
size_t live_interfaces(const struct daemon *d, const char **out, size_t max);

// What of the configuration is wrong for a live sensor: 0 or EX_CONFIG, said. More with --check, when nothing
// is opened after it.
int live_check(const struct daemon *d);
int live_open(struct daemon *d);
void live_sandbox(const struct daemon *d, struct sandbox *s);
int live_start(struct daemon *d);
int live_reload(struct daemon *d, void *new_conf);
void live_status(struct daemon *d, struct control_status *out);
void live_stop(struct daemon *d);
void live_abandon(struct daemon *d);
