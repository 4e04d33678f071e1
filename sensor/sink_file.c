// The sink that is a file of records.
#include "sink.h"

// Flows are filled by export.c, from nothing but checked values.
static int put(void *state, const struct record *r)
{
    return r->kind == RECORD_FLOW ? record_writer_put_own(state, r) : record_writer_put(state, r);
}

// What a live sensor says is there after a second, for who follows the file.
static int flush(void *state, int64_t now_ms)
{
    (void)now_ms;
    return record_writer_flush(state);
}

static int close_file(void *state)
{
    return record_writer_close(state);
}

int sink_file_open(const char *path, uint32_t domain, struct sink *out)
{
    static const struct sink_kind kind = {
        .name = "file", .put = put, .flush = flush, .close = close_file};
    struct record_writer *writer;
    int rc = record_writer_open(path, domain, &writer);
    if (rc == 0)
        *out = (struct sink){.kind = &kind, .state = writer};
    return rc;
}
