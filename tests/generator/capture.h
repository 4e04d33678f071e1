// The capture file: classic pcap, nanoseconds or microseconds, gzip when the name ends in ".gz".
#pragma once

#include <stdint.h>

#include "common/span.h"

struct capture;

// NULL and errno when the file cannot be made. `snaplen` stands in the header; cutting is the caller's.
struct capture *capture_open(const char *path, bool nanoseconds, uint32_t snaplen);

// `frame` is what was captured of a packet `wire_len` octets long. 0 or -EIO.
int capture_write(struct capture *c, int64_t t_ns, struct span frame, uint32_t wire_len);

// Frees in any case. 0 or a negative errno: what was written before may not be on the disk.
int capture_close(struct capture *c);
