// See graph_view.h.
#include "web/graph_view.h"

#include <errno.h>
#include <string.h>

const struct graph_viewing graph_views[GRAPH_VIEWS] = {
    [GRAPH_CONNECTIONS] = {"connections",
                           "Mail connections by outcome",
                           "a minute",
                           false,
                           3,
                           {{SERIES_ESTABLISHED, 0, false, false, "established"},
                            {SERIES_REFUSED, 1, true, false, "refused"},
                            {SERIES_UNANSWERED, 2, true, false, "unanswered"}}},
    [GRAPH_PEERS] = {"peers",
                     "Distinct mail servers",
                     "a minute",
                     false,
                     1,
                     {{SERIES_PEERS, 3, false, false, "servers"}}},
    [GRAPH_MAIL] = {"mail",
                    "Messages and recipients",
                    "a minute",
                    false,
                    2,
                    {{SERIES_RECIPIENTS, 1, false, false, "recipients"},
                     {SERIES_MESSAGES, 3, false, false, "messages"}}},
    [GRAPH_SOCKS] = {"socks",
                     "SOCKS sessions, in above and out below",
                     "a minute",
                     false,
                     2,
                     {{SERIES_SOCKS_IN, 2, false, false, "in"},
                      {SERIES_SOCKS_OUT, 3, false, true, "out"}}},
    [GRAPH_PACKETS] = {"packets",
                       "Packets of the mirror",
                       "a minute",
                       true,
                       2,
                       {{SERIES_SENSOR_PACKETS, 3, false, false, "packets"},
                        {SERIES_SENSOR_DROPPED, 2, false, false, "dropped"}}},
    [GRAPH_FLOWS] = {"flows",
                     "TCP flows",
                     "a minute",
                     true,
                     3,
                     {{SERIES_SENSOR_SUBSCRIBER_FLOWS, 1, false, false, "any protocol"},
                      {SERIES_SENSOR_TCP_FLOWS, 3, false, false, "TCP"},
                      {SERIES_SENSOR_MAIL_FLOWS, 0, false, false, "mail"}}},
    [GRAPH_LOSS] = {"loss",
                    "Loss of the capture",
                    "in a million",
                    true,
                    1,
                    {{SERIES_SENSOR_LOSS_PPM, 2, false, false, "loss"}}},
};

const char *graph_view_name(unsigned view)
{
    return view < GRAPH_VIEWS ? graph_views[view].name : NULL;
}

const char *graph_view_title(unsigned view)
{
    return view < GRAPH_VIEWS ? graph_views[view].title : NULL;
}

int graph_view_parse(const char *name)
{
    for (int v = 0; v < GRAPH_VIEWS; v++)
        if (strcmp(name, graph_views[v].name) == 0)
            return v;
    return -EINVAL;
}

bool graph_view_fits(unsigned view, enum series_kind kind)
{
    return view < GRAPH_VIEWS && graph_views[view].sensor == (kind == SERIES_SENSOR);
}

// Colours that differ in lightness too, so that they can be told apart without seeing hue.
const struct graph_shade graph_shades[2][GRAPH_SHADES] = {
    {{"#8fbf9f", "#2f6b45"},
     {"#e8bd7f", "#9a5b13"},
     {"#d0605e", "#8c1c1a"},
     {"#9bbce4", "#1f4e8c"}},
    {{"#4f8f68", "#9fe0b8"},
     {"#b87a2c", "#f2c078"},
     {"#b5403d", "#f59a98"},
     {"#3f6fae", "#a9cbf5"}},
};

bool graph_is_stacked(unsigned view)
{
    return graph_views[view].lines > 1 && graph_views[view].line[1].stacked;
}
