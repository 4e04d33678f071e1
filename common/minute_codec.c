// Minute rows as octets, and back: a version, a length, and sections that hold only what is not zero
// (docs/formats/minute.md). Decoding takes nothing on trust: every number is checked against its range,
// a list's length against the octets that are there. Rows of versions 1 and 2 are read, not written.
//
// A row is written with pointers into room that suffices for any row with these sets and digests.
#include <errno.h>
#include <stdlib.h>

#include "common/minute_wire.h"

enum section {
    SECTION_HEAD = 1,
    SECTION_WHO,
    SECTION_COUNTERS,
    SECTION_GAUGES,
    SECTION_SETS_1, // of version 1, before the digests
    SECTION_DIGESTS,
    SECTION_SETS
};

enum key_part { KEY_PORTS = 1, KEY_REALM = 2, KEY_MAILBOX = 4, KEY_PREFIX = 8, KEY_PARTS = 15 };

// In the octet of the party's kind: the id is the text of the key and is left out.
#define PARTY_IS_KEY 0x80

// The widest minute that still gives times without overflow: the year 190,000.
#define MINUTE_LIMIT 100000000000
#define CUT_LIMIT    1000000000000000

#define COUNTER_SLOTS (MINUTE_ROLES * MINUTE_DIRECTIONS)
// Numbers of counters: of each role and direction so many, with room for those to come.
#define SLOT_NUMBERS 128
_Static_assert(MINUTE_COUNTER_N <= SLOT_NUMBERS, "counters of one role and direction");
_Static_assert(COUNTER_SLOTS <= 16, "bits of `unused`");

// Octets of a row without sets and digests, at most: a varint takes ten.
#define ROW_ROOM (1024 + 20 * (MINUTE_COUNTER_N * COUNTER_SLOTS + MINUTE_GAUGE_N))
_Static_assert(1024 > 10 * 7 + 40 + REALM_MAX + PARTY_ID_MAX + 2 * LEASE_NAME_MAX +
                          MINUTE_SENSORS_MAX * (COVERAGE_NAME_MAX + 2),
               "head and who");

// ---- Head

static int64_t minute_end_ms(int64_t minute)
{
    return (minute + 1) * 60000;
}

int minute_row_time(struct minute_row *r, int64_t minute, int64_t cut_ms)
{
    if (minute < -MINUTE_LIMIT || minute > MINUTE_LIMIT ||
        cut_ms < minute_end_ms(minute) - CUT_LIMIT || cut_ms > minute_end_ms(minute) + CUT_LIMIT)
        return -EINVAL;
    r->minute = minute;
    r->cut_ms = cut_ms;
    return 0;
}

// Times that the frame says; version 1 had them here.
static void get_times(struct cursor *c, struct minute_row *r)
{
    int64_t minute = wire_get_signed(c), cut = wire_get_signed(c);
    if (minute < -MINUTE_LIMIT || minute > MINUTE_LIMIT || cut < -CUT_LIMIT || cut > CUT_LIMIT ||
        minute_row_time(r, minute, minute_end_ms(minute) + cut) < 0)
        c->failed = true;
}

static uint8_t *put_head(const struct minute_row *r, uint8_t *at)
{
    at = wire_varint(at, r->flags);
    at = wire_u8(at, r->confidence);
    at = wire_varint(at, r->doubts);
    at = wire_u8(at, r->observed_s);
    at = wire_varint(at, r->loss_ppm);
    return r->lease_unseen ? wire_varint(at, r->lease_unseen) : at;
}

static void get_head(struct cursor *c, struct minute_row *r, uint8_t version)
{
    if (version == 1)
        get_times(c, r);
    r->flags = (uint32_t)wire_get_at_most(c, UINT32_MAX);
    r->confidence = cursor_u8(c);
    r->doubts = (uint32_t)wire_get_at_most(c, UINT32_MAX);
    r->observed_s = cursor_u8(c);
    r->loss_ppm = (uint32_t)wire_get_at_most(c, UINT32_MAX);
    // Left out when it is zero, and by older writers.
    if (!c->failed && cursor_left(c) > 0)
        r->lease_unseen = (uint16_t)wire_get_at_most(c, UINT16_MAX);
    if (r->confidence > IDENTITY_CERTAIN || r->observed_s > 60)
        c->failed = true;
}

// ---- Who

static uint8_t *put_key(const struct subscriber_key *k, uint8_t *at)
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
    at = wire_u8(wire_u8(at, k->kind), parts);
    if (parts & KEY_PREFIX) {
        at = wire_u8(wire_u8(at, k->prefix.addr.family), k->prefix.len);
        at = wire_octets(at, k->prefix.addr.octet, (k->prefix.len + 7u) / 8);
    }
    if (parts & KEY_PORTS)
        at = wire_u16(wire_u16(at, k->port_first), k->port_last);
    if (parts & KEY_MAILBOX)
        at = wire_u64(wire_u8(at, k->mailbox_key_id), k->mailbox);
    if (parts & KEY_REALM)
        at = wire_text(at, k->realm.name);
    return at;
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

