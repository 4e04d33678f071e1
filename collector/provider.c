// Many addresses of one provider are one contact; who that is, by what is known best. See provider.h.
#include "provider.h"

#include "common/hash.h"

uint32_t provider_asn(const struct network_file *networks, const struct ip_addr *a)
{
    const struct network *n = network_file_find(networks, a);
    return n ? n->asn : 0;
}

struct provider provider_of(const struct network_file *networks, const struct ip_addr *peer,
                            const char *sni)
{
    if (sni[0])
        return (struct provider){MINUTE_PROVIDER_SNI, hash_octets(HASH_SNI, span_of_text(sni))};
    uint32_t asn = provider_asn(networks, peer);
    if (asn != 0)
        return (struct provider){MINUTE_PROVIDER_ASN, hash_number(HASH_ASN, asn)};
    return (struct provider){MINUTE_PROVIDER_NETWORK, hash_network(peer)};
}
