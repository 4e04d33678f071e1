// Commands to a running program and what it says of itself.
//
// One Unix socket a program (/run/postern/NAME.sock, owner only). A request is one line of JSON, so
// is the answer; the connection may be used again. docs/formats/control.md.
//     > {"v":1,"command":"status"}
//     < {"v":1,"ok":true,"result":{...}}
//     < {"v":1,"ok":false,"error":{"code":"unknown-command","text":"...","fix":"..."}}
// A file job writes the same status object to the file named by --status.
#pragma once

#include <stdint.h>

#include "common/json.h"

#define CONTROL_VERSION  1
#define CONTROL_LINE_MAX 65536

// Who takes which.
#define CONTROL_COMMANDS(X)                                                                  \
    X(status, "all", "status document")                                                      \
    X(reload, "all", "read the configuration again; the old one stays when it is not valid") \
    X(loglevel, "all", "set the log level")                                                  \
    X(enroll, "collector", "one-time token for a new sensor")                                \
    X(revoke, "collector", "a sensor may no longer speak; its live session ends")            \
    X(lookup, "collector", "party of an address at a time")                                  \
    X(why, "analysis", "explain a verdict or its absence")                                   \
    X(exempt, "analysis", "add, list or end an exemption: owner, reason, expiry")            \
    X(role, "analysis", "set or show the role of a party")                                   \
    X(ticket, "feed", "show, confirm, close or release a ticket")                            \
    X(hold, "feed", "stop or resume automatic remedies")                                     \
    X(add, "enforce", "address, action and time to live")                                    \
    X(delete, "enforce", "address and action")

// The status document of every program; counters and lists are added by the program.
//   {"v":1,"program":"postern-sensor","version":"0.1.0","state":"ok|degraded|failed",
//    "time":RFC 3339 (packet time in replays),"conf_hash":...,
//    "counters":{name:number,...},            monotonic since start
//    "skipped":{"ethertype 0x88e5":12031},    what could not be opened, by name (sensor)
//    "problems":[{"code":...,"text":...,"fix":...}],
//    "not_visible":[{"detector":...,"why":...}],   (analysis)
//    "inputs":[{"name":...,"state":"whole|truncated|broken|empty","text":...}]}   (file jobs)
// It fits a control line whatever is put in: of problems of one code eight are told one by one and a last
// one says how many more there are, of inputs some twenty thousand octets and counter `inputs_not_shown`.
// So: what is worst first. `code` is a constant.
struct control_status;

struct control_status *control_status_new(const char *program); // NULL: out of memory
void control_status_free(struct control_status *s);
void control_status_time(struct control_status *s, int64_t t_ms);
void control_status_conf_hash(struct control_status *s, const char *hash);
void control_status_counter(struct control_status *s, const char *name, uint64_t value);
void control_status_skipped(struct control_status *s, const char *name, uint64_t count);
// The worst state given wins: 0 ok, 1 degraded, 2 failed.
void control_status_problem(struct control_status *s, int state, const char *code, const char *text,
                            const char *fix);
void control_status_not_visible(struct control_status *s, const char *detector, const char *why);
void control_status_input(struct control_status *s, const char *name, const char *state,
                          const char *text);
// A new reference to the document, for programs with more to say.
json_t *control_status_json(struct control_status *s);
// Written whole or not at all (temporary file, rename). Negative errno, out of memory included.
int control_status_write(struct control_status *s, const char *path);
// A JSON string of at most 1,023 octets of `s`; what is no UTF-8 becomes "?". NULL: out of memory.
json_t *control_text(const char *s);
// What stands between a problem's text and its fix when both are put in one line.
const char *control_joint(const char *text, const char *fix);
// Reads a status document; -EINVAL when it is none.
int control_status_read(const char *path, json_t **out, char error[static 160]);

// ---- File jobs: the options by which one stage follows another. `postern replay` uses these.
//   postern-sensor    -r CAPTURE ... -o RECORDS
//   postern-collector -r RECORDS ... -j JOURNAL-DIR
//   postern-series    -j JOURNAL-DIR -d RRD-DIR
//   postern-analysis  -j JOURNAL-DIR -o VERDICTS
//   postern-feed      -r VERDICTS -d TICKETS.db -o TICKETS.jsonl
//   postern-web       -d TICKETS.db -s RRD-DIR [-l 127.0.0.1:8080]
// Each also takes -c CONFIG and --status FILE.
