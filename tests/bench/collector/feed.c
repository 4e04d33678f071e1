// A sensor as fast as the collector reads: made-up mail flows of many subscribers over TLS, until the last is acknowledged, and then until
// its minute is in the journal. Prints what that cost the collector's process: it does not judge.
//
//   bench_feed ADDRESS TLS|- SUBSCRIBERS MINUTES FLOWS_A_MINUTE PID
//   bench_feed FILE file SUBSCRIBERS MINUTES FLOWS_A_MINUTE 0: the same records into a file, always the same octets
//
// The first two minutes are not measured: tables and pools are filled then, once.
//
// A record is 250 octets on average and has four keyed hashes: recipient, sender, sender's domain and HELO name, each of its own
// value. Of fifty subscribers 21 speak TLS to a submission port behind STARTTLS: their records carry a TLS part too. 29 speak
// in clear, half of them to a submission port, half to an MX.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/ipfix.h"
#include "common/loop.h"
#include "common/tls_peer.h"
#include "common/transport.h"

#define T0     INT64_C(1795326720000)
#define WARM_S 120

struct feed {
    struct record_writer *file; // in the place of what follows
    struct ipfix_encoder *encoder;
    struct tls_peer *tls;
    int fd;
    struct transport_ack_reader acks;
    struct record_id id;
    uint64_t acknowledged, octets;
};

struct plan { // of what is sent
    uint64_t subscribers, seconds, flows_a_second;
    long pid; // of the collector
};

struct cost { // what the collector's process used, and when
    double cpu_s;
    int64_t at_ms;
    uint64_t records;
};

static uint64_t state = 1;

static uint64_t next(void)
{
    uint64_t n = state += 0x9e3779b97f4a7c15u;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9u;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
    return n ^ (n >> 31);
}

