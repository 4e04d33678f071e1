// The same traffic as another tap would have shown it: wrapped, cut, shuffled, doubled, thinned. Works
// on captures held in memory; frames that are no plain Ethernet with IP stay as they are.
#pragma once

#include "source.h"

struct mangle_frame {
    int64_t t_us;
    int linktype;
    uint8_t *data; // owned
    uint32_t cap, wire;
};

struct mangle_list {
    struct mangle_frame *frame; // owned
    size_t count, room;
};

enum mangle_mode {
    MANGLE_NONE,
    MANGLE_QINQ_PPPOE,
    MANGLE_MPLS,
    MANGLE_PSEUDOWIRE,
    MANGLE_VXLAN,
    MANGLE_GENEVE,
    MANGLE_GRE,
    MANGLE_ERSPAN,
    MANGLE_FRAGMENTS, // of 64 octets
    MANGLE_SEGMENTS,  // of one octet
    MANGLE_SHUFFLE,   // within eight packets and a second
    MANGLE_DOUBLE,    // every packet mirrored twice, the copy a little later
    MANGLE_LOSS,      // one packet in a hundred is not there
    MANGLE_MODES
};

extern const char *const mangle_names[MANGLE_MODES];

// Reads a capture file. False: it cannot be read.
bool mangle_load(const char *path, struct mangle_list *out);
// A new list; false when memory is out. The same seed gives the same list.
bool mangle(const struct mangle_list *in, enum mangle_mode mode, uint64_t seed,
            struct mangle_list *out);
void mangle_free(struct mangle_list *l);
