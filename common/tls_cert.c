// Keys, requests and certificates of the collector's small authority: EC P-256, SHA-256, PEM.
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/tls_peer.h"

// A certificate is good from a little earlier on, for clocks differ.
#define EARLIER_S 3600

// ---- Files

static X509 *read_cert(const char *path)
{
    BIO *b = BIO_new_file(path, "re");
    X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
    BIO_free(b);
    ERR_clear_error();
    return x;
}

static EVP_PKEY *read_key(const char *path)
{
    BIO *b = BIO_new_file(path, "re");
    EVP_PKEY *k = b ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL) : NULL;
    BIO_free(b);
    ERR_clear_error();
    return k;
}

// The octets of a memory BIO as text of the caller's; frees the BIO.
static char *take_text(BIO *b)
{
    char *data = NULL;
    long len = BIO_get_mem_data(b, &data);
    char *text = len > 0 ? malloc((size_t)len + 1) : NULL;
    if (text) { // what the BIO holds has no end mark
        memcpy(text, data, (size_t)len);
        text[len] = '\0';
    }
    BIO_free(b);
    return text;
}

static int write_new(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    size_t len = strlen(text);
    ssize_t n = write(fd, text, len);
    int rc = n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    close(fd);
    if (rc < 0)
        unlink(path);
    return rc;
}

static int write_key(const char *path, EVP_PKEY *key)
{
    BIO *b = BIO_new(BIO_s_mem());
    if (!b || PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) != 1) {
        BIO_free(b);
        return -ENOMEM;
    }
    char *text = take_text(b);
    int rc = text ? write_new(path, text, 0600) : -ENOMEM;
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
    return rc;
}

static char *cert_text(X509 *x)
{
    BIO *b = BIO_new(BIO_s_mem());
    if (b && PEM_write_bio_X509(b, x) == 1)
        return take_text(b);
    BIO_free(b);
    return NULL;
}

int tls_cert_fingerprint(const char *path, uint8_t out[static 32])
{
    X509 *x = read_cert(path);
    unsigned len = 0;
    uint8_t digest[EVP_MAX_MD_SIZE];
    if (!x)
        return access(path, R_OK) < 0 ? -errno : -EINVAL;
    int rc = X509_digest(x, EVP_sha256(), digest, &len) == 1 && len == 32 ? 0 : -EINVAL;
    if (rc == 0)
        memcpy(out, digest, 32);
    X509_free(x);
    return rc;
}

int64_t tls_cert_expiry(const char *path)
{
    struct tm tm;
    X509 *x = read_cert(path);
    if (!x)
        return access(path, R_OK) < 0 ? -errno : -EINVAL;
    bool good = ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1;
    X509_free(x);
    return good ? (int64_t)timegm(&tm) * 1000 : -EINVAL;
}

// ---- Making

static bool set_name(X509_NAME *n, const char *name)
{
    return X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                                      0) == 1;
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool added = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return added;
}

// A random serial, the name, and from when to when.
static X509 *new_cert(const char *name, int days, int64_t now_ms, char serial[static 41])
{
    X509 *x = X509_new();
    BIGNUM *number = BN_new();
    time_t now = (time_t)(now_ms / 1000 - EARLIER_S);
    char *hex = NULL;
    bool good = x && number && X509_set_version(x, X509_VERSION_3) == 1 &&
                BN_rand(number, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) && (hex = BN_bn2hex(number)) &&
                set_name(X509_get_subject_name(x), name) &&
                X509_time_adj_ex(X509_getm_notBefore(x), 0, 0, &now) &&
                X509_time_adj_ex(X509_getm_notAfter(x), days, EARLIER_S, &now);
    if (good)
        snprintf(serial, 41, "%s", hex);
    OPENSSL_free(hex);
    BN_free(number);
    if (good)
        return x;
    X509_free(x);
    return NULL;
}

int tls_cert_make_authority(const char *key, const char *cert, const char *name, int days,
                            int64_t now_ms)
{
    char serial[41];
    EVP_PKEY *k = EVP_EC_gen("P-256");
    X509 *x = new_cert(name, days, now_ms, serial);
    char *text = NULL;
    int rc = -ENOMEM;
    if (k && x && X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 &&
        X509_set_pubkey(x, k) == 1 &&
        add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(x, x, NID_subject_key_identifier, "hash") &&
        X509_sign(x, k, EVP_sha256()) > 0 && (text = cert_text(x)))
        rc = write_key(key, k);
    if (rc == 0)
        rc = write_new(cert, text, 0644);
    free(text);
    X509_free(x);
    EVP_PKEY_free(k);
    ERR_clear_error();
    return rc;
}

