// A dialogue tracker: what one application protocol says, counted. One file (or a few: client side,
// server side, pairing) behind one descriptor, and one line in proto.c's registry.
//
// The stream layer feeds each direction's octets in order, once, with gaps as explicit inputs; what
// acknowledges the other side's octets comes behind them. ident
// picks the tracker from the first octets (any port); a tracker may hand the rest of the dialogue to
// another (STARTTLS to TLS, SOCKS to what is relayed) through proto_switch. State is of fixed size,
// comes from a pool, is valid when zeroed, and holds nothing from traffic beyond its stated bounds.
#pragma once

#include "common/keyed_hash.h"
#include "common/record.h"
#include "common/span.h"

enum proto_side { PROTO_INITIATOR, PROTO_RESPONDER };

// How deep a dialogue may be nested: SOCKS > SMTP > TLS.
#define PROTO_DEPTH_MAX 3

// What the trackers of all flows share; read-only for them but for `counters`.
struct proto_context {
    const struct keyed_hash_key *key;
    uint8_t profile; // enum coverage_profile
    uint32_t short_tls_octets;
    uint64_t *counters; // PROTO_COUNTER_N, see below
};

#define PROTO_COUNTERS(X)                                              \
    X(nested_too_deep, "dialogues inside a dialogue beyond the bound") \
    X(lines_cut, "lines longer than the protocol allows")              \
    X(pool_empty, "dialogues not followed: no tracker state left")     \
    X(binary_in_text, "text dialogues that turned binary")             \
    X(ndpi_calls, "calls of nDPI")                                     \
    X(connect_requests, "requests for a tunnel by HTTP CONNECT")       \
    X(connect_grants, "of these granted")                              \
    X(connect_refusals, "of these refused")

enum proto_counter {
#define X(name, text) PROTO_##name,
    PROTO_COUNTERS(X)
#undef X
        PROTO_COUNTER_N
};

const char *proto_counter_name(unsigned counter);

struct proto_descriptor;

// One flow's dialogue, embedded in the flow. Facts of the flow are set by the flow layer before the
// first feed; results are gathered in `out` (deltas, taken and cleared at each report).
struct proto_flow {
    const struct proto_context *context;
    struct ip_addr addr[2]; // initiator, responder
    uint16_t port[2];
    uint16_t ndpi_protocol; // nDPI's number when it was asked and knew; 0 else
    uint8_t ip_proto;       // 6, or 17 for DNS and SOCKS UDP
    uint8_t side;           // enum record_side
    bool peer_is_smarthost; // for own-smarthost-content
    bool midstream;         // the beginning was not seen
    uint8_t app;            // enum record_app: what the flow is now said to be
    uint8_t app_source;     // enum record_app_source
    uint8_t ident_calls;    // of nDPI, at most two
    // From here on what every segment asks for: a cache line.
    _Alignas(64) struct {
        const struct proto_descriptor *proto;
        void *state;
    } stack[PROTO_DEPTH_MAX];
    struct proto_result *out; // made at the first thing worth saying; NULL before
    uint8_t depth;            // trackers on the stack
    bool deaf;                // the innermost dialogue is not followed: too deep, or no state left
    bool overheard;           // some tracker, now or before, asked what passes over it
    bool decided;             // identification is over (app may still be unknown)
    bool one_sided;           // so far nothing from the other side
    bool named; // `app`, its source or nDPI's number changed; the flow layer clears it
};

// What a tracker fills in: the parts of a record, deltas since the last report. A part whose bit is not in `groups`
// is all zero and touched by nobody. What mail in clear needs stands in front.
struct proto_result {
    bool fresh;     // something was written since the last report
    uint8_t groups; // enum record_group
    uint8_t hash_count;
    uint32_t incomplete; // enum record_incomplete bits to add
    struct record_smtp smtp;
    struct keyed_hash hash[RECORD_HASHES_MAX];
    struct record_tls tls;
    struct record_socks socks;
    struct record_dns dns;
    struct record_login login;
};

enum proto_match { PROTO_NO, PROTO_MAYBE, PROTO_YES };

// What identification knows: the first octets of both sides so far (up to PROTO_PEEK_MAX).
#define PROTO_PEEK_MAX 512

struct proto_peek {
    struct span first[2]; // initiator, responder
    bool responder_spoke_first;
    uint16_t port[2];
    uint8_t ip_proto;
    bool midstream;
    bool final; // no more will come: MAYBE means no
};

enum proto_end { PROTO_END_FIN, PROTO_END_RST, PROTO_END_TIMEOUT, PROTO_END_EVICTED };

#define PROTO_TOUCHED_MAX 7

