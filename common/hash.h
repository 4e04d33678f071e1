// 64-bit hashes of what needs no key: addresses, networks, providers, fingerprints. The same on every run and
// machine, for rows are compared across both. docs/formats/minute.md says over which octets.
#pragma once

#include "common/addr.h"
#include "common/span.h"

// What is hashed; part of the hash, so that a network never equals an address.
enum hash_tag {
    HASH_ADDRESS = 1,
    HASH_NETWORK = 2, // /24 or /48
    HASH_ASN = 3,
    HASH_SNI = 4, // registered domain
    HASH_JA4 = 5,
    HASH_COUNTRY = 6,
};

uint64_t hash_octets(enum hash_tag tag, struct span s);
uint64_t hash_number(enum hash_tag tag, uint64_t n);
uint64_t hash_address(const struct ip_addr *a);
uint64_t hash_network(const struct ip_addr *a);
