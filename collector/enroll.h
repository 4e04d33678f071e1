// Where new sensors get their certificate: one request a connection, token in, certificate out; who asks is known by the
// token. A sensor that shows a certificate of ours gets the next one without. docs/formats/transport.md.
#pragma once

#include "common/loop.h"
#include "registry.h"
#include "sources.h"

#define ENROLL_REQUEST_MAX 8192

struct enroll;

// `fd` listens and stays the caller's, `sources` is borrowed. NULL: out of memory.
struct enroll *enroll_new(struct loop *l, int fd, struct registry *r, struct sources *sources,
                          int days);
void enroll_free(struct enroll *e);
uint64_t enroll_refused(const struct enroll *e);

// The answer to a whole request, for one connection and for tests; `who` showed a certificate, NULL: nobody. 0: more is needed;
// 1: `*answer` is the caller's: OK and a certificate, or NO and why.
int enroll_answer(struct registry *r, struct span request, const struct tls_identity *who, int days,
                  int64_t now_ms, char **answer);
