// What one enrolled sensor may say, and by which certificate it is known. The registry keeps them.
#pragma once

#include "registry.h"

#define PERMIT_SOURCES 4

struct permit {
    char name[TLS_NAME_MAX];
    char serial[41]; // "": no certificate
    char before[41]; // the one that asked for `serial`; "": none
    char token[33];  // digest; "": none
    int64_t token_until_ms, not_after_ms;
    uint32_t domain[REGISTRY_DOMAINS_MAX];
    size_t domains;      // 0: any
    json_t *prefix_list; // owned; NULL: any
    struct prefix_set *prefixes;
    uint64_t foreign_domain, foreign_prefix;
    uint64_t source[PERMIT_SOURCES]; // where it came from lately, newest first; sources.h
};

// `domains` and `prefixes` are JSON lists, NULL: any. -EINVAL: not such lists; nothing is changed.
int permit_allow(struct permit *p, const json_t *domains, const json_t *prefixes);
void permit_free(struct permit *p);
bool permit_came_from(const struct permit *p, uint64_t source);
