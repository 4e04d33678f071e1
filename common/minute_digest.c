// The digests of a minute row as octets, and back (docs/formats/minute.md). Each carries its length, so that
// a reader passes over fields that a newer writer put behind those it knows.
#include <errno.h>
#include <stdlib.h>

#include "common/hash.h"
#include "common/minute_wire.h"

static struct ip_addr get_address(struct cursor *c, uint8_t family)
{
    struct ip_addr a = {.family = family};
    if (a.family != IP_NONE && a.family != IP_V4 && a.family != IP_V6)
        c->failed = true;
    struct span s = cursor_take(c, ip_size(a.family));
    if (c->failed)
        return (struct ip_addr){0};
    if (s.len > 0)
        memcpy(a.octet, s.data, s.len);
    return a;
}

// Bits of the fields that follow, in this order.
enum digest_part {
    PART_PROVIDER = 1 << 0,
    PART_SOCKS = 1 << 1,
    PART_FLAGS = 1 << 2,
    PART_OUTCOME = 1 << 3,
    PART_OCTETS = 1 << 4,
    PART_RCPT = 1 << 5,
    PART_RCPT_5XX = 1 << 6,
    PART_MESSAGES_OK = 1 << 7,
    PART_MESSAGES_5XX = 1 << 8,
    PART_FIRST_DOWN = 1 << 9,
    PART_USER = 1 << 10,
    PART_RECIPIENT = 1 << 11,
    PART_SENDER = 1 << 12,
    PART_TLS_CLIENT = 1 << 13,
    PART_RELAY_FIRST = 1 << 14,
    PART_CARRIER = 1 << 15,
};

// In the octet of the provider's kind: the hash is that of the peer's network and is left out.
#define PROVIDER_FOLLOWS 0x80

static bool provider_follows(const struct minute_digest *d)
{
    return d->peer.family != IP_NONE && d->provider == hash_network(&d->peer);
}

static uint64_t network_of(struct cursor *c, const struct ip_addr *peer)
{
    if (peer->family == IP_NONE)
        c->failed = true;
    return c->failed ? 0 : hash_network(peer);
}

static unsigned parts_of(const struct minute_digest *d)
{
    return (d->provider || d->provider_kind ? PART_PROVIDER : 0u) |
           (d->socks_inner || d->socks_port ? PART_SOCKS : 0u) | (d->flags ? PART_FLAGS : 0u) |
           (d->outcome || d->outcome_ms ? PART_OUTCOME : 0u) |
           (d->octets_up || d->octets_down ? PART_OCTETS : 0u) | (d->rcpt ? PART_RCPT : 0u) |
           (d->rcpt_5xx ? PART_RCPT_5XX : 0u) | (d->messages_ok ? PART_MESSAGES_OK : 0u) |
           (d->messages_5xx ? PART_MESSAGES_5XX : 0u) | (d->first_down_ms ? PART_FIRST_DOWN : 0u) |
           (d->user ? PART_USER : 0u) | (d->recipient ? PART_RECIPIENT : 0u) |
           (d->sender ? PART_SENDER : 0u) | (d->tls_client ? PART_TLS_CLIENT : 0u) |
           (d->relay_first ? PART_RELAY_FIRST : 0u) | (d->carrier_opened ? PART_CARRIER : 0u);
}

static uint8_t *put_digest_numbers(const struct minute_digest *d, unsigned parts, uint8_t *at,
                                   struct minute_hashes *h)
{
    if (parts & PART_OCTETS)
        at = wire_varint(wire_varint(at, d->octets_up), d->octets_down);
    if (parts & PART_RCPT)
        at = wire_varint(at, d->rcpt);
    if (parts & PART_RCPT_5XX)
        at = wire_varint(at, d->rcpt_5xx);
    if (parts & PART_MESSAGES_OK)
        at = wire_varint(at, d->messages_ok);
    if (parts & PART_MESSAGES_5XX)
        at = wire_varint(at, d->messages_5xx);
    if (parts & PART_FIRST_DOWN)
        at = wire_varint(at, d->first_down_ms);
    if (parts & PART_USER)
        at = minute_hashes_put(h, at, d->user);
    if (parts & PART_RECIPIENT)
        at = minute_hashes_put(h, at, d->recipient);
    if (parts & PART_SENDER)
        at = minute_hashes_put(h, at, d->sender);
    if (parts & PART_TLS_CLIENT)
        at = minute_hashes_put(h, at, d->tls_client);
    if (parts & PART_RELAY_FIRST)
        at = minute_hashes_put(h, at, d->relay_first);
    if (parts & PART_CARRIER) {
        at = wire_varint(wire_varint(at, d->carrier_opened), d->carrier_behind);
        at = wire_u64(wire_varint(at, d->carrier_chance), d->carrier_networks);
    }
    return at;
}

