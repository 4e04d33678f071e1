// Names and headers of a journal's segments, and cursors (docs/formats/journal.md).
#include "common/journal_format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const uint8_t segment_magic[8] = {'P', 'O', 'S', 'T', 'R', 'N', 'P', 'J'};

// The checksum of the header stands at its end, and covers all before it.
#define SUM_SIZE 8

static void write_at(uint8_t *out, size_t *at, uint64_t v, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[*at + i] = (uint8_t)(v >> (8 * (len - 1 - i)));
    *at += len;
}

const char *journal_segment_name(uint32_t day, uint32_t number, char out[static JOURNAL_NAME_MAX])
{
    snprintf(out, JOURNAL_NAME_MAX, "%08u.%06u.pj", day, number);
    return out;
}

static bool digits(const char *text, size_t len, uint32_t *out)
{
    uint32_t v = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        v = v * 10 + (uint32_t)(text[i] - '0');
    }
    *out = v;
    return true;
}

int journal_segment_parse(const char *name, uint32_t *day, uint32_t *number)
{
    uint32_t d, n;
    if (strlen(name) != 18 || !digits(name, 8, &d) || name[8] != '.' || !digits(name + 9, 6, &n) ||
        strcmp(name + 15, ".pj") != 0)
        return -EINVAL;
    *day = d;
    *number = n;
    return 0;
}

int journal_segment_find(int dir, uint32_t *day, uint32_t *number)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        int rc = -errno;
        if (copy >= 0)
            close(copy);
        return rc;
    }
    uint64_t from = (uint64_t)*day << 32 | *number, best = UINT64_MAX;
    for (struct dirent *e; (e = readdir(d));) {
        uint32_t a, b;
        if (journal_segment_parse(e->d_name, &a, &b) < 0)
            continue;
        uint64_t id = (uint64_t)a << 32 | b;
        if (id >= from && id < best)
            best = id;
    }
    closedir(d);
    if (best == UINT64_MAX)
        return 0;
    *day = (uint32_t)(best >> 32);
    *number = (uint32_t)best;
    return 1;
}

int journal_segment_before(int dir, uint64_t before, uint64_t *out)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        int rc = -errno;
        if (copy >= 0)
            close(copy);
        return rc;
    }
    uint64_t best = 0;
    for (struct dirent *e; (e = readdir(d));) {
        uint32_t day, number;
        if (journal_segment_parse(e->d_name, &day, &number) < 0)
            continue;
        uint64_t id = (uint64_t)day << 32 | number;
        if (id < before && id > best)
            best = id;
    }
    closedir(d);
    *out = best;
    return best != 0;
}

uint32_t journal_day(int64_t t_ms)
{
    time_t t = (time_t)(t_ms / 1000 - (t_ms % 1000 < 0));
    struct tm tm;
    if (!gmtime_r(&t, &tm) || tm.tm_year < -1900 || tm.tm_year > 8099)
        return 0;
    return (uint32_t)(tm.tm_year + 1900) * 10000 + (uint32_t)(tm.tm_mon + 1) * 100 +
           (uint32_t)tm.tm_mday;
}

void journal_segment_put(const struct journal_segment *s,
                         uint8_t out[static JOURNAL_SEGMENT_HEADER])
{
    memcpy(out, segment_magic, sizeof segment_magic);
    size_t at = sizeof segment_magic;
    write_at(out, &at, JOURNAL_SEGMENT_VERSION, 2);
    write_at(out, &at, MINUTE_VERSION, 2);
    write_at(out, &at, s->day, 4);
    write_at(out, &at, s->number, 4);
    write_at(out, &at, s->cipher, 1);
    write_at(out, &at, 0, 3);
    write_at(out, &at, s->key_id, 8);
    write_at(out, &at, s->before.day, 4);
    write_at(out, &at, s->before.number, 4);
    write_at(out, &at, s->before.octets, 8);
    write_at(out, &at, s->before.digest, 8);
    write_at(out, &at, journal_sum(span_of(out, JOURNAL_SEGMENT_HEADER - SUM_SIZE)), SUM_SIZE);
}

