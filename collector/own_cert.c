// The new certificate is written beside the old one and takes its place: who reads it has the one or the other.
#include "own_cert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/tls_peer.h"

#define DAYS     1825
#define RENEW_MS (INT64_C(60) * 86400 * 1000)

// The authority's certificate is sent along: who enrols knows it by its fingerprint.
static int copy(FILE *out, const char *pem, const char *ca_path)
{
    FILE *ca = fopen(ca_path, "re");
    if (!ca)
        return -errno;
    fputs(pem, out);
    for (int c; (c = fgetc(ca)) != EOF;)
        fputc(c, out);
    int rc = ferror(ca) ? -EIO : 0;
    fclose(ca);
    errno = 0;
    if (rc == 0 && (ferror(out) || fflush(out) != 0 || fsync(fileno(out)) != 0))
        rc = errno ? -errno : -EIO;
    return rc;
}

static int replace(const struct own_cert *c, const char *pem)
{
    char fresh[600];
    snprintf(fresh, sizeof fresh, "%s.new", c->cert);
    FILE *f = fopen(fresh, "we");
    int rc = f ? copy(f, pem, c->ca) : -errno;
    if (f && fclose(f) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(fresh, c->cert) < 0)
        rc = -errno;
    if (rc < 0)
        unlink(fresh);
    return rc;
}

int own_cert_renew(const struct own_cert *c, int64_t now_ms)
{
    char *request = NULL, *pem = NULL, serial[41];
    int64_t until = tls_cert_expiry(c->cert);
    if (until > now_ms + RENEW_MS)
        return 0;
    if (until < 0 && until != -ENOENT)
        return (int)until;
    int rc = tls_cert_request_again(c->key, "postern-collector", &request);
    if (rc == -ENOENT)
        rc = tls_cert_request(c->key, "postern-collector", &request);
    if (rc == 0)
        rc = tls_cert_sign(c->ca_key, c->ca, span_of_text(request), "postern-collector", c->names,
                           DAYS, now_ms, &pem, serial);
    if (rc == 0)
        rc = replace(c, pem);
    free(request);
    free(pem);
    return rc < 0 ? rc : 1;
}
