// Names of the directions a mirror may be cut down to.
#include "mirror.h"

const char *const mirror_direction_names[] = {"both", "out", "in", NULL};
