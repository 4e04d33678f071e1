// What an answer's head says, and what of a request's head is believed before anything is answered: whose host it names, and where it ends (RFC 9110,
// 9112). A proxy in front that reads a doubtful head in another way would take our answers for others'.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"

// Zeroed is valid: no field yet.
struct http_head {
    unsigned hosts, lengths, encodings;
    bool doubtful;
};

void http_head_field(struct http_head *h, const char *name,
                     const char *value); // each, in any order

// False: two Host fields, a length given twice or in two ways, a length that is no number, or an encoding that
// does not say where it ends.
bool http_head_is_framed(const struct http_head *h);

// Does Host (NULL: none) name this machine, with our port or none? No other page can then make a browser ask us by
// its name.
bool http_head_is_ours(const char *host, const struct ip_addr *address, uint16_t port);

// The fields of every answer: what it is, how long it may be kept, and what a browser may do with it.
struct http_field {
    const char *name, *value;
};

#define HTTP_HEAD_FIELDS    8
#define HTTP_HEAD_CACHE_MAX 48
// `cache` holds the text of one of them as long as they are used, `etag` likewise. `max_age_s` as in http.h.
void http_head_answer(const char *type, int max_age_s, const char *etag,
                      char cache[static HTTP_HEAD_CACHE_MAX],
                      struct http_field out[static HTTP_HEAD_FIELDS]);
