// Links without a header: the packet begins with IP.
#include "decap/decap.h"

static enum decap_result decode(struct decap_run *r)
{
    return decap_by_ip_version(r, SKIPPED_NULL);
}

static const int linktypes[] = {12, 14, 101, 228, 229, -1};

const struct decap_descriptor decap_raw = {.name = "raw", .linktypes = linktypes, .decode = decode};
