// A replay by root under a configuration with site.user: the stages become that user, so the folder must
// be theirs and the captures readable for them.
#pragma once

#include <stddef.h>

#include "command/state_dir.h"

// 0, or a sysexits code after a line on standard error. Without root, configuration or site.user there is
// nothing to do.
int replay_user_prepare(const char *config, char *const *captures, size_t count,
                        const struct state_dir *dir);
