// Captures from and to files, and their frames as Ethernet.
#include "capture.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "packet.h"

static void *must(void *p)
{
    if (!p) {
        fprintf(stderr, "postern-mangle: out of memory\n");
        exit(EX_OSERR);
    }
    return p;
}

static struct frame *next_place(struct capture *c)
{
    if (c->count == c->room) {
        c->room = c->room ? 2 * c->room : 1024;
        c->frame = must(realloc(c->frame, c->room * sizeof *c->frame));
    }
    return &c->frame[c->count++];
}

void capture_add(struct capture *c, int64_t t_ns, struct span head, struct span body, uint32_t wire)
{
    struct frame *f = next_place(c);
    *f = (struct frame){.t_ns = t_ns, .len = (uint32_t)(head.len + body.len), .wire = wire};
    f->data = must(malloc(f->len ? f->len : 1));
    if (head.len > 0)
        memcpy(f->data, head.data, head.len);
    if (body.len > 0)
        memcpy(f->data + head.len, body.data, body.len);
}

void capture_free(struct capture *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->frame[i].data);
    free(c->frame);
    *c = (struct capture){0};
}

void capture_append(struct capture *c, struct capture *from)
{
    for (size_t i = 0; i < from->count; i++)
        *next_place(c) = from->frame[i];
    free(from->frame);
    *from = (struct capture){0};
}

// How a link type's frames become Ethernet: what stands before the IP packet.
struct link {
    int type; // DLT_
    uint32_t header;
    // Where the Ethernet type stands in the header, two octets; -1: the IP version says it.
    int ethertype_at;
};

static const struct link links[] = {
    {DLT_RAW, 0, -1},  {DLT_IPV4, 0, -1}, {DLT_IPV6, 0, -1},       {DLT_NULL, 4, -1},
    {DLT_LOOP, 4, -1}, {DLT_PPP, 4, -1},  {DLT_LINUX_SLL, 16, 14}, {DLT_LINUX_SLL2, 20, 0},
};

static const struct link *link_of(int type)
{
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        if (links[i].type == type)
            return &links[i];
    }
    return NULL;
}

static void add_as_ethernet(struct capture *c, const struct link *l, int64_t t_ns, struct span data,
                            uint32_t wire)
{
    // Locally administered addresses of no machine.
    uint8_t head[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
    // PPP may leave out its address and control octets (RFC 1661).
    uint32_t header = l->type == DLT_PPP && data.len > 0 && data.data[0] != 0xff ? 2 : l->header;
    if (data.len <= header)
        return;
    struct span ip = span_cut(data, header, data.len);
    unsigned version = ip.data[0] >> 4;
    if (l->ethertype_at >= 0)
        memcpy(head + 12, data.data + l->ethertype_at, 2);
    else if (version == 4 || version == 6)
        packet_put16(head + 12, version == 4 ? PACKET_IPV4 : PACKET_IPV6);
    else
        return;
    capture_add(c, t_ns, span_of(head, sizeof head), ip, wire - header + 14);
}

static pcap_t *open_file(const char *path, char why[static 128])
{
    char error[PCAP_ERRBUF_SIZE] = "";
    pcap_t *p = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, error);
    if (!p)
        snprintf(why, 128, "%.120s", error);
    return p;
}

static int64_t time_of(const struct pcap_pkthdr *h)
{
    return (int64_t)h->ts.tv_sec * 1000000000 + (int64_t)h->ts.tv_usec;
}

bool capture_read(struct capture *c, const char *path, char why[static 128])
{
    pcap_t *p = open_file(path, why);
    if (!p)
        return false;
    int type = pcap_datalink(p);
    const struct link *l = link_of(type);
    if (!l && type != DLT_EN10MB) {
        snprintf(why, 128, "link type %d does not become Ethernet", type);
        pcap_close(p);
        return false;
    }
    struct pcap_pkthdr *h;
    const u_char *data;
    // A file that is cut short is used as far as it goes, like the sensor does.
    while (pcap_next_ex(p, &h, &data) == 1) {
        uint32_t wire = h->len < h->caplen ? h->caplen : h->len;
        struct span s = span_of(data, h->caplen);
        if (l)
            add_as_ethernet(c, l, time_of(h), s, wire);
        else
            capture_add(c, time_of(h), s, (struct span){0}, wire);
    }
    pcap_close(p);
    return true;
}

bool capture_write(const struct capture *c, const char *path, char why[static 128])
{
    pcap_t *p = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, 262144,
                                                     PCAP_TSTAMP_PRECISION_NANO);
    pcap_dumper_t *d = p ? pcap_dump_open(p, path) : NULL;
    if (!d) {
        snprintf(why, 128, "%.120s", p ? pcap_geterr(p) : "out of memory");
        if (p)
            pcap_close(p);
        return false;
    }
    for (size_t i = 0; i < c->count; i++) {
        const struct frame *f = &c->frame[i];
        struct pcap_pkthdr h = {.caplen = f->len, .len = f->wire};
        h.ts.tv_sec = (time_t)(f->t_ns / 1000000000);
        h.ts.tv_usec = (suseconds_t)(f->t_ns % 1000000000);
        pcap_dump((u_char *)d, &h, f->data);
    }
    bool ok = pcap_dump_flush(d) == 0;
    if (!ok)
        snprintf(why, 128, "could not be written");
    pcap_dump_close(d);
    pcap_close(p);
    return ok;
}
