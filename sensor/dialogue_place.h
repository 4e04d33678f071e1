// The places of dialogues: taken, listed by age, given up. For dialogue.c alone; a program sees dialogue.h.
#pragma once

#include "dialogue.h"
#include "flow.h"

// What reads the octets that wait.
enum dialogue_tongue { DIALOGUE_MAIL, DIALOGUE_TLS, DIALOGUE_OTHER, DIALOGUE_TONGUES };

// The octets of a usual segment, in order, borrowed until the end of the batch.
struct dialogue_waiting {
    struct flow *flow;
    struct span data;
    int64_t t_us;
    uint8_t dir;
    bool one_sided; // when it came
};

struct dialogue_queue {
    uint32_t count;
    struct dialogue_waiting item[FLOW_BATCH];
};

struct dialogues {
    struct dialogue *dialogue; // [0] is not used
    size_t count, in_use;
    size_t fresh;  // places from here on were never used
    uint32_t free; // 0: none
    struct {
        uint32_t oldest, newest; // 0: none
        size_t count;
    } list[2]; // by class: the rest, mail
    struct stream_pool *blocks;
    struct proto_pool *trackers;
    struct dialogue_queue queue[DIALOGUE_TONGUES];
};

void dialogue_list_out(struct dialogues *all, struct dialogue *d);
// As the newest of its class.
void dialogue_list_in(struct dialogues *all, struct dialogue *d, bool mail);
// Facts of the flow that the tracker is told before the first octet.
void dialogue_introduce(struct flow_table *t, const struct flow *f, struct dialogue *d);
// A place for the flow's dialogue, another's if need be; NULL: none may be followed, or there is no place.
struct dialogue *dialogue_open_place(struct flow_table *t, struct flow *f, int64_t t_us);