// In the octet of the peer's family: the flow is one of rows before, and its hash perhaps among those.
#define FLOW_GOES_ON 0x80

static uint8_t *put_flow(const struct minute_digest *d, uint8_t *at, struct minute_hashes *h)
{
    if (!(d->flags & MINUTE_DIGEST_START))
        return minute_hashes_put(h, wire_u8(at, d->peer.family | FLOW_GOES_ON), d->flow_hash);
    if (d->flags & MINUTE_DIGEST_END)
        minute_hashes_single(h, d->flow_hash);
    else
        minute_hashes_first(h, d->flow_hash);
    return wire_u8(at, d->peer.family);
}

// What sets of the row may hold of the peer need not be said again.
static void imply_peer(const struct ip_addr *peer, struct minute_hashes *h)
{
    if (peer->family == IP_NONE)
        return;
    minute_hashes_imply(h, hash_address(peer));
    minute_hashes_imply(h, hash_network(peer));
}

static uint8_t *put_digest(const struct minute_digest *d, int32_t before_ms, uint8_t *at,
                           struct minute_hashes *h)
{
    unsigned parts = parts_of(d);
    uint8_t *body = ++at;
    at = wire_varint(at, parts);
    at = put_flow(d, at, h);
    at = wire_octets(at, d->peer.octet, ip_size(d->peer.family));
    imply_peer(&d->peer, h);
    at = wire_u16(at, d->peer_port);
    at = wire_u16(at, d->own_port);
    at = wire_u8(at, (unsigned)d->role << 4 | d->direction);
    at = wire_u8(at, d->app);
    at = wire_signed(at, (int64_t)d->start_ms - before_ms);
    at = wire_signed(at, (int64_t)d->end_ms - d->start_ms);
    if (parts & PART_PROVIDER) {
        bool follows = provider_follows(d);
        at = wire_u8(at, d->provider_kind | (follows ? PROVIDER_FOLLOWS : 0u));
        if (!follows)
            at = minute_hashes_put(h, at, d->provider);
    }
    if (parts & PART_SOCKS)
        at = wire_u16(wire_u8(at, d->socks_inner), d->socks_port);
    if (parts & PART_FLAGS)
        at = wire_varint(at, d->flags);
    if (parts & PART_OUTCOME)
        at = wire_signed(wire_u8(at, d->outcome), (int64_t)d->outcome_ms - d->end_ms);
    at = put_digest_numbers(d, parts, at, h);
    return wire_length(body, at);
}

static int32_t get_time(struct cursor *c, int64_t base)
{
    int64_t t = wire_get_signed(c);
    if (t > 2 * (int64_t)UINT32_MAX || t < -2 * (int64_t)UINT32_MAX || t + base > INT32_MAX ||
        t + base < INT32_MIN)
        c->failed = true;
    return c->failed ? 0 : (int32_t)(t + base);
}

static uint32_t get_u32(struct cursor *c, unsigned parts, unsigned part)
{
    return parts & part ? (uint32_t)wire_get_at_most(c, UINT32_MAX) : 0;
}

static uint64_t get_hash(struct cursor *c, unsigned parts, unsigned part, struct minute_source *s)
{
    return parts & part ? minute_source_get(s, c) : 0;
}

static void get_digest_numbers(struct cursor *c, unsigned parts, struct minute_digest *d,
                               struct minute_source *s)
{
    if (parts & PART_OCTETS) {
        d->octets_up = cursor_varint(c);
        d->octets_down = cursor_varint(c);
    }
    d->rcpt = get_u32(c, parts, PART_RCPT);
    d->rcpt_5xx = get_u32(c, parts, PART_RCPT_5XX);
    d->messages_ok = get_u32(c, parts, PART_MESSAGES_OK);
    d->messages_5xx = get_u32(c, parts, PART_MESSAGES_5XX);
    d->first_down_ms = get_u32(c, parts, PART_FIRST_DOWN);
    d->user = get_hash(c, parts, PART_USER, s);
    d->recipient = get_hash(c, parts, PART_RECIPIENT, s);
    d->sender = get_hash(c, parts, PART_SENDER, s);
    d->tls_client = get_hash(c, parts, PART_TLS_CLIENT, s);
    d->relay_first = get_hash(c, parts, PART_RELAY_FIRST, s);
    if (parts & PART_CARRIER) {
        d->carrier_opened = (uint16_t)wire_get_at_most(c, UINT16_MAX);
        d->carrier_behind = (uint16_t)wire_get_at_most(c, d->carrier_opened);
        d->carrier_chance = (uint16_t)wire_get_at_most(c, 1000);
        d->carrier_networks = cursor_u64(c);
    }
}

