// What of a capture must never be found again: addresses and local parts of recipients and senders, HELO
// names, users and passwords (also in base64, as they were sent), subjects, and lines of base64, whatever
// they are. Found in the payload of packets by words alone, so that nothing of the sensor's own reading
// is trusted.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/span.h"

// Shorter ones are found by chance.
#define SECRET_MIN 6
#define SECRET_MAX 64

struct secret {
    unsigned char len;
    unsigned char text[SECRET_MAX];
    bool known; // found before there was anything to find
    bool held;  // may stand in an unfinished dialogue
};

struct secrets {
    struct secret *secret;
    size_t count, room;
    // Search: an index by the hash of the first SECRET_MIN octets.
    unsigned *head, *next;
    unsigned char *sieve;
};

// What the test stands on; ends it.
void must(bool holds);

void secrets_init(struct secrets *s);
void secrets_fini(struct secrets *s);
// From the payload of one packet.
void secrets_gather(struct secrets *s, struct span payload);
void secrets_add(struct secrets *s, const void *text, size_t len);
// After the last one was added.
void secrets_index(struct secrets *s);
// Calls `found` for every place of a secret that is not `known`.
void secrets_search(const struct secrets *s, const unsigned char *data, size_t len,
                    void (*found)(void *ctx, struct secret *secret, size_t at), void *ctx);
