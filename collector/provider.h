// Who runs the server at an address: the registered domain a client named, else the network operator's
// number by the site's own prefix file, else the /24 or /48. Many addresses of one provider are one contact.
#pragma once

#include <stdio.h>

#include "common/minute.h"

struct provider {
    uint8_t kind; // enum minute_provider
    uint64_t hash;
};

struct provider_table; // prefix to ASN

// Reads lines `PREFIX ASN` ("192.0.2.0/24 64496"; `#` begins a comment). All errors go to `errors` as
// FILE:LINE:COLUMN: TEXT. 0, -EINVAL (errors were written) or another negative errno (also written).
// `path` NULL gives an empty table.
int provider_load(const char *path, FILE *errors, struct provider_table **out);
void provider_free(struct provider_table *t);

// 0: not known.
uint32_t provider_asn(const struct provider_table *t, const struct ip_addr *a);

// `sni` "" when none was named.
struct provider provider_of(const struct provider_table *t, const struct ip_addr *peer,
                            const char *sni);
