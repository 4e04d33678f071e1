// postern-collector as a daemon: its open, start, reload, status and stop (daemon.h).
#pragma once

#include "common/control.h"
#include "common/daemon.h"

// Is there something to listen for, and nothing to read from files?
bool live_wanted(const struct daemon *d);

int live_open(struct daemon *d);
void live_sandbox(const struct daemon *d, struct sandbox *s);
int live_start(struct daemon *d);
int live_reload(struct daemon *d, void *new_conf);
void live_status(struct daemon *d);
void live_status_fill(struct daemon *d, struct control_status *s);
json_t *live_command(struct daemon *d, const char *command, const json_t *request, int64_t now_ms,
                     struct control_error *error);
void live_stop(struct daemon *d);
