// Heads of RRD files with any octets changed: what rrdhead_check lets through, librrd reads without a crash.
//
// An input is damage, not a file: its first octet chooses a subscriber's file or one with a forecast, the rest
// are triples: where (two octets, low first) and what then stands there. So a seed is some octets, and fits
// whatever librrd makes.
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/rrdfile.h"
#include "common/rrdhead.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES = 2, HEAD_OCTETS = 12288, START_S = 1772445600 };

static struct file {
    char path[64];
    int fd;
    uint8_t head[HEAD_OCTETS];
} files[FILES];
static char folder[] = "/tmp/fuzz_rrdhead.XXXXXX";

static void clean(void)
{
    for (size_t i = 0; i < FILES; i++)
        unlink(files[i].path);
    rmdir(folder);
}

static void make_files(void)
{
    char error[RRDFILE_ERROR_MAX];
    if (!mkdtemp(folder) || atexit(clean) != 0)
        abort();
    for (size_t i = 0; i < FILES; i++) {
        struct file *f = &files[i];
        struct rrdfile_shape shape = {.reduced = i == 0, .forecast = i == 1, .identity = 7};
        struct rrdfile_update one = {.t_s = START_S + SERIES_STEP_S, .value = {3, 1, 4, 1, 5}};
        snprintf(f->path, sizeof f->path, "%s/%zu.rrd", folder, i);
        if (rrdfile_create(f->path, shape, START_S, error) != 0 ||
            rrdfile_update(f->path, &one, 1, error) != 0)
            abort();
        f->fd = open(f->path, O_RDWR | O_CLOEXEC);
        if (f->fd < 0 || pread(f->fd, f->head, HEAD_OCTETS, 0) != HEAD_OCTETS)
            abort();
    }
}

static void read_all_of(const char *path)
{
    char error[RRDFILE_ERROR_MAX];
    struct rrdfile_shape shape;
    struct rrdfile_found found;
    struct rrdfile_rows rows;
    int64_t t_s;
    rrdfile_check(path, &shape, &found, error);
    rrdfile_last(path, &t_s, error);
    rrdfile_reach(path, 0, &t_s);
    for (enum rrdfile_cf cf = RRDFILE_AVERAGE; cf <= RRDFILE_FAILURES; cf++)
        if (rrdfile_fetch(path, cf, START_S - 7200, START_S + 7200, SERIES_STEP_S, &rows, error) ==
            0)
            free(rows.value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[RRDFILE_ERROR_MAX];
    uint8_t head[HEAD_OCTETS];
    if (files[0].fd == 0)
        make_files();
    if (size == 0)
        return 0;
    const struct file *f = &files[data[0] % FILES];
    memcpy(head, f->head, sizeof head);
    for (size_t i = 1; i + 2 < size; i += 3)
        head[(data[i] | data[i + 1] << 8) % HEAD_OCTETS] = data[i + 2];
    if (pwrite(f->fd, head, sizeof head, 0) != (ssize_t)sizeof head)
        abort();
    int rc = rrdhead_check(f->path, error);
    if (rc != 0 && !strstr(error, f->path)) // who reads it must know which
        abort();
    if (memcmp(head, f->head, sizeof head) == 0 && rc != 0) // a sound one is not refused
        abort();
    read_all_of(f->path);
    return 0;
}
