// What dialogue a flow carries: the first octets of both sides, held until a tracker's rule says
// yes, then given to it in the order in which they came. What no rule knows is asked of nDPI.
//
// The peek buffer is itself a tracker on the flow's stack (PROTO_PEEK_MAX octets a side, a bounded
// list of runs), so that it nests: what a SOCKS session relays is identified the same way.
#pragma once

#include "proto/proto.h"

// For a flow whose first octets come now, and for what is relayed (proto_switch to it).
extern const struct proto_descriptor ident_peek;

// Who follows a flow with nobody on its stack, whose first octets of all are `data`: they nearly always tell.
// The tracker they name, or ident_peek to wait for more. NULL: nobody, and it is decided; the flow has its name.
const struct proto_descriptor *ident_first(struct proto_flow *f, enum proto_side side,
                                           struct span data);

// Stands where a dialogue must not be looked at (legal profile): sees only whether a TLS handshake
// begins, and then hands over to the TLS tracker.
extern const struct proto_descriptor ident_watch;

// What a port usually means (enum record_app), for flows without payload.
uint8_t ident_app_of_port(uint16_t port, uint8_t ip_proto);

// Plain-text protocols that need no tracker of ours: HTTP and SSH. RECORD_APP_UNKNOWN when neither.
uint8_t ident_common_app(const struct proto_peek *p);

// Ports on which mail is submitted or relayed (25, 465, 587, 2525).
bool ident_is_mail_port(uint16_t port);
