// How one field of a record is written, for both writers: by the layout of any template (ipfix_encode.c), and with
// the fields built in (ipfix_straight.c). Inline, so that there what is known of a field is decided by the compiler.
#pragma once

#include <assert.h>
#include <endian.h>

#include "common/ipfix_internal.h"

// A record being written. Behind its end there is room for what is stored whole and told to be shorter.
#define IPFIX_RECORD_OCTETS_MAX 2048
#define IPFIX_SLACK             64

struct ipfix_out {
    uint8_t *at;
    uint64_t overflow; // what did not fit in the lengths of the template
};

// SMTP counters stand one behind the other, in memory and in the table of fields.
enum {
#define X(name, element, text) +1
    IPFIX_SMTP_COUNTERS = 0 RECORD_SMTP_COUNTERS(X)
#undef X
};

_Static_assert(offsetof(struct record_smtp, reply_421) - offsetof(struct record_smtp, helo) ==
                   (IPFIX_SMTP_COUNTERS - 1) * sizeof(uint32_t),
               "nothing between them");

static inline __attribute__((always_inline)) void ipfix_store_be(uint8_t *p, uint64_t v, size_t len)
{
    uint16_t v2 = htobe16((uint16_t)v);
    uint32_t v4 = htobe32((uint32_t)v);
    uint64_t v8 = htobe64(v);
    switch (len) { // constant lengths become one store each
    case 1: *p = (uint8_t)v; break;
    case 2: memcpy(p, &v2, 2); break;
    case 4: memcpy(p, &v4, 4); break;
    default:
        assert(len == 8);
        memcpy(p, &v8, 8);
        break;
    }
}

static inline __attribute__((always_inline)) uint64_t ipfix_load_number(const uint8_t *p,
                                                                        size_t size)
{
    uint64_t v8;
    uint32_t v4;
    uint16_t v2;
    switch (size) {
    case 1: return *p;
    case 2: memcpy(&v2, p, 2); return v2;
    case 4: memcpy(&v4, p, 4); return v4;
    default:
        assert(size == 8);
        memcpy(&v8, p, 8);
        return v8;
    }
}

static inline __attribute__((always_inline)) void ipfix_put_be(struct ipfix_out *o, uint64_t v,
                                                               size_t len)
{
    ipfix_store_be(o->at, v, len);
    o->at += len;
}

static inline void ipfix_put_octets(struct ipfix_out *o, const void *data, size_t len)
{
    memcpy(o->at, data, len);
    o->at += len;
}

// Length of what has variable length: one octet, or 255 and two (RFC 7011, 7).
static inline void ipfix_put_length(struct ipfix_out *o, size_t len)
{
    if (len < 255) {
        ipfix_put_be(o, len, 1);
    } else {
        ipfix_put_be(o, 255, 1);
        ipfix_put_be(o, len, 2);
    }
}

// A text in `size` octets, stored whole where that costs less than asking how much.
static inline __attribute__((always_inline)) void ipfix_put_text(struct ipfix_out *o,
                                                                 const uint8_t *text, size_t size)
{
    size_t len = text[0] == 0 ? 0 : strlen((const char *)text);
    ipfix_put_length(o, len);
    memcpy(o->at, text, size <= IPFIX_SLACK ? size : len);
    o->at += len;
}

static inline void ipfix_put_hashes(struct ipfix_out *o, const struct keyed_hash *h, size_t count)
{
    ipfix_put_length(o, count * 10);
    for (size_t i = 0; i < count; i++) {
        ipfix_put_be(o, h[i].kind, 1);
        ipfix_put_be(o, h[i].key_id, 1);
        ipfix_put_be(o, h[i].value, 8);
    }
}

// Zeros at the end are left out.
static inline __attribute__((always_inline)) void
ipfix_put_lengths(struct ipfix_out *o, const uint8_t *lengths, size_t count)
{
    size_t kept = count;
    while (kept > 0 && ipfix_load_number(lengths + 2 * (kept - 1), 2) == 0)
        kept--;
    ipfix_put_be(o, kept * 2, 1);
    assert(count * 2 <= IPFIX_SLACK);
    for (size_t i = 0; i < count; i++)
        ipfix_store_be(o->at + 2 * i, ipfix_load_number(lengths + 2 * i, 2), 2);
    o->at += kept * 2;
}

