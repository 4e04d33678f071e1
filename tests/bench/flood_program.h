// The kernel's side of bench_flood: a BPF program that turns each frame of a test run into the next of a
// capture, when it is due.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FLOOD_FRAME_MAX 2048

// A frame in its place, as the program reads it, and behind it its octets. The last two octets of both
// addresses are changed from round to round, so that a capture sent again has other connections; at 0 there
// is no address.
struct flood_frame {
    uint32_t len;
    uint32_t next;       // where the next frame stands; 0: this one ends a round
    uint32_t end_at[2];  // offsets of those octets
    uint16_t end_was[2]; // the octets themselves
    uint32_t unused;
};

// Frames one behind the other, so that the processor that receives reads them as it would a stream: a card
// puts what it receives into the cache, and a frame far from the one before would be waited for.
struct flood_pack {
    uint8_t *octet; // owned
    size_t size, room, last;
    uint32_t count;
};

// What the program goes by, and counts in.
struct flood_state {
    uint64_t sent;
    uint64_t wanted;   // no more than these
    uint64_t start_ns; // CLOCK_MONOTONIC
    uint64_t end_ns;   // when the last of them was sent; 0: it was not
    uint64_t step;     // nanoseconds from frame to frame, in 1024ths
    uint64_t at;       // of the next frame
    uint64_t round;    // its low octet changes an address's last one
};

struct flood_program {
    int program, frames, state; // descriptors
    uint16_t first_round;
};

// Behind those that are there: `*f` and its `f->len` octets, at most FLOOD_FRAME_MAX. -ENOMEM.
int flood_pack_add(struct flood_pack *p, const struct flood_frame *f, const uint8_t *octets);
// Octets of the first `sent` frames, the pack over and over.
uint64_t flood_pack_octets(const struct flood_pack *p, uint64_t sent);
void flood_pack_fini(struct flood_pack *p);

// Each 0 or a negative errno.
int flood_program_load(const struct flood_pack *pack, uint16_t first_round,
                       struct flood_program *out);
int flood_program_begin(struct flood_program *p, uint64_t wanted, uint64_t start_ns, uint64_t step);
int flood_program_state(const struct flood_program *p, struct flood_state *out);
// Hands frames to the kernel as received from the interface with that index, until `tries` were taken: a try
// before a frame is due, or behind the last one, gives none. -EINTR: a signal came.
int flood_program_run(const struct flood_program *p, unsigned interface, uint32_t tries);
void flood_program_close(struct flood_program *p);
