// What of a party's mail lies under TLS, and which detectors therefore say nothing of it.
//
//   {"sentence":...,"sessions":[{"role":"mx","window_s":86400,"sessions":40,"under_tls":40},...],"detectors":[names]}
//
// Sessions with mail servers are counted over a day, those with submission servers and the smarthost over an hour, as
// long as each is remembered. What the smarthost's own log tells is no secret: its sessions are left out then.
#pragma once

#include "common/json.h"
#include "engine_parts.h"

// A new reference: null when no session was under TLS. `*most`: more than half of the sessions were.
json_t *unread_to_json(const struct engine *e, const struct party_state *p, int64_t now_ms,
                       bool *most);
