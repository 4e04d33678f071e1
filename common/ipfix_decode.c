// IPFIX messages into records. Octets are collected until a message is whole (65,535 at most), then
// its sets are walked. What is broken is counted and passed over: a record within its set, a set
// within its message, a message by looking for the next header that makes sense.
//
// Nothing is trusted: every length is held against what contains it, every record against
// record_check. Memory is one message and the bounded templates.
#include <stddef.h>
#include <stdlib.h>

#include "common/ipfix_internal.h"

#define SET_HEADER_SIZE 4
#define FIRST_SET_SIZE  (IPFIX_HEADER_SIZE + SET_HEADER_SIZE)
#define RESTART_GAP     (UINT32_C(1) << 24) // from here on the exporter began again, nothing was lost
#define DOMAINS_MAX     64

struct ipfix_decoder {
    struct ipfix_templates templates;
    struct record_reader_stats stats;
    const char *bad_value;
    struct ipfix_domain domain[DOMAINS_MAX]; // a new one takes the place of the oldest
    size_t domain_next;
    size_t have;                    // octets in `data`
    size_t len;                     // of the message, once its header is there
    bool ready;                     // the message is whole
    bool opened;                    // its header was looked at
    bool lost;                      // looking for a header
    size_t at;                      // next set
    const struct ipfix_template *t; // of the open data set, or NULL
    size_t set_at, set_end;
    struct ipfix_octets octets; // of the record handed out
    struct ipfix_domain *d;     // of the message
    uint32_t records;           // data records of the message
    bool records_known;         // no set of it was passed over
    int64_t export_ms;
    uint8_t data[IPFIX_MESSAGE_MAX];
};

struct ipfix_decoder *ipfix_decoder_new(void)
{
    struct ipfix_decoder *d = calloc(1, sizeof *d);
    if (d)
        ipfix_templates_init(&d->templates);
    return d;
}

void ipfix_decoder_free(struct ipfix_decoder *d)
{
    if (!d)
        return;
    ipfix_templates_fini(&d->templates);
    free(d);
}

const struct record_reader_stats *ipfix_decoder_stats(const struct ipfix_decoder *d)
{
    return &d->stats;
}

const char *ipfix_decoder_bad_value(const struct ipfix_decoder *d)
{
    return d->bad_value;
}

int64_t ipfix_decoder_export_ms(const struct ipfix_decoder *d)
{
    return d->export_ms;
}

static void next_message(struct ipfix_decoder *d)
{
    d->have = d->len = 0;
    d->ready = d->opened = false;
    d->t = NULL;
}

void ipfix_decoder_reset(struct ipfix_decoder *d)
{
    next_message(d);
    d->lost = false;
    ipfix_templates_fini(&d->templates);
    memset(d->domain, 0, sizeof d->domain);
}

void ipfix_decoder_end(struct ipfix_decoder *d)
{
    if (d->have > 0 && !d->ready && !d->lost)
        d->stats.truncated = true;
}

// ---- Messages.

// A message of a header only is one, but nothing to find the way back by.
static bool header_fits(const struct ipfix_decoder *d)
{
    size_t len = ipfix_be16(d->data + 2);
    return ipfix_be16(d->data) == IPFIX_VERSION &&
           (len >= FIRST_SET_SIZE || (len == IPFIX_HEADER_SIZE && !d->lost));
}

// Version and length prove little: the first set has to make sense as well.
static bool first_set_fits(const struct ipfix_decoder *d)
{
    size_t len = ipfix_be16(d->data + 2);
    unsigned set_id = ipfix_be16(d->data + IPFIX_HEADER_SIZE);
    size_t set_len = ipfix_be16(d->data + IPFIX_HEADER_SIZE + 2);
    return (set_id == 2 || set_id == 3 || set_id >= 256) && set_len >= SET_HEADER_SIZE &&
           set_len + IPFIX_HEADER_SIZE <= len;
}

// Looks at what is there of a header; drops octets until it may be one.
static void read_header(struct ipfix_decoder *d)
{
    while (!d->len && d->have >= IPFIX_HEADER_SIZE) {
        bool fits = header_fits(d);
        size_t len = ipfix_be16(d->data + 2);
        if (fits && len > IPFIX_HEADER_SIZE) {
            if (d->have < FIRST_SET_SIZE)
                return;
            fits = first_set_fits(d);
        }
        if (fits) {
            d->len = len;
            d->lost = false;
        } else {
            d->stats.bad_message += !d->lost;
            d->lost = true;
            memmove(d->data, d->data + 1, --d->have);
        }
    }
}

