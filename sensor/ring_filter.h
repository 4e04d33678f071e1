// A filter of pcap-filter(7) for Ethernet frames, compiled by libpcap: for the kernel, or behind the ring.
//
// In the kernel the outer tag stands beside the frame, and what libpcap makes of two layers for that (1.10)
// the kernel refuses. A filter that names layers is therefore applied behind the ring, where frames are whole again.
#pragma once

#include "source.h"

struct ring_filter;

// Does it name layers (VLAN, PPPoE, MPLS, Geneve)?
bool ring_filter_names_layers(const char *expression);

// `snaplen`: what is kept of a frame that passes. -EINVAL: `error` says what is wrong with it; -ENOMEM.
int ring_filter_new(const char *expression, uint32_t snaplen, struct ring_filter **out, char *error,
                    size_t size);
void ring_filter_free(struct ring_filter *f);
// Puts it on a packet socket; NULL: all frames, and `snaplen` octets of each. Negative errno.
int ring_filter_attach(const struct ring_filter *f, uint32_t snaplen, int fd);
bool ring_filter_takes(const struct ring_filter *f, const struct source_frame *frame);
