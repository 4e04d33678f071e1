// Which TLS clients (JA4) the site's parties show, and which of them confirmed bots do.
//
// A table of fixed size for the whole site: by fingerprint how many parties showed it and how many of these were
// confirmed as bots, both fading with a half-life of 30 days, a party counting once in so long. What a fingerprint
// says is a likelihood ratio, held down by what is little known: a stack that many use says nothing, however many
// bots use it too. A full table forgets the fingerprint that is worth least.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PRINTS_MAX        512
#define PRINTS_DAYS       30    // half-life
#define PRINTS_BOTS_MIN   3.0   // confirmed parties other than the one in question
#define PRINTS_OTHERS_MIN 50.0  // parties that are no bots, before a share of them means anything
#define PRINTS_FLOOR      0.002 // nothing is taken to be rarer among the innocent

struct print {
    uint32_t hash; // of the JA4; 0: empty
    uint32_t hour; // since 1970: of the counts
    float seen, confirmed;
};

// Zeroed is valid and empty.
struct prints {
    struct print item[PRINTS_MAX];
    struct print all; // parties with any fingerprint
};

// A party showed the fingerprint for the first time in PRINTS_DAYS. `first`: it had shown none.
void prints_see(struct prints *p, uint32_t hash, bool first, int64_t now_ms);

// A party that had shown it was confirmed. `first`: of all its fingerprints.
void prints_confirm(struct prints *p, uint32_t hash, bool first, int64_t now_ms);

// What it says of one who is counted among `seen`, and among `confirmed` when `own`: natural log of the likelihood
// ratio; 0 when too little is known or it is common. `*bots` and `*others`: parties that show it.
double prints_weight(const struct prints *p, uint32_t hash, bool own, int64_t now_ms, double *bots,
                     double *others);
