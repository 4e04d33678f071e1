// Transformations of captures. What is wrapped gets headers with right lengths; checksums of TCP are
// left as they are, since the sensor does not look at them.
#include "mangle.h"

#include <stdlib.h>
#include <string.h>

#include "octets.h"

#define FRAME_MAX 300000
#define FRAGMENT  64u

const char *const mangle_names[MANGLE_MODES] = {
    "none",     "qinq+pppoe", "mpls",    "pseudowire", "vxlan",
    "geneve",   "gre",        "erspan",  "fragments",  "one-octet segments",
    "shuffled", "doubled",    "1 % lost"};

static bool add(struct mangle_list *l, const struct mangle_frame *like, const uint8_t *data,
                uint32_t cap, uint32_t wire)
{
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 256;
        struct mangle_frame *more = realloc(l->frame, room * sizeof *more);
        if (!more)
            return false;
        l->frame = more;
        l->room = room;
    }
    uint8_t *copy = malloc(cap ? cap : 1);
    if (!copy)
        return false;
    memcpy(copy, data, cap);
    l->frame[l->count++] = (struct mangle_frame){
        .t_us = like->t_us, .linktype = like->linktype, .data = copy, .cap = cap, .wire = wire};
    return true;
}

void mangle_free(struct mangle_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->frame[i].data);
    free(l->frame);
    *l = (struct mangle_list){0};
}

bool mangle_load(const char *path, struct mangle_list *out)
{
    struct source source;
    struct source_frame frame;
    const char *failed;
    bool ok = true;
    *out = (struct mangle_list){0};
    if (source_files_open(&path, 1, &source, &failed) != 0)
        return false;
    while (ok && source_next(&source, &frame) == SOURCE_FRAME) {
        struct mangle_frame like = {.t_us = frame.t_us, .linktype = frame.linktype};
        ok = add(out, &like, frame.data.data, (uint32_t)frame.data.len, frame.wire);
    }
    source_close(&source);
    return ok;
}

// ---- Pieces of headers.

struct out {
    uint8_t data[FRAME_MAX];
    uint32_t len;
};

static void put(struct out *o, const void *data, uint32_t len)
{
    memcpy(o->data + o->len, data, len);
    o->len += len;
}

static void put16(struct out *o, unsigned v)
{
    o->data[o->len++] = (uint8_t)(v >> 8);
    o->data[o->len++] = (uint8_t)v;
}

static void put32(struct out *o, uint32_t v)
{
    put16(o, v >> 16);
    put16(o, v & 0xffff);
}