size_t journal_segment_header(const struct journal_segment *s)
{
    return s->version < 4 ? JOURNAL_SEGMENT_HEADER_OLD : JOURNAL_SEGMENT_HEADER;
}

int journal_segment_get(struct span s, struct journal_segment *out)
{
    size_t magic = s.len < sizeof segment_magic ? s.len : sizeof segment_magic;
    if (memcmp(s.data, segment_magic, magic) != 0)
        return -EINVAL;
    if (s.len < JOURNAL_SEGMENT_HEADER_OLD)
        return -EAGAIN;
    struct cursor c = cursor_of(span_cut(s, sizeof segment_magic, s.len));
    uint16_t version = cursor_u16(&c);
    uint16_t minute_version = cursor_u16(&c);
    if (version < 1 || version > JOURNAL_SEGMENT_VERSION || minute_version < 1 ||
        minute_version > MINUTE_VERSION)
        return -EPROTONOSUPPORT;
    struct journal_segment seg = {.version = version,
                                  .day = cursor_u32(&c),
                                  .number = cursor_u32(&c),
                                  .cipher = cursor_u8(&c)};
    size_t len = journal_segment_header(&seg);
    if (s.len < len)
        return -EAGAIN;
    cursor_skip(&c, 3);
    seg.key_id = cursor_u64(&c);
    if (version >= 4) {
        seg.before.day = cursor_u32(&c);
        seg.before.number = cursor_u32(&c);
        seg.before.octets = cursor_u64(&c);
        seg.before.digest = cursor_u64(&c);
    }
    seg.sum = cursor_u64(&c);
    if (seg.sum != journal_sum(span_cut(s, 0, len - SUM_SIZE)) ||
        seg.cipher > JOURNAL_XCHACHA20POLY1305)
        return -EINVAL;
    *out = seg;
    return 0;
}

int journal_segment_read(int fd, uint64_t size, struct journal_segment *out)
{
    uint8_t header[JOURNAL_SEGMENT_HEADER];
    size_t len = size < sizeof header ? (size_t)size : sizeof header;
    if (len == 0)
        return -EAGAIN;
    return journal_read_at(fd, header, len, 0) ? journal_segment_get(span_of(header, len), out)
                                               : -EAGAIN;
}

bool journal_read_at(int fd, void *out, size_t len, uint64_t offset)
{
    ssize_t n;
    do
        n = pread(fd, out, len, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n >= 0 && (size_t)n == len;
}

const char *journal_cursor_format(const struct journal_cursor *c,
                                  char out[static JOURNAL_CURSOR_MAX])
{
    if (c->entry == 0)
        snprintf(out, JOURNAL_CURSOR_MAX, "%08u.%06u:%llu", c->day, c->segment,
                 (unsigned long long)c->offset);
    else
        snprintf(out, JOURNAL_CURSOR_MAX, "%08u.%06u:%llu:%u", c->day, c->segment,
                 (unsigned long long)c->offset, c->entry);
    return out;
}

// Decimal digits up to `max`; moves `*at` behind them.
static bool number(const char **at, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    const char *p = *at;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    if (p == *at)
        return false;
    *at = p;
    *out = v;
    return true;
}

int journal_cursor_parse(const char *text, struct journal_cursor *out)
{
    struct journal_cursor c = {0};
    const char *at = text;
    uint64_t offset, entry = 0;
    if (strnlen(text, 16) < 16 || !digits(text, 8, &c.day) || text[8] != '.' ||
        !digits(text + 9, 6, &c.segment) || text[15] != ':')
        return -EINVAL;
    at += 16;
    if (!number(&at, INT64_MAX, &offset))
        return -EINVAL;
    if (*at == ':') {
        at++;
        if (!number(&at, UINT32_MAX, &entry))
            return -EINVAL;
    }
    if (*at != '\0')
        return -EINVAL;
    c.offset = offset;
    c.entry = (uint32_t)entry;
    *out = c;
    return 0;
}
