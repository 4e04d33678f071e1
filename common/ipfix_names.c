// Names of IPFIX data types and semantics, as IANA's registry spells them (RFC 5610): for the element files
// and documents that are made of the table of fields.
#include <stddef.h>

#include "common/ipfix.h"

const char *ipfix_type_name(unsigned type)
{
    static const char *const names[] = {
        [IPFIX_OCTET_ARRAY] = "octetArray",
        [IPFIX_UNSIGNED8] = "unsigned8",
        [IPFIX_UNSIGNED16] = "unsigned16",
        [IPFIX_UNSIGNED32] = "unsigned32",
        [IPFIX_UNSIGNED64] = "unsigned64",
        [IPFIX_STRING] = "string",
        [IPFIX_MAC] = "macAddress",
        [IPFIX_IPV4] = "ipv4Address",
        [IPFIX_IPV6] = "ipv6Address",
        [IPFIX_SECONDS] = "dateTimeSeconds",
        [IPFIX_MILLISECONDS] = "dateTimeMilliseconds",
        [IPFIX_MICROSECONDS] = "dateTimeMicroseconds",
        [IPFIX_NANOSECONDS] = "dateTimeNanoseconds",
    };
    return type < sizeof names / sizeof *names ? names[type] : NULL;
}

const char *ipfix_semantics_name(unsigned semantics)
{
    static const char *const names[] = {
        [IPFIX_DEFAULT] = "default",
        [IPFIX_QUANTITY] = "quantity",
        [IPFIX_TOTAL_COUNTER] = "totalCounter",
        [IPFIX_DELTA_COUNTER] = "deltaCounter",
        [IPFIX_IDENTIFIER] = "identifier",
        [IPFIX_FLAGS] = "flags",
    };
    return semantics < sizeof names / sizeof *names ? names[semantics] : NULL;
}
