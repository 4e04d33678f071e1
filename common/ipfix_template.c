// Templates of a transport session (RFC 7011, 3.4 and 8): read once, kept as a list of steps by which
// records are decoded. Bounded in number, in fields, and in all; a template that finds no room is
// refused and its data sets are passed over.
#include <stdlib.h>

#include "common/cursor.h"
#include "common/ipfix_internal.h"

static unsigned pen_class(uint32_t pen)
{
    return pen == IPFIX_PEN_IANA      ? 0
           : pen == IPFIX_PEN_REVERSE ? 1
           : pen == IPFIX_PEN_POSTERN ? 2
                                      : 3;
}

static void index_part(struct ipfix_templates *t, enum ipfix_kind kind, enum ipfix_part part)
{
    const struct ipfix_run run = ipfix_part_fields(part);
    for (size_t i = 0; i < run.count; i++) {
        const struct ipfix_field *f = &run.field[i];
        t->index[kind][pen_class(f->pen)][f->id] = (uint16_t)((unsigned)part * 256 + i + 1);
    }
}

void ipfix_templates_init(struct ipfix_templates *t)
{
    memset(t, 0, sizeof *t);
    for (enum ipfix_part p = IPFIX_PART_FLOW; p <= IPFIX_PART_CARRIER; p++)
        index_part(t, IPFIX_KIND_FLOW, p);
    index_part(t, IPFIX_KIND_FLOW, IPFIX_PART_FOREIGN);
    for (enum ipfix_part p = IPFIX_PART_MAIL; p <= IPFIX_PART_MAIL_V6; p++)
        index_part(t, IPFIX_KIND_MAIL, p);
    index_part(t, IPFIX_KIND_COVERAGE, IPFIX_PART_COVERAGE);
    for (enum ipfix_kind k = IPFIX_KIND_FLOW; k <= IPFIX_KIND_COVERAGE; k++)
        index_part(t, k, IPFIX_PART_ID);
    index_part(t, IPFIX_KIND_OPTIONS, IPFIX_PART_OPTIONS);
}

static size_t bucket_of(uint32_t domain, unsigned id)
{
    return (domain * 31u + id) % IPFIX_BUCKETS;
}

static struct ipfix_template **slot_of(struct ipfix_templates *t, uint32_t domain, unsigned id)
{
    struct ipfix_template **at = &t->bucket[bucket_of(domain, id)];
    while (*at && ((*at)->domain != domain || (*at)->id != id))
        at = &(*at)->next;
    return at;
}

const struct ipfix_template *ipfix_templates_find(const struct ipfix_templates *t, uint32_t domain,
                                                  unsigned id)
{
    const struct ipfix_template *at = t->bucket[bucket_of(domain, id)];
    while (at && (at->domain != domain || at->id != id))
        at = at->next;
    return at;
}

static void drop(struct ipfix_templates *t, struct ipfix_template **at)
{
    struct ipfix_template *gone = *at;
    if (!gone)
        return;
    *at = gone->next;
    t->count--;
    t->steps -= gone->step_count;
    free(gone);
}

// All of one domain and sort (RFC 7011, 8.1), or of all domains.
static void drop_all(struct ipfix_templates *t, bool every_domain, uint32_t domain, bool options)
{
    for (size_t b = 0; b < IPFIX_BUCKETS; b++)
        for (struct ipfix_template **at = &t->bucket[b]; *at;) {
            bool fits = (*at)->domain == domain && ((*at)->kind == IPFIX_KIND_OPTIONS) == options;
            if (every_domain || fits)
                drop(t, at);
            else
                at = &(*at)->next;
        }
}

void ipfix_templates_fini(struct ipfix_templates *t)
{
    drop_all(t, true, 0, false);
}

static const struct ipfix_field *lookup(const struct ipfix_templates *t, unsigned kind,
                                        uint32_t pen, unsigned id)
{
    unsigned class = pen_class(pen);
    if (class > 2 || id >= IPFIX_INDEX_IDS || !t->index[kind][class][id])
        return NULL;
    unsigned at = t->index[kind][class][id] - 1u;
    return &ipfix_part_fields(at / 256).field[at % 256];
}

