// check_capture CAPTURE TRUTH: reads a generated capture with none of the generator's code and says
// where it is wrong or the truth file disagrees.
//
// Checked: time order; every checksum; for each subscriber packets, octets, TCP flows, and the SMTP
// commands and replies that can be read. Only captures of a clean mirror and a path without loss are
// understood: streams are read in the order of the packets.
#include <inttypes.h>
#include <jansson.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture_index.h"
#include "common/cursor.h"
#include "smtp_reader.h"

static size_t problems;

static void problem(uint64_t packet, const char *what)
{
    if (problems++ < 20)
        fprintf(stderr, "packet %" PRIu64 ": %s\n", packet, what);
}

static uint16_t ones_sum(uint32_t acc, struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        acc += i % 2 ? s.data[i] : (uint32_t)s.data[i] << 8;
    while (acc >> 16)
        acc = (acc & 0xffff) + (acc >> 16);
    return (uint16_t)acc;
}

// Ethernet and whatever the generator wraps around IP. 0: not IP.
static unsigned ip_version(struct cursor *c)
{
    cursor_skip(c, 12);
    for (int layers = 0; layers < 4; layers++) {
        switch (cursor_u16(c)) {
        case 0x8100:
        case 0x88a8: cursor_skip(c, 2); break;
        case 0x8864: cursor_skip(c, 6); return cursor_u16(c) == 0x0057 ? 6 : 4;
        case 0x8847:
            if (!(cursor_u32(c) >> 8 & 1))
                return 0;
            return cursor_left(c) > 0 && cursor_rest(c).data[0] >> 4 == 6 ? 6 : 4;
        case 0x0800: return 4;
        case 0x86dd: return 6;
        default: return 0;
        }
    }
    return 0;
}

// Reads the IP header; `pseudo` becomes the sum of the pseudo-header without the protocol's length.
static bool read_ip(struct cursor *c, unsigned version, struct packet *p, struct span *payload,
                    uint32_t *pseudo, uint64_t n)
{
    struct span rest = cursor_rest(c);
    size_t total, head = version == 4 ? 20 : 40;
    struct cursor h = cursor_of(rest);
    if (version == 4) {
        if (cursor_u8(&h) != 0x45)
            return false;
        cursor_skip(&h, 1);
        total = cursor_u16(&h);
        cursor_skip(&h, 5);
        p->protocol = cursor_u8(&h);
        cursor_skip(&h, 2);
        if (ones_sum(0, span_cut(rest, 0, 20)) != 0xffff)
            problem(n, "wrong IPv4 header checksum");
    } else {
        cursor_skip(&h, 4);
        total = 40u + cursor_u16(&h);
        p->protocol = cursor_u8(&h);
        cursor_skip(&h, 1);
    }
    size_t size = version == 4 ? 4 : 16;
    struct span src = cursor_take(&h, size), dst = cursor_take(&h, size);
    if (h.failed || total < head || rest.len < total)
        return false;
    p->src = version == 4 ? ip_from_v4(src.data) : ip_from_v6(src.data);
    p->dst = version == 4 ? ip_from_v4(dst.data) : ip_from_v6(dst.data);
    *payload = span_cut(rest, head, total - head);
    *pseudo = (uint32_t)ones_sum(ones_sum(0, src), dst) + p->protocol + (uint32_t)payload->len;
    return true;
}

static bool read_packet(struct span frame, struct packet *p, uint64_t n)
{
    struct cursor c = cursor_of(frame);
    struct span payload;
    uint32_t pseudo = 0;
    unsigned version = ip_version(&c);
    if (version == 0 || !read_ip(&c, version, p, &payload, &pseudo, n)) {
        problem(n, "no IP packet where one should be");
        return false;
    }
    bool icmp4 = p->protocol == 1;
    if (ones_sum(icmp4 ? 0 : pseudo, payload) != 0xffff)
        problem(n, "wrong TCP, UDP or ICMP checksum");
    if (p->protocol != 6)
        return true;
    struct cursor t = cursor_of(payload);
    p->src_port = cursor_u16(&t);
    p->dst_port = cursor_u16(&t);
    p->seq = cursor_u32(&t);
    cursor_skip(&t, 4);
    size_t head = (size_t)(cursor_u8(&t) >> 4) * 4;
    p->flags = cursor_u8(&t);
    p->data = span_cut(payload, head, payload.len);
    return true;
}

static void check_count(const char *party, const char *what, uint64_t seen, const json_t *truth)
{
    uint64_t said = truth ? (uint64_t)json_integer_value(truth) : 0;
    if (seen == said)
        return;
    if (problems++ < 20)
        fprintf(stderr, "%s: %" PRIu64 " %s in the capture, %" PRIu64 " in the truth file\n", party,
                seen, what, said);
}