// NULL: out of memory.
static char *request_text(EVP_PKEY *k, const char *name)
{
    X509_REQ *req = X509_REQ_new();
    BIO *b = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (k && req && b && set_name(X509_REQ_get_subject_name(req), name) &&
        X509_REQ_set_pubkey(req, k) == 1 && X509_REQ_sign(req, k, EVP_sha256()) > 0 &&
        PEM_write_bio_X509_REQ(b, req) == 1) {
        text = take_text(b);
        b = NULL;
    }
    BIO_free(b);
    X509_REQ_free(req);
    ERR_clear_error();
    return text;
}

int tls_cert_request(const char *key, const char *name, char **pem)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    char *text = request_text(k, name);
    int rc = text ? write_key(key, k) : -ENOMEM;
    EVP_PKEY_free(k);
    ERR_clear_error();
    if (rc == 0)
        *pem = text;
    else
        free(text);
    return rc;
}

int tls_cert_request_again(const char *key, const char *name, char **pem)
{
    EVP_PKEY *k = read_key(key);
    if (!k)
        return access(key, R_OK) < 0 ? -errno : -EINVAL;
    *pem = request_text(k, name);
    EVP_PKEY_free(k);
    return *pem ? 0 : -ENOMEM;
}

// ---- Signing

static X509_REQ *read_request(struct span request)
{
    if (request.len > 65536)
        return NULL;
    BIO *b = BIO_new_mem_buf(request.data, (int)request.len);
    X509_REQ *req = b ? PEM_read_bio_X509_REQ(b, NULL, NULL, NULL) : NULL;
    BIO_free(b);
    EVP_PKEY *key = req ? X509_REQ_get0_pubkey(req) : NULL;
    if (key && X509_REQ_verify(req, key) == 1)
        return req;
    X509_REQ_free(req);
    return NULL;
}

// "a.example,192.0.2.1" gives "DNS:a.example,IP:192.0.2.1".
static void alternative_names(const char *names, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    while (*names && at < size) {
        size_t len = strcspn(names, ",");
        bool address = strspn(names, "0123456789.") == len || memchr(names, ':', len);
        int n = snprintf(out + at, size - at, "%s%s:%.*s", at ? "," : "", address ? "IP" : "DNS",
                         (int)len, names);
        at += n > 0 ? (size_t)n : 0;
        names += len + (names[len] == ',');
    }
}

static bool describe(X509 *x, X509 *authority, const char *server_names)
{
    char names[600];
    bool good = add_extension(x, authority, NID_basic_constraints, "critical,CA:FALSE") &&
                add_extension(x, authority, NID_key_usage, "critical,digitalSignature") &&
                add_extension(x, authority, NID_ext_key_usage,
                              server_names ? "serverAuth" : "clientAuth");
    if (!good || !server_names)
        return good;
    alternative_names(server_names, names, sizeof names);
    return add_extension(x, authority, NID_subject_alt_name, names);
}

int tls_cert_sign(const char *authority_key, const char *authority_cert, struct span request,
                  const char *name, const char *server_names, int days, int64_t now_ms, char **pem,
                  char serial[static 41])
{
    EVP_PKEY *key = read_key(authority_key);
    X509 *authority = read_cert(authority_cert), *x = NULL;
    X509_REQ *req = read_request(request);
    char number[41], *text = NULL;
    int rc = !key || !authority ? -EIO : req ? -ENOMEM : -EINVAL;
    if (rc == -ENOMEM && (x = new_cert(name, days, now_ms, number)) &&
        X509_set_issuer_name(x, X509_get_subject_name(authority)) == 1 &&
        X509_set_pubkey(x, X509_REQ_get0_pubkey(req)) == 1 &&
        describe(x, authority, server_names) && X509_sign(x, key, EVP_sha256()) > 0 &&
        (text = cert_text(x))) {
        *pem = text;
        memcpy(serial, number, sizeof number);
        rc = 0;
    }
    X509_free(x);
    X509_REQ_free(req);
    X509_free(authority);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return rc;
}
