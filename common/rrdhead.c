// Offsets of a file's parts, reads and writes at them, and what of a head librrd can be given.
#include "common/rrdhead.h"

#include <errno.h>
#include <fcntl.h>
#define RRD_EXPORT_DEPRECATED // librrd shows the structures of its files to who asks for them
#include <rrd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARCHIVES_MAX = 16, PIECE = 65536, ROWS_MAX = 100000, ROW_MINUTES_MAX = 1440 };

#define TIME_MAX_S 4102444800LL // 2100: the journal takes none from then on

// Sources and archives as they stand in the file, one behind the other.
struct head {
    stat_head_t stat;
    struct {
        ds_def_t source[SERIES_SOURCES];
        rra_def_t archive[ARCHIVES_MAX];
    } def;
    size_t def_octets;
    off_t live, pdp, cdp, place, rows; // where the parts begin
};

static int failed(const char *path, int code, char error[static RRDFILE_ERROR_MAX])
{
    snprintf(error, RRDFILE_ERROR_MAX, "%.120s: %s", path,
             code == -EPROTO ? "not an RRD file of this layout" : strerror(-code));
    return code;
}

static int read_at(int fd, void *out, size_t octets, off_t at)
{
    ssize_t n = pread(fd, out, octets, at);
    return n < 0 ? -errno : (size_t)n < octets ? -EPROTO : 0;
}

static int write_at(int fd, const void *data, size_t octets, off_t at)
{
    ssize_t n = pwrite(fd, data, octets, at);
    return n < 0 ? -errno : (size_t)n < octets ? -ENOSPC : 0;
}

static bool float_cookie(double found)
{
    const double want = FLOAT_COOKIE;
    return memcmp(&found, &want, sizeof found) == 0;
}

static int read_head(int fd, struct head *h)
{
    int rc = read_at(fd, &h->stat, sizeof h->stat, 0);
    if (rc != 0)
        return rc;
    const stat_head_t *s = &h->stat;
    // A version before 3 lacks a field of the live head.
    if (memcmp(s->cookie, RRD_COOKIE, sizeof s->cookie) != 0 || !float_cookie(s->float_cookie) ||
        s->version[4] != '\0' || strcmp(s->version, "0003") < 0 || s->ds_cnt != SERIES_SOURCES ||
        s->rra_cnt == 0 || s->rra_cnt > ARCHIVES_MAX || s->pdp_step != SERIES_STEP_S)
        return -EPROTO;
    h->def_octets = sizeof h->def.source + s->rra_cnt * sizeof h->def.archive[0];
    h->live = (off_t)(sizeof h->stat + h->def_octets);
    h->pdp = h->live + (off_t)sizeof(live_head_t);
    h->cdp = h->pdp + (off_t)(s->ds_cnt * sizeof(pdp_prep_t));
    h->place = h->cdp + (off_t)(s->rra_cnt * s->ds_cnt * sizeof(cdp_prep_t));
    h->rows = h->place + (off_t)(s->rra_cnt * sizeof(rra_ptr_t));
    return read_at(fd, &h->def, h->def_octets, (off_t)sizeof h->stat);
}

static bool is_plain(const rra_def_t *a)
{
    return strcmp(a->cf_nam, "AVERAGE") == 0 || strcmp(a->cf_nam, "MAX") == 0;
}

// Is it librrd's own format, of this machine? What is not, and what a later librrd made, librrd refuses in its own
// words before it believes a count.
static bool is_librrds(int fd)
{
    stat_head_t s;
    if (read_at(fd, &s, sizeof s, 0) != 0 || memcmp(s.cookie, RRD_COOKIE, sizeof s.cookie) != 0 ||
        !float_cookie(s.float_cookie))
        return false;
    bool number = strspn(s.version, "0123456789") == 4 && s.version[4] == '\0';
    return !number || strcmp(s.version, RRD_VERSION5) <= 0;
}

static bool is_word(const char *text, size_t size)
{
    return text[0] && memchr(text, '\0', size);
}

// Forecasts refer to one another by number, and failures are kept in a pad of so many octets.
static bool refers_within(const struct head *h, const rra_def_t *a)
{
    unsigned long other = a->par[RRA_dependent_rra_idx].u_cnt;
    if (is_plain(a))
        return true;
    if (strcmp(a->cf_nam, "FAILURES") == 0 &&
        (a->par[RRA_window_len].u_cnt == 0 ||
         a->par[RRA_window_len].u_cnt > MAX_FAILURES_WINDOW_LEN))
        return false;
    return other < h->stat.rra_cnt && !is_plain(&h->def.archive[other]);
}

static bool archives_are_sound(const struct head *h, const rra_ptr_t *place, uint64_t *rows)
{
    bool sound = true;
    *rows = 0;
    for (size_t i = 0; sound && i < h->stat.rra_cnt; i++)
        sound = is_word(h->def.archive[i].cf_nam, CF_NAM_SIZE);
    for (size_t i = 0; sound && i < h->stat.rra_cnt; i++) {
        const rra_def_t *a = &h->def.archive[i];
        sound = a->row_cnt > 0 && a->row_cnt <= ROWS_MAX && a->pdp_cnt > 0 &&
                a->pdp_cnt <= ROW_MINUTES_MAX && place[i].cur_row < a->row_cnt &&
                refers_within(h, a);
        *rows += a->row_cnt;
    }
    return sound;
}

