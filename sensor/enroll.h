// `postern-sensor --enroll TOKEN@HOST:PORT`: makes this sensor's key, and gets its certificate from the collector.
#pragma once

// `folder` (sensor.tls) is made when it is not there; what is in it is replaced when all went well. 0, or a sysexits code
// after having said why.
int enroll_job(const char *what, const char *folder);
