// A few places, a few a source, each with TIME_MS to say its request; the oldest goes first, and sources that sensors came from
// have places of their own. A token has 128 bits and is not guessed; who tries waits SLOW_MS for each no.
#include "enroll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/transport.h"
#include "file_watch.h"
#include "places.h"

#define STRANGERS  32
#define KNOWN      32
#define SOURCE_MAX 4
#define CLIENTS    (STRANGERS + KNOWN)
#define TIME_MS    10000
#define SLOW_MS    1000
#define ACCEPT_MAX 16 // at a time
#define HELLO      "POSTERN-ENROLL 1\n"
#define RENEW      "POSTERN-RENEW 1\n"
#define END        "-----END CERTIFICATE REQUEST-----\n"

struct client {
    struct enroll *enroll;
    int fd; // -1: free
    int timer, slow;
    struct tls_peer *tls;
    bool shaken, answered;
    char source[SOURCE_TEXT_MAX];
    struct buf in, out;
};

struct enroll {
    struct loop *loop;
    int fd, days;
    struct registry *registry;
    struct sources *sources;
    struct tls_context *tls; // of the files as they were at `cert`
    struct file_watch cert;
    uint64_t refused, given;
    struct places places;
    struct client client[CLIENTS]; // a place each
};

static char *answer_no(const char *why)
{
    char *text = NULL;
    return asprintf(&text, "NO %s\n", why) < 0 ? NULL : text;
}