struct proto_descriptor {
    const char *name;
    size_t state_size;
    uint8_t app;         // enum record_app it begins as
    bool handshake_only; // tells no more than a handshake: may be opened with any peer
    // Where in the state, beside its beginning, stand the cache lines that octets usually touch; 0 ends.
    uint16_t touched[PROTO_TOUCHED_MAX + 1];
    struct { // the same of the result, beside its beginning
        uint16_t from, to;
    } told;
    // First-octets rule: MAYBE asks for more octets, while there are fewer than PROTO_PEEK_MAX.
    enum proto_match (*match)(const struct proto_peek *p);
    // Is a recognised dialogue with this port worth following? NULL: always. Else it is only named.
    bool (*wanted)(uint16_t port);
    void (*open)(struct proto_flow *f, void *state, int64_t t_us);
    // Octets of one side in order; called as often as the stream layer likes, with any cut.
    void (*feed)(struct proto_flow *f, void *state, enum proto_side side, struct span data,
                 int64_t t_us);
    // `missing` octets of this side will never come; the tracker resynchronises or gives up, and says so.
    void (*gap)(struct proto_flow *f, void *state, enum proto_side side, uint64_t missing,
                int64_t t_us);
    void (*close)(struct proto_flow *f, void *state, enum proto_end end, int64_t t_us);
    // Makes a state that goes back to the pool zero again, touching only what was used of it. NULL: the
    // pool wipes all of it.
    void (*wipe)(void *state);
    // Both may be NULL. For a tracker that has others on top of it: octets that passed to them, and
    // what the dialogue inside was recognised as (enum record_app).
    void (*passed)(struct proto_flow *f, void *state, enum proto_side side, struct span data);
    void (*inner)(struct proto_flow *f, void *state, uint8_t app);
};

// Registry, in the order in which match is asked. NULL-terminated.
extern const struct proto_descriptor *const proto_registry[];

// The entry points of the flow layer. They identify, feed the innermost tracker, nest and free.
struct proto_pool; // all trackers' state, sized at start

struct proto_pool *proto_pool_new(size_t flows); // NULL: out of memory
void proto_pool_free(struct proto_pool *p);
size_t proto_pool_in_use(const struct proto_pool *p);

void proto_feed(struct proto_flow *f, struct proto_pool *pool, enum proto_side side,
                struct span data, int64_t t_us);
void proto_gap(struct proto_flow *f, struct proto_pool *pool, enum proto_side side,
               uint64_t missing, int64_t t_us);
// One datagram of a UDP flow (DNS).
void proto_datagram(struct proto_flow *f, struct proto_pool *pool, enum proto_side side,
                    struct span data, int64_t t_us);
void proto_close(struct proto_flow *f, struct proto_pool *pool, enum proto_end end, int64_t t_us);
// Frees what the flow holds of the pool without a word (after proto_close, or at eviction).
void proto_drop(struct proto_flow *f, struct proto_pool *pool);

// Move what was gathered since the last call into the record (groups, app, sub-structs, hashes), and
// clear the deltas. Facts that hold for the whole flow (banner code, JA4, SOCKS target) stay and are
// repeated. Returns false when there is nothing new to say.
bool proto_report(struct proto_flow *f, struct record_flow *out);

// For trackers: the result to write into, made on first use (from the pool; a shared dummy when
// the pool is empty, which is counted). Never NULL.
struct proto_result *proto_result_new(struct proto_flow *f);

static inline struct proto_result *proto_result(struct proto_flow *f)
{
    if (!f->out)
        return proto_result_new(f);
    f->out->fresh = true;
    return f->out;
}

// The same with a part (enum record_group), which begins as what is not known yet.
void proto_result_begin(struct proto_result *r, uint8_t group);

static inline struct proto_result *proto_result_part(struct proto_flow *f, uint8_t group)
{
    struct proto_result *r = proto_result(f);
    if (!(r->groups & group))
        proto_result_begin(r, group);
    return r;
}

void proto_hash(struct proto_flow *f, enum keyed_hash_kind kind, struct span name);
// The same for a hash that proto_hash_of gave.
void proto_hash_note(struct proto_flow *f, struct keyed_hash hash);
// The hash alone, which goes into no record by itself.
struct keyed_hash proto_hash_of(struct proto_flow *f, enum keyed_hash_kind kind, struct span name);
// From the next octet on the dialogue belongs to `next`, on top of the present tracker (which sees
// close, but no more octets). `rest` is what of this feed call was not used; it is fed to `next`.
void proto_switch(struct proto_flow *f, const struct proto_descriptor *next, enum proto_side side,
                  struct span rest, int64_t t_us);

// For trackers: what the dialogue is. The outermost one names the flow, a nested one is told to the
// tracker below it.
void proto_set_app(struct proto_flow *f, uint8_t app, uint8_t app_source);
// May the legal profile's reader look inside dialogues with this peer?
bool proto_may_look(const struct proto_flow *f);

// Octets of this feed call that the caller did not use, handed to the innermost tracker (which the
// call may have changed).
void proto_pass(struct proto_flow *f, enum proto_side side, struct span rest, int64_t t_us);
// The innermost tracker ends and `next` takes its place (NULL: nobody; the one below goes on).
void proto_replace(struct proto_flow *f, const struct proto_descriptor *next, int64_t t_us);

extern const struct proto_descriptor proto_smtp, proto_tls, proto_socks4, proto_socks5,
    proto_socks5_reverse, proto_http_connect, proto_pop3, proto_imap, proto_dns;
