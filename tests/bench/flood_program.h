// The kernel's side of bench_flood: a BPF program that turns each frame of a test run into the next of a
// capture, when it is due.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FLOOD_FRAME_MAX 2048

// A frame in its place, as the program reads it. The last two octets of both addresses are changed from
// round to round, so that a capture sent again has other connections; at 0 there is no address.
struct flood_frame {
    uint32_t len;
    uint32_t end_at[2];  // offsets of those octets
    uint16_t end_was[2]; // the octets themselves
    uint32_t unused;
    uint8_t octet[FLOOD_FRAME_MAX];
};

// What the program goes by, and counts in.
struct flood_state {
    uint64_t sent;
    uint64_t start_ns; // CLOCK_MONOTONIC
    uint64_t step;     // nanoseconds from frame to frame, in 1024ths
};

struct flood_program {
    int program, frames, state; // descriptors
    uint32_t count;
    uint16_t first_round;
};

// Each 0 or a negative errno.
int flood_program_load(const struct flood_frame *frame, uint32_t count, uint16_t first_round,
                       struct flood_program *out);
int flood_program_begin(struct flood_program *p, uint64_t start_ns, uint64_t step);
int flood_program_state(const struct flood_program *p, struct flood_state *out);
// Hands `frames` of them to the kernel as received from the interface with that index.
int flood_program_run(const struct flood_program *p, unsigned interface, uint32_t frames);
void flood_program_close(struct flood_program *p);
