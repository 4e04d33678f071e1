// Minute rows as octets, and back: a version, a length, and sections that hold only what is not zero
// (docs/formats/minute.md). Decoding takes nothing on trust: every number is checked against its range,
// a list's length against the octets that are there.
#include <errno.h>

#include "common/minute_wire.h"

enum section {
    SECTION_HEAD = 1,
    SECTION_WHO,
    SECTION_COUNTERS,
    SECTION_GAUGES,
    SECTION_SETS,
    SECTION_DIGESTS
};

enum key_part { KEY_PORTS = 1, KEY_REALM = 2, KEY_MAILBOX = 4, KEY_PREFIX = 8, KEY_PARTS = 15 };

// In the octet of the party's kind: the id is the text of the key and is left out.
#define PARTY_IS_KEY 0x80

// The widest minute that still gives times without overflow: the year 190,000.
#define MINUTE_LIMIT 100000000000
#define CUT_LIMIT    1000000000000000

#define COUNTER_SLOTS (MINUTE_ROLES * MINUTE_DIRECTIONS)

// ---- Head

static int64_t minute_end_ms(int64_t minute)
{
    return (minute + 1) * 60000;
}

static void put_head(const struct minute_row *r, struct buf *out)
{
    wire_put_signed(out, r->minute);
    wire_put_signed(out, r->cut_ms - minute_end_ms(r->minute));
    buf_varint(out, r->flags);
    buf_be(out, r->confidence, 1);
    buf_varint(out, r->doubts);
    buf_be(out, r->observed_s, 1);
    buf_varint(out, r->loss_ppm);
}

static void get_head(struct cursor *c, struct minute_row *r)
{
    r->minute = wire_get_signed(c);
    int64_t cut = wire_get_signed(c);
    r->flags = (uint32_t)wire_get_at_most(c, UINT32_MAX);
    r->confidence = cursor_u8(c);
    r->doubts = (uint32_t)wire_get_at_most(c, UINT32_MAX);
    r->observed_s = cursor_u8(c);
    r->loss_ppm = (uint32_t)wire_get_at_most(c, UINT32_MAX);
    if (r->minute < -MINUTE_LIMIT || r->minute > MINUTE_LIMIT || cut < -CUT_LIMIT ||
        cut > CUT_LIMIT || r->confidence > IDENTITY_CERTAIN || r->observed_s > 60)
        c->failed = true;
    if (!c->failed)
        r->cut_ms = minute_end_ms(r->minute) + cut;
}

// ---- Who

static void put_key(const struct subscriber_key *k, struct buf *out)
{
    unsigned parts = 0;
    if (k->port_first != 0 || k->port_last != 65535)
        parts |= KEY_PORTS;
    if (k->realm.name[0])
        parts |= KEY_REALM;
    if (k->mailbox || k->mailbox_key_id)
        parts |= KEY_MAILBOX;
    if (k->prefix.addr.family != IP_NONE)
        parts |= KEY_PREFIX;
    buf_be(out, k->kind, 1);
    buf_be(out, parts, 1);
    if (parts & KEY_PREFIX) {
        buf_be(out, k->prefix.addr.family, 1);
        buf_be(out, k->prefix.len, 1);
        buf_bytes(out, k->prefix.addr.octet, (k->prefix.len + 7u) / 8);
    }
    if (parts & KEY_PORTS) {
        buf_be(out, k->port_first, 2);
        buf_be(out, k->port_last, 2);
    }
    if (parts & KEY_MAILBOX) {
        buf_be(out, k->mailbox_key_id, 1);
        buf_be(out, k->mailbox, 8);
    }
    if (parts & KEY_REALM)
        wire_put_text(out, k->realm.name);
}

static void get_prefix(struct cursor *c, struct ip_prefix *p)
{
    struct ip_addr a = {.family = cursor_u8(c)};
    uint8_t len = cursor_u8(c);
    if ((a.family != IP_V4 && a.family != IP_V6) || len > ip_size(a.family) * 8) {
        c->failed = true;
        return;
    }
    struct span s = cursor_take(c, (len + 7u) / 8);
    if (c->failed)
        return;
    if (s.len > 0)
        memcpy(a.octet, s.data, s.len);
    *p = prefix_of(&a, len);
    if (!ip_equal(&p->addr, &a)) // host bits
        c->failed = true;
}

