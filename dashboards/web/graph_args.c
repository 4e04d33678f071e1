// librrd takes ':' and '\\' in a text as its own: they are escaped.
#include "web/graph_args.h"

#include <stdarg.h>
#include <stdio.h>

void graph_arg(struct graph_args *a, const char *fmt, ...)
{
    if (a->argc == GRAPH_ARGS_MAX)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(a->text[a->argc], GRAPH_ARG_MAX, fmt, ap);
    va_end(ap);
    a->argv[a->argc] = a->text[a->argc];
    a->argc++;
}

void graph_comment(struct graph_args *a, const char *text, const char *end)
{
    char safe[GRAPH_ARG_MAX - 16];
    size_t n = 0;
    for (; *text && n + 2 < sizeof safe; text++) {
        if (*text == ':' || *text == '\\')
            safe[n++] = '\\';
        safe[n++] = *text;
    }
    safe[n] = '\0';
    graph_arg(a, "COMMENT:%s%s", safe, end);
}
