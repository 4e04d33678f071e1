// The Unix socket behind control.h: a program serves it from its loop, the command and the pages ask.
//
// One line of JSON each way, at most CONTROL_LINE_MAX octets; a longer line, one that is no JSON object,
// another version or an unknown command gets an error answer and the connection stays. At most
// CONTROL_CLIENTS_MAX connections; one that says nothing for CONTROL_IDLE_MS is closed. The socket is
// made with mode 0600 in `site.run_directory`; who may ask is who may open it (SO_PEERCRED is logged
// with every command that changes something). docs/formats/control.md.
#pragma once

#include "common/control.h"
#include "common/loop.h"

#define CONTROL_CLIENTS_MAX 16
#define CONTROL_IDLE_MS     60000

struct control_error {
    const char *code; // constant: "unknown-command", "bad-argument", "not-found", "busy", "failed"
    char text[200];
    char fix[160];
};

// Answers `request` (borrowed, an object). Returns the result, a new reference, or NULL with `*error`
// filled. Must not block: what takes longer than some milliseconds is a file job of its own.
typedef json_t *(*control_fn)(void *ctx, const char *command, const json_t *request, int64_t now_ms,
                              struct control_error *error);

struct control_server;

// Listens at `path`; a socket that nobody serves any more is replaced, one that is served is -EADDRINUSE.
// `l`, `fn` and `ctx` are borrowed. Negative errno.
int control_server_open(struct loop *l, const char *path, control_fn fn, void *ctx,
                        struct control_server **out);
void control_server_close(struct control_server *s); // removes the socket

// "/run/postern/postern-sensor.sock". -ENAMETOOLONG: no Unix socket may be named so.
int control_socket_path(const char *run_directory, const char *program, char *out, size_t size);

// Asks and waits. 0: `*result` is a new reference. -EPROTO: the program said no, `error` has its code's text
// and fix; -ECONNREFUSED, -ENOENT: nobody is there; -ETIMEDOUT. `error` always says why, with the fix.
int control_ask(const char *path, json_t *request, int timeout_ms, json_t **result,
                char error[static 400]);
