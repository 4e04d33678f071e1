// The floor under every packet counter: what reading a capture file and keeping a count for every flow
// costs when nothing else is done. Large block reads, the headers of Ethernet, VLAN, PPPoE, MPLS, IPv4,
// IPv6, TCP and UDP, and an open-addressed flow table whose lines are fetched ahead for a batch of
// packets. No reassembly, no time-outs, no records: flows stay in the table until the end.
//
// bench_floor CAPTURE prints packets, octets and flows. Classic pcap only, on Ethernet.
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define BLOCK       (256u << 10) // stays in a second-level cache
#define BATCH       32
#define PLACES      (1u << 18)
#define FILE_HEADER 24
#define FRAME_HEAD  16
#define FRAME_MAX   (BLOCK - FRAME_HEAD)

// A cache line.
struct flow {
    uint8_t addr[2][16];
    uint16_t port[2];
    uint32_t proto; // 0: free
    uint32_t packets[2];
    uint64_t octets[2];
};

_Static_assert(sizeof(struct flow) == 64, "a flow fills a cache line");

struct key {
    uint8_t addr[2][16];
    uint16_t port[2];
    uint32_t proto;
};

struct item {
    struct key key;
    uint32_t hash, octets;
    unsigned dir;
};

struct floor {
    struct flow *flow;
    uint64_t packets, octets, other, flows, lost;
    struct item item[BATCH];
    unsigned items;
};

static uint16_t be16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

// ---- Headers.

// Offset of the IP header and its version in `*version`; 0: none.
static uint32_t link_header(const uint8_t *p, uint32_t len, unsigned *version)
{
    uint32_t at = 14;
    if (len < at)
        return 0;
    uint16_t type = be16(p + 12);
    while ((type == 0x8100 || type == 0x88a8) && at + 4 <= len) {
        type = be16(p + at + 2);
        at += 4;
    }
    if (type == 0x8864 && at + 8 <= len) {
        type = be16(p + at + 6) == 0x21 ? 0x0800 : be16(p + at + 6) == 0x57 ? 0x86dd : 0;
        at += 8;
    } else if (type == 0x8847) {
        while (at + 4 < len && !(p[at + 2] & 1))
            at += 4;
        at += 4;
        type = at < len && p[at] >> 4 == 4 ? 0x0800 : at < len && p[at] >> 4 == 6 ? 0x86dd : 0;
    }
    *version = type == 0x0800 ? 4 : type == 0x86dd ? 6 : 0;
    return *version && at + (*version == 4 ? 20u : 40u) + 4 <= len ? at : 0;
}

static bool parse(const uint8_t *p, uint32_t len, struct item *out)
{
    unsigned version;
    uint32_t at = link_header(p, len, &version), header = 40;
    uint8_t from[2][16] = {{0}};
    if (at == 0)
        return false;
    p += at;
    if (version == 4) {
        memcpy(from[0] + 12, p + 12, 4);
        memcpy(from[1] + 12, p + 16, 4);
        out->key.proto = p[9];
        out->octets = be16(p + 2);
        header = (p[0] & 15u) * 4;
        if (at + header + 4 > len)
            return false;
    } else {
        memcpy(from, p + 8, 32);
        out->key.proto = p[6];
        out->octets = be16(p + 4) + 40u;
    }
    if (out->key.proto != 6 && out->key.proto != 17)
        return false;
    uint16_t port[2] = {be16(p + header), be16(p + header + 2)};
    int order = memcmp(from[0], from[1], 16);
    unsigned swap = order > 0 || (order == 0 && port[0] > port[1]);
    memcpy(out->key.addr[swap], from[0], 16);
    memcpy(out->key.addr[!swap], from[1], 16);
    out->key.port[swap] = port[0];
    out->key.port[!swap] = port[1];
    out->dir = swap;
    return true;
}

static uint32_t hash_of(const struct key *k)
{
    uint64_t h = 0, word;
    for (size_t i = 0; i < sizeof *k; i += 8) {
        memcpy(&word, (const char *)k + i, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    return (uint32_t)h & (PLACES - 1);
}

// ---- The table.

static void count(struct floor *f, const struct item *i)
{
    for (uint32_t at = i->hash, tries = 0; tries < 64; at = (at + 1) & (PLACES - 1), tries++) {
        struct flow *w = &f->flow[at];
        if (w->proto == 0) {
            memcpy(w, &i->key, sizeof i->key);
            f->flows++;
        } else if (memcmp(w, &i->key, sizeof i->key) != 0) {
            continue;
        }
        w->packets[i->dir]++;
        w->octets[i->dir] += i->octets;
        return;
    }
    f->lost++;
}

static void settle(struct floor *f)
{
    for (unsigned i = 0; i < f->items; i++)
        count(f, &f->item[i]);
    f->items = 0;
}

static void frame(struct floor *f, const uint8_t *p, uint32_t len, uint32_t wire)
{
    struct item *i = &f->item[f->items];
    f->packets++;
    f->octets += wire;
    if (!parse(p, len, i)) {
        f->other++;
        return;
    }
    i->hash = hash_of(&i->key);
    __builtin_prefetch(&f->flow[i->hash], 1);
    if (++f->items == BATCH)
        settle(f);
}

// ---- The file.

static int run(struct floor *f, int fd, uint8_t *block)
{
    size_t have = 0, at = 0;
    bool header = false;
    for (;;) {
        ssize_t n = read(fd, block + have, BLOCK - have);
        if (n < 0)
            return -errno;
        have += (size_t)n;
        if (!header) {
            uint32_t magic;
            if (have < FILE_HEADER)
                return -EINVAL;
            memcpy(&magic, block, 4);
            if (magic != 0xa1b2c3d4 && magic != 0xa1b23c4d)
                return -EINVAL;
            header = true;
            at = FILE_HEADER;
        }
        while (have - at >= FRAME_HEAD) {
            uint32_t head[4];
            memcpy(head, block + at, sizeof head);
            if (head[2] > FRAME_MAX)
                return -EINVAL;
            if (have - at < FRAME_HEAD + head[2])
                break;
            frame(f, block + at + FRAME_HEAD, head[2], head[3]);
            at += FRAME_HEAD + head[2];
        }
        if (n == 0)
            break;
        memmove(block, block + at, have - at);
        have -= at;
        at = 0;
    }
    settle(f);
    return 0;
}

int main(int argc, char **argv)
{
    static struct floor f;
    int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    uint8_t *block = malloc(BLOCK);
    f.flow = calloc(PLACES, sizeof *f.flow);
    if (fd < 0 || !block || !f.flow) {
        fprintf(stderr, "usage: bench_floor CAPTURE\n");
        return EX_USAGE;
    }
    int rc = run(&f, fd, block);
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", argv[1], rc == -EINVAL ? "no classic pcap" : strerror(-rc));
        return EX_DATAERR;
    }
    printf("{\"flows\":%llu,\"lost\":%llu,\"octets\":%llu,\"other\":%llu,\"packets\":%llu}\n",
           (unsigned long long)f.flows, (unsigned long long)f.lost, (unsigned long long)f.octets,
           (unsigned long long)f.other, (unsigned long long)f.packets);
    free(block);
    free(f.flow);
    close(fd);
    return 0;
}
