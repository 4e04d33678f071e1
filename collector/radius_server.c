// A batch of packets is read, taken, made durable with one fdatasync, then answered. A client that asks again
// (same source, port, identifier and authenticator) is answered again and not taken again.
#include "radius_server.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

#define BATCH       128
#define SECRET_MAX  128
#define REPEATS     4096 // requests remembered
#define REPEAT_MS   60000
#define SOURCES_MAX 32 // refused ones that are told by name
#define LOG_EACH_MS 60000

struct answer {
    struct sockaddr_storage to;
    socklen_t to_len;
    uint16_t len;
    uint32_t repeat; // its place among the requests remembered
    uint8_t octets[RADIUS_PACKET_MAX];
};

struct request { // that was taken
    struct ip_addr source;
    uint16_t port;
    uint8_t id;
    uint8_t authenticator[16];
    int64_t t_ms; // 0: free
};

struct refused {
    struct ip_addr source;
    uint64_t count;
    uint8_t reason;
};

struct radius_server {
    int fd;
    struct lease_store *store;
    struct radius_naming naming;
    char *listen; // owned
    struct prefix_set *clients;
    uint8_t secret[SECRET_MAX];
    size_t secret_len;
    struct radius_clocks clocks;
    struct request request[REPEATS];
    struct answer answer[BATCH];
    size_t answers;
    struct radius_counts *counts;
    struct refused source[SOURCES_MAX];
    size_t sources;
    uint64_t sources_more;
    int64_t logged_ms;
};

// ---- Opening

static int read_secret(struct radius_server *s, const char *path, FILE *errors)
{
    char line[SECRET_MAX + 2] = "";
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 || fstat(fd, &st) < 0 ? -1 : read(fd, line, sizeof line - 1);
    int rc = n < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    size_t len = rc == 0 ? strcspn(line, "\r\n") : 0;
    if (rc < 0)
        fprintf(errors, "%s: %s; write the RADIUS clients' secret there\n", path, strerror(-rc));
    else if (st.st_mode & 007)
        fprintf(errors, "%s: readable by everybody; chmod o= %s\n", path, path);
    else if (len == 0 || len > SECRET_MAX)
        fprintf(errors, "%s: no secret; its first line must have 1 to %d octets\n", path,
                SECRET_MAX);
    else {
        memcpy(s->secret, line, len);
        s->secret_len = len;
        return 0;
    }
    return rc < 0 ? rc : -EINVAL;
}

// "HOST:PORT" cut in two, brackets around IPv6 taken off.
static bool cut_address(char *text, char **host, char **port)
{
    char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1])
        return false;
    *colon = '\0';
    *host = text;
    *port = colon + 1;
    size_t n = strlen(text);
    if (text[0] == '[' && text[n - 1] == ']') {
        text[n - 1] = '\0';
        (*host)++;
    }
    return true;
}

static int open_socket(struct radius_server *s, const char *listen, FILE *errors)
{
    char text[128], *host, *port;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_DGRAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE},
                    *ai = NULL;
    snprintf(text, sizeof text, "%s", listen);
    if (!cut_address(text, &host, &port) || getaddrinfo(host, port, &hints, &ai) != 0) {
        fprintf(errors, "%s: no address and port; write 192.0.2.1:1813 or [2001:db8::1]:1813\n",
                listen);
        return -EINVAL;
    }
    s->fd = socket(ai->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int rc = s->fd < 0 || bind(s->fd, ai->ai_addr, ai->ai_addrlen) < 0 ? -errno : 0;
    freeaddrinfo(ai);
    if (rc == -EADDRINUSE)
        fprintf(errors,
                "%s: in use; is a RADIUS server here? give the collector a port of its own\n",
                listen);
    else if (rc < 0)
        fprintf(errors, "%s: %s\n", listen, strerror(-rc));
    // A restart of an access router ends in a burst: let the kernel hold it.
    int octets = 8 << 20;
    if (rc == 0 && setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets) < 0)
        fprintf(errors, "%s: small receive buffer: %s\n", listen, strerror(errno));
    return rc;
}

static int add_clients(struct radius_server *s, const struct conf_prefixes *clients)
{
    s->clients = prefix_set_new();
    int rc = s->clients ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < clients->count; i++)
        rc = prefix_set_add(s->clients, &clients->item[i], 1);
    if (rc == 0)
        prefix_set_freeze(s->clients);
    return rc;
}

