// Memory for objects of a few sizes of which a large site has a hundred thousand each, and that come again every
// minute: cut from chunks of the size of a huge page, one behind the other, so that what a record touches stands on few
// pages. What is given back waits with its owner for the next of its size; it goes to the system with the last of all.
#pragma once

#include <stddef.h>

struct chunk;

struct chunks { // zeroed is valid and empty
    struct chunk *first;
    char *at; // in the first
    size_t left;
};

// As malloc, 16 octets aligned. NULL: out of memory.
void *chunks_get(struct chunks *c, size_t size);
void chunks_fini(struct chunks *c); // with all that came from it

// A zeroed table, on huge pages when it is large; its pages come when they are touched. NULL: out of memory.
void *chunks_table(size_t size);
void chunks_table_free(void *table, size_t size);
