// Flow facts as packets of a chosen subscriber: as many packets and octets each way as the facts say,
// at the times they say.
#pragma once

#include "flow_facts.h"
#include "party.h"

struct inject {
    char *path;        // of the CSV
    struct ip_addr at; // the subscriber
    int64_t offset_ns; // between the capture's start and the facts' zero
    struct flow_facts facts;
    uint64_t unmatched; // octets that could not be matched, both ways
};

// Reads "CSV@ADDRESS[+OFFSET]" and the file. 0, or a sysexits code after a line on `errors`.
int inject_load(const char *text, struct inject *out, FILE *errors);
void inject_free(struct inject *i);

// When the last flow ends, counted from the capture's start.
int64_t inject_end_ns(const struct inject *i);

// Plays all flows as `p`, whose address is already the subscriber's.
void inject_play(struct inject *i, struct party *p);

// Times of the SYNs of an unanswered flow relative to its first: `packets` of them over `duration_ns`.
// Returns how many there are; each stands for `*copies` identical packets (2: everything was captured
// twice). At most INJECT_SYN_MAX are written.
enum { INJECT_SYN_MAX = 64 };
size_t inject_syn_times(uint32_t packets, int64_t duration_ns,
                        int64_t out_ns[static INJECT_SYN_MAX], unsigned *copies);
