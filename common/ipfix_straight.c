// Parts of records written without asking of any field what it is: the table's entries are constants here, so that each
// number becomes a load, a swap and a store. For what nearly every record of a sensor is made of, with counters of
// reduced length; the encoder writes the rest by its layouts.
#include "common/ipfix_fields.h"
#include "common/ipfix_put.h"

#define COUNT(fields) (sizeof(fields) / sizeof *(fields))

static inline __attribute__((always_inline)) void
put_known(struct ipfix_out *o, const struct ipfix_field *f, const struct record *r)
{
    if (f->narrow != 0)
        ipfix_put_field(o, f, f->narrow, fields_smtp, r);
}

// The compiler does not unroll a loop of this size to its end.
#define PUT(fields, n)                                                  \
    do {                                                                \
        if ((n) < COUNT(fields))                                        \
            put_known(&o, &(fields)[(n) < COUNT(fields) ? (n) : 0], r); \
    } while (0)
#define PUT4(fields, n) \
    PUT(fields, n);     \
    PUT(fields, n + 1); \
    PUT(fields, n + 2); \
    PUT(fields, n + 3)
#define PUT16(fields, n) \
    PUT4(fields, n);     \
    PUT4(fields, n + 4); \
    PUT4(fields, n + 8); \
    PUT4(fields, n + 12)

// A record that is built in its own words escapes to nobody: what is written cannot be the writer.
#define PART(name, fields)                                                \
    static void put_##name(struct ipfix_out *out, const struct record *r) \
    {                                                                     \
        _Static_assert(COUNT(fields) <= 48, "all are put");               \
        struct ipfix_out o = *out;                                        \
        PUT16(fields, 0);                                                 \
        PUT16(fields, 16);                                                \
        PUT16(fields, 32);                                                \
        *out = o;                                                         \
    }

PART(id, fields_id)
PART(flow, fields_flow)
PART(flow_v4, fields_flow_v4)
PART(flow_v6, fields_flow_v6)
PART(smtp, fields_smtp)
PART(tls, fields_tls)
PART(dns, fields_dns)
PART(l2, fields_l2)

bool ipfix_put_straight(struct ipfix_out *o, enum ipfix_part part, const struct record *r)
{
    switch (part) {
    case IPFIX_PART_ID: put_id(o, r); return true;
    case IPFIX_PART_FLOW: put_flow(o, r); return true;
    case IPFIX_PART_FLOW_V4: put_flow_v4(o, r); return true;
    case IPFIX_PART_FLOW_V6: put_flow_v6(o, r); return true;
    case IPFIX_PART_SMTP: put_smtp(o, r); return true;
    case IPFIX_PART_TLS: put_tls(o, r); return true;
    case IPFIX_PART_DNS: put_dns(o, r); return true;
    case IPFIX_PART_L2: put_l2(o, r); return true;
    default: return false;
    }
}
