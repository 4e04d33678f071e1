// Which TLS client (JA4) a flow shows: programs of people, of servers, of bots.
#pragma once

#include "people.h"

// Bots of one family show one client: their own, or that of a library which innocents use as well.
enum client_family { CLIENT_NO_FAMILY, CLIENT_OWN, CLIENT_LIBRARY };

// A number for the client, the same for all who show it; 0: the flow shows none.
uint32_t client_of(const struct rates *rates, const struct line *l, const struct flow *f);
