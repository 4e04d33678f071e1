// One try at a time, an hour between two; a new certificate is tried against key and authority before it takes its place.
#include "renew.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/tls_peer.h"
#include "common/transport.h"

#define TRY_MS     10000
#define PAUSE_MS   (60 * 60 * 1000)
#define ANSWER_MAX 32768
#define CERT_END   "-----END CERTIFICATE-----\n"

struct renew {
    struct loop *loop;
    char cert[512], key[512], ca[512];
    struct transport_peer peer;
    int address_error; // 0: `peer` is known
    int fd;            // -1: no try under way
    struct tls_peer *tls;
    bool shaken, fresh;
    struct buf out, in;
    int64_t since_ms, next_ms;
    uint64_t count;
    char trouble[200];
};

static int read_address(const char *folder, struct transport_address *out)
{
    char path[512], line[300] = "";
    snprintf(path, sizeof path, "%s/" RENEW_ADDRESS_FILE, folder);
    FILE *f = fopen(path, "re");
    if (!f)
        return -errno;
    if (!fgets(line, sizeof line, f))
        line[0] = '\0';
    fclose(f);
    line[strcspn(line, "\r\n")] = '\0';
    return transport_address_parse(line, out) < 0 || out->kind != TRANSPORT_TLS ? -EINVAL : 0;
}

uint16_t renew_port(const char *folder)
{
    struct transport_address a;
    return read_address(folder, &a) == 0 ? (uint16_t)strtoul(a.port, NULL, 10) : 0;
}

static int find_address(struct renew *r, const char *folder)
{
    struct transport_address a;
    int rc = read_address(folder, &a);
    return rc < 0 ? rc : transport_resolve(&a, false, &r->peer);
}

struct renew *renew_new(struct loop *l, const char *folder)
{
    struct renew *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->loop = l;
    r->fd = -1;
    buf_init(&r->in, ANSWER_MAX);
    buf_init(&r->out, ANSWER_MAX);
    snprintf(r->cert, sizeof r->cert, "%s/cert.pem", folder);
    snprintf(r->key, sizeof r->key, "%s/key.pem", folder);
    snprintf(r->ca, sizeof r->ca, "%s/ca.pem", folder);
    r->address_error = find_address(r, folder);
    return r;
}

static void hang_up(struct renew *r)
{
    if (r->fd < 0)
        return;
    loop_watch(r->loop, r->fd, 0, NULL, NULL);
    tls_peer_free(r->tls);
    close(r->fd);
    r->fd = -1;
    r->tls = NULL;
    buf_clear(&r->in);
    buf_clear(&r->out);
}

void renew_free(struct renew *r)
{
    if (!r)
        return;
    hang_up(r);
    buf_fini(&r->in);
    buf_fini(&r->out);
    free(r);
}

static void fail(struct renew *r, const char *why)
{
    snprintf(r->trouble, sizeof r->trouble, "%s", why);
    log_warning("the certificate could not be renewed: %s; tried again in an hour", r->trouble);
    hang_up(r);
}

// ---- The answer

int renew_write(const char *path, struct span content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, content.data, content.len);
    int rc = n == (ssize_t)content.len ? 0 : n < 0 ? -errno : -EIO;
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    close(fd);
    return rc;
}

// "OK\n", this sensor's certificate, the authority's.
static void keep(struct renew *r)
{
    char fresh[520], error[TLS_TEXT_MAX] = "";
    struct tls_context *context = NULL;
    struct span s = span_cut(buf_span(&r->in), 3, r->in.len);
    const uint8_t *end = s.len > 0 ? memmem(s.data, s.len, CERT_END, strlen(CERT_END)) : NULL;
    snprintf(fresh, sizeof fresh, "%s.new", r->cert);
    struct tls_files files = {.cert = fresh, .key = r->key, .authority = r->ca};
    int rc = end ? renew_write(fresh, span_cut(s, 0, (size_t)(end - s.data) + strlen(CERT_END)))
                 : -EBADMSG;
    if (rc == 0)
        rc = tls_context_new(TLS_CLIENT, &files, &context, error);
    tls_context_free(context);
    if (rc == 0 && rename(fresh, r->cert) < 0)
        rc = -errno;
    if (rc < 0) {
        fail(r, error[0] ? error : strerror(-rc));
        unlink(fresh);
        return;
    }
    log_info("%s: the certificate was renewed", r->cert);
    r->count++;
    r->fresh = true;
    r->trouble[0] = '\0';
    hang_up(r);
}

