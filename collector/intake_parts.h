// Inside of intake*.c.
#pragma once

#include "common/buf.h"
#include "intake.h"

#define ENCODERS 64

struct replay {                  // of what was logged before the start
    struct spool_reader *reader; // NULL: it is done
    struct ipfix_decoder *decoder;
    struct spool_block block; // being taken
    struct span payload;      // of it, not decoded yet; the reader's
    uint64_t ordinal;         // of the next record
    uint64_t put;             // since the last call
    bool first;
};

struct intake {
    struct intake_options options;
    struct collector *collector;
    struct spool *log;
    struct ipfix_encoder *encoder[ENCODERS]; // by domain, made when needed
    uint32_t domain[ENCODERS];
    struct spool_block block;        // being gathered
    struct ipfix_encoder *gathering; // of the block; NULL: none is begun
    struct buf payload;
    int error;   // why it stalled; 0: it did not
    bool taking; // an error came while a record was taken
    uint64_t replayed, repeats;
    struct replay replay;
};

// ---- intake.c

// What was gathered goes to the log. Negative errno.
int intake_write_block(struct intake *in);
// Nothing goes on until intake_retry; `taking`: the error came while a record was taken. Returns `rc`.
int intake_stall(struct intake *in, int rc, bool taking);

// ---- intake_replay.c

void intake_end_replay(struct intake *in);
