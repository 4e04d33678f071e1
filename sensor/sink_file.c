// The sink that is a file of records. Behind the first error nothing more is written to it.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lost.h"
#include "sink.h"

struct sink_file {
    struct record_writer *writer;
    char *path; // owned
    int error;
    uint64_t waiting; // records not known to be in the file
    struct lost lost;
};

// Flows are filled by export.c, from nothing but checked values.
static int put(void *state, const struct record *r)
{
    struct sink_file *f = state;
    int rc = r->kind == RECORD_FLOW ? record_writer_put_own(f->writer, r)
                                    : record_writer_put(f->writer, r);
    if (rc == 0) {
        f->waiting++;
    } else {
        f->error = rc;
        lost_count(&f->lost, 1);
    }
    return rc;
}

// What a live sensor says is there after a second, for who follows the file.
static int flush(void *state, int64_t now_ms)
{
    struct sink_file *f = state;
    int rc = record_writer_flush(f->writer);
    if (rc < 0) {
        f->error = rc;
        lost_count(&f->lost, f->waiting);
    }
    f->waiting = 0;
    bool room = f->error == -ENOSPC || f->error == -EDQUOT;
    lost_look(&f->lost, f->path, rc, strerror(-f->error),
              room ? "make room for them and restart the sensor"
                   : "repair where they go and restart the sensor",
              now_ms);
    return rc;
}

static int close_file(void *state)
{
    struct sink_file *f = state;
    int rc = record_writer_close(f->writer);
    if (rc == 0)
        rc = f->error;
    lost_end(&f->lost, f->path);
    free(f->path);
    free(f);
    return rc;
}

int sink_file_open(const char *path, uint32_t domain, struct sink *out)
{
    static const struct sink_kind kind = {
        .name = "file", .put = put, .flush = flush, .close = close_file};
    struct sink_file *f = calloc(1, sizeof *f);
    if (f)
        f->path = strdup(strcmp(path, "-") == 0 ? "standard output" : path);
    int rc = f && f->path ? record_writer_open(path, domain, &f->writer) : -ENOMEM;
    if (rc == 0) {
        *out = (struct sink){.kind = &kind, .state = f};
        return 0;
    }
    if (f)
        free(f->path);
    free(f);
    return rc;
}
