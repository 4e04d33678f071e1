// Empties the spool towards the collector: connects, sends, reads acknowledgements, removes what is durable there, sends
// the rest again over the next connection. Lives in the loop and never waits. docs/formats/transport.md.
#pragma once

#include "common/control.h"
#include "common/loop.h"
#include "common/transport.h"
#include "spool.h"

struct sender_options {
    const char *collector; // address; borrowed until sender_close
    const char *tls;       // folder with key.pem, cert.pem, ca.pem; NULL: for a Unix socket
    bool renews;           // the certificate; of the processes of a port, the first
};

enum sender_state { SENDER_WAITING, SENDER_CONNECTING, SENDER_OPEN };

struct sender_stats {
    uint64_t connections, connect_failures, lost; // lost: connections that ended by themselves
    uint64_t records, resent;                     // sent; of these, not for the first time
    uint64_t acknowledged;                        // records
    uint64_t octets;
};

struct sender;

// Looks the collector's name up; the first connection is tried at once. `error` says what is wrong with the options.
// -EINVAL, -EHOSTUNREACH, -ENOMEM.
int sender_open(struct loop *l, const struct sender_options *options, struct spool *spool,
                struct sender **out, char error[static 200]);
void sender_close(struct sender *s);
// Something was written to the spool. Cheap.
void sender_wake(struct sender *s, int64_t now_ms);
// Everything in the spool is acknowledged.
bool sender_drained(const struct sender *s);

enum sender_state sender_state(const struct sender *s);
const struct sender_stats *sender_stats(const struct sender *s);
// Counters, and problems: no connection, certificate near its end.
void sender_status(const struct sender *s, struct control_status *out, int64_t now_ms);
