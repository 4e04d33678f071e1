// The live collector: listens, keeps sessions, syncs the intake, acknowledges; enrols and revokes sensors.
#pragma once

#include "common/control_socket.h"
#include "intake.h"

struct listen;

// Binds what collector.listen and collector.enroll say, and opens the authority. Errors are logged. 0 or a sysexits code.
int listen_open(const struct collector_conf *conf, const struct conf_site *site, int64_t now_ms,
                struct listen **out);
// Begins to take connections.
int listen_start(struct listen *n, struct loop *l, struct intake *in, int64_t silent_after_ms);
void listen_close(struct listen *n);
// New certificates from the files, new limits.
void listen_reload(struct listen *n, const struct collector_conf *conf);

// The commands `enroll` {"name","domains":[..]|"any"|"auto","prefixes":[..]}, which gives {"name","token","valid_s","domains":"16-20"}, and
// `revoke` {"name"}; as control_fn.
json_t *listen_control(struct listen *n, const char *command, const json_t *request, int64_t now_ms,
                       struct control_error *error);
void listen_status(const struct listen *n, struct control_status *s, int64_t now_ms);
