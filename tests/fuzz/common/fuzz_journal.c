// A journal from any octets. The first octet says what the rest is: 0 a segment file that is read, cut by a
// writer, appended to and read again; 1 the entries of a block of version 1; 255 of the last, with how many hashes
// behind them; else a block's stored octets behind a header whose checksums are right.
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
                   (data[8] || data[9] < 1 || data[9] > JOURNAL_SEGMENT_VERSION || data[10] ||
                    data[11] < 1 || data[11] > MINUTE_VERSION);
    if (read_all() != 1767225600001 && !another)
        abort();
}

// What was read is written, and is read again; its hashes go where those of one block go.
static void again(const struct minute_row *row, struct minute_hashes *hashes, struct buf *out)
{
    struct buf body;
    struct journal_entry e = {0};
    size_t from = minute_hashes_count(hashes);
    buf_init(&body, 1 << 24);
    minute_row_put(row, &body, hashes);
    struct journal_row w = {buf_span(&body), (int64_t)from, row->minute, row->cut_ms};
    journal_entry_row(&w, 0, out);
    struct journal_entries back = {.left = cursor_of(buf_span(out)),
                                   .version = JOURNAL_VERSION,
                                   .hashes = minute_hashes_octets(hashes)};
    if (body.failed || out->failed || journal_entry_get(&back, &e) != 1 ||
        back.hashes_at != minute_hashes_count(hashes))
        abort();
    minute_row_fini(&e.row, NULL);
    buf_fini(&body);
}

// `hashes`: octets at the end that are the rows' hashes.
static void entries(unsigned hashes, const uint8_t *data, size_t size)
{
    struct journal_entry e;
    size_t numbers = 8 * hashes <= size ? size - 8 * hashes : size;
    struct journal_block b = {.version = JOURNAL_VERSION, .hashes = (uint32_t)(size - numbers)};
    struct journal_entries from = journal_entries_of(&b, span_of(data, numbers),
                                                     span_of(data + numbers, size - numbers));
    struct minute_hashes *all = minute_hashes_new();
    memset(&e, 0, sizeof e);
    while (all && journal_entry_get(&from, &e) == 1) {
        struct buf out;
        buf_init(&out, 1 << 24);
        if (e.kind == JOURNAL_ROW)
            again(&e.row, all, &out);
        else if (e.kind == JOURNAL_COVERAGE)
            journal_entry_coverage(&e.coverage, &out);
        else
            journal_entry_site(&e.site, &out);
        if (out.failed)
            abort();
        buf_fini(&out);
        minute_row_fini(&e.row, NULL);
    }
    minute_hashes_free(all);
}

static void put_be(uint8_t *at, uint64_t v, size_t len)
{
    for (size_t i = len; i > 0; i--, v >>= 8)
        at[i - 1] = (uint8_t)v;
}

// The header of version 1, which is only read.
static size_t old_header(const struct journal_block *b, uint8_t out[static 72])
{
    memset(out, 0, 72);
    memcpy(out, "PJBK\0\110", 6);
    out[7] = b->compression;
    put_be(out + 8, b->stored, 4);
    put_be(out + 12, b->raw, 4);
    put_be(out + 24, 1, 8);
    put_be(out + 56, b->payload_sum, 8);
    put_be(out + 64, journal_sum(span_of(out, 64)), 8);
    return 72;
}

// `compression` 2: plain, 3: with the first dictionary, else as it is written, from 128 on in a chain; of these so many
// hashes.
static void block(uint8_t compression, const uint8_t *data, size_t size)
{
    struct cursor c = cursor_of(span_of(data, size));
    struct journal_block b = {.version = 1, .raw = cursor_u24(&c)}, back;
    struct span stored = cursor_rest(&c);
    uint8_t header[JOURNAL_BLOCK_HEADER_MAX];
    b.compression = compression == 2    ? JOURNAL_ZSTD
                    : compression == 3  ? JOURNAL_ZSTD_DICTIONARY
                    : compression < 128 ? JOURNAL_ZSTD_HASHES
                                        : JOURNAL_ZSTD_PIECE;
    b.stored = (uint32_t)stored.len;
    if (compression > 3) {
        b.version = JOURNAL_VERSION;
        b.hashes = 8u * ((compression & 127u) - (compression < 128 ? 4u : 0u));
        if (b.hashes > b.stored || b.hashes > b.raw)
            b.hashes = 0;
    }
    b.payload_sum = journal_block_sum(&b, stored);
    size_t len = b.version == 1 ? old_header(&b, header) : journal_block_put(&b, header);
    struct span h = span_of(header, len);
    if (journal_block_get(h, &back) < 0 || back.raw != b.raw || back.hashes != b.hashes)
        abort();
    struct journal_sealer *s = journal_sealer_new();
    struct buf raw, all;
    buf_init(&raw, JOURNAL_RAW_MAX + 1);
    buf_init(&all, JOURNAL_RAW_MAX);
    if (s && journal_unseal(s, &back, h, stored, NULL, &raw, &all) == 0 &&
        raw.len + all.len != b.raw)
        abort();
    buf_fini(&raw);
    buf_fini(&all);
    journal_sealer_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (data[0]) {
    case 0: segment(data + 1, size - 1); break;
    case 1: entries(0, data + 1, size - 1); break;
    case 255:
        if (size > 1)
            entries(data[1], data + 2, size - 2);
        break;
    default: block(data[0], data + 1, size - 1); break;
    }
    return 0;
}
