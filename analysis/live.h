// The running analysis: follows the journal, appends verdicts to their file, saves its state now and then
// and answers commands.
//
// After a stop or a crash it takes up the saved state and reads the journal from there; what it had
// said since then it says again, the same, and the file of verdicts is not written twice (stream.h). With
// no state that it can read it begins with the oldest segment.
#pragma once

#include "common/daemon.h"
#include "engine.h"

struct live;

// 0 or a sysexits code after having said why.
int live_open(struct daemon *d, struct live **out);
int live_start(struct live *l);  // adds its timers to the loop
void live_close(struct live *l); // saves the state

int live_reload(struct live *l, const struct settings *settings);
void live_status(const struct live *l, struct control_status *out);

// `why`, `exempt`, `role`; others are unknown. A new reference, or NULL with `error` filled.
json_t *live_command(struct live *l, const char *command, const json_t *request,
                     struct control_error *error);
