// What the table of keys cannot say about section `collector`: addresses that are none, keys that need one another, and two
// keys for one place. Asked by --check, at the start and before a reload.
#pragma once

#include <stdio.h>

#include "config.h"

// All that is wrong goes to `errors`, a line each, with its place in the configuration file `path` (NULL: none). 0 or -EINVAL.
int conf_check_collector(const struct collector_conf *conf, const char *path, FILE *errors);
