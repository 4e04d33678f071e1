// Kea's lease files (memfile backend: kea-leases4.csv, kea-leases6.csv) as a stream of octets. Columns are found
// by the names in the first line, so that files of older and newer versions are read. A later line of an
// address replaces the earlier one; "&#x2c" stands for a comma. The relay's words (option 82; DHCPv6 18 and 37)
// are in user_context when the server keeps them (`store-extended-info`).
#pragma once

#include "common/span.h"
#include "dhcp_lease.h"

struct dhcp_kea;

typedef int (*dhcp_lease_fn)(const struct dhcp_lease *lease, void *ctx);

struct dhcp_kea *dhcp_kea_new(dhcp_lease_fn fn, void *ctx); // NULL: out of memory
void dhcp_kea_free(struct dhcp_kea *k);
void dhcp_kea_begin(struct dhcp_kea *k); // another file begins
// 0, or what `fn` returned below zero. Broken lines are counted.
int dhcp_kea_feed(struct dhcp_kea *k, struct span s);
uint64_t dhcp_kea_broken(const struct dhcp_kea *k);
