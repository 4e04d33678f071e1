// Frames are handed out where they lie. Only the kernel writes headers; what they say of places is taken
// as it is.
#include "ring_block.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <string.h>

#define LINKTYPE_ETHERNET 1
#define ADDRESSES         12 // two of Ethernet
#define TAG               4

static struct tpacket_hdr_v1 *header(const uint8_t *block)
{
    return &((struct tpacket_block_desc *)(uintptr_t)block)->hdr.bh1;
}

bool ring_block_ready(const uint8_t *block)
{
    return __atomic_load_n(&header(block)->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

void ring_block_begin(uint8_t *block, struct ring_block *out)
{
    const struct tpacket_hdr_v1 *h = header(block);
    *out = (struct ring_block){.next = block + h->offset_to_first_pkt, .left = h->num_pkts};
}

// A header, and behind it those of Ethernet, IP and TCP.
static void fetch(const uint8_t *at)
{
    __builtin_prefetch(at);
    __builtin_prefetch(at + 64);
    __builtin_prefetch(at + 128);
}

void ring_block_look_ahead(struct ring_block *b, uint32_t frames)
{
    b->ahead = b->next;
    b->ahead_left = frames < b->left ? frames : b->left;
    if (b->ahead_left > 0)
        fetch(b->ahead);
}

void ring_block_fetch(struct ring_block *b)
{
    if (b->ahead_left < 2)
        return;
    b->ahead_left--;
    b->ahead += ((const struct tpacket3_hdr *)(const void *)b->ahead)->tp_next_offset;
    fetch(b->ahead);
}

void ring_block_return(uint8_t *block)
{
    __atomic_store_n(&header(block)->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

// Where the frame begins with its tag in place.
static uint8_t *put_tag_back(uint8_t *frame, const struct tpacket3_hdr *h)
{
    unsigned tpid = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->hv1.tp_vlan_tpid : ETHERTYPE_VLAN;
    const uint8_t tag[TAG] = {(uint8_t)(tpid >> 8), (uint8_t)tpid,
                              (uint8_t)(h->hv1.tp_vlan_tci >> 8), (uint8_t)h->hv1.tp_vlan_tci};
    memmove(frame - TAG, frame, ADDRESSES);
    memcpy(frame - TAG + ADDRESSES, tag, TAG);
    return frame - TAG;
}

size_t ring_block_next(struct ring_block *b, uint32_t snaplen, struct source_frame *out, size_t max)
{
    size_t n = 0;
    for (; n < max && b->left > 0; n++, b->left--) {
        const struct tpacket3_hdr *h = (const void *)b->next;
        uint8_t *frame = b->next + h->tp_mac;
        uint32_t cap = h->tp_snaplen, wire = h->tp_len;
        if ((h->tp_status & TP_STATUS_VLAN_VALID) && cap >= ADDRESSES) {
            frame = put_tag_back(frame, h);
            cap += TAG;
            wire += TAG;
        }
        out[n] = (struct source_frame){.t_us = (int64_t)h->tp_sec * 1000000 + h->tp_nsec / 1000,
                                       .linktype = LINKTYPE_ETHERNET,
                                       .data = span_of(frame, cap < snaplen ? cap : snaplen),
                                       .wire = wire};
        b->next += h->tp_next_offset;
    }
    return n;
}
