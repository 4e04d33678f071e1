// Fixed pools for trackers' states, peek buffers and results: sized at start, never grown. Three
// size classes; memory is touched only when first used, so an idle sensor stays small. What is given
// back is wiped, because it held parts of a dialogue.
#pragma once

#include "proto/proto.h"

struct proto_pool;

// Zeroed state of at most POOL_STATE_MAX octets; NULL when none is left.
#define POOL_STATE_MAX 2528
// In front of each state, in its first cache line.
#define POOL_HEADER 32
void *pool_take(struct proto_pool *p, size_t size);

// Gives back what pool_take returned; NULL is allowed.
void pool_give(void *state);
// The same for a state whose owner knows what of it was used, and has wiped that: all is zero again.
void pool_give_wiped(void *state);

// The pool an object came from.
struct proto_pool *pool_of(void *state);

// Takes what proto_result hands out when no memory is left; its content is never reported.
struct proto_result *pool_dummy_result(struct proto_pool *p);

// nDPI's handle, made at the first use; NULL when it cannot be had.
struct ident_ndpi *pool_ndpi(struct proto_pool *p);

// A hello to read one in that lies whole: zeroed, to be wiped by its reader before it returns.
struct tls_hello *pool_hello(struct proto_pool *p);

// What tls_ja4 remembers; NULL when there was no memory for it.
struct tls_ja4_memo *pool_ja4_memo(struct proto_pool *p);
