// libmicrohttpd with an outside event loop: its epoll descriptor is one of ours. An answer that a
// drawing process makes suspends its connection until then.
//
// Who holds a connection without asking is ended: after HEAD_MS when no whole request head came,
// after IDLE_MS between requests, at once and oldest first when places run short. A limit by address
// would be of no use: everybody comes from loopback, through a proxy.
#include "web/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/keyed_hash.h"
#include "common/log.h"
#include "web/http_head.h"

enum {
    CONNECTIONS_MAX = 512,
    CONNECTIONS_AMPLE = CONNECTIONS_MAX * 3 / 4, // from here on who does not ask makes room
    HEAD_MS = 5000,
    IDLE_MS = 15000,
    ANSWER_MS = 60000, // for taking the whole answer
    SILENCE_S = 20,    // libmicrohttpd's own: not an octet either way
    DRAIN_OCTETS = 1 << 18,
};

// A connection, between its beginning and its end; in the order in which they last changed state.
struct http_peer {
    struct http_server *server;
    struct http_peer *older, *newer;
    int fd;
    int64_t since_ms;
    enum peer_state { PEER_NEW, PEER_ASKED, PEER_WAITS, PEER_IDLE, PEER_ENDED } state;
};

struct http_server {
    struct loop *loop;
    struct MHD_Daemon *mhd;
    int listen_fd;
    uint16_t port;
    struct ip_addr address;
    http_fn fn;
    void *ctx;
    int timer, again; // of the loop; 0: none
    int64_t now_ms;   // of the loop's turn that libmicrohttpd runs in
    struct http_peer *oldest, *newest;
    unsigned peers;
};

struct http_exchange {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct MHD_Response *response; // made by http_finish, sent when the connection goes on
    unsigned status;
    bool suspended;
};

const char *http_query(const struct http_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->exchange->connection, MHD_GET_ARGUMENT_KIND, name);
}

static const char *header(const struct http_exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

static void take_out(struct http_peer *p)
{
    struct http_server *s = p->server;
    *(p->older ? &p->older->newer : &s->oldest) = p->newer;
    *(p->newer ? &p->newer->older : &s->newest) = p->older;
    p->older = p->newer = NULL;
}

static void put_newest(struct http_peer *p)
{
    struct http_server *s = p->server;
    p->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = p;
    s->newest = p;
}

static void set_state(struct http_peer *p, enum peer_state state)
{
    if (!p || p->state == PEER_ENDED)
        return;
    take_out(p);
    p->state = state;
    p->since_ms = p->server->now_ms;
    put_newest(p);
}

static struct http_peer *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *i = MHD_get_connection_info(connection,
                                                                MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return i ? i->socket_context : NULL;
}

// libmicrohttpd sees the end of input and closes.
static void end_peer(struct http_peer *p)
{
    p->state = PEER_ENDED;
    shutdown(p->fd, SHUT_RDWR);
}

static void end_overdue(struct http_server *s)
{
    static const int64_t limit_ms[] = {
        [PEER_NEW] = HEAD_MS, [PEER_ASKED] = ANSWER_MS, [PEER_IDLE] = IDLE_MS};
    for (struct http_peer *p = s->oldest; p; p = p->newer) {
        if (p->state == PEER_WAITS || p->state == PEER_ENDED)
            continue;
        if (s->now_ms < p->since_ms) // the wall clock was set back
            p->since_ms = s->now_ms;
        if (s->now_ms - p->since_ms >= limit_ms[p->state])
            end_peer(p);
    }
}

static void make_room(struct http_server *s)
{
    unsigned open = 0;
    for (const struct http_peer *p = s->oldest; p; p = p->newer)
        open += p->state != PEER_ENDED;
    for (struct http_peer *p = s->oldest; p && open > CONNECTIONS_AMPLE; p = p->newer) {
        if (p->state != PEER_NEW && p->state != PEER_IDLE)
            continue;
        end_peer(p);
        open--;
    }
}

// What the other end has sent and nobody will read: closing with it unread would be a reset, which
// can overtake the answer.
static void drain(int fd)
{
    char waste[16384];
    for (int octets = 0; octets < DRAIN_OCTETS;) {
        ssize_t n = recv(fd, waste, sizeof waste, MSG_DONTWAIT);
        if (n <= 0)
            return;
        octets += (int)n;
    }
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **per_connection,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = ctx;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *i = MHD_get_connection_info(
            connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct http_peer *p = i ? calloc(1, sizeof *p) : NULL;
        if (!p)
            return; // libmicrohttpd's own time-out is left
        *p = (struct http_peer){.server = s, .fd = i->connect_fd, .since_ms = s->now_ms};
        put_newest(p);
        *per_connection = p;
        if (++s->peers > CONNECTIONS_AMPLE)
            make_room(s);
        return;
    }
    struct http_peer *p = *per_connection;
    if (!p)
        return;
    drain(p->fd);
    take_out(p);
    s->peers--;
    free(p);
    *per_connection = NULL;
}

static enum MHD_Result look(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    http_head_field(ctx, name, value);
    return MHD_YES;
}

static bool is_framed(struct MHD_Connection *connection)
{
    struct http_head head = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, look, &head);
    return http_head_is_framed(&head);
}

