// libssl behind tls_peer.h: contexts, handshakes, octets.
#include "common/tls_peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/loop.h"

#define RENEW_MS (INT64_C(30) * 86400 * 1000)

struct tls_context {
    SSL_CTX *ssl;
    uint8_t fingerprint[32]; // TLS_FIRST_TIME
    enum tls_side side;
    int64_t expiry_ms, renewal_ms;
};

struct tls_peer {
    SSL *ssl; // NULL: without TLS
    int fd;
    unsigned wants;
    bool shaken, failed;
    enum tls_trouble trouble;
    char error[TLS_TEXT_MAX];
};

// ---- Contexts

// The library's last reason, and its list emptied.
static const char *reason(void)
{
    unsigned long e = ERR_peek_last_error();
    const char *text = e ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return text ? text : "not readable";
}

// What a PEM file holds instead of what it should: a few words, by its first lines.
static const char *kind_of(const char *path)
{
    char text[8192];
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    const char *kind = n == 0                         ? "is empty"
                       : !strstr(text, "-----BEGIN ") ? "is no PEM file"
                       : strstr(text, "ENCRYPTED")
                           ? "is locked with a pass phrase; write it without"
                       : strstr(text, "PRIVATE KEY-----")    ? "holds a private key"
                       : strstr(text, "CERTIFICATE REQUEST") ? "holds a request, no certificate"
                       : strstr(text, "BEGIN CERTIFICATE")   ? "holds a certificate"
                                                             : "holds something else";
    explicit_bzero(text, sizeof text);
    return kind;
}

// The file, what is wrong with it, and what mends it.
static int fail(char error[static TLS_TEXT_MAX], const char *path, enum tls_side side,
                const char *what)
{
    char why[120];
    struct stat st;
    bool sensor = side == TLS_CLIENT || side == TLS_FIRST_TIME;
    const char *fix = sensor ? "enrol the sensor again" : "take it from a backup";
    int rc = stat(path, &st) < 0 || access(path, R_OK) < 0 ? -errno : -EINVAL;
    if (rc == -EACCES || rc == -EPERM) {
        snprintf(why, sizeof why, "user %u may not read it", (unsigned)geteuid());
        fix = "give it to the user that the program runs as";
    } else if (rc != -EINVAL) {
        snprintf(why, sizeof why, "%s", rc == -ENOENT ? "it is not there" : strerror(-rc));
    } else if (S_ISDIR(st.st_mode)) {
        snprintf(why, sizeof why, "it is a folder, and should hold %s", what);
    } else {
        const char *text = reason();
        snprintf(why, sizeof why, "it should hold %s, and %s (%.30s)", what, kind_of(path), text);
    }
    snprintf(error, TLS_TEXT_MAX, "%.100s: %s; %s", path, why, fix);
    ERR_clear_error();
    return rc;
}

// A key that everybody reads is no secret.
static int judge_key(const char *path, char error[static TLS_TEXT_MAX])
{
    struct stat st;
    if (stat(path, &st) < 0 || !(st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)))
        return 0; // what is not there is told by who reads it
    snprintf(error, TLS_TEXT_MAX, "%.100s: others may read or change this key; chmod 600", path);
    return -EPERM;
}

static int no_pass_phrase(char *out, int size, int writing, void *ctx)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)ctx;
    return 0; // nobody is there to be asked
}

static int64_t time_of(const ASN1_TIME *t)
{
    struct tm tm;
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return 0;
    return (int64_t)timegm(&tm) * 1000;
}

static int load(SSL_CTX *ssl, const struct tls_files *f, enum tls_side side,
                char error[static TLS_TEXT_MAX])
{
    SSL_CTX_set_default_passwd_cb(ssl, no_pass_phrase);
    if (f->cert && SSL_CTX_use_certificate_chain_file(ssl, f->cert) != 1)
        return fail(error, f->cert, side, "a certificate");
    if (f->key && SSL_CTX_use_PrivateKey_file(ssl, f->key, SSL_FILETYPE_PEM) != 1) {
        bool other = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
        return fail(error, f->key, side,
                    other ? "the key of the certificate beside it" : "a private key");
    }
    if (f->cert && f->key && SSL_CTX_check_private_key(ssl) != 1)
        return fail(error, f->key, side, "the key of the certificate beside it");
    if (f->authority && SSL_CTX_load_verify_locations(ssl, f->authority, NULL) != 1)
        return fail(error, f->authority, side, "the authority's certificate");
    return f->key ? judge_key(f->key, error) : 0;
}

// The end of the chain is known by its fingerprint alone: that of the authority, sent along by the server.
static int first_time(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    int error = X509_STORE_CTX_get_error(store);
    if (ok || (error != X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN &&
               error != X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT))
        return ok;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    if (X509_digest(cert, EVP_sha256(), digest, &len) != 1 || len != sizeof c->fingerprint ||
        CRYPTO_memcmp(digest, c->fingerprint, len) != 0)
        return 0;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static void set_up(struct tls_context *c)
{
    SSL_CTX *ssl = c->ssl;
    SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(ssl, 0);
    SSL_CTX_set_app_data(ssl, c);
    switch (c->side) {
    case TLS_SERVER:
        SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        break;
    case TLS_CLIENT:
    case TLS_ENROLLING: SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL); break;
    case TLS_FIRST_TIME: SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, first_time); break;
    default: break;
    }
}

