// Lines appended with one write each; a torn last line is passed over like any other that is none, and the
// next begins on a line of its own.
#include "common/series_notes.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_OCTETS = 4096, LINE_MAX_OCTETS = 600 };

static int notes_path(const char *rrd_dir, enum series_kind kind, const char *name,
                      char out[static PATH_OCTETS])
{
    char relative[SERIES_PATH_MAX];
    series_path(kind, name, relative);
    relative[strlen(relative) - strlen("rrd")] = '\0';
    int n = snprintf(out, PATH_OCTETS, "%s/%snotes", rrd_dir, relative);
    return n < PATH_OCTETS ? 0 : -ENAMETOOLONG;
}

static int write_lease(FILE *out, int64_t minute, const char *party)
{
    return fprintf(out, "lease %lld %s\n", (long long)minute, party) < 0 ? -EIO : 0;
}

static int write_amendment(FILE *out, const struct series_amendment *a)
{
    int rc = fprintf(out, "amend %lld %lld", (long long)a->minute, (long long)a->cut_ms);
    for (unsigned i = 0; rc >= 0 && i < 2 * SERIES_SOURCES; i++)
        rc = fprintf(out, " %.17g",
                     i < SERIES_SOURCES ? a->delta[i] : a->total[i - SERIES_SOURCES]);
    return rc < 0 || fputc('\n', out) == EOF ? -EIO : 0;
}

static int write_sight(FILE *out, const struct series_sight *s)
{
    int rc = fprintf(out, "sight %lld", (long long)s->minute);
    for (size_t i = 0; rc >= 0 && i < s->sensors; i++)
        rc = fprintf(out, " %s", s->sensor[i]);
    return rc < 0 || fputs(s->sensors ? "\n" : " *\n", out) == EOF ? -EIO : 0;
}

// A file that has grown is written anew: the latest leases, so that nobody's time is shown to another,
// the latest sights and amendments. The oldest sight that is left stands for those before it.
static int shorten(const char *path, struct series_notes *n)
{
    enum { KEPT = 256 };
    char fresh[PATH_OCTETS];
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
        return -ENAMETOOLONG;
    FILE *out = fopen(fresh, "we");
    int rc = out ? 0 : -errno;
    size_t l = n->leases > KEPT ? n->leases - KEPT : 0;
    size_t s = n->sights > KEPT ? n->sights - KEPT : 0;
    if (s > 0)
        n->sight[s].minute = 0;
    size_t a = n->amendments > KEPT ? n->amendments - KEPT : 0;
    if (rc == 0 && n->lost_before > 0 && fprintf(out, "lost %lld\n", (long long)n->lost_before) < 0)
        rc = -EIO;
    for (; rc == 0 && l < n->leases; l++)
        rc = write_lease(out, n->lease[l].start_s / SERIES_STEP_S, n->lease[l].party);
    for (; rc == 0 && s < n->sights; s++)
        rc = write_sight(out, &n->sight[s]);
    for (; rc == 0 && a < n->amendments; a++)
        rc = write_amendment(out, &n->amendment[a]);
    if (out && fclose(out) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(fresh, path) != 0)
        rc = -errno;
    return rc;
}

static int keep_short(const char *rrd_dir, enum series_kind kind, const char *name,
                      const char *path)
{
    struct stat st;
    struct series_notes n;
    if (stat(path, &st) != 0 || st.st_size < SERIES_NOTES_OCTETS_MAX / 2)
        return 0;
    int rc = series_notes_read(rrd_dir, kind, name, &n);
    if (rc == 0) {
        rc = shorten(path, &n);
        series_notes_free(&n);
    }
    return rc;
}

// Did a crash leave the last line without its end?
static bool is_torn(int fd)
{
    struct stat st;
    char last;
    return fstat(fd, &st) == 0 && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 &&
           last != '\n';
}

static int append_line(const char *path, const char *line)
{
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    size_t len = strlen(line);
    ssize_t n = is_torn(fd) ? write(fd, "\n", 1) : 0;
    if (n >= 0)
        n = write(fd, line, len);
    int rc = n < 0 ? -errno : n < (ssize_t)len ? -ENOSPC : 0;
    if (close(fd) != 0 && rc == 0)
        rc = -errno;
    return rc;
}