static void get_key(struct cursor *c, struct subscriber_key *k)
{
    k->kind = cursor_u8(c);
    unsigned parts = cursor_u8(c);
    k->port_last = 65535;
    if (k->kind < SUBSCRIBER_ADDRESS || k->kind > SUBSCRIBER_CLIENT || parts > KEY_PARTS)
        c->failed = true;
    if (parts & KEY_PREFIX)
        get_prefix(c, &k->prefix);
    if (parts & KEY_PORTS) {
        k->port_first = cursor_u16(c);
        k->port_last = cursor_u16(c);
        if (k->port_first > k->port_last)
            c->failed = true;
    }
    if (parts & KEY_MAILBOX) {
        k->mailbox_key_id = cursor_u8(c);
        k->mailbox = cursor_u64(c);
    }
    if (parts & KEY_REALM) {
        char text[REALM_MAX];
        wire_get_text(c, text, sizeof text);
        if (!c->failed && realm_parse(text, &k->realm) < 0)
            c->failed = true;
    }
    // What a key is by has to be there.
    unsigned by = k->kind == SUBSCRIBER_MAILBOX ? KEY_MAILBOX : KEY_PREFIX;
    if (!(parts & by))
        c->failed = true;
}

static void put_who(const struct minute_row *r, struct buf *out)
{
    put_key(&r->key, out);
    // An empty id is taken for it too, and saves a writer of many rows the text.
    bool is_key = r->party.kind == PARTY_PROVISIONAL && r->party.id[0] == '\0';
    if (r->party.kind == PARTY_PROVISIONAL && !is_key) {
        struct party own = party_provisional(&r->key);
        is_key = strcmp(own.id, r->party.id) == 0;
    }
    buf_be(out, r->party.kind | (is_key ? PARTY_IS_KEY : 0u), 1);
    if (!is_key)
        wire_put_text(out, r->party.id);
    wire_put_text(out, r->network_class);
    wire_put_text(out, r->pop);
    for (size_t i = 0; i < MINUTE_SENSORS_MAX && r->sensor[i][0]; i++)
        wire_put_text(out, r->sensor[i]);
}

static void get_who(struct cursor *c, struct minute_row *r)
{
    get_key(c, &r->key);
    uint8_t kind = cursor_u8(c);
    r->party.kind = kind & 0x7f;
    if (r->party.kind < PARTY_PROVISIONAL || r->party.kind > PARTY_MAILBOX ||
        ((kind & PARTY_IS_KEY) && r->party.kind != PARTY_PROVISIONAL))
        c->failed = true;
    if (c->failed)
        return;
    if (kind & PARTY_IS_KEY)
        r->party = party_provisional(&r->key);
    else
        wire_get_text(c, r->party.id, sizeof r->party.id);
    wire_get_text(c, r->network_class, sizeof r->network_class);
    wire_get_text(c, r->pop, sizeof r->pop);
    for (size_t i = 0; i < MINUTE_SENSORS_MAX && !c->failed && cursor_left(c) > 0; i++) {
        char name[COVERAGE_NAME_MAX];
        wire_get_text(c, name, sizeof name);
        if (!c->failed)
            minute_row_add_sensor(r, name);
    }
}

// ---- Counters, gauges and sets: pairs of a step from the last number and a value

static void put_pair(struct buf *out, unsigned *next, unsigned number, uint64_t value)
{
    if (value == 0)
        return;
    buf_varint(out, number - *next);
    buf_varint(out, value);
    *next = number + 1;
}

// False at the end. A number beyond those known is handed out as UINT_MAX: a newer writer's.
static bool get_pair(struct cursor *c, uint64_t *next, uint64_t known, uint64_t *number,
                     uint64_t *value)
{
    if (c->failed || cursor_left(c) == 0)
        return false;
    uint64_t gap = cursor_varint(c);
    *value = cursor_varint(c);
    if (c->failed || gap > 1u << 20 || *next > 1u << 20) {
        c->failed = true;
        return false;
    }
    *number = *next + gap < known ? *next + gap : UINT64_MAX;
    *next += gap + 1;
    return true;
}

static void put_counters(const struct minute_row *r, struct buf *out)
{
    unsigned next = 0;
    for (unsigned c = 0; c < MINUTE_COUNTER_N; c++)
        for (unsigned role = 0; role < MINUTE_ROLES; role++)
            for (unsigned d = 0; d < MINUTE_DIRECTIONS; d++)
                put_pair(out, &next, c * COUNTER_SLOTS + role * MINUTE_DIRECTIONS + d,
                         r->counter[role][d][c]);
}

