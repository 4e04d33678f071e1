// Innocents with a long flow, and with destinations opened beside it: what a proxy that dials out is made of, a
// part each. A resolver over TLS answers before each page; a page fetched on an old flow calls others; films,
// calls and quotes come all the time; push services and chats make a program fetch something; files are seeded
// to many peers; a camera uploads; pages send much about their reader and call others on the answer. Sizes and rates are ranges, as a tap shows such programs.
#include <stdio.h>

#include "families/registry.h"
#include "people.h"
#include "schedule.h"

enum kind {
    KIND_RESOLVER,
    KIND_BROWSER,
    KIND_FILM,
    KIND_PUSH,
    KIND_CHAT,
    KIND_HUB,
    KIND_TORRENT,
    KIND_GAME,
    KIND_TRADER,
    KIND_DESKTOP,
    KIND_CAMERA,
    KIND_TOR,
    KIND_PAGES,
    KINDS,
    KIND_HOUSE = KINDS, // several of them in one house
};

static const char *const kind_names[] = {"resolver", "browser", "film",  "push",   "chat",
                                         "hub",      "torrent", "game",  "trader", "desktop",
                                         "camera",   "tor",     "pages", "house",  NULL};

// One long flow. An event: `ask` octets up, `answer` octets down, then `opens` destinations within so many
// milliseconds, then `report` octets up. Beside events, something each `every_ms`.
struct habit {
    double events_per_hour, opens;
    uint32_t ask, answer, report, within_ms;
    uint32_t every_ms, every_up, every_down;
    uint32_t pool;   // of destinations
    double own;      // destinations an hour opened at any time
    uint32_t life_s; // then it is dialled anew; 0: never
};

static const struct habit habits_of[KINDS] = {
    [KIND_RESOLVER] = {60, 2, 140, 468, 0, 60, 0, 0, 0, 100000, 0, 0},
    [KIND_BROWSER] = {40, 6, 600, 20000, 0, 250, 0, 0, 0, 100000, 10, 0},
    [KIND_FILM] = {0, 0, 0, 0, 0, 0, 280, 0, 500, 100000, 90, 0},
    [KIND_PUSH] = {20, 1, 0, 120, 60, 200, 240000, 30, 30, 3, 20, 0},
    [KIND_CHAT] = {60, 1, 0, 300, 200, 150, 30000, 30, 30, 2, 20, 0},
    [KIND_HUB] = {60, 2, 0, 150, 3000, 100, 30000, 30, 30, 4, 5, 0},
    [KIND_TORRENT] = {20, 1, 0, 400, 0, 250, 2500, 3000, 68, 100000, 240, 0},
    [KIND_GAME] = {6, 8, 50, 200, 100, 200, 15000, 40, 60, 8000, 20, 0},
    [KIND_TRADER] = {0, 0, 0, 0, 0, 0, 250, 0, 90, 100000, 40, 0},
    [KIND_DESKTOP] = {0, 0, 0, 0, 0, 0, 260, 400, 70, 100000, 60, 0},
    [KIND_CAMERA] = {0, 0, 0, 0, 0, 0, 5000, 5000, 90, 100000, 60, 0},
    [KIND_TOR] = {30, 0, 514, 3000, 0, 0, 60000, 514, 514, 100000, 30, 0},
    [KIND_PAGES] = {60, 4, 5000, 300, 0, 200, 30000, 300, 40, 100000, 30, 300},
};

struct long_flow {
    struct family_common common;
    int kind;
};

static const struct conf_key keys[] = {FAMILY_KEYS(long_flow),
                                       FAMILY_ENUM(long_flow, "kind", kind, kind_names, "resolver",
                                                   "whose long flow it is; house: several"),
                                       FAMILY_END};

static void visit(struct party *p, const struct habit *h, int64_t t_ns)
{
    struct rng *r = &p->rng;
    struct peer to;
    struct tcp_flow f;
    // A house keeps its few vendors.
    uint32_t site = rng_below(r, h->pool);
    if (h->pool < 100)
        site += (uint32_t)rng_hash(p->run->seed, p->name, 12) % 100000;
    world_site(p->run->seed, site, &to);
    tcp_begin(&f, p, TCP_CLIENT, &to, 443, &tcp_linux, false, t_ns);
    tcp_connect(&f);
    struct channel c = {.flow = &f};
    tls_handshake(&c, &tls_client_firefox, to.host, to.host, NULL, true);
    channel_noise(&c, TCP_CLIENT, 200 + rng_below(r, 900));
    channel_noise(&c, TCP_SERVER, (size_t)rng_lognormal(r, 6000, 2));
    channel_close(&c, TCP_CLIENT);
}

