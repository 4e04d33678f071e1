// Segments in their chain: each says in its header which segment it was written behind, how long that was, and a digest
// of its blocks, which binds all before it too. So a segment that is missing, cut, exchanged, renamed or copied is
// found; what retention removed is told from it by a marker with the first that was kept (docs/formats/journal.md).
// Found is what happens to files, not what somebody does who can write headers too.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/journal_format.h"

#define DIGEST_SIZE 8
#define FIRST_WORD  6  // "first "
#define FIRST_NAME  21 // "first 20261122.000001"
#define FIRST_SIZE  35 // a blank, 12 digits, newline

// ---- Digests

uint64_t journal_digest_begin(const struct journal_segment *s)
{
    return s ? s->sum : 0;
}

uint64_t journal_digest(uint64_t before, struct span block_header)
{
    uint8_t octets[DIGEST_SIZE + JOURNAL_BLOCK_HEADER_MAX];
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        octets[i] = (uint8_t)(before >> (8 * (DIGEST_SIZE - 1 - i)));
    memcpy(octets + DIGEST_SIZE, block_header.data, block_header.len);
    return journal_sum(span_of(octets, DIGEST_SIZE + block_header.len));
}

uint64_t journal_digest_segment(int fd, uint64_t size)
{
    struct journal_segment s;
    if (journal_segment_read(fd, size, &s) < 0)
        return 0;
    uint64_t digest = journal_digest_begin(&s), at = journal_segment_header(&s);
    for (;;) {
        uint8_t header[JOURNAL_BLOCK_HEADER_MAX];
        struct journal_block b;
        at = journal_find_block(fd, at, size);
        if (at == UINT64_MAX || !journal_block_at(fd, at, size, &b, header))
            return digest;
        digest = journal_digest(digest, span_of(header, b.header));
        at += (uint64_t)b.header + b.stored;
    }
}

// ---- The first that was kept

static uint64_t place_of(uint32_t day, uint32_t number)
{
    return (uint64_t)day << 32 | number;
}

// Always as long: on a full disk it is written over, not made anew.
static void first_text(uint32_t day, uint32_t number, char out[static FIRST_SIZE + 1])
{
    char name[JOURNAL_NAME_MAX];
    snprintf(out, FIRST_SIZE + 1, "first %s", journal_segment_name(day, number, name));
    uint64_t sum = journal_sum(span_of(out, FIRST_NAME));
    snprintf(out + FIRST_NAME, FIRST_SIZE + 1 - FIRST_NAME, " %012llx\n",
             (unsigned long long)(sum >> 16));
}