// Who enrols is told its domains, in a line that stands where PEM readers pass over it.
static char *answer_ok(const char *pem, const char *ca_path, const struct permit *enrolled)
{
    char own[PERMIT_DOMAINS_TEXT], line[PERMIT_DOMAINS_TEXT + 16] = "";
    if (enrolled && permit_domains(enrolled, own))
        snprintf(line, sizeof line, "Domains: %s\n", own);
    char ca[8192], *text = NULL;
    FILE *f = fopen(ca_path, "re");
    size_t n = f ? fread(ca, 1, sizeof ca - 1, f) : 0;
    if (f)
        fclose(f);
    ca[n] = '\0';
    if (n == 0 || asprintf(&text, "OK\n%s%s%s", line, pem, ca) < 0)
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
static int redeem(struct registry *r, struct span rest, int days, int64_t now_ms, char **pem,
                  const struct permit **enrolled)
{
    char token[REGISTRY_TOKEN_MAX];
    const uint8_t *line = memchr(rest.data, '\n', rest.len);
    size_t len = line ? (size_t)(line - rest.data) : rest.len;
    if (!line || len >= sizeof token)
        return -EACCES;
    memcpy(token, rest.data, len);
    token[len] = '\0';
    return registry_redeem(r, token, span_cut(rest, len + 1, rest.len), days, now_ms, pem,
                           enrolled);
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
    const struct permit *enrolled = NULL;
    int rc = !renews ? redeem(r, rest, days, now_ms, &pem, &enrolled)
             : who   ? registry_renew(r, who, rest, days, now_ms, &pem)
                     : -EACCES;
    *answer = rc == 0 ? answer_ok(pem, registry_files(r).authority, enrolled)
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
    if (c->slow > 0)
        loop_cancel(c->enroll->loop, c->slow);
    tls_peer_free(c->tls);
    close(c->fd);
    buf_fini(&c->in);
    buf_fini(&c->out);
    c->fd = -1;
    places_leave(&c->enroll->places, (size_t)(c - c->enroll->client));
}

static void send_away(struct client *c, enum source_reason why, const char *line, int64_t now_ms)
{
    char text[240];
    snprintf(text, sizeof text, "enrolment: %s", line);
    sources_refuse(c->enroll->sources, c->source, why, 1, text, now_ms);
    drop(c);
}

static void on_timeout(struct loop *l, int64_t now_ms, void *ctx)
{
    (void)l;
    send_away(ctx, SOURCE_late, "no request within 10 s", now_ms);
}

static void on_client(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx);

static void on_slow(struct loop *l, int64_t now_ms, void *ctx)
{
    struct client *c = ctx;
    c->slow = 0;
    on_client(l, c->fd, LOOP_WRITE, now_ms, c);
}

static void note_answer(struct client *c, const char *name, const char *text, int64_t now_ms)
{
    struct enroll *e = c->enroll;
    char line[300];
    if (text[0] == 'O') {
        e->given++;
        log_info("enrolment%s%s: a certificate was given to %s", name ? " of " : "",
                 name ? name : "", c->source);
        return;
    }
    e->refused++;
    snprintf(line, sizeof line, "enrolment%s%s refused: %.*s", name ? " of " : "", name ? name : "",
             (int)strcspn(text + 3, "\n"), text + 3);
    sources_refuse(e->sources, c->source, SOURCE_token, 1, line, now_ms);
    int id = loop_after(e->loop, SLOW_MS, on_slow, c);
    c->slow = id > 0 ? id : 0;
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
    note_answer(c, known ? who.name : NULL, text, now_ms);
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
    if (c->slow > 0)
        return -EINPROGRESS;
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
    places_spoke(&c->enroll->places, (size_t)(c - c->enroll->client));
    int rc = serve(c, now_ms);
    if (rc == -EAGAIN && loop_watch(l, fd, tls_peer_wants(c->tls), on_client, c) == 0)
        return;
    if (rc == -EINPROGRESS && loop_watch(l, fd, 0, NULL, NULL) == 0)
        return; // until it was made to wait
    if (tls_peer_trouble(c->tls) == TLS_TROUBLE_NONE)
        drop(c);
    else
        send_away(c,
                  tls_peer_trouble(c->tls) == TLS_TROUBLE_PROTOCOL ? SOURCE_no_tls
                                                                   : SOURCE_certificate,
                  tls_peer_error(c->tls), now_ms);
}

static struct client *place_for(struct enroll *e, uint64_t source, int64_t now_ms)
{
    bool used;
    size_t i = places_take(&e->places, source, registry_knows_source(e->registry, source), &used);
    struct place taken = e->places.item[i];
    if (used)
        send_away(&e->client[i], SOURCE_gave_way, "it gave its place to a newer one", now_ms);
    e->places.item[i] = taken; // sending away has freed it
    return &e->client[i];
}

// The certificate may be renewed while it runs; one that cannot be read leaves the one in use.
static bool current_context(struct enroll *e, int64_t now_ms)
{
    char error[TLS_TEXT_MAX] = "";
    struct tls_files files = registry_files(e->registry);
    struct tls_context *fresh;
    if (e->tls && !file_watch_look(&e->cert, files.cert))
        return true;
    struct file_version version = file_version_now(files.cert);
    if (tls_context_new(TLS_ENROLLING, &files, &fresh, error) < 0) {
        sources_tell(e->sources, "enrolment", error, now_ms);
        file_watch_refused(&e->cert, -EINVAL);
        return e->tls != NULL;
    }
    tls_context_free(e->tls);
    e->tls = fresh;
    file_watch_took(&e->cert, &version);
    return true;
}

static void admit(struct enroll *e, int fd, const struct sockaddr_storage *a, int64_t now_ms)
{
    char text[SOURCE_TEXT_MAX];
    struct ip_addr ip;
    if (!transport_address_of(a, &ip)) {
        close(fd);
        return;
    }
    uint64_t source = source_of(&ip, text);
    struct client *c = place_for(e, source, now_ms);
    if (!current_context(e, now_ms)) {
        places_leave(&e->places, (size_t)(c - e->client));
        close(fd);
        return;
    }
    *c = (struct client){.enroll = e, .fd = fd, .tls = tls_peer_new(e->tls, fd)};
    snprintf(c->source, sizeof c->source, "%s", text);
    buf_init(&c->in, ENROLL_REQUEST_MAX);
    buf_init(&c->out, 4 * ENROLL_REQUEST_MAX);
    c->timer = loop_after(e->loop, TIME_MS, on_timeout, c);
    if (!c->tls || loop_watch(e->loop, fd, LOOP_READ, on_client, c) < 0)
        drop(c);
}

static void on_connection(struct loop *l, int listening, unsigned events, int64_t now_ms, void *ctx)
{
    (void)l;
    (void)events;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        struct sockaddr_storage a = {0};
        socklen_t len = sizeof a;
        int fd = accept4(listening, (struct sockaddr *)&a, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        admit(ctx, fd, &a, now_ms);
    }
}

struct enroll *enroll_new(struct loop *l, int fd, struct registry *r, struct sources *sources,
                          int days)
{
    struct enroll *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    *e = (struct enroll){.loop = l, .fd = fd, .registry = r, .sources = sources, .days = days};
    for (size_t i = 0; i < CLIENTS; i++)
        e->client[i].fd = -1;
    if (places_init(&e->places, STRANGERS, KNOWN, SOURCE_MAX) == 0 &&
        loop_watch(l, fd, LOOP_READ, on_connection, e) == 0)
        return e;
    places_fini(&e->places);
    free(e);
    return NULL;
}

void enroll_free(struct enroll *e)
{
    if (!e)
        return;
    loop_watch(e->loop, e->fd, 0, NULL, NULL);
    for (size_t i = 0; i < CLIENTS; i++)
        drop(&e->client[i]);
    tls_context_free(e->tls);
    places_fini(&e->places);
    free(e);
}

uint64_t enroll_refused(const struct enroll *e)
{
    return e->refused;
}