size_t ipfix_decoder_feed(struct ipfix_decoder *d, struct span in)
{
    size_t taken = 0;
    while (!d->ready && taken < in.len) {
        size_t upto = d->len                        ? d->len
                      : d->have < IPFIX_HEADER_SIZE ? IPFIX_HEADER_SIZE
                                                    : FIRST_SET_SIZE;
        size_t want = upto - d->have;
        if (want > in.len - taken)
            want = in.len - taken;
        memcpy(d->data + d->have, in.data + taken, want);
        d->have += want;
        taken += want;
        read_header(d);
        d->ready = d->len > 0 && d->have == d->len;
    }
    d->stats.octets += taken;
    return taken;
}

static struct ipfix_domain *domain_of(struct ipfix_decoder *d, uint32_t id)
{
    for (size_t i = 0; i < DOMAINS_MAX; i++)
        if (d->domain[i].used && d->domain[i].id == id)
            return &d->domain[i];
    struct ipfix_domain *n = &d->domain[d->domain_next++ % DOMAINS_MAX];
    *n = (struct ipfix_domain){.id = id, .used = true};
    return n;
}

static void open_message(struct ipfix_decoder *d)
{
    uint32_t sequence = ipfix_be32(d->data + 8);
    d->opened = true;
    d->at = IPFIX_HEADER_SIZE;
    d->t = NULL;
    d->records = 0;
    d->records_known = true;
    d->export_ms = (int64_t)ipfix_be32(d->data + 4) * 1000;
    d->d = domain_of(d, ipfix_be32(d->data + 12));
    d->stats.messages++;
    uint32_t missing = sequence - d->d->sequence;
    if (d->d->sequence_known && missing < RESTART_GAP)
        d->stats.lost_records += missing;
    d->d->sequence = sequence;
}

static void close_message(struct ipfix_decoder *d)
{
    d->d->sequence += d->records;
    d->d->sequence_known = d->records_known;
    next_message(d);
}

// ---- Records.

static void start_record(struct record *r, const struct ipfix_template *t)
{
    memset(r, 0, sizeof *r);
    switch (t->kind) {
    case IPFIX_KIND_FLOW:
        r->kind = RECORD_FLOW;
        r->flow.groups = t->groups;
        r->flow.sampling = 1;
        r->flow.tls.alert = t->groups & RECORD_HAS_TLS ? 255 : 0;
        r->flow.socks.method = r->flow.socks.reply = t->groups & RECORD_HAS_SOCKS ? 255 : 0;
        break;
    case IPFIX_KIND_MAIL: r->kind = RECORD_MAIL; break;
    default:
        r->kind = RECORD_COVERAGE;
        r->coverage.sampling = 1;
        break;
    }
}

// The numbers of a stretch; returns the places behind them.
static inline const struct ipfix_place *get_numbers(const struct ipfix_stretch *t,
                                                    const struct ipfix_place *at, const uint8_t *p,
                                                    struct record *r)
{
    uint8_t *to = (uint8_t *)r;
    uint64_t v8;
    uint32_t v4;
    uint16_t v2;
    for (unsigned n = t->count[IPFIX_STEP_1_1]; n > 0; n--, at++)
        to[at->record] = p[at->wire];
    for (unsigned n = t->count[IPFIX_STEP_2_2]; n > 0; n--, at++) {
        v2 = (uint16_t)ipfix_be16(p + at->wire);
        memcpy(to + at->record, &v2, 2);
    }
    for (unsigned n = t->count[IPFIX_STEP_4_4]; n > 0; n--, at++) {
        v4 = ipfix_be32(p + at->wire);
        memcpy(to + at->record, &v4, 4);
    }
    for (unsigned n = t->count[IPFIX_STEP_8_8]; n > 0; n--, at++) {
        v8 = ipfix_be(p + at->wire, 8);
        memcpy(to + at->record, &v8, 8);
    }
    for (unsigned n = t->count[IPFIX_STEP_4_2]; n > 0; n--, at++) {
        v4 = ipfix_be16(p + at->wire);
        memcpy(to + at->record, &v4, 4);
    }
    for (unsigned n = t->count[IPFIX_STEP_8_4]; n > 0; n--, at++) {
        v8 = ipfix_be32(p + at->wire);
        memcpy(to + at->record, &v8, 8);
    }
    return at;
}

// What has variable length: one octet says it, or 255 and two more (RFC 7011, 7).
static bool read_variable(const uint8_t **p, const uint8_t *end, struct span *out)
{
    if (*p == end)
        return false;
    size_t len = *(*p)++;
    if (len == 255) {
        if (end - *p < 2)
            return false;
        len = ipfix_be16(*p);
        *p += 2;
    }
    if ((size_t)(end - *p) < len)
        return false;
    *out = span_of(*p, len);
    *p += len;
    return true;
}

enum outcome { RUNS_OVER, BROKEN, WHOLE };

