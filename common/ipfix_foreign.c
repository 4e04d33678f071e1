// Flow records of routers and softflowd: no handshake, no dialogue, often one direction a record.
// What they say is turned into a flow record that claims no more than it knows.
//
// - Identity: domain from the message, epoch and sequence 0.
// - Times, in this order: absolute, before the export time, since the exporter's start (which an
//   options record or the record itself tells); else the export time.
// - Initiator: biflowDirection and initiator/responder counts say; else a record is turned so that
//   the end with a service port is the responder. That a record has both directions says nothing:
//   softflowd orders their ends by address.
// - Handshake: only what TCP flags prove. A SYN alone is an attempt without an answer.
#include "common/ipfix_internal.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

static const struct {
    uint16_t port;
    uint8_t app;
} services[] = {
    {25, RECORD_APP_SMTP},   {465, RECORD_APP_SMTPS}, {587, RECORD_APP_SMTP},
    {2525, RECORD_APP_SMTP}, {110, RECORD_APP_POP3},  {995, RECORD_APP_POP3S},
    {143, RECORD_APP_IMAP},  {993, RECORD_APP_IMAPS}, {53, RECORD_APP_DNS},
    {80, RECORD_APP_HTTP},   {22, RECORD_APP_SSH},
};

static unsigned app_of_port(uint16_t port)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (services[i].port == port)
            return services[i].app;
    return RECORD_APP_UNKNOWN;
}

// More means: more likely the end that serves.
static int service_rank(uint16_t port)
{
    return app_of_port(port) ? 2 : port > 0 && port < 1024 ? 1 : 0;
}

// An exporter's own clock has 32 bits of milliseconds, and begins again every 49.7 days: the time
// nearest to that of the export is meant.
static int64_t uptime_to_ms(uint64_t boot_ms, uint64_t uptime_ms, int64_t export_ms)
{
    const int64_t turn = INT64_C(1) << 32;
    if (boot_ms > (uint64_t)export_ms * 2) // no clock says that
        return export_ms;
    int64_t t = (int64_t)(boot_ms + (uptime_ms & UINT32_MAX));
    while (t + turn / 2 < export_ms)
        t += turn;
    return t;
}

static void set_times(struct record_flow *f, const struct ipfix_extra *x, uint32_t has,
                      const struct ipfix_domain *d, int64_t export_ms)
{
    uint64_t boot_ms = x->boot_ms ? x->boot_ms : d->boot_ms;
    if (!(has & (IPFIX_HAS_START | IPFIX_HAS_END))) {
        f->start_ms = f->end_ms = export_ms;
        if (has & IPFIX_HAS_DELTA_TIME) {
            f->start_ms = export_ms - (int64_t)(x->start_delta_us / 1000);
            f->end_ms = export_ms - (int64_t)(x->end_delta_us / 1000);
        } else if (has & IPFIX_HAS_UPTIME && boot_ms) {
            f->start_ms = uptime_to_ms(boot_ms, x->start_uptime_ms, export_ms);
            f->end_ms = uptime_to_ms(boot_ms, x->end_uptime_ms, export_ms);
        }
    } else if (!(has & IPFIX_HAS_START)) {
        f->start_ms = f->end_ms;
    } else if (!(has & IPFIX_HAS_END)) {
        f->end_ms = f->start_ms;
    }
    f->flow_start_ms = f->start_ms;
}

static void swap_ends(struct record_flow *f)
{
    struct ip_addr a = f->initiator;
    f->initiator = f->responder;
    f->responder = a;
    uint16_t port = f->initiator_port;
    f->initiator_port = f->responder_port;
    f->responder_port = port;
    uint64_t *pairs[] = {f->packets, f->octets, f->payload_octets};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        uint64_t v = pairs[i][0];
        pairs[i][0] = pairs[i][1];
        pairs[i][1] = v;
    }
}

