// One question, at most one answer.
#include "dns.h"

#include "common/buf.h"

enum { DNS_PORT = 53, MESSAGE_MAX = 512, PREFERENCE = 10 };

static void put_name(struct buf *b, const char *name)
{
    while (*name) {
        size_t n = strcspn(name, ".");
        buf_be(b, n, 1);
        buf_bytes(b, name, n);
        name += n;
        name += *name == '.';
    }
    buf_be(b, 0, 1);
}

static void put_question(struct buf *b, uint16_t id, uint16_t flags, bool answered,
                         const char *name, enum dns_type type)
{
    buf_be(b, id, 2);
    buf_be(b, flags, 2);
    buf_be(b, 1, 2);
    buf_be(b, answered, 2);
    buf_be(b, 0, 4);
    put_name(b, name);
    buf_be(b, type, 2);
    buf_be(b, 1, 2);
}

static void put_answer(struct buf *b, enum dns_type type, const struct ip_addr *answer,
                       const char *target)
{
    buf_be(b, 0xc00c, 2); // the name of the question
    buf_be(b, type, 2);
    buf_be(b, 1, 2);
    buf_be(b, 300, 4);
    buf_be(b, 0, 2);
    size_t at = b->len;
    if (answer) {
        buf_bytes(b, answer->octet, ip_size(answer->family));
    } else {
        if (type == DNS_MX)
            buf_be(b, PREFERENCE, 2);
        put_name(b, target);
    }
    buf_patch_be(b, at - 2, b->len - at, 2);
}

void dns_lookup(struct party *p, int64_t t_ns, const struct ip_addr *server, const char *name,
                enum dns_type type, const struct ip_addr *answer, const char *target)
{
    struct rng *r = &p->rng;
    if (!server)
        server = &p->run->isp.resolver;
    struct packet_ip ip = {.src = *party_addr(p, server->family),
                           .dst = *server,
                           .ttl = (uint8_t)(64 - p->hops),
                           .id = (uint16_t)rng_u64(r),
                           .outbound = true};
    if (ip.src.family != server->family)
        return;
    if (party_in_capture(p, t_ns)) {
        p->tally.dns_queries++;
        p->tally.mx_queries += type == DNS_MX;
    }
    uint16_t port = (uint16_t)rng_between(r, 1024, 65000), id = (uint16_t)rng_u64(r);
    uint8_t frame[FRAME_MAX];
    struct buf b;
    buf_init(&b, MESSAGE_MAX);
    put_question(&b, id, 0x0100, false, name, type);
    size_t len = packet_udp(frame, &p->link, &ip, port, DNS_PORT, buf_span(&b));
    party_emit(p, t_ns, true, frame, len);

    bool found = answer || target;
    buf_clear(&b);
    put_question(&b, id, found ? 0x8180 : 0x8183, found, name, type);
    if (found)
        put_answer(&b, type, answer, target);
    ip = (struct packet_ip){.src = *server, .dst = ip.src, .ttl = 62, .id = (uint16_t)rng_u64(r)};
    len = packet_udp(frame, &p->link, &ip, DNS_PORT, port, buf_span(&b));
    party_emit(p, t_ns + rng_between(r, NS_PER_MS, 25 * NS_PER_MS), false, frame, len);
    buf_fini(&b);
}