// Lengths by which a field can be decoded; others are passed over.
static bool length_fits(const struct ipfix_field *f, unsigned wire)
{
    if (wire == IPFIX_VARIABLE)
        return f->narrow == IPFIX_VARIABLE;
    switch ((enum ipfix_how)f->how) {
    case IPFIX_NUMBER:
    case IPFIX_BITS:
    case IPFIX_REASON:
    case IPFIX_BIFLOW:
    case IPFIX_TIME_S: return wire >= 1 && wire <= 8;
    case IPFIX_TIME_NTP: return wire == 8;
    case IPFIX_LABEL: return wire == 3;
    case IPFIX_ADDRESS: return wire == 4 || wire == 16;
    case IPFIX_BYTES: return wire == f->size;
    default: return true;
    }
}

static uint32_t has_of(const struct ipfix_field *f)
{
    if (f->pen == IPFIX_PEN_REVERSE)
        return IPFIX_HAS_REVERSE | (f->id == 6 ? IPFIX_HAS_TCP_FLAGS_REVERSE : 0u);
    if (f->pen == IPFIX_PEN_POSTERN)
        return f->id == 3 ? IPFIX_HAS_IDENTITY : 0;
    switch (f->id) {
    case 8:
    case 27: return IPFIX_HAS_SOURCE;
    case 12:
    case 28: return IPFIX_HAS_DESTINATION;
    case 231:
    case 298: return IPFIX_HAS_INITIATOR;
    case 232:
    case 299: return IPFIX_HAS_INITIATOR | IPFIX_HAS_REVERSE;
    case 150:
    case 152:
    case 154:
    case 156: return IPFIX_HAS_START;
    case 151:
    case 153:
    case 155:
    case 157: return IPFIX_HAS_END;
    case 21:
    case 22: return IPFIX_HAS_UPTIME;
    case 158:
    case 159: return IPFIX_HAS_DELTA_TIME;
    case 6: return IPFIX_HAS_TCP_FLAGS;
    default: return 0;
    }
}

#define WITHIN(at, m)                      \
    ((at) >= offsetof(struct record, m) && \
     (at) < offsetof(struct record, m) + sizeof(((struct record *)0)->m))

static uint8_t group_of(const struct ipfix_field *f)
{
    if (f->extra)
        return 0;
    size_t at = f->how == IPFIX_BITS ? f->more[0] : f->offset;
    return (uint8_t)((WITHIN(at, flow.smtp) ? RECORD_HAS_SMTP : 0) |
                     (WITHIN(at, flow.tls) ? RECORD_HAS_TLS : 0) |
                     (WITHIN(at, flow.socks) ? RECORD_HAS_SOCKS : 0) |
                     (WITHIN(at, flow.dns) ? RECORD_HAS_DNS : 0) |
                     (WITHIN(at, flow.login) ? RECORD_HAS_LOGIN : 0) |
                     (WITHIN(at, flow.l2) ? RECORD_HAS_L2 : 0) |
                     (WITHIN(at, flow.carrier) ? RECORD_HAS_CARRIER : 0));
}

// One field for one member: a fallback gives way, and of two alike the first stays.
static void settle(struct ipfix_template *t)
{
    uint16_t owner[sizeof(struct record)] = {0}; // by offset: step + 1
    for (uint32_t i = 0; i < t->step_count; i++) {
        const struct ipfix_field *f = t->step[i].field;
        if (!f || f->extra || f->how == IPFIX_ADDRESS || f->how == IPFIX_BITS ||
            f->how == IPFIX_COUNTERS)
            continue;
        uint16_t *at = &owner[f->offset];
        uint32_t loser = i;
        if (*at == 0) {
            *at = (uint16_t)(i + 1);
            continue;
        }
        if (!f->fallback && t->step[*at - 1].field->fallback) {
            loser = *at - 1u;
            *at = (uint16_t)(i + 1);
        }
        t->step[loser] = ipfix_step_of(NULL, t->step[loser].wire);
        t->unknown++;
    }
}

static unsigned kind_of(struct cursor specs, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned id = cursor_u16(&specs);
        cursor_u16(&specs);
        if (!(id & 0x8000) || cursor_u32(&specs) != IPFIX_PEN_POSTERN)
            continue;
        id &= 0x7fff;
        if (id >= 300 && id < 400)
            return IPFIX_KIND_MAIL;
        if (id >= 400 && id < 500)
            return IPFIX_KIND_COVERAGE;
    }
    return IPFIX_KIND_FLOW;
}

