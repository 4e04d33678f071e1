// Flow facts as packets of a chosen subscriber: as many packets and octets each way as the facts say,
// at the times they say.
#pragma once

#include "flow_facts.h"
#include "inject_syn.h"
#include "party.h"

struct inject {
    char *path;            // of the CSV
    struct ip_addr v4, v6; // the subscriber; IP_NONE: it has none of that family
    int64_t offset_ns;     // between the capture's start and the facts' zero
    struct flow_facts facts;
    uint64_t unmatched; // octets that could not be matched, both ways
};

// Reads "CSV@ADDRESS[,ADDRESS][+OFFSET]", the second address of the other family, and the file. 0, or a sysexits code after a line on `errors`.
int inject_load(const char *text, struct inject *out, FILE *errors);
void inject_free(struct inject *i);

// When the last flow ends, counted from the capture's start.
int64_t inject_end_ns(const struct inject *i);

// Plays all flows as `p`, whose address is already the subscriber's.
void inject_play(struct inject *i, struct party *p);
