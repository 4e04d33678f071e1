// Records into IPFIX messages. A record is first written aside with counters of reduced length; when
// one does not fit, it is written again in full and goes by the wide template. So nothing is ever
// cut, and almost every record is short.
//
// Limits: a record and its template take less than 4,096 octets together, whatever it holds (64
// hashes are the largest part), so every message has room for one.
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "common/ipfix_internal.h"

#define RECORD_OCTETS_MAX   2048
#define TEMPLATE_OCTETS_MAX 2048
#define SET_HEADER_SIZE     4

struct steps {
    size_t count;
    struct ipfix_step step[IPFIX_PART_FIELDS_MAX];
};

struct ipfix_encoder {
    struct ipfix_layout layout[2][IPFIX_PARTS]; // reduced and wide
    struct steps rare;                          // SMTP counters outside the template
    uint32_t domain;
    uint32_t sequence; // data records in the messages taken so far
    uint32_t records;  // in the message being made
    int64_t export_ms; // latest time of its records
    size_t max;
    size_t len;
    size_t set_at;   // where the open set begins; 0: none
    unsigned set_id; // of the open set
    bool taken;
    uint8_t sent[(IPFIX_TEMPLATE_END - IPFIX_TEMPLATE_FLOW + 7) / 8]; // templates, one bit each
    uint8_t data[];
};

// One record being written.
struct out {
    uint8_t octet[RECORD_OCTETS_MAX];
    size_t len;
    uint64_t overflow; // what did not fit in the lengths of the template
};

static void fill_rare(struct steps *s)
{
    const struct ipfix_run run = ipfix_part_fields(IPFIX_PART_SMTP);
    for (size_t i = 0; i < run.count; i++)
        if (!run.field[i].narrow && run.field[i].how == IPFIX_NUMBER) {
            assert(run.field[i].size == sizeof(uint32_t));
            s->step[s->count++] = ipfix_step_of(&run.field[i], 4);
        }
}

struct ipfix_encoder *ipfix_encoder_new(uint32_t domain, size_t message_max)
{
    assert(message_max >= RECORD_OCTETS_MAX + TEMPLATE_OCTETS_MAX &&
           message_max <= IPFIX_MESSAGE_MAX);
    struct ipfix_encoder *e = calloc(1, sizeof *e + message_max);
    if (!e)
        return NULL;
    e->domain = domain;
    e->max = message_max;
    e->len = IPFIX_HEADER_SIZE;
    for (enum ipfix_part p = 0; p < IPFIX_PARTS; p++)
        for (int wide = 0; wide < 2; wide++)
            ipfix_layout_fill(&e->layout[wide][p], p, wide);
    fill_rare(&e->rare);
    return e;
}

void ipfix_encoder_free(struct ipfix_encoder *e)
{
    free(e);
}

static void start_message(struct ipfix_encoder *e)
{
    e->len = IPFIX_HEADER_SIZE;
    e->set_at = 0;
    e->records = 0;
    e->taken = false;
}

void ipfix_encoder_reset(struct ipfix_encoder *e)
{
    start_message(e);
    e->sequence = 0;
    e->export_ms = 0;
    memset(e->sent, 0, sizeof e->sent);
}

static inline void store_be(uint8_t *p, uint64_t v, size_t len)
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

static inline void put_be(struct out *o, uint64_t v, size_t len)
{
    assert(o->len + len <= sizeof o->octet);
    store_be(o->octet + o->len, v, len);
    o->len += len;
}

static inline uint64_t load_number(const uint8_t *p, size_t size)
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

static void put_octets(struct out *o, const void *data, size_t len)
{
    assert(o->len + len <= sizeof o->octet);
    memcpy(o->octet + o->len, data, len);
    o->len += len;
}

// Length of what has variable length: one octet, or 255 and two (RFC 7011, 7).
static void put_variable(struct out *o, const void *data, size_t len)
{
    if (len < 255) {
        put_be(o, len, 1);
    } else {
        put_be(o, 255, 1);
        put_be(o, len, 2);
    }
    put_octets(o, data, len);
}