static void add_headers(struct MHD_Response *r, const struct http_answer *a, const char *etag)
{
    char cache[HTTP_HEAD_CACHE_MAX];
    struct http_field field[HTTP_HEAD_FIELDS];
    http_head_answer(a->type, a->max_age_s, etag, cache, field);
    for (size_t i = 0; i < HTTP_HEAD_FIELDS; i++)
        MHD_add_response_header(r, field[i].name, field[i].value);
}

static void make_response(struct http_exchange *x, const struct http_answer *a)
{
    char hash[33], etag[36];
    hash_text(buf_span(&a->body), hash);
    snprintf(etag, sizeof etag, "\"%s\"", hash);
    const char *known = header(x, "If-None-Match");
    bool same = a->status == MHD_HTTP_OK && known && strstr(known, etag);
    x->status = same ? MHD_HTTP_NOT_MODIFIED : a->status;
    x->response = MHD_create_response_from_buffer(same ? 0 : a->body.len, a->body.data,
                                                  MHD_RESPMEM_MUST_COPY);
    if (x->response)
        add_headers(x->response, a, etag);
}

static enum MHD_Result send_response(struct http_exchange *x)
{
    if (!x->response)
        return MHD_NO; // out of memory: the connection is closed
    enum MHD_Result rc = MHD_queue_response(x->connection, x->status, x->response);
    MHD_destroy_response(x->response);
    x->response = NULL;
    return rc;
}

