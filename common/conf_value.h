// One value of the configuration: text to C value and back. Inside of conf_*.c and daemon_args.c;
// programs use conf.h.
#pragma once

#include <stdio.h>

#include "common/conf.h"

#define CONF_ERROR_MAX 400

// True for the types whose value is one scalar.
bool conf_is_scalar(enum conf_type type);

// Where the value of `key` stands in its struct.
void *conf_field(const struct conf_key *key, void *base);

// Octets of the C type of `key`; not of a CONF_SECTION.
size_t conf_field_size(const struct conf_key *key);

// Reads the text of a scalar type into `field`. -EINVAL: `error` says what is wrong and the fix;
// -ENOMEM. `folder` is absolute, where relative paths start.
int conf_value_parse(const struct conf_key *key, const char *folder, const char *text, void *field,
                     char error[static CONF_ERROR_MAX]);

// An element of a CONF_PREFIX_LIST.
int conf_prefix_parse(const char *text, struct ip_prefix *out, char error[static CONF_ERROR_MAX]);

// Writes the value of a scalar type, or a text, as one YAML scalar.
void conf_value_print(const struct conf_key *key, const void *field, FILE *out);
void conf_text_print(const char *text, FILE *out);

// "number", "duration", "list of prefixes": what a value of this type is called.
const char *conf_type_name(enum conf_type type);

// What may stand there, for people: "from 1s to 7d" or "open, blocked-before"; "" without limits.
void conf_limits(const struct conf_key *key, char out[static CONF_ERROR_MAX]);

// "whole number, from 1 to 9, in minutes; default 5": one line for --help and the reference.
void conf_describe(const struct conf_key *key, FILE *out);

// True when `n` is within min and max, or there are none.
bool conf_within(const struct conf_key *key, double n);

// The text in double quotes, cut to a readable length, control characters escaped.
const char *conf_quote(const char *text, char out[static 80]);

// The nearest of `count` words by edit distance, NULL when none is near enough to be meant.
const char *conf_nearest(const char *word, const char *const *words, size_t count);

// Sets every field of the table to zero without freeing: for memory never filled.
void conf_zero(const struct conf_key *keys, void *out);