int radius_server_open(const struct radius_options *options, struct lease_store *store,
                       struct radius_counts *counts, FILE *errors, struct radius_server **out)
{
    struct radius_server *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->fd = -1;
    s->store = store;
    s->counts = counts;
    s->naming = options->naming;
    s->naming.pop = strdup(options->naming.pop);
    s->naming.network_class = strdup(options->naming.network_class);
    s->listen = strdup(options->listen);
    int rc = add_clients(s, &options->clients);
    if (rc == 0)
        rc = read_secret(s, options->secret_file, errors);
    if (rc == 0)
        rc = open_socket(s, options->listen, errors);
    if (rc == 0 && s->listen && s->naming.pop && s->naming.network_class) {
        *out = s;
        return 0;
    }
    radius_server_close(s);
    return rc ? rc : -ENOMEM;
}

void radius_server_close(struct radius_server *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    prefix_set_free(s->clients);
    free((char *)s->naming.pop); // our copies
    free((char *)s->naming.network_class);
    free(s->listen);
    explicit_bzero(s->secret, sizeof s->secret);
    free(s);
}

// ---- Refusing

static enum radius_refusal refuse(struct radius_server *s, const struct ip_addr *source,
                                  enum radius_refusal why)
{
    s->counts->refused[why]++;
    for (size_t i = 0; i < s->sources; i++)
        if (ip_equal(&s->source[i].source, source)) {
            s->source[i].count++;
            s->source[i].reason = (uint8_t)why;
            return why;
        }
    if (s->sources == SOURCES_MAX)
        s->sources_more++;
    else
        s->source[s->sources++] = (struct refused){
            .source = *source, .count = 1, .reason = (uint8_t)why};
    return why;
}

// ---- Taking

