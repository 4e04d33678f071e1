// The distinct counter of distinct.h: a sorted array up to 32 values, then HyperLogLog (Flajolet,
// Fusy, Gandouet, Meunier 2007) with linear counting for small cardinalities. Values must be hashes
// already: the register is picked by their first 11 bits and the rank by the 53 that follow.
// Encoding: docs/formats/minute.md.
#include "common/distinct.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RANK_MAX (64 - DISTINCT_HLL_BITS + 1)

// First octet of an encoded set.
#define FORM_HLL     0x80
#define FORM_STARVED 0x40
#define FORM_COUNT   0x3f

static const uint64_t *exact_values(const struct distinct *d)
{
    return d->store;
}

static const uint8_t *registers(const struct distinct *d)
{
    return d->store;
}

// Where `value` stands, or would stand, in the sorted array.
static unsigned exact_place(const struct distinct *d, uint64_t value)
{
    const uint64_t *v = exact_values(d);
    unsigned low = 0, high = d->count;
    while (low < high) {
        unsigned mid = (low + high) / 2;
        if (v[mid] < value)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool exact_has(const struct distinct *d, uint64_t value)
{
    unsigned at = exact_place(d, value);
    return at < d->count && exact_values(d)[at] == value;
}

static unsigned register_of(uint64_t value)
{
    return (unsigned)(value >> (64 - DISTINCT_HLL_BITS));
}

// Position of the first set bit behind the register's bits, from 1.
static uint8_t rank_of(uint64_t value)
{
    uint64_t rest = value << DISTINCT_HLL_BITS;
    return rest == 0 ? RANK_MAX : (uint8_t)(__builtin_clzll(rest) + 1);
}

static void hll_add(uint8_t *reg, uint64_t value)
{
    uint8_t *r = &reg[register_of(value)];
    uint8_t rank = rank_of(value);
    if (rank > *r)
        *r = rank;
}

// ---- Stores of exact sets: 4, 8, 16, 32 values

static unsigned size_index(unsigned cap)
{
    return (unsigned)__builtin_ctz(cap) - 2;
}

static void *store_new(unsigned cap, struct distinct_budget *budget)
{
    if (!budget || !budget->more)
        return malloc(cap * sizeof(uint64_t));
    void **spare = &budget->spare[size_index(cap)];
    void *store = *spare;
    if (!store)
        return budget->more(budget->ctx, cap * sizeof(uint64_t));
    memcpy(spare, store, sizeof *spare);
    __builtin_prefetch(*spare, 1); // the next to be taken
    return store;
}

static void store_free(void *store, unsigned cap, struct distinct_budget *budget)
{
    if (!store || !budget || !budget->more) {
        free(store);
        return;
    }
    void **spare = &budget->spare[size_index(cap)];
    memcpy(store, spare, sizeof *spare);
    *spare = store;
}

// ---- Adding

static bool sketch_allowed(struct distinct_budget *budget)
{
    if (!budget)
        return true;
    if (budget->sketches < budget->sketches_max) {
        budget->sketches++;
        return true;
    }
    budget->refused++;
    return false;
}

// Turns the exact array into registers. False: no room in the budget, or no memory.
static bool become_hll(struct distinct *d, struct distinct_budget *budget)
{
    if (!sketch_allowed(budget))
        return false;
    uint8_t *reg = calloc(DISTINCT_REGISTERS, 1);
    if (!reg) {
        if (budget)
            budget->sketches--;
        return false;
    }
    for (unsigned i = 0; i < d->count; i++)
        hll_add(reg, exact_values(d)[i]);
    store_free(d->store, d->cap, budget);
    d->store = reg;
    d->is_hll = true;
    d->count = 0;
    d->cap = 0;
    return true;
}

static bool exact_grow(struct distinct *d, struct distinct_budget *budget)
{
    uint16_t cap = d->cap == 0 ? 4 : (uint16_t)(d->cap * 2);
    uint64_t *store = store_new(cap, budget);
    if (!store)
        return false;
    if (d->count > 0)
        memcpy(store, d->store, d->count * sizeof *store);
    store_free(d->store, d->cap, budget);
    d->store = store;
    d->cap = cap;
    return true;
}

static void exact_add(struct distinct *d, uint64_t value, struct distinct_budget *budget)
{
    unsigned at = exact_place(d, value);
    if (at < d->count && exact_values(d)[at] == value)
        return;
    if (d->count == DISTINCT_EXACT_MAX) {
        if (!d->starved && become_hll(d, budget))
            hll_add(d->store, value);
        else
            d->starved = true;
        return;
    }
    if (d->count == d->cap && !exact_grow(d, budget)) {
        d->starved = true;
        return;
    }
    uint64_t *v = d->store;
    memmove(v + at + 1, v + at, (d->count - at) * sizeof *v);
    v[at] = value;
    d->count++;
}

static bool is_empty(const struct distinct *d)
{
    return !d->is_hll && d->count == 0 && !d->starved;
}

bool distinct_add(struct distinct *d, uint8_t key_id, uint64_t value,
                  struct distinct_budget *budget)
{
    if (is_empty(d))
        d->key_id = key_id;
    else if (d->key_id != key_id)
        return false;
    if (d->is_hll)
        hll_add(d->store, value);
    else
        exact_add(d, value, budget);
    return true;
}

// `into` is exact and `from` a sketch: `into` becomes a sketch, or stays and says so.
static void merge_sketch(struct distinct *into, const struct distinct *from,
                         struct distinct_budget *budget)
{
    if (!into->is_hll && !become_hll(into, budget)) {
        into->starved = true;
        return;
    }
    uint8_t *reg = into->store;
    for (unsigned i = 0; i < DISTINCT_REGISTERS; i++)
        if (registers(from)[i] > reg[i])
            reg[i] = registers(from)[i];
}

bool distinct_merge(struct distinct *into, const struct distinct *from,
                    struct distinct_budget *budget)
{
    if (is_empty(from))
        return true;
    if (is_empty(into))
        into->key_id = from->key_id;
    else if (into->key_id != from->key_id)
        return false;
    if (from->is_hll) {
        merge_sketch(into, from, budget);
    } else {
        for (unsigned i = 0; i < from->count; i++)
            distinct_add(into, from->key_id, exact_values(from)[i], budget);
    }
    into->starved = into->starved || from->starved;
    return true;
}

double distinct_count(const struct distinct *d)
{
    if (!d->is_hll)
        return d->count;
    const double m = DISTINCT_REGISTERS;
    double sum = 0;
    unsigned zeros = 0;
    for (unsigned i = 0; i < DISTINCT_REGISTERS; i++) {
        sum += ldexp(1, -registers(d)[i]);
        zeros += registers(d)[i] == 0;
    }
    double estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    if (estimate <= 2.5 * m && zeros > 0)
        estimate = m * log(m / zeros);
    return estimate;
}

bool distinct_has(const struct distinct *d, uint64_t value, bool *exact)
{
    if (!d->is_hll) {
        bool has = exact_has(d, value);
        *exact = has || !d->starved;
        return has;
    }
    bool maybe = registers(d)[register_of(value)] >= rank_of(value);
    *exact = !maybe && !d->starved;
    return maybe;
}

size_t distinct_values(const struct distinct *d, uint64_t *out, size_t room)
{
    size_t n = d->is_hll ? 0 : d->count < room ? d->count : room;
    if (n > 0)
        memcpy(out, exact_values(d), n * sizeof *out);
    return n;
}

void distinct_clear(struct distinct *d, struct distinct_budget *budget)
{
    if (d->is_hll && budget && budget->sketches > 0)
        budget->sketches--;
    if (d->is_hll)
        free(d->store);
    else
        store_free(d->store, d->cap, budget);
    *d = (struct distinct){0};
}

// ---- Encoding

static void encode_registers(const uint8_t *reg, struct buf *out)
{
    unsigned used = 0;
    for (unsigned i = 0; i < DISTINCT_REGISTERS; i++)
        used += reg[i] != 0;
    buf_varint(out, used);
    if (used > DISTINCT_REGISTERS / 2) {
        buf_bytes(out, reg, DISTINCT_REGISTERS);
        return;
    }
    unsigned next = 0;
    for (unsigned i = 0; i < DISTINCT_REGISTERS; i++) {
        if (reg[i] == 0)
            continue;
        buf_varint(out, i - next);
        buf_be(out, reg[i], 1);
        next = i + 1;
    }
}

void distinct_encode(const struct distinct *d, struct buf *out)
{
    unsigned form = d->is_hll ? FORM_HLL : d->count;
    buf_be(out, form | (d->starved ? FORM_STARVED : 0u), 1);
    buf_be(out, d->key_id, 1);
    if (d->is_hll) {
        encode_registers(d->store, out);
        return;
    }
    for (unsigned i = 0; i < d->count; i++)
        buf_be(out, exact_values(d)[i], 8);
}

static bool decode_registers(struct cursor *c, uint8_t *reg)
{
    uint64_t used = cursor_varint(c);
    if (used > DISTINCT_REGISTERS)
        return false;
    if (used > DISTINCT_REGISTERS / 2) {
        struct span s = cursor_take(c, DISTINCT_REGISTERS);
        if (c->failed)
            return false;
        memcpy(reg, s.data, DISTINCT_REGISTERS);
        uint64_t seen = 0;
        for (unsigned i = 0; i < DISTINCT_REGISTERS; i++) {
            if (reg[i] > RANK_MAX)
                return false;
            seen += reg[i] != 0;
        }
        return seen == used;
    }
    uint64_t next = 0;
    for (uint64_t i = 0; i < used; i++) {
        uint64_t gap = cursor_varint(c);
        uint8_t rank = cursor_u8(c);
        if (c->failed || gap >= DISTINCT_REGISTERS - next || rank == 0 || rank > RANK_MAX)
            return false;
        reg[next + gap] = rank;
        next += gap + 1;
    }
    return !c->failed;
}

static bool decode_exact(struct cursor *c, struct distinct *d, unsigned count,
                         struct distinct_budget *budget)
{
    if (count > DISTINCT_EXACT_MAX || cursor_left(c) < count * 8u)
        return false;
    for (unsigned i = 0; i < count; i++) {
        uint64_t value = cursor_u64(c);
        if (i > 0 && value <= exact_values(d)[d->count - 1])
            return false;
        if (d->count == d->cap && !exact_grow(d, budget))
            return false;
        uint64_t *v = d->store;
        v[d->count++] = value;
    }
    return true;
}

// Reads what follows the first two octets.
static bool decode_body(struct cursor *c, struct distinct *d, uint8_t form,
                        struct distinct_budget *budget)
{
    if (!(form & FORM_HLL))
        return decode_exact(c, d, form & FORM_COUNT, budget);
    uint8_t reg[DISTINCT_REGISTERS] = {0};
    if ((form & FORM_COUNT) != 0 || !decode_registers(c, reg))
        return false;
    if (!become_hll(d, budget)) {
        d->starved = true;
        return true;
    }
    memcpy(d->store, reg, sizeof reg);
    return true;
}

bool distinct_decode(struct cursor *c, struct distinct *d, struct distinct_budget *budget)
{
    *d = (struct distinct){0};
    uint8_t form = cursor_u8(c);
    uint8_t key_id = cursor_u8(c);
    if (c->failed)
        return false;
    d->starved = (form & FORM_STARVED) != 0;
    d->key_id = key_id;
    if (decode_body(c, d, form, budget))
        return true;
    distinct_clear(d, budget);
    c->failed = true;
    return false;
}
