// Answered flow facts: refused attempts, and conversations whose packets and octets add up.
#pragma once

#include "flow_facts.h"
#include "party.h"

// Plays the flow; returns by how many octets it misses the facts, both ways together.
uint64_t inject_talk(struct party *p, struct ip_addr subscriber, const struct flow_fact *f,
                     int64_t start_ns);

// TCP options of a SYN that are `want` octets long: none, MSS, MSS and SACK (Windows XP), with window
// scale, Linux's. Returns their length, a multiple of four.
size_t inject_syn_options(uint8_t out[static TCP_OPTIONS_MAX], size_t want);
