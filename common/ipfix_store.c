// Values from the wire into struct record, one field at a time: what each way of standing in memory
// (enum ipfix_how) accepts. False: a value that cannot be; the record is broken, what follows it is not.
#include <stddef.h>

#include "common/cursor.h"
#include "common/ipfix_internal.h"

#define NTP_TO_UNIX_S INT64_C(2208988800)

static void store_number(uint8_t *at, size_t size, uint64_t v)
{
    if (size < 8 && v >> (8 * size))
        v = (UINT64_C(1) << (8 * size)) - 1;
    uint8_t v1 = (uint8_t)v;
    uint16_t v2 = (uint16_t)v;
    uint32_t v4 = (uint32_t)v;
    switch (size) {
    case 1: *at = v1; break;
    case 2: memcpy(at, &v2, 2); break;
    case 4: memcpy(at, &v4, 4); break;
    default: memcpy(at, &v, 8); break;
    }
}

static void store_time(uint8_t *at, int64_t ms)
{
    memcpy(at, &ms, sizeof ms);
}

// Seconds since 1900 and a fraction; from 2036 on the seconds begin again at 0 (RFC 5905, 6).
static int64_t ntp_ms(const uint8_t *p)
{
    int64_t s = ipfix_be32(p);
    if (s < INT64_C(1) << 31)
        s += INT64_C(1) << 32;
    return (s - NTP_TO_UNIX_S) * 1000 + (int64_t)((uint64_t)ipfix_be32(p + 4) * 1000 >> 32);
}

// Ends at a NUL, with which some exporters fill texts of fixed length.
static bool store_text(uint8_t *at, size_t size, const uint8_t *p, size_t len)
{
    size_t n = len > 0 ? strnlen((const char *)p, len) : 0;
    if (n >= size)
        return false;
    memcpy(at, p, n);
    memset(at + n, 0, size - n);
    return true;
}

// Some exporters put both families in one template and leave one of them zero.
static bool store_address(uint8_t *at, const uint8_t *p, size_t len)
{
    static const uint8_t zero[16];
    struct ip_addr a;
    if (len != 0 && len != 4 && len != 16)
        return false;
    memcpy(&a, at, sizeof a);
    if (len == 0 || (a.family && memcmp(p, zero, len) == 0))
        return true;
    a = len == 4 ? ip_from_v4(p) : ip_from_v6(p);
    memcpy(at, &a, sizeof a);
    return true;
}

static bool store_hashes(uint8_t *base, const struct ipfix_field *f, const uint8_t *p, size_t len)
{
    size_t max = f->how == IPFIX_HASH ? 1 : RECORD_HASHES_MAX;
    if (len % 10 || len / 10 > max)
        return false;
    for (size_t i = 0; i < len / 10; i++, p += 10) {
        // Member by member: the octets between them stay zero, so that memcmp compares.
        uint8_t *at = base + f->offset + i * sizeof(struct keyed_hash);
        uint64_t value = ipfix_be(p + 2, 8);
        at[offsetof(struct keyed_hash, kind)] = p[0];
        at[offsetof(struct keyed_hash, key_id)] = p[1];
        memcpy(at + offsetof(struct keyed_hash, value), &value, sizeof value);
    }
    if (f->how == IPFIX_HASHES)
        base[f->more[0]] = (uint8_t)(len / 10);
    return true;
}

static bool store_lengths(uint8_t *at, size_t size, const uint8_t *p, size_t len)
{
    if (len % 2 || len > size)
        return false;
    for (size_t i = 0; i < len; i += 2) {
        uint16_t v = (uint16_t)ipfix_be16(p + i);
        memcpy(at + i, &v, 2);
    }
    return true;
}

// The counters stand first in their part, in the order of their numbers.
static const struct ipfix_field *counter_field(unsigned number)
{
    const struct ipfix_run run = ipfix_part_fields(IPFIX_PART_SMTP);
    if (number < 1 || number > run.count)
        return NULL;
    const struct ipfix_field *f = &run.field[number - 1];
    return f->how == IPFIX_NUMBER && f->id == 100 + number ? f : NULL;
}

static bool store_counters(uint8_t *base, struct span in, uint64_t *unknown)
{
    struct cursor c = cursor_of(in);
    while (cursor_left(&c) > 0) {
        const struct ipfix_field *f = counter_field(cursor_u8(&c));
        uint64_t v = cursor_varint(&c);
        if (c.failed)
            return false;
        if (f)
            store_number(base + f->offset, f->size, v);
        else
            ++*unknown;
    }
    return true;
}

bool ipfix_store_field(const struct ipfix_field *f, void *place, struct span in, uint64_t *unknown)
{
    uint8_t *base = place;
    uint8_t *at = base + f->offset;
    const uint8_t *p = in.data;
    size_t len = in.len;
    uint64_t v;
    switch ((enum ipfix_how)f->how) {
    case IPFIX_NUMBER:
    case IPFIX_REASON:
    case IPFIX_BIFLOW: store_number(at, f->size, ipfix_be(p, len)); return true;
    case IPFIX_BITS:
        v = ipfix_be(p, len);
        for (unsigned i = 0; f->more[i]; i++)
            base[f->more[i]] = v >> i & 1;
        return true;
    case IPFIX_TEXT: return store_text(at, f->size, p, len);
    case IPFIX_BYTES:
        if (len != 0 && len != f->size)
            return false;
        memcpy(at, p, len);
        return true;
    case IPFIX_ADDRESS: return store_address(at, p, len);
    case IPFIX_HASH:
    case IPFIX_HASHES: return store_hashes(base, f, p, len);
    case IPFIX_LENGTHS: return store_lengths(at, f->size, p, len);
    case IPFIX_COUNTERS: return store_counters(base, in, unknown);
    case IPFIX_TIME_S:
        v = ipfix_be(p, len);
        store_time(at, v < UINT64_C(1) << 40 ? (int64_t)v * 1000 : -1);
        return true;
    case IPFIX_TIME_NTP: store_time(at, ntp_ms(p)); return true;
    case IPFIX_LABEL: store_number(at, f->size, ipfix_be(p, 3) >> 4); return true;
    }
    return false;
}
