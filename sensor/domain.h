// The observation domain of a sensor that was given none: a number that another machine, instance or spool does not
// have, so that the collector never takes two sensors for one. Made of what stays over restarts: the machine's id and
// name, the instance, the folder of the spool.
#pragma once

#include "common/daemon.h"
#include "common/sandbox.h"
#include "sensor_conf.h"

// From 2147483648 on, above what people give, with room for the processes of a port. NULL: there is none of it.
uint32_t domain_of(const char *machine, const char *host, const char *instance, const char *spool);

// Puts it in the place of a `domain` of 0: one of those that the enrolment gave (allotment.h), else a made one. What goes to a
// file of its own (`stays`) has domain 1 instead, the same on every machine. 0, or a sysexits code after having said why: the
// enrolment does not allow sensor.domain, or has none left.
int domain_settle(const struct daemon *d, struct sensor_conf *c, bool stays);
// What that reads, at a reload.
void domain_sandbox(struct sandbox *s);
