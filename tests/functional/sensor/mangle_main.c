// mangle MODE SEED IN OUT: writes the mangled capture as pcap, to look at what a test has seen.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mangle.h"

static bool write_pcap(const char *path, const struct mangle_list *l)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        return false;
    uint32_t head[6] = {0xa1b2c3d4, 0x00040002, 0,
                        0,          262144,     l->count ? (uint32_t)l->frame[0].linktype : 1};
    bool ok = fwrite(head, sizeof head, 1, f) == 1;
    for (size_t i = 0; ok && i < l->count; i++) {
        const struct mangle_frame *m = &l->frame[i];
        uint32_t record[4] = {(uint32_t)(m->t_us / 1000000), (uint32_t)(m->t_us % 1000000), m->cap,
                              m->wire};
        ok = fwrite(record, sizeof record, 1, f) == 1 &&
             (m->cap == 0 || fwrite(m->data, m->cap, 1, f) == 1);
    }
    return fclose(f) == 0 && ok;
}

int main(int argc, char **argv)
{
    struct mangle_list in, out;
    int mode = 0;
    if (argc != 5) {
        fprintf(stderr, "usage: mangle MODE SEED IN OUT\n");
        return 64;
    }
    while (mode < MANGLE_MODES && strcmp(argv[1], mangle_names[mode]) != 0)
        mode++;
    if (mode == MANGLE_MODES || !mangle_load(argv[3], &in))
        return 66;
    bool ok = mangle(&in, (enum mangle_mode)mode, strtoull(argv[2], NULL, 10), &out) &&
              write_pcap(argv[4], &out);
    mangle_free(&in);
    mangle_free(&out);
    return ok ? 0 : 74;
}
