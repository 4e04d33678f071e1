// Where a journal's octets go: headers, hashes, and the entries section by section, raw and by the entropy of their octets
// (what is left when every octet is coded by how frequent it is in its section; zstd also finds repetitions). Prints; judges nothing.
//
//   bench_journal_cost JOURNAL [SAMPLES-FOLDER]
//
// With a folder the entries of every second block are written there, a file each, to train a dictionary from:
//   zstd --train --maxdict=4096 SAMPLES-FOLDER/* -o dictionary
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/journal_format.h"

enum part {
    PART_HEAD = 1,
    PART_WHO,
    PART_COUNTERS,
    PART_GAUGES,
    PART_DIGESTS = 6,
    PART_SETS,
    PARTS
};

static const char *const names[PARTS] = {"frames of rows", "head", "who",     "counters",
                                         "gauges",         "-",    "digests", "sets"};

static struct {
    uint64_t blocks, chains, rows, closings, headers, packed, hashes, entries, other;
    uint64_t octets[PARTS], seen[PARTS][256];
} sum;

static void note(enum part part, const uint8_t *from, const uint8_t *to)
{
    sum.octets[part] += (uint64_t)(to - from);
    for (; from < to; from++)
        sum.seen[part][*from]++;
}

static void look_at_row(struct cursor c)
{
    const uint8_t *at = c.at;
    for (unsigned i = 0; i < 4; i++)
        cursor_varint(&c); // where its hashes are, two times, how many hashes
    sum.rows++;
    note(0, at, c.at);
    while (cursor_left(&c) > 0) {
        at = c.at;
        unsigned section = cursor_u8(&c);
        struct span body = cursor_take(&c, cursor_varint(&c));
        if (section >= PARTS || c.failed)
            return;
        note(section, at, c.at);
        if (section == PART_HEAD) {
            struct cursor head = cursor_of(body);
            sum.closings += (cursor_varint(&head) & MINUTE_CLOSING) != 0;
        }
    }
}

static void look_at(const struct journal_block *b, struct cursor c)
{
    sum.blocks++;
    sum.chains += b->back == 0;
    sum.headers += b->header;
    sum.hashes += b->hashes;
    sum.packed += b->stored - b->hashes;
    sum.entries += cursor_left(&c);
    while (cursor_left(&c) > 0) {
        const uint8_t *at = c.at;
        unsigned kind = cursor_u8(&c);
        size_t len = cursor_varint(&c);
        if (kind == 6)
            note(0, at, c.at);
        else
            sum.other += (uint64_t)(c.at - at) + len;
        struct span body = cursor_take(&c, len);
        if (kind == 6 && !c.failed)
            look_at_row(cursor_of(body));
    }
}

static void sample(const char *folder, struct span entries)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%08llu", folder, (unsigned long long)sum.blocks);
    FILE *out = fopen(path, "wbe");
    if (!out || fwrite(entries.data, 1, entries.len, out) != entries.len || fclose(out) != 0)
        exit(73);
}

static void read_segment(const char *path, const char *samples)
{
    struct journal_chain *chain = journal_chain_new();
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct journal_segment segment;
    uint64_t at = 0;
    if (fd >= 0 && fstat(fd, &st) == 0 &&
        journal_segment_read(fd, (uint64_t)st.st_size, &segment) == 0)
        at = journal_segment_header(&segment);
    while (chain && at > 0 && fstat(fd, &st) == 0) {
        uint8_t header[JOURNAL_BLOCK_HEADER_MAX];
        struct journal_block b;
        struct journal_entries e;
        if (!journal_block_at(fd, at, (uint64_t)st.st_size, &b, header) || b.version < 2 ||
            journal_chain_load(chain, fd, at, (uint64_t)st.st_size, NULL, &e) < 0)
            break;
        if (samples && sum.blocks % 2 == 0)
            sample(samples, span_of(e.left.at, cursor_left(&e.left)));
        look_at(&b, e.left);
        at += (uint64_t)b.header + b.stored;
    }
    journal_chain_free(chain);
    if (fd >= 0)
        close(fd);
}

static double entropy_octets(enum part part)
{
    double bits = 0;
    for (unsigned i = 0; i < 256; i++)
        if (sum.seen[part][i] > 0)
            bits -= (double)sum.seen[part][i] *
                    log2((double)sum.seen[part][i] / (double)sum.octets[part]);
    return bits / 8;
}

static void line(const char *name, double octets, double entropy)
{
    double n = sum.closings > 0 ? (double)sum.closings : 1;
    printf("%-28s %12.0f %10.1f %10.1f\n", name, octets, octets / n, entropy / n);
}

int main(int argc, char **argv)
{
    struct dirent **entry;
    if (argc < 2)
        return 64;
    int n = scandir(argv[1], &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char path[4200];
        uint32_t day, number;
        snprintf(path, sizeof path, "%s/%s", argv[1], entry[i]->d_name);
        if (journal_segment_parse(entry[i]->d_name, &day, &number) == 0)
            read_segment(path, argc > 2 ? argv[2] : NULL);
    }
    printf("%llu blocks in %llu chains, %llu rows, %llu active minutes\n%-28s %12s %10s %10s\n",
           (unsigned long long)sum.blocks, (unsigned long long)sum.chains,
           (unsigned long long)sum.rows, (unsigned long long)sum.closings, "octets", "all",
           "a minute", "entropy");
    double all = (double)(sum.headers + sum.packed + sum.hashes);
    line("on disk", all, all);
    line("  block headers", (double)sum.headers, (double)sum.headers);
    line("  hashes", (double)sum.hashes, (double)sum.hashes);
    line("  entries, packed", (double)sum.packed, (double)sum.packed);
    line("entries, raw", (double)sum.entries, 0);
    line("  coverage, site, position", (double)sum.other, 0);
    for (enum part p = 0; p < PARTS; p++)
        if (sum.octets[p] > 0)
            line(names[p], (double)sum.octets[p], entropy_octets(p));
    return 0;
}