static int check(int fd)
{
    struct head h;
    rra_ptr_t place[ARCHIVES_MAX];
    live_head_t live;
    pdp_prep_t source[SERIES_SOURCES];
    struct stat st;
    uint64_t rows;
    int rc = read_head(fd, &h);
    if (rc == 0)
        rc = read_at(fd, &live, sizeof live, h.live);
    if (rc == 0)
        rc = read_at(fd, source, sizeof source, h.pdp);
    if (rc == 0)
        rc = read_at(fd, place, h.stat.rra_cnt * sizeof place[0], h.place);
    if (rc == 0 && fstat(fd, &st) != 0)
        rc = -errno;
    if (rc != 0)
        return rc;
    bool sound = strcmp(h.stat.version, RRD_VERSION5) <= 0 && live.last_up >= 0 &&
                 live.last_up <= TIME_MAX_S && archives_are_sound(&h, place, &rows);
    rows = sound ? rows : 0;
    for (size_t i = 0; sound && i < SERIES_SOURCES; i++)
        sound = is_word(h.def.source[i].ds_nam, DS_NAM_SIZE) &&
                is_word(h.def.source[i].dst, DST_SIZE) &&
                memchr(source[i].last_ds, '\0', LAST_DS_LEN);
    uint64_t end = (uint64_t)h.rows + rows * SERIES_SOURCES * sizeof(rrd_value_t);
    return sound && (uint64_t)st.st_size >= end ? 0 : -EPROTO;
}

int rrdhead_check(const char *path, char error[static RRDFILE_ERROR_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    int rc = is_librrds(fd) ? check(fd) : 0;
    close(fd);
    if (rc == -EPROTO)
        snprintf(error, RRDFILE_ERROR_MAX, "%.120s: another layout, or its head is damaged", path);
    else if (rc != 0)
        failed(path, rc, error);
    return rc;
}

int rrdhead_renew(const char *path, uint64_t identity, char error[static RRDFILE_ERROR_MAX])
{
    struct head h;
    bool changed = false;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return failed(path, -errno, error);
    int rc = read_head(fd, &h);
    for (size_t i = 0; rc == 0 && i < RRDFILE_IDENTITY_SOURCES; i++) {
        unsigned long *heartbeat = &h.def.source[i].par[DS_mrhb_cnt].u_cnt;
        unsigned long want = (unsigned long)rrdfile_heartbeat_s(identity, i);
        changed = changed || *heartbeat != want;
        *heartbeat = want;
    }
    for (size_t i = 0; rc == 0 && i < h.stat.rra_cnt; i++) {
        double *share = &h.def.archive[i].par[RRA_cdp_xff_val].u_val;
        if (!is_plain(&h.def.archive[i]) || *share > 0.9)
            continue;
        *share = RRDFILE_UNKNOWN_SHARE;
        changed = true;
    }
    if (rc == 0 && changed)
        rc = write_at(fd, &h.def, h.def_octets, (off_t)sizeof h.stat);
    if (close(fd) != 0 && rc == 0)
        rc = -errno;
    return rc == 0 ? 0 : failed(path, rc, error);
}

static int copy(int from, off_t from_at, int to, off_t to_at, size_t octets)
{
    char *piece = malloc(PIECE);
    int rc = piece ? 0 : -ENOMEM;
    for (size_t done = 0; rc == 0 && done < octets;) {
        size_t n = octets - done < PIECE ? octets - done : PIECE;
        rc = read_at(from, piece, n, from_at + (off_t)done);
        if (rc == 0)
            rc = write_at(to, piece, n, to_at + (off_t)done);
        done += n;
    }
    free(piece);
    return rc;
}

// The first `archives` of both.
static bool fits(const struct head *from, const struct head *to, size_t archives)
{
    bool same = true;
    for (size_t i = 0; same && i < archives; i++) {
        const rra_def_t *a = &from->def.archive[i], *b = &to->def.archive[i];
        same = strcmp(a->cf_nam, b->cf_nam) == 0 && a->row_cnt == b->row_cnt &&
               a->pdp_cnt == b->pdp_cnt;
    }
    for (size_t i = 0; same && i < SERIES_SOURCES; i++)
        same = strcmp(from->def.source[i].ds_nam, to->def.source[i].ds_nam) == 0;
    return same;
}

static int transplant(int from, int to)
{
    struct head f, t;
    size_t rows = 0;
    int rc = read_head(from, &f);
    if (rc == 0)
        rc = read_head(to, &t);
    if (rc != 0)
        return rc;
    size_t archives = f.stat.rra_cnt < t.stat.rra_cnt ? f.stat.rra_cnt : t.stat.rra_cnt;
    if (!fits(&f, &t, archives))
        return -EPROTO;
    for (size_t i = 0; i < archives; i++)
        rows += f.def.archive[i].row_cnt;
    const struct {
        off_t from, to;
        size_t octets;
    } part[] = {
        {f.live, t.live, sizeof(live_head_t)},
        {f.pdp, t.pdp, SERIES_SOURCES * sizeof(pdp_prep_t)},
        {f.cdp, t.cdp, archives * SERIES_SOURCES * sizeof(cdp_prep_t)},
        {f.place, t.place, archives * sizeof(rra_ptr_t)},
        {f.rows, t.rows, rows * SERIES_SOURCES * sizeof(rrd_value_t)},
    };
    for (size_t i = 0; rc == 0 && i < sizeof part / sizeof part[0]; i++)
        rc = copy(from, part[i].from, to, part[i].to, part[i].octets);
    return rc == 0 && fsync(to) != 0 ? -errno : rc;
}

int rrdhead_transplant(const char *from, const char *to, char error[static RRDFILE_ERROR_MAX])
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return failed(from, -errno, error);
    int out = open(to, O_RDWR | O_CLOEXEC), rc = out < 0 ? -errno : transplant(in, out);
    close(in);
    if (out >= 0 && close(out) != 0 && rc == 0)
        rc = -errno;
    return rc == 0 ? 0 : failed(to, rc, error);
}
