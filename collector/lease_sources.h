// Everything that says whose an address is, as the configuration lists it: files read once, files followed,
// RADIUS accounting, CGNAT, and the history of all that.
//
// A file job reads what is there and the history, and listens to nobody, so that the same files give the same
// minutes. A live collector calls listen (before rights drop) and start (in its loop) too.
#pragma once

#include "common/control.h"
#include "common/loop.h"
#include "config.h"
#include "leases.h"

struct lease_sources;

// `leases` NULL: the configuration's. Errors are written. -EINVAL: configuration or content of a file.
int lease_sources_open(const struct collector_conf *conf, const char *leases, FILE *errors,
                       struct lease_sources **out);
// Opens the history for writing and the sockets.
int lease_sources_listen(struct lease_sources *s, FILE *errors);
// Packets and file changes from here on. Negative errno.
int lease_sources_start(struct lease_sources *s, struct loop *l);
// Ages from another configuration; its list of sources counts from the next start on.
void lease_sources_reload(struct lease_sources *s, const struct collector_conf *conf);
void lease_sources_close(struct lease_sources *s);

struct leases *lease_sources_leases(struct lease_sources *s);
void lease_sources_status(const struct lease_sources *s, struct control_status *status);
