// Packets that the mirror copied twice: SPAN of both ports of a router, of ingress and egress, of two
// VLANs. A small direct-mapped memory of what was seen within the last milliseconds.
//
// What makes two packets one: addresses, ports, IP identification, lengths, and (TCP) sequence and
// acknowledgement numbers, flags, window and checksum. The hop limit and the header's checksum may
// differ (before and behind the router), so may everything around the packet. A retransmission by
// the sender has a new IP identification, or a new time stamp option and so another checksum; where
// neither is there (IPv6 without options) only time tells: no stack sends again before 10 ms (Linux
// waits at least 200 ms; its tail loss probe two round trips), no mirror is that late. Taking
// such a retransmission for a copy, or the reverse, changes neither dialogues nor attempts, only
// the counters of retransmissions and packets.
#pragma once

#include "packet.h"

struct mirror;

// `entries`: rounded up to a power of two; should be several times the packets within the window.
struct mirror *mirror_new(size_t entries, int64_t window_us); // NULL: out of memory
void mirror_free(struct mirror *m);
// Remembers the packet; true when the same was there within the window. `tuple` is a hash of its
// addresses, ports and realm.
// The packet's number for mirror_seen; fetches the place where it would stand.
uint64_t mirror_number(const struct mirror *m, const struct packet *p, uint64_t tuple);
// mirror_repeats with the number that mirror_number gave.
bool mirror_seen(struct mirror *m, uint64_t number, int64_t t_us);
bool mirror_repeats(struct mirror *m, const struct packet *p, uint64_t tuple);
