// Which inside address an outside address and port stood for: port blocks by table and by formula (RFC 7422).
//
// A formula is the deterministic NAT of routers: inside addresses in order take, block after block, the ports
// of the outside addresses in order; the lowest ports are nobody's. A table (CSV) says block by block, with
// times, what a router logged or a provisioning system gave out.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/identity.h"

struct cgnat_formula {
    struct realm outside_realm, inside_realm;
    struct ip_prefix outside, inside; // IPv4
    uint32_t ports;    // of a subscriber; 0: as many as all inside addresses can have
    uint16_t reserved; // ports below belong to nobody
};

struct cgnat;

enum cgnat_result {
    CGNAT_NOT,     // no outside address of ours
    CGNAT_INSIDE,  // *out is filled
    CGNAT_UNUSED,  // nobody's port
    CGNAT_NO_PORT, // the port is needed
};

struct cgnat_inside {
    struct realm realm;
    struct ip_addr addr;
    uint16_t port_first, port_last;
    bool near_change; // another inside address had the block, or gets it, within 120 s
};

struct cgnat *cgnat_new(void); // NULL: out of memory
void cgnat_free(struct cgnat *c);

// -EINVAL with what to mend in `error`: the pools do not fit each other.
int cgnat_add_formula(struct cgnat *c, const struct cgnat_formula *f, char error[static 200]);
// Lines "outside,port_first,port_last,inside,start,end", times as RFC 3339 or empty. All errors of the file go
// to `errors`. 0, -EINVAL, or another negative errno (written too).
int cgnat_add_table(struct cgnat *c, const char *path, const struct realm *outside,
                    const struct realm *inside, FILE *errors);

enum cgnat_result cgnat_find(const struct cgnat *c, const struct realm *realm,
                             const struct ip_addr *addr, uint16_t port, int64_t t_ms,
                             struct cgnat_inside *out);
