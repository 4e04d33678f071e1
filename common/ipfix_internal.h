// What the files of the codec share and nobody else needs.
#pragma once

#include "common/ipfix.h"

// What a foreign record says that is not a member of struct record, until ipfix_foreign_finish.
struct ipfix_extra {
    uint64_t start_uptime_ms, end_uptime_ms; // since the exporter started
    uint64_t start_delta_us, end_delta_us;   // before the export time
    uint64_t boot_ms;                        // options: when it started
    uint32_t interval, space;                // options: packets sampled, packets between
    uint16_t tcp_flags[2];
    uint8_t end_reason; // flowEndReason
    uint8_t direction;  // biflowDirection
    uint8_t forwarding; // forwardingStatus
};

enum ipfix_kind { IPFIX_KIND_FLOW, IPFIX_KIND_MAIL, IPFIX_KIND_COVERAGE, IPFIX_KIND_OPTIONS };
#define IPFIX_KINDS 4

enum ipfix_has { // what a template speaks of
    IPFIX_HAS_IDENTITY = 1 << 0,
    IPFIX_HAS_SOURCE = 1 << 1,
    IPFIX_HAS_DESTINATION = 1 << 2,
    IPFIX_HAS_REVERSE = 1 << 3, // counts of the responder
    IPFIX_HAS_START = 1 << 4,
    IPFIX_HAS_END = 1 << 5,
    IPFIX_HAS_UPTIME = 1 << 6,
    IPFIX_HAS_DELTA_TIME = 1 << 7,
    IPFIX_HAS_TCP_FLAGS = 1 << 8,
    IPFIX_HAS_TCP_FLAGS_REVERSE = 1 << 9,
    IPFIX_HAS_INITIATOR = 1 << 10, // counts by initiator and responder: the source is the initiator
};

// What is known of one exporting domain.
struct ipfix_domain {
    uint32_t id;
    bool used;
    bool sequence_known;
    uint32_t sequence; // that the next message should carry
    uint64_t boot_ms;
    uint32_t sampling; // 0: not told
};

// Makes a flow record of what a foreign exporter said. `has`: enum ipfix_has of its template.
void ipfix_foreign_finish(struct record *r, const struct ipfix_extra *x, uint32_t has,
                          const struct ipfix_domain *domain, int64_t export_ms);

static inline unsigned ipfix_be16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static inline uint32_t ipfix_be32(const uint8_t *p)
{
    return (uint32_t)ipfix_be16(p) << 16 | ipfix_be16(p + 2);
}

static inline uint64_t ipfix_be(const uint8_t *p, size_t len)
{
    uint64_t v = 0;
    switch (len) {
    case 1: return p[0];
    case 2: return ipfix_be16(p);
    case 4: return ipfix_be32(p);
    case 8: return (uint64_t)ipfix_be32(p) << 32 | ipfix_be32(p + 4);
    default:
        for (size_t i = 0; i < len; i++)
            v = v << 8 | p[i];
        return v;
    }
}

// Puts one field's octets where they belong: `place` is a struct record, or a struct ipfix_extra for
// fields that say so. False: not possible. Counters of unknown number are added to `*unknown`.
bool ipfix_store_field(const struct ipfix_field *f, void *place, struct span in, uint64_t *unknown);

// ---- Steps: what to do with one field of a template, in a form made for speed.

enum ipfix_step_code { // numbers by octets in memory and on the wire; the common ones have their own
    IPFIX_STEP_OTHER,
    IPFIX_STEP_SKIP,
    IPFIX_STEP_1_1,
    IPFIX_STEP_2_2,
    IPFIX_STEP_4_4,
    IPFIX_STEP_8_8,
    IPFIX_STEP_4_2,
    IPFIX_STEP_8_4,
};
#define IPFIX_STEP_CODES (IPFIX_STEP_8_4 + 1)

