// IPFIX messages into records. Octets are collected until a message is whole (65,535 at most), then
// its sets are walked. What is broken is counted and passed over: a record within its set, a set
// within its message, a message by looking for the next header that makes sense.
//
// Nothing is trusted: every length is held against what contains it, every record against
// record_check. Memory is one message and the bounded templates.
#include <stddef.h>
#include <stdlib.h>

#include "common/cursor.h"
#include "common/ipfix_internal.h"

#define SET_HEADER_SIZE 4
#define RESYNC_SIZE     (IPFIX_HEADER_SIZE + SET_HEADER_SIZE)
#define DOMAINS_MAX     64
#define NTP_TO_UNIX_S   INT64_C(2208988800)

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
    struct ipfix_domain *d; // of the message
    uint32_t records;       // data records of the message
    bool records_known;     // no set of it was passed over
    int64_t export_ms;
    uint8_t data[IPFIX_MESSAGE_MAX];
};

static unsigned be16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static inline uint64_t be_number(const uint8_t *p, size_t len)
{
    uint64_t v = 0;
    switch (len) {
    case 1: return p[0];
    case 2: return be16(p);
    case 4: return be32(p);
    case 8: return (uint64_t)be32(p) << 32 | be32(p + 4);
    default:
        for (size_t i = 0; i < len; i++)
            v = v << 8 | p[i];
        return v;
    }
}

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

static bool header_fits(const struct ipfix_decoder *d)
{
    size_t len = be16(d->data + 2);
    if (be16(d->data) != IPFIX_VERSION || len < IPFIX_HEADER_SIZE)
        return false;
    if (!d->lost)
        return true;
    // Two octets of version prove little: the first set has to make sense as well.
    unsigned set_id = be16(d->data + IPFIX_HEADER_SIZE);
    size_t set_len = be16(d->data + IPFIX_HEADER_SIZE + 2);
    return (set_id == 2 || set_id == 3 || set_id >= 256) && set_len >= SET_HEADER_SIZE &&
           set_len + IPFIX_HEADER_SIZE <= len;
}

size_t ipfix_decoder_feed(struct ipfix_decoder *d, struct span in)
{
    size_t taken = 0;
    while (!d->ready && taken < in.len) {
        size_t header = d->lost ? RESYNC_SIZE : IPFIX_HEADER_SIZE;
        size_t want = (d->len ? d->len : header) - d->have;
        if (want > in.len - taken)
            want = in.len - taken;
        memcpy(d->data + d->have, in.data + taken, want);
        d->have += want;
        taken += want;
        if (!d->len && d->have == header) {
            if (header_fits(d)) {
                d->len = be16(d->data + 2);
                d->lost = false;
            } else {
                d->stats.bad_message += !d->lost;
                d->lost = true;
                d->have = header - 1;
                memmove(d->data, d->data + 1, d->have);
            }
        }
        d->ready = d->len > 0 && d->have >= d->len;
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
    uint32_t sequence = be32(d->data + 8);
    d->opened = true;
    d->at = IPFIX_HEADER_SIZE;
    d->t = NULL;
    d->records = 0;
    d->records_known = true;
    d->export_ms = (int64_t)be32(d->data + 4) * 1000;
    d->d = domain_of(d, be32(d->data + 12));
    d->stats.messages++;
    uint32_t missing = sequence - d->d->sequence;
    if (d->d->sequence_known && missing < UINT32_C(1) << 31)
        d->stats.lost_records += missing;
    d->d->sequence = sequence;
}

static void close_message(struct ipfix_decoder *d)
{
    d->d->sequence += d->records;
    d->d->sequence_known = d->records_known;
    next_message(d);
}

// ---- Fields.

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
    int64_t s = be32(p);
    if (s < INT64_C(1) << 31)
        s += INT64_C(1) << 32;
    return (s - NTP_TO_UNIX_S) * 1000 + (int64_t)((uint64_t)be32(p + 4) * 1000 >> 32);
}

static bool store_text(uint8_t *at, size_t size, const uint8_t *p, size_t len)
{
    if (len >= size)
        return false;
    memcpy(at, p, len);
    memset(at + len, 0, size - len);
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
        uint64_t value = be_number(p + 2, 8);
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
        uint16_t v = (uint16_t)be16(p + i);
        memcpy(at + i, &v, 2);
    }
    return true;
}

