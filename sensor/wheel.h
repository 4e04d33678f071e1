// Deadlines in packet time: one for each of a fixed number of entries, handed out in exact order
// (deadline, then entry), however far time jumps. A hierarchical timing wheel (Varghese and Lauck,
// 1987) of 16 ms ticks; what is due within the present tick stands in a heap. Setting and
// cancelling cost a few memory accesses.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WHEEL_NONE UINT32_MAX
// Later deadlines are cut to this (year 2112).
#define WHEEL_TIME_MAX ((INT64_C(1) << 52) - 1)

struct wheel;

struct wheel *wheel_new(size_t entries); // NULL: out of memory
void wheel_free(struct wheel *w);

// Replaces the deadline the entry had. Negative times count as 0.
void wheel_set(struct wheel *w, uint32_t entry, int64_t deadline_us);
void wheel_cancel(struct wheel *w, uint32_t entry);
// The deadline of an entry; -1: none.
int64_t wheel_deadline(const struct wheel *w, uint32_t entry);
// Before this time wheel_pop finds nothing, unless a nearer deadline is set.
int64_t wheel_quiet(const struct wheel *w);
// Entry i stands for the `size` octets at `base` + i * `size`: they are fetched when its turn comes near.
void wheel_fetches(struct wheel *w, const void *base, size_t size);
// Fetches what wheel_deadline and wheel_set will look at.
void wheel_prefetch(const struct wheel *w, uint32_t entry);
// The entry with the earliest deadline that is not after `now_us`, cancelled; WHEEL_NONE: none is due.
uint32_t wheel_pop(struct wheel *w, int64_t now_us, int64_t *deadline_us);
