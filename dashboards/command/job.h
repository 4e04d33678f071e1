// Runs one program of the house as a child, in the sandbox, and waits for it.
//
// While it runs, a line on the terminal says so (from two seconds on; elsewhere one every ten
// seconds). SIGINT and SIGTERM end the child first, then the wait. The child dies with its parent.
#pragma once

#include <stdbool.h>

struct job {
    const char *label;  // "sensor", for the progress line
    char *const *argv;  // argv[0] is the program's path
    const char *output; // its standard output goes to this file; NULL: to our own
    const char *log;    // its standard error, written anew; NULL: our own
    bool sandboxed;
    bool reads;    // our standard input is its own; else it has an empty one
    bool progress; // show the progress line on standard error
};

struct job_result {
    int status;  // exit status, when `signal` is 0
    int signal;  // it was ended by this signal
    int stopped; // we were asked to stop by this signal; the child is gone
};

// 0, or a negative errno when the child could not be started (-ENOENT: no such program).
int job_run(const struct job *j, struct job_result *out);

// Path of a program of the house: beside our own executable, in the sbin beside its bin, else in the
// folders of PATH, else in the usual sbin folders (which an ordinary user's PATH lacks). 0, or -ENOENT.
int job_find_program(const char *name, char *out, unsigned long size);
