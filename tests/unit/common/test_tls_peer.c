// Certificates of a small authority, and who believes whom.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/tls_peer.h"
#include "scratch.h"

struct party { // a folder with key, certificate and authority
    char key[128], cert[128], ca[128];
    char serial[41];
};

struct authority {
    char dir[SCRATCH_MAX], key[96], cert[96];
    struct party server, sensor;
    int64_t now_ms;
};

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void make_party(struct authority *a, struct party *p, const char *name, bool server,
                       int days)
{
    char *request = NULL, *pem = NULL;
    snprintf(p->key, sizeof p->key, "%s/%s.key", a->dir, name);
    snprintf(p->cert, sizeof p->cert, "%s/%s.pem", a->dir, name);
    snprintf(p->ca, sizeof p->ca, "%s", a->cert);
    assert_int_equal(tls_cert_request(p->key, "somebody else", &request), 0);
    assert_int_equal(tls_cert_sign(a->key, a->cert, span_of(request, strlen(request)), name,
                                   server ? "localhost,127.0.0.1,2001:db8::1" : NULL, days,
                                   a->now_ms, &pem, p->serial),
                     0);
    write_text(p->cert, pem);
    free(request);
    free(pem);
}

static struct authority *make(void)
{
    struct authority *a = calloc(1, sizeof *a);
    assert_int_equal(scratch_make(a->dir), 0);
    a->now_ms = loop_clock_ms();
    snprintf(a->key, sizeof a->key, "%s/ca.key", a->dir);
    snprintf(a->cert, sizeof a->cert, "%s/ca.pem", a->dir);
    assert_int_equal(tls_cert_make_authority(a->key, a->cert, "Test", 10, a->now_ms), 0);
    make_party(a, &a->server, "collector", true, 10);
    make_party(a, &a->sensor, "edge1", false, 10);
    return a;
}

static void drop(struct authority *a)
{
    scratch_remove(a->dir);
    free(a);
}

struct pair {
    struct tls_peer *server, *client;
    int fd[2], rc[2]; // of the handshakes
};

static void shake(struct pair *p)
{
    p->rc[0] = p->rc[1] = -EAGAIN;
    for (int i = 0; i < 20; i++) {
        if (p->rc[1] == -EAGAIN)
            p->rc[1] = tls_peer_handshake(p->client);
        if (p->rc[0] == -EAGAIN)
            p->rc[0] = tls_peer_handshake(p->server);
    }
}

static struct pair meet(enum tls_side server, const struct tls_files *s, enum tls_side client,
                        const struct tls_files *c)
{
    struct pair p = {0};
    struct tls_context *sc = NULL, *cc = NULL;
    char error[TLS_TEXT_MAX];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fd), 0);
    assert_int_equal(tls_context_new(server, s, &sc, error), 0);
    assert_int_equal(tls_context_new(client, c, &cc, error), 0);
    p.server = tls_peer_new(sc, p.fd[0]);
    p.client = tls_peer_new(cc, p.fd[1]);
    shake(&p);
    tls_context_free(sc);
    tls_context_free(cc);
    return p;
}

static void part(struct pair *p)
{
    tls_peer_free(p->client);
    tls_peer_free(p->server);
    close(p->fd[0]);
    close(p->fd[1]);
}

static struct tls_files files_of(const struct party *p)
{
    return (struct tls_files){.cert = p->cert, .key = p->key, .authority = p->ca};
}

