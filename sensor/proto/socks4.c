// The SOCKS4 tracker: version 4 and its extension 4a (a name instead of an address). One request,
// one reply of eight octets; BIND has a second reply when the peer has connected.
#include "proto/socks.h"

#define SOCKS4_HEADER 8

enum { SOCKS4_GRANTED = 0x5a };

struct socks4 {
    struct socks_relay relay;
    uint8_t request[SOCKS4_HEADER], request_len;
    uint8_t reply[SOCKS4_HEADER], reply_len;
    uint8_t replies; // whole ones
    bool user_read, name_read;
};

static void socks4_open(struct proto_flow *f, void *state, int64_t t_us)
{
    (void)state;
    (void)t_us;
    socks_result(f)->version = 4;
}

static bool is_named(const struct socks4 *s)
{
    const uint8_t *a = s->request + 4;
    return a[0] == 0 && a[1] == 0 && a[2] == 0 && a[3] != 0;
}

static void read_request(struct proto_flow *f, const struct socks4 *s)
{
    struct record_socks *r = socks_result(f);
    r->command = s->request[1];
    r->target_port = (uint16_t)(s->request[2] << 8 | s->request[3]);
    r->is_4a = is_named(s);
    if (!r->is_4a)
        r->target = ip_from_v4(s->request + 4);
    else
        proto_set_app(f, RECORD_APP_SOCKS4A, RECORD_APP_BY_CONTENT);
}

// Returns what is not part of the request.
static struct span feed_request(struct proto_flow *f, struct socks4 *s, struct span data)
{
    while (data.len > 0 && !(s->user_read && s->name_read)) {
        uint8_t o = data.data[0];
        data = span_cut(data, 1, data.len);
        if (s->request_len < SOCKS4_HEADER) {
            s->request[s->request_len++] = o;
            if (s->request_len == SOCKS4_HEADER)
                read_request(f, s);
        } else if (!s->user_read) {
            s->user_read = o == 0;
            s->name_read = o == 0 && !is_named(s);
        } else {
            s->name_read = o == 0;
        }
    }
    return data;
}

static void feed_reply(struct proto_flow *f, struct socks4 *s, enum proto_side side,
                       struct span data, int64_t t_us)
{
    if (s->relay.granted) {
        socks_rest(f, &s->relay, side, data, t_us);
        return;
    }
    while (data.len > 0 && !s->relay.dead) {
        s->reply[s->reply_len++] = data.data[0];
        data = span_cut(data, 1, data.len);
        if (s->reply_len < SOCKS4_HEADER)
            continue;
        s->reply_len = 0;
        s->replies++;
        struct record_socks *r = socks_result(f);
        r->reply = s->reply[1];
        r->granted = s->reply[1] == SOCKS4_GRANTED;
        if (!r->granted) {
            s->relay.dead = true;
        } else if (r->command != RECORD_SOCKS_BIND || s->replies == 2) {
            s->relay.granted = true;
            socks_rest(f, &s->relay, side, data, t_us);
            return;
        }
    }
}

static void socks4_feed(struct proto_flow *f, void *state, enum proto_side side, struct span data,
                        int64_t t_us)
{
    struct socks4 *s = state;
    if (s->relay.relaying) {
        socks_count(f, &s->relay, side, data);
    } else if (s->relay.dead) {
        return;
    } else if (side == PROTO_INITIATOR) {
        struct span rest = feed_request(f, s, data);
        s->relay.asked = s->user_read && s->name_read;
        socks_rest(f, &s->relay, side, rest, t_us);
    } else {
        feed_reply(f, s, side, data, t_us);
    }
}

const struct proto_descriptor proto_socks4 = {
    .name = "socks4",
    .state_size = sizeof(struct socks4),
    .app = RECORD_APP_SOCKS4,
    .match = socks4_match,
    .open = socks4_open,
    .feed = socks4_feed,
    .gap = socks_gap,
    .close = socks_close,
    .passed = socks_passed,
    .inner = socks_inner,
};
