// From a flow to its record. Times: a record's end is the last packet it counts, but never before the
// watermark, since a flow's end or the outcome of an attempt may be known only after a while.
#include "export.h"

#include <stdlib.h>
#include <string.h>

#include "path.h"

// Of a flow that is not told of; far enough from an overflow.
#define OCTETS_KEPT 0x20000000u

struct export
{
    struct export_config config;
    struct stats *stats;
    struct record record;
    // Whose texts stand in `record`: most flows have those of the flow before.
    bool kept;
    bool has_l2;
    uint64_t realm_hash; // the flow hash's beginning
    struct intern_value realm, path;
    uint64_t epoch, sequence;
    int64_t watermark_ms;
    int error, refused;
};

struct export *export_new(const struct export_config *config, struct stats *stats)
{
    struct export *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->config = *config;
    x->stats = stats;
    x->watermark_ms = INT64_MIN;
    return x;
}

void export_free(struct export *x)
{
    free(x);
}

void export_begin(struct export *x, uint64_t epoch)
{
    x->epoch = epoch;
}

int export_error(const struct export *x)
{
    return x->error;
}

int export_refused(const struct export *x)
{
    return x->refused;
}

int export_flush(struct export *x, int64_t now_ms)
{
    int rc = x->config.sink ? sink_flush(x->config.sink, now_ms) : 0;
    if (rc != 0)
        x->refused = rc;
    return rc;
}

uint8_t export_app_of_port(uint16_t port, uint8_t ip_proto)
{
    if (port == 53)
        return RECORD_APP_DNS;
    if (ip_proto != 6)
        return RECORD_APP_UNKNOWN;
    switch (port) {
    case 25:
    case 587:
    case 2525: return RECORD_APP_SMTP;
    case 465: return RECORD_APP_SMTPS;
    case 110: return RECORD_APP_POP3;
    case 995: return RECORD_APP_POP3S;
    case 143: return RECORD_APP_IMAP;
    case 993: return RECORD_APP_IMAPS;
    case 22: return RECORD_APP_SSH;
    case 80: return RECORD_APP_HTTP;
    case 443: return RECORD_APP_TLS;
    default: return RECORD_APP_UNKNOWN;
    }
}

static void put(struct export *x, uint8_t kind)
{
    x->record.version = RECORD_VERSION;
    x->record.kind = kind;
    x->record.id = (struct record_id){
        .domain = x->config.domain, .epoch = x->epoch, .sequence = ++x->sequence};
    int rc = x->config.sink ? sink_put(x->config.sink, &x->record) : 0;
    if (x->config.live) {
        x->refused = rc;
        x->stats->spool_drops += rc != 0;
        x->stats->records += rc == 0;
        return;
    }
    x->stats->records++;
    if (rc != 0 && x->error == 0)
        x->error = rc;
}

void export_coverage(struct export *x, const struct coverage *c)
{
    memset(&x->record.coverage, 0, sizeof x->record.coverage);
    x->kept = false;
    x->record.coverage = *c;
    put(x, RECORD_COVERAGE);
    x->watermark_ms = c->t_ms;
}

// ---- Which flows.

static bool is_mail(const struct flow *f, const struct dialogue *d)
{
    if (f->flags & FLOW_MAIL)
        return true;
    switch (f->app) {
    case RECORD_APP_SMTP:
    case RECORD_APP_SMTPS:
    case RECORD_APP_LMTP:
    case RECORD_APP_SOCKS4:
    case RECORD_APP_SOCKS4A:
    case RECORD_APP_SOCKS5:
    case RECORD_APP_POP3:
    case RECORD_APP_POP3S:
    case RECORD_APP_IMAP:
    case RECORD_APP_IMAPS: return true;
    case RECORD_APP_DNS: return d && d->proto.out && d->proto.out->dns.mx_queries > 0;
    default: return false;
    }
}

static bool wanted(const struct export *x, const struct flow *f, const struct dialogue *d)
{
    if (x->config.which == EXPORT_ALL && f->side != RECORD_SIDE_NONE)
        return true;
    return (f->flags & FLOW_TOLD) || is_mail(f, d);
}

// ---- What is said.

static inline uint64_t fold(uint64_t h, const void *data, size_t len)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < len; i++)
        h = (h ^ at[i]) * 0x100000001b3u; // FNV-1a
    return h;
}