// What goes on beside events until `t_ns`.
static void go_on(struct party *p, const struct habit *h, struct channel *c, int64_t t_ns)
{
    while (h->every_ms > 0) {
        int64_t every = h->every_ms * NS_PER_MS;
        int64_t next = c->flow->now_ns + every - every / 8 + rng_between(&p->rng, 0, every / 4);
        if (next >= t_ns)
            return;
        tcp_wait_until(c->flow, next);
        if (h->every_down > 0)
            channel_noise(c, TCP_SERVER, h->every_down);
        if (h->every_up > 0)
            channel_noise(c, TCP_CLIENT, h->every_up);
    }
}

static void open_others(struct party *p, const struct habit *h, int64_t order)
{
    struct rng *r = &p->rng;
    size_t n = h->opens > 0 ? 1 + (size_t)rng_exp(r, h->opens - 1 + 1e-9) : 0;
    for (size_t i = 0; i < n && i < 30; i++)
        visit(p, h, order + rng_between(r, 2 * NS_PER_MS, h->within_ms * NS_PER_MS));
}

static void begin(struct party *p, struct tcp_flow *f, struct channel *c, const struct peer *server,
                  int64_t t_ns)
{
    tcp_begin(f, p, TCP_CLIENT, server, 443, &tcp_linux, false, t_ns);
    tcp_connect(f);
    *c = (struct channel){.flow = f};
    tls_handshake(c, &tls_client_firefox, server->host, server->host, NULL, true);
}

static void play_one(struct party *p, enum kind kind)
{
    const struct habit *h = &habits_of[kind];
    struct peer server;
    struct tcp_flow f;
    world_site(p->run->seed,
               200000 + kind * 1000 + (uint32_t)rng_hash(p->run->seed, p->name, 13) % 1000,
               &server);
    int64_t began = p->from_ns + kind * NS_PER_S;
    struct channel c;
    begin(p, &f, &c, &server, began);
    struct schedule s = schedule_of(p, h->events_per_hour * 24, DAY_FLAT);
    while (h->events_per_hour > 0 && schedule_next(&s)) {
        if (s.t_ns <= f.now_ns)
            continue;
        go_on(p, h, &c, s.t_ns);
        tcp_wait_until(&f, s.t_ns);
        if (h->life_s > 0 && s.t_ns - began >= h->life_s * (int64_t)NS_PER_S) {
            channel_close(&c, TCP_CLIENT);
            began = f.now_ns + NS_PER_S;
            begin(p, &f, &c, &server, began);
        }
        if (h->ask > 0)
            channel_noise(&c, TCP_CLIENT, h->ask);
        channel_noise(&c, TCP_SERVER, h->answer);
        open_others(p, h, f.now_ns + 2 * p->delay_ns);
        if (h->report > 0)
            channel_noise(&c, TCP_CLIENT, h->report);
    }
    go_on(p, h, &c, p->until_ns);
    s = schedule_of(p, h->own * 24, DAY_FLAT);
    while (h->own > 0 && schedule_next(&s))
        visit(p, h, s.t_ns);
}

static void play(struct party *p, const void *habits)
{
    static const enum kind house[] = {KIND_RESOLVER, KIND_FILM, KIND_PUSH, KIND_TORRENT,
                                      KIND_CAMERA};
    const struct long_flow *l = habits;
    snprintf(p->note, sizeof p->note, "long flow: %s", kind_names[l->kind]);
    if (l->kind < KINDS) {
        play_one(p, (enum kind)l->kind);
        return;
    }
    for (size_t i = 0; i < sizeof house / sizeof house[0]; i++)
        play_one(p, house[i]);
}

const struct family family_long_flow = {
    .name = "long_flow",
    .help = "somebody with a long flow, and destinations beside it, who carries nothing",
    .place = FAMILY_HOME,
    .keys = keys,
    .size = sizeof(struct long_flow),
    .play = play};
