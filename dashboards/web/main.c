// postern-web: pages and API on loopback, from the ticket store and the RRD files. Reads only.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/daemon.h"
#include "common/log.h"
#include "web/web.h"

struct web_conf {
    char *listen;
    char *tickets;
    char *rrd;
    char *scratch;
    int64_t workers;
    char *rrdcached;
};

#define AT(member) offsetof(struct web_conf, member)
static const struct conf_key keys[] = {
    {.name = "listen",
     .type = CONF_STRING,
     .offset = AT(listen),
     .def = "127.0.0.1:8025",
     .help = "address and port; loopback only, a proxy with TLS and log-in goes before it"},
    {.name = "tickets",
     .type = CONF_PATH,
     .offset = AT(tickets),
     .def = "/var/lib/postern/tickets.db",
     .help = "the ticket store"},
    {.name = "rrd",
     .type = CONF_PATH,
     .offset = AT(rrd),
     .def = "/var/lib/postern/rrd",
     .help = "folder of the RRD files"},
    {.name = "scratch",
     .type = CONF_PATH,
     .offset = AT(scratch),
     .def = "/dev/shm",
     .help = "folder for the small files that pictures are drawn from"},
    {.name = "workers",
     .type = CONF_INT,
     .offset = AT(workers),
     .min = 1,
     .max = 16,
     .def = "2",
     .unit = "processes",
     .help = "processes that draw graphs"},
    {.name = "rrdcached",
     .type = CONF_STRING,
     .offset = AT(rrdcached),
     .optional = true,
     .help = "socket of rrdcached, when postern-series writes through it: asked to write a series "
             "before it is read"},
    {0},
};

enum { CACHED_TIMEOUT_MS = 500 };

struct state {
    struct web web;
    struct http_server *server;
    char *tickets, *rrd; // paths in force
    struct web_said said;
};

// What the table cannot express, each with its place.
static int check_conf(struct daemon *d)
{
    const struct web_conf *c = d->conf;
    struct rrdcached *cached = NULL;
    char why[200], place[CONF_PLACE_MAX];
    int code = 0;
    if (http_check_address(c->listen, why) != 0) {
        conf_place(daemon_config_path(d->args), "web.listen", place);
        log_error("%sweb.listen: %s", place, why);
        code = EX_CONFIG;
    }
    if (c->rrdcached && rrdcached_open(c->rrdcached, CACHED_TIMEOUT_MS, &cached) != 0) {
        conf_place(daemon_config_path(d->args), "web.rrdcached", place);
        log_error("%sweb.rrdcached: %s: no socket of rrdcached; write unix:/run/rrdcached.sock",
                  place, c->rrdcached);
        code = EX_CONFIG;
    }
    rrdcached_close(cached); // it connects when it is asked
    return code;
}

// `--state DIR` is a folder of `postern replay`: tickets.db and rrd/ in it, and its own time.
static char *place(const char *state_dir, const char *name, const char *option, const char *conf)
{
    char *path = NULL;
    if (option)
        return strdup(option);
    if (!state_dir)
        return strdup(conf);
    return asprintf(&path, "%s/%s", state_dir, name) < 0 ? NULL : path;
}

static int open_state(struct daemon *d)
{
    const struct web_conf *c = d->conf;
    const char *dir = daemon_value(d->args, "state");
    const char *listen = daemon_value(d->args, "listen");
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return EX_OSERR;
    d->state = s;
    s->tickets = place(dir, "tickets.db", daemon_value(d->args, "tickets"), c->tickets);
    s->rrd = place(dir, "rrd", daemon_value(d->args, "rrd"), c->rrd);
    if (!s->tickets || !s->rrd)
        return EX_OSERR;
    s->web.site = d->site->name;
    s->web.rrd_dir = s->rrd;
    s->web.clock_is_data = dir != NULL;
    s->web.said = &s->said;
    s->web.cache = graph_cache_new();
    if (!s->web.cache)
        return EX_OSERR;
    if (c->rrdcached && rrdcached_open(c->rrdcached, CACHED_TIMEOUT_MS, &s->web.cached) != 0)
        return EX_OSERR; // its address has been looked at
    char why[200];
    int rc = http_open(listen ? listen : c->listen, web_answer, &s->web, &s->server, why);
    if (rc != 0) {
        log_error("%s", why);
        return rc == -EINVAL ? EX_USAGE : EX_UNAVAILABLE;
    }
    if (access(s->rrd, R_OK | X_OK) != 0) {
        log_error("%s: %s; name the folder of postern-series with -s or web.rrd", s->rrd,
                  strerror(errno));
        return EX_NOINPUT;
    }
    return 0;
}