// Both directions seen: what the two ends' flags prove. `initiator`, `responder` are sets of flags
// seen in the record, 0 when not told.
static uint8_t handshake_of(unsigned initiator, unsigned responder)
{
    if (responder & TCP_SYN || (initiator & TCP_SYN && initiator & TCP_ACK))
        return RECORD_HANDSHAKE_ESTABLISHED;
    if (!(initiator & TCP_SYN))
        return RECORD_HANDSHAKE_PENDING;
    return responder & TCP_RST ? RECORD_HANDSHAKE_REFUSED : RECORD_HANDSHAKE_UNANSWERED;
}

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

// Of the 5-tuple alone: initial sequence numbers are not known.
static uint64_t hash_of(const struct record_flow *f)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    uint8_t tail[5] = {f->ip_proto, (uint8_t)(f->initiator_port >> 8), (uint8_t)f->initiator_port,
                       (uint8_t)(f->responder_port >> 8), (uint8_t)f->responder_port};
    h = mix(h, &f->initiator, sizeof f->initiator);
    h = mix(h, &f->responder, sizeof f->responder);
    return mix(h, tail, sizeof tail);
}

static void set_flags(struct record_flow *f, const struct ipfix_extra *x, unsigned flags[2],
                      bool flags_known)
{
    // A long flow is reported again and again; only the report with its SYN is its start.
    bool start = f->ip_proto != 6 || !flags_known || (flags[0] | flags[1]) & TCP_SYN;
    bool end = x->end_reason != 2; // active timeout: more will come
    f->flags = (uint8_t)((start ? RECORD_START : RECORD_CONTINUE) | (end ? RECORD_END : 0));
    f->handshake = RECORD_HANDSHAKE_PENDING;
    if (f->ip_proto != 6 || !start)
        return;
    if (flags_known && f->sampling == 1) // a sample may have missed the answer
        f->handshake = handshake_of(flags[0], flags[1]);
    if (x->forwarding >> 6 == 2) // dropped by the exporter itself
        f->handshake = RECORD_HANDSHAKE_UNANSWERED;
    if (f->handshake != RECORD_HANDSHAKE_PENDING) {
        f->flags |= RECORD_OUTCOME;
        f->outcome_ms = f->end_ms;
    }
}

void ipfix_foreign_finish(struct record *r, const struct ipfix_extra *x, uint32_t has,
                          const struct ipfix_domain *domain, int64_t export_ms)
{
    struct record_flow *f = &r->flow;
    unsigned flags[2] = {x->tcp_flags[0], x->tcp_flags[1]};
    bool flags_known = has & (IPFIX_HAS_TCP_FLAGS | IPFIX_HAS_TCP_FLAGS_REVERSE);

    r->version = RECORD_VERSION;
    r->id = (struct record_id){.domain = domain->id};
    set_times(f, x, has, domain, export_ms);
    if (f->ttl_max < f->ttl_min)
        f->ttl_max = f->ttl_min;
    if (domain->sampling > 1 && f->sampling <= 1)
        f->sampling = domain->sampling;
    if (f->sampling == 0)
        f->sampling = 1;
    if (f->sampling > 1)
        f->incomplete |= RECORD_SAMPLED;

    bool both = has & IPFIX_HAS_REVERSE && (f->packets[1] || f->octets[1] || f->payload_octets[1]);
    bool told = x->direction == 1 || has & IPFIX_HAS_INITIATOR;
    if (x->direction == 2 || // the exporter says: reversed
        (!told && service_rank(f->initiator_port) > service_rank(f->responder_port))) {
        swap_ends(f);
        unsigned swapped[2] = {flags[1], flags[0]};
        memcpy(flags, swapped, sizeof flags);
        if (!both)
            f->incomplete |= RECORD_ONLY_RESPONDER;
    } else if (!both) {
        f->incomplete |= RECORD_ONLY_INITIATOR;
    }
    set_flags(f, x, flags, flags_known);
    if (f->app == RECORD_APP_UNKNOWN && (f->app = (uint8_t)app_of_port(f->responder_port)))
        f->app_source = RECORD_APP_BY_PORT;
    f->flow_hash = hash_of(f);
}
