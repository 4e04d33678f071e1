// One connection at a time. What is read from the spool is encoded anew for the connection, for templates are told once in each;
// a queue remembers which blocks are on their way. Certificates are read at each connection, so new ones need no restart.
#include "sender.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/ipfix.h"
#include "common/log.h"
#include "common/tls_peer.h"
#include "renew.h"

#define MESSAGE_OCTETS 16384
#define OUT_OCTETS     (256 * 1024) // encoded, waiting for the socket
#define OUT_MAX        (4 * 1024 * 1024)
#define TICK_MS        250
#define BACKOFF_MIN_MS 250
#define BACKOFF_MAX_MS 30000
#define CONNECT_MAX_MS 10000
#define ACK_MAX_MS     30000

struct sent { // a block on its way
    uint32_t domain, records;
    uint64_t epoch, last, segment, end; // end: ordinal behind it
};

struct sender {
    struct loop *loop;
    struct sender_options options;
    struct transport_address address;
    struct transport_peer peer;
    struct spool *spool;
    struct spool_reader *reader;
    struct ipfix_encoder *encoder; // of the connection and domain
    uint32_t domain;
    struct ipfix_decoder *decoder; // of the spool's messages
    struct buf out;
    struct sent *queue; // ring, the oldest at `head`
    size_t head, count, cap;
    uint64_t acked_end, sent_end,
        read_end; // ordinals; read_end: the spool was read to its end there
    enum sender_state state;
    int fd, timer;
    struct tls_peer *tls;
    struct transport_ack_reader acks;
    int64_t since_ms; // of the state
    int64_t heard_ms; // last acknowledgement, or when one began to be owed
    int64_t retry_ms;
    int64_t backoff_ms;
    int64_t expiry_ms, renewal_ms; // of the certificate; 0: none
    struct renew *renew;           // NULL: not by this one
    int read_error;                // of the spool
    char trouble[200];             // why there is no connection
    struct sender_stats stats;
};

static void on_socket(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx);

// ---- Queue

static bool push(struct sender *s, const struct sent *block)
{
    if (s->count == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 256;
        struct sent *more = calloc(cap, sizeof *more);
        if (!more)
            return false;
        for (size_t i = 0; i < s->count; i++)
            more[i] = s->queue[(s->head + i) % s->cap];
        free(s->queue);
        s->queue = more;
        s->head = 0;
        s->cap = cap;
    }
    s->queue[(s->head + s->count++) % s->cap] = *block;
    return true;
}

static void on_ack(void *ctx, const struct transport_ack *a)
{
    struct sender *s = ctx;
    uint64_t segment = 0;
    while (s->count > 0) {
        const struct sent *b = &s->queue[s->head];
        if (b->domain != a->domain || b->epoch != a->epoch || b->last > a->sequence)
            break;
        segment = b->segment;
        s->acked_end = b->end;
        s->stats.acknowledged += b->records;
        s->head = (s->head + 1) % s->cap;
        s->count--;
    }
    // All of a segment is acknowledged when something behind it is.
    if (segment > 1)
        spool_remove(s->spool, segment - 1);
}

// ---- Connection

static int64_t jitter(int64_t ms)
{
    uint32_t r = 0;
    if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r)
        r = UINT32_MAX / 2;
    return ms / 2 + ms * (int64_t)(r >> 16) / 2 / 65536;
}

static void drop(struct sender *s, const char *reason, int64_t now_ms)
{
    char why[sizeof s->trouble];
    snprintf(why, sizeof why, "%s", reason); // it may be the peer's
    if (s->fd >= 0) {
        loop_watch(s->loop, s->fd, 0, NULL, NULL);
        tls_peer_free(s->tls);
        close(s->fd);
        s->fd = -1;
        s->tls = NULL;
    }
    if (s->state == SENDER_OPEN)
        s->stats.lost++;
    else
        s->stats.connect_failures++;
    if (strcmp(s->trouble, why) != 0)
        log_warning("collector %s: %s; records wait in the spool", s->options.collector, why);
    memcpy(s->trouble, why, sizeof why);
    s->state = SENDER_WAITING;
    s->retry_ms = now_ms + jitter(s->backoff_ms);
    s->backoff_ms = 2 * s->backoff_ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : 2 * s->backoff_ms;
}

