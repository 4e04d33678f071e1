// How many different ones: exact to 32, then HyperLogLog with 2^11 registers (Flajolet et al. 2007;
// standard error 1.04/sqrt(2048) = 2.3 %), small-range corrected. Values are 64-bit hashes. Sets of
// different key ids are never merged: `key_id` is part of the set (0 for what needs no key: peers).
#pragma once

#include "common/buf.h"
#include "common/cursor.h"

#define DISTINCT_EXACT_MAX 32
#define DISTINCT_HLL_BITS  11
#define DISTINCT_REGISTERS (1 << DISTINCT_HLL_BITS)

// Zeroed is valid and empty. `store` is owned: 4, 8, 16 or 32 values, then 2048 registers.
struct distinct {
    uint8_t key_id;
    bool is_hll;
    bool starved; // memory was refused: the count is a lower bound
    uint16_t count, cap;
    void *store;
};

// Sketches come out of a budget shared by a program: when it is used up a set stays at 32 and says
// so by `starved`.
//
// For who makes and clears many, always with this budget: with `more` the stores of exact sets come from there and are
// never freed; those that are cleared wait for the next ones that grow to their size.
#define DISTINCT_SIZES 4
struct distinct_budget {
    size_t sketches_max, sketches;
    uint64_t refused;
    void *(*more)(void *ctx, size_t size); // NULL: they are allocated and freed
    void *ctx;
    void *spare[DISTINCT_SIZES]; // each begins with the next
};

// A value of another key id empties nothing and is not added: returns false.
bool distinct_add(struct distinct *d, uint8_t key_id, uint64_t value,
                  struct distinct_budget *budget);
bool distinct_merge(struct distinct *into, const struct distinct *from,
                    struct distinct_budget *budget);
double distinct_count(const struct distinct *d); // exact up to 32
bool distinct_has(const struct distinct *d, uint64_t value, bool *exact);
// The values themselves, `room` at most; 0 of a sketch, which has none.
size_t distinct_values(const struct distinct *d, uint64_t *out, size_t room);
void distinct_clear(struct distinct *d, struct distinct_budget *budget);

void distinct_encode(const struct distinct *d, struct buf *out);
// false: broken input; `d` is left empty.
bool distinct_decode(struct cursor *c, struct distinct *d, struct distinct_budget *budget);