static inline bool ipfix_is_zero(const uint8_t *p, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++)
        any |= p[i];
    return any == 0;
}

// SMTP counters that have no element in the template and are not zero.
static inline void ipfix_put_rare(struct ipfix_out *o, const struct ipfix_field *smtp,
                                  const struct record *r)
{
    uint8_t *const at = o->at++;
    const uint8_t *const counters = (const uint8_t *)r + offsetof(struct record, flow.smtp.helo);
    // Which are there is found without a branch for each: there is none for most records.
    uint32_t there = 0;
    _Static_assert(IPFIX_SMTP_COUNTERS <= 32, "a bit each");
#pragma GCC unroll 32
    for (unsigned i = 0; i < IPFIX_SMTP_COUNTERS; i++)
        if (smtp[i].narrow == 0)
            there |= (uint32_t)(ipfix_load_number(counters + 4 * i, 4) != 0) << i;
    for (; there != 0; there &= there - 1) {
        unsigned i = (unsigned)__builtin_ctz(there);
        uint64_t v = ipfix_load_number(counters + 4 * i, 4);
        *o->at++ = (uint8_t)(smtp[i].id - 100);
        for (; v >= 0x80; v >>= 7)
            *o->at++ = (uint8_t)(v | 0x80);
        *o->at++ = (uint8_t)v;
    }
    assert(o->at - at - 1 < 255);
    *at = (uint8_t)(o->at - at - 1);
}

static inline uint8_t ipfix_end_reason(const struct record_flow *f)
{
    if (!(f->flags & RECORD_END))
        return 2;                                  // active timeout
    return f->incomplete & RECORD_EVICTED ? 5 : 3; // lack of resources, end of flow
}

// `smtp`: the fields of that part.
static inline __attribute__((always_inline)) void
ipfix_put_field(struct ipfix_out *o, const struct ipfix_field *f, size_t wire,
                const struct ipfix_field *smtp, const struct record *r)
{
    const uint8_t *base = (const uint8_t *)r;
    const uint8_t *at = base + f->offset;
    uint64_t v = 0;
    switch ((enum ipfix_how)f->how) {
    case IPFIX_NUMBER:
        v = ipfix_load_number(at, f->size);
        if (wire < f->size)
            o->overflow |= v >> (8 * wire);
        ipfix_put_be(o, v, wire);
        break;
    case IPFIX_TEXT: ipfix_put_text(o, at, f->size); break;
    case IPFIX_BYTES:
        if (wire == IPFIX_VARIABLE) {
            wire = ipfix_is_zero(at, f->size) ? 0 : f->size;
            ipfix_put_length(o, wire);
        }
        ipfix_put_octets(o, at, wire);
        break;
    case IPFIX_ADDRESS: {
        struct ip_addr a;
        memcpy(&a, at, sizeof a);
        if (wire == IPFIX_VARIABLE) {
            wire = ip_size(a.family);
            ipfix_put_length(o, wire);
        }
        ipfix_put_octets(o, a.octet, wire);
        break;
    }
    case IPFIX_BITS:
        for (unsigned i = 0; f->more[i]; i++)
            v |= (uint64_t)(base[f->more[i]] != 0) << i;
        ipfix_put_be(o, v, wire);
        break;
    case IPFIX_HASH: {
        struct keyed_hash h;
        memcpy(&h, at, sizeof h);
        ipfix_put_hashes(o, &h, h.kind ? 1 : 0);
        break;
    }
    case IPFIX_HASHES: ipfix_put_hashes(o, (const void *)at, base[f->more[0]]); break;
    case IPFIX_LENGTHS: ipfix_put_lengths(o, at, f->size / sizeof(int16_t)); break;
    case IPFIX_COUNTERS: ipfix_put_rare(o, smtp, r); break;
    case IPFIX_REASON: ipfix_put_be(o, ipfix_end_reason(&r->flow), 1); break;
    case IPFIX_BIFLOW: ipfix_put_be(o, 1, 1); break;
    case IPFIX_TIME_S:
    case IPFIX_TIME_NTP:
    case IPFIX_LABEL: assert(false && "decoded only"); break;
    }
}
