// IPFIX (RFC 7011), as much of it as records need: templates, data sets, reduced lengths, variable
// lengths, biflow (RFC 5103), files (RFC 5655). Small, bounded, driven by one table of fields.
//
// The table (ipfix_table.c) names every element once: number, length on the wire, place in struct
// record. Encoder, decoder, docs/formats/ipfix.md and ipfix-elements.xml all come from it.
//
// The decoder takes octets as they arrive (socket, file) and gives records. It also understands the
// IPFIX of routers and softflowd as far as it speaks of flows (ipfix_foreign.c). Nothing here reads a
// clock, a file or a socket.
#pragma once

#include <stdio.h>

#include "common/record.h"
#include "common/span.h"

#define IPFIX_VERSION     10
#define IPFIX_HEADER_SIZE 16
#define IPFIX_MESSAGE_MAX 65535
#define IPFIX_VARIABLE    65535 // as a field's length: told in each record

#define IPFIX_PEN_IANA    0
#define IPFIX_PEN_REVERSE 29305 // RFC 5103: the reverse direction of an IANA element
// The documentation number of RFC 5612, until one of our own is registered.
#define IPFIX_PEN_POSTERN 32473

// Template numbers. Flow: 256 + groups, + 256 when counters need their full length, + 512 for IPv6.
#define IPFIX_TEMPLATE_FLOW     256
#define IPFIX_TEMPLATE_WIDE     256
#define IPFIX_TEMPLATE_V6       512
#define IPFIX_TEMPLATE_MAIL     1280 // + 1 for an IPv4 client, + 2 for IPv6, 1280 without address
#define IPFIX_TEMPLATE_COVERAGE 1288
#define IPFIX_TEMPLATE_END      1289

// ---- The table of fields.

enum ipfix_type { // abstract data types of RFC 7012
    IPFIX_OCTET_ARRAY,
    IPFIX_UNSIGNED8,
    IPFIX_UNSIGNED16,
    IPFIX_UNSIGNED32,
    IPFIX_UNSIGNED64,
    IPFIX_STRING,
    IPFIX_MAC,
    IPFIX_IPV4,
    IPFIX_IPV6,
    IPFIX_SECONDS,
    IPFIX_MILLISECONDS,
    IPFIX_MICROSECONDS,
    IPFIX_NANOSECONDS,
};

enum ipfix_semantics {
    IPFIX_DEFAULT,
    IPFIX_QUANTITY,
    IPFIX_TOTAL_COUNTER,
    IPFIX_DELTA_COUNTER,
    IPFIX_IDENTIFIER,
    IPFIX_FLAGS,
};

enum ipfix_how {    // how a field stands in memory
    IPFIX_NUMBER,   // unsigned integer of `size` octets; what does not fit is cut to its maximum
    IPFIX_TEXT,     // NUL-terminated, in `size` octets
    IPFIX_BYTES,    // `size` octets; of variable length on the wire: none when all are zero
    IPFIX_ADDRESS,  // struct ip_addr; of variable length on the wire: 0, 4 or 16 octets
    IPFIX_BITS,     // bools at `more`, first in the lowest bit
    IPFIX_HASH,     // struct keyed_hash, ten octets; none when its kind is 0
    IPFIX_HASHES,   // array of them, its count at more[0]
    IPFIX_LENGTHS,  // int16_t array of `size` octets, zeros at its end left out
    IPFIX_COUNTERS, // SMTP counters without an element in the template: pairs of number and value
    IPFIX_REASON,   // flowEndReason, derived from the flags
    IPFIX_BIFLOW,   // biflowDirection: always 1, the initiator is the source
    IPFIX_TIME_S,   // into milliseconds; decoded only
    IPFIX_TIME_NTP, // seconds and fraction since 1900; decoded only
    IPFIX_LABEL,    // 3 octets of an MPLS stack entry; decoded only
};

// Parts of records: a template is a run of parts.
enum ipfix_part {
    IPFIX_PART_ID,
    IPFIX_PART_FLOW,
    IPFIX_PART_FLOW_V4,
    IPFIX_PART_FLOW_V6,
    IPFIX_PART_SMTP, // the groups, in the order of enum record_group
    IPFIX_PART_TLS,
    IPFIX_PART_SOCKS,
    IPFIX_PART_DNS,
    IPFIX_PART_LOGIN,
    IPFIX_PART_L2,
    IPFIX_PART_CARRIER,
    IPFIX_PART_MAIL,
    IPFIX_PART_MAIL_V4,
    IPFIX_PART_MAIL_V6,
    IPFIX_PART_COVERAGE,
    IPFIX_PART_FOREIGN, // what other exporters say in other elements; decoded only
    IPFIX_PART_OPTIONS, // of options records; decoded only
    IPFIX_PARTS,
};

