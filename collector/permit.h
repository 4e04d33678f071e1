// What one enrolled sensor may say, and by which certificate it is known. The registry keeps them.
#pragma once

#include "registry.h"

#define PERMIT_SOURCES 4
// Domains that the collector gives a sensor: room for sixteen instances that share its certificate, of 64 processes each. From a
// number on that people do not give, and below those that sensors make themselves.
#define PERMIT_ALLOTTED      1024u
#define PERMIT_ALLOTTED_FROM 0x100000u
#define PERMIT_ALLOTTED_TO   0x80000000u

struct permit {
    char name[TLS_NAME_MAX];
    char serial[41]; // "": no certificate
    char before[41]; // the one that asked for `serial`; "": none
    char token[33];  // digest; "": none
    int64_t token_until_ms, not_after_ms;
    uint32_t domain[REGISTRY_DOMAINS_MAX];
    size_t domains;      // 0: any, unless some are allotted
    uint32_t allotted;   // the first of PERMIT_ALLOTTED that are this sensor's; 0: none
    uint32_t refused;    // the domain refused last
    json_t *prefix_list; // owned; NULL: any
    struct prefix_set *prefixes;
    uint64_t foreign_domain, foreign_prefix;
    uint64_t source[PERMIT_SOURCES]; // where it came from lately, newest first; sources.h
};

// `domains` and `prefixes` are JSON lists, NULL: any. -EINVAL: not such lists; nothing is changed.
int permit_allow(struct permit *p, const json_t *domains, const json_t *prefixes);
// Has it a claim on one of those domains?
bool permit_overlaps(const struct permit *p, uint32_t first, uint32_t count);
void permit_free(struct permit *p);
bool permit_came_from(const struct permit *p, uint64_t source);
