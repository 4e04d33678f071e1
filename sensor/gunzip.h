// A gzip file (RFC 1952) read as far as it goes: members one after another, and where the data is damaged
// everything that came out before. zlib's own gzread gives back nothing of the block in which it fails.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum gunzip_state {
    GUNZIP_WHOLE,     // so far
    GUNZIP_TRUNCATED, // the file ends inside a member
    GUNZIP_BROKEN,    // data that no compressor writes, or a check that does not fit
};

struct gunzip;

// Owns `file` from now on. NULL: out of memory, `file` is closed.
struct gunzip *gunzip_new(FILE *file);
void gunzip_free(struct gunzip *g);
// Octets decompressed; 0: at the end, of whatever kind.
size_t gunzip_read(struct gunzip *g, void *out, size_t size);
enum gunzip_state gunzip_state(const struct gunzip *g);
// Octets of the compressed file that were used: where the damage was found.
uint64_t gunzip_offset(const struct gunzip *g);
