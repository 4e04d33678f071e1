// What becomes of records when the configuration names a spool: spool and sender together. In a daemon the sender lives in the
// daemon's loop; a file job runs a loop of its own while the spool is full and at its end, until all is acknowledged.
#pragma once

#include "sender.h"
#include "sensor_conf.h"

struct outlet;

// Of a process of this number; each has a spool of its own. 0, or a sysexits code after having said why.
int outlet_open(const struct sensor_conf *c, uint16_t process, struct outlet **out);
void outlet_close(struct outlet *o);

// `wait`: a full spool is waited for (file jobs), never refused.
struct sink outlet_sink(struct outlet *o, bool wait);
// The sender begins; nothing without sensor.collector. 0 or a sysexits code.
int outlet_start(struct outlet *o, struct loop *l);
// File job, behind its last record: until all is acknowledged. EX_TEMPFAIL: ended by a signal, the rest stays in the spool.
int outlet_drain(struct outlet *o);
// Returns the alarms that this has told (enum coverage_alarm), for sensor_status.
uint32_t outlet_status(const struct outlet *o, struct control_status *s, int64_t now_ms);
