// Frames of several interfaces, in order of time, into the packet path.
//
// One interface is read as fast as it gives. Of several each has its next frame held, and the earliest
// goes first; an interface that gives nothing is waited for until a frame of it could not come any more
// (`lag`): a ring hands a block out when it is full or after its time-out. Frames go on in batches, as those
// of a capture do; a ring's are borrowed until it is read again, so a batch ends where one of them is at an end.
#pragma once

#include "ring.h"
#include "sensor.h"
#include "sensor_conf.h"

// Frames handed on before the event loop gets its turn.
#define INTAKE_BUDGET 8192

// Several processors may receive for one interface, so that frames stand in the ring slightly out of
// order: such a frame counts as of the time of the one before.
#define INTAKE_DISORDER_US 20000

#define INTAKE_BATCH 32

struct intake {
    struct ring *ring[SENSOR_INTERFACES_MAX]; // owned
    size_t rings;
    struct {
        struct source_frame frame[INTAKE_BATCH];
        size_t at, count;           // the next of them, and how many there are
    } ahead[SENSOR_INTERFACES_MAX]; // of several
    struct sensor *sensor;          // borrowed
    int64_t lag_us, last_us;
};

enum intake_result {
    INTAKE_EMPTY, // everything that could be read was
    INTAKE_WAITS, // frames of one interface wait for another's
    INTAKE_MORE,  // the budget is used up
};

// For sensor_setup, with the intake: fetches what the one interface gives next.
void intake_fetch(void *intake);
enum intake_result intake_run(struct intake *in, int64_t now_us);
void intake_close(struct intake *in);
// Sum over the interfaces.
void intake_losses(const struct intake *in, struct ring_losses *out);