static struct ip_addr address(uint8_t first, uint64_t n)
{
    uint8_t o[4] = {first, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    return ip_from_v4(o);
}

static void make_tls(struct record_flow *f)
{
    f->groups |= RECORD_HAS_TLS;
    f->smtp.starttls = f->smtp.starttls_ok = 1;
    f->smtp.starttls_state = RECORD_STARTTLS_ACCEPTED;
    f->tls.alert = 255;
    f->tls.handshake_done = true;
    f->tls.version = 0x304;
    f->tls.application_octets[0] = 4000;
    snprintf(f->tls.ja4, sizeof f->tls.ja4, "t13d1516h2_8daaf6152771_b186095e22b6");
    snprintf(f->tls.sni_domain, sizeof f->tls.sni_domain, "mail%u.example", (unsigned)(next() % 9));
}

static void make_flow(struct record *r, uint64_t subscriber, int64_t t_ms)
{
    struct record_flow *f = &r->flow;
    memset(r, 0, sizeof *r);
    r->version = RECORD_VERSION;
    r->kind = RECORD_FLOW;
    f->flow_hash = next();
    f->ip_proto = 6;
    f->initiator = address(10, subscriber);
    f->responder = address(203, next() % 4000 * 64 + subscriber % 40);
    f->initiator_port = (uint16_t)(1024 + next() % 60000);
    f->responder_port = 587;
    f->side = RECORD_SIDE_INITIATOR;
    f->flags = RECORD_START | RECORD_END | RECORD_OUTCOME;
    f->handshake = RECORD_HANDSHAKE_ESTABLISHED;
    f->app = RECORD_APP_SMTP;
    f->app_source = RECORD_APP_BY_CONTENT;
    f->sampling = 1;
    f->start_ms = f->flow_start_ms = f->end_ms = f->outcome_ms = t_ms;
    f->packets[0] = next() % 100 + 1;
    f->packets[1] = next() % 200;
    f->octets[0] = f->packets[0] * 200;
    f->octets[1] = f->packets[1] * 90;
    f->ttl_min = f->ttl_max = 63;
    f->groups = RECORD_HAS_SMTP;
    f->smtp.banner_code = 220;
    f->smtp.helo = f->smtp.mail = f->smtp.rcpt = f->smtp.rcpt_ok = 1;
    if (subscriber % 50 < 21) {
        make_tls(f);
    } else {
        f->responder_port = subscriber % 2 ? 587 : 25;
        f->smtp.data = f->smtp.messages_ok = f->smtp.quit = 1;
        f->smtp.message_octets = (uint32_t)(next() % 60000);
        f->smtp.quit_seen = true;
    }
    f->hash_count = 4;
    for (uint8_t i = 0; i < 4; i++)
        f->hash[i] = (struct keyed_hash){(uint8_t)(KEYED_HASH_RECIPIENT + i), 1, next()};
}

static void on_ack(void *ctx, const struct transport_ack *a)
{
    struct feed *f = ctx;
    f->acknowledged = a->sequence;
}

static void die(const char *what, int rc)
{
    fprintf(stderr, "bench_feed: %s: %s\n", what, strerror(-rc));
    exit(1);
}

static void await(struct feed *f, unsigned wants)
{
    struct pollfd p = {.fd = f->fd, .events = wants & LOOP_WRITE ? POLLOUT | POLLIN : POLLIN};
    poll(&p, 1, 1000);
}

static void read_acks(struct feed *f)
{
    uint8_t octet[4096];
    ssize_t n;
    while ((n = tls_peer_read(f->tls, octet, sizeof octet)) > 0)
        transport_ack_feed(&f->acks, span_of(octet, (size_t)n), on_ack, f);
    if (n != -EAGAIN)
        die("the collector went away", n == 0 ? -ECONNRESET : (int)n);
}

static void send_message(struct feed *f)
{
    struct span m = ipfix_encoder_take(f->encoder);
    f->octets += m.len;
    while (m.len > 0) {
        ssize_t n = tls_peer_write(f->tls, m);
        if (n > 0) {
            m = span_cut(m, (size_t)n, m.len);
            continue;
        }
        if (n != -EAGAIN)
            die("sending", (int)n);
        read_acks(f);
        await(f, LOOP_WRITE);
    }
}

static void put(struct feed *f, struct record *r)
{
    f->id.sequence++;
    r->id = f->id;
    int rc = f->file ? record_writer_put(f->file, r) : ipfix_encoder_put(f->encoder, r);
    if (rc == -ENOBUFS && !f->file) {
        send_message(f);
        rc = ipfix_encoder_put(f->encoder, r);
    }
    if (rc < 0)
        die(record_check(r) ? record_check(r) : "writing", rc);
}

static void connect_to(struct feed *f, const char *text, const char *folder)
{
    char cert[300], key[300], ca[300], error[TLS_TEXT_MAX];
    struct transport_address a;
    struct transport_peer p;
    struct tls_context *c = NULL;
    int rc = transport_address_parse(text, &a);
    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(ca, sizeof ca, "%s/ca.pem", folder);
    struct tls_files files = {.cert = cert, .key = key, .authority = ca};
    if (rc == 0 && strcmp(folder, "-") != 0)
        rc = tls_context_new(TLS_CLIENT, &files, &c, error);
    if (rc == 0)
        rc = transport_resolve(&a, false, &p);
    if (rc == 0)
        rc = transport_connect(&p, &f->fd);
    if (rc < 0)
        die(text, rc);
    f->tls = tls_peer_new(c, f->fd);
    await(f, LOOP_WRITE);
    while ((rc = tls_peer_handshake(f->tls)) == -EAGAIN)
        await(f, tls_peer_wants(f->tls));
    if (rc < 0)
        die("handshake", rc);
}

// Seconds of CPU the process has used.
static double cpu_of(long pid)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *in = fopen(path, "re");
    if (in && fgets(text, sizeof text, in)) {
        const char *at = strrchr(text, ')');
        for (int field = 3; at && field <= 14; field++)
            at = strchr(at + 1, ' ') ? strchr(at + 1, ' ') : at;
        if (at && sscanf(at, "%lu %lu", &user, &system) != 2)
            user = system = 0;
    }
    if (in)
        fclose(in);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static long memory_of(long pid) // kB, the most there was
{
    char path[64], line[256];
    long kb = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", pid);
    FILE *in = fopen(path, "re");
    while (in && fgets(line, sizeof line, in))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    if (in)
        fclose(in);
    return kb;
}

static struct cost cost_of(const struct feed *f, long pid)
{
    return (struct cost){cpu_of(pid), loop_clock_ms(), f->id.sequence};
}

// All records. What the collector had cost when it was warm.
static struct cost send_all(struct feed *f, const struct plan *p)
{
    struct cost warm = cost_of(f, p->pid);
    struct record r;
    for (uint64_t s = 0, sent = 0; s < p->seconds; s++) {
        if (s == WARM_S)
            warm = cost_of(f, p->pid);
        int64_t t_ms = T0 + (int64_t)s * 1000;
        for (uint64_t i = 0; i < p->flows_a_second; i++, sent++)
            make_flow(&r, sent % p->subscribers, t_ms + (int64_t)(i % 1000)), put(f, &r);
        memset(&r, 0, sizeof r);
        r.version = RECORD_VERSION;
        r.kind = RECORD_COVERAGE;
        r.coverage = (struct coverage){.t_ms = t_ms + 1000, .sensor = "bench", .sampling = 1};
        r.coverage.last = s + 1 == p->seconds;
        put(f, &r);
    }
    return warm;
}

static void feed_live(struct feed *f, const struct plan *p)
{
    long memory = memory_of(p->pid);
    struct cost warm = send_all(f, p);
    send_message(f);
    while (f->acknowledged < f->id.sequence) {
        await(f, LOOP_READ);
        read_acks(f);
    }
    // The last coverage record closed the last minute before it was acknowledged.
    struct cost end = cost_of(f, p->pid);
    double cpu = end.cpu_s - warm.cpu_s, n = (double)(end.records - warm.records);
    double more = (double)(memory_of(p->pid) - memory);
    printf("%8llu subscribers %9.0f records %5.0f octets each: %7.2f s CPU, %8.0f records/s of one "
           "core; %6.2f s wall; %.0f kB more memory, %.0f octets a subscriber\n",
           (unsigned long long)p->subscribers, n, (double)f->octets / (double)f->id.sequence, cpu,
           n / cpu, (double)(end.at_ms - warm.at_ms) / 1000, more,
           more * 1024 / (double)p->subscribers);
}

int main(int argc, char **argv)
{
    if (argc != 7)
        return 64;
    static struct feed f;
    struct plan p = {.subscribers = strtoull(argv[3], NULL, 10),
                     .seconds = strtoull(argv[4], NULL, 10) * 60,
                     .flows_a_second = strtoull(argv[5], NULL, 10) / 60,
                     .pid = strtol(argv[6], NULL, 10)};
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    f.id = (struct record_id){.domain = 1, .epoch = (uint64_t)loop_clock_ms()};
    if (strcmp(argv[2], "file") == 0) {
        f.id.epoch = T0;
        int rc = record_writer_open(argv[1], 1, &f.file);
        if (rc == 0) {
            send_all(&f, &p);
            rc = record_writer_close(f.file);
        }
        if (rc < 0)
            die(argv[1], rc);
        return 0;
    }
    f.encoder = ipfix_encoder_new(1, 16384);
    connect_to(&f, argv[1], argv[2]);
    feed_live(&f, &p);
    return 0;
}
