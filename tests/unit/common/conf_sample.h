// A configuration with every type of key, for the tests of the configuration.
#pragma once

#include "common/conf.h"

struct sample_output {
    char *url;
    int64_t retries;
    struct conf_strings labels;
};

struct sample {
    bool flag;
    int64_t number;
    int64_t any_number;
    double ratio;
    int64_t idle_ms;
    int64_t memory;
    char *text;
    char *maybe;
    char *file;
    int mode;
    struct conf_prefixes nets;
    struct conf_strings words;
    struct {
        int64_t depth;
        struct {
            char *leaf;
        } inner;
    } sub;
    struct conf_list outputs;
};

extern const struct conf_key sample_keys[];

// `sensor: {must: ...}`: a section with a required key.
struct strict {
    char *must;
};

extern const struct conf_key strict_keys[];
