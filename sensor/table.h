// Memory of a table that is made once at the start: zeroed, at the beginning of a cache line, and, when it is
// large, in large pages where the system has them: a table is touched all over, and with small pages
// nearly every look-up would have to find its translation first. Taken as it is used, by large pages.
#pragma once

#include <stddef.h>

#define TABLE_LINE 64

// `count` places of `size` octets. NULL: out of memory.
void *table_new(size_t count, size_t size);
// What table_new returned; NULL is allowed.
void table_free(void *table);
