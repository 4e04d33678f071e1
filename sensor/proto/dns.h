// DNS over UDP, for proto.c: flows get a tracker only when a question for MX records comes by, since
// most DNS flows never see one.
#pragma once

#include "common/span.h"

// Is this datagram a DNS message with a question for MX?
bool dns_asks_mx(struct span datagram);