static bool store_counters(struct ipfix_decoder *d, uint8_t *base, const uint8_t *p, size_t len)
{
    const struct ipfix_run run = ipfix_part_fields(IPFIX_PART_SMTP);
    struct cursor c = cursor_of(span_of(p, len));
    while (cursor_left(&c) > 0) {
        unsigned id = 100u + cursor_u8(&c);
        uint64_t v = cursor_varint(&c);
        const struct ipfix_field *f = NULL;
        for (size_t i = 0; i < run.count && !f; i++)
            if (run.field[i].id == id && run.field[i].how == IPFIX_NUMBER)
                f = &run.field[i];
        if (c.failed)
            return false;
        if (f)
            store_number(base + f->offset, f->size, v);
        else
            d->stats.unknown_element++;
    }
    return true;
}

static bool store_field(struct ipfix_decoder *d, const struct ipfix_field *f, uint8_t *base,
                        const uint8_t *p, size_t len)
{
    uint8_t *at = base + f->offset;
    uint64_t v;
    switch ((enum ipfix_how)f->how) {
    case IPFIX_NUMBER:
    case IPFIX_REASON:
    case IPFIX_BIFLOW: store_number(at, f->size, be_number(p, len)); return true;
    case IPFIX_BITS:
        v = be_number(p, len);
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
    case IPFIX_COUNTERS: return store_counters(d, base, p, len);
    case IPFIX_TIME_S:
        v = be_number(p, len);
        store_time(at, v < UINT64_C(1) << 40 ? (int64_t)v * 1000 : -1);
        return true;
    case IPFIX_TIME_NTP: store_time(at, ntp_ms(p)); return true;
    case IPFIX_LABEL: store_number(at, f->size, be_number(p, 3) >> 4); return true;
    }
    return false;
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

static inline bool store_step(struct ipfix_decoder *d, const struct ipfix_step *step,
                              struct record *r, struct ipfix_extra *x, const uint8_t *p, size_t len)
{
    const struct ipfix_field *f = step->field;
    uint8_t *at = (uint8_t *)r + step->offset;
    uint64_t v8;
    uint32_t v4;
    uint16_t v2;
    switch ((enum ipfix_step_code)step->code) {
    case IPFIX_STEP_SKIP: return true;
    case IPFIX_STEP_1_1: *at = *p; return true;
    case IPFIX_STEP_2_2:
        v2 = (uint16_t)be16(p);
        memcpy(at, &v2, 2);
        return true;
    case IPFIX_STEP_4_2:
        v4 = be16(p);
        memcpy(at, &v4, 4);
        return true;
    case IPFIX_STEP_4_4:
        v4 = be32(p);
        memcpy(at, &v4, 4);
        return true;
    case IPFIX_STEP_8_4:
        v8 = be32(p);
        memcpy(at, &v8, 8);
        return true;
    case IPFIX_STEP_8_8:
        v8 = be_number(p, 8);
        memcpy(at, &v8, 8);
        return true;
    case IPFIX_STEP_OTHER: break;
    }
    return store_field(d, f, f->extra ? (uint8_t *)x : (uint8_t *)r, p, len);
}

enum outcome { RUNS_OVER, BROKEN, WHOLE };

// Reads one record at `d->set_at` and steps over it.
static enum outcome read_record(struct ipfix_decoder *d, struct record *r, struct ipfix_extra *x)
{
    const struct ipfix_template *t = d->t;
    const uint8_t *p = d->data + d->set_at;
    const uint8_t *end = d->data + d->set_end;
    bool whole = true;
    for (uint32_t i = 0; i < t->step_count; i++) {
        const struct ipfix_step *step = &t->step[i];
        size_t len = step->wire;
        if (len == IPFIX_VARIABLE) {
            if (p == end)
                return RUNS_OVER;
            len = *p++;
            if (len == 255) {
                if (end - p < 2)
                    return RUNS_OVER;
                len = be16(p);
                p += 2;
            }
        }
        if ((size_t)(end - p) < len)
            return RUNS_OVER;
        if (!store_step(d, step, r, x, p, len))
            whole = false;
        p += len;
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
    return true;
}

// Opens the set at `d->at`. False: the message ends here.
static bool next_set(struct ipfix_decoder *d)
{
    size_t left = d->len - d->at;
    if (left < SET_HEADER_SIZE) {
        d->stats.bad_set += left > 0;
        return false;
    }
    unsigned id = be16(d->data + d->at);
    size_t len = be16(d->data + d->at + 2);
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
