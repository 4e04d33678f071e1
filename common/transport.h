// What passes between a sensor and the collector beside records: addresses and acknowledgements.
// docs/formats/transport.md describes them; records are IPFIX (ipfix.h).
#pragma once

#include <sys/socket.h>

#include "common/buf.h"
#include "common/record.h"

// ---- Addresses

enum transport_kind {
    TRANSPORT_TLS,  // HOST:PORT
    TRANSPORT_TCP,  // tcp:HOST:PORT
    TRANSPORT_UNIX, // unix:/PATH
};

#define TRANSPORT_HOST_MAX 256

struct transport_address {
    int kind;                      // enum transport_kind
    char host[TRANSPORT_HOST_MAX]; // or the path; without the brackets of IPv6
    char port[8];
};

// -EINVAL: no address.
int transport_address_parse(const char *text, struct transport_address *out);

// The first address a name has. Looks names up, which may block: at start, not in the loop. -EHOSTUNREACH: none.
struct transport_peer {
    struct sockaddr_storage addr;
    socklen_t len;
};
int transport_resolve(const struct transport_address *a, bool listen, struct transport_peer *out);

// The IP address of a socket's, an IPv4 one in IPv6 as such. False: it is of another family.
bool transport_address_of(const struct sockaddr_storage *a, struct ip_addr *out);

// Sockets, non-blocking. `*fd` is the caller's. A connection under way is 0. Negative errno.
int transport_listen(const struct transport_peer *p, int *fd);
int transport_connect(const struct transport_peer *p, int *fd);

// ---- Acknowledgements

#define TRANSPORT_TEMPLATE_ACK 1290

struct transport_ack {
    uint32_t domain;
    uint64_t epoch, sequence;
};

struct transport_ack_writer { // of one connection; zeroed at its begin
    uint32_t sequence;        // data records sent, as IPFIX counts
    bool begun;
};

void transport_ack_put(struct transport_ack_writer *w, const struct transport_ack *a,
                       int64_t now_ms, struct buf *out);

#define TRANSPORT_ACK_MESSAGE_MAX 1024

struct transport_ack_reader { // zeroed at a connection's begin
    uint8_t octet[TRANSPORT_ACK_MESSAGE_MAX];
    uint16_t len;
    bool broken; // no IPFIX, or a message too long: the connection is of no use
};

typedef void (*transport_ack_fn)(void *ctx, const struct transport_ack *a);

// Takes octets as they come. -EBADMSG: the other side does not speak this; sticky.
int transport_ack_feed(struct transport_ack_reader *r, struct span in, transport_ack_fn fn,
                       void *ctx);
