// SOCKS 4, 4a and 5 (RFC 1928, 1929) and HTTP CONNECT (RFC 9110): the handshake by which a client asks to be connected somewhere.
#pragma once

#include "channel.h"

enum socks_version { SOCKS_4, SOCKS_4A, SOCKS_5, SOCKS_5_PASSWORD, SOCKS_HTTP };

// What the client sends up to and with its request for `target` (by name for 4a and 5), and what the
// server says before the request's answer. The connection is open; `wrong_password` ends SOCKS5 with
// authentication early: false is returned and the conversation is closed.
bool socks_ask(struct channel *c, enum socks_version version, const struct peer *target,
               uint16_t port, bool by_name, bool wrong_password);

// The answer: `granted`, or a failure (host unreachable).
void socks_answer(struct channel *c, enum socks_version version, const struct ip_addr *bound,
                  bool granted);