static int make_context(struct sender *s, struct tls_context **out, char error[static TLS_TEXT_MAX])
{
    char cert[512], key[512], ca[512];
    *out = NULL;
    if (s->address.kind != TRANSPORT_TLS)
        return 0;
    snprintf(cert, sizeof cert, "%s/cert.pem", s->options.tls);
    snprintf(key, sizeof key, "%s/key.pem", s->options.tls);
    snprintf(ca, sizeof ca, "%s/ca.pem", s->options.tls);
    struct tls_files files = {.cert = cert, .key = key, .authority = ca};
    int rc = tls_context_new(TLS_CLIENT, &files, out, error);
    if (rc == 0) {
        s->expiry_ms = tls_context_expiry(*out);
        s->renewal_ms = tls_context_renewal(*out);
    }
    return rc;
}

static void begin_connection(struct sender *s, int64_t now_ms)
{
    struct tls_context *context = NULL;
    char error[TLS_TEXT_MAX] = "";
    s->state = SENDER_CONNECTING;
    s->since_ms = now_ms;
    if (make_context(s, &context, error) < 0) {
        drop(s, error, now_ms);
        return;
    }
    int rc = transport_connect(&s->peer, &s->fd);
    if (rc < 0) {
        s->fd = -1;
        tls_context_free(context);
        drop(s, strerror(-rc), now_ms);
        return;
    }
    s->tls = tls_peer_new(context, s->fd);
    tls_context_free(context);
    rc = s->tls ? loop_watch(s->loop, s->fd, LOOP_READ | LOOP_WRITE, on_socket, s) : -ENOMEM;
    if (rc < 0)
        drop(s, strerror(-rc), now_ms);
}

static void opened(struct sender *s, int64_t now_ms)
{
    s->state = SENDER_OPEN;
    s->since_ms = s->heard_ms = now_ms;
    s->stats.connections++;
    s->trouble[0] = '\0';
    s->head = s->count = 0;
    s->acks = (struct transport_ack_reader){0};
    buf_clear(&s->out);
    if (s->encoder)
        ipfix_encoder_reset(s->encoder);
    s->read_end = UINT64_MAX;
    spool_reader_rewind(s->reader);
    log_info("collector %s: connected", s->options.collector);
}

// ---- Sending

static void end_message(struct sender *s)
{
    struct span m = ipfix_encoder_take(s->encoder);
    buf_bytes(&s->out, m.data, m.len);
}

static void encode(struct sender *s, struct span payload)
{
    struct record r;
    ipfix_decoder_reset(s->decoder);
    while (payload.len > 0) {
        payload = span_cut(payload, ipfix_decoder_feed(s->decoder, payload), payload.len);
        while (ipfix_decoder_next(s->decoder, &r) == 1) {
            if (ipfix_encoder_put(s->encoder, &r) == -ENOBUFS) {
                end_message(s);
                ipfix_encoder_put(s->encoder, &r);
            }
        }
    }
    end_message(s);
}

// An encoder is of one domain; the spool of a sensor that got another number may hold both.
static bool use_domain(struct sender *s, uint32_t domain)
{
    if (s->encoder && s->domain == domain)
        return true;
    ipfix_encoder_free(s->encoder);
    s->encoder = ipfix_encoder_new(domain, MESSAGE_OCTETS);
    s->domain = domain;
    return s->encoder != NULL;
}

// Fills the output from the spool. 0, or negative errno.
static int fill(struct sender *s, int64_t now_ms)
{
    while (s->out.len < OUT_OCTETS) {
        struct spool_block b;
        struct span payload;
        int rc = spool_reader_next(s->reader, &b, &payload);
        s->read_error = rc < 0 ? rc : 0;
        if (rc == 0)
            s->read_end = spool_ordinal(s->spool);
        if (rc <= 0)
            return rc;
        struct sent sent = {.domain = b.domain,
                            .epoch = b.epoch,
                            .last = b.last,
                            .segment = b.segment,
                            .records = b.records,
                            .end = b.ordinal + b.records};
        if (b.kind != SPOOL_RECORDS || b.records == 0 || sent.end <= s->acked_end)
            continue;
        if (s->count == 0)
            s->heard_ms = now_ms;
        if (!use_domain(s, b.domain) || !push(s, &sent))
            return -ENOMEM;
        encode(s, payload);
        s->stats.records += b.records;
        if (sent.end <= s->sent_end)
            s->stats.resent += b.records;
        else
            s->sent_end = sent.end;
        if (s->out.failed)
            return -ENOMEM;
    }
    return 0;
}

