// The commands `enroll` and `revoke` of the control socket; listen.h says what they take and give.
#pragma once

#include "common/control_socket.h"
#include "registry.h"
#include "sessions.h"

// `r` NULL: there is no authority.
json_t *sensor_command(struct registry *r, struct sessions *s, const char *command,
                       const json_t *request, int64_t now_ms, struct control_error *error);
