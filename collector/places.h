// Places for connections that have not yet said who they are: so many in all, so many a source; who has said nothing goes first,
// then the oldest. A source from which an enrolled sensor came before finds a place whatever strangers do.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct place {
    uint64_t source, order;
    bool used, known, spoke;
};

struct places {
    struct place *item; // owned
    size_t count;       // strangers, and as many more as are kept for known sources
    size_t strangers, source_max;
    uint64_t order;
};

#define PLACES_KNOWN_TIMES 4 // a known source has so many times more: the processes of a port

int places_init(struct places *p, size_t strangers, size_t kept, size_t source_max); // -ENOMEM
void places_fini(struct places *p);
// The place for a newcomer; `*used`: somebody has it, who must go first. Always finds one.
size_t places_take(struct places *p, uint64_t source, bool known, bool *used);
void places_spoke(struct places *p, size_t place); // something came
void places_leave(struct places *p, size_t place);
