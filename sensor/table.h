// Memory of a table that is made once at the start: zeroed, at the beginning of a cache line, and, when it is
// large, in large pages where the system has them: a table is touched all over, and with small pages
// nearly every look-up would have to find its translation first. Taken as it is used, by large pages; but a table
// that is filled from its front begins with small ones, so that of many tables that hold little each does not take
// two megabytes, which have to be zeroed.
#pragma once

#include <stddef.h>

#define TABLE_LINE 64

enum table_order {
    TABLE_FROM_THE_FRONT, // the lower a place, the sooner and the more it is used
    TABLE_SCATTERED,      // places are hashes
};

// `count` places of `size` octets. NULL: out of memory.
void *table_new(size_t count, size_t size, enum table_order order);
// What table_new returned; NULL is allowed.
void table_free(void *table);