// One digest. What a newer writer put behind the fields known here is passed over.
static bool get_digest(struct cursor *all, int32_t before_ms, struct minute_digest *d,
                       struct minute_source *s)
{
    struct cursor one = wire_get_span(all);
    struct cursor *c = &one;
    *d = (struct minute_digest){0};
    if (all->failed)
        return false;
    unsigned parts = (unsigned)wire_get_at_most(c, UINT32_MAX);
    uint8_t family;
    if (s->version < 3) {
        d->flow_hash = minute_source_single(s, c);
        family = cursor_u8(c);
    } else {
        family = cursor_u8(c);
        d->flow_hash = family & FLOW_GOES_ON ? minute_source_get(s, c) : minute_source_single(s, c);
        family &= FLOW_GOES_ON - 1;
    }
    d->peer = get_address(c, family);
    if (d->peer.family != IP_NONE) {
        minute_source_imply(s, c, hash_address(&d->peer));
        minute_source_imply(s, c, hash_network(&d->peer));
    }
    d->peer_port = cursor_u16(c);
    d->own_port = cursor_u16(c);
    uint8_t where = cursor_u8(c);
    d->role = where >> 4;
    d->direction = where & 15;
    d->app = cursor_u8(c);
    d->start_ms = get_time(c, s->version == 1 ? 0 : before_ms);
    d->end_ms = get_time(c, d->start_ms);
    if (parts & PART_PROVIDER) {
        uint8_t kind = cursor_u8(c);
        d->provider_kind = kind & (PROVIDER_FOLLOWS - 1);
        d->provider = kind & PROVIDER_FOLLOWS ? network_of(c, &d->peer) : minute_source_get(s, c);
    }
    if (parts & PART_SOCKS) {
        d->socks_inner = cursor_u8(c);
        d->socks_port = cursor_u16(c);
    }
    if (parts & PART_FLAGS)
        d->flags = (uint32_t)wire_get_at_most(c, UINT32_MAX);
    if (parts & PART_OUTCOME) {
        d->outcome = cursor_u8(c);
        d->outcome_ms = get_time(c, s->version == 1 ? d->start_ms : d->end_ms);
    }
    get_digest_numbers(c, parts, d, s);
    return !c->failed && d->role < MINUTE_ROLES && d->direction < MINUTE_DIRECTIONS &&
           d->provider_kind <= MINUTE_PROVIDER_NETWORK && d->outcome <= MINUTE_OUTCOME_MIDSTREAM;
}

uint8_t *minute_digests_put(const struct minute_row *r, uint8_t *at, struct minute_hashes *h)
{
    int32_t before_ms = 0;
    if (r->digest_count == 0 && r->digests_cut == 0)
        return at;
    at = wire_varint(wire_varint(at, r->digests_cut), r->digest_count);
    for (uint32_t i = 0; i < r->digest_count; i++) {
        at = put_digest(&r->digest[i], before_ms, at, h);
        before_ms = r->digest[i].start_ms;
    }
    return at;
}

// The shortest digest: length, parts, peer's family, ports, role, application, two times.
#define DIGEST_OCTETS_MIN (1 + 1 + 1 + 4 + 1 + 1 + 2)

int minute_digests_decode(struct cursor *c, struct minute_row *r, struct minute_source *s)
{
    r->digests_cut = (uint32_t)wire_get_at_most(c, UINT32_MAX);
    uint64_t count = cursor_varint(c);
    if (c->failed || count > cursor_left(c) / DIGEST_OCTETS_MIN) {
        c->failed = true;
        return 0;
    }
    if (count == 0)
        return 0;
    r->digest = calloc(count, sizeof *r->digest);
    if (!r->digest)
        return -ENOMEM;
    int32_t before_ms = 0;
    for (; r->digest_count < count; r->digest_count++) {
        if (!get_digest(c, before_ms, &r->digest[r->digest_count], s)) {
            c->failed = true;
            return 0;
        }
        before_ms = r->digest[r->digest_count].start_ms;
    }
    return 0;
}
