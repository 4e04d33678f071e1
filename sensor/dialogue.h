// The dialogues of flows that carry octets worth following: a stream and a tracker each, from a pool of
// fixed size. When the tracker has nothing to follow the place is given back, and the flow keeps only
// what it is. When all places are taken the dialogue that has been silent longest gives up its own, so
// that nobody blinds the sensor by opening many and going on with none.
#pragma once

#include "proto/proto.h"
#include "stream.h"

struct flow;
struct flow_table;
struct packet;

// The usual segment asks for the two lines in the middle alone: behind the facts of the flow, the trackers; then both
// directions of the stream.
struct dialogue {
    struct proto_flow proto;
    struct stream stream;
    uint64_t missing[2]; // since the last record
    uint32_t next_free;
    uint32_t flow;         // its index
    uint32_t older, newer; // of its class, by opening or by the last reprieve; 0: none
    bool in_use;
    bool mail; // the class
};

_Static_assert(sizeof(struct dialogue) == 256, "four cache lines");
_Static_assert(offsetof(struct dialogue, proto.stack) == 64, "the second");
_Static_assert(offsetof(struct dialogue, stream) == 128, "and the third");

struct dialogues;

struct dialogues *dialogues_new(size_t count, const struct stream_limits *limits); // NULL: memory
void dialogues_free(struct dialogues *d);
size_t dialogues_in_use(const struct dialogues *d);
struct proto_pool *dialogues_proto_pool(struct dialogues *d);
const struct stream_pool *dialogues_stream_pool(const struct dialogues *d);
// Fetches what the flow's next segment will look at.
void dialogue_prefetch(const struct dialogues *d, const struct flow *f);
void dialogue_prefetch_tracker(const struct dialogues *d, const struct flow *f);
struct dialogue *dialogue_of(struct dialogues *d, const struct flow *f); // NULL: it has none

// Beside enum stream_verdict:
enum dialogue_verdict { DIALOGUE_NONE = 16 }; // the flow has no dialogue

// A TCP segment of side `dir` of an open flow; opens the dialogue at the first payload.
unsigned dialogue_segment(struct flow_table *t, struct flow *f, const struct packet *p,
                          unsigned dir);
// The usual segment of an open flow that has a dialogue (stream_next). False: nothing was changed, and
// dialogue_segment has to look at it.
bool dialogue_next(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir);
// The beginning of side `dir` was shown late: its first octet is known now.
void dialogue_begins(struct flow_table *t, struct flow *f, unsigned dir);
// Initiator and responder change places; false: too late, octets have been fed.
bool dialogue_swap(struct flow_table *t, struct flow *f);
void dialogue_datagram(struct flow_table *t, struct flow *f, const struct packet *p, unsigned dir);
void dialogue_timeout(struct flow_table *t, struct flow *f, int64_t t_us);
// 0: no deadline.
int64_t dialogue_deadline(struct flow_table *t, const struct flow *f);
// All that was awaited is here; nothing is held.
bool dialogue_settled(struct flow_table *t, const struct flow *f);
// Delivers what is held, closes the tracker (enum proto_end); what it has gathered stays for the
// last record.
void dialogue_close(struct flow_table *t, struct flow *f, unsigned how, int64_t t_us);
void dialogue_free(struct flow_table *t, struct flow *f);
// Gives the place back when there is nothing more to follow; after a record.
void dialogue_reconsider(struct flow_table *t, struct flow *f);
