// DNS queries over UDP to the ISP's resolver and their answers (RFC 1035).
#pragma once

#include "party.h"

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28 };

// A query for `name`, answered some milliseconds later: with `answer` for A and AAAA, with the host
// `target` for MX, with "no such name" when neither is given. `server`: NULL for the ISP's resolver.
void dns_lookup(struct party *p, int64_t t_ns, const struct ip_addr *server, const char *name,
                enum dns_type type, const struct ip_addr *answer, const char *target);