static enum MHD_Result refuse(struct http_exchange *x, unsigned status, const char *text)
{
    struct http_answer a = {.status = status, .type = "text/plain; charset=utf-8"};
    buf_init(&a.body, 1024);
    buf_printf(&a.body, "%s\n", text);
    make_response(x, &a);
    if (x->response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(x->response, "Allow", "GET, HEAD");
    if (x->response && status == MHD_HTTP_BAD_REQUEST) // what follows may be no request
        MHD_add_response_header(x->response, "Connection", "close");
    buf_fini(&a.body);
    return send_response(x);
}

static void on_again(struct loop *l, int64_t now_ms, void *ctx);

// libmicrohttpd's sockets are edge-triggered inside: what it has not got to stands in no event, so it
// runs until it says that it waits.
static void run(struct http_server *s)
{
    enum { TURNS = 64 };
    MHD_UNSIGNED_LONG_LONG wait_ms;
    for (int i = 0; i < TURNS; i++) {
        MHD_run(s->mhd);
        if (MHD_get_timeout(s->mhd, &wait_ms) != MHD_YES || wait_ms > 0)
            return;
    }
    // More to do: let the loop have a turn first.
    if (s->again == 0)
        s->again = loop_after(s->loop, 1, on_again, s);
}

void http_finish(struct http_exchange *x, const struct http_answer *a)
{
    make_response(x, a);
    if (!x->suspended)
        return;
    x->suspended = false;
    set_state(peer_of(x->connection), PEER_ASKED);
    MHD_resume_connection(x->connection);
    run(x->server);
}

static enum MHD_Result answer(struct http_exchange *x, const char *path, int64_t now_ms)
{
    struct http_server *s = x->server;
    struct http_request r = {.path = path, .now_ms = now_ms, .exchange = x};
    struct http_answer a = {.status = MHD_HTTP_OK, .type = "text/html; charset=utf-8"};
    buf_init(&a.body, 8 << 20);
    if (!s->fn(&r, &a, s->ctx)) {
        buf_fini(&a.body);
        if (x->response) // finished before it could wait
            return send_response(x);
        x->suspended = true;
        set_state(peer_of(x->connection), PEER_WAITS);
        MHD_suspend_connection(x->connection);
        return MHD_YES;
    }
    enum MHD_Result rc;
    if (a.body.failed) {
        rc = refuse(x, MHD_HTTP_INTERNAL_SERVER_ERROR, "The page is too large.");
    } else {
        make_response(x, &a);
        rc = send_response(x);
    }
    buf_fini(&a.body);
    return rc;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **per_request)
{
    (void)version;
    (void)upload;
    struct http_exchange *x = *per_request;
    if (!x) {
        x = calloc(1, sizeof *x);
        if (!x)
            return MHD_NO;
        x->server = ctx;
        x->connection = connection;
        *per_request = x;
        set_state(peer_of(connection), PEER_ASKED);
        // Before any body: an answer now makes libmicrohttpd pass it over and close.
        if (!is_framed(connection))
            return refuse(x, MHD_HTTP_BAD_REQUEST, "It is not certain where the request ends.");
        if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
            return refuse(x, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD.");
        return MHD_YES;
    }
    if (x->response)
        return send_response(x); // drawn in the meantime
    if (*upload_size > 0) {
        *upload_size = 0; // the body of a GET means nothing
        return MHD_YES;
    }
    if (!http_head_is_ours(header(x, "Host"), &x->server->address, x->server->port))
        return refuse(x, MHD_HTTP_MISDIRECTED_REQUEST, "This is not the host that was asked for.");
    if (strlen(url) >= HTTP_PATH_MAX)
        return refuse(x, MHD_HTTP_URI_TOO_LONG, "The path is too long.");
    return answer(x, url, x->server->now_ms);
}

static void on_done(void *ctx, struct MHD_Connection *connection, void **per_request,
                    enum MHD_RequestTerminationCode why)
{
    (void)ctx;
    (void)why;
    struct http_exchange *x = *per_request;
    set_state(peer_of(connection), PEER_IDLE);
    if (x && x->response)
        MHD_destroy_response(x->response);
    free(x);
    *per_request = NULL;
}

static int bad_address(char why[static 200], const char *address, const char *text)
{
    snprintf(why, 200, "%s: %s; use an address of this machine such as 127.0.0.1:8025", address,
             text);
    return -EINVAL;
}

static int parse_address(const char *address, struct ip_addr *ip, uint16_t *port,
                         char why[static 200])
{
    const char *colon = strrchr(address, ':');
    char text[IP_TEXT_MAX + 2];
    if (!colon || (size_t)(colon - address) >= sizeof text)
        return bad_address(why, address, "no port");
    snprintf(text, sizeof text, "%.*s", (int)(colon - address), address);
    size_t n = strlen(text);
    bool brackets = n > 2 && text[0] == '[' && text[n - 1] == ']';
    if (brackets)
        text[n - 1] = '\0';
    if (ip_parse(text + brackets, ip) != 0)
        return bad_address(why, address, "is no IP address");
    char *end;
    unsigned long number = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || *end || number == 0 || number > 65535)
        return bad_address(why, address, "the port is no number from 1 to 65535");
    struct ip_prefix v4, v6;
    prefix_parse("127.0.0.0/8", &v4);
    prefix_parse("::1", &v6);
    if (!prefix_contains(&v4, ip) && !prefix_contains(&v6, ip))
        return bad_address(why, address,
                           "is not on loopback; put a proxy with TLS and log-in before it");
    *port = (uint16_t)number;
    return 0;
}

int http_check_address(const char *address, char why[static 200])
{
    struct ip_addr ip;
    uint16_t port;
    return parse_address(address, &ip, &port, why);
}

static int listen_on(struct http_server *s)
{
    int fd = socket(s->address.family == IP_V6 ? AF_INET6 : AF_INET,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(s->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(s->port)};
    memcpy(&v4.sin_addr, s->address.octet, 4);
    memcpy(&v6.sin6_addr, s->address.octet, 16);
    int rc = s->address.family == IP_V6 ? bind(fd, (struct sockaddr *)&v6, sizeof v6)
                                        : bind(fd, (struct sockaddr *)&v4, sizeof v4);
    if (rc != 0 || listen(fd, 128) != 0) {
        rc = -errno;
        close(fd);
        return rc;
    }
    s->listen_fd = fd;
    return 0;
}

int http_open(const char *address, http_fn fn, void *ctx, struct http_server **out,
              char why[static 200])
{
    struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    *s = (struct http_server){.fn = fn, .ctx = ctx, .listen_fd = -1};
    int rc = parse_address(address, &s->address, &s->port, why);
    if (rc == 0 && (rc = listen_on(s)) != 0)
        snprintf(why, 200, "%s: %s; choose another port with --listen or web.listen", address,
                 strerror(-rc));
    if (rc != 0) {
        http_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

static void on_ready(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    (void)l;
    (void)fd;
    (void)events;
    struct http_server *s = ctx;
    s->now_ms = now_ms;
    run(s);
}

static void on_tick(struct loop *l, int64_t now_ms, void *ctx)
{
    struct http_server *s = ctx;
    s->now_ms = now_ms;
    end_overdue(s);
    on_ready(l, -1, 0, now_ms, ctx);
}

static void on_again(struct loop *l, int64_t now_ms, void *ctx)
{
    struct http_server *s = ctx;
    s->again = 0;
    on_ready(l, -1, 0, now_ms, ctx);
}

int http_start(struct http_server *s, struct loop *l)
{
    s->loop = l;
    // Without its error log: it would write a line for each broken request.
    s->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, s->port, NULL, NULL, on_request, s,
        MHD_OPTION_LISTEN_SOCKET, s->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S,
        MHD_OPTION_NOTIFY_COMPLETED, on_done, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!s->mhd)
        return -EIO;
    s->listen_fd = -1; // libmicrohttpd closes it
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return -EIO;
    // Time-outs of idle connections are looked at once a second.
    s->timer = loop_every(s->loop, 1000, on_tick, s);
    if (s->timer < 0)
        return s->timer;
    return loop_watch(s->loop, info->epoll_fd, LOOP_READ, on_ready, s);
}

void http_close(struct http_server *s)
{
    if (!s)
        return;
    if (s->mhd)
        MHD_stop_daemon(s->mhd);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    free(s);
}