static struct request *place_of(struct radius_server *s, const struct ip_addr *source,
                                uint16_t port, struct span packet)
{
    uint64_t h = (uint64_t)port << 8 | packet.data[1];
    for (size_t i = 0; i < sizeof source->octet; i++)
        h = (h ^ source->octet[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return &s->request[(h >> 32) % REPEATS];
}

static bool is_repeat(const struct request *r, const struct ip_addr *source, uint16_t port,
                      struct span packet, int64_t now_ms)
{
    return r->t_ms != 0 && now_ms - r->t_ms < REPEAT_MS && r->port == port &&
           ip_equal(&r->source, source) && r->id == packet.data[1] &&
           memcmp(r->authenticator, packet.data + 4, sizeof r->authenticator) == 0;
}

static void prepare_answer(struct radius_server *s, struct span packet, const struct request *r)
{
    struct answer *a = &s->answer[s->answers];
    size_t len = radius_answer(packet, span_of(s->secret, s->secret_len), a->octets);
    if (len == 0)
        return;
    a->len = (uint16_t)len;
    a->to_len = 0;
    a->repeat = (uint32_t)(r - s->request);
    s->answers++;
}

enum radius_refusal radius_server_take(struct radius_server *s, struct span packet,
                                       const struct ip_addr *source, uint16_t port, int64_t now_ms)
{
    struct radius_accounting a;
    s->counts->packets++;
    if (!prefix_set_find(s->clients, source, NULL))
        return refuse(s, source, RADIUS_REFUSED_CLIENT);
    if (packet.len < RADIUS_HEADER)
        return refuse(s, source, RADIUS_REFUSED_BROKEN);
    if (!radius_is_signed(packet, span_of(s->secret, s->secret_len)))
        return refuse(s, source, RADIUS_REFUSED_SECRET);
    enum radius_refusal why = radius_decode(packet, &a);
    if (why != RADIUS_TAKEN)
        return refuse(s, source, why);
    if (s->answers == BATCH) // the batch is full; the client asks again
        return refuse(s, source, RADIUS_REFUSED_KEPT);
    struct request *r = place_of(s, source, port, packet);
    if (is_repeat(r, source, port, packet, now_ms)) {
        s->counts->repeated++;
        prepare_answer(s, packet, r);
        return RADIUS_TAKEN;
    }
    why = radius_apply(s->store, &s->clocks, &s->naming, &a, source, now_ms);
    // Who names nobody is answered too: the server before us would send it for ever.
    if (why == RADIUS_REFUSED_KEPT)
        return refuse(s, source, why);
    if (why != RADIUS_TAKEN)
        refuse(s, source, why);
    s->counts->taken += why == RADIUS_TAKEN;
    s->counts->prefixes_cut += a.prefixes_cut;
    s->counts->no_address += a.prefixes == 0 &&
                             (a.status == RADIUS_START || a.status == RADIUS_INTERIM);
    *r = (struct request){.source = *source, .port = port, .id = packet.data[1], .t_ms = now_ms};
    memcpy(r->authenticator, packet.data + 4, sizeof r->authenticator);
    prepare_answer(s, packet, r);
    return why;
}

int radius_server_flush(struct radius_server *s)
{
    int rc = lease_store_sync(s->store), sent = 0;
    for (size_t i = 0; i < s->answers; i++) {
        const struct answer *a = &s->answer[i];
        if (rc < 0) { // not durable: not answered, and taken again when it is sent again
            s->request[a->repeat].t_ms = 0;
            s->counts->refused[RADIUS_REFUSED_KEPT]++;
        } else if (a->to_len == 0 || sendto(s->fd, a->octets, a->len, 0,
                                            (const struct sockaddr *)&a->to, a->to_len) >= 0) {
            sent++; // one that is lost on the way is asked for again
        }
    }
    s->answers = 0;
    return rc < 0 ? rc : sent;
}

// ---- The socket

static bool address_of(const struct sockaddr_storage *from, struct ip_addr *addr, uint16_t *port)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    if (from->ss_family == AF_INET) {
        memcpy(&four, from, sizeof four);
        memset(addr, 0, sizeof *addr);
        addr->family = IP_V4;
        memcpy(addr->octet, &four.sin_addr, 4);
        *port = ntohs(four.sin_port);
        return true;
    }
    if (from->ss_family != AF_INET6)
        return false;
    memcpy(&six, from, sizeof six);
    bool v4 = memcmp(&six.sin6_addr, mapped, sizeof mapped) == 0;
    memset(addr, 0, sizeof *addr);
    addr->family = v4 ? IP_V4 : IP_V6;
    memcpy(addr->octet, six.sin6_addr.s6_addr + (v4 ? 12 : 0), v4 ? 4 : 16);
    *port = ntohs(six.sin6_port);
    return true;
}

static void say_refused(struct radius_server *s, int64_t now_ms, int rc)
{
    if (rc < 0 && now_ms - s->logged_ms >= LOG_EACH_MS) {
        log_error("%s: leases cannot be kept (%s): accounting is not answered until they can; make "
                  "room for the lease history",
                  s->listen, strerror(-rc));
        s->logged_ms = now_ms;
    }
}

static void readable(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    struct radius_server *s = ctx;
    (void)l;
    (void)events;
    for (unsigned i = 0; i < BATCH; i++) {
        uint8_t packet[RADIUS_PACKET_MAX];
        struct sockaddr_storage from = {0};
        socklen_t from_len = sizeof from;
        struct ip_addr addr;
        uint16_t port;
        ssize_t n = recvfrom(fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &from_len);
        if (n < 0)
            break;
        size_t before = s->answers;
        if (!address_of(&from, &addr, &port))
            continue;
        radius_server_take(s, span_of(packet, (size_t)n), &addr, port, now_ms);
        if (s->answers > before) {
            s->answer[before].to = from;
            s->answer[before].to_len = from_len;
        }
    }
    say_refused(s, now_ms, s->answers > 0 ? radius_server_flush(s) : 0);
}

int radius_server_start(struct radius_server *s, struct loop *l)
{
    return loop_watch(l, s->fd, LOOP_READ, readable, s);
}

// ---- Status

void radius_counts_status(const struct radius_counts *c, struct control_status *status)
{
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {{"radius_packets", c->packets},
                    {"radius_taken", c->taken},
                    {"radius_repeated", c->repeated},
                    {"radius_without_address", c->no_address},
                    {"radius_prefixes_cut", c->prefixes_cut},
#define X(name, counter, text) {"radius_refused_" counter, c->refused[RADIUS_REFUSED_##name]},
                    RADIUS_REFUSALS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        control_status_counter(status, counters[i].name, counters[i].value);
}

void radius_server_status(const struct radius_server *s, struct control_status *status)
{
    static const char *const texts[] = {
#define X(name, counter, text) text,
        RADIUS_REFUSALS(X)
#undef X
    };
    for (size_t i = 0; i < s->sources; i++) {
        char source[IP_TEXT_MAX], text[200];
        snprintf(text, sizeof text, "%llu RADIUS packets of %s refused at %s, the last: %s",
                 (unsigned long long)s->source[i].count, ip_format(&s->source[i].source, source),
                 s->listen, texts[s->source[i].reason]);
        control_status_problem(
            status, 1, "radius-refused", text,
            "compare address and secret with this source's clients and secret_file");
    }
    if (s->clocks.differing > 0)
        control_status_problem(status, 1, "radius-clock",
                               "access routers whose clock differs by more than 2 s from ours",
                               "synchronise their clocks and ours (NTP)");
}
