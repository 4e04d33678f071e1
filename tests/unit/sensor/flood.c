// Frames, dialogues and sums of flood tests.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "flood.h"

#define ETHERNET 14
#define IPV4     20
#define TCP      20

// ---- What is told.

static bool is_honest(const struct record_flow *r)
{
    return r->initiator.octet[0] == 10 && r->initiator.octet[1] == 1;
}

static int put(void *state, const struct record *r)
{
    struct flood *f = state;
    if (r->kind == RECORD_COVERAGE) {
#define X(name, element, text) f->seen.name += r->coverage.name;
        COVERAGE_COUNTERS(X)
#undef X
        return 0;
    }
    const struct record_flow *flow = &r->flow;
    f->starts += (flow->flags & RECORD_START) != 0;
    f->ends += (flow->flags & RECORD_END) != 0;
    f->evicted += (flow->flags & RECORD_END) && (flow->incomplete & RECORD_EVICTED);
    f->unfollowed += (flow->incomplete & RECORD_NO_MEMORY) != 0;
    if (!is_honest(flow))
        return 0;
    f->honest.starts += (flow->flags & RECORD_START) != 0;
    f->honest.ends += (flow->flags & RECORD_END) != 0;
    f->honest.established += (flow->flags & RECORD_OUTCOME) &&
                             flow->handshake == RECORD_HANDSHAKE_ESTABLISHED;
    f->honest.incomplete += flow->incomplete != 0;
    f->honest.mail += flow->smtp.mail;
    f->honest.rcpt += flow->smtp.rcpt;
    f->honest.rcpt_ok += flow->smtp.rcpt_ok;
    f->honest.rcpt_5xx += flow->smtp.rcpt_5xx;
    f->honest.messages += flow->smtp.messages_ok;
    f->honest.quit += flow->smtp.quit;
    return 0;
}

static int end(void *state)
{
    (void)state;
    return 0;
}

void flood_open(struct flood *f, const char *yaml)
{
    static const struct sink_kind kind = {.name = "sums", .put = put, .close = end};
    memset(f, 0, sizeof *f);
    struct conf_section section = {.name = "sensor", .keys = sensor_conf_keys, .out = &f->conf};
    struct ip_prefix ours;
    assert_int_equal(conf_load_text("test", ".", yaml, strlen(yaml), &section, 1, stderr), 0);
    f->subscribers = prefix_set_new();
    f->smarthosts = prefix_set_new();
    assert_int_equal(prefix_parse("10.0.0.0/8", &ours), 0);
    assert_int_equal(prefix_set_add(f->subscribers, &ours, 0), 0);
    prefix_set_freeze(f->subscribers);
    prefix_set_freeze(f->smarthosts);
    f->sink = (struct sink){.kind = &kind, .state = f};
    struct sensor_setup setup = {.conf = &f->conf,
                                 .subscribers = f->subscribers,
                                 .smarthosts = f->smarthosts,
                                 .key = keyed_hash_key_replay(),
                                 .profile = COVERAGE_FULL_ENVELOPE,
                                 .sink = &f->sink};
    f->sensor = sensor_new(&setup);
    assert_non_null(f->sensor);
    f->t_us = INT64_C(1700000000000000);
}

void flood_finish(struct flood *f)
{
    sensor_finish(f->sensor);
    assert_int_equal(sensor_error(f->sensor), 0);
}

void flood_close(struct flood *f)
{
    sensor_free(f->sensor);
    prefix_set_free(f->subscribers);
    prefix_set_free(f->smarthosts);
    conf_free(sensor_conf_keys, &f->conf);
}

