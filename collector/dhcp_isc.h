// ISC dhcpd's lease file (dhcpd.leases, dhcpd6.leases; dhcpd.leases(5)) as a stream of octets: `lease` blocks of
// IPv4, `ia-na`, `ia-ta` and `ia-pd` blocks with their `iaaddr` and `iaprefix`. A later block of an address
// replaces the earlier one. Agent options (82) stand in the lease; DHCPv6 18 and 37 when the configuration sets
// them as `remote-id` and `interface-id`. What is not known here is passed over, whole blocks too.
#pragma once

#include "common/span.h"
#include "dhcp_lease.h"

struct dhcp_isc;

typedef int (*dhcp_isc_fn)(const struct dhcp_lease *lease, void *ctx);

struct dhcp_isc *dhcp_isc_new(dhcp_isc_fn fn, void *ctx); // NULL: out of memory
void dhcp_isc_free(struct dhcp_isc *d);
void dhcp_isc_begin(struct dhcp_isc *d); // another file begins
// 0, or what `fn` returned below zero. Broken blocks are counted.
int dhcp_isc_feed(struct dhcp_isc *d, struct span s);
uint64_t dhcp_isc_broken(const struct dhcp_isc *d);