static void put_hash(struct out *o, const struct keyed_hash *h)
{
    put_be(o, h->kind, 1);
    put_be(o, h->key_id, 1);
    put_be(o, h->value, 8);
}

static void put_hashes(struct out *o, const struct keyed_hash *h, size_t count)
{
    size_t len = count * 10;
    if (len < 255) {
        put_be(o, len, 1);
    } else {
        put_be(o, 255, 1);
        put_be(o, len, 2);
    }
    for (size_t i = 0; i < count; i++)
        put_hash(o, &h[i]);
}

static void put_lengths(struct out *o, const int16_t *lengths, size_t count)
{
    while (count > 0 && lengths[count - 1] == 0)
        count--;
    put_be(o, count * 2, 1);
    for (size_t i = 0; i < count; i++)
        put_be(o, (uint16_t)lengths[i], 2);
}

// SMTP counters that have no element in the template and are not zero.
static void put_rare_counters(struct out *o, const struct steps *rare, const struct record *r)
{
    const size_t at = o->len++;
    assert(at + 1 + rare->count * 6 <= sizeof o->octet);
    for (size_t i = 0; i < rare->count; i++) {
        uint32_t v;
        memcpy(&v, (const uint8_t *)r + rare->step[i].offset, sizeof v);
        if (v == 0)
            continue;
        o->octet[o->len++] = (uint8_t)(rare->step[i].field->id - 100);
        for (; v >= 0x80; v >>= 7)
            o->octet[o->len++] = (uint8_t)(v | 0x80);
        o->octet[o->len++] = (uint8_t)v;
    }
    assert(o->len - at - 1 < 255);
    o->octet[at] = (uint8_t)(o->len - at - 1);
}

static uint8_t flow_end_reason(const struct record_flow *f)
{
    if (!(f->flags & RECORD_END))
        return 2;                                  // active timeout
    return f->incomplete & RECORD_EVICTED ? 5 : 3; // lack of resources, end of flow
}

static void put_field(struct out *o, const struct ipfix_encoder *e, const struct ipfix_field *f,
                      size_t wire, const struct record *r)
{
    const uint8_t *base = (const uint8_t *)r;
    const uint8_t *at = base + f->offset;
    uint64_t v = 0;
    switch ((enum ipfix_how)f->how) {
    case IPFIX_NUMBER:
        v = load_number(at, f->size);
        if (wire < 8)
            o->overflow |= v >> (8 * wire);
        put_be(o, v, wire);
        break;
    case IPFIX_TEXT: put_variable(o, at, strlen((const char *)at)); break;
    case IPFIX_BYTES:
        if (wire != IPFIX_VARIABLE) {
            put_octets(o, at, f->size);
            break;
        }
        for (size_t i = 0; i < f->size; i++)
            v |= at[i];
        put_variable(o, at, v ? f->size : 0);
        break;
    case IPFIX_ADDRESS: {
        struct ip_addr a;
        memcpy(&a, at, sizeof a);
        if (wire == IPFIX_VARIABLE)
            put_variable(o, a.octet, ip_size(a.family));
        else
            put_octets(o, a.octet, wire);
        break;
    }
    case IPFIX_BITS:
        for (unsigned i = 0; f->more[i]; i++)
            v |= (uint64_t)(base[f->more[i]] != 0) << i;
        put_be(o, v, wire);
        break;
    case IPFIX_HASH: {
        struct keyed_hash h;
        memcpy(&h, at, sizeof h);
        put_hashes(o, &h, h.kind ? 1 : 0);
        break;
    }
    case IPFIX_HASHES: put_hashes(o, (const void *)at, base[f->more[0]]); break;
    case IPFIX_LENGTHS: put_lengths(o, (const void *)at, f->size / sizeof(int16_t)); break;
    case IPFIX_COUNTERS: put_rare_counters(o, &e->rare, r); break;
    case IPFIX_REASON: put_be(o, flow_end_reason(&r->flow), 1); break;
    case IPFIX_BIFLOW: put_be(o, 1, 1); break;
    case IPFIX_TIME_S:
    case IPFIX_TIME_NTP:
    case IPFIX_LABEL: assert(false && "decoded only"); break;
    }
}

