// At most CLIENTS_MAX connections, each with TIME_MS to say its request. A token has 128 bits: it is not
// guessed, and needs no other brake.
#include "enroll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"

#define CLIENTS_MAX 16
#define TIME_MS     10000
#define HELLO       "POSTERN-ENROLL 1\n"
#define RENEW       "POSTERN-RENEW 1\n"
#define END         "-----END CERTIFICATE REQUEST-----\n"

struct client {
    struct enroll *enroll;
    int fd; // -1: free
    int timer;
    struct tls_peer *tls;
    bool shaken, answered;
    struct buf in, out;
};

struct enroll {
    struct loop *loop;
    int fd, days;
    struct registry *registry;
    uint64_t refused, given;
    struct client client[CLIENTS_MAX];
};

static char *answer_no(const char *why)
{
    char *text = NULL;
    return asprintf(&text, "NO %s\n", why) < 0 ? NULL : text;
}

static char *answer_ok(const char *pem, const char *ca_path)
{
    char ca[8192], *text = NULL;
    FILE *f = fopen(ca_path, "re");
    size_t n = f ? fread(ca, 1, sizeof ca - 1, f) : 0;
    if (f)
        fclose(f);
    ca[n] = '\0';
    if (n == 0 || asprintf(&text, "OK\n%s%s", pem, ca) < 0)
        return NULL;
    return text;
}

static const char *refusal(int rc, bool renews)
{
    switch (-rc) {
    case EACCES:
        return renews ? "the certificate was revoked, or replaced by an enrolment"
                      : "the token is not known: it was used, or replaced by a newer one";
    case ETIMEDOUT: return "the token is older than a day; ask for a new one";
    case EINVAL: return "the certificate request is broken";
    default: return "the collector cannot write its list of sensors";
    }
}

// Does the request begin with `hello`, as far as it is there?
static bool begins(struct span request, const char *hello)
{
    size_t len = strlen(hello), known = request.len < len ? request.len : len;
    return known == 0 || memcmp(request.data, hello, known) == 0;
}

// The token's line, then the certificate request.
static int redeem(struct registry *r, struct span rest, int days, int64_t now_ms, char **pem)
{
    char token[REGISTRY_TOKEN_MAX];
    const uint8_t *line = memchr(rest.data, '\n', rest.len);
    size_t len = line ? (size_t)(line - rest.data) : rest.len;
    if (!line || len >= sizeof token)
        return -EACCES;
    memcpy(token, rest.data, len);
    token[len] = '\0';
    return registry_redeem(r, token, span_cut(rest, len + 1, rest.len), days, now_ms, pem);
}

int enroll_answer(struct registry *r, struct span request, const struct tls_identity *who, int days,
                  int64_t now_ms, char **answer)
{
    bool renews = begins(request, RENEW);
    if (!renews && !begins(request, HELLO)) {
        *answer = answer_no("this is where sensors are enrolled");
        return *answer ? 1 : -ENOMEM;
    }
    struct span rest = span_cut(request, strlen(renews ? RENEW : HELLO), request.len);
    if (rest.len == 0 || !memmem(rest.data, rest.len, END, strlen(END))) {
        if (request.len < ENROLL_REQUEST_MAX)
            return 0;
        *answer = answer_no("the request is too long");
        return *answer ? 1 : -ENOMEM;
    }
    char *pem = NULL;
    int rc = !renews ? redeem(r, rest, days, now_ms, &pem)
             : who   ? registry_renew(r, who, rest, days, now_ms, &pem)
                     : -EACCES;
    *answer = rc == 0 ? answer_ok(pem, registry_files(r).authority)
                      : answer_no(refusal(rc, renews));
    free(pem);
    return *answer ? 1 : -ENOMEM;
}

// ---- Connections

static void drop(struct client *c)
{
    if (c->fd < 0)
        return;
    loop_watch(c->enroll->loop, c->fd, 0, NULL, NULL);
    loop_cancel(c->enroll->loop, c->timer);
    tls_peer_free(c->tls);
    close(c->fd);
    buf_fini(&c->in);
    buf_fini(&c->out);
    c->fd = -1;
}

