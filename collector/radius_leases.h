// What an accounting packet means for leases: who the party is, since when, until when.
//
// A start of a session that is open under another address, or long after, ends what was: the stop was lost. An
// interim of a session not known begins it. Accounting-On and -Off end all of the access router.
#pragma once

#include "lease_store.h"
#include "radius.h"

enum radius_party {
    RADIUS_PARTY_USER,
    RADIUS_PARTY_CALLING_STATION,
    RADIUS_PARTY_CLASS,
    RADIUS_PARTY_REMOTE_ID,
    RADIUS_PARTY_CIRCUIT_ID,
    RADIUS_PARTY_NAS_PORT,
};

struct radius_naming {
    enum radius_party party;
    struct realm realm;
    const char *pop, *network_class; // borrowed
    int64_t interim_ms;              // when the packet does not say
};

#define RADIUS_CLOCKS 1024

// How far the clocks of access routers are from ours; a table with a fixed number of places.
struct radius_clocks {
    struct {
        uint64_t nas;
        uint8_t wrong, right; // packets in a row
        bool differs;
    } at[RADIUS_CLOCKS];
    size_t differing;
};

// `source` names the access router when the packet does not. `now_ms` is when the packet came. RADIUS_TAKEN,
// or why not (RADIUS_REFUSED_PARTY, _KEPT).
enum radius_refusal radius_apply(struct lease_store *store, struct radius_clocks *clocks,
                                 const struct radius_naming *naming,
                                 const struct radius_accounting *a, const struct ip_addr *source,
                                 int64_t now_ms);
