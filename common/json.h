// Canonical JSON on top of jansson: keys sorted, no blanks, numbers in one form, so that the same
// content is the same octets. The only file beside json.c that includes jansson's header is its user.
#pragma once

#include <jansson.h>
#include <stdio.h>

// A real rounded to `digits` decimals and, when whole, stored as an integer: 0.30000000000000004
// never reaches a file.
json_t *json_number(double v, int digits);

// One line (with its newline), canonical. 0 or -EIO.
int json_write_line(FILE *out, const json_t *value);

// The same as an allocated string without newline; the caller frees. NULL: out of memory.
char *json_canonical(const json_t *value);

// The next line of `in` as JSON (at most `max` octets). 1: `*out` is a new reference; 0: end of file;
// -EINVAL: the line is no JSON or too long and has been skipped to its end, -EIO: it cannot be read;
// `error` says where.
int json_read_line(FILE *in, size_t max, json_t **out, char error[static 160]);
