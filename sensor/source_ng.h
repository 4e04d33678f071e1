// pcapng (draft-ietf-opsawg-pcapng) read by ourselves: libpcap takes a file only when all its interfaces have one link type
// and one snap length, and what captures on two ports writes neither.
// Sections of either octet order, any number of interfaces with their link type, resolution and offset of time;
// enhanced, simple and the old packet blocks; other blocks are passed over.
#pragma once

#include "capture_stream.h"
#include "source.h"

struct source_ng;

// `stream` stands at its beginning and is borrowed. NULL: out of memory.
struct source_ng *source_ng_new(struct capture_stream *stream);
void source_ng_free(struct source_ng *n);
// Frames 1 to `max`, borrowed until the next call; 0: no more will come.
size_t source_ng_next(struct source_ng *n, struct source_frame *out, size_t max);

enum source_ng_end {
    SOURCE_NG_WHOLE,
    SOURCE_NG_CUT,    // the file ends inside a block
    SOURCE_NG_BROKEN, // source_ng_error says what and where
};
enum source_ng_end source_ng_end(const struct source_ng *n);
const char *source_ng_error(const struct source_ng *n);

// Does a file that begins so say that it is one?
bool source_ng_fits(const uint8_t magic[static 4]);
