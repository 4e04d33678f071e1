// Which keys of the section `sensor` a running sensor cannot take over: what they say is opened or sized at
// the start. A key is one of them unless fixed.c says that a reload takes it over.
#pragma once

#include "sensor_conf.h"

// Logs a line for each that differs and returns how many there are. `asked`: interfaces stand on the command
// line, and sensor.interfaces says nothing. A domain of 0 in `now` is yet to be settled, and no difference.
unsigned fixed_tell(const struct sensor_conf *old, const struct sensor_conf *now, bool asked);

// The line itself, for what is known elsewhere. Counts 1.
unsigned fixed_say(const char *key);
