// A block of a packet socket's ring (packet(7), TPACKET_V3): whose it is, and the frames in it one after
// the other. The kernel fills a block, hands it out when it is full or after a time-out, and gets it back
// whole.
//
// The outer VLAN tag, which the kernel takes out of a frame and keeps beside it, is put back in place: the
// addresses move into the gap that the kernel leaves before each frame.
#pragma once

#include "source.h"

struct ring_block {
    uint8_t *next;        // header of the frame that comes next
    uint32_t left;        // frames that were not handed out
    const uint8_t *ahead; // header that was fetched last
    uint32_t ahead_left;  // frames behind it that may be fetched
};

// Has the kernel handed it out? What it wrote before is visible then.
bool ring_block_ready(const uint8_t *block);
// Begins with the first frame of a block that is ready.
void ring_block_begin(uint8_t *block, struct ring_block *out);
// Up to `max` frames, Ethernet, none longer than `snaplen`; they stay where they are until the block is returned. 0:
// that was all.
size_t ring_block_next(struct ring_block *b, uint32_t snaplen, struct source_frame *out,
                       size_t max);
// Begins of the next `frames` to be handed out: one header a call is read, which the call before fetched, because where
// the next one stands is known from it alone. The processor that received them wrote them, so each would be waited for.
void ring_block_look_ahead(struct ring_block *b, uint32_t frames);
void ring_block_fetch(struct ring_block *b);
// To the kernel; nothing of it may be looked at any more.
void ring_block_return(uint8_t *block);