// FNV-1a's prime to the power of `zeros`, which is what as many octets of zero come to.
static uint64_t fold_zeros(uint64_t h, unsigned zeros)
{
    static const uint64_t power[] = {
        UINT64_C(0x1),
        UINT64_C(0x100000001b3),
        UINT64_C(0x366000002e329),
        UINT64_C(0x8a97b0004e7feab),
        UINT64_C(0x9ffaac085635bc91),
        UINT64_C(0xcaee32a7d4f6a63),
        UINT64_C(0xdc966432edf1c639),
        UINT64_C(0xc5527b8a51d3d2db),
        UINT64_C(0x1efac7090aef4a21),
        UINT64_C(0x936a555d949af613),
        UINT64_C(0x18a5210383502249),
        UINT64_C(0x30b961f8212a420b),
        UINT64_C(0xf54383a05ace38b1),
        UINT64_C(0x8ff15a7a4c6a54c3),
        UINT64_C(0x17180cfd8ae0759),
        UINT64_C(0x21e53a2d2fb67c3b),
        UINT64_C(0x4efe15c813151841),
    };
    return h * power[zeros];
}

// Eight octets, the lowest first, of which only the lower `octets` are not zero.
static uint64_t fold_number(uint64_t h, uint64_t v, unsigned octets)
{
    for (unsigned i = 0; i < octets; i++, v >>= 8)
        h = (h ^ (v & 0xff)) * 0x100000001b3u;
    return fold_zeros(h, 8 - octets);
}

static uint64_t fold_address(uint64_t h, const struct ip_addr *a)
{
    return a->family == IP_V4 ? fold_zeros(fold(h, a->octet, 4), 12) : fold(h, a->octet, 16);
}

// Not keyed: two sensors that see a half each must agree. What was known of the sequence numbers at
// the first record stays in the hash for the flow's life.
static uint64_t hash_of(const struct flow *f, const struct record_flow *r, uint64_t h)
{
    h = fold_address(h, &r->initiator);
    h = fold_address(h, &r->responder);
    h = fold_number(
        h, (uint64_t)r->initiator_port << 32 | (uint64_t)r->responder_port << 8 | r->ip_proto, 6);
    h = fold_number(h, f->flags & FLOW_ISN_INITIATOR ? f->isn[0] : 0, 4);
    return fold_number(h, f->flags & FLOW_HASH_BOTH ? f->isn[1] : 0, 4);
}

// What does not change from flow to flow stays as it is.
static void fill_texts(struct export *x, const struct flow_table *t, const struct flow *f,
                       struct record_flow *r)
{
    const struct intern_value *realm = intern_value(t->realms, f->key.realm_and_proto >> 8);
    const struct intern_value *path = intern_value(t->paths, f->path);
    const uint8_t *mac = t->mac[flow_index(t, f)].octet;
    if (!x->kept || memcmp(realm, &x->realm, sizeof *realm) != 0) {
        path_realm_text(realm, &r->realm);
        x->realm = *realm;
        x->realm_hash = fold(0xcbf29ce484222325u, r->realm.name, strlen(r->realm.name));
    }
    if (!x->kept || memcmp(path, &x->path, sizeof *path) != 0) {
        path_encap_text(path, r->encap, sizeof r->encap);
        x->has_l2 = path_l2(path, mac, &r->l2);
        x->path = *path;
    }
    x->kept = true;
    memcpy(r->l2.subscriber_mac, mac, sizeof r->l2.subscriber_mac);
    r->groups = x->has_l2 ? RECORD_HAS_L2 : 0;
}

static void fill_key(const struct export *x, struct flow *f, struct record_flow *r)
{
    r->ip_proto = flow_proto(f);
    flow_addr_into(f, 0, &r->initiator);
    flow_addr_into(f, 1, &r->responder);
    r->initiator_port = flow_port(f, 0);
    r->responder_port = flow_port(f, 1);
    r->initiator_isn = f->flags & FLOW_ISN_INITIATOR ? f->isn[0] : 0;
    r->responder_isn = f->flags & FLOW_ISN_RESPONDER ? f->isn[1] : 0;
    r->isn_seen = (uint8_t)((f->flags & FLOW_ISN_INITIATOR ? 1 : 0) |
                            (f->flags & FLOW_ISN_RESPONDER ? 2 : 0));
    if (!(f->flags & FLOW_TOLD) && (f->flags & FLOW_ISN_RESPONDER))
        f->flags |= FLOW_HASH_BOTH;
    r->flow_hash = hash_of(f, r, x->realm_hash);
    r->side = f->side;
}

