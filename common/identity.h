// Who an address is, at a time: realms, subscriber keys, parties, leases, and the answer to a look-up.
//
// Private ranges repeat, addresses change hands daily, one line has several addresses. So:
//   realm           where an address is unique (a VLAN stack, PPPoE session, VNI, VRF, B4 tunnel, ...)
//   subscriber key  (realm, family, prefix, port block): what a packet says
//   party           who answers for it: a line account, a mail account, or provisionally the key itself
// State, verdicts and tickets belong to a party. A provisional party may be ticketed, never
// quarantined. docs/formats/identity.md gives the text forms and the lease sources.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/addr.h"

// A realm's canonical text: "" for the sensor's default one, else layers outermost first joined by
// '/', each "vlan:101", "qinq:101.7", "pppoe:4711", "mpls:1040", "vni:5001", "l2tp:12.4",
// "gtp:1234", "b4:2001:db8::1", or "name:POP" when the sensor's configuration names it. Text that would be
// longer is replaced by "#" and 32 hex digits of its BLAKE2b-128.
#define REALM_MAX 48

// Lower-case letters, digits, and ":./-#" only; always NUL-terminated and NUL-padded: memcmp compares.
struct realm {
    char name[REALM_MAX];
};

int realm_parse(const char *text,
                struct realm *out); // -EINVAL: too long, or a character not allowed

// For what people write: NULL when a sensor can have named it, else what is wrong and how to write it, to be put behind
// the realm ("has a VLAN that is none; write ...").
const char *realm_check(const char *text);

// Is it what realm_parse could have given (for realms that come as octets)?
bool realm_is_valid(const struct realm *r);

enum subscriber_key_kind {
    SUBSCRIBER_ADDRESS = 1, // an address or prefix of ours
    SUBSCRIBER_MAILBOX = 2, // a mailbox of ours, as a keyed hash (mail log)
    SUBSCRIBER_CLIENT = 3,  // an outside network that uses our submission service (mail log)
};

struct subscriber_key {
    uint8_t kind;           // enum subscriber_key_kind
    uint8_t mailbox_key_id; // id of the site key behind `mailbox`
    uint16_t port_first; // CGNAT port block; 0 and 65535 when the whole address is the subscriber's
    uint16_t port_last;
    uint16_t zero;           // so that memcmp compares
    uint64_t mailbox;        // keyed hash (KEYED_HASH_MAILBOX)
    struct ip_prefix prefix; // SUBSCRIBER_ADDRESS, SUBSCRIBER_CLIENT
    uint8_t zero2[6];
    struct realm realm;
};

#define SUBSCRIBER_TEXT_MAX 128

// The key of a whole address or prefix.
struct subscriber_key subscriber_key_of(const struct realm *realm, const struct ip_prefix *prefix);

// The key of a mailbox. Its ports are 0 and 0: keys of one mailbox must be the same octets.
struct subscriber_key subscriber_key_mailbox(const struct realm *realm, uint8_t key_id,
                                             uint64_t mailbox);

int subscriber_key_compare(const struct subscriber_key *a, const struct subscriber_key *b);
uint64_t subscriber_key_hash(const struct subscriber_key *k, uint64_t seed);

// "192.0.2.7", "vlan:101/192.0.2.7", "2001:db8:1::/56", "192.0.2.7:1024-2047",
// "[2001:db8::7]:1024-2047", "client:198.51.100.0/24", "mailbox:1:00ff00ff00ff00ff": what tickets,
// pages and the command show and take.
const char *subscriber_key_format(const struct subscriber_key *k,
                                  char out[static SUBSCRIBER_TEXT_MAX]);
int subscriber_key_parse(const char *text, struct subscriber_key *out); // -EINVAL

enum party_kind { PARTY_PROVISIONAL = 1, PARTY_LINE = 2, PARTY_MAILBOX = 3 };

#define PARTY_ID_MAX 128

