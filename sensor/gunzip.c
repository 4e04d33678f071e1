// zlib's inflate, fed in blocks. What follows a member and begins like none is padding, and passed over.
#include "gunzip.h"

#include <stdlib.h>
#include <zlib.h>

#define INPUT (1u << 16)
// Window of 32 kB, and a gzip header before the data.
#define GZIP_WINDOW (15 + 16)

struct gunzip {
    FILE *file;
    z_stream z;
    uint64_t offset; // of the file, up to the end of `input`
    enum gunzip_state state;
    int begun, over; // inside a member; nothing more will come
    unsigned char input[INPUT];
};

struct gunzip *gunzip_new(FILE *file)
{
    struct gunzip *g = calloc(1, sizeof *g);
    if (g && inflateInit2(&g->z, GZIP_WINDOW) == Z_OK) {
        g->file = file;
        return g;
    }
    free(g);
    fclose(file);
    return NULL;
}

void gunzip_free(struct gunzip *g)
{
    if (!g)
        return;
    inflateEnd(&g->z);
    fclose(g->file);
    free(g);
}

// False: the file has no more octets.
static int refill(struct gunzip *g)
{
    if (g->z.avail_in > 0)
        return 1;
    size_t n = fread(g->input, 1, sizeof g->input, g->file);
    g->offset += n;
    g->z.next_in = g->input;
    g->z.avail_in = (uInt)n;
    return n > 0;
}

static void end(struct gunzip *g, enum gunzip_state state)
{
    g->state = state;
    g->over = 1;
}

// Octets before the damage are in the output already.
static void judge(struct gunzip *g, int rc)
{
    switch (rc) {
    case Z_OK:
    case Z_BUF_ERROR: return;
    case Z_STREAM_END:
        g->begun = 0;
        inflateReset(&g->z);
        return;
    default: end(g, GUNZIP_BROKEN);
    }
}

size_t gunzip_read(struct gunzip *g, void *out, size_t size)
{
    g->z.next_out = out;
    g->z.avail_out = size > INT32_MAX ? INT32_MAX : (uInt)size;
    uInt room = g->z.avail_out;
    while (!g->over && g->z.avail_out > 0) {
        if (!refill(g)) {
            end(g, g->begun || g->offset == 0 ? GUNZIP_TRUNCATED : GUNZIP_WHOLE);
            break;
        }
        // Behind the first member only another one counts.
        if (!g->begun && g->offset > g->z.avail_in && g->z.next_in[0] != 0x1f) {
            end(g, GUNZIP_WHOLE);
            break;
        }
        g->begun = 1;
        judge(g, inflate(&g->z, Z_NO_FLUSH));
    }
    return room - g->z.avail_out;
}

enum gunzip_state gunzip_state(const struct gunzip *g)
{
    return g->state;
}

uint64_t gunzip_offset(const struct gunzip *g)
{
    return g->offset - g->z.avail_in;
}