static void fill_times(const struct export *x, const struct flow *f, struct record_flow *r)
{
    r->flow_start_ms = f->start_us / 1000;
    r->end_ms = f->last_us / 1000;
    if (r->end_ms < x->watermark_ms)
        r->end_ms = x->watermark_ms;
    r->outcome_ms = 0;
    if (f->outcome_ms != 0) {
        r->outcome_ms = r->flow_start_ms + f->outcome_ms - 1;
        r->flags |= RECORD_OUTCOME;
        if (r->end_ms < r->outcome_ms)
            r->end_ms = r->outcome_ms;
    }
    bool counts = f->packets[0] != 0 || f->packets[1] != 0;
    r->start_ms = counts ? r->flow_start_ms + f->first_ms : r->end_ms;
}

static void fill_counters(const struct flow *f, const struct dialogue *d, struct record_flow *r)
{
    for (unsigned dir = 0; dir < 2; dir++) {
        r->packets[dir] = f->packets[dir];
        r->octets[dir] = f->octets[dir];
        r->payload_octets[dir] = f->payload[dir];
        r->retransmissions[dir] = f->retransmissions[dir];
        r->missing_octets[dir] = d ? d->missing[dir] : 0;
    }
    r->duplicates = f->duplicates;
    r->syn_count = f->syn_count;
    r->ttl_min = f->ttl_max ? f->ttl_min : 0;
    r->ttl_max = f->ttl_max;
    r->rtt_us = f->rtt_us;
    r->to_first_reply_ms = f->to_first_reply_ms ? f->to_first_reply_ms - 1 : 0;
    r->sampling = 1;
    r->incomplete = f->incomplete;
    if (!(f->flags & FLOW_SEEN_RESPONDER))
        r->incomplete |= RECORD_ONLY_INITIATOR;
    if (!(f->flags & FLOW_SEEN_INITIATOR))
        r->incomplete |= RECORD_ONLY_RESPONDER;
}

static void forget(struct flow *f, struct dialogue *d)
{
    memset(f->packets, 0, sizeof f->packets);
    memset(f->octets, 0, sizeof f->octets);
    memset(f->payload, 0, sizeof f->payload);
    memset(f->retransmissions, 0, sizeof f->retransmissions);
    f->duplicates = 0;
    f->syn_count = 0;
    f->outcome_ms = 0;
    f->ttl_min = 255;
    f->ttl_max = 0;
    if (d)
        d->missing[0] = d->missing[1] = 0;
}

void export_flow(void *ctx, struct flow_table *t, struct flow *f, unsigned flags, int64_t t_us)
{
    struct export *x = ctx;
    struct dialogue *d = dialogue_of(t->dialogues, f);
    bool write = wanted(x, f, d), print = x->config.print && flow_proto(f) == 6;
    f->flags &= (uint16_t)~FLOW_CHANGED;
    // A flow that is not told of may become one that is: its counters are kept until it ends.
    if (!write && !(print && (flags & RECORD_END))) {
        if (f->octets[0] >= OCTETS_KEPT || f->octets[1] >= OCTETS_KEPT)
            forget(f, d);
        return;
    }
    struct record_flow *r = &x->record.flow;
    // Everything up to the parts is set here; these are read only where `groups` says that they are there, and hashes
    // by their count. But --print sums up.
    if (print) {
        memset(r, 0, offsetof(struct record_flow, hash));
        x->kept = false;
    }
    r->hash_count = 0;
    r->handshake = f->handshake;
    r->app = f->app;
    r->app_source = f->app_source;
    r->ndpi_protocol = f->ndpi_protocol;
    r->flags = (uint8_t)(flags | (f->flags & FLOW_TOLD ? RECORD_CONTINUE : RECORD_START));
    fill_texts(x, t, f, r);
    fill_key(x, f, r);
    fill_times(x, f, r);
    fill_counters(f, d, r);
    if (d)
        proto_report(&d->proto, r);
    if (f->watch && carriers_take(t, f, flags & RECORD_END, t_us, &r->carrier))
        r->groups |= RECORD_HAS_CARRIER;
    bool silent = !d && !(f->flags & FLOW_NO_DIALOGUE);
    if (r->app == RECORD_APP_UNKNOWN && (silent || (f->incomplete & RECORD_FLOW_ONLY))) {
        r->app = export_app_of_port(r->responder_port, r->ip_proto);
        r->app_source = r->app ? RECORD_APP_BY_PORT : RECORD_APP_BY_NOTHING;
    }
    f->flags |= FLOW_TOLD;
    if (print)
        x->config.print(x->config.print_ctx, flow_index(t, f), r, f->last_us);
    if (write)
        put(x, RECORD_FLOW);
    forget(f, d);
}
