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
    bool overlap;     // two inside addresses have the port at that time
};

struct cgnat *cgnat_new(void); // NULL: out of memory
void cgnat_free(struct cgnat *c);

// -EINVAL with what to mend in `error`: the pools do not fit each other.
int cgnat_add_formula(struct cgnat *c, const struct cgnat_formula *f, char error[static 200]);
// Lines "outside,port_first,port_last,inside,start,end", times as RFC 3339 or empty. The first errors of the file go
// to `errors` as FILE:LINE:COLUMN: TEXT. 0, -EINVAL, or another negative errno (written too).
int cgnat_add_table(struct cgnat *c, const char *path, const struct realm *outside,
                    const struct realm *inside, FILE *errors);

// The same in slices of some milliseconds: each table is opened and read, then all are sorted; before that nothing is
// found in them. 1: there is more; 0: done; negative errno as above.
struct cgnat_reading;
int cgnat_read_open(struct cgnat *c, const char *path, const struct realm *outside,
                    const struct realm *inside, FILE *errors, struct cgnat_reading **out);
int cgnat_read_slice(struct cgnat_reading *r, FILE *errors);
void cgnat_read_close(struct cgnat_reading *r);
int cgnat_sort_slice(struct cgnat *c);

enum cgnat_result cgnat_find(const struct cgnat *c, const struct realm *realm,
                             const struct ip_addr *addr, uint16_t port, int64_t t_ms,
                             struct cgnat_inside *out);

// Every inside address that had the port at some time of [from_ms, to_ms], with that time. Negative results of `fn`
// end it. No port: none.
typedef int (*cgnat_fn)(const struct realm *realm, const struct ip_addr *addr, int64_t from_ms,
                        int64_t to_ms, void *ctx);
int cgnat_window(const struct cgnat *c, const struct realm *realm, const struct ip_addr *addr,
                 uint16_t port, int64_t from_ms, int64_t to_ms, cgnat_fn fn, void *ctx);
