// The operator's own list of networks: who runs an address, and in which country it is.
//
// Lines `PREFIX ASN [COUNTRY]` ("192.0.2.0/24 64496 DE"; the number with or without AS, the country by
// its ISO 3166 code; `#` begins a comment). Read strictly: a wrong line is an error with its place, never
// skipped in silence, for a missing prefix would change what counts as one provider.
#pragma once

#include <stdio.h>

#include "common/addr.h"

struct network {
    uint32_t asn;
    char country[3]; // "": not said
};

struct network_file;

// All errors go to `errors` as FILE:LINE:COLUMN: TEXT. 0, -EINVAL (errors were written) or another
// negative errno (also written). `path` NULL gives an empty list.
int network_file_load(const char *path, FILE *errors, struct network_file **out);
void network_file_free(struct network_file *f);

// The longest prefix that holds `a`; NULL: not known. Borrowed.
const struct network *network_file_find(const struct network_file *f, const struct ip_addr *a);