static void check_smtp(const char *party, const char *side, const struct smtp_seen *seen,
                       const json_t *counts)
{
    const json_t *t = json_object_get(json_object_get(counts, side), "clear");
    check_count(party, "MAIL", seen->mail, json_object_get(t, "mail"));
    check_count(party, "null senders", seen->null_sender, json_object_get(t, "null_sender"));
    check_count(party, "RCPT", seen->rcpt, json_object_get(t, "rcpt"));
    check_count(party, "DATA", seen->data, json_object_get(t, "data"));
    check_count(party, "BDAT", seen->bdat, json_object_get(t, "bdat"));
    check_count(party, "AUTH", seen->auth, json_object_get(t, "auth"));
    check_count(party, "STARTTLS", seen->starttls, json_object_get(t, "starttls"));
    check_count(party, "VRFY and EXPN", seen->probes, json_object_get(t, "probes"));
}

static void check_party(struct capture_index *index, const json_t *line)
{
    const char *name = json_string_value(json_object_get(line, "name"));
    const char *v4 = json_string_value(json_object_get(line, "subscriber"));
    const char *v6 = json_string_value(json_object_get(line, "subscriber_v6"));
    const json_t *counts = json_object_get(line, "counts");
    struct subscriber seen = {0};
    const char *text[2] = {v4, v6};
    if (!v4)
        return; // nobody's line
    for (int i = 0; i < 2; i++) {
        struct ip_addr a;
        if (text[i] && ip_parse(text[i], &a) == 0)
            capture_index_take(index, &a, &seen);
    }
    check_count(name, "packets", seen.packets, json_object_get(counts, "packets"));
    check_count(name, "octets", seen.octets, json_object_get(counts, "octets"));
    check_count(name, "flows", seen.flows, json_object_get(counts, "flows"));
    check_smtp(name, "smtp_out", &seen.smtp[0], counts);
    check_smtp(name, "smtp_in", &seen.smtp[1], counts);
}

static int check_truth(struct capture_index *index, const char *path, uint64_t packets)
{
    FILE *in = fopen(path, "r");
    static char line[1 << 16];
    if (!in) {
        perror(path);
        return 1;
    }
    size_t parties = 0;
    while (fgets(line, sizeof line, in)) {
        json_t *o = json_loads(line, 0, NULL);
        const char *type = json_string_value(json_object_get(o, "type"));
        if (!type) {
            fprintf(stderr, "%s: a line is no JSON object with a type\n", path);
            problems++;
        } else if (strcmp(type, "capture") == 0) {
            check_count("capture", "packets", packets, json_object_get(o, "packets"));
        } else {
            check_party(index, o);
            parties++;
        }
        json_decref(o);
    }
    fclose(in);
    if (parties == 0) {
        fprintf(stderr, "%s: names no party\n", path);
        problems++;
    }
    printf("%" PRIu64 " packets, %zu parties, %zu problems\n", packets, parties, problems);
    return problems > 0;
}

int main(int argc, char **argv)
{
    char error[PCAP_ERRBUF_SIZE];
    if (argc != 3) {
        fputs("usage: check_capture CAPTURE TRUTH\n", stderr);
        return 64;
    }
    pcap_t *in = pcap_open_offline_with_tstamp_precision(argv[1], PCAP_TSTAMP_PRECISION_NANO,
                                                         error);
    if (!in) {
        fprintf(stderr, "%s: %s\n", argv[1], error);
        return 66;
    }
    struct capture_index *index = capture_index_new();
    struct pcap_pkthdr *head;
    const u_char *data;
    uint64_t n = 0;
    int64_t last = 0;
    int rc;
    while ((rc = pcap_next_ex(in, &head, &data)) == 1) {
        int64_t t = (int64_t)head->ts.tv_sec * 1000000000 + head->ts.tv_usec;
        if (t < last)
            problem(n + 1, "earlier than the one before");
        last = t;
        n++;
        struct packet p = {.wire_len = head->len};
        if (head->caplen != head->len)
            problem(n, "cut");
        else if (read_packet(span_of(data, head->caplen), &p, n))
            capture_index_add(index, &p);
    }
    if (rc != PCAP_ERROR_BREAK) {
        fprintf(stderr, "%s: %s\n", argv[1], pcap_geterr(in));
        problems++;
    }
    pcap_close(in);
    rc = check_truth(index, argv[2], n);
    capture_index_free(index);
    return rc;
}
