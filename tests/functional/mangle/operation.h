// What may be done to a capture: each operation makes a new capture from an old one. Registry in
// main.c, implementations in wrap.c (layers around the packet), cut.c (the same octets in smaller
// pieces) and disorder.c (order, copies, loss).
#pragma once

#include "capture.h"

#define OPERATION_NUMBERS 2

struct operation_input {
    const struct capture *in;
    uint32_t number[OPERATION_NUMBERS];
    uint64_t random; // state of operation_random, seeded
};

struct operation {
    const char *name;
    const char *numbers; // what its numbers mean, for the help; "" for none
    uint32_t standard[OPERATION_NUMBERS];
    void (*apply)(struct operation_input *o, struct capture *out);
};

// SplitMix64 (Steele, Lea and Flood 2014): the same seed gives the same octets.
uint64_t operation_random(struct operation_input *o);

void wrap_qinq_pppoe(struct operation_input *o, struct capture *out);
void wrap_mpls(struct operation_input *o, struct capture *out);
void wrap_pseudowire(struct operation_input *o, struct capture *out);
void wrap_vxlan(struct operation_input *o, struct capture *out);
void wrap_gre(struct operation_input *o, struct capture *out);
void wrap_erspan(struct operation_input *o, struct capture *out);
void wrap_ipip(struct operation_input *o, struct capture *out);
void wrap_ds_lite(struct operation_input *o, struct capture *out);

// number[0]: octets of the IP body in a fragment.
void cut_fragments(struct operation_input *o, struct capture *out);
// number[0]: octets in a segment; number[1]: kilobytes of each direction that are cut.
void cut_segments(struct operation_input *o, struct capture *out);

// number[0]: milliseconds, number[1]: packets within which the order is random.
void disorder_shuffle(struct operation_input *o, struct capture *out);
// number[0]: microseconds within which the copy follows.
void disorder_double(struct operation_input *o, struct capture *out);
// number[0]: packets lost of ten thousand.
void disorder_drop(struct operation_input *o, struct capture *out);
