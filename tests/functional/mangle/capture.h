// A capture in memory, as Ethernet frames with time stamps. Read and written by libpcap, which only
// capture.c knows. For tests: everything is held at once and memory that is out ends the program.
#pragma once

#include "common/span.h"

struct frame {
    int64_t t_ns;
    uint8_t *data; // owned by the capture
    uint32_t len;  // captured
    uint32_t wire; // on the wire; not less than len
};

struct capture {
    struct frame *frame;
    size_t count, room;
};

// Appends a frame made of two parts. `wire` counts both.
void capture_add(struct capture *c, int64_t t_ns, struct span head, struct span body,
                 uint32_t wire);
void capture_free(struct capture *c);
// Moves the frames of `from`, which is empty afterwards, behind those of `c`.
void capture_append(struct capture *c, struct capture *from);

// Appends the frames of a pcap or pcapng file. Raw IP, BSD null, PPP and Linux cooked frames that hold
// IP get an Ethernet header; other frames of those are left out. False, with the reason in `why`: not
// a capture, or a link type that does not become Ethernet; then nothing was appended.
bool capture_read(struct capture *c, const char *path, char why[static 128]);
// False, with the reason in `why`.
bool capture_write(const struct capture *c, const char *path, char why[static 128]);