static void on_timeout(struct loop *l, int64_t now_ms, void *ctx)
{
    (void)l;
    (void)now_ms;
    drop(ctx);
}

static int answer(struct client *c, int64_t now_ms)
{
    char *text;
    struct tls_identity who;
    bool known = tls_peer_identity(c->tls, &who);
    int rc = enroll_answer(c->enroll->registry, buf_span(&c->in), known ? &who : NULL,
                           c->enroll->days, now_ms, &text);
    if (rc <= 0)
        return rc;
    bool given = text[0] == 'O';
    c->enroll->given += given;
    c->enroll->refused += !given;
    log_info("enrolment%s%s: %s", known ? " of " : "", known ? who.name : "",
             given ? "a certificate was given" : "refused");
    buf_text(&c->out, text);
    free(text);
    c->answered = true;
    return 0;
}

static int serve(struct client *c, int64_t now_ms)
{
    uint8_t octet[2048];
    int rc = c->shaken ? 0 : tls_peer_handshake(c->tls);
    if (rc < 0)
        return rc;
    c->shaken = true;
    while (!c->answered) {
        ssize_t n = tls_peer_read(c->tls, octet, sizeof octet);
        if (n <= 0)
            return n == 0 ? -ECONNRESET : (int)n;
        buf_bytes(&c->in, octet, (size_t)n);
        rc = c->in.failed ? -EMSGSIZE : answer(c, now_ms);
        if (rc < 0)
            return rc;
    }
    while (c->out.len > 0) {
        ssize_t n = tls_peer_write(c->tls, buf_span(&c->out));
        if (n < 0)
            return (int)n;
        buf_consume(&c->out, (size_t)n);
    }
    return 0;
}

static void on_client(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    struct client *c = ctx;
    (void)events;
    int rc = serve(c, now_ms);
    if (rc == -EAGAIN)
        rc = loop_watch(l, fd, tls_peer_wants(c->tls), on_client, c) < 0 ? -EIO : -EAGAIN;
    if (rc != -EAGAIN)
        drop(c);
}

static struct client *free_client(struct enroll *e)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (e->client[i].fd < 0)
            return &e->client[i];
    return NULL;
}

static void on_connection(struct loop *l, int listening, unsigned events, int64_t now_ms, void *ctx)
{
    struct enroll *e = ctx;
    char error[TLS_TEXT_MAX] = "";
    struct tls_files files = registry_files(e->registry);
    struct tls_context *tls = NULL;
    (void)events;
    (void)now_ms;
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct client *c = free_client(e);
    if (!c || tls_context_new(TLS_ENROLLING, &files, &tls, error) < 0) {
        if (error[0])
            log_warning("enrolment: %s", error);
        close(fd);
        return;
    }
    *c = (struct client){.enroll = e, .fd = fd, .tls = tls_peer_new(tls, fd)};
    buf_init(&c->in, ENROLL_REQUEST_MAX);
    buf_init(&c->out, 4 * ENROLL_REQUEST_MAX);
    tls_context_free(tls);
    c->timer = loop_after(l, TIME_MS, on_timeout, c);
    if (!c->tls || loop_watch(l, fd, LOOP_READ, on_client, c) < 0)
        drop(c);
}

struct enroll *enroll_new(struct loop *l, int fd, struct registry *r, int days)
{
    struct enroll *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    *e = (struct enroll){.loop = l, .fd = fd, .registry = r, .days = days};
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        e->client[i].fd = -1;
    if (loop_watch(l, fd, LOOP_READ, on_connection, e) == 0)
        return e;
    free(e);
    return NULL;
}

void enroll_free(struct enroll *e)
{
    if (!e)
        return;
    loop_watch(e->loop, e->fd, 0, NULL, NULL);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        drop(&e->client[i]);
    free(e);
}

uint64_t enroll_refused(const struct enroll *e)
{
    return e->refused;
}
