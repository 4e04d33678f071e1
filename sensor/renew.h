// A sensor's certificate made anew while it runs: it asks where it was enrolled, showing the one it has. The key stays, and the
// certificate is replaced in one rename; connections that are open go on. Lives in the loop and never waits.
// docs/formats/transport.md.
#pragma once

#include "common/control.h"
#include "common/loop.h"
#include "common/span.h"

#define RENEW_ADDRESS_FILE "enroll" // in sensor.tls: HOST:PORT

// A new or emptied file with this content, synced. Negative errno.
int renew_write(const char *path, struct span content);

struct renew;

uint16_t renew_port(const char *folder); // where the sensor was enrolled; 0: it does not say
// Looks up the name of where the sensor was enrolled. `folder` is borrowed. NULL: out of memory.
struct renew *renew_new(struct loop *l, const char *folder);
void renew_free(struct renew *r);
// A few times a second; `due`: it is time for a new certificate. True: there is one now.
bool renew_tick(struct renew *r, bool due, int64_t now_ms);
uint64_t renew_count(const struct renew *r);
// Why not, when it was due; NULL: nothing is wrong.
const char *renew_trouble(const struct renew *r);
