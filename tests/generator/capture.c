// pcap 2.4 as in draft-ietf-opsawg-pcap, little-endian, link type 1 (Ethernet).
#include "capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

struct capture {
    FILE *file; // one of the two
    gzFile gz;
    bool nanoseconds;
};

static int write_all(struct capture *c, const void *data, size_t len)
{
    if (len == 0)
        return 0;
    if (c->gz)
        return gzwrite(c->gz, data, (unsigned)len) == (int)len ? 0 : -EIO;
    return fwrite(data, 1, len, c->file) == len ? 0 : -EIO;
}

static void le32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

struct capture *capture_open(const char *path, bool nanoseconds, uint32_t snaplen)
{
    struct capture *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->nanoseconds = nanoseconds;
    size_t n = strlen(path);
    errno = 0;
    if (n > 3 && strcmp(path + n - 3, ".gz") == 0) {
        c->gz = gzopen(path, "wb1"); // writes no name and no time: same input, same octets
        if (c->gz)
            gzbuffer(c->gz, 1u << 18);
    } else {
        c->file = fopen(path, "wb");
    }
    if (!c->gz && !c->file) {
        int error = errno ? errno : ENOMEM;
        free(c);
        errno = error;
        return NULL;
    }
    uint8_t head[24] = {0};
    le32(head, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
    head[4] = 2;
    head[6] = 4;
    le32(head + 16, snaplen);
    head[20] = 1;
    if (write_all(c, head, sizeof head) < 0) {
        capture_close(c);
        errno = EIO;
        return NULL;
    }
    return c;
}

int capture_write(struct capture *c, int64_t t_ns, struct span frame, uint32_t wire_len)
{
    uint8_t head[16];
    int64_t fraction = t_ns % 1000000000;
    le32(head, (uint32_t)(t_ns / 1000000000));
    le32(head + 4, (uint32_t)(c->nanoseconds ? fraction : fraction / 1000));
    le32(head + 8, (uint32_t)frame.len);
    le32(head + 12, wire_len);
    if (write_all(c, head, sizeof head) < 0)
        return -EIO;
    return write_all(c, frame.data, frame.len);
}

int capture_close(struct capture *c)
{
    int rc = 0;
    if (c->gz)
        rc = gzclose(c->gz) == Z_OK ? 0 : -EIO;
    else if (fclose(c->file) != 0)
        rc = -errno;
    free(c);
    return rc;
}
