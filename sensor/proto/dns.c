// The DNS tracker: questions, those for MX records, and "no such domain" as their answer. RFC 1035
// sections 4.1 and 4.2.2 (TCP). Only the first question of a message is read (nobody sends more);
// names are kept as hashes, to tell at most DNS_NAMES_MAX different ones apart.
#include "proto/dns.h"

#include "common/cursor.h"
#include "proto/proto.h"

#define DNS_NAMES_MAX   64
#define DNS_MESSAGE_MAX 288 // header, a name of 255 octets, type and class
#define DNS_HEADER      12

enum { DNS_TYPE_MX = 15, DNS_NXDOMAIN = 3 };

struct dns_stream { // one direction over TCP
    uint16_t len;   // of the message's part that is here
    uint32_t left;  // of the message beyond it
    uint8_t prefix[2], prefix_len;
    bool dead;
    uint8_t octet[DNS_MESSAGE_MAX];
};

struct dns {
    uint8_t names;
    uint64_t name[DNS_NAMES_MAX];
    struct dns_stream stream[2];
};

struct question {
    bool is_answer;
    uint8_t rcode;
    uint16_t type;
    struct span name; // in wire form
};

// False when it is no message with a question.
static bool read_question(struct span message, struct question *out)
{
    struct cursor c = cursor_of(message);
    cursor_skip(&c, 2);
    uint16_t flags = cursor_u16(&c);
    uint16_t questions = cursor_u16(&c);
    cursor_skip(&c, 6);
    if (c.failed || questions == 0 || questions > 4 || (flags & 0x7800) != 0)
        return false;
    const uint8_t *begin = c.at;
    size_t len = 0;
    for (;;) {
        uint8_t label = cursor_u8(&c);
        if (c.failed || label > 63)
            return false;
        len += 1 + (size_t)label;
        if (len > 255)
            return false;
        if (label == 0)
            break;
        cursor_skip(&c, label);
    }
    out->name = span_of(begin, len);
    out->type = cursor_u16(&c);
    uint16_t class = cursor_u16(&c);
    out->is_answer = (flags & 0x8000) != 0;
    out->rcode = flags & 0xf;
    // The highest bit asks for a unicast answer (mDNS); class 1 is the Internet.
    return !c.failed && (class & 0x7fff) >= 1 && (class & 0x7fff) <= 255;
}

bool dns_asks_mx(struct span datagram)
{
    struct question q;
    return read_question(datagram, &q) && q.type == DNS_TYPE_MX;
}

static bool is_new_name(struct proto_flow *f, struct dns *s, struct span name)
{
    uint64_t hash = proto_hash_of(f, KEYED_HASH_RECIPIENT_DOMAIN, name).value;
    for (uint8_t i = 0; i < s->names; i++)
        if (s->name[i] == hash)
            return false;
    if (s->names == DNS_NAMES_MAX)
        return false;
    s->name[s->names++] = hash;
    return true;
}

static void count(struct proto_flow *f, struct dns *s, struct span message)
{
    struct question q;
    if (!read_question(message, &q))
        return;
    struct proto_result *r = proto_result(f);
    r->groups |= RECORD_HAS_DNS;
    bool mx = q.type == DNS_TYPE_MX;
    if (q.is_answer) {
        r->dns.mx_nxdomain += mx && q.rcode == DNS_NXDOMAIN;
        return;
    }
    r->dns.queries++;
    r->dns.mx_queries += mx;
    if (mx)
        r->dns.mx_names_distinct += is_new_name(f, s, q.name);
}

// Over TCP each message stands behind its length.
static void feed_stream(struct proto_flow *f, struct dns *s, struct dns_stream *t, struct span data)
{
    while (data.len > 0 && !t->dead) {
        if (t->prefix_len < 2) {
            t->prefix[t->prefix_len++] = data.data[0];
            data = span_cut(data, 1, data.len);
            if (t->prefix_len == 2) {
                t->left = (uint32_t)(t->prefix[0] << 8 | t->prefix[1]);
                t->len = 0;
                t->dead = t->left < DNS_HEADER;
            }
            continue;
        }
        struct span part = span_cut(data, 0, t->left);
        struct span kept = span_cut(part, 0, (size_t)(DNS_MESSAGE_MAX - t->len));
        if (kept.len > 0)
            memcpy(t->octet + t->len, kept.data, kept.len);
        t->len = (uint16_t)(t->len + kept.len);
        t->left -= (uint32_t)part.len;
        data = span_cut(data, part.len, data.len);
        if (t->left == 0) {
            count(f, s, span_of(t->octet, t->len));
            t->prefix_len = 0;
        }
    }
}

static void dns_feed(struct proto_flow *f, void *state, enum proto_side side, struct span data,
                     int64_t t_us)
{
    (void)t_us;
    struct dns *s = state;
    if (f->ip_proto == 17)
        count(f, s, data);
    else
        feed_stream(f, s, &s->stream[side], data);
}

static void dns_gap(struct proto_flow *f, void *state, enum proto_side side, uint64_t missing,
                    int64_t t_us)
{
    (void)t_us;
    struct dns *s = state;
    struct dns_stream *t = &s->stream[side];
    if (t->prefix_len == 2 && missing < t->left && t->len >= DNS_MESSAGE_MAX) {
        t->left -= (uint32_t)missing; // a part nobody reads
        return;
    }
    t->dead = true;
    proto_result(f)->incomplete |= RECORD_PARSER_LOST;
}

static enum proto_match dns_match(const struct proto_peek *p)
{
    if (p->port[PROTO_RESPONDER] != 53 || p->midstream)
        return PROTO_NO;
    struct question q;
    if (p->ip_proto == 17) {
        struct span any = p->first[PROTO_INITIATOR].len ? p->first[PROTO_INITIATOR]
                                                        : p->first[PROTO_RESPONDER];
        return read_question(any, &q) ? PROTO_YES : PROTO_NO;
    }
    struct span c = p->first[PROTO_INITIATOR];
    if (c.len < 2)
        return p->first[PROTO_RESPONDER].len ? PROTO_NO : PROTO_MAYBE;
    size_t len = (size_t)(c.data[0] << 8 | c.data[1]);
    if (len < DNS_HEADER + 5)
        return PROTO_NO;
    struct span message = span_cut(c, 2, len);
    if (read_question(message, &q))
        return PROTO_YES;
    return message.len < len && message.len < DNS_MESSAGE_MAX ? PROTO_MAYBE : PROTO_NO;
}

const struct proto_descriptor proto_dns = {
    .name = "dns",
    .state_size = sizeof(struct dns),
    .app = RECORD_APP_DNS,
    .match = dns_match,
    .feed = dns_feed,
    .gap = dns_gap,
};
