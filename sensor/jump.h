// One packet of a capture whose time is wrong: a card's or a broker's stamp that jumps far ahead, and the next
// packet is back in its place. Its time must not end every connection that waits for something.
//
// Whether a time that is far ahead (JUMP_US) is the stream's, where nothing was sent for a while, or this packet's
// alone, the next packet tells. So the last of a batch may have to be
// held, with its octets, until then. A time that goes back needs nothing of this: the packet counts at the
// latest time seen (`clock_back`).
#pragma once

#include "source.h"

#define JUMP_US INT64_C(2000000)

struct jump {
    int64_t now_us; // the stream's time, once begun
    bool begun, holds;
    struct source_frame held;
    uint8_t *octets; // owned
    size_t room;
    uint64_t *count; // of packets put back in their place; borrowed
};

void jump_init(struct jump *j, uint64_t *count);
void jump_fini(struct jump *j);
// Looks at `n` frames in their order and corrects their times. Returns how many of them go on now: all, or all
// but the last, which is then held.
size_t jump_judge(struct jump *j, struct source_frame *frame, size_t n);
// The frame that was held, with its time judged by what comes behind it (NULL: nothing); false: none is. Its
// octets are borrowed until the next call of jump_judge.
bool jump_release(struct jump *j, const struct source_frame *next, struct source_frame *out);
