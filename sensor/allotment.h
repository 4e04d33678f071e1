// The observation domains that the collector gave this sensor when it was enrolled: `domains` in sensor.tls, "7,16-20". A
// sensor without sensor.domain takes the first that no other instance on this machine took; which did is kept beside, in
// `domain-N`, so it is the same at every start. One that has sensor.domain must have it of these.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ALLOTMENT_FILE       "domains"
#define ALLOTMENT_RANGES_MAX 64

struct allotment {
    struct allotment_range {
        uint32_t first, last;
    } range[ALLOTMENT_RANGES_MAX];
    unsigned count; // 0: any
};

// -EINVAL: no such list.
int allotment_parse(const char *text, struct allotment *out);
// -ENOENT: it was given none. Negative errno.
int allotment_read(const char *folder, struct allotment *out);
bool allotment_has(const struct allotment *a, uint32_t first, uint32_t count);
// `count` numbers from `*first` on for who is named `who`: those it has, or the first that nobody has. -ENOSPC: there are none
// left. Negative errno.
int allotment_claim(const struct allotment *a, const char *folder, const char *who, uint32_t count,
                    uint32_t *first);