static void judge(struct renew *r)
{
    char why[160];
    const struct buf *a = &r->in;
    if (a->len >= 3 && memcmp(a->data, "OK\n", 3) == 0) {
        keep(r);
        return;
    }
    size_t len = a->len > 4 ? a->len - 4 : 0; // "NO reason\n"
    snprintf(why, sizeof why, "the collector refused: %.*s", (int)(len < 120 ? len : 120),
             len > 0 ? (const char *)a->data + 3 : "no answer");
    fail(r, why);
}

// ---- The connection

// 0; -EAGAIN; 1: the other side ended, the answer is whole; negative errno.
static int talk(struct renew *r)
{
    uint8_t octet[4096];
    int rc = r->shaken ? 0 : tls_peer_handshake(r->tls);
    if (rc < 0)
        return rc;
    r->shaken = true;
    while (r->out.len > 0) {
        ssize_t n = tls_peer_write(r->tls, buf_span(&r->out));
        if (n < 0)
            return (int)n;
        buf_consume(&r->out, (size_t)n);
    }
    for (;;) {
        ssize_t n = tls_peer_read(r->tls, octet, sizeof octet);
        if (n <= 0)
            return n == 0 ? 1 : (int)n;
        buf_bytes(&r->in, octet, (size_t)n);
        if (r->in.failed)
            return -EMSGSIZE;
    }
}

static void on_socket(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    struct renew *r = ctx;
    (void)now_ms;
    (void)events;
    int rc = talk(r);
    if (rc == -EAGAIN)
        rc = loop_watch(l, fd, tls_peer_wants(r->tls), on_socket, r) < 0 ? -EIO : -EAGAIN;
    if (rc == -EAGAIN)
        return;
    const char *why = tls_peer_error(r->tls);
    if (rc == 1 || r->in.len > 0)
        judge(r);
    else
        fail(r, why ? why : strerror(-rc));
}

static int connect_to(struct renew *r, char error[static TLS_TEXT_MAX])
{
    struct tls_context *context = NULL;
    struct tls_files files = {.cert = r->cert, .key = r->key, .authority = r->ca};
    int rc = tls_context_new(TLS_CLIENT, &files, &context, error);
    if (rc == 0 && (rc = transport_connect(&r->peer, &r->fd)) < 0)
        r->fd = -1;
    if (rc == 0 && !(r->tls = tls_peer_new(context, r->fd)))
        rc = -ENOMEM;
    tls_context_free(context);
    return rc == 0 ? loop_watch(r->loop, r->fd, LOOP_READ | LOOP_WRITE, on_socket, r) : rc;
}

static void begin(struct renew *r, int64_t now_ms)
{
    char *pem = NULL, error[TLS_TEXT_MAX] = "";
    r->since_ms = now_ms;
    r->next_ms = now_ms + PAUSE_MS;
    r->shaken = false;
    int rc = r->address_error;
    if (rc < 0) {
        fail(r, rc == -ENOENT ? "sensor.tls does not say where it was enrolled; enrol it again"
                              : "where the sensor was enrolled cannot be found");
        return;
    }
    // The authority knows the sensor's name: the request's does not count.
    rc = tls_cert_request_again(r->key, "postern-sensor", &pem);
    if (rc == 0) {
        buf_text(&r->out, "POSTERN-RENEW 1\n");
        buf_text(&r->out, pem);
        rc = connect_to(r, error);
    }
    free(pem);
    if (rc < 0)
        fail(r, error[0] ? error : strerror(-rc));
}

bool renew_tick(struct renew *r, bool due, int64_t now_ms)
{
    bool fresh = r->fresh;
    r->fresh = false;
    if (r->fd >= 0 && now_ms - r->since_ms > TRY_MS)
        fail(r, "no answer within 10 s");
    // The wall clock may have been set back.
    if (r->next_ms > now_ms + PAUSE_MS)
        r->next_ms = now_ms;
    if (due && !fresh && r->fd < 0 && now_ms >= r->next_ms)
        begin(r, now_ms);
    return fresh;
}

uint64_t renew_count(const struct renew *r)
{
    return r->count;
}

const char *renew_trouble(const struct renew *r)
{
    return r->trouble[0] ? r->trouble : NULL;
}
