// The arguments of rrd_graph_v, in storage of a fixed size.
#pragma once

#define GRAPH_ARGS_MAX 128
#define GRAPH_ARG_MAX  320

struct graph_args {
    char text[GRAPH_ARGS_MAX][GRAPH_ARG_MAX];
    char *argv[GRAPH_ARGS_MAX];
    int argc;
};

// What finds no room is left out, what is too long is cut.
void graph_arg(struct graph_args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// A text for the place below the picture, ended by `end` ("\\l": end of the line).
void graph_comment(struct graph_args *a, const char *text, const char *end);
