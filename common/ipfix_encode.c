// Records into IPFIX messages. A record is first written aside with counters of reduced length; when
// one does not fit, it is written again in full and goes by the wide template. So nothing is ever
// cut, and almost every record is short.
//
// Limits: a record and its template take less than 4,096 octets together, whatever it holds (64
// hashes are the largest part), so every message has room for one.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "common/ipfix_put.h"

#define RECORD_ROOM         (IPFIX_RECORD_OCTETS_MAX + IPFIX_SLACK)
#define TEMPLATE_OCTETS_MAX 2048
#define SET_HEADER_SIZE     4

struct ipfix_encoder {
    struct ipfix_layout layout[2][IPFIX_PARTS]; // reduced and wide
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

struct ipfix_encoder *ipfix_encoder_new(uint32_t domain, size_t message_max)
{
    assert(message_max >= IPFIX_RECORD_OCTETS_MAX + TEMPLATE_OCTETS_MAX &&
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

// The numbers of a stretch; returns the places behind them.
static const struct ipfix_place *put_stretch(struct ipfix_out *o, const struct ipfix_stretch *t,
                                             const struct ipfix_place *p, const uint8_t *from)
{
    uint8_t *to = o->at;
    uint64_t over = 0;
    for (unsigned n = t->count[IPFIX_STEP_1_1]; n > 0; n--, p++)
        to[p->wire] = from[p->record];
    for (unsigned n = t->count[IPFIX_STEP_2_2]; n > 0; n--, p++)
        ipfix_store_be(to + p->wire, ipfix_load_number(from + p->record, 2), 2);
    for (unsigned n = t->count[IPFIX_STEP_4_4]; n > 0; n--, p++)
        ipfix_store_be(to + p->wire, ipfix_load_number(from + p->record, 4), 4);
    for (unsigned n = t->count[IPFIX_STEP_8_8]; n > 0; n--, p++)
        ipfix_store_be(to + p->wire, ipfix_load_number(from + p->record, 8), 8);
    for (unsigned n = t->count[IPFIX_STEP_4_2]; n > 0; n--, p++) {
        uint64_t v = ipfix_load_number(from + p->record, 4);
        over |= v >> 16;
        ipfix_store_be(to + p->wire, v, 2);
    }
    for (unsigned n = t->count[IPFIX_STEP_8_4]; n > 0; n--, p++) {
        uint64_t v = ipfix_load_number(from + p->record, 8);
        over |= v >> 32;
        ipfix_store_be(to + p->wire, v, 4);
    }
    o->overflow |= over;
    o->at += t->octets;
    return p;
}

// The fields of one part.
static void put_part(struct ipfix_out *o, const struct ipfix_layout *l, const struct record *r)
{
    const struct ipfix_field *smtp = ipfix_part_fields(IPFIX_PART_SMTP).field;
    const struct ipfix_place *p = l->place;
    for (const struct ipfix_stretch *t = l->stretch; t < l->stretch + l->stretches; t++) {
        p = put_stretch(o, t, p, (const uint8_t *)r);
        if (t->other)
            ipfix_put_field(o, t->other, t->wire, smtp, r);
    }
}

// Into `octet`; its length in *len. False: a counter did not fit.
static bool put_record(const struct ipfix_encoder *e, unsigned template_id, const struct record *r,
                       uint8_t octet[static RECORD_ROOM], size_t *len)
{
    uint8_t parts[IPFIX_PARTS];
    bool wide;
    struct ipfix_out o = {.at = octet};
    size_t n = ipfix_template_parts(template_id, parts, &wide);
    assert(n > 0);
    for (size_t p = 0; p < n; p++)
        if (wide || !ipfix_put_straight(&o, parts[p], r))
            put_part(&o, &e->layout[wide][parts[p]], r);
    *len = (size_t)(o.at - octet);
    assert(*len <= IPFIX_RECORD_OCTETS_MAX);
    return o.overflow == 0;
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
            ipfix_store_be(out + len, f->id | (f->pen ? 0x8000u : 0), 2);
            ipfix_store_be(out + len + 2, wire, 2);
            len += 4;
            if (f->pen) {
                ipfix_store_be(out + len, f->pen, 4);
                len += 4;
            }
            count++;
        }
    }
    ipfix_store_be(out, 2, 2); // template set
    ipfix_store_be(out + 2, len, 2);
    ipfix_store_be(out + 4, id, 2);
    ipfix_store_be(out + 6, count, 2);
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
        ipfix_store_be(e->data + e->set_at + 2, e->len - e->set_at, 2);
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
        ipfix_store_be(e->data + e->len, id, 2);
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
    return record_check(r) ? -EINVAL : ipfix_encoder_put_own(e, r);
}

int ipfix_encoder_put_own(struct ipfix_encoder *e, const struct record *r)
{
    assert(!record_check(r));
    uint8_t octet[RECORD_ROOM];
    size_t len;
    unsigned id = template_of(r);
    if (!put_record(e, id, r, octet, &len)) {
        id += IPFIX_TEMPLATE_WIDE; // only flows have counters that may not fit; others are
        bool fits = put_record(e, id, r, octet, &len); // always sent in full
        assert(fits);
        (void)fits;
    }
    return append(e, id, span_of(octet, len), time_of(r));
}

int ipfix_encoder_put_octets(struct ipfix_encoder *e, const struct ipfix_octets *octets,
                             const struct record *r)
{
    assert(octets->template_id >= IPFIX_TEMPLATE_FLOW && octets->template_id < IPFIX_TEMPLATE_END);
    if (octets->record.len > IPFIX_RECORD_OCTETS_MAX)
        return ipfix_encoder_put(e, r); // padded, by some other hand: as we would say it
    return append(e, octets->template_id, octets->record, time_of(r));
}

struct span ipfix_encoder_take(struct ipfix_encoder *e)
{
    if (e->taken || e->len == IPFIX_HEADER_SIZE)
        return (struct span){0};
    close_set(e);
    ipfix_store_be(e->data, IPFIX_VERSION, 2);
    ipfix_store_be(e->data + 2, e->len, 2);
    ipfix_store_be(e->data + 4, (uint64_t)(e->export_ms / 1000), 4);
    ipfix_store_be(e->data + 8, e->sequence, 4);
    ipfix_store_be(e->data + 12, e->domain, 4);
    e->sequence += e->records;
    e->taken = true;
    return span_of(e->data, e->len);
}