struct ipfix_field {
    const char *name;      // of the element; ours in words, see ipfix_element_name
    const char *member;    // of struct record
    const char *text;      // one line; NULL for IANA elements
    const uint16_t *more;  // offsets, by `how`
    uint32_t pen;          // enterprise number, 0: IANA
    uint16_t id;           // element number
    uint16_t narrow, wide; // octets on the wire; 0: decoded only, never sent
    uint16_t offset;       // in struct record, or in struct ipfix_extra
    uint16_t size;         // in memory
    uint8_t type;          // enum ipfix_type
    uint8_t semantics;     // enum ipfix_semantics
    uint8_t how;           // enum ipfix_how
    bool extra;            // `offset` is in struct ipfix_extra
    bool fallback;         // taken only when the template has no other field for the same member
};

struct ipfix_run {
    const struct ipfix_field *field;
    size_t count;
};

struct ipfix_run ipfix_part_fields(enum ipfix_part part);
const char *ipfix_part_name(enum ipfix_part part);

#define IPFIX_NAME_MAX 64

// "flow_hash" gives "posternFlowHash"; names of IANA elements stand as they are.
const char *ipfix_element_name(const struct ipfix_field *f, char out[static IPFIX_NAME_MAX]);
const char *ipfix_type_name(unsigned type); // "unsigned32", ...
const char *ipfix_semantics_name(unsigned semantics);

// The parts of the template of this number, in order; 0 parts: not ours. `*wide` as in the number.
size_t ipfix_template_parts(unsigned id, uint8_t parts[static IPFIX_PARTS], bool *wide);

// ---- Encoder: one observation domain, one transport session or file.

struct ipfix_encoder;

// Messages are at most `message_max` octets (4096 to 65535). NULL: out of memory.
struct ipfix_encoder *ipfix_encoder_new(uint32_t domain, size_t message_max);
void ipfix_encoder_free(struct ipfix_encoder *e);

// A new session or file: templates are sent again, sequence numbers start at 0.
void ipfix_encoder_reset(struct ipfix_encoder *e);

// Adds `r` to the message. -ENOBUFS: full; take it and put again. -EINVAL: record_check says no.
int ipfix_encoder_put(struct ipfix_encoder *e, const struct record *r);
// The same for a record that the caller has made itself and vouches for: record_check is only asserted.
int ipfix_encoder_put_own(struct ipfix_encoder *e, const struct record *r);

// A record's octets as they came, under the number of a template that is ours field by field.
struct ipfix_octets {
    unsigned template_id; // 0: of another template, or of no record
    struct span record;
};

// Adds what a decoder gave as `r`, without encoding it anew. -ENOBUFS as above.
int ipfix_encoder_put_octets(struct ipfix_encoder *e, const struct ipfix_octets *octets,
                             const struct record *r);

// The message, complete; empty when nothing was put. Borrowed until the next put.
struct span ipfix_encoder_take(struct ipfix_encoder *e);

// ---- Decoder: push octets in, pull records out.

struct ipfix_decoder;

struct ipfix_decoder *ipfix_decoder_new(void); // NULL: out of memory
void ipfix_decoder_free(struct ipfix_decoder *d);

// Takes octets up to the end of one message and says how many. 0: a message is waiting to be read
// with ipfix_decoder_next.
size_t ipfix_decoder_feed(struct ipfix_decoder *d, struct span in);

// 1: `*r` filled; 0: nothing more until more is fed.
int ipfix_decoder_next(struct ipfix_decoder *d, struct record *r);

// The octets of the record that was handed out last; borrowed until more is fed.
struct ipfix_octets ipfix_decoder_octets(const struct ipfix_decoder *d);

// When the message at hand was exported, by its sender's clock; ms since 1970, whole seconds.
int64_t ipfix_decoder_export_ms(const struct ipfix_decoder *d);

// The input ends here; a message that is not whole is counted.
void ipfix_decoder_end(struct ipfix_decoder *d);

// A new transport session: templates and half messages are forgotten, counts stay.
void ipfix_decoder_reset(struct ipfix_decoder *d);

const struct record_reader_stats *ipfix_decoder_stats(const struct ipfix_decoder *d);
const char *ipfix_decoder_bad_value(const struct ipfix_decoder *d); // last reason, or NULL
