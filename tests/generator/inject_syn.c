// See inject_syn.h.
#include "inject_syn.h"

#include <math.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

enum { FRAME_PAD = 6, OPTIONS_MAX = 40 };

// How far a first retransmission wait is from what stacks use (1 s, 3 s).
static double oddness(size_t transmissions, int64_t duration_ns)
{
    if (transmissions == 1)
        return duration_ns < 50 * NS_PER_MS ? 0 : 100;
    double wait = (double)duration_ns / 1e9 / (ldexp(1, (int)transmissions - 1) - 1);
    if (wait <= 0)
        return 100;
    double to_one = fabs(log(wait)), to_three = fabs(log(wait / 3));
    return to_one < to_three ? to_one : to_three;
}

size_t inject_syn_times(uint32_t packets, int64_t duration_ns,
                        int64_t out_ns[static INJECT_SYN_MAX], unsigned *copies)
{
    size_t n = packets < INJECT_SYN_MAX ? packets : INJECT_SYN_MAX;
    *copies = 1;
    if (n % 2 == 0 && oddness(n / 2, duration_ns) < oddness(n, duration_ns)) {
        n /= 2;
        *copies = 2;
    }
    // Waits double; but a flow of very many SYNs is a program that tries again, evenly.
    for (size_t i = 0; i < n; i++) {
        double share = n == 1   ? 0
                       : n <= 8 ? (ldexp(1, (int)i) - 1) / (ldexp(1, (int)n - 1) - 1)
                                : (double)i / (double)(n - 1);
        out_ns[i] = (int64_t)(share * (double)duration_ns);
    }
    return n;
}

bool inject_is_refused(const struct flow_fact *f, size_t header)
{
    return f->packets_out == f->packets_in &&
           f->octets_in <= (uint64_t)f->packets_in * (header + FRAME_PAD) &&
           f->octets_out <= (uint64_t)f->packets_out * (header + OPTIONS_MAX);
}
