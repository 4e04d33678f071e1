// The command line.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OPTIONS_INJECT_MAX = 32 };

enum options_action {
    OPTIONS_GENERATE,
    OPTIONS_LIST,
    OPTIONS_HELP,
    OPTIONS_VERSION,
    OPTIONS_CHECK
};

struct options { // texts are borrowed from argv
    enum options_action action;
    const char *scenario, *capture, *truth, *config_out, *start, *wrap;
    const char *inject[OPTIONS_INJECT_MAX];
    size_t injects;
    uint64_t seed;
    int64_t lasts_ms; // 0: as the scenario says
    int64_t memory;   // octets for packets before they are spilt
    bool microseconds;
};

// 0, or EX_USAGE after one line on stderr.
int options_read(int argc, char **argv, struct options *out);
void options_help(void);
