// What SASL mechanisms say that all trackers of log-ins need. RFC 7628 (OAUTHBEARER), and XOAUTH2 as
// the big providers speak it.
#pragma once

#include "common/span.h"

// Does the mechanism send an access token instead of a password?
bool sasl_is_oauth(struct span mechanism);

// Of such a mechanism: is the challenge (base64) the server's error? It refuses with it (RFC 7628
// section 3.2.2: JSON with a status); the client's empty answer and the reply that ends the exchange
// only follow, and often the client hangs up instead. The challenge that asks for the token is empty.
bool sasl_challenge_refuses(struct span base64);