// `id` is the account's own name (line, mailbox hash) or the subscriber key's text (provisional).
struct party {
    uint8_t kind; // enum party_kind
    char id[PARTY_ID_MAX];
};

#define PARTY_TEXT_MAX (PARTY_ID_MAX + 16)

// "line:4711", "mailbox:1:00ff...", "provisional:192.0.2.7".
const char *party_format(const struct party *p, char out[static PARTY_TEXT_MAX]);
int party_parse(const char *text, struct party *out); // -EINVAL
struct party party_provisional(const struct subscriber_key *k);

enum lease_source {
    LEASE_NONE,
    LEASE_CSV,
    LEASE_RADIUS,
    LEASE_DHCP_KEA,
    LEASE_DHCP_ISC,
    LEASE_CGNAT_TABLE,
    LEASE_CGNAT_FORMULA,
    LEASE_PREFIX_MAP, // dated map of networks, for renumbering and static products
};

// "radius", "kea", ...; NULL: none.
const char *lease_source_name(uint8_t source);

#define LEASE_NAME_MAX 64

// One span of time in which a key belonged to a party.
struct lease {
    struct subscriber_key key;
    struct party party;
    uint8_t source; // enum lease_source
    int64_t start_ms;
    int64_t end_ms;       // 0: still open
    int64_t last_seen_ms; // last start, interim or renewal
    int64_t interim_ms;   // how often it should be seen again; stale after twice this
    uint8_t mac[6];       // subscriber or modem MAC; zero: not known
    char nas[LEASE_NAME_MAX];
    char session_id[LEASE_NAME_MAX];
    char user_name[LEASE_NAME_MAX];
    char pop[LEASE_NAME_MAX];
    char network_class[LEASE_NAME_MAX]; // profile name: "residential", "business-static", ...
};

enum identity_confidence {
    IDENTITY_UNKNOWN,   // nobody says: a provisional party
    IDENTITY_AMBIGUOUS, // more than one party fits; `party` is provisional
    IDENTITY_STALE,     // the lease was not seen for twice its interim interval
    IDENTITY_LIKELY,    // one party, with a doubt named in `doubts`
    IDENTITY_CERTAIN,
};

enum identity_doubt {
    IDENTITY_NEAR_CHANGE = 1 << 0,   // within 120 s of a lease change
    IDENTITY_CLOCKS_DIFFER = 1 << 1, // sensor and lease source disagree by more than 2 s
    IDENTITY_BNG_REBOOT = 1 << 2,    // over 5 % of the POP's leases changed in 5 min
    IDENTITY_NO_PORT = 1 << 3,       // behind CGNAT and no source port to tell by
    IDENTITY_OVERLAP = 1 << 4,       // two leases claim the key
    IDENTITY_LOST_STOP = 1 << 5,     // ended by the next start, not by a stop
    IDENTITY_UNCONFIRMED = 1 << 6,   // of a verdict: accounting gave no sign of the lease since
};

// The answer to "whose was it then".
struct identity {
    struct party party;
    uint8_t confidence;     // enum identity_confidence
    uint32_t doubts;        // enum identity_doubt bits
    uint8_t source;         // enum lease_source
    int64_t lease_start_ms; // 0: not known. A party sees only its own time
    char pop[LEASE_NAME_MAX];
    char network_class[LEASE_NAME_MAX];
};

// Lease CSV (docs/formats/identity.md), one line a lease, quoted as RFC 4180 does. Columns:
#define LEASE_CSV_HEADER                                                                          \
    "realm,prefix,port_first,port_last,party,start,end,last_seen,interim_s,mac,nas,session,user," \
    "pop,class"
// 0, or -EINVAL with what and in which column in `error`. The header line, comments and blank lines
// are the caller's to skip. A party without a kind is a line. A column more, `source`, may follow.
int lease_parse_csv(const char *line, struct lease *out, char error[static 160]);
int lease_write_csv(FILE *out, const struct lease *l); // 0 or -EIO