struct ipfix_step {
    const struct ipfix_field *field; // NULL: pass over
    uint16_t offset;                 // in memory
    uint16_t wire;                   // length, or IPFIX_VARIABLE
    uint8_t code;                    // enum ipfix_step_code
};

struct ipfix_step ipfix_step_of(const struct ipfix_field *f, unsigned wire);

// ---- How a part is written, and a template's record read (ipfix_layout.c).

#define IPFIX_PART_FIELDS_MAX 64

// Fields in stretches: numbers whose places are known ahead, and behind them one field that is none, or the
// end. The numbers of a stretch are gone through size by size, not in the order of the wire.
struct ipfix_place {
    uint16_t record, wire; // where: in memory; behind the stretch's beginning
};

struct ipfix_stretch {
    uint8_t count[IPFIX_STEP_CODES]; // places of each size, one size after another
    uint16_t octets;                 // of all its places, and of what is passed over
    uint16_t wire;                   // length of `other`
    bool ends;                       // nothing is behind the numbers
    const struct ipfix_field *other; // NULL: pass over it
};

struct ipfix_layout {
    size_t stretches;
    struct ipfix_place place[IPFIX_PART_FIELDS_MAX];
    struct ipfix_stretch stretch[IPFIX_PART_FIELDS_MAX];
};

// Of a zeroed layout.
void ipfix_layout_fill(struct ipfix_layout *l, enum ipfix_part part, bool wide);
// The same of `count` steps, into room for as many places and stretches. Returns how many stretches.
size_t ipfix_layout_steps(const struct ipfix_step *step, size_t count, struct ipfix_place *place,
                          struct ipfix_stretch *stretch);

// ---- How parts that nearly every record has are written (ipfix_straight.c).

struct ipfix_out;

// Counters at reduced length. False: not one of those parts, and nothing was written.
bool ipfix_put_straight(struct ipfix_out *o, enum ipfix_part part, const struct record *r);

// ---- Templates as the decoder holds them (ipfix_template.c).

struct ipfix_template {
    struct ipfix_template *next; // in the same bucket
    uint32_t domain;
    uint16_t id;
    uint8_t kind;     // enum ipfix_kind
    uint8_t groups;   // enum record_group
    bool usable;      // it speaks of something we keep
    bool ours;        // field by field what our encoder sends under this number
    uint32_t has;     // enum ipfix_has
    uint32_t unknown; // fields passed over
    uint32_t min_len; // of a record; never 0
    uint32_t step_count;
    uint32_t stretch_count;
    struct ipfix_stretch *stretch; // within this block of memory, as `place`
    struct ipfix_place *place;
    struct ipfix_step step[];
};

#define IPFIX_TEMPLATES_MAX 2048  // of one transport session
#define IPFIX_FIELDS_MAX    512   // of one template
#define IPFIX_STEPS_MAX     65536 // of all templates
#define IPFIX_BUCKETS       512
#define IPFIX_INDEX_IDS     512 // elements with higher numbers are unknown to us

struct ipfix_templates {
    struct ipfix_template *bucket[IPFIX_BUCKETS]; // owned
    size_t count;
    size_t steps;
    // Field of an element by kind of record, enterprise (0 IANA, 1 reverse, 2 ours) and number: its
    // part * 256 + place + 1, 0: unknown.
    uint16_t index[IPFIX_KINDS][3][IPFIX_INDEX_IDS];
};

void ipfix_templates_init(struct ipfix_templates *t);
void ipfix_templates_fini(struct ipfix_templates *t); // forgets all; may be used again

const struct ipfix_template *ipfix_templates_find(const struct ipfix_templates *t, uint32_t domain,
                                                  unsigned id);

// Takes a template set (or options template set) without its header: adds, replaces, withdraws.
// False: broken, or a bound was reached; what stood before the fault was taken.
bool ipfix_templates_set(struct ipfix_templates *t, uint32_t domain, bool options, struct span set);