// The numbers of a stretch; returns the places behind them.
static const struct ipfix_place *put_stretch(struct out *o, const struct ipfix_stretch *t,
                                             const struct ipfix_place *p, const uint8_t *from)
{
    uint8_t *to = o->octet + o->len;
    uint64_t over = 0;
    assert(o->len + t->octets <= sizeof o->octet);
    for (unsigned n = t->count[IPFIX_STEP_1_1]; n > 0; n--, p++)
        to[p->wire] = from[p->record];
    for (unsigned n = t->count[IPFIX_STEP_2_2]; n > 0; n--, p++)
        store_be(to + p->wire, load_number(from + p->record, 2), 2);
    for (unsigned n = t->count[IPFIX_STEP_4_4]; n > 0; n--, p++)
        store_be(to + p->wire, load_number(from + p->record, 4), 4);
    for (unsigned n = t->count[IPFIX_STEP_8_8]; n > 0; n--, p++)
        store_be(to + p->wire, load_number(from + p->record, 8), 8);
    for (unsigned n = t->count[IPFIX_STEP_4_2]; n > 0; n--, p++) {
        uint64_t v = load_number(from + p->record, 4);
        over |= v >> 16;
        store_be(to + p->wire, v, 2);
    }
    for (unsigned n = t->count[IPFIX_STEP_8_4]; n > 0; n--, p++) {
        uint64_t v = load_number(from + p->record, 8);
        over |= v >> 32;
        store_be(to + p->wire, v, 4);
    }
    o->overflow |= over;
    o->len += t->octets;
    return p;
}

// The fields of one part.
static void put_part(struct out *o, const struct ipfix_encoder *e, const struct ipfix_layout *l,
                     const struct record *r)
{
    const struct ipfix_place *p = l->place;
    for (const struct ipfix_stretch *t = l->stretch; t < l->stretch + l->stretches; t++) {
        p = put_stretch(o, t, p, (const uint8_t *)r);
        if (t->other)
            put_field(o, e, t->other, t->wire, r);
    }
}

static void put_record(struct out *o, const struct ipfix_encoder *e, unsigned template_id,
                       const struct record *r)
{
    uint8_t parts[IPFIX_PARTS];
    bool wide;
    size_t n = ipfix_template_parts(template_id, parts, &wide);
    assert(n > 0);
    o->len = 0;
    o->overflow = 0;
    for (size_t p = 0; p < n; p++)
        put_part(o, e, &e->layout[wide][parts[p]], r);
}

static unsigned template_of(const struct record *r)
{
    switch (r->kind) {
    case RECORD_FLOW:
        return IPFIX_TEMPLATE_FLOW + r->flow.groups +
               (r->flow.initiator.family == IP_V6 ? IPFIX_TEMPLATE_V6 : 0u);
    case RECORD_MAIL:
        switch (r->mail.client.family) {
        case IP_V4: return IPFIX_TEMPLATE_MAIL + 1;
        case IP_V6: return IPFIX_TEMPLATE_MAIL + 2;
        default: return IPFIX_TEMPLATE_MAIL;
        }
    default: return IPFIX_TEMPLATE_COVERAGE;
    }
}

static int64_t time_of(const struct record *r)
{
    switch (r->kind) {
    case RECORD_FLOW:
        return r->flow.outcome_ms > r->flow.end_ms ? r->flow.outcome_ms : r->flow.end_ms;
    case RECORD_MAIL: return r->mail.t_ms;
    default: return r->coverage.t_ms;
    }
}

