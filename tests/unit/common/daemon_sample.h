// A program on the skeleton for the skeleton's tests, and the means to run it: the test executable
// starts itself again, with POSTERN_TEST_DAEMON set, as that program.
#pragma once

#include <sys/types.h>

#include "common/daemon.h"

extern const struct daemon_spec sample_spec;

struct sample_run {
    pid_t pid;
    char folder[64]; // holds out, err and what a test writes there
};

// Starts the program with the words of `args` (NULL-terminated) behind its name.
void sample_start(struct sample_run *r, const char *const *args);

// Waits for its end; the exit code, or 1000 plus the signal.
int sample_wait(struct sample_run *r);

// sample_start and sample_wait.
int sample_run(struct sample_run *r, const char *const *args);

// What it has written until now to "out" or "err"; valid until the next call.
const char *sample_text(const struct sample_run *r, const char *file);

// Waits until `file` holds `text`; false after ten seconds.
bool sample_await(const struct sample_run *r, const char *file, const char *text);

// A file in the folder; returns its path, valid until the next call.
const char *sample_file(const struct sample_run *r, const char *name, const char *text);

// A new folder; removed with all it holds by sample_fini.
void sample_init(struct sample_run *r);
void sample_fini(struct sample_run *r);
