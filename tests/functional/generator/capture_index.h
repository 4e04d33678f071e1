// What a capture holds for each address: packets, octets, TCP flows, and SMTP that can be read.
#pragma once

#include "common/addr.h"
#include "smtp_reader.h"

struct packet {
    struct ip_addr src, dst;
    uint8_t protocol, flags;
    uint16_t src_port, dst_port;
    uint32_t seq;
    struct span data; // of TCP, borrowed
    uint32_t wire_len;
};

struct subscriber {
    uint64_t packets, octets;
    uint64_t flows;           // begun by a SYN, from it or to it; repeated SYNs are one
    struct smtp_seen smtp[2]; // as the client, as the server
};

struct capture_index;

struct capture_index *capture_index_new(void); // ends the program without memory
void capture_index_free(struct capture_index *x);
void capture_index_add(struct capture_index *x, const struct packet *p);

// Adds what was seen of `a` to `sum`.
void capture_index_take(struct capture_index *x, const struct ip_addr *a, struct subscriber *sum);