static void put_ethernet(struct out *o, unsigned type)
{
    static const uint8_t addresses[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    put(o, addresses, sizeof addresses);
    put16(o, type);
}

static void put_ipv4(struct out *o, uint32_t payload, uint8_t protocol)
{
    const uint8_t rest[12] = {[0] = 64, [1] = protocol, [4] = 198, 51, 100, 1, 198, 51, 100, 2};
    put16(o, 0x4500);
    put16(o, 20 + payload);
    put32(o, 0);
    put(o, rest, sizeof rest);
}

static void put_udp(struct out *o, uint32_t payload, unsigned port)
{
    put16(o, 50000);
    put16(o, port);
    put16(o, 8 + payload);
    put16(o, 0);
}

// Where the IP packet of a plain Ethernet frame lies; false: the frame is something else, or too large
// to be wrapped.
static bool ip_of(const struct mangle_frame *f, struct span *ip, unsigned *type)
{
    if (f->linktype != 1 || f->cap < 34 || f->cap != f->wire || f->wire > 60000)
        return false;
    *type = be16(f->data + 12);
    if (*type != 0x0800 && *type != 0x86dd)
        return false;
    *ip = span_of(f->data + 14, f->cap - 14);
    uint32_t len = *type == 0x0800 ? be16(ip->data + 2) : be16(ip->data + 4) + 40u;
    if (ip->data[0] >> 4 != (*type == 0x0800 ? 4 : 6) || len > ip->len || len < 20)
        return false;
    ip->len = len;
    return true;
}

// ---- Wrapping.

static void wrap(const struct mangle_frame *f, enum mangle_mode mode, struct span ip, unsigned type,
                 struct out *o)
{
    uint32_t len = (uint32_t)ip.len;
    o->len = 0;
    switch (mode) {
    case MANGLE_QINQ_PPPOE:
        put(o, f->data, 12);
        put32(o, 0x88a80065);
        put32(o, 0x81000007);
        put16(o, 0x8864);
        put16(o, 0x1100);
        put16(o, 4711);
        put16(o, len + 2);
        put16(o, type == 0x0800 ? 0x0021 : 0x0057);
        put(o, ip.data, len);
        return;
    case MANGLE_MPLS:
        put(o, f->data, 12);
        put16(o, 0x8847);
        put32(o, 1040u << 12 | 64);
        put32(o, 17u << 12 | 0x100 | 64);
        put(o, ip.data, len);
        return;
    case MANGLE_PSEUDOWIRE:
        put_ethernet(o, 0x8847);
        put32(o, 2000u << 12 | 0x100 | 64);
        put32(o, 0); // control word
        break;
    case MANGLE_VXLAN:
        put_ethernet(o, 0x0800);
        put_ipv4(o, f->cap + 16, 17);
        put_udp(o, f->cap + 8, 4789);
        put32(o, 0x08000000);
        put32(o, 5001u << 8);
        break;
    case MANGLE_GENEVE:
        put_ethernet(o, 0x0800);
        put_ipv4(o, f->cap + 16, 17);
        put_udp(o, f->cap + 8, 6081);
        put32(o, 0x00006558);
        put32(o, 5001u << 8);
        break;
    case MANGLE_GRE:
        put_ethernet(o, 0x0800);
        put_ipv4(o, len + 8, 47);
        put16(o, 0x2000);
        put16(o, type);
        put32(o, 99);
        put(o, ip.data, len);
        return;
    default: // MANGLE_ERSPAN
        put_ethernet(o, 0x0800);
        put_ipv4(o, f->cap + 16, 47);
        put16(o, 0x1000);
        put16(o, 0x88be);
        put32(o, 1);
        put32(o, 0x10010001);
        put32(o, 0);
    }
    put(o, f->data, f->cap);
}

// ---- Cutting.

static bool cut_v4(const struct mangle_frame *f, struct span ip, struct mangle_list *to,
                   struct out *o)
{
    uint32_t header = (ip.data[0] & 15u) * 4, len = (uint32_t)ip.len - header;
    for (uint32_t at = 0; at < len; at += FRAGMENT) {
        uint32_t n = len - at < FRAGMENT ? len - at : FRAGMENT;
        o->len = 0;
        put(o, f->data, 14);
        put(o, ip.data, header);
        o->data[16] = (uint8_t)((header + n) >> 8);
        o->data[17] = (uint8_t)(header + n);
        uint32_t field = at / 8 | (at + n < len ? 0x2000u : 0u);
        o->data[20] = (uint8_t)(field >> 8);
        o->data[21] = (uint8_t)field;
        put(o, ip.data + header + at, n);
        if (!add(to, f, o->data, o->len, o->len))
            return false;
    }
    return true;
}

static bool cut_v6(const struct mangle_frame *f, struct span ip, uint32_t id,
                   struct mangle_list *to, struct out *o)
{
    uint32_t len = (uint32_t)ip.len - 40;
    for (uint32_t at = 0; at < len; at += FRAGMENT) {
        uint32_t n = len - at < FRAGMENT ? len - at : FRAGMENT;
        o->len = 0;
        put(o, f->data, 14);
        put(o, ip.data, 40);
        o->data[18] = (uint8_t)((n + 8) >> 8);
        o->data[19] = (uint8_t)(n + 8);
        o->data[20] = 44;
        put16(o, (unsigned)ip.data[6] << 8);
        put16(o, at | (at + n < len ? 1u : 0u));
        put32(o, id);
        put(o, ip.data + 40 + at, n);
        if (!add(to, f, o->data, o->len, o->len))
            return false;
    }
    return true;
}

static bool cut(const struct mangle_frame *f, struct span ip, uint32_t id, struct mangle_list *to,
                struct out *o)
{
    bool v4 = ip.data[0] >> 4 == 4;
    // What is a fragment already stays one.
    if (v4 ? (be16(ip.data + 6) & 0x3fff) != 0 : ip.data[6] == 44)
        return add(to, f, f->data, f->cap, f->wire);
    return v4 ? cut_v4(f, ip, to, o) : cut_v6(f, ip, id, to, o);
}

// One octet a segment; flags that end something stay with the last.
static bool segment(const struct mangle_frame *f, struct span ip, struct mangle_list *to,
                    struct out *o)
{
    bool v4 = ip.data[0] >> 4 == 4;
    uint32_t at = v4 ? (ip.data[0] & 15u) * 4 : 40;
    uint8_t protocol = v4 ? ip.data[9] : ip.data[6];
    if (protocol != 6 || ip.len < at + 20 || (v4 && (be16(ip.data + 6) & 0x3fff)))
        return add(to, f, f->data, f->cap, f->wire);
    uint32_t header = at + (ip.data[at + 12] >> 4) * 4u, seq = be32(ip.data + at + 4);
    uint8_t flags = ip.data[at + 13];
    if (header + 1 >= ip.len || (flags & 0x06))
        return add(to, f, f->data, f->cap, f->wire);
    uint32_t len = (uint32_t)ip.len - header;
    for (uint32_t i = 0; i < len; i++) {
        o->len = 0;
        put(o, f->data, 14);
        put(o, ip.data, header);
        uint8_t *copy = o->data + 14;
        uint32_t total = v4 ? header + 1 : header + 1 - 40;
        copy[v4 ? 2 : 4] = (uint8_t)(total >> 8);
        copy[v4 ? 3 : 5] = (uint8_t)total;
        for (uint32_t b = 0; b < 4; b++)
            copy[at + 4 + b] = (uint8_t)((seq + i) >> (24 - 8 * b));
        copy[at + 13] = i + 1 < len ? (uint8_t)(flags & 0xf6) : flags;
        put(o, ip.data + header + i, 1);
        if (!add(to, f, o->data, o->len, o->len))
            return false;
    }
    return true;
}

// ---- Order and number.

static uint64_t draw(uint64_t *seed)
{
    *seed += 0x9e3779b97f4a7c15u; // splitmix64
    uint64_t z = *seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

#define WINDOW    8
#define WINDOW_US 1000000

// As a mirror with several queues does: packets far apart in time stay in order.
static void shuffle(struct mangle_list *l, uint64_t seed)
{
    for (size_t start = 0, n; start < l->count; start += n) {
        n = 1;
        while (n < WINDOW && start + n < l->count &&
               l->frame[start + n].t_us - l->frame[start].t_us < WINDOW_US)
            n++;
        for (size_t i = n - 1; i > 0; i--) {
            struct mangle_frame *a = &l->frame[start + i];
            struct mangle_frame *b = &l->frame[start + draw(&seed) % (i + 1)];
            struct mangle_frame kept = *a;
            *a = *b;
            *b = kept;
        }
    }
}

bool mangle(const struct mangle_list *in, enum mangle_mode mode, uint64_t seed,
            struct mangle_list *out)
{
    struct out *o = malloc(sizeof *o);
    bool ok = o != NULL;
    *out = (struct mangle_list){0};
    for (size_t i = 0; ok && i < in->count; i++) {
        const struct mangle_frame *f = &in->frame[i];
        struct span ip;
        unsigned type;
        bool plain = ip_of(f, &ip, &type);
        if (mode == MANGLE_LOSS && draw(&seed) % 100 == 0)
            continue;
        if (mode == MANGLE_FRAGMENTS && plain)
            ok = cut(f, ip, (uint32_t)i, out, o);
        else if (mode == MANGLE_SEGMENTS && plain)
            ok = segment(f, ip, out, o);
        else if (mode >= MANGLE_QINQ_PPPOE && mode <= MANGLE_ERSPAN && plain) {
            wrap(f, mode, ip, type, o);
            ok = add(out, f, o->data, o->len, o->len);
        } else
            ok = add(out, f, f->data, f->cap, f->wire);
        if (ok && mode == MANGLE_DOUBLE)
            ok = add(out, f, f->data, f->cap, f->wire);
    }
    if (ok && mode == MANGLE_SHUFFLE)
        shuffle(out, seed);
    free(o);
    return ok;
}
