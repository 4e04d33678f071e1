// Who runs the server at an address: the registered domain a client named, else the network operator's
// number by the site's own prefix file, else the /24 or /48. Many addresses of one provider are one contact.
#pragma once

#include "common/minute.h"
#include "common/network_file.h"

struct provider {
    uint8_t kind; // enum minute_provider
    uint64_t hash;
};

// 0: not known.
uint32_t provider_asn(const struct network_file *networks, const struct ip_addr *a);

// `sni` "" when none was named.
struct provider provider_of(const struct network_file *networks, const struct ip_addr *peer,
                            const char *sni);
