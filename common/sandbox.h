// What a program may still do once its resources are open: which system calls, which paths, which
// capabilities. A program says it in `sandbox` of its daemon_spec; the skeleton keeps the capabilities
// when it drops rights, and closes the rest before `start`.
//
// Paths are enforced by landlock (Linux 5.13 and later), system calls by a seccomp filter that is a list
// of what is allowed: what is not in it fails with EPERM and stands in the kernel's audit log. A kernel or
// container that lacks one of them costs a warning, not the start. docs/adr/0008-sandbox.md.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Groups of system calls beyond what every program needs. That is: memory, time, signals, its own
// descriptors, opening files (the paths decide which), Unix sockets.
enum sandbox_calls {
    SANDBOX_WRITES = 1,    // making, renaming and removing files
    SANDBOX_NETWORK = 2,   // new IPv4 and IPv6 sockets (those from `open` work without)
    SANDBOX_PACKETS = 4,   // asking an interface for its state: live capture (its sockets are open)
    SANDBOX_PROCESSES = 8, // children and threads, signals to them
    SANDBOX_EXEC = 16,     // other programs; with SANDBOX_PROCESSES
    SANDBOX_CODE = 32,     // executable memory: libraries loaded late, compiled patterns
};

struct sandbox;

struct sandbox *sandbox_new(void); // NULL: out of memory
void sandbox_free(struct sandbox *s);

// Each of these adds; what cannot be added (out of memory) shows in sandbox_apply.
void sandbox_allow(struct sandbox *s, unsigned calls); // of enum sandbox_calls
// A capability (CAP_NET_RAW) that outlives the change of user, if it was held.
void sandbox_keep(struct sandbox *s, int capability);
// A file, or a folder with all below. One that does not exist is passed over: to let a file be made, its
// folder is named. NULL: nothing.
void sandbox_read(struct sandbox *s, const char *path);
void sandbox_write(struct sandbox *s, const char *path); // and read
void sandbox_run(struct sandbox *s, const char *path);   // and read
// What is made anew, or replaced: a folder that is there, or else the folder where it is to be. Of a file
// that others replace the folder is read in the same way.
void sandbox_make(struct sandbox *s, const char *path);
void sandbox_follow(struct sandbox *s, const char *path);
// The only remote TCP ports that may be connected to, for SANDBOX_NETWORK; none named: all.
void sandbox_connect(struct sandbox *s, uint16_t port);

unsigned sandbox_calls_of(const struct sandbox *s);
// The capabilities kept, as bits.
uint64_t sandbox_kept(const struct sandbox *s);

struct sandbox_result {
    int landlock_abi;    // 0: not in force
    bool calls_filtered; // seccomp is in force
    char missing[200];   // what is not in force and why; "" when all is
};

// Closes the sandbox around this process and its children, for good; no_new_privs must be set. 0, with
// what the kernel could not do in `missing`; -ENOMEM, -EINVAL (a path that can be no rule).
int sandbox_apply(const struct sandbox *s, struct sandbox_result *out);

// Only this: sockets other than Unix ones fail with EACCES. For a program that is no daemon.
int sandbox_refuse_network(void);