static int flush(struct sender *s)
{
    while (s->out.len > 0) {
        ssize_t n = tls_peer_write(s->tls, buf_span(&s->out));
        if (n < 0)
            return (int)n;
        s->stats.octets += (uint64_t)n;
        buf_consume(&s->out, (size_t)n);
    }
    return 0;
}

static void send_more(struct sender *s, int64_t now_ms)
{
    int rc;
    // A few rounds at a time: capture comes first.
    for (int round = 0; round < 4; round++) {
        rc = fill(s, now_ms);
        if (rc == 0)
            rc = flush(s);
        if (rc < 0 || s->out.len > 0)
            break;
    }
    if (rc < 0 && rc != -EAGAIN) {
        drop(s, strerror(-rc), now_ms);
        return;
    }
    bool more = rc == -EAGAIN ? tls_peer_wants(s->tls) & LOOP_WRITE : s->out.len > 0;
    loop_watch(s->loop, s->fd, LOOP_READ | (more ? LOOP_WRITE : 0u), on_socket, s);
}

static bool read_acks(struct sender *s, int64_t now_ms)
{
    uint8_t octet[4096];
    for (;;) {
        ssize_t n = tls_peer_read(s->tls, octet, sizeof octet);
        if (n == -EAGAIN)
            return true;
        if (n <= 0) {
            const char *why = tls_peer_error(s->tls);
            drop(s,
                 why      ? why
                 : n == 0 ? "the collector closed the connection"
                          : strerror((int)-n),
                 now_ms);
            return false;
        }
        s->heard_ms = now_ms;
        s->backoff_ms = BACKOFF_MIN_MS;
        if (transport_ack_feed(&s->acks, span_of(octet, (size_t)n), on_ack, s) < 0) {
            drop(s, "what came back is no acknowledgement; is this the collector?", now_ms);
            return false;
        }
    }
}

static void shake_hands(struct sender *s, int64_t now_ms)
{
    int rc = tls_peer_handshake(s->tls);
    if (rc == 0) {
        opened(s, now_ms);
        send_more(s, now_ms);
    } else if (rc == -EAGAIN) {
        loop_watch(s->loop, s->fd, tls_peer_wants(s->tls), on_socket, s);
    } else {
        const char *why = tls_peer_error(s->tls);
        drop(s, why ? why : strerror(-rc), now_ms);
    }
}

static void on_socket(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    struct sender *s = ctx;
    (void)l;
    (void)fd;
    (void)events;
    if (s->state == SENDER_CONNECTING) {
        int error = 0;
        socklen_t len = sizeof error;
        getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error != 0)
            drop(s, strerror(error), now_ms);
        else
            shake_hands(s, now_ms);
        return;
    }
    if (read_acks(s, now_ms))
        send_more(s, now_ms);
}

// The connection goes on; the next one shows the new certificate.
static void renew(struct sender *s, int64_t now_ms)
{
    struct tls_context *context;
    char error[TLS_TEXT_MAX];
    bool due = s->renewal_ms != 0 && now_ms >= s->renewal_ms;
    if (s->renew && renew_tick(s->renew, due, now_ms) && make_context(s, &context, error) == 0)
        tls_context_free(context);
}

static void on_tick(struct loop *l, int64_t now_ms, void *ctx)
{
    struct sender *s = ctx;
    (void)l;
    renew(s, now_ms);
    // The wall clock may have been set back.
    if (s->retry_ms > now_ms + BACKOFF_MAX_MS)
        s->retry_ms = now_ms;
    if (s->state == SENDER_WAITING && now_ms >= s->retry_ms)
        begin_connection(s, now_ms);
    else if (s->state == SENDER_CONNECTING && now_ms - s->since_ms > CONNECT_MAX_MS)
        drop(s, "no connection within 10 s", now_ms);
    else if (s->state == SENDER_OPEN && s->count > 0 && now_ms - s->heard_ms > ACK_MAX_MS)
        drop(s, "nothing acknowledged for 30 s", now_ms);
    else
        sender_wake(s, now_ms);
}

void sender_wake(struct sender *s, int64_t now_ms)
{
    if (s->state == SENDER_OPEN && s->out.len < OUT_OCTETS)
        send_more(s, now_ms);
}

// ---- Whole