static size_t template_specs(unsigned id, uint8_t out[static TEMPLATE_OCTETS_MAX])
{
    uint8_t parts[IPFIX_PARTS];
    bool wide;
    size_t n = ipfix_template_parts(id, parts, &wide);
    size_t len = SET_HEADER_SIZE + 4;
    unsigned count = 0;
    for (size_t p = 0; p < n; p++) {
        const struct ipfix_run run = ipfix_part_fields(parts[p]);
        for (size_t i = 0; i < run.count; i++) {
            const struct ipfix_field *f = &run.field[i];
            unsigned wire = wide ? f->wide : f->narrow;
            if (!wire)
                continue;
            assert(len + 8 <= TEMPLATE_OCTETS_MAX);
            store_be(out + len, f->id | (f->pen ? 0x8000u : 0), 2);
            store_be(out + len + 2, wire, 2);
            len += 4;
            if (f->pen) {
                store_be(out + len, f->pen, 4);
                len += 4;
            }
            count++;
        }
    }
    store_be(out, 2, 2); // template set
    store_be(out + 2, len, 2);
    store_be(out + 4, id, 2);
    store_be(out + 6, count, 2);
    return len;
}

static bool is_sent(const struct ipfix_encoder *e, unsigned id)
{
    unsigned bit = id - IPFIX_TEMPLATE_FLOW;
    return e->sent[bit / 8] & 1u << bit % 8;
}

static void close_set(struct ipfix_encoder *e)
{
    if (e->set_at)
        store_be(e->data + e->set_at + 2, e->len - e->set_at, 2);
    e->set_at = 0;
}

// Puts a record's octets behind those of its template, into the open set or a new one. -ENOBUFS.
static int append(struct ipfix_encoder *e, unsigned id, struct span octets, int64_t t_ms)
{
    if (e->taken)
        start_message(e);
    uint8_t specs[TEMPLATE_OCTETS_MAX];
    size_t specs_len = is_sent(e, id) ? 0 : template_specs(id, specs);
    bool new_set = !e->set_at || e->set_id != id || specs_len;
    size_t need = specs_len + (new_set ? SET_HEADER_SIZE : 0) + octets.len;
    if (e->len + need > e->max)
        return -ENOBUFS;

    if (new_set)
        close_set(e);
    if (specs_len) {
        memcpy(e->data + e->len, specs, specs_len);
        e->len += specs_len;
        unsigned bit = id - IPFIX_TEMPLATE_FLOW;
        e->sent[bit / 8] |= (uint8_t)(1u << bit % 8);
    }
    if (new_set) {
        e->set_at = e->len;
        e->set_id = id;
        store_be(e->data + e->len, id, 2);
        e->len += SET_HEADER_SIZE;
    }
    memcpy(e->data + e->len, octets.data, octets.len);
    e->len += octets.len;
    e->records++;
    if (t_ms > e->export_ms)
        e->export_ms = t_ms;
    return 0;
}

int ipfix_encoder_put(struct ipfix_encoder *e, const struct record *r)
{
    if (record_check(r))
        return -EINVAL;
    struct out o;
    unsigned id = template_of(r);
    put_record(&o, e, id, r);
    if (o.overflow) {
        id += IPFIX_TEMPLATE_WIDE; // only flows have counters that may not fit; others are
        put_record(&o, e, id, r);  // always sent in full
        assert(!o.overflow);
    }
    return append(e, id, span_of(o.octet, o.len), time_of(r));
}

int ipfix_encoder_put_octets(struct ipfix_encoder *e, const struct ipfix_octets *octets,
                             const struct record *r)
{
    assert(octets->template_id >= IPFIX_TEMPLATE_FLOW && octets->template_id < IPFIX_TEMPLATE_END);
    if (octets->record.len > RECORD_OCTETS_MAX)
        return ipfix_encoder_put(e, r); // padded, by some other hand: as we would say it
    return append(e, octets->template_id, octets->record, time_of(r));
}

struct span ipfix_encoder_take(struct ipfix_encoder *e)
{
    if (e->taken || e->len == IPFIX_HEADER_SIZE)
        return (struct span){0};
    close_set(e);
    store_be(e->data, IPFIX_VERSION, 2);
    store_be(e->data + 2, e->len, 2);
    store_be(e->data + 4, (uint64_t)(e->export_ms / 1000), 4);
    store_be(e->data + 8, e->sequence, 4);
    store_be(e->data + 12, e->domain, 4);
    e->sequence += e->records;
    e->taken = true;
    return span_of(e->data, e->len);
}
