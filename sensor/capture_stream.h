// The octets of a capture file from its beginning: a file, a pipe, standard input ("-"), as they are or compressed by
// gzip. A pipe can be read once: what was looked at to know its kind is handed out again.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "gunzip.h"

struct capture_stream;

// Negative errno: the file cannot be opened or read, or memory is out.
int capture_stream_open(const char *path, struct capture_stream **out);
void capture_stream_free(struct capture_stream *s);
// Its first four octets, however often asked; false: it has fewer.
bool capture_stream_magic(const struct capture_stream *s, uint8_t out[static 4]);
bool capture_stream_is_empty(const struct capture_stream *s); // not an octet, before decompression
// What is there of the octets from the beginning on, at most `size`: a pipe is not waited for to fill it. 0: no more
// come; negative errno.
ssize_t capture_stream_read(struct capture_stream *s, void *out, size_t size);
// The same for libpcap, instead: whoever takes it closes it, before the stream. It seeks where capture_stream_plain has a
// descriptor. NULL: out of memory.
FILE *capture_stream_file(struct capture_stream *s);
// Can the path be opened again and give the same? Not what came through a pipe.
bool capture_stream_reopens(const struct capture_stream *s);
// The descriptor of a regular file that is not compressed; -1: none.
int capture_stream_plain(const struct capture_stream *s);
// How decompressing goes; GUNZIP_WHOLE and 0 where nothing is compressed.
enum gunzip_state capture_stream_state(const struct capture_stream *s);
uint64_t capture_stream_offset(
    const struct capture_stream *s); // octets of the compressed file that were used
