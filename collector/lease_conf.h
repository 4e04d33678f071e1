// `collector.lease_sources`: who says whose an address is. One list of one kind of entry; which keys an entry
// needs follows from its `kind`, and lease_conf_check says so.
#pragma once

#include <stdio.h>

#include "common/conf.h"

enum lease_kind {
    LEASE_KIND_CSV,
    LEASE_KIND_RADIUS,
    LEASE_KIND_KEA,
    LEASE_KIND_ISC,
    LEASE_KIND_CGNAT_TABLE,
    LEASE_KIND_CGNAT_FORMULA,
    LEASE_KIND_PREFIX_MAP,
};

enum lease_party { // in the order of their names in lease_conf.c
    LEASE_PARTY_AUTO,
    LEASE_PARTY_USER,
    LEASE_PARTY_MAC,
    LEASE_PARTY_REMOTE_ID,
    LEASE_PARTY_CIRCUIT_ID,
    LEASE_PARTY_CLASS,
    LEASE_PARTY_PORT,
    LEASE_PARTY_CLIENT_ID,
};

struct lease_source_conf {
    int kind; // enum lease_kind
    char *path;
    char *listen;
    struct conf_prefixes clients;
    char *secret_file;
    int party;                                        // enum lease_party
    char *realm, *pop, *network_class, *inside_realm; // never NULL
    int64_t interim;                                  // ms
    struct conf_prefixes outside, inside;
    int64_t ports, reserved;
};

extern const struct conf_key lease_source_keys[];

// All that is missing or contradicts itself goes to `errors`, a line each, with its place in the file `path` (NULL:
// none). 0 or -EINVAL.
int lease_conf_check(const struct conf_list *sources, const char *path, FILE *errors);
