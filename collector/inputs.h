// Files of records as one stream: each file is in the order of its sensor, so the records are merged by time;
// of two at the same time that of the file named first comes first.
#pragma once

#include "common/control.h"
#include "common/record.h"

struct inputs;

struct inputs *inputs_new(void); // NULL: out of memory
void inputs_free(struct inputs *in);
int inputs_add(struct inputs *in, const char *path); // negative errno
// 1: `*r` filled; 0: the end of all.
int inputs_next(struct inputs *in, struct record *r);
// A domain whose file came to its end with the records handed out so far; false: none (more).
bool inputs_ended(struct inputs *in, uint32_t *domain);
// What each file was worth, as `inputs` of the status document. True when all were whole.
bool inputs_status(const struct inputs *in, struct control_status *s);
