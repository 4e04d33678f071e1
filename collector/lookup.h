// "Whose was this address then?", as the desk asks it: the party with confidence, doubts and age of what is
// known, and everybody else who held the address about that time. Each look-up says what for.
#pragma once

#include "common/control_socket.h"
#include "leases.h"

#define LOOKUP_WINDOW_DEFAULT_MS (30 * 60 * 1000)
#define LOOKUP_WINDOW_MAX_MS     (7 * INT64_C(86400000))
#define LOOKUP_OTHERS_MAX        64

struct lookup {
    struct realm realm;
    struct ip_addr addr;
    uint16_t port; // 0: not known
    int64_t t_ms;  // 0: now
    int64_t window_ms;
    char purpose[200];
};

// "192.0.2.7", "192.0.2.7:4711", "[2001:db8::7]:4711", "vlan:7/10.0.0.1", each with "@2026-11-22T05:52:00Z" behind
// it or nothing. 0, or -EINVAL with what to write in `error`; times and purpose are the caller's.
int lookup_parse(const char *text, struct lookup *out, char error[static 200]);
// "90s", "30m", "2h", "1d". False: none, or longer than a week.
bool lookup_window(const char *text, int64_t *out_ms);

// The answer as a JSON object (docs/formats/control.md); a new reference. NULL: out of memory.
json_t *lookup_answer(const struct leases *l, const struct lookup *q, int64_t now_ms);

// The command `lookup` of the control socket: `address`, `window` and `purpose` of the request. Logged.
json_t *lookup_control(const struct leases *l, const json_t *request, int64_t now_ms,
                       struct control_error *error);
// The file job: one line on standard output. A sysexits code.
int lookup_job(const struct leases *l, const char *address, const char *window,
               const char *purpose);
