// From flow facts to packets: unanswered flows first, answered ones in inject_talk.c.
#include "inject.h"

#include <stdlib.h>
#include <sysexits.h>

#include "inject_talk.h"

enum { COPY_LAG_NS = 8000 };

// "90s", "5m", "2h", "1d".
static bool parse_offset(const char *text, int64_t *out_ns)
{
    char *end;
    long long n = strtoll(text, &end, 10);
    const char *unit = strchr("smhd", *end);
    if (end == text || n < 0 || n > 1000000 || !*end || !unit || end[1])
        return false;
    static const int64_t seconds[] = {1, 60, 3600, 86400};
    *out_ns = n * seconds[unit - strchr("smhd", 's')] * NS_PER_S;
    return true;
}

static int parse_address(const char *text, struct inject *i, FILE *errors)
{
    struct ip_addr a;
    if (ip_parse(text, &a) < 0) {
        fprintf(errors, "--inject: \"%s\" is no IP address\n", text);
        return EX_USAGE;
    }
    struct ip_addr *at = a.family == IP_V6 ? &i->v6 : &i->v4;
    if (at->family != IP_NONE) {
        fprintf(errors, "--inject: \"%s\" is a second address of its family\n", text);
        return EX_USAGE;
    }
    *at = a;
    return 0;
}

// Every peer must be of a family that the subscriber has.
static int check_families(const struct inject *i, FILE *errors)
{
    for (size_t n = 0; n < i->facts.count; n++) {
        const struct flow_fact *f = &i->facts.item[n];
        bool v6 = f->peer.family == IP_V6;
        if ((v6 ? i->v6 : i->v4).family != IP_NONE)
            continue;
        fprintf(errors, "%s:%u:%u: the subscriber needs an %s address too: CSV@ADDRESS,ADDRESS\n",
                i->path, f->line, f->column, v6 ? "IPv6" : "IPv4");
        return EX_DATAERR;
    }
    return 0;
}

int inject_load(const char *text, struct inject *out, FILE *errors)
{
    struct inject i = {.path = strdup(text)};
    char *at = i.path ? strrchr(i.path, '@') : NULL;
    if (!at) {
        fprintf(errors, "--inject %s: write it CSV@ADDRESS or CSV@ADDRESS+OFFSET\n", text);
        free(i.path);
        return EX_USAGE;
    }
    *at++ = 0;
    char *plus = strchr(at, '+');
    if (plus)
        *plus++ = 0;
    char *comma = strchr(at, ',');
    if (comma)
        *comma++ = 0;
    int rc = parse_address(at, &i, errors);
    if (rc == 0 && comma)
        rc = parse_address(comma, &i, errors);
    if (rc == 0 && plus && !parse_offset(plus, &i.offset_ns)) {
        fprintf(errors, "--inject: \"%s\" is no offset; write it like 90s, 5m, 2h or 1d\n", plus);
        rc = EX_USAGE;
    }
    if (rc == 0)
        rc = flow_facts_load(i.path, &i.facts, errors);
    if (rc == 0)
        rc = check_families(&i, errors);
    if (rc == 0 && i.facts.repeated > 0)
        fprintf(errors, "%s: %zu rows say the same as another; each is played once\n", i.path,
                i.facts.repeated);
    if (rc == 0)
        *out = i;
    else
        inject_free(&i);
    return rc;
}

void inject_free(struct inject *i)
{
    free(i->path);
    flow_facts_free(&i->facts);
    *i = (struct inject){0};
}

int64_t inject_end_ns(const struct inject *i)
{
    int64_t end = 0;
    for (size_t n = 0; n < i->facts.count; n++) {
        const struct flow_fact *f = &i->facts.item[n];
        if (f->start_ns + f->duration_ns > end)
            end = f->start_ns + f->duration_ns;
    }
    return i->offset_ns + end;
}

size_t inject_syn_options(uint8_t out[static TCP_OPTIONS_MAX], size_t want)
{
    static const uint8_t longest[20] = {2, 4, 5, 180, 1, 1, 4, 2, 1, 3,
                                        3, 8, 1, 1,   1, 1, 1, 1, 1, 1};
    static const uint8_t linux_like[20] = {2,  4,  5, 180, 4, 2, 8, 10, 0, 17,
                                           34, 51, 0, 0,   0, 0, 1, 3,  3, 7};
    size_t len = want > 40 ? 40 : want / 4 * 4;
    memset(out, 1, TCP_OPTIONS_MAX); // no-ops fill what is left
    memcpy(out, len == 20 ? linux_like : longest, len < 20 ? len : 20);
    return len;
}

static void unanswered(struct inject *in, struct party *p, const struct flow_fact *f,
                       int64_t start_ns)
{
    int64_t at[INJECT_SYN_MAX];
    unsigned copies;
    size_t n = inject_syn_times(f->packets_out, f->duration_ns, at, &copies);
    size_t least = 34 + 20 + (f->peer.family == IP_V6 ? 20 : 0);
    size_t each = (size_t)(f->octets_out / f->packets_out);
    struct packet_tcp syn = {.ip = {.src = *party_addr(p, f->peer.family),
                                    .dst = f->peer,
                                    .ttl = (uint8_t)(128 - p->hops),
                                    .outbound = true,
                                    .unpadded = true},
                             .src_port = f->src_port,
                             .dst_port = f->port,
                             .seq = (uint32_t)rng_u64(&p->rng),
                             .flags = TCP_SYN,
                             .window = 65535};
    syn.options_len = inject_syn_options(syn.options, each > least ? each - least : 0);
    uint8_t frame[FRAME_MAX];
    if (party_in_capture(p, start_ns)) {
        p->tally.flows++;
        p->tally.unanswered++;
    }
    syn.ip.id = (uint16_t)rng_u64(&p->rng);
    uint64_t octets = 0;
    for (size_t i = 0; i < n; i++) {
        syn.ip.id++;
        size_t len = packet_tcp(frame, &p->link, &syn, (struct span){0});
        for (unsigned c = 0; c < copies; c++) {
            // The last packet of all passes at the flow's very end.
            int64_t lag = copies == 2 && f->duration_ns > 0 && i + 1 == n ? (int64_t)c - 1
                                                                          : (int64_t)c;
            party_emit(p, start_ns + at[i] + lag * COPY_LAG_NS, true, frame, len);
            octets += len;
        }
    }
    uint64_t wrap = p->link.wrap == WRAP_NONE ? f->octets_out : octets;
    in->unmatched += octets > wrap ? octets - wrap : wrap - octets;
}

void inject_play(struct inject *in, struct party *p)
{
    for (size_t i = 0; i < in->facts.count; i++) {
        const struct flow_fact *f = &in->facts.item[i];
        int64_t t = p->from_ns + in->offset_ns + f->start_ns;
        if (f->port == 25) {
            p->class = "spambot-direct";
            party_guilty(p, t);
        }
        if (f->packets_in == 0)
            unanswered(in, p, f, t);
        else
            in->unmatched += inject_talk(p, *party_addr(p, f->peer.family), f, t);
    }
}