static uint8_t *put_who(const struct minute_row *r, uint8_t *at)
{
    at = put_key(&r->key, at);
    // An empty id is taken for it too, and saves a writer of many rows the text.
    bool is_key = r->party.kind == PARTY_PROVISIONAL && r->party.id[0] == '\0';
    if (r->party.kind == PARTY_PROVISIONAL && !is_key) {
        struct party own = party_provisional(&r->key);
        is_key = strcmp(own.id, r->party.id) == 0;
    }
    at = wire_u8(at, r->party.kind | (is_key ? PARTY_IS_KEY : 0u));
    if (!is_key)
        at = wire_text(at, r->party.id);
    at = wire_text(wire_text(at, r->network_class), r->pop);
    for (size_t i = 0; i < MINUTE_SENSORS_MAX && r->sensor[i][0]; i++)
        at = wire_text(at, r->sensor[i]);
    return at;
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

static uint8_t *put_pair(uint8_t *at, unsigned *next, unsigned number, uint64_t value)
{
    if (value == 0)
        return at;
    at = wire_varint(at, number - *next);
    *next = number + 1;
    return wire_varint(at, value);
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

static bool all_zero(const uint64_t *value, size_t count)
{
    uint64_t any = 0;
    for (size_t i = 0; i < count; i++)
        any |= value[i];
    return any == 0;
}

// Most roles and directions have none.
static uint8_t *put_counters(const struct minute_row *r, uint8_t *at)
{
    unsigned next = 0;
    for (unsigned slot = 0; slot < COUNTER_SLOTS; slot++) {
        const uint64_t *value = r->counter[slot / MINUTE_DIRECTIONS][slot % MINUTE_DIRECTIONS];
        if (r->unused >> slot & 1 || all_zero(value, MINUTE_COUNTER_N))
            continue;
        for (unsigned c = 0; c < MINUTE_COUNTER_N; c++)
            at = put_pair(at, &next, slot * SLOT_NUMBERS + c, value[c]);
    }
    return at;
}

// Version 1 counted by counter first, and by role and direction within.
static void get_counters(struct cursor *c, struct minute_row *r, uint8_t version)
{
    uint64_t numbers = version == 1 ? MINUTE_COUNTER_N * COUNTER_SLOTS
                                    : SLOT_NUMBERS * COUNTER_SLOTS;
    uint64_t next = 0, number, value;
    while (get_pair(c, &next, numbers, &number, &value)) {
        if (number == UINT64_MAX)
            continue;
        uint64_t slot = version == 1 ? number % COUNTER_SLOTS : number / SLOT_NUMBERS;
        uint64_t counter = version == 1 ? number / COUNTER_SLOTS : number % SLOT_NUMBERS;
        if (counter < MINUTE_COUNTER_N)
            r->counter[slot / MINUTE_DIRECTIONS][slot % MINUTE_DIRECTIONS][counter] = value;
    }
}

static uint8_t *put_gauges(const struct minute_row *r, uint8_t *at)
{
    unsigned next = 0;
    for (unsigned g = 0; g < MINUTE_GAUGE_N; g++)
        at = put_pair(at, &next, g, r->gauge[g]);
    return at;
}

static void get_gauges(struct cursor *c, struct minute_row *r)
{
    uint64_t next = 0, number, value;
    while (get_pair(c, &next, MINUTE_GAUGE_N, &number, &value))
        if (number != UINT64_MAX)
            r->gauge[number] = value;
}

// ---- The row

// A section without content is left out.
static uint8_t *end_section(uint8_t *begin, uint8_t *at)
{
    return at == begin + 2 ? begin : wire_length(begin + 2, at);
}

static uint8_t *begin_section(uint8_t *at, enum section section)
{
    return wire_u8(wire_u8(at, section), 0);
}

static uint8_t *put_sections(const struct minute_row *r, uint8_t *at, struct minute_hashes *h)
{
    uint8_t *begin = at;
    at = end_section(begin, put_head(r, begin_section(begin, SECTION_HEAD)));
    begin = at;
    at = end_section(begin, put_who(r, begin_section(begin, SECTION_WHO)));
    begin = at;
    at = end_section(begin, put_counters(r, begin_section(begin, SECTION_COUNTERS)));
    begin = at;
    at = end_section(begin, put_gauges(r, begin_section(begin, SECTION_GAUGES)));
    begin = at;
    at = end_section(begin, minute_digests_put(r, begin_section(begin, SECTION_DIGESTS), h));
    begin = at;
    return end_section(begin, minute_sets_put(r, begin_section(begin, SECTION_SETS), h));
}

// Lengths that do not fit an octet take up to nine more.
#define LENGTHS_ROOM 64

void minute_row_put(const struct minute_row *r, struct buf *out, struct minute_hashes *h)
{
    size_t before = minute_hashes_count(h);
    uint8_t *room = buf_room(out, ROW_ROOM + LENGTHS_ROOM + minute_sets_room(r) +
                                      DIGEST_ROOM * (size_t)r->digest_count);
    if (!room)
        return;
    minute_hashes_row(h);
    uint8_t *end = put_sections(r, room + 1, h);
    // In front of the sections how many hashes are theirs.
    uint8_t number[10];
    size_t len = (size_t)(wire_varint(number, minute_hashes_count(h) - before) - number);
    if (len > 1)
        memmove(room + len, room + 1, (size_t)(end - room - 1));
    memcpy(room, number, len);
    out->len += (size_t)(end - room) + len - 1;
    out->failed = out->failed || minute_hashes_failed(h);
}

void minute_row_encode(const struct minute_row *r, struct buf *out)
{
    struct minute_hashes *h = minute_hashes_new();
    if (!h) {
        out->failed = true;
        return;
    }
    buf_be(out, MINUTE_VERSION, 1);
    size_t body = wire_begin(out);
    wire_put_signed(out, r->minute);
    wire_put_signed(out, r->cut_ms - minute_end_ms(r->minute));
    minute_row_put(r, out, h);
    wire_end(out, body);
    struct span hashes = minute_hashes_octets(h);
    buf_bytes(out, hashes.data, hashes.len);
    minute_hashes_free(h);
}

// One section. Trailing octets of HEAD and WHO, and sections of other numbers, are a newer writer's.
static int get_section(struct cursor *c, unsigned section, struct minute_row *r,
                       struct minute_source *s, struct distinct_budget *budget)
{
    int rc = 0;
    switch (section) {
    case SECTION_HEAD: get_head(c, r, s->version); break;
    case SECTION_WHO: get_who(c, r); break;
    case SECTION_COUNTERS: get_counters(c, r, s->version); break;
    case SECTION_GAUGES: get_gauges(c, r); break;
    case SECTION_DIGESTS: rc = minute_digests_decode(c, r, s); break;
    default:
        if (section == (s->version == 1 ? SECTION_SETS_1 : SECTION_SETS))
            minute_sets_decode(c, r, s, budget);
        break;
    }
    return rc == 0 && s->no_memory ? -ENOMEM : rc;
}

static int get_sections(struct cursor *body, struct minute_row *r, struct minute_source *s,
                        struct distinct_budget *budget)
{
    unsigned last = 0;
    int rc = 0;
    while (rc == 0 && !body->failed && cursor_left(body) > 0) {
        unsigned section = cursor_u8(body);
        struct cursor part = wire_get_span(body);
        // Each once and in order, the two that say who and when first.
        if (body->failed || section <= last || (last < SECTION_WHO && section != last + 1))
            return -EINVAL;
        last = section;
        rc = get_section(&part, section, r, s, budget);
        if (rc == 0 && part.failed)
            return -EINVAL;
    }
    return rc == 0 && (body->failed || last < SECTION_WHO) ? -EINVAL : rc;
}

static int get_row(struct cursor *body, struct minute_row *r, struct minute_source *s,
                   struct distinct_budget *budget)
{
    int rc = get_sections(body, r, s, budget);
    free(s->said);
    if (rc < 0)
        minute_row_fini(r, budget);
    return rc;
}

int minute_row_get(struct cursor body, uint8_t version, struct span all, size_t *at,
                   struct minute_row *r, struct distinct_budget *budget)
{
    struct minute_source s = {.version = version, .all = all, .next = *at};
    uint64_t hashes = cursor_varint(&body);
    *r = (struct minute_row){0};
    if (body.failed || *at > all.len / 8 || hashes > all.len / 8 - *at)
        return -EINVAL;
    s.end = *at += hashes;
    return get_row(&body, r, &s, budget);
}

// The hashes stand behind the row.
static int decode(struct cursor *c, struct cursor *body, uint8_t version, struct minute_row *r,
                  struct distinct_budget *budget)
{
    struct minute_row times;
    struct cursor sections;
    size_t at = 0;
    get_times(body, &times);
    sections = *body;
    uint64_t hashes = cursor_varint(body);
    if (body->failed || hashes > cursor_left(c) / 8)
        return -EINVAL;
    int rc = minute_row_get(sections, version, cursor_take(c, 8 * hashes), &at, r, budget);
    if (rc == 0) {
        r->minute = times.minute;
        r->cut_ms = times.cut_ms;
    }
    return rc;
}

int minute_row_decode(struct cursor *c, struct minute_row *r, struct distinct_budget *budget)
{
    struct minute_source old = {.version = 1};
    uint8_t version = cursor_u8(c);
    struct cursor body = wire_get_span(c);
    int rc = -EINVAL;
    *r = (struct minute_row){0};
    if (!c->failed && version == 1)
        rc = get_row(&body, r, &old, budget);
    else if (!c->failed && version > 1 && version <= MINUTE_VERSION)
        rc = decode(c, &body, version, r, budget);
    c->failed = c->failed || rc < 0;
    return rc;
}
