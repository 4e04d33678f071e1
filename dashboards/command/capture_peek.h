// When does a capture begin? Reads the time of a capture's first packet, so that several files can
// be replayed in time order. Nothing else of a capture is looked at here.
//
// Formats: pcap (micro- and nanoseconds, both byte orders, the "modified" variant) and pcapng
// (draft-ietf-opsawg-pcapng: sections, interface resolution and offset, enhanced and old packet
// blocks); gzip around either.
#pragma once

#include <stdint.h>

#include "common/span.h"

// As much of a file as is looked at: far more than the blocks before a first packet take.
#define CAPTURE_PEEK_MAX 262144

enum capture_peek_result {
    CAPTURE_PEEK_FOUND,   // `*t_ms` is the first packet's time
    CAPTURE_PEEK_NONE,    // a capture, but no packet in what was looked at
    CAPTURE_PEEK_UNKNOWN, // no capture format we know
};

enum capture_peek_result capture_peek(struct span head, int64_t *t_ms);

// The same for a file, gzip or not. Negative errno when it cannot be read.
int capture_peek_file(const char *path, int64_t *t_ms);
