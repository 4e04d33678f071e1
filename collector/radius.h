// RADIUS accounting packets (RFC 2866, 2869, 3162, 4818, 6911, and RFC 4679's DSL line names), the server's
// side: reading, checking the client's word, answering.
//
// Our own reader, because what Debian has is for clients (libfreeradius-client, libradcli) or a whole server
// (freeradius): neither hands a packet's attributes to somebody who listens. Bounded: one packet of at most
// 4,096 octets, prefixes and texts up to a constant, nothing allocated. Attributes not named here are passed
// over. Message-Authenticator is not asked for: an accounting request's authenticator is a keyed sum over the
// whole packet already.
#pragma once

#include "common/addr.h"
#include "common/span.h"

#define RADIUS_PACKET_MAX   4096
#define RADIUS_HEADER       20
#define RADIUS_PREFIXES_MAX 8
#define RADIUS_TEXT_MAX     254

enum radius_status {
    RADIUS_START = 1,
    RADIUS_STOP = 2,
    RADIUS_INTERIM = 3,
    RADIUS_ON = 7,
    RADIUS_OFF = 8,
};

// Why a packet is refused, by name as the status document has it.
#define RADIUS_REFUSALS(X)                                                          \
    X(CLIENT, "unknown_client", "from an address that is no client")                \
    X(BROKEN, "broken", "shorter than it says, or an attribute beyond its end")     \
    X(CODE, "not_accounting", "no Accounting-Request")                              \
    X(SECRET, "wrong_secret", "not signed with the client's secret")                \
    X(VALUE, "impossible_value", "an attribute of wrong length, or no status type") \
    X(PARTY, "no_party", "names nobody by the attribute that is to name the party") \
    X(KEPT, "not_kept", "could not be kept durably: the client asks again")

enum radius_refusal {
#define X(name, counter, text) RADIUS_REFUSED_##name,
    RADIUS_REFUSALS(X)
#undef X
        RADIUS_REFUSALS_N,
    RADIUS_TAKEN = RADIUS_REFUSALS_N,
};

// Spans are borrowed from the packet; empty: not there.
struct radius_accounting {
    uint32_t status; // enum radius_status; others are answered and mean nothing here
    uint32_t delay_s, session_s, interim_s;
    int64_t event_s;         // seconds since 1970; 0: not there
    struct ip_addr nas_addr; // family IP_NONE: not there
    struct span nas_identifier, nas_port_id;
    struct span user_name, session_id, calling_station, class_, circuit_id, remote_id;
    struct ip_prefix prefix[RADIUS_PREFIXES_MAX]; // IPv4, IPv6 WAN, delegated
    size_t prefixes;
    uint32_t prefixes_cut; // there was no room for
};

// RADIUS_TAKEN, RADIUS_REFUSED_BROKEN, _CODE or _VALUE.
enum radius_refusal radius_decode(struct span packet, struct radius_accounting *out);

// Was the request's authenticator made with `secret`? The packet has its whole header.
bool radius_is_signed(struct span packet, struct span secret);

// The answer to `packet`, the proxies' states copied as RFC 2866 demands. Its length.
size_t radius_answer(struct span packet, struct span secret, uint8_t out[static RADIUS_PACKET_MAX]);

// Text that can be shown and compared: UTF-8 as it is, anything else as 0x and hex digits, at most `size` - 1
// octets. False: it is empty or does not fit.
bool radius_text(struct span s, char *out, size_t size);

// A hardware address in any of the ways access routers write it. False: none.
bool radius_mac(struct span s, uint8_t out[static 6]);
