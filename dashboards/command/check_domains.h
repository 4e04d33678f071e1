// Do two sensors of the configurations at hand share an observation domain? The collector would take them for one.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { CHECK_SENSORS_MAX = 64 };

// What the configurations say of their sensors, in the order in which they were given.
struct check_domains {
    size_t count;
    struct check_domain {
        const char *config;   // borrowed
        uint64_t first, last; // one a process; 0: it makes its own
    } sensor[CHECK_SENSORS_MAX];
};

// Takes the sensor's domains out of its effective configuration, which stands in `fd` from the start. Nothing
// is taken where there is none.
void check_domains_note(struct check_domains *d, const char *config, int fd);
// Warns of each two that share one, on standard error. How many.
size_t check_domains_judge(const struct check_domains *d);
