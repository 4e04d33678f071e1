// Puts capture files into the order of their first packets.
#pragma once

#include <stddef.h>

// Sorts `paths` in place. Files whose time cannot be told keep their order, behind the others. The
// files are looked at in a sandboxed child. 0 or a negative errno.
int capture_order(char **paths, size_t count);
