// The entries of a journal block: rows (minute_codec.c), coverage minutes and site minutes as octets and
// back (docs/formats/journal.md). An entry of a kind not known here is passed over by its length.
#include <errno.h>

#include "common/journal_format.h"
#include "common/minute_wire.h"

#define ENTRY_VERSION 1

static uint32_t get_u32(struct cursor *c)
{
    return (uint32_t)wire_get_at_most(c, UINT32_MAX);
}

// Kind and length go in front.
static size_t entry_begin(struct buf *out, enum journal_kind kind)
{
    buf_be(out, kind, 1);
    return wire_begin(out);
}

// A row of version 1 has its hashes within and a kind of its own.
#define KIND_ROW_1 JOURNAL_ROW
#define KIND_ROW   6

static int64_t minute_of(int64_t t_ms)
{
    return t_ms / 60000 - (t_ms % 60000 < 0);
}

void journal_entry_row(const struct journal_row *r, int64_t mark_ms, struct buf *out)
{
    uint8_t front[3 * 10], *end = front;
    end = wire_signed(end, r->ahead);
    end = wire_signed(end, minute_of(mark_ms) - r->minute);
    end = wire_signed(end, mark_ms - r->cut_ms);
    size_t len = (size_t)(end - front);
    uint8_t *at = buf_room(out, 1 + 10 + len + r->body.len);
    if (!at)
        return;
    end = wire_varint(wire_u8(at, KIND_ROW), len + r->body.len);
    end = wire_octets(wire_octets(end, front, len), r->body.data, r->body.len);
    out->len += (size_t)(end - at);
}

// ---- Coverage

static void put_coverage_counters(const struct coverage *c, struct buf *out)
{
    unsigned next = 1;
#define X(name, element, text)           \
    if (c->name != 0) {                  \
        buf_varint(out, (element)-next); \
        buf_varint(out, c->name);        \
        next = (element) + 1;            \
    }
    COVERAGE_COUNTERS(X)
#undef X
    (void)next;
}

static void set_coverage_counter(struct coverage *c, uint64_t number, uint64_t value)
{
    switch (number) {
#define X(name, element, text) \
    case element: c->name = value; break;
        COVERAGE_COUNTERS(X)
#undef X
    default: break; // a newer writer's
    }
}

void journal_entry_coverage(const struct coverage_minute *m, struct buf *out)
{
    const struct coverage *c = &m->sum;
    size_t body = entry_begin(out, JOURNAL_COVERAGE);
    buf_be(out, ENTRY_VERSION, 1);
    wire_put_signed(out, m->minute);
    buf_be(out, m->seconds, 1);
    buf_varint(out, m->loss_ppm);
    buf_varint(out, m->alarms);
    buf_be(out, (m->closed_by_timeout ? 1u : 0u) | (c->last ? 2u : 0u), 1);
    wire_put_signed(out, c->t_ms);
    wire_put_text(out, c->sensor);
    buf_varint(out, c->process);
    buf_be(out, c->leg, 1);
    buf_be(out, c->nat, 1);
    buf_be(out, c->port25, 1);
    buf_be(out, c->tier, 1);
    buf_be(out, c->profile, 1);
    buf_varint(out, c->sampling);
    put_coverage_counters(c, out);
    wire_end(out, body);
}

static void get_coverage(struct cursor *c, struct coverage_minute *m)
{
    if (cursor_u8(c) != ENTRY_VERSION)
        c->failed = true;
    m->minute = wire_get_signed(c);
    m->seconds = cursor_u8(c);
    m->loss_ppm = get_u32(c);
    m->alarms = get_u32(c);
    uint8_t flags = cursor_u8(c);
    m->closed_by_timeout = flags & 1;
    m->sum.last = (flags & 2) != 0;
    m->sum.t_ms = wire_get_signed(c);
    wire_get_text(c, m->sum.sensor, sizeof m->sum.sensor);
    uint32_t process = get_u32(c);
    m->sum.leg = cursor_u8(c);
    m->sum.nat = cursor_u8(c);
    m->sum.port25 = cursor_u8(c);
    m->sum.tier = cursor_u8(c);
    m->sum.profile = cursor_u8(c);
    m->sum.sampling = get_u32(c);
    m->sum.alarms = m->alarms;
    if (process > UINT16_MAX || m->seconds > 60 || m->sum.leg > COVERAGE_LEG_PNI ||
        m->sum.nat > COVERAGE_NAT_OUTSIDE || m->sum.port25 > COVERAGE_PORT25_BLOCKED_AFTER ||
        m->sum.tier > COVERAGE_TIER_C || m->sum.profile > COVERAGE_FULL_ENVELOPE)
        c->failed = true;
    m->sum.process = (uint16_t)process;
    uint64_t number = 1;
    while (!c->failed && cursor_left(c) > 0) {
        uint64_t gap = cursor_varint(c);
        uint64_t value = cursor_varint(c);
        if (c->failed || gap > 1u << 20 || number > 1u << 20) {
            c->failed = true;
            return;
        }
        set_coverage_counter(&m->sum, number + gap, value);
        number += gap + 1;
    }
}

