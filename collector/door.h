// Connections over TLS that have not yet shown who they are: a few places, a few a source, ten seconds. Who shows a certificate
// of ours is handed on; all others are counted, and take nothing from sensors. docs/formats/transport.md.
#pragma once

#include "common/loop.h"
#include "registry.h"
#include "sources.h"

struct door;

struct door_guest { // who came in
    struct permit *permit;
    struct tls_identity identity;
    uint64_t source;
};

// Takes `fd` and `tls`.
typedef void (*door_fn)(void *ctx, int fd, struct tls_peer *tls, const struct door_guest *guest,
                        int64_t now_ms);

struct door_options {
    struct loop *loop;
    struct registry *registry;
    struct sources *sources;
    size_t known; // so many more places for sources that sensors came from
    door_fn fn;
    void *ctx;
};

struct door *door_new(const struct door_options *o); // NULL: out of memory
void door_free(struct door *d);
// Takes `fd`; `who` is the source's name.
void door_admit(struct door *d, int fd, struct tls_context *tls, uint64_t source, const char *who,
                int64_t now_ms);
// Who is late goes.
void door_tick(struct door *d, int64_t now_ms);
size_t door_waiting(const struct door *d);