// Reads one record at `d->set_at` and steps over it. The record is zeroed: what has variable length and is empty needs nothing.
static enum outcome read_record(struct ipfix_decoder *d, struct record *r, struct ipfix_extra *x)
{
    const struct ipfix_template *t = d->t;
    const struct ipfix_place *place = t->place;
    const uint8_t *p = d->data + d->set_at;
    const uint8_t *end = d->data + d->set_end;
    bool whole = true;
    for (const struct ipfix_stretch *s = t->stretch; s < t->stretch + t->stretch_count; s++) {
        size_t left = (size_t)(end - p);
        bool variable = !s->ends && s->wire == IPFIX_VARIABLE;
        if (left < s->octets || (!variable && left - s->octets < s->wire))
            return RUNS_OVER;
        if (s->octets > 0) {
            place = get_numbers(s, place, p, r);
            p += s->octets;
        }
        struct span in = span_of(p, s->wire);
        if (variable && !read_variable(&p, end, &in))
            return RUNS_OVER;
        if (!variable)
            p += s->wire;
        if (!s->other || (variable && in.len == 0))
            continue;
        void *to = s->other->extra ? (void *)x : (void *)r;
        if (!ipfix_store_field(s->other, to, in, &d->stats.unknown_element))
            whole = false;
    }
    d->set_at = (size_t)(p - d->data);
    d->stats.unknown_element += t->unknown;
    return whole ? WHOLE : BROKEN;
}

static void take_options(struct ipfix_decoder *d, const struct ipfix_extra *x)
{
    d->stats.options++;
    if (x->boot_ms)
        d->d->boot_ms = x->boot_ms;
    if (x->interval) {
        uint64_t n = ((uint64_t)x->interval + x->space) / (x->space ? x->interval : 1);
        d->d->sampling = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    }
}

// One record of the open set. True: `*r` is one to hand out.
static bool next_of_set(struct ipfix_decoder *d, struct record *r)
{
    struct ipfix_extra x = {0};
    const size_t from = d->set_at;
    start_record(r, d->t);
    switch (read_record(d, r, &x)) {
    case RUNS_OVER:
        d->stats.bad_record++;
        d->records_known = false;
        d->t = NULL;
        return false;
    case BROKEN:
        d->records++;
        d->stats.bad_record++;
        return false;
    case WHOLE: d->records++; break;
    }
    if (d->t->kind == IPFIX_KIND_OPTIONS) {
        take_options(d, &x);
        return false;
    }
    if (!(d->t->has & IPFIX_HAS_IDENTITY)) {
        ipfix_foreign_finish(r, &x, d->t->has, d->d, d->export_ms);
        d->stats.no_identity++;
    }
    const char *bad = record_check(r);
    if (bad) {
        d->bad_value = bad;
        d->stats.bad_value++;
        return false;
    }
    d->stats.records++;
    d->octets.template_id = d->t->ours ? d->t->id : 0;
    d->octets.record = span_of(d->data + from, d->set_at - from);
    return true;
}

struct ipfix_octets ipfix_decoder_octets(const struct ipfix_decoder *d)
{
    return d->octets;
}

// Opens the set at `d->at`. False: the message ends here.
static bool next_set(struct ipfix_decoder *d)
{
    size_t left = d->len - d->at;
    if (left < SET_HEADER_SIZE) {
        d->stats.bad_set += left > 0;
        return false;
    }
    unsigned id = ipfix_be16(d->data + d->at);
    size_t len = ipfix_be16(d->data + d->at + 2);
    if (len < SET_HEADER_SIZE || len > left) {
        d->stats.bad_set++;
        d->records_known = false;
        return false;
    }
    struct span body = span_of(d->data + d->at + SET_HEADER_SIZE, len - SET_HEADER_SIZE);
    d->set_at = d->at + SET_HEADER_SIZE;
    d->set_end = d->at + len;
    d->at += len;
    if (id == 2 || id == 3) {
        d->stats.bad_set += !ipfix_templates_set(&d->templates, d->d->id, id == 3, body);
    } else if (id < 256) {
        d->stats.bad_set++;
    } else {
        d->t = ipfix_templates_find(&d->templates, d->d->id, id);
        if (!d->t || !d->t->usable) {
            d->t = NULL;
            d->stats.unknown_template++;
            d->records_known = false;
        }
    }
    return true;
}

int ipfix_decoder_next(struct ipfix_decoder *d, struct record *r)
{
    if (!d->ready)
        return 0;
    if (!d->opened)
        open_message(d);
    for (;;) {
        while (d->t && d->set_end - d->set_at >= d->t->min_len)
            if (next_of_set(d, r))
                return 1;
        d->t = NULL; // what is left is padding
        if (!next_set(d))
            break;
    }
    close_message(d);
    return 0;
}