static int append(const char *rrd_dir, enum series_kind kind, const char *name, const char *line)
{
    char path[PATH_OCTETS];
    int rc = notes_path(rrd_dir, kind, name, path);
    if (rc == 0)
        rc = keep_short(rrd_dir, kind, name, path);
    return rc == 0 ? append_line(path, line) : rc;
}

int series_notes_put_lease(const char *rrd_dir, enum series_kind kind, const char *name,
                           int64_t minute, const char *party)
{
    char line[LINE_MAX_OCTETS];
    snprintf(line, sizeof line - 1, "lease %lld %s", (long long)minute, party);
    for (char *c = line; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = '?';
    size_t n = strlen(line);
    memcpy(line + n, "\n", 2);
    return append(rrd_dir, kind, name, line);
}

int series_notes_put_lost(const char *notes_path, int64_t minute)
{
    char line[LINE_MAX_OCTETS];
    snprintf(line, sizeof line, "lost %lld\n", (long long)minute);
    return append_line(notes_path, line);
}

int series_notes_put_amendment(const char *rrd_dir, enum series_kind kind, const char *name,
                               const struct series_amendment *a)
{
    char line[LINE_MAX_OCTETS];
    int n = snprintf(line, sizeof line, "amend %lld %lld", (long long)a->minute,
                     (long long)a->cut_ms);
    for (unsigned i = 0; i < 2 * SERIES_SOURCES; i++) {
        double v = i < SERIES_SOURCES ? a->delta[i] : a->total[i - SERIES_SOURCES];
        n += snprintf(line + n, sizeof line - (size_t)n, " %.17g", v);
    }
    snprintf(line + n, sizeof line - (size_t)n, "\n");
    return append(rrd_dir, kind, name, line);
}

int series_notes_put_sight(const char *rrd_dir, enum series_kind kind, const char *name,
                           const struct series_sight *sight)
{
    char line[LINE_MAX_OCTETS] = "";
    FILE *out = fmemopen(line, sizeof line, "w");
    if (!out)
        return -errno;
    int rc = write_sight(out, sight);
    if (fclose(out) != 0 && rc == 0)
        rc = -EIO;
    return rc == 0 ? append(rrd_dir, kind, name, line) : rc;
}

static bool take_number(const char **at, int64_t *out)
{
    char *end;
    errno = 0;
    long long n = strtoll(*at, &end, 10);
    if (errno != 0 || end == *at || n < 0)
        return false;
    *out = n;
    *at = end;
    return true;
}

static bool parse_amendment(const char *at, struct series_amendment *out)
{
    if (!take_number(&at, &out->minute) || !take_number(&at, &out->cut_ms))
        return false;
    for (unsigned i = 0; i < 2 * SERIES_SOURCES; i++) {
        char *end;
        double v = strtod(at, &end);
        if (end == at || !isfinite(v) || v < 0)
            return false;
        *(i < SERIES_SOURCES ? &out->delta[i] : &out->total[i - SERIES_SOURCES]) = v;
        at = end;
    }
    return *at == '\0';
}

// These return 1 for a line that was taken, 0 for one that is none, -ENOMEM.
static int add_lease(struct series_notes *n, const char *at)
{
    int64_t minute;
    if (!take_number(&at, &minute) || minute > INT64_MAX / 60 || *at != ' ' || !at[1])
        return 0;
    struct series_lease *more = reallocarray(n->lease, n->leases + 1, sizeof *more);
    if (!more)
        return -ENOMEM;
    n->lease = more;
    struct series_lease *l = &more[n->leases++];
    *l = (struct series_lease){.start_s = minute * 60};
    snprintf(l->party, sizeof l->party, "%s", at + 1);
    return 1;
}

static int add_sight(struct series_notes *n, const char *at)
{
    struct series_sight s = {0};
    bool site = false;
    if (!take_number(&at, &s.minute) || s.minute > INT64_MAX / 60 || *at != ' ')
        return 0;
    while (*at == ' ') {
        size_t len = strcspn(++at, " ");
        if (len == 1 && *at == '*')
            site = true;
        else if (len == 0 || len >= SERIES_SENSOR_WORD_MAX || s.sensors == SERIES_SIGHT_MAX)
            return 0;
        else
            memcpy(s.sensor[s.sensors++], at, len);
        at += len;
    }
    if (site)
        s.sensors = 0;
    struct series_sight *more = reallocarray(n->sight, n->sights + 1, sizeof *more);
    if (!more)
        return -ENOMEM;
    n->sight = more;
    // In order of time, whatever the order of lines.
    size_t i = n->sights++;
    for (; i > 0 && more[i - 1].minute > s.minute; i--)
        more[i] = more[i - 1];
    more[i] = s;
    return 1;
}

static int add_amendment(struct series_notes *n, const char *at)
{
    struct series_amendment a;
    if (!parse_amendment(at, &a) || a.minute > INT64_MAX / 60)
        return 0;
    struct series_amendment *more = reallocarray(n->amendment, n->amendments + 1, sizeof *more);
    if (!more)
        return -ENOMEM;
    n->amendment = more;
    more[n->amendments++] = a;
    return 1;
}

static int add_lost(struct series_notes *n, const char *at)
{
    int64_t minute;
    if (!take_number(&at, &minute) || minute > INT64_MAX / 60 || *at)
        return 0;
    if (minute > n->lost_before)
        n->lost_before = minute;
    return 1;
}

static int add_line(struct series_notes *n, const char *line)
{
    static const struct {
        const char *word;
        int (*add)(struct series_notes *n, const char *at);
    } kinds[] = {{"lease ", add_lease},
                 {"sight ", add_sight},
                 {"amend ", add_amendment},
                 {"lost ", add_lost}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strncmp(line, kinds[i].word, strlen(kinds[i].word)) == 0)
            return kinds[i].add(n, line + strlen(kinds[i].word));
    return 0;
}

int series_notes_parse(char *text, struct series_notes *out)
{
    *out = (struct series_notes){0};
    char *rest;
    int rc = 0;
    for (char *line = strtok_r(text, "\n", &rest); line && rc >= 0;
         line = strtok_r(NULL, "\n", &rest))
        rc = add_line(out, line);
    rc = rc < 0 ? rc : 0;
    if (rc != 0)
        series_notes_free(out);
    for (size_t i = 1; i < out->leases; i++)
        out->lease[i - 1].end_s = out->lease[i].start_s;
    return rc;
}

size_t series_notes_bad_line(const char *text)
{
    struct series_notes n = {0};
    char line[LINE_MAX_OCTETS];
    size_t bad = 0;
    for (size_t number = 1; *text && bad == 0; number++) {
        size_t len = strcspn(text, "\n");
        bool whole = text[len] == '\n' && len < sizeof line;
        snprintf(line, sizeof line, "%.*s", whole ? (int)len : 0, text);
        if (!whole || add_line(&n, line) <= 0)
            bad = number;
        text += len + (text[len] == '\n');
    }
    series_notes_free(&n);
    return bad;
}

static int read_end(int fd, char *text)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    off_t from = st.st_size > SERIES_NOTES_OCTETS_MAX ? st.st_size - SERIES_NOTES_OCTETS_MAX : 0;
    ssize_t n = pread(fd, text, SERIES_NOTES_OCTETS_MAX, from);
    if (n < 0)
        return -errno;
    text[n] = '\0';
    char *first = from > 0 ? strchr(text, '\n') : NULL;
    if (first) // the line that was cut
        memmove(text, first + 1, strlen(first + 1) + 1);
    return 0;
}

int series_notes_read(const char *rrd_dir, enum series_kind kind, const char *name,
                      struct series_notes *out)
{
    char path[PATH_OCTETS];
    *out = (struct series_notes){0};
    int rc = notes_path(rrd_dir, kind, name, path);
    if (rc != 0)
        return rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    char *text = malloc(SERIES_NOTES_OCTETS_MAX + 1);
    rc = text ? read_end(fd, text) : -ENOMEM;
    close(fd);
    if (rc == 0)
        rc = series_notes_parse(text, out);
    free(text);
    return rc;
}

void series_notes_free(struct series_notes *n)
{
    free(n->lease);
    free(n->sight);
    free(n->amendment);
    *n = (struct series_notes){0};
}

int series_leases(const char *rrd_dir, enum series_kind kind, const char *name,
                  struct series_lease **out, size_t *count)
{
    struct series_notes n;
    int rc = series_notes_read(rrd_dir, kind, name, &n);
    if (rc != 0)
        return rc;
    free(n.amendment);
    free(n.sight);
    *out = n.lease;
    *count = n.leases;
    return 0;
}
