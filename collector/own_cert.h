// The collector's own certificate: made when there is none, made anew in time, by its own authority. The key stays.
#pragma once

#include <stdint.h>

struct own_cert { // paths
    const char *key, *cert, *ca_key, *ca;
    const char *names; // in the certificate, separated by commas
};

// 0: it is good for 60 days more; 1: there is a new one; negative errno.
int own_cert_renew(const struct own_cert *c, int64_t now_ms);
