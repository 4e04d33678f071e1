// Does a 4xx or 5xx reply say that the client's address is on a blocklist, and of which kind? A
// table of zones and phrases, kept as data.
//
// Policy listings (PBL, DUL, dynamic, generic reverse DNS) say what an address is for; exploit
// listings (XBL, CSS, SpamCop, PSBL, ...) say what it did. A bare zone name that holds both is
// unknown. UCEPROTECT levels 2 and 3 list whole networks and count as nothing; 127.255.255.x means
// that the server's own query was refused.
#pragma once

#include "common/addr.h"
#include "common/span.h"

enum blocklist_kind { BLOCKLIST_NONE, BLOCKLIST_UNKNOWN, BLOCKLIST_POLICY, BLOCKLIST_EXPLOIT };

// Gathered over the lines of one reply; zeroed is empty.
struct blocklist_finding {
    bool listed : 1;   // some zone or phrase was named
    bool combined : 1; // of a zone whose kind only the answer's code tells
    bool policy : 1, exploit : 1;
    bool discounted : 1;    // a listing that never counts (UCEPROTECT 2, 3)
    bool query_refused : 1; // 127.255.255.x
    bool names_us : 1;      // the client's own address stands there
    uint8_t answer;         // last octet of a 127.0.0.x; 0: none
};

void blocklist_look(struct blocklist_finding *b, struct span text, const struct ip_addr *client);
enum blocklist_kind blocklist_kind(const struct blocklist_finding *b);

// The phrases and zones that are known, in lower case; NULL behind the last.
const char *blocklist_phrase(size_t n);
