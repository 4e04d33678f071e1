// Log lines to standard error. Under systemd, whose journal keeps time and name itself, a line is
// "<level>text"; anywhere else "postern-x: warning: text", with the UTC time in front once
// log_set_times(true) was called, as the skeleton does for a program that stays. The clock read here
// is for people and is part of no result.
#include "common/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/timefmt.h"
#include "common/utf8.h"

#define LINE_MAX_OCTETS 2048

// The one piece of process-wide state: a log is one per process by nature.
static struct {
    const char *name;
    enum log_level level;
    bool journal;
    bool times;
} log_state = {.name = "postern", .level = LOG_LEVEL_INFO};

static const struct {
    const char *name;
    int priority; // of syslog(3)
} log_levels[] = {
    [LOG_LEVEL_ERROR] = {"error", LOG_ERR},
    [LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
    [LOG_LEVEL_INFO] = {"info", LOG_INFO},
    [LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

// JOURNAL_STREAM holds device and inode of the journal's socket. It is inherited by children whose
// standard error was sent elsewhere, so it is compared.
static bool stderr_is_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    struct stat st;
    char own[64];
    if (!text || fstat(STDERR_FILENO, &st) != 0)
        return false;
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(text, own) == 0;
}

void log_open(const char *name)
{
    log_state.name = name;
    log_state.journal = stderr_is_journal();
}

void log_set_level(enum log_level level)
{
    log_state.level = level;
}

enum log_level log_get_level(void)
{
    return log_state.level;
}

const char *log_level_name(enum log_level level)
{
    return log_levels[level].name;
}

void log_set_times(bool on)
{
    log_state.times = on;
}

int log_level_parse(const char *text, enum log_level *out)
{
    for (size_t i = 0; i < sizeof log_levels / sizeof log_levels[0]; i++) {
        if (strcmp(text, log_levels[i].name) == 0) {
            *out = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

// Octets of the character at `s` that may be shown as it is, 0 when it must be escaped: control
// characters (C0, DEL, C1) and what is no UTF-8.
static size_t printable(const char *s)
{
    unsigned char c = (unsigned char)s[0], next = (unsigned char)s[c != 0];
    if (c < 0x20 || c == 0x7f || (c == 0xc2 && next < 0xa0))
        return 0;
    return utf8_character(s);
}

// Appends `text` to `line` at `len`, escaped; returns the new length. Two octets stay free.
static size_t append(char *line, size_t len, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    for (const char *s = text; *s;) {
        unsigned char c = (unsigned char)*s;
        size_t n = printable(s);
        size_t need = n > 0 ? n : 4;
        if (len + need > LINE_MAX_OCTETS - 2)
            break;
        if (n > 0) {
            memcpy(line + len, s, n);
        } else {
            const char escape[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
            memcpy(line + len, escape, 4);
            n = 1;
        }
        len += need;
        s += n;
    }
    return len;
}

static void write_all(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; // nobody to tell
        line += n;
        len -= (size_t)n;
    }
}

void log_write(enum log_level level, const char *fmt, ...)
{
    if (level > log_state.level)
        return;
    int saved_errno = errno;
    char text[LINE_MAX_OCTETS];
    char line[LINE_MAX_OCTETS];
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof text, fmt, ap) < 0)
        snprintf(text, sizeof text, "%s", fmt);
    va_end(ap);

    int head = 0;
    if (log_state.journal) {
        head = snprintf(line, sizeof line, "<%d>", log_levels[level].priority);
    } else {
        char stamp[TIME_TEXT_MAX] = "";
        if (log_state.times)
            time_format((int64_t)time(NULL) * 1000, stamp);
        head = snprintf(line, sizeof line, "%s%s%.64s: %s: ", stamp, stamp[0] ? " " : "",
                        log_state.name, log_levels[level].name);
    }
    size_t len = append(line, (size_t)head, text);
    line[len++] = '\n';
    // One write a line, so that lines of several processes on one pipe do not mix.
    write_all(line, len);
    errno = saved_errno;
}