static void test_both_known(void **state)
{
    struct authority *a = make();
    struct tls_files s = files_of(&a->server), c = files_of(&a->sensor);
    struct stat st;
    struct tls_identity id;
    char text[8] = "";
    (void)state;
    assert_int_equal(stat(a->sensor.key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(a->key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    struct pair p = meet(TLS_SERVER, &s, TLS_CLIENT, &c);
    assert_int_equal(p.rc[0], 0);
    assert_int_equal(p.rc[1], 0);
    assert_true(tls_peer_identity(p.server, &id));
    assert_string_equal(id.name, "edge1"); // not what the request asked for
    assert_string_equal(id.serial, a->sensor.serial);
    assert_true(id.not_after_ms > a->now_ms + INT64_C(9) * 86400000 &&
                id.not_after_ms <= a->now_ms + INT64_C(10) * 86400000 + 3600000);
    assert_int_equal(tls_cert_expiry(a->sensor.cert), id.not_after_ms);
    assert_int_equal(tls_peer_write(p.client, span_of("hello", 5)), 5);
    assert_int_equal(tls_peer_read(p.server, text, sizeof text), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(tls_peer_read(p.server, text, sizeof text), -EAGAIN);
    assert_int_equal(tls_peer_wants(p.server), LOOP_READ);
    tls_peer_free(p.client);
    p.client = NULL;
    assert_int_equal(tls_peer_read(p.server, text, sizeof text), 0);
    part(&p);
    drop(a);
}

// The client of TLS 1.3 is done before the server judges it: it hears of it when it reads.
static void test_strangers(void **state)
{
    struct authority *a = make(), *b = make();
    struct tls_files known = files_of(&a->server), sensor = files_of(&a->sensor);
    struct tls_files stranger = files_of(&b->sensor), nobody = {.authority = a->cert};
    struct tls_files impostor = files_of(&b->server), turned = files_of(&a->sensor);
    char text[8];
    (void)state;
    stranger.authority = a->cert; // believes the server, shows a foreign certificate
    struct pair p = meet(TLS_SERVER, &known, TLS_CLIENT, &stranger);
    assert_int_equal(p.rc[0], -EACCES);
    assert_non_null(strstr(tls_peer_error(p.server), "certificate refused"));
    assert_int_equal(tls_peer_read(p.client, text, sizeof text), -EACCES);
    part(&p);
    p = meet(TLS_SERVER, &known, TLS_CLIENT, &nobody);
    assert_int_equal(p.rc[0], -EACCES);
    part(&p);
    p = meet(TLS_SERVER, &impostor, TLS_CLIENT, &sensor);
    assert_int_equal(p.rc[1], -EACCES);
    part(&p);
    // A sensor's certificate makes no collector.
    p = meet(TLS_SERVER, &turned, TLS_CLIENT, &sensor);
    assert_int_equal(p.rc[1], -EACCES);
    part(&p);
    // Nor does a collector's make a sensor.
    p = meet(TLS_SERVER, &known, TLS_CLIENT, &known);
    assert_int_equal(p.rc[0], -EACCES);
    part(&p);
    drop(a);
    drop(b);
}

static void test_first_time(void **state)
{
    struct authority *a = make();
    struct tls_files s = files_of(&a->server), c = {0};
    char chain[9000] = "", both[96];
    (void)state;
    // The server sends its authority along.
    FILE *f = fopen(a->server.cert, "re");
    size_t n = fread(chain, 1, 4000, f);
    fclose(f);
    f = fopen(a->cert, "re");
    fread(chain + n, 1, 4000, f);
    fclose(f);
    snprintf(both, sizeof both, "%s/chain.pem", a->dir);
    write_text(both, chain);
    s.cert = both;
    assert_int_equal(tls_cert_fingerprint(a->cert, c.fingerprint), 0);
    for (unsigned wrong = 0; wrong < 2; wrong++) {
        c.fingerprint[31] ^= (uint8_t)wrong;
        struct tls_context *sc = NULL, *cc = NULL;
        char error[TLS_TEXT_MAX];
        struct pair p = {0};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fd), 0);
        assert_int_equal(tls_context_new(TLS_ENROLLING, &s, &sc, error), 0);
        assert_int_equal(tls_context_new(TLS_FIRST_TIME, &c, &cc, error), 0);
        p.server = tls_peer_new(sc, p.fd[0]);
        p.client = tls_peer_new(cc, p.fd[1]);
        shake(&p);
        assert_int_equal(p.rc[1], wrong ? -EACCES : 0);
        part(&p);
        tls_context_free(sc);
        tls_context_free(cc);
    }
    drop(a);
}

static void test_refused(void **state)
{
    struct authority *a = make();
    struct tls_context *c;
    struct tls_files f = files_of(&a->sensor);
    char error[TLS_TEXT_MAX], *pem = NULL, *request = NULL, serial[41], key[128];
    uint8_t print[32];
    (void)state;
    f.cert = "/nowhere/cert.pem";
    assert_int_equal(tls_context_new(TLS_CLIENT, &f, &c, error), -ENOENT);
    assert_non_null(strstr(error, "/nowhere/cert.pem"));
    f = files_of(&a->sensor);
    f.key = a->server.key; // of another certificate
    assert_int_equal(tls_context_new(TLS_CLIENT, &f, &c, error), -EINVAL);
    assert_int_equal(tls_cert_fingerprint("/nowhere", print), -ENOENT);
    assert_int_equal(tls_cert_fingerprint(a->key, print), -EINVAL);
    assert_int_equal(tls_cert_make_authority(a->key, a->cert, "again", 1, a->now_ms), -EEXIST);
    assert_int_equal(tls_cert_sign(a->key, a->cert, span_of("nonsense", 8), "x", NULL, 1, a->now_ms,
                                   &pem, serial),
                     -EINVAL);
    snprintf(key, sizeof key, "%s/new.key", a->dir);
    assert_int_equal(tls_cert_request(key, "x", &request), 0);
    request[strlen(request) / 2] ^= 1; // its signature is wrong now, or its form
    assert_int_equal(tls_cert_sign(a->key, a->cert, span_of(request, strlen(request)), "x", NULL, 1,
                                   a->now_ms, &pem, serial),
                     -EINVAL);
    free(request);
    drop(a);
}

// Each says the file, what is wrong with it, and what mends it; nobody is asked for a pass phrase.
static void test_files_that_are_wrong(void **state)
{
    struct authority *a = make();
    struct tls_context *c;
    char path[160], folder[140], error[TLS_TEXT_MAX];
    const char *const other = path;
    (void)state;
    snprintf(path, sizeof path, "%s/other", a->dir);
    snprintf(folder, sizeof folder, "%s", a->dir);
    const struct {
        struct tls_files files;
        const char *content; // of `other`
        unsigned mode;
        int rc;
        const char *parts[3];
    } cases[] = {
        {{"/nowhere/c.pem", a->sensor.key, a->cert, {0}},
         "",
         0600,
         -ENOENT,
         {"/nowhere/c.pem", "is not there", "enrol the sensor again"}},
        {{a->sensor.cert, other, a->cert, {0}},
         "",
         0600,
         -EINVAL,
         {other, "a private key, and is empty", "enrol"}},
        {{a->sensor.cert, other, a->cert, {0}},
         "hello\n",
         0600,
         -EINVAL,
         {other, "is no PEM file", "enrol"}},
        {{a->sensor.cert, folder, a->cert, {0}},
         "",
         0600,
         -EINVAL,
         {folder, "it is a folder", "a private key"}},
        {{a->sensor.cert, a->sensor.cert, a->cert, {0}},
         "",
         0600,
         -EINVAL,
         {a->sensor.cert, "a private key, and holds a certificate", "enrol"}},
        {{a->sensor.key, a->sensor.key, a->cert, {0}},
         "",
         0600,
         -EINVAL,
         {a->sensor.key, "a certificate, and holds a private key", "enrol"}},
        {{a->sensor.cert, a->server.key, a->cert, {0}},
         "",
         0600,
         -EINVAL,
         {a->server.key, "the key of the certificate beside it", "enrol"}},
        {{a->sensor.cert, a->sensor.key, other, {0}},
         "nothing\n",
         0600,
         -EINVAL,
         {other, "the authority's certificate, and is no PEM file", "enrol"}},
        {{a->sensor.cert, other, a->cert, {0}},
         "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
         "DEK-Info: AES-128-CBC,5CA6AF7D6BE9CE75B2D1EA8D1DD7A0F2\n\nAAAAAAAAAAAAAAAAAAAAAA==\n"
         "-----END RSA PRIVATE KEY-----\n",
         0600,
         -EINVAL,
         {other, "pass phrase; write it without", "enrol"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_text(other, cases[i].content);
        assert_int_equal(chmod(other, cases[i].mode), 0);
        error[0] = '\0';
        int rc = tls_context_new(TLS_CLIENT, &cases[i].files, &c, error);
        if (rc != cases[i].rc)
            fail_msg("case %zu: %d, %s", i, rc, error);
        for (size_t n = 0; n < 3; n++)
            if (!strstr(error, cases[i].parts[n]))
                fail_msg("case %zu: %s has no \"%s\"", i, error, cases[i].parts[n]);
    }
    struct tls_files f = files_of(&a->sensor);
    assert_int_equal(chmod(a->sensor.key, 0604), 0);
    assert_int_equal(tls_context_new(TLS_CLIENT, &f, &c, error), -EPERM);
    assert_non_null(strstr(error, a->sensor.key));
    assert_non_null(strstr(error, "others may read or change this key; chmod 600"));
    drop(a);
}

static void test_without(void **state)
{
    int fd[2];
    char text[8];
    struct tls_identity id;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    struct tls_peer *a = tls_peer_new(NULL, fd[0]), *b = tls_peer_new(NULL, fd[1]);
    assert_int_equal(tls_peer_handshake(a), 0);
    assert_int_equal(tls_peer_read(a, text, sizeof text), -EAGAIN);
    assert_int_equal(tls_peer_write(b, span_of("x", 1)), 1);
    assert_int_equal(tls_peer_read(a, text, sizeof text), 1);
    assert_false(tls_peer_identity(a, &id));
    assert_false(tls_peer_pending(a));
    tls_peer_free(b);
    close(fd[1]);
    assert_int_equal(tls_peer_read(a, text, sizeof text), 0);
    tls_peer_free(a);
    close(fd[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_known),           cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_first_time),           cmocka_unit_test(test_refused),
        cmocka_unit_test(test_files_that_are_wrong), cmocka_unit_test(test_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
