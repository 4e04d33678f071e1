// Dialogues as text, run through the trackers in many cuts, with what has to come out.
//
// A script is lines of `C: text` and `S: text` (CRLF is added; C is the initiator), `C~ text` and
// `S~ text` (nothing is added), `C! 120` and `S! 120` (a gap of so many octets). `\r`, `\n`, `\\` and
// `\xNN` are escapes, so that a script stays one C string. Consecutive lines of a side travel together.
//
// Expectations are `name=value` words, names of record.h's fields; SMTP counters that are not named
// have to be zero, but for message_octets and unoffered_pipelining.
#pragma once

#include "proto/proto.h"

enum dialogue_flags {
    DIALOGUE_MIDSTREAM = 1 << 0,
    DIALOGUE_IN_STEP = 1 << 1, // the order of both sides matters: the responder is never late
    DIALOGUE_SMARTHOST = 1 << 2,
};

struct dialogue {
    const char *name;
    const char *script;
    const char *expect;
    uint16_t port; // of the responder; 0: 25
    unsigned flags;
    uint8_t profile; // enum coverage_profile; 0 is read as full-envelope, see `flow_only`
    bool flow_only;
};

// A row of a table; more fields may follow by name.
#define DIALOGUE(n, s, ...)                           \
    {                                                 \
        .name = n, .script = s, .expect = __VA_ARGS__ \
    }

// Runs a table in all cuts: turns whole, line by line, octet by octet, split once at every offset,
// and (but for DIALOGUE_IN_STEP) with the responder seen a turn late. cmocka assertions.
void dialogue_run(const struct dialogue *table, size_t n);

// One run of a script, for tests that look closer. The caller drops the flow.
struct dialogue_flow {
    struct proto_flow flow;
    struct proto_context context;
    struct keyed_hash_key key;
    uint64_t counters[PROTO_COUNTER_N];
    struct proto_pool *pool;
    int64_t t_us;
};

void dialogue_open(struct dialogue_flow *d, const struct dialogue *how);
// Feeds the script in segments of at most `cut` octets (0: turns whole).
void dialogue_feed(struct dialogue_flow *d, const char *script, size_t cut);
void dialogue_close(struct dialogue_flow *d, struct record_flow *out);

// A copy of the octets in front of a page that must not be touched; valid until the next call.
uint8_t *dialogue_guarded(const void *octets, size_t len);
