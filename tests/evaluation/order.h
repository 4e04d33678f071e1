// Events of flows in the order in which rows are cut: by line, then by time.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum what { STARTS, ANSWERED, ENDS };

struct event {
    int64_t t_ms;
    uint32_t line, flow;
    uint8_t what;
};

struct order { // zeroed is valid; free with order_fini
    struct event *spare;
    size_t *place;
    size_t spare_cap, place_cap;
};

void order_events(struct order *o, struct event *event, size_t count);
void order_fini(struct order *o);
