// From captures to records, and done.
#pragma once

#include "common/daemon.h"

// 0 or a sysexits code, all said.
int file_job(struct daemon *d);