// ---- Site minutes

void journal_entry_site(const struct minute_site *s, struct buf *out)
{
    size_t body = entry_begin(out, JOURNAL_SITE);
    buf_be(out, ENTRY_VERSION, 1);
    wire_put_signed(out, s->minute);
    wire_put_text(out, s->pop);
    buf_varint(out, s->active_parties);
    buf_varint(out, s->parties_mx);
    buf_varint(out, s->parties_mx_failing);
    buf_varint(out, s->mx_connections);
    buf_varint(out, s->mx_failures);
    buf_varint(out, s->smarthost_connections);
    buf_varint(out, s->smarthost_failures);
    buf_varint(out, s->leases);
    buf_varint(out, s->lease_changes);
    wire_end(out, body);
}

static void get_site(struct cursor *c, struct minute_site *s)
{
    if (cursor_u8(c) != ENTRY_VERSION)
        c->failed = true;
    s->minute = wire_get_signed(c);
    wire_get_text(c, s->pop, sizeof s->pop);
    s->active_parties = get_u32(c);
    s->parties_mx = get_u32(c);
    s->parties_mx_failing = get_u32(c);
    s->mx_connections = cursor_varint(c);
    s->mx_failures = cursor_varint(c);
    s->smarthost_connections = cursor_varint(c);
    s->smarthost_failures = cursor_varint(c);
    s->leases = get_u32(c);
    s->lease_changes = get_u32(c);
}

// ---- Positions: first in their block

void journal_entry_position(const struct journal_position *p, struct buf *out)
{
    size_t body = entry_begin(out, JOURNAL_POSITION);
    buf_be(out, ENTRY_VERSION, 1);
    buf_be(out, p->log, 8);
    buf_be(out, p->ordinal, 8);
    buf_be(out, p->part, 4);
    wire_end(out, body);
}

bool journal_entry_get_position(struct cursor c, struct journal_position *out)
{
    if (cursor_u8(&c) != JOURNAL_POSITION || c.failed)
        return false;
    struct cursor body = wire_get_span(&c);
    uint8_t version = cursor_u8(&body);
    struct journal_position p;
    p.log = cursor_u64(&body);
    p.ordinal = cursor_u64(&body);
    p.part = cursor_u32(&body);
    if (c.failed || body.failed || version != ENTRY_VERSION)
        return false;
    *out = p;
    return true;
}

struct journal_entries journal_entries_of(const struct journal_block *b, struct span raw,
                                          struct span hashes)
{
    return (struct journal_entries){.left = cursor_of(raw),
                                    .version = b->version > 2 ? b->version : 2,
                                    .hashes = hashes,
                                    .hashes_at = (hashes.len - b->hashes) / 8,
                                    .mark_ms = b->mark_ms};
}

static int get_row(struct journal_entries *from, struct cursor *body, struct minute_row *r)
{
    int64_t ahead = wire_get_signed(body);
    int64_t minute = wire_get_signed(body), cut_ms = wire_get_signed(body);
    int64_t at = (int64_t)from->hashes_at, values = (int64_t)(from->hashes.len / 8);
    if (body->failed || ahead < -at || ahead > values - at ||
        __builtin_sub_overflow(minute_of(from->mark_ms), minute, &minute) ||
        __builtin_sub_overflow(from->mark_ms, cut_ms, &cut_ms))
        return -EINVAL;
    from->hashes_at = (size_t)(at + ahead);
    int rc = minute_row_get(*body, from->version, from->hashes, &from->hashes_at, r, NULL);
    if (rc == 0 && (rc = minute_row_time(r, minute, cut_ms)) < 0)
        minute_row_fini(r, NULL);
    return rc;
}

int journal_entry_get(struct journal_entries *from, struct journal_entry *e)
{
    struct cursor *c = &from->left;
    while (!c->failed && cursor_left(c) > 0) {
        uint8_t kind = cursor_u8(c);
        struct cursor body = wire_get_span(c);
        int rc;
        if (c->failed)
            return -EINVAL;
        switch (kind) {
        case KIND_ROW_1:
        case KIND_ROW:
            e->kind = JOURNAL_ROW;
            rc = kind == KIND_ROW ? get_row(from, &body, &e->row)
                                  : minute_row_decode(&body, &e->row, NULL);
            return rc < 0 ? rc : 1;
        case JOURNAL_COVERAGE:
            e->kind = kind;
            e->coverage = (struct coverage_minute){0};
            get_coverage(&body, &e->coverage);
            return body.failed ? -EINVAL : 1;
        case JOURNAL_SITE:
            e->kind = kind;
            e->site = (struct minute_site){0};
            get_site(&body, &e->site);
            return body.failed ? -EINVAL : 1;
        default: break; // a newer writer's
        }
    }
    return c->failed ? -EINVAL : 0;
}
