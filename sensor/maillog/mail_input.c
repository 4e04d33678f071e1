// See mail_input.h.
#include "maillog/mail_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maillog/mail_event.h"
#include "maillog/mail_lines.h"

#define CHUNK       65536
#define LINES_FIRST 1000 // a log that has no stamp by then has none

// A gzip file begins with 0x1f, which no line of a log does.
int mail_input_open(const char *path, struct mail_input *out)
{
    struct stat st;
    FILE *f = strcmp(path, "-") == 0 ? fdopen(dup(0), "r") : fopen(path, "re");
    if (!f)
        return -errno;
    if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode)) {
        fclose(f);
        return -EISDIR;
    }
    int first = getc(f);
    ungetc(first, f);
    *out = (struct mail_input){.plain = f};
    if (first != 0x1f)
        return ferror(f) ? -EIO : 0;
    *out = (struct mail_input){.packed = gunzip_new(f)};
    return out->packed ? 0 : -ENOMEM;
}

size_t mail_input_read(struct mail_input *in, void *out, size_t size)
{
    return in->packed ? gunzip_read(in->packed, out, size) : fread(out, 1, size, in->plain);
}

void mail_input_close(struct mail_input *in)
{
    if (in->plain)
        fclose(in->plain);
    gunzip_free(in->packed);
    *in = (struct mail_input){0};
}

// ---- Looking.

struct looking {
    struct mail_look *look;
    struct mail_event event;
    struct mail_lines lines;
    uint8_t chunk[CHUNK];
    unsigned lines_seen;
    bool old; // stamps have no year
    uint8_t first[16], last[16];
    int month, years; // of the latest line; how often the months began anew
};

// Behind the priority that some loggers leave in front.
static struct span behind_priority(struct span line)
{
    const uint8_t *close = line.len > 0 && line.data[0] == '<' ? memchr(line.data, '>', line.len)
                                                               : NULL;
    return close ? span_cut(line, (size_t)(close - line.data) + 1, line.len) : line;
}

// The time of a line by itself. `*stamp`: it, when it has no year.
static int64_t time_of(struct looking *k, struct span line, struct span *stamp)
{
    struct mail_clock clock = {.now_ms = k->look->ref_ms};
    struct mail_line head;
    int64_t t_ms = 0;
    *stamp = (struct span){0};
    if (line.len == 0)
        return 0;
    if (line.data[0] == '{') {
        switch (mail_event_read(&k->event, line)) {
        case MAIL_EVENT_NOTE: return k->event.note.t_ms;
        case MAIL_EVENT_LINE: return k->event.line.t_ms;
        default: return 0;
        }
    }
    struct span text = behind_priority(line);
    if (mail_line_month(text) > 0)
        *stamp = text;
    if (mail_line_stamp(&clock, text, &t_ms) > 0)
        return t_ms;
    return mail_line_parse(&clock, line, &head) ? head.t_ms : 0;
}

// A line of December that comes late, in January, begins no year.
static void note_old(struct looking *k, struct span stamp)
{
    int month = mail_line_month(stamp);
    if (month == 0 || stamp.len < sizeof k->last || (k->month > 0 && month > k->month + 10))
        return;
    k->years += month + 1 < k->month;
    k->month = month;
    memcpy(k->last, stamp.data, sizeof k->last);
}

static void on_line(void *ctx, struct span line)
{
    struct looking *k = ctx;
    struct span stamp;
    k->lines_seen++;
    if (k->look->first_ms != 0) {
        if (k->old)
            note_old(k, behind_priority(line));
        return;
    }
    k->look->first_ms = time_of(k, line, &stamp);
    k->old = k->look->first_ms != 0 && stamp.len >= sizeof k->first;
    if (!k->old)
        return;
    memcpy(k->first, stamp.data, sizeof k->first);
    note_old(k, stamp);
}

static int year_of(int64_t t_ms)
{
    time_t t = (time_t)(t_ms / 1000);
    struct tm tm;
    return localtime_r(&t, &tm) ? tm.tm_year + 1900 : 0;
}

// The last line is of the file's own time, or of the year before.
static void find_year(struct looking *k)
{
    struct mail_clock end = {.now_ms = k->look->ref_ms}, begin = end;
    int64_t t_ms;
    if (!k->old || mail_line_stamp(&end, span_of(k->last, sizeof k->last), &t_ms) == 0)
        return;
    k->look->year = begin.year = year_of(t_ms) - k->years;
    if (mail_line_stamp(&begin, span_of(k->first, sizeof k->first), &t_ms) > 0)
        k->look->first_ms = t_ms;
}

static bool is_capture(const uint8_t *head, size_t len)
{
    static const uint8_t magic[][4] = {{0xd4, 0xc3, 0xb2, 0xa1},
                                       {0xa1, 0xb2, 0xc3, 0xd4},
                                       {0x4d, 0x3c, 0xb2, 0xa1},
                                       {0xa1, 0xb2, 0x3c, 0x4d},
                                       {0x0a, 0x0d, 0x0d, 0x0a}};
    for (size_t i = 0; len >= 4 && i < sizeof magic / sizeof magic[0]; i++)
        if (memcmp(head, magic[i], 4) == 0)
            return true;
    return false;
}

static void read_through(struct looking *k, struct mail_input *in)
{
    size_t n;
    for (bool head = true; (n = mail_input_read(in, k->chunk, CHUNK)) > 0; head = false) {
        k->look->capture |= head && is_capture(k->chunk, n);
        mail_lines_feed(&k->lines, span_of(k->chunk, n), on_line, k);
        if (k->look->first_ms != 0 ? !k->old : k->lines_seen > LINES_FIRST)
            return;
    }
    mail_lines_end(&k->lines, on_line, k);
}

void mail_look(const char *path, int64_t now_ms, struct mail_look *out)
{
    struct stat st;
    struct mail_input in = {0};
    *out = (struct mail_look){.path = path, .ref_ms = now_ms};
    if (strcmp(path, "-") == 0 || stat(path, &st) != 0)
        return;
    out->device = (uint64_t)st.st_dev;
    out->inode = (uint64_t)st.st_ino;
    // A pipe can be read but once.
    if (!S_ISREG(st.st_mode))
        return;
    if (st.st_mtim.tv_sec < now_ms / 1000)
        out->ref_ms = (int64_t)st.st_mtim.tv_sec * 1000;
    struct looking *k = calloc(1, sizeof *k);
    if (k && mail_input_open(path, &in) == 0) {
        k->look = out;
        read_through(k, &in);
        find_year(k);
        mail_event_fini(&k->event);
    }
    mail_input_close(&in);
    free(k);
}

bool mail_look_order(struct mail_look *look, size_t count)
{
    bool moved = false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(look[i].path, "-") == 0)
            return false;
    for (size_t i = 1; i < count; i++)
        if (look[i].first_ms == 0)
            look[i].first_ms = look[i - 1].first_ms;
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0 && look[k].first_ms < look[k - 1].first_ms; k--) {
            struct mail_look one = look[k];
            look[k] = look[k - 1];
            look[k - 1] = one;
            moved = true;
        }
    return moved;
}

bool mail_look_repeats(const struct mail_look *look, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (look[i].inode != 0 && look[i].inode == look[at].inode &&
            look[i].device == look[at].device)
            return true;
    return false;
}
