// What flow facts say of an attempt that came to nothing: when its SYNs went out, and whether it was refused. Who plays
// facts as packets and who plays them as minute rows read them by the same rule.
#pragma once

#include "flow_facts.h"

// Times of the SYNs of an unanswered flow relative to its first: `packets` of them over `duration_ns`.
// Returns how many there are; each stands for `*copies` identical packets (2: everything was captured
// twice). At most INJECT_SYN_MAX are written.
enum { INJECT_SYN_MAX = 64 };
size_t inject_syn_times(uint32_t packets, int64_t duration_ns,
                        int64_t out_ns[static INJECT_SYN_MAX], unsigned *copies);

// As many answers as attempts and nothing said: SYN and RST, again and again. `header`: octets of a frame without
// options and payload.
bool inject_is_refused(const struct flow_fact *f, size_t header);
