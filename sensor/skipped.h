// What could not be opened, counted by name: "ethertype 0x88e5", "ip protocol 89", "linktype 147",
// "broken ipv4: bad length". A fixed table; when it is full further names count as "other layers".
#pragma once

#include <stdint.h>

enum skipped_kind {
    SKIPPED_LINKTYPE,
    SKIPPED_ETHERTYPE,
    SKIPPED_LLC,
    SKIPPED_IP_PROTOCOL,
    SKIPPED_PPP,
    SKIPPED_GRE,      // protocol type inside GRE that no ethertype explains
    SKIPPED_MPLS,     // first nibble behind the label stack
    SKIPPED_NULL,     // address family of BSD null
    SKIPPED_GPE,      // next protocol of VXLAN-GPE
    SKIPPED_HARDWARE, // ARPHRD type of Linux cooked
    SKIPPED_WLAN,     // 802.11 payload: 1 encrypted, 2 aggregated
    SKIPPED_BROKEN,   // number: layer << 8 | enum decap_reason
    SKIPPED_KIND_N
};

#define SKIPPED_NAMES_MAX 512
#define SKIPPED_TEXT_MAX  64

struct skipped {
    struct skipped_name {
        uint32_t kind_and_number; // kind + 1 in the top octet; 0: free
        uint64_t count;
    } name[SKIPPED_NAMES_MAX];
    uint32_t used;
    uint64_t other;
    uint64_t total;
};

// `number` below 2^24. The structure is valid when zeroed.
void skipped_count(struct skipped *s, enum skipped_kind kind, uint32_t number);

// Calls `fn` for every name, most frequent first, equal ones by name. `broken_text` words a
// SKIPPED_BROKEN number.
typedef void (*skipped_fn)(void *ctx, const char *name, uint64_t count);
typedef void (*skipped_broken_fn)(uint32_t number, char out[static SKIPPED_TEXT_MAX]);
void skipped_each(const struct skipped *s, skipped_broken_fn broken_text, skipped_fn fn, void *ctx);
