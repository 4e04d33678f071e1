// Classic pcap files read in large blocks by ourselves: libpcap's loop costs two copies and two calls of
// stdio a packet. Only what is plain is taken (the machine's own octet order, whole and believable
// record headers); at the first record that is not, the caller goes on with libpcap from there, which
// then words what is wrong.
#pragma once

#include "source.h"

struct source_block;

// A reader of the file behind `fd` from `offset` on, where the first record stands. `nanoseconds`: of the
// time stamps; `snaplen`: records captured longer are left to libpcap. NULL: out of memory. `fd` is
// borrowed; reading does not move its offset.
struct source_block *source_block_new(int fd, uint64_t offset, bool nanoseconds, uint32_t snaplen,
                                      int linktype);
void source_block_free(struct source_block *b);
// Frames 1 to `max`, borrowed until the next call. 0: at the end, or at something that is not plain;
// source_block_offset says where.
size_t source_block_next(struct source_block *b, struct source_frame *out, size_t max);
uint64_t source_block_offset(const struct source_block *b);
// Up to where the file was read.
uint64_t source_block_seen(const struct source_block *b);

// Does a file that begins so consist of such records?
bool source_block_fits(const uint8_t header[static 24], bool *nanoseconds);