int sender_open(struct loop *l, const struct sender_options *options, struct spool *spool,
                struct sender **out, char error[static 200])
{
    struct sender *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->loop = l;
    s->options = *options;
    s->spool = spool;
    s->fd = -1;
    s->read_end = UINT64_MAX;
    s->backoff_ms = BACKOFF_MIN_MS;
    buf_init(&s->out, OUT_MAX);
    int rc = transport_address_parse(options->collector, &s->address);
    if (rc < 0)
        snprintf(error, 200, "%s is no address; write HOST:PORT or unix:/PATH", options->collector);
    if (rc == 0 && s->address.kind == TRANSPORT_TLS && !options->tls) {
        snprintf(error, 200, "sensor.tls is missing; enrol the sensor, see postern-sensor(8)");
        rc = -EINVAL;
    }
    if (rc == 0 && (rc = transport_resolve(&s->address, false, &s->peer)) < 0)
        snprintf(error, 200, "%s: the name is not known; use an address", options->collector);
    if (rc == 0) {
        s->reader = spool_reader_new(spool);
        s->decoder = ipfix_decoder_new();
        rc = s->reader && s->decoder ? 0 : -ENOMEM;
    }
    if (rc == 0 && options->renews && s->address.kind == TRANSPORT_TLS &&
        !(s->renew = renew_new(l, options->tls)))
        rc = -ENOMEM;
    if (rc == 0 && (s->timer = loop_every(l, TICK_MS, on_tick, s)) < 0)
        rc = s->timer;
    if (rc < 0) {
        if (rc == -ENOMEM)
            snprintf(error, 200, "out of memory");
        sender_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void sender_close(struct sender *s)
{
    if (!s)
        return;
    if (s->fd >= 0) {
        loop_watch(s->loop, s->fd, 0, NULL, NULL);
        tls_peer_free(s->tls);
        close(s->fd);
    }
    if (s->timer > 0)
        loop_cancel(s->loop, s->timer);
    renew_free(s->renew);
    spool_reader_free(s->reader);
    ipfix_encoder_free(s->encoder);
    ipfix_decoder_free(s->decoder);
    buf_fini(&s->out);
    free(s->queue);
    free(s);
}

bool sender_drained(const struct sender *s)
{
    return s->count == 0 && s->out.len == 0 && s->read_end == spool_ordinal(s->spool);
}

enum sender_state sender_state(const struct sender *s)
{
    return s->state;
}

const struct sender_stats *sender_stats(const struct sender *s)
{
    return &s->stats;
}

void sender_status(const struct sender *s, struct control_status *out, int64_t now_ms)
{
    const struct spool_stats *p = spool_stats(s->spool);
    char text[300];
    control_status_counter(out, "sent_records", s->stats.records);
    control_status_counter(out, "sent_again", s->stats.resent);
    control_status_counter(out, "acknowledged", s->stats.acknowledged);
    control_status_counter(out, "sent_octets", s->stats.octets);
    control_status_counter(out, "connections", s->stats.connections);
    control_status_counter(out, "connections_failed", s->stats.connect_failures);
    control_status_counter(out, "connections_lost", s->stats.lost);
    control_status_counter(out, "spool_octets", p->octets);
    control_status_counter(out, "spool_bad_blocks", p->bad_blocks);
    control_status_counter(out, "spool_torn_octets", p->torn_octets);
    control_status_counter(out, "spool_failures", p->failures);
    if (s->state != SENDER_OPEN && s->trouble[0]) {
        snprintf(text, sizeof text, "no connection to the collector %s: %s", s->options.collector,
                 s->trouble);
        control_status_problem(out, 1, "collector", text,
                               "see whether postern-collector runs there and the link is up");
    }
    if (s->read_error < 0)
        control_status_problem(out, 1, "spool-read", "the spool cannot be read",
                               "see whether the disk of sensor.spool is sound");
    if (s->renew)
        control_status_counter(out, "certificates_renewed", renew_count(s->renew));
    if (s->renew && s->expiry_ms != 0 && now_ms >= s->renewal_ms && renew_trouble(s->renew)) {
        snprintf(text, sizeof text, "this sensor's certificate ends in %lld days: %s",
                 (long long)((s->expiry_ms - now_ms) / 86400000), renew_trouble(s->renew));
        control_status_problem(out, 1, "certificate", text,
                               "see whether collector.enroll can be reached, or enrol the sensor "
                               "again: postern sensor enroll NAME");
    }
}
