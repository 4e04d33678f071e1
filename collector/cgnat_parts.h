// What cgnat.c (formulas, looking up) and cgnat_read.c (tables) share.
#pragma once

#include "cgnat.h"

#define FORMULAS_MAX 64

struct cgnat_pool {
    struct cgnat_formula f;
    uint32_t ports, blocks; // of a subscriber; of an outside address
};

struct cgnat_entry {
    uint16_t realm; // index into `realm`
    uint16_t port_first, port_last, inside_realm;
    struct ip_addr outside, inside;
    int64_t start_ms, end_ms;
};

struct cgnat {
    struct cgnat_pool formula[FORMULAS_MAX];
    size_t formulas;
    struct realm realm[2 * FORMULAS_MAX];
    uint16_t realms;
    struct cgnat_entry *entry;
    size_t entries, cap;
    struct {
        struct cgnat_entry *to; // as many; NULL: no merge has begun
        size_t run;             // entries in order; 0: runs are still made
        size_t at;              // up to there done, in this round
        size_t left, right;
    } sort;
};

// In order of realm and outside address.
int cgnat_by_place(const struct cgnat_entry *x, uint16_t realm, const struct ip_addr *addr);
