// What the sensor says of its own sight: a coverage record a second, with what it counted in it and
// what is wrong with the mirror. common/coverage.h.
#pragma once

#include "common/coverage.h"
#include "decap/decap.h"
#include "frag.h"
#include "stats.h"

struct watch;

// `declared` holds the sensor's name, leg, nat, port25, tier, profile, sampling; `replay`: from files.
struct watch *watch_new(const struct coverage *declared, bool replay);
void watch_free(struct watch *w);
// The coverage of the time since the last call, up to `t_ms`.
void watch_take(struct watch *w, const struct stats *s, const struct decap *d,
                const struct frag_stats *f, int64_t t_ms, bool last, struct coverage *out);
// All alarms that were ever raised; those of the last coverage.
uint32_t watch_alarms(const struct watch *w);
uint32_t watch_present(const struct watch *w);
// Frames above the MTU in the present and the last minute.
uint64_t watch_oversized(const struct watch *w);
// Alarms that others raise, in each coverage from now on until they are set anew.
void watch_set(struct watch *w, uint32_t alarms);
// What is declared has changed; alarms and counters stay.
void watch_declare(struct watch *w, const struct coverage *declared);
