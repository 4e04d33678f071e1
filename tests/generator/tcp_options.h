// TCP options as stacks lay them out: MSS, SACK permitted, SACK, timestamps, window scale
// (RFC 9293, 2018, 7323).
#pragma once

#include "packet.h"

struct tcp_offer {
    uint16_t mss;
    bool sack, timestamps;
    uint8_t window_scale; // 0: none
    uint32_t ts_now, ts_echo;
};

struct tcp_sack {
    uint32_t left, right;
};

// Each returns the octets written, a multiple of four.
size_t tcp_options_syn(uint8_t out[static TCP_OPTIONS_MAX], const struct tcp_offer *o);
size_t tcp_options_segment(uint8_t out[static TCP_OPTIONS_MAX], const struct tcp_offer *o,
                           const struct tcp_sack *sack);