int journal_first_write(int dir, uint32_t day, uint32_t number, bool sync)
{
    char text[FIRST_SIZE + 1];
    first_text(day, number, text);
    size_t len = strlen(text);
    int fd = openat(dir, JOURNAL_FIRST, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    ssize_t n = pwrite(fd, text, len, 0);
    int rc = n == (ssize_t)len ? 0 : n < 0 ? -errno : -ENOSPC;
    if (rc == 0 && sync && fdatasync(fd) < 0)
        rc = -errno;
    close(fd);
    return rc;
}

int journal_first_make(int dir)
{
    struct stat st;
    return fstatat(dir, JOURNAL_FIRST, &st, 0) == 0 ? 0 : journal_first_write(dir, 0, 0, false);
}

bool journal_is_retired(int dir, uint32_t day, uint32_t number)
{
    char text[FIRST_SIZE + 1] = "", want[FIRST_SIZE + 1];
    uint32_t first_day, first;
    int fd = openat(dir, JOURNAL_FIRST, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, text, FIRST_SIZE, 0);
    if (fd >= 0)
        close(fd);
    char name[JOURNAL_NAME_MAX];
    snprintf(name, sizeof name, "%.15s.pj", n > FIRST_WORD ? text + FIRST_WORD : "");
    if (journal_segment_parse(name, &first_day, &first) < 0)
        return false;
    first_text(first_day, first, want);
    return strcmp(text, want) == 0 && place_of(day, number) < place_of(first_day, first);
}

// What somebody took out on purpose stands beside the others under this name, or an empty file does.
static bool is_taken_out(int dir, uint32_t day, uint32_t number)
{
    char name[JOURNAL_NAME_MAX], out[JOURNAL_NAME_MAX + sizeof JOURNAL_OUT];
    struct stat st;
    snprintf(out, sizeof out, "%s" JOURNAL_OUT, journal_segment_name(day, number, name));
    return fstatat(dir, out, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

// Is it missing on purpose?
static bool is_given_up(int dir, uint32_t day, uint32_t number)
{
    return journal_is_retired(dir, day, number) || is_taken_out(dir, day, number);
}

// ---- The last that was written

#define LAST_SIZE \
    75 // "last 20261122.000001 ", 20 digits, a blank, 16 and 16 hexadecimal ones, each with what follows it

static void last_text(const struct journal_link *l, char out[static LAST_SIZE + 1])
{
    char name[JOURNAL_NAME_MAX];
    snprintf(out, LAST_SIZE + 1, "last %.15s %020llu %016llx ",
             journal_segment_name(l->day, l->number, name), (unsigned long long)l->octets,
             (unsigned long long)l->digest);
    size_t len = strlen(out);
    snprintf(out + len, LAST_SIZE + 1 - len, "%016llx\n",
             (unsigned long long)journal_sum(span_of(out, len)));
}

int journal_last_write(int dir, const struct journal_link *l)
{
    char text[LAST_SIZE + 1];
    last_text(l, text);
    size_t len = strlen(text);
    int fd = openat(dir, JOURNAL_LAST, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    ssize_t n = pwrite(fd, text, len, 0);
    int rc = n == (ssize_t)len ? 0 : n < 0 ? -errno : -ENOSPC;
    close(fd);
    return rc;
}

bool journal_last_read(int dir, struct journal_link *out)
{
    char text[LAST_SIZE + 1] = "", want[LAST_SIZE + 1], name[JOURNAL_NAME_MAX];
    int fd = openat(dir, JOURNAL_LAST, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, text, LAST_SIZE, 0);
    if (fd >= 0)
        close(fd);
    struct journal_link l;
    snprintf(name, sizeof name, "%.15s.pj", n > 5 ? text + 5 : "");
    if (n < 60 || journal_segment_parse(name, &l.day, &l.number) < 0)
        return false;
    l.octets = strtoull(text + 21, NULL, 10);
    l.digest = strtoull(text + 42, NULL, 16);
    last_text(&l, want);
    if (strcmp(text, want) != 0)
        return false;
    *out = l;
    return true;
}

// ---- Links

// Is there a segment of that name, and does its header say that it is this one? -1: no such file; 0: no.
static int stands(int dir, uint32_t day, uint32_t number, uint64_t *octets)
{
    char name[JOURNAL_NAME_MAX];
    struct stat st;
    struct journal_segment s;
    int fd = openat(dir, journal_segment_name(day, number, name), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    bool known = fstat(fd, &st) == 0;
    *octets = known ? (uint64_t)st.st_size : 0;
    bool same = known && journal_segment_read(fd, *octets, &s) == 0 && s.day == day &&
                s.number == number;
    close(fd);
    return same;
}

static bool is_link(const struct journal_link *l, uint32_t day, uint32_t number)
{
    return l->day == day && l->number == number;
}

struct finding {
    struct journal_damage *damage;
    unsigned count;
};

static void find(struct finding *f, enum journal_fault fault, uint32_t day, uint32_t number,
                 uint64_t offset)
{
    journal_damage_add(f->damage, fault, day, number, offset);
    f->count++;
}

// Of versions before the chain only a number left out within a day tells.
static void check_number(int dir, uint32_t day, uint32_t number, const struct journal_link *passed,
                         struct finding *f)
{
    if (passed->day == day && number > passed->number + 1 && !is_given_up(dir, day, number - 1))
        find(f, JOURNAL_FAULT_MISSING, day, passed->number + 1, 0);
}

static void check_before(int dir, uint32_t day, uint32_t number, const struct journal_link *before,
                         const struct journal_passed *passed, struct finding *f)
{
    uint64_t octets = 0;
    bool other = passed->link.day != 0 && !is_link(&passed->link, before->day, before->number);
    if (before->day == 0) {
        if (other)
            find(f, JOURNAL_FAULT_ORDER, day, number, 0);
        return;
    }
    int there = stands(dir, before->day, before->number, &octets);
    if (there < 0) {
        if (!is_given_up(dir, before->day, before->number))
            find(f, JOURNAL_FAULT_MISSING, before->day, before->number, 0);
        return;
    }
    if (other)
        find(f, JOURNAL_FAULT_ORDER, day, number, 0);
    if (there == 0) // empty, damaged at its head, or another: said when it was passed
        return;
    if (octets != before->octets)
        find(f, octets < before->octets ? JOURNAL_FAULT_CUT : JOURNAL_FAULT_LONGER, before->day,
             before->number, octets < before->octets ? octets : before->octets);
    else if (!other && passed->digest_known && passed->link.digest != before->digest)
        find(f, JOURNAL_FAULT_CHANGED, before->day, before->number, 0);
}

unsigned journal_link_check(int dir, uint32_t day, uint32_t number, const struct journal_segment *s,
                            const struct journal_passed *passed, struct journal_damage *d,
                            bool *use)
{
    struct finding f = {.damage = d};
    uint64_t octets;
    *use = true;
    if (s->day != day || s->number != number) {
        *use = stands(dir, s->day, s->number, &octets) != 1;
        find(&f, *use ? JOURNAL_FAULT_NAME : JOURNAL_FAULT_COPY, day, number, 0);
    } else if (s->version < 4) {
        check_number(dir, day, number, &passed->link, &f);
    } else {
        check_before(dir, day, number, &s->before, passed, &f);
    }
    return f.count;
}

unsigned journal_end_check(int dir, uint32_t day, uint32_t number, int fd, uint64_t whole,
                           struct journal_damage *d)
{
    struct journal_link last;
    struct stat st;
    struct finding f = {.damage = d};
    char name[JOURNAL_NAME_MAX];
    // LAST first: a writer adds, and begins a segment, before it says so.
    if (!journal_last_read(dir, &last))
        return 0;
    if (place_of(last.day, last.number) > place_of(day, number)) {
        if (fstatat(dir, journal_segment_name(last.day, last.number, name), &st, 0) < 0 &&
            !is_taken_out(dir, last.day, last.number))
            find(&f, JOURNAL_FAULT_MISSING, last.day, last.number, 0);
    } else if (fd >= 0 && is_link(&last, day, number) && whole < last.octets &&
               fstat(fd, &st) == 0) {
        uint64_t size = (uint64_t)st.st_size;
        if (size < last.octets || journal_find_block(fd, whole, size) == UINT64_MAX)
            find(&f, JOURNAL_FAULT_CUT, day, number, whole);
    }
    return f.count;
}
