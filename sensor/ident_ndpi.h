// nDPI, asked what else a dialogue is: the one place that includes its header. It gets the first
// payload of each side, at most one call each, wrapped in made-up IP and TCP headers, and works on
// one flow structure of its own: nothing of nDPI stays behind with a flow. The addresses in those
// headers are made up, too, new ones for each question: nDPI remembers addresses of earlier flows, and
// what one flow is must not depend on others.
#pragma once

#include "common/span.h"

struct ident_ndpi;

struct ident_ndpi *ident_ndpi_new(void); // NULL: out of memory
void ident_ndpi_free(struct ident_ndpi *n);

struct ident_ndpi_question {
    uint16_t port[2];     // initiator, responder
    struct span first[2]; // first payload octets of each side, at most PROTO_PEEK_MAX
    bool responder_first;
};

struct ident_ndpi_answer {
    uint16_t protocol; // nDPI's number; 0: not known
    uint8_t app;       // enum record_app
    uint8_t calls;     // made for this question, 0-2
};

struct ident_ndpi_answer ident_ndpi_ask(struct ident_ndpi *n, const struct ident_ndpi_question *q);
