// Changes to a record that several tests of the mapping make.
#pragma once

#include "fixture.h"

#define US  "100.64.0.7"
#define EST RECORD_HANDSHAKE_ESTABLISHED

typedef void (*change_fn)(struct record *r);

static inline void nothing(struct record *r)
{
    (void)r;
}

static inline void midstream(struct record *r)
{
    r->flow.handshake = RECORD_HANDSHAKE_MIDSTREAM;
    r->flow.flags = RECORD_START | RECORD_END;
    r->flow.outcome_ms = 0;
    r->flow.incomplete |= RECORD_MIDSTREAM;
}

static inline void smtp(struct record *r)
{
    r->flow.groups |= RECORD_HAS_SMTP;
    r->flow.app = RECORD_APP_SMTP;
}

static inline void greeting(struct record *r, uint16_t code)
{
    smtp(r);
    r->flow.smtp.banner_code = code;
}

static inline void greeting_220(struct record *r)
{
    greeting(r, 220);
}

static inline void greeting_421(struct record *r)
{
    greeting(r, 421);
}

static inline void greeting_554(struct record *r)
{
    greeting(r, 554);
}

static inline void tls(struct record *r)
{
    r->flow.groups |= RECORD_HAS_TLS;
    r->flow.tls.handshake_done = true;
    r->flow.tls.application_octets[0] = 1500;
}

static inline void login_tries(struct record *r)
{
    r->flow.groups |= RECORD_HAS_LOGIN;
    r->flow.login.tries = 5;
}

static inline void inbound(struct record *r)
{
    struct ip_addr a = r->flow.initiator;
    r->flow.initiator = r->flow.responder;
    r->flow.responder = a;
    r->flow.side = RECORD_SIDE_RESPONDER;
}
