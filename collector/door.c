// A handshake a place; the loop brings it on.
#include "door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "places.h"

#define STRANGERS  128
#define SOURCE_MAX 16
#define SHAKE_MS   10000

struct waiting {
    struct door *door;
    int fd; // -1: nobody
    struct tls_peer *tls;
    uint64_t source;
    int64_t since_ms;
    char who[SOURCE_TEXT_MAX];
};

struct door {
    struct door_options o;
    struct places places;
    struct waiting *item; // a place each
};

static void vacate(struct waiting *w)
{
    places_leave(&w->door->places, (size_t)(w - w->door->item));
    w->fd = -1;
    w->tls = NULL;
}

static void send_away(struct waiting *w, enum source_reason why, const char *line, int64_t now_ms)
{
    loop_watch(w->door->o.loop, w->fd, 0, NULL, NULL);
    if (why < SOURCE_REASONS)
        sources_refuse(w->door->o.sources, w->who, why, 1, line, now_ms);
    tls_peer_free(w->tls);
    close(w->fd);
    vacate(w);
}

// Who only knocks, as a monitor does, is refused nothing.
static void refuse(struct waiting *w, int64_t now_ms)
{
    switch (tls_peer_trouble(w->tls)) {
    case TLS_TROUBLE_CERTIFICATE:
        send_away(w, SOURCE_certificate, tls_peer_error(w->tls), now_ms);
        return;
    case TLS_TROUBLE_PROTOCOL: send_away(w, SOURCE_no_tls, tls_peer_error(w->tls), now_ms); return;
    default: break;
    }
    send_away(w, SOURCE_REASONS, NULL, now_ms);
}

static void come_in(struct waiting *w, int64_t now_ms)
{
    struct door *d = w->door;
    struct door_guest guest = {.source = w->source};
    if (tls_peer_identity(w->tls, &guest.identity))
        guest.permit = registry_find(d->o.registry, &guest.identity);
    if (!guest.permit) {
        char line[160];
        snprintf(line, sizeof line,
                 "sensor %.60s: its certificate was revoked, or replaced by a newer one; enrol the "
                 "sensor again",
                 guest.identity.name);
        send_away(w, SOURCE_revoked, line, now_ms);
        return;
    }
    permit_note_source(guest.permit, w->source);
    int fd = w->fd;
    struct tls_peer *tls = w->tls;
    loop_watch(d->o.loop, fd, 0, NULL, NULL);
    vacate(w);
    d->o.fn(d->o.ctx, fd, tls, &guest, now_ms);
}

static void on_socket(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    struct waiting *w = ctx;
    (void)events;
    places_spoke(&w->door->places, (size_t)(w - w->door->item));
    int rc = tls_peer_handshake(w->tls);
    if (rc == -EAGAIN && loop_watch(l, fd, tls_peer_wants(w->tls), on_socket, w) == 0)
        return;
    if (rc < 0)
        refuse(w, now_ms);
    else
        come_in(w, now_ms);
}

void door_admit(struct door *d, int fd, struct tls_context *tls, uint64_t source, const char *who,
                int64_t now_ms)
{
    bool used;
    size_t i = places_take(&d->places, source, registry_knows_source(d->o.registry, source), &used);
    struct waiting *w = &d->item[i];
    struct place taken = d->places.item[i];
    if (used)
        send_away(w, SOURCE_gave_way, NULL, now_ms);
    d->places.item[i] = taken; // sending away has freed it
    *w = (struct waiting){
        .door = d, .fd = fd, .tls = tls_peer_new(tls, fd), .source = source, .since_ms = now_ms};
    snprintf(w->who, sizeof w->who, "%s", who);
    if (w->tls && loop_watch(d->o.loop, fd, LOOP_READ, on_socket, w) == 0)
        return;
    tls_peer_free(w->tls);
    close(fd);
    vacate(w);
}

void door_tick(struct door *d, int64_t now_ms)
{
    for (size_t i = 0; i < d->places.count; i++) {
        struct waiting *w = &d->item[i];
        if (w->fd < 0)
            continue;
        if (now_ms < w->since_ms)
            w->since_ms = now_ms; // the wall clock was set back
        if (now_ms - w->since_ms > SHAKE_MS)
            send_away(w, SOURCE_late, "no handshake within 10 s", now_ms);
    }
}

size_t door_waiting(const struct door *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->places.count; i++)
        n += d->item[i].fd >= 0;
    return n;
}

struct door *door_new(const struct door_options *o)
{
    struct door *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->o = *o;
    if (places_init(&d->places, STRANGERS, o->known, SOURCE_MAX) == 0)
        d->item = calloc(d->places.count, sizeof *d->item);
    if (!d->item) {
        door_free(d);
        return NULL;
    }
    for (size_t i = 0; i < d->places.count; i++)
        d->item[i] = (struct waiting){.door = d, .fd = -1};
    return d;
}

void door_free(struct door *d)
{
    if (!d)
        return;
    for (size_t i = 0; d->item && i < d->places.count; i++)
        if (d->item[i].fd >= 0)
            send_away(&d->item[i], SOURCE_REASONS, NULL, 0);
    free(d->item);
    places_fini(&d->places);
    free(d);
}
