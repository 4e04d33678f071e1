// Long flows of subscribers, and what they open behind the data of these: a residential proxy dials out to who
// commands it, and opens a new destination within a moment of each order (Mi et al., IEEE S&P 2019).
//
// A flow that a subscriber began, a minute old and no mere download, is watched: of each of its packets the
// flow itself keeps when octets last came down and how much of the time lay within BEHIND of such. When
// the same subscriber (an IPv4 address, or the /64 of an IPv6 one, in its realm) opens a flow to another network,
// it is counted for each of its watched flows, and whether octets had come down that just then. Flows to one
// network (/24, /48) are one: the first tells for all. At most one opened a second counts, since a page opens dozens for one click. Port 53 and 853 never do.
//
// Packets of flows that are not watched cost nothing here. Bounded: an entry of 128 octets (and a quarter of one) for every 16 places
// of the flow table, four flows each. Who fills an entry's bucket pushes out what was silent longest. Workers
// of one port each see the flows that they are given: carriers and opened alike.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flow;
struct flow_table;
struct record_carrier;
struct carriers;

#define CARRIERS_BEHIND_TICKS 18 // of 2^14 microseconds: 295 ms

struct carriers *carriers_new(size_t flows); // NULL: out of memory
void carriers_free(struct carriers *c);

// A packet with octets came down a watched flow.
void carriers_data(struct flow *f, int64_t t_us);
// `f` begins with the packet at hand, from its initiator.
void carriers_opened(struct flow_table *t, const struct flow *f);
// A minute ends in which the flow counted something, before that is told: watches it, or no longer.
void carriers_minute(struct flow_table *t, struct flow *f, int64_t t_us);
// What is to be told of a watched flow; false: nothing yet. `end`: it will not be asked again.
bool carriers_take(struct flow_table *t, struct flow *f, bool end, int64_t t_us,
                   struct record_carrier *out);
// Watches it no longer.
void carriers_drop(struct flow_table *t, struct flow *f);
