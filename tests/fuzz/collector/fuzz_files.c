// The collector's text files from any octets: 0 a provider file, 2 CGNAT port blocks, else a lease history. Taken or refused with a
// place; what is taken answers look-ups.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cgnat.h"
#include "leases.h"
#include "provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ip_addr four = {.family = IP_V4, .octet = {192, 0, 2, 1}};
static const struct ip_addr six = {.family = IP_V6, .octet = {0x20, 1, 0xd, 0xb8}};

static void providers(const char *path, FILE *errors)
{
    struct network_file *t;
    if (network_file_load(path, errors, &t) < 0)
        return;
    provider_of(t, &four, "");
    provider_of(t, &six, "");
    network_file_free(t);
}

static int inside(const struct realm *realm, const struct ip_addr *addr, int64_t from_ms,
                  int64_t to_ms, void *ctx)
{
    unsigned *n = ctx;
    if (realm->name[0] || addr->family == 0 || from_ms > to_ms)
        abort();
    ++*n;
    return 0;
}

// Who has a port at a time had it in a window around that time.
static void blocks(const char *path, FILE *errors)
{
    struct cgnat *c = cgnat_new();
    struct realm realm = {.name = ""};
    static const int64_t times[] = {0, 1767225600000, 1795326720000};
    if (!c || cgnat_add_table(c, path, &realm, &realm, errors) < 0) {
        cgnat_free(c);
        return;
    }
    for (uint32_t port = 0; port < 65536; port += 509)
        for (size_t i = 0; i < 3; i++) {
            struct cgnat_inside in;
            unsigned n = 0;
            bool found = cgnat_find(c, &realm, &four, (uint16_t)port, times[i], &in) ==
                         CGNAT_INSIDE;
            cgnat_window(c, &realm, &four, (uint16_t)port, times[i], times[i] + 1, inside, &n);
            if (found && (n == 0 || in.port_first > port || in.port_last < port))
                abort();
        }
    cgnat_free(c);
}

static void leases(const char *path, FILE *errors)
{
    struct leases *l;
    if (leases_load(path, errors, &l) < 0)
        return;
    static const int64_t times[] = {0, 1767225600000, 1795326720000, 4102444800000};
    struct realm realm = {.name = ""};
    for (size_t i = 0; i < 4; i++) {
        struct lease_answer a = leases_find(l, &realm, &four, (uint16_t)(i * 1000), times[i]);
        struct ip_prefix p = prefix_of(&four, 32);
        struct subscriber_key key = subscriber_key_of(&realm, &p);
        leases_identity(l, &a, &key);
        leases_find(l, &realm, &six, 0, times[i]);
        uint32_t open, changes;
        leases_churn(l, -1, times[i], &open, &changes);
    }
    leases_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32];
    static FILE *nowhere;
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (size == 0 || fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1)) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (data[0] == 0)
        providers(path, nowhere);
    else if (data[0] == 2)
        blocks(path, nowhere);
    else
        leases(path, nowhere);
    close(fd);
    return 0;
}
