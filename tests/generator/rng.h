// Random numbers of the generator: xoshiro256** 1.0 (Blackman and Vigna), one stream a name.
//
// A stream depends on the seed and its name only, so that a party added to a scenario does not
// reshuffle the others. Nothing here is for secrets.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_init(struct rng *r, uint64_t seed, const char *stream);

// A number that depends on its arguments only: for properties of things that are looked up, not drawn.
uint64_t rng_hash(uint64_t seed, const char *name, uint64_t n);

uint64_t rng_u64(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n);                 // [0, n), 0 when n is 0
int64_t rng_between(struct rng *r, int64_t low, int64_t high); // [low, high]
double rng_unit(struct rng *r);                                // [0, 1)
bool rng_chance(struct rng *r, double p);
double rng_exp(struct rng *r, double mean);
double rng_normal(struct rng *r);
// Log-normal by its median and the factor that holds about two thirds of it (1.5: tight, 3: wide).
double rng_lognormal(struct rng *r, double median, double factor);
// Index in [0, n), low ones more often: weight 1/(i+1).
uint32_t rng_zipf(struct rng *r, uint32_t n);
void rng_bytes(struct rng *r, void *out, size_t len);
