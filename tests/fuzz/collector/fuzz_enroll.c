// What comes to the port of enrolment, from any octets: a token's line and a certificate request, or the request of who shows a
// certificate. The first octet chooses who asks. The authority and one invitation are made once.
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enroll.h"

#define NOW INT64_C(1795326720000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];
static struct registry *registry;

static void clean_up(void)
{
    static const char *const files[] = {"ca.key", "ca.pem", "key.pem", "cert.pem", "sensors.json"};
    char path[128];
    registry_close(registry);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

static void set_up(void)
{
    char error[300], why[160], token[REGISTRY_TOKEN_MAX];
    snprintf(dir, sizeof dir, "/tmp/fuzz_enroll.XXXXXX");
    if (!mkdtemp(dir) || registry_open(dir, "fuzz", "localhost", NOW, &registry, error) < 0 ||
        registry_invite(registry, "edge", NULL, NULL, NOW, token, why) < 0)
        abort();
    atexit(clean_up);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tls_identity nobody = {.name = "edge", .serial = "00"};
    char *answer = NULL;
    if (!registry)
        set_up();
    if (size == 0)
        return 0;
    struct span request = span_of(data + 1, size - 1);
    // As it comes: what is not whole yet asks for more, and nothing that a stranger says is enough.
    for (size_t n = 0; n <= request.len && !answer; n += 1 + request.len / 8) {
        int rc = enroll_answer(registry, span_cut(request, 0, n), data[0] & 1 ? &nobody : NULL, 365,
                               NOW, &answer);
        assert(rc == 0 || rc == 1);
        assert((rc == 1) == (answer != NULL));
    }
    assert(!answer || strncmp(answer, "NO ", 3) == 0);
    free(answer);
    return 0;
}