static int start_state(struct daemon *d)
{
    const struct web_conf *c = d->conf;
    struct state *s = d->state;
    char error[160];
    int rc = workers_open(d->loop, (unsigned)c->workers, s->rrd, c->scratch, c->rrdcached,
                          graph_drawn, &s->web, &s->web.workers);
    if (rc != 0) {
        log_error("drawing processes: %s", strerror(-rc));
        return EX_OSERR;
    }
    rc = ticket_store_open(s->tickets, false, &s->web.store, error);
    if (rc != 0) {
        log_error("%s: %s; name the store of postern-feed with -d or web.tickets", s->tickets,
                  error);
        return EX_NOINPUT;
    }
    rc = http_start(s->server, d->loop);
    if (rc != 0) {
        log_error("HTTP: %s", strerror(-rc));
        return EX_UNAVAILABLE;
    }
    return 0;
}

static void web_stop(struct daemon *d)
{
    struct state *s = d->state;
    if (!s)
        return;
    graph_give_up(&s->web);
    http_close(s->server);
    workers_close(s->web.workers);
    ticket_store_close(s->web.store);
    graph_cache_free(s->web.cache);
    rrdcached_close(s->web.cached);
    free(s->tickets);
    free(s->rrd);
    free(s);
    d->state = NULL;
}

static int web_open(struct daemon *d)
{
    int code = open_state(d);
    if (code != 0)
        web_stop(d);
    return code;
}

// Drawing processes have a share in it. The store is read in its write-ahead mode, for which SQLite makes
// files beside it.
static void web_sandbox(const struct daemon *d, struct sandbox *s)
{
    static const char *const fonts[] = {"/etc/fonts", "/usr/share/fonts", "/usr/share/fontconfig",
                                        "/usr/local/share/fonts", "/var/cache/fontconfig"};
    const struct web_conf *c = d->conf;
    const struct state *st = d->state;
    const char *slash = strrchr(st->tickets, '/');
    char *folder = slash ? strndup(st->tickets, (size_t)(slash - st->tickets) + 1) : strdup(".");
    sandbox_allow(s, SANDBOX_WRITES | SANDBOX_PROCESSES);
    sandbox_write(s, folder);
    sandbox_write(s, c->scratch);
    sandbox_read(s, st->rrd);
    for (size_t i = 0; i < sizeof fonts / sizeof fonts[0]; i++)
        sandbox_read(s, fonts[i]);
    free(folder);
}

static int web_start(struct daemon *d)
{
    int code = start_state(d);
    if (code != 0)
        web_stop(d);
    return code;
}

static const struct daemon_option options[] = {
    {.letter = 'd', .name = "tickets", .argument = "FILE", .help = "the ticket store"},
    {.letter = 's', .name = "rrd", .argument = "DIR", .help = "folder of the RRD files"},
    {.letter = 'l',
     .name = "listen",
     .argument = "ADDRESS:PORT",
     .help = "where to answer; loopback only"},
    {.name = "state",
     .argument = "DIR",
     .help = "folder that postern replay wrote: its tickets, series and time"},
    {0},
};

int main(int argc, char **argv)
{
    static const struct daemon_spec spec = {
        .name = "postern-web",
        .summary = "pages and API on loopback, from the ticket store and the RRD files",
        .synopsis = "[-c FILE] [-d FILE] [-s DIR] [--state DIR] [-l ADDRESS:PORT]",
        .options = options,
        .section = "web",
        .keys = keys,
        .conf_size = sizeof(struct web_conf),
        .check = check_conf,
        .open = web_open,
        .sandbox = web_sandbox,
        .start = web_start,
        .stop = web_stop,
    };
    return daemon_main(argc, argv, &spec);
}
