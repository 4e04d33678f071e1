// Holds nothing: it is compiled once with each room's flags, so that build_refuses.sh can try other
// includes with the very same command.
#include "common/span.h"

extern int style_probe;
int style_probe;
