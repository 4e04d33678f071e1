// What the sensor counts of itself, monotonic since its start: the status document shows all of it, a
// coverage record the differences of a second. docs/sensor.md says what each means.
#pragma once

#include <stdint.h>

#define STATS(X)                                                                       \
    X(packets, "packets handed to the sensor")                                         \
    X(octets, "their octets on the wire")                                              \
    X(tcp_packets, "TCP packets counted in a flow")                                    \
    X(udp_packets, "UDP packets counted in a flow")                                    \
    X(icmp_packets, "ICMP packets")                                                    \
    X(icmp_matched, "ICMP errors that ended a TCP attempt")                            \
    X(stray_packets, "TCP packets of no flow: late RST, FIN, or behind a flow's end")  \
    X(duplicates, "packets mirrored twice")                                            \
    X(retransmissions, "TCP segments that brought nothing new")                        \
    X(keepalives, "TCP keep-alives")                                                   \
    X(outside_window, "TCP segments and resets outside the window, not used")          \
    X(conflicts, "TCP segments that overlap with different octets")                    \
    X(seen_octets, "TCP payload octets seen")                                          \
    X(missing_octets, "TCP octets acknowledged or passed over, never seen")            \
    X(no_memory_octets, "octets passed over because reassembly memory was full")       \
    X(tcp_flows, "TCP flows begun")                                                    \
    X(udp_flows, "UDP flows begun")                                                    \
    X(mail_flows, "TCP flows on mail ports or speaking mail")                          \
    X(subscriber_flows, "flows begun with a subscriber at an end")                     \
    X(midstream_flows, "TCP flows joined in the middle")                               \
    X(one_sided_flows, "TCP flows ended with one direction only")                      \
    X(ended_flows, "TCP flows ended")                                                  \
    X(evicted_flows, "flows ended early because the flow table was full")              \
    X(carriers, "long flows watched for what is opened behind their data")             \
    X(carriers_refused, "long flows not watched, or no longer: no place left")         \
    X(dialogues, "dialogues followed")                                                 \
    X(dialogues_refused, "dialogues not followed: no place left")                      \
    X(dialogues_evicted, "dialogues no longer followed: their place was needed")       \
    X(realms_refused, "packets counted in the default realm: no place for theirs")     \
    X(clock_back, "packets with a time before that of the packet before")              \
    X(clock_ahead, "packets whose time alone was far ahead, counted where they stand") \
    X(records, "records exported")                                                     \
    X(card_drops, "packets dropped by the interface")                                  \
    X(ring_drops, "packets dropped by the capture ring")                               \
    X(spool_drops, "records that could not be written")                                \
    X(oversized, "frames above the MTU: joined by LRO or GRO")

struct stats {
#define X(name, text) uint64_t name;
    STATS(X)
#undef X
};
