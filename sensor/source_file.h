// One capture file. The only file beside source_file.c that knows it is source_files.c, which merges.
#pragma once

#include "source.h"

struct source_file;

// Negative errno: the file cannot be opened or memory is out. A file that is no capture opens, says so
// in `input`, and has no frames. `input` must outlive the file.
int source_file_open(struct source_input *input, struct source_file **out);
// Frames 1 to `max`, borrowed until the next call; 0: no more will come, and `input` says why.
size_t source_file_next(struct source_file *f, struct source_frame *out, size_t max);
// Can it be closed and opened once more? Not what comes through a pipe.
bool source_file_reopens(const struct source_file *f);
void source_file_close(struct source_file *f);