int tls_context_new(enum tls_side side, const struct tls_files *files, struct tls_context **out,
                    char error[static TLS_TEXT_MAX])
{
    bool server = side == TLS_SERVER || side == TLS_ENROLLING;
    struct tls_context *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->side = side;
    memcpy(c->fingerprint, files->fingerprint, sizeof c->fingerprint);
    c->ssl = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    int rc = c->ssl ? load(c->ssl, files, side, error) : -ENOMEM;
    if (rc < 0) {
        tls_context_free(c);
        return rc;
    }
    set_up(c);
    X509 *own = SSL_CTX_get0_certificate(c->ssl);
    c->expiry_ms = own ? time_of(X509_get0_notAfter(own)) : 0;
    int64_t third = own ? (c->expiry_ms - time_of(X509_get0_notBefore(own))) / 3 : 0;
    c->renewal_ms = c->expiry_ms - (third < RENEW_MS ? third : RENEW_MS);
    *out = c;
    return 0;
}

void tls_context_free(struct tls_context *c)
{
    if (!c)
        return;
    // Peers hold the SSL_CTX; only those of TLS_FIRST_TIME ask it for `c`, and they end before.
    SSL_CTX_free(c->ssl);
    free(c);
}

int64_t tls_context_expiry(const struct tls_context *c)
{
    return c->expiry_ms;
}

int64_t tls_context_renewal(const struct tls_context *c)
{
    return c->renewal_ms;
}

// ---- Peers

struct tls_peer *tls_peer_new(struct tls_context *c, int fd)
{
    struct tls_peer *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->fd = fd;
    p->wants = LOOP_READ;
    p->shaken = !c;
    if (!c)
        return p;
    p->ssl = SSL_new(c->ssl);
    if (!p->ssl || SSL_set_fd(p->ssl, fd) != 1) {
        SSL_free(p->ssl);
        free(p);
        return NULL;
    }
    if (c->side == TLS_SERVER || c->side == TLS_ENROLLING)
        SSL_set_accept_state(p->ssl);
    else
        SSL_set_connect_state(p->ssl);
    return p;
}

void tls_peer_free(struct tls_peer *p)
{
    if (!p)
        return;
    if (p->ssl && p->shaken && !p->failed)
        SSL_shutdown(p->ssl); // once: the other side's answer is not waited for
    ERR_clear_error();
    SSL_free(p->ssl);
    free(p);
}

static int judge(struct tls_peer *p, int result)
{
    int saved = errno;
    switch (SSL_get_error(p->ssl, result)) {
    case SSL_ERROR_WANT_READ: p->wants = LOOP_READ; return -EAGAIN;
    case SSL_ERROR_WANT_WRITE: p->wants = LOOP_WRITE; return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL:
        p->failed = true;
        ERR_clear_error();
        return saved != 0 ? -saved : -ECONNRESET;
    default: break;
    }
    p->failed = true;
    long verify = SSL_get_verify_result(p->ssl);
    if (verify != X509_V_OK) {
        p->trouble = TLS_TROUBLE_CERTIFICATE;
        snprintf(p->error, sizeof p->error, "certificate refused: %s",
                 X509_verify_cert_error_string(verify));
        ERR_clear_error();
    } else {
        p->trouble = ERR_GET_REASON(ERR_peek_last_error()) ==
                             SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE
                         ? TLS_TROUBLE_CERTIFICATE
                         : TLS_TROUBLE_PROTOCOL;
        snprintf(p->error, sizeof p->error, "TLS: %s", reason());
    }
    return -EACCES;
}

int tls_peer_handshake(struct tls_peer *p)
{
    if (p->shaken)
        return 0;
    ERR_clear_error();
    errno = 0;
    int n = SSL_do_handshake(p->ssl);
    if (n == 1) {
        p->shaken = true;
        return 0;
    }
    int rc = judge(p, n);
    return rc == 0 ? -ECONNRESET : rc;
}

static ssize_t plain(struct tls_peer *p, ssize_t n, unsigned wants)
{
    if (n >= 0)
        return n;
    p->wants = wants;
    return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

ssize_t tls_peer_read(struct tls_peer *p, void *out, size_t len)
{
    if (!p->ssl)
        return plain(p, recv(p->fd, out, len, 0), LOOP_READ);
    ERR_clear_error();
    errno = 0;
    size_t n = 0;
    int rc = SSL_read_ex(p->ssl, out, len, &n);
    return rc == 1 ? (ssize_t)n : judge(p, rc);
}

ssize_t tls_peer_write(struct tls_peer *p, struct span s)
{
    if (!p->ssl)
        return plain(p, send(p->fd, s.data, s.len, MSG_NOSIGNAL), LOOP_WRITE);
    ERR_clear_error();
    errno = 0;
    size_t n = 0;
    int rc = SSL_write_ex(p->ssl, s.data, s.len, &n);
    if (rc == 1)
        return (ssize_t)n;
    rc = judge(p, rc);
    return rc == 0 ? -EPIPE : rc;
}

unsigned tls_peer_wants(const struct tls_peer *p)
{
    return p->wants;
}

bool tls_peer_pending(const struct tls_peer *p)
{
    return p->ssl && SSL_has_pending(p->ssl) == 1;
}

const char *tls_peer_error(const struct tls_peer *p)
{
    return p->error[0] ? p->error : NULL;
}

enum tls_trouble tls_peer_trouble(const struct tls_peer *p)
{
    return p->trouble;
}

bool tls_peer_identity(const struct tls_peer *p, struct tls_identity *out)
{
    X509 *cert = p->ssl ? SSL_get0_peer_certificate(p->ssl) : NULL;
    if (!cert)
        return false;
    struct tls_identity id = {0};
    int n = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, id.name,
                                      sizeof id.name);
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char *hex = number ? BN_bn2hex(number) : NULL;
    if (hex)
        snprintf(id.serial, sizeof id.serial, "%s", hex);
    OPENSSL_free(hex);
    BN_free(number);
    id.not_after_ms = time_of(X509_get0_notAfter(cert));
    if (n <= 0 || !id.serial[0] || strlen(id.name) != (size_t)n)
        return false;
    *out = id;
    return true;
}
