// The time axis of a picture: where lines stand and what they are called.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct graph_axis {
    const char *grid; // librrd's --x-grid; NULL: its own choice is right
    bool weeks;       // lines stand at the beginnings of weeks
};

// For a range of so many seconds, `narrow` for a picture of a phone's width.
struct graph_axis graph_axis_of(int64_t span_s, bool narrow);

// Weeks begin on Monday (ISO 8601), which librrd knows of the locale alone, and none may be installed. In
// "C" they begin on Sunday: so for pictures with weeks, local time is a day behind UTC, whose Monday is then a
// Sunday. Of other pictures it is UTC. For a process that only draws: it sets TZ.
void graph_axis_use(const struct graph_axis *a);
