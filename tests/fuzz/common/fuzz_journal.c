// A journal from any octets. The first octet says what the rest is: 0 a segment file that is read, cut by a
// writer, appended to and read again; 1 the entries of a block; 2 a block's stored octets behind a header whose
// checksums are right.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/journal_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz_journal.XXXXXX";

static void clean(void)
{
    char path[64];
    for (unsigned n = 1; n <= 2; n++) {
        snprintf(path, sizeof path, "%s/20260101.%06u.pj", dir, n);
        unlink(path);
    }
}

static void leave(void)
{
    clean();
    rmdir(dir);
}

// What is read; the last mark.
static int64_t read_all(void)
{
    struct journal_reader *r;
    const struct journal_entry *e;
    int64_t mark = 0;
    if (journal_reader_open(dir, NULL, NULL, &r) < 0)
        abort();
    while (journal_next(r, &e) == 1)
        if (e->kind == JOURNAL_MARK)
            mark = e->mark_ms;
    journal_reader_close(r);
    return mark;
}

static void segment(const uint8_t *data, size_t size)
{
    static bool made;
    char path[64];
    if (!made) {
        if (!mkdtemp(dir))
            abort();
        atexit(leave);
        made = true;
    }
    clean();
    snprintf(path, sizeof path, "%s/20260101.000001.pj", dir);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        abort();
    read_all();
    struct journal_options options = {.sync = false};
    struct journal_writer *w;
    if (journal_writer_open(dir, &options, &w) < 0 || journal_commit(w, 1767225600001) < 0)
        abort();
    journal_writer_close(w);
    // A segment of another version ends the reading; else the new block is found behind all damage.
    bool another = size >= 12 && memcmp(data, "POSTRNPJ", 8) == 0 &&
                   memcmp(data + 8, "\0\1\0\1", 4) != 0;
    if (read_all() != 1767225600001 && !another)
        abort();
}

static void entries(const uint8_t *data, size_t size)
{
    struct journal_entry e;
    struct cursor c = cursor_of(span_of(data, size));
    memset(&e, 0, sizeof e);
    while (journal_entry_get(&c, &e) == 1) {
        struct buf out;
        buf_init(&out, 1 << 24);
        if (e.kind == JOURNAL_ROW)
            journal_entry_row(&e.row, &out);
        else if (e.kind == JOURNAL_COVERAGE)
            journal_entry_coverage(&e.coverage, &out);
        else
            journal_entry_site(&e.site, &out);
        if (out.failed)
            abort();
        buf_fini(&out);
        minute_row_fini(&e.row, NULL);
    }
}

// `compression` 2: plain, else with the dictionary.
static void block(uint8_t compression, const uint8_t *data, size_t size)
{
    struct cursor c = cursor_of(span_of(data, size));
    struct journal_block b = {.raw = cursor_u24(&c), .compression = JOURNAL_ZSTD}, back;
    if (compression != 2)
        b.compression = JOURNAL_ZSTD_DICTIONARY;
    struct span stored = cursor_rest(&c);
    uint8_t header[JOURNAL_BLOCK_HEADER];
    b.stored = (uint32_t)stored.len;
    b.payload_sum = journal_sum(stored);
    journal_block_put(&b, header);
    struct span h = span_of(header, sizeof header);
    if (journal_block_get(h, &back) < 0)
        abort();
    struct journal_sealer *s = journal_sealer_new();
    struct buf raw;
    buf_init(&raw, JOURNAL_RAW_MAX);
    if (s && journal_unseal(s, &back, h, stored, NULL, &raw) == 0 && raw.len != b.raw)
        abort();
    buf_fini(&raw);
    journal_sealer_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (data[0]) {
    case 0: segment(data + 1, size - 1); break;
    case 1: entries(data + 1, size - 1); break;
    default: block(data[0], data + 1, size - 1); break;
    }
    return 0;
}
