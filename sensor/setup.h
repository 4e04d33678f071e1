// What every job of the sensor is made of, from the configuration: prefix sets, key, sink, packet path.
#pragma once

#include "common/daemon.h"
#include "common/sandbox.h"
#include "outlet.h"
#include "sensor.h"

struct job {
    struct prefix_set *subscribers, *smarthosts;
    struct sink sink;
    struct outlet *outlet; // behind the sink, when it is a spool
    struct sensor *sensor;
};

// Each returns 0, or a sysexits code after having said why in one line.

int setup_sets(const struct conf_site *site, struct prefix_set **subscribers,
               struct prefix_set **smarthosts);
// The replay key without a key file.
int setup_key(const struct daemon *d, struct keyed_hash_key *out);
// The sink of a process of this number; none when no output is named.
int setup_sink(const struct daemon *d, uint16_t process, struct sink *out);
// The spool of the configuration as the sink, when no output is named. `wait` as outlet_sink.
int setup_outlet(const struct daemon *d, uint16_t process, bool wait, struct job *j);
void setup_free(struct job *j);
// What every daemon of the sensor may still do: its status behind the end, and when it `sends` the spool and
// the way to the collector.
void setup_sandbox(const struct daemon *d, bool sends, struct sandbox *s);
// Says that memory is out, and what to lower. EX_OSERR.
int setup_out_of_memory(void);
