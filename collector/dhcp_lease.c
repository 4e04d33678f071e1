// Renewals go on with the lease they renew; the line's name comes from what the access network adds, before
// what the client says of itself.
#include "dhcp_lease.h"

#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

#define FOREVER_S 31536000 // lease CSV's longest interval

static void mac_text(const uint8_t *mac, char *out, size_t size)
{
    snprintf(out, size, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
             mac[5]);
}

bool dhcp_id_text(const struct dhcp_id *id, char *out, size_t size)
{
    if (id->len == 0)
        return false;
    if (id->len < size && !memchr(id->octet, 0, id->len)) {
        memcpy(out, id->octet, id->len);
        out[id->len] = '\0';
        if (utf8_is_clean(out) && out[0] != ' ' && out[id->len - 1] != ' ')
            return true;
    }
    if (id->len == 6) {
        mac_text(id->octet, out, size);
        return true;
    }
    if (2 * (size_t)id->len + 2 >= size)
        return false;
    snprintf(out, size, "0x");
    for (size_t i = 0; i < id->len; i++)
        snprintf(out + 2 + 2 * i, 3, "%02x", id->octet[i]);
    return true;
}

bool dhcp_duid_mac(const struct dhcp_id *duid, uint8_t mac[static 6])
{
    static const uint8_t llt[] = {0, 1, 0, 1}, ll[] = {0, 3, 0, 1};
    size_t at = duid->len == 14 && memcmp(duid->octet, llt, 4) == 0  ? 8
                : duid->len == 10 && memcmp(duid->octet, ll, 4) == 0 ? 4
                                                                     : 0;
    if (at == 0)
        return false;
    memcpy(mac, duid->octet + at, 6);
    return true;
}

static bool name_party(const struct dhcp_lease *d, enum dhcp_party from, struct party *out)
{
    char id[PARTY_ID_MAX] = "", text[PARTY_TEXT_MAX];
    bool any = from == DHCP_PARTY_AUTO, named = false;
    if (any || from == DHCP_PARTY_REMOTE_ID)
        named = dhcp_id_text(&d->remote_id, id, sizeof id);
    if (from == DHCP_PARTY_CIRCUIT_ID)
        named = dhcp_id_text(&d->circuit_id, id, sizeof id);
    if (!named && d->has_mac && (any || from == DHCP_PARTY_MAC)) {
        mac_text(d->mac, id, sizeof id);
        named = true;
    }
    if (!named && (any || from == DHCP_PARTY_CLIENT_ID))
        named = dhcp_id_text(&d->client_id, id, sizeof id);
    snprintf(text, sizeof text, "line:%s", id);
    return named && party_parse(text, out) == 0;
}

static void copy_text(char *out, const char *text)
{
    snprintf(out, LEASE_NAME_MAX, "%s", text);
}

int dhcp_apply(struct lease_store *store, const struct dhcp_naming *naming,
               const struct dhcp_lease *d, int64_t now_ms, struct dhcp_counts *counts)
{
    struct lease lease = {.source = naming->source,
                          .start_ms = d->seen_ms,
                          .end_ms = d->end_ms,
                          .last_seen_ms = d->seen_ms,
                          .interim_ms = 1000 * (int64_t)FOREVER_S};
    lease.key = (struct subscriber_key){.kind = SUBSCRIBER_ADDRESS,
                                        .port_last = 65535,
                                        .prefix = d->prefix,
                                        .realm = naming->realm};
    if (!name_party(d, naming->party, &lease.party)) {
        counts->no_party++;
        return 0;
    }
    if (d->has_mac)
        memcpy(lease.mac, d->mac, sizeof lease.mac);
    copy_text(lease.nas, naming->server);
    copy_text(lease.pop, naming->pop);
    copy_text(lease.network_class, naming->network_class);
    bool over = d->ended || d->dropped;
    bool known = leases_renewal(store->leases, &lease);
    if (over && !known) { // of a lease that was never told
        counts->no_lease++;
        return 0;
    }
    if (d->dropped) {
        lease.end_ms = now_ms > d->seen_ms ? now_ms : d->seen_ms;
        if (d->end_ms && d->end_ms > d->seen_ms && lease.end_ms > d->end_ms)
            lease.end_ms = d->end_ms;
    }
    if (over && lease.end_ms < lease.start_ms)
        lease.end_ms = lease.start_ms;
    // What ends was heard of until then.
    if (over || (lease.end_ms && lease.last_seen_ms > lease.end_ms))
        lease.last_seen_ms = lease.end_ms;
    counts->taken++;
    return lease_store_put(store, &lease);
}
