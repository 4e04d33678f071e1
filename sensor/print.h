// `--print flows`: a JSON object a line for every TCP flow that carries SMTP or SOCKS or tried to (ports
// 25, 465, 587, 2525), summed over the flow's records, in the order in which flows end.
#pragma once

#include <stdio.h>

#include "common/record.h"

struct print;

// `flows`: how many there can be at once. NULL: out of memory.
struct print *print_new(FILE *out, size_t flows);
void print_free(struct print *p);
// A record of the flow with this index of the table; RECORD_END prints it. (export_config.print)
void print_record(void *ctx, uint32_t flow, const struct record_flow *r, int64_t last_us);
// First error, negative errno; 0: none.
int print_failed(const struct print *p);