static void get_counters(struct cursor *c, struct minute_row *r)
{
    uint64_t next = 0, number, value;
    while (get_pair(c, &next, MINUTE_COUNTER_N * COUNTER_SLOTS, &number, &value)) {
        if (number == UINT64_MAX)
            continue;
        uint64_t slot = number % COUNTER_SLOTS;
        r->counter[slot / MINUTE_DIRECTIONS][slot % MINUTE_DIRECTIONS][number / COUNTER_SLOTS] =
            value;
    }
}

static void put_gauges(const struct minute_row *r, struct buf *out)
{
    unsigned next = 0;
    for (unsigned g = 0; g < MINUTE_GAUGE_N; g++)
        put_pair(out, &next, g, r->gauge[g]);
}

static void get_gauges(struct cursor *c, struct minute_row *r)
{
    uint64_t next = 0, number, value;
    while (get_pair(c, &next, MINUTE_GAUGE_N, &number, &value))
        if (number != UINT64_MAX)
            r->gauge[number] = value;
}

static void put_sets(const struct minute_row *r, struct buf *out)
{
    for (unsigned s = 0; s < MINUTE_SET_N; s++) {
        const struct distinct *d = &r->set[s];
        if (d->count == 0 && !d->is_hll && !d->starved)
            continue;
        buf_be(out, s, 1);
        distinct_encode(d, out);
    }
}

static void get_sets(struct cursor *c, struct minute_row *r, struct distinct_budget *budget)
{
    int last = -1;
    while (!c->failed && cursor_left(c) > 0) {
        int s = cursor_u8(c);
        struct distinct newer = {0};
        if (s <= last) {
            c->failed = true;
            return;
        }
        last = s;
        distinct_decode(c, s < MINUTE_SET_N ? &r->set[s] : &newer, budget);
        distinct_clear(&newer, budget);
    }
}

// ---- The row

static void put_section(const struct minute_row *r, enum section section,
                        void (*put)(const struct minute_row *, struct buf *), struct buf *out)
{
    size_t at = out->len;
    buf_be(out, section, 1);
    size_t body = wire_begin(out);
    put(r, out);
    if (out->len == body)
        out->len = at; // empty
    else
        wire_end(out, body);
}

void minute_row_encode(const struct minute_row *r, struct buf *out)
{
    buf_be(out, MINUTE_VERSION, 1);
    size_t body = wire_begin(out);
    put_section(r, SECTION_HEAD, put_head, out);
    put_section(r, SECTION_WHO, put_who, out);
    put_section(r, SECTION_COUNTERS, put_counters, out);
    put_section(r, SECTION_GAUGES, put_gauges, out);
    put_section(r, SECTION_SETS, put_sets, out);
    put_section(r, SECTION_DIGESTS, minute_digests_encode, out);
    wire_end(out, body);
}

// One section. Trailing octets of HEAD and WHO, and sections of other numbers, are a newer writer's.
static int get_section(struct cursor *c, unsigned section, struct minute_row *r,
                       struct distinct_budget *budget)
{
    int rc = 0;
    switch (section) {
    case SECTION_HEAD: get_head(c, r); break;
    case SECTION_WHO: get_who(c, r); break;
    case SECTION_COUNTERS: get_counters(c, r); break;
    case SECTION_GAUGES: get_gauges(c, r); break;
    case SECTION_SETS: get_sets(c, r, budget); break;
    case SECTION_DIGESTS: rc = minute_digests_decode(c, r); break;
    default: break;
    }
    return rc;
}

int minute_row_decode(struct cursor *c, struct minute_row *r, struct distinct_budget *budget)
{
    *r = (struct minute_row){0};
    uint8_t version = cursor_u8(c);
    struct cursor body = wire_get_span(c);
    unsigned last = 0;
    int rc = 0;
    if (version != MINUTE_VERSION)
        c->failed = true;
    while (rc == 0 && !c->failed && cursor_left(&body) > 0) {
        unsigned section = cursor_u8(&body);
        struct cursor part = wire_get_span(&body);
        // Each once and in order, the two that say who and when first.
        if (body.failed || section <= last || (last < SECTION_WHO && section != last + 1)) {
            c->failed = true;
            break;
        }
        last = section;
        rc = get_section(&part, section, r, budget);
        if (part.failed)
            c->failed = true;
    }
    if (rc == 0 && (c->failed || last < SECTION_WHO))
        rc = -EINVAL;
    if (rc < 0) {
        minute_row_fini(r, budget);
        c->failed = true;
    }
    return rc;
}
