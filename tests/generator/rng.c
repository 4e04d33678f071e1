// xoshiro256** seeded through SplitMix64 from a seed and the name of a stream.
#include "rng.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t mix(uint64_t seed, const char *name)
{
    uint64_t h = 0xcbf29ce484222325u; // FNV-1a
    for (const char *c = name; *c; c++)
        h = (h ^ (uint8_t)*c) * 0x100000001b3u;
    uint64_t x = seed;
    return splitmix(&x) ^ h;
}

void rng_init(struct rng *r, uint64_t seed, const char *stream)
{
    uint64_t x = mix(seed, stream);
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&x);
}

uint64_t rng_hash(uint64_t seed, const char *name, uint64_t n)
{
    uint64_t x = mix(seed, name) + n * 0xd1342543de82ef95u;
    splitmix(&x);
    return splitmix(&x);
}

static uint64_t rotl(uint64_t v, int k)
{
    return v << k | v >> (64 - k);
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)((rng_u64(r) >> 32) * n >> 32);
}

int64_t rng_between(struct rng *r, int64_t low, int64_t high)
{
    assert(low <= high);
    uint64_t width = (uint64_t)(high - low) + 1;
    return width == 0 ? (int64_t)rng_u64(r)
                      : low + (int64_t)(((unsigned __int128)rng_u64(r) * width) >> 64);
}

double rng_unit(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

bool rng_chance(struct rng *r, double p)
{
    return rng_unit(r) < p;
}

double rng_exp(struct rng *r, double mean)
{
    return -mean * log(1 - rng_unit(r));
}

double rng_normal(struct rng *r)
{
    double u = 1 - rng_unit(r), v = rng_unit(r);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

double rng_lognormal(struct rng *r, double median, double factor)
{
    return median * exp(log(factor) * rng_normal(r));
}

uint32_t rng_zipf(struct rng *r, uint32_t n)
{
    // The integral of 1/x stands in for the sum; close enough for "some more often than others".
    double x = exp(rng_unit(r) * log((double)n + 1)) - 1;
    return x < n ? (uint32_t)x : n - 1;
}

void rng_bytes(struct rng *r, void *out, size_t len)
{
    uint8_t *p = out;
    while (len > 0) {
        uint64_t v = rng_u64(r);
        size_t n = len < sizeof v ? len : sizeof v;
        for (size_t i = 0; i < n; i++)
            p[i] = (uint8_t)(v >> (8 * i));
        p += n;
        len -= n;
    }
}
