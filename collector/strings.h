// Texts kept once and named by a number: accounts, POPs and classes of a million leases repeat.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strings;

struct strings *strings_new(void); // NULL: out of memory. Number 0 is ""
void strings_free(struct strings *s);
// The number of `text`, given on first sight. False: out of memory.
bool strings_put(struct strings *s, const char *text, uint32_t *number);
bool strings_find(const struct strings *s, const char *text,
                  uint32_t *number); // without giving one
const char *strings_get(const struct strings *s, uint32_t number);
