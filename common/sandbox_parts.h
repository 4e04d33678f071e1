// What the files of the sandbox say to each other. Inside of sandbox*.c.
#pragma once

#include <stddef.h>

#include "common/sandbox.h"

// With a sanitizer or a coverage count the program is an instrument of ours, which must be able to read
// itself and to write down what it saw.
#if defined(__SANITIZE_ADDRESS__)
#define INSTRUMENTED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define INSTRUMENTED 1
#endif
#endif

#define SANDBOX_PATHS_MAX 64
#define SANDBOX_PORTS_MAX 16

enum sandbox_access { SANDBOX_READS, SANDBOX_CHANGES, SANDBOX_RUNS };

struct sandbox_path {
    char *path; // owned
    enum sandbox_access access;
};

struct sandbox {
    unsigned calls;
    uint64_t kept;
    struct sandbox_path path[SANDBOX_PATHS_MAX];
    size_t paths;
    uint16_t port[SANDBOX_PORTS_MAX];
    size_t ports;
    bool failed; // a rule is missing: out of memory, or too many
};

// Landlock's version in force (0: the kernel has none, or refused), or a negative errno.
int sandbox_paths_apply(const struct sandbox *s);

// 0, or a negative errno: the filter is not in force.
int sandbox_calls_apply(unsigned calls);
