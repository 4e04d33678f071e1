// Reply texts: the first octet chooses the client's address family.
#include <stdlib.h>

#include "proto/blocklist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct ip_addr client = ip_from_v4((uint8_t[]){192, 0, 2, 7});
    if (data[0] & 1 && ip_parse("2001:db8::7", &client) != 0)
        abort();
    struct blocklist_finding b = {0};
    blocklist_look(&b, span_of(data + 1, size - 1), &client);
    if (blocklist_kind(&b) > BLOCKLIST_EXPLOIT)
        abort();
    return 0;
}
