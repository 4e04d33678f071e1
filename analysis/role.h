// What a party is to mail: a household, a mail server, or not known yet.
//
// A mail server is who takes mail on port 25 from outside: of 3 networks on 3 days; or who the operator
// says (site.mail_servers). A scanner that is greeted delivers nothing, and lifts no limit. Never learnt from what it sends: a patient bot would launder itself. A
// role changes priors and limits and never mutes hard evidence.
#pragma once

#include "common/addr.h"
#include "common/minute.h"

enum role { ROLE_HOUSEHOLD, ROLE_UNKNOWN, ROLE_MAIL_SERVER, ROLES };

const char *role_name(unsigned role); // "household", "unknown", "mail-server"

#define ROLE_NETWORKS     3
#define ROLE_DAYS         3
#define ROLE_NEW_NETWORKS 2 // on its first day: it may become one

// Zeroed is valid: nothing learnt.
struct role_state {
    uint32_t day;      // UTC day of `network`
    uint32_t last_day; // last day on which enough networks delivered
    uint32_t network[ROLE_NETWORKS];
    uint8_t networks; // that delivered today
    uint8_t days;     // with enough networks
    bool named;       // the operator's word
};

// Did somebody outside deliver a message in this session? An accepted one; where the dialogue is not read, by its size.
bool role_is_delivery(const struct minute_digest *d);

// Learns from a row. `named`: the operator says that this key may run a mail server.
void role_observe(struct role_state *s, const struct minute_row *r, bool named);

enum role role_of(const struct role_state *s, int64_t now_ms);