int64_t flood_resident_kib(void)
{
    long long size = 0, resident = 0;
    FILE *in = fopen("/proc/self/statm", "r");
    assert_non_null(in);
    assert_int_equal(fscanf(in, "%lld %lld", &size, &resident), 2);
    fclose(in);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

// ---- Frames.

static void put16(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
    put16(at, v >> 16);
    put16(at + 2, v);
}

// Header for `len` octets behind it.
static void ip_header(struct flood *f, uint8_t *frame, uint32_t from, uint32_t to, uint32_t len)
{
    static const uint8_t ethernet[ETHERNET] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
    uint8_t *ip = frame + ETHERNET;
    memcpy(frame, ethernet, ETHERNET);
    memset(ip, 0, IPV4);
    ip[0] = 0x45;
    put16(ip + 2, IPV4 + len);
    put16(ip + 4, ++f->ip_id);
    ip[8] = 60;
    ip[9] = 6;
    put32(ip + 12, from);
    put32(ip + 16, to);
}

static void send(struct flood *f, const uint8_t *frame, uint32_t len)
{
    struct source_frame s = {
        .t_us = f->t_us, .linktype = 1, .data = span_of(frame, len), .wire = len};
    sensor_frame(f->sensor, &s);
}

void flood_tcp(struct flood *f, const struct flood_packet *p)
{
    uint8_t frame[ETHERNET + IPV4 + TCP + 512];
    uint32_t len = p->payload ? (uint32_t)strlen(p->payload) : 0;
    uint8_t *ip = frame + ETHERNET, *tcp = ip + IPV4;
    ip_header(f, frame, p->from, p->to, TCP + len);
    memset(tcp, 0, TCP);
    put16(tcp, p->from_port);
    put16(tcp + 2, p->to_port);
    put32(tcp + 4, p->seq);
    put32(tcp + 8, p->ack);
    tcp[12] = TCP / 4 << 4;
    tcp[13] = p->flags;
    put16(tcp + 14, 65535);
    if (len > 0)
        memcpy(tcp + TCP, p->payload, len);
    if (p->piece == 0) {
        send(f, frame, ETHERNET + IPV4 + TCP + len);
        return;
    }
    uint8_t piece[sizeof frame];
    memcpy(piece, frame, ETHERNET + IPV4);
    for (uint32_t at = 0; at < TCP + len; at += p->piece) {
        uint32_t n = TCP + len - at < p->piece ? TCP + len - at : p->piece;
        put16(piece + ETHERNET + 2, IPV4 + n);
        put16(piece + ETHERNET + 6, at / 8 | (at + n < TCP + len ? 0x2000u : 0));
        memcpy(piece + ETHERNET + IPV4, tcp + at, n);
        send(f, piece, ETHERNET + IPV4 + n);
    }
}

void flood_fragment(struct flood *f, uint32_t from, uint16_t id, uint16_t offset, bool more,
                    uint16_t len)
{
    uint8_t frame[ETHERNET + IPV4 + 512];
    ip_header(f, frame, from, 0xc6336402, len);
    put16(frame + ETHERNET + 4, id);
    put16(frame + ETHERNET + 6, offset / 8u | (more ? 0x2000u : 0));
    memset(frame + ETHERNET + IPV4, (uint8_t)id, len);
    send(f, frame, (uint32_t)(ETHERNET + IPV4 + len));
}

// ---- Honest mail.

static const struct {
    char from; // 'c' client, 's' server
    uint8_t flags;
    const char *text;
} steps[] = {
    {'c', PACKET_SYN, NULL},
    {'s', PACKET_SYN | PACKET_ACK, NULL},
    {'c', PACKET_ACK, NULL},
    {'s', PACKET_ACK, "220 mx.example ESMTP\r\n"},
    {'c', PACKET_ACK, "EHLO host.example\r\n"},
    {'s', PACKET_ACK, "250-mx.example\r\n250 PIPELINING\r\n"},
    {'c', PACKET_ACK, "MAIL FROM:<a@example.org>\r\n"},
    {'s', PACKET_ACK, "250 2.1.0 Ok\r\n"},
    {'c', PACKET_ACK, "RCPT TO:<b@example.com>\r\nRCPT TO:<c@example.com>\r\n"},
    {'s', PACKET_ACK, "250 2.1.5 Ok\r\n550 5.1.1 No such user\r\n"},
    {'c', PACKET_ACK, "DATA\r\n"},
    {'s', PACKET_ACK, "354 Go ahead\r\n"},
    {'c', PACKET_ACK, "Subject: x\r\n\r\nRCPT TO:<nobody@example.net>\r\n.\r\n"},
    {'s', PACKET_ACK, "250 2.0.0 Ok: queued\r\n"},
    {'c', PACKET_ACK, "QUIT\r\n"},
    {'s', PACKET_ACK, "221 2.0.0 Bye\r\n"},
    {'c', PACKET_ACK | PACKET_FIN, NULL},
    {'s', PACKET_ACK | PACKET_FIN, NULL},
    {'c', PACKET_ACK, NULL},
};

bool flood_mail_step(struct flood *f, struct flood_mail *m)
{
    unsigned dir = steps[m->step].from == 'c' ? 0 : 1;
    uint32_t client = 0x0a010000u | (m->number & 0xffff), server = 0xc6336419;
    uint16_t port = (uint16_t)(20000 + m->number % 40000);
    if (m->step == 0) {
        m->seq[0] = m->number * 2654435761u;
        m->seq[1] = m->number * 40503u;
    }
    const char *text = steps[m->step].text;
    uint8_t flags = steps[m->step].flags;
    flood_tcp(f, &(struct flood_packet){.from = dir ? server : client,
                                        .to = dir ? client : server,
                                        .from_port = dir ? 25 : port,
                                        .to_port = dir ? port : 25,
                                        .flags = flags,
                                        .seq = m->seq[dir],
                                        .ack = m->seq[!dir],
                                        .payload = text,
                                        .piece = text ? m->piece : 0});
    m->seq[dir] += (text ? (uint32_t)strlen(text) : 0) +
                   (flags & (PACKET_SYN | PACKET_FIN) ? 1u : 0);
    return ++m->step < sizeof steps / sizeof steps[0];
}
