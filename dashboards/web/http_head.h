// What of a request's head is believed before anything is answered: whose host it names, and where it ends (RFC 9110,
// 9112). A proxy in front that reads a doubtful head in another way would take our answers for others'.
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"

// False: two Host fields, a length given twice or in two ways, a length that is no number, or an encoding that
// does not say where it ends.
bool http_head_is_framed(struct MHD_Connection *connection);

// Does Host name this machine, with our port or none? No other page can then make a browser ask us by its name.
bool http_head_is_ours(struct MHD_Connection *connection, const struct ip_addr *address,
                       uint16_t port);