// Is the template the one that our encoder sends under this number?
static bool is_ours(const struct ipfix_template *t, unsigned id)
{
    uint8_t parts[IPFIX_PARTS];
    bool wide;
    size_t n = id < IPFIX_TEMPLATE_END ? ipfix_template_parts(id, parts, &wide) : 0;
    uint32_t at = 0;
    for (size_t p = 0; p < n; p++) {
        const struct ipfix_run run = ipfix_part_fields(parts[p]);
        for (size_t i = 0; i < run.count; i++) {
            unsigned wire = wide ? run.field[i].wide : run.field[i].narrow;
            if (!wire)
                continue;
            if (at == t->step_count || t->step[at].field != &run.field[i] ||
                t->step[at].wire != wire)
                return false;
            at++;
        }
    }
    return n > 0 && at == t->step_count;
}

static void finish(struct ipfix_template *t)
{
    settle(t);
    t->stretch_count = (uint32_t)ipfix_layout_steps(t->step, t->step_count, t->place, t->stretch);
    if (t->kind == IPFIX_KIND_FLOW) {
        for (uint32_t i = 0; i < t->step_count; i++)
            if (t->step[i].field)
                t->groups |= group_of(t->step[i].field);
        t->usable = t->has & IPFIX_HAS_SOURCE && t->has & IPFIX_HAS_DESTINATION;
    } else {
        t->usable = t->kind == IPFIX_KIND_OPTIONS || t->has & IPFIX_HAS_IDENTITY;
    }
}

// One block: the steps, which stand at its end, then stretches and places.
static struct ipfix_template *new_template(unsigned count)
{
    struct ipfix_template *t = calloc(
        1, sizeof *t + count * (sizeof *t->step + sizeof *t->stretch + sizeof *t->place));
    if (!t)
        return NULL;
    t->stretch = (struct ipfix_stretch *)(void *)(t->step + count);
    t->place = (struct ipfix_place *)(void *)(t->stretch + count);
    return t;
}

// Reads one template's field specifications. NULL: broken or no room.
static struct ipfix_template *compile(const struct ipfix_templates *all, struct cursor *c,
                                      unsigned count, bool options)
{
    struct ipfix_template *t = new_template(count);
    if (!t)
        return NULL;
    t->kind = (uint8_t)(options ? IPFIX_KIND_OPTIONS : kind_of(*c, count));
    for (unsigned i = 0; i < count; i++) {
        unsigned id = cursor_u16(c);
        unsigned wire = cursor_u16(c);
        uint32_t pen = id & 0x8000 ? cursor_u32(c) : IPFIX_PEN_IANA;
        const struct ipfix_field *f = lookup(all, t->kind, pen, id & 0x7fff);
        if (f && !length_fits(f, wire))
            f = NULL;
        t->step[t->step_count++] = ipfix_step_of(f, wire);
        t->min_len += wire == IPFIX_VARIABLE ? 1 : wire;
        if (f)
            t->has |= has_of(f);
        else
            t->unknown++;
    }
    if (c->failed || t->min_len == 0) { // records of no octets would never end
        free(t);
        return NULL;
    }
    finish(t);
    return t;
}

static bool add(struct ipfix_templates *all, uint32_t domain, unsigned id, bool options,
                unsigned count, struct cursor *c)
{
    struct ipfix_template **at = slot_of(all, domain, id);
    drop(all, at);
    if (count > IPFIX_FIELDS_MAX || all->count >= IPFIX_TEMPLATES_MAX ||
        all->steps + count > IPFIX_STEPS_MAX)
        return false;
    struct ipfix_template *t = compile(all, c, count, options);
    if (!t)
        return false;
    t->domain = domain;
    t->id = (uint16_t)id;
    t->ours = is_ours(t, id);
    at = slot_of(all, domain, id);
    *at = t;
    all->count++;
    all->steps += count;
    return true;
}

bool ipfix_templates_set(struct ipfix_templates *t, uint32_t domain, bool options, struct span set)
{
    struct cursor c = cursor_of(set);
    while (cursor_left(&c) >= 4) {
        unsigned id = cursor_u16(&c);
        unsigned count = cursor_u16(&c);
        if (count == 0) {
            if (id == 0)
                return true; // padding
            if (id == (options ? 3 : 2))
                drop_all(t, false, domain, options);
            else if (id >= 256)
                drop(t, slot_of(t, domain, id));
            else
                return false;
            continue;
        }
        if (options)
            cursor_u16(&c); // scope fields come first and are decoded as the others
        if (id < 256 || !add(t, domain, id, options, count, &c))
            return false;
    }
    return true;
}
