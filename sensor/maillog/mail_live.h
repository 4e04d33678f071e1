// `postern-sensor --mail-log` without -r: the files of sensor.mail_log.files and the journal are followed as
// they grow. The functions are those of daemon_spec.
#pragma once

#include "common/daemon.h"

int mail_live_open(struct daemon *d);
void mail_live_sandbox(const struct daemon *d, struct sandbox *s);
int mail_live_start(struct daemon *d);
void mail_live_status(struct daemon *d, struct control_status *out);
void mail_live_stop(struct daemon *d);
void mail_live_abandon(struct daemon *d);
