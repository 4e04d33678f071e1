// What comes from the other side or from disk between sensor and collector. The first octet says what the rest is: 0 acknowledgements,
// fed in pieces; 1 a spool segment that is opened, read, appended to and read again; 2 an address; 3 block and segment headers.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/spool_format.h"
#include "common/transport.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz_transport.XXXXXX";

static void clean(void)
{
    char path[80];
    for (unsigned n = 1; n <= 3; n++) {
        snprintf(path, sizeof path, "%s/%016x.seg", dir, n);
        unlink(path);
    }
}

static void leave(void)
{
    clean();
    rmdir(dir);
}

static void count(void *ctx, const struct transport_ack *a)
{
    uint64_t *n = ctx;
    *n += a->sequence | 1;
}

// However it is cut, the same is heard.
static void acks(const uint8_t *data, size_t size)
{
    struct transport_ack_reader whole = {0}, pieces = {0};
    uint64_t a = 0, b = 0;
    transport_ack_feed(&whole, span_of(data, size), count, &a);
    for (size_t i = 0; i < size; i++)
        transport_ack_feed(&pieces, span_of(data + i, 1), count, &b);
    if (a != b || whole.broken != pieces.broken)
        abort();
}

static unsigned read_all(struct spool *s)
{
    struct spool_reader *r = spool_reader_new(s);
    struct spool_block b;
    struct span payload;
    unsigned n = 0;
    while (r && spool_reader_next(r, &b, &payload) == 1)
        n++;
    spool_reader_free(r);
    return n;
}

static void segment(const uint8_t *data, size_t size)
{
    static bool made;
    char path[80];
    struct spool_options o = {.octets_max = 1 << 24, .segment_octets = 1 << 20};
    struct spool_block b = {.kind = SPOOL_RECORDS, .records = 1, .latest_ms = 1};
    struct spool *s;
    if (!made) {
        if (!mkdtemp(dir))
            abort();
        atexit(leave);
        made = true;
    }
    snprintf(path, sizeof path, "%s/%016x.seg", dir, 1u);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
    if (spool_open(dir, &o, &s) < 0)
        abort();
    unsigned before = read_all(s);
    if (spool_append(s, &b, span_of("x", 1)) < 0 || read_all(s) != before + 1)
        abort();
    spool_close(s);
    if (spool_open(dir, &o, &s) < 0 || read_all(s) != before + 1)
        abort();
    spool_close(s);
    clean();
}

static void address(const uint8_t *data, size_t size)
{
    char text[400];
    struct transport_address a;
    snprintf(text, sizeof text, "%.*s", (int)(size < 399 ? size : 399), (const char *)data);
    transport_address_parse(text, &a);
}

static void headers(const uint8_t *data, size_t size)
{
    struct spool_block_header b;
    struct spool_segment_header s;
    spool_block_get(span_of(data, size), &b);
    spool_segment_get(span_of(data, size), &s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (data[0] % 4) {
    case 0: acks(data + 1, size - 1); break;
    case 1: segment(data + 1, size - 1); break;
    case 2: address(data + 1, size - 1); break;
    default: headers(data + 1, size - 1); break;
    }
    return 0;
}
