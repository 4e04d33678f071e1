// Capture files of any kind: pcap, pcapng, gzip, as they come out of a crash or of somebody's hand. What is read
// must be readable, and the verdict must fit: a broken file says why, frames are counted.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    const char *paths[1] = {path}, *failed;
    struct source source;
    struct source_frame frame[8];
    uint64_t frames = 0, sum = 0;
    size_t count, n;
    int fd = memfd_create("capture", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (source_files_open(paths, 1, &source, &failed) == 0) {
        while ((n = source_next_batch(&source, frame, 8)) > 0) {
            frames += n;
            for (size_t i = 0; i < n; i++) {
                if (frame[i].wire < frame[i].data.len)
                    abort();
                for (size_t at = 0; at < frame[i].data.len; at++)
                    sum += frame[i].data.data[at];
            }
        }
        const struct source_input *in = source_files_inputs(&source, &count);
        if (count != 1 || in->frames != frames ||
            (in->state != SOURCE_WHOLE) != (in->text[0] != 0) ||
            (in->state == SOURCE_EMPTY && frames > 0))
            abort();
        source_close(&source);
    }
    close(fd);
    // Every octet handed out was looked at.
    return sum == UINT64_MAX;
}
