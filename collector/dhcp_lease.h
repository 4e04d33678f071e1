// A lease as a DHCP server tells it, whatever its file looks like, and how it becomes a lease of a party.
#pragma once

#include "lease_store.h"

#define DHCP_ID_MAX 256

struct dhcp_id {
    uint16_t len; // 0: not told
    uint8_t octet[DHCP_ID_MAX];
};

struct dhcp_lease {
    struct ip_prefix prefix;
    int64_t seen_ms; // the client's last transaction
    int64_t end_ms;  // 0: for ever
    bool ended;      // released or expired: it ends at `end_ms`
    bool dropped;    // taken out of the file, nobody says when
    bool has_mac;
    uint8_t mac[6];
    struct dhcp_id client_id;  // option 61, or the DUID
    struct dhcp_id remote_id;  // option 82.2, or DHCPv6 37 without its enterprise number
    struct dhcp_id circuit_id; // option 82.1, or DHCPv6 18
};

enum dhcp_party {
    DHCP_PARTY_AUTO, // remote-id, else MAC, else client id
    DHCP_PARTY_REMOTE_ID,
    DHCP_PARTY_CIRCUIT_ID,
    DHCP_PARTY_MAC,
    DHCP_PARTY_CLIENT_ID,
};

struct dhcp_naming {
    uint8_t source; // enum lease_source
    enum dhcp_party party;
    struct realm realm;
    const char *pop, *network_class, *server; // borrowed; `server` stands where others have the NAS
};

struct dhcp_counts {
    uint64_t taken, broken, no_party, no_lease;
};

// `now_ms` is the time of a live follower, 0 in a file job: then what was dropped ended when it was last seen.
int dhcp_apply(struct lease_store *store, const struct dhcp_naming *naming,
               const struct dhcp_lease *d, int64_t now_ms, struct dhcp_counts *counts);

// Octets as they are when they are clean text, six others as a MAC, else 0x and hex digits. False: none.
bool dhcp_id_text(const struct dhcp_id *id, char *out, size_t size);
// The hardware address within a DUID of type LLT or LL (RFC 8415), when it is Ethernet's.
bool dhcp_duid_mac(const struct dhcp_id *duid, uint8_t mac[static 6]);
