// The views there are: which sources of a series stand in a picture, how, and in what colours.
#pragma once

#include "web/graph.h"

enum { GRAPH_LINES_MAX = 3, GRAPH_SHADES = 4 };

// A source of a picture: its label, its shade, whether it lies on the one before, or below zero.
struct graph_line {
    uint8_t source;
    uint8_t shade;
    bool stacked, below;
    const char *label;
};

struct graph_viewing {
    const char *name, *title, *unit;
    bool sensor;
    unsigned lines;
    struct graph_line line[GRAPH_LINES_MAX];
};

extern const struct graph_viewing graph_views[GRAPH_VIEWS];

struct graph_shade {
    const char *fill, *line;
};

extern const struct graph_shade graph_shades[2][GRAPH_SHADES]; // light, dark

bool graph_is_stacked(unsigned view); // do its areas and lines lie on one another?
