// librrd's command-like interface behind typed calls.
#include "common/rrdfile.h"

#include "common/rrdhead.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <rrd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DAY_MINUTES = 1440,
    FORECAST_ROWS = 3 * DAY_MINUTES,
    ARCHIVES = 2 * SERIES_ARCHIVES - 1, // AVERAGE of all, MAX of all but the minutes
    FORECAST_ARCHIVES = 5,
    ARGUMENTS_MAX = SERIES_SOURCES + ARCHIVES + FORECAST_ARCHIVES,
    FILE_OCTETS = 400000,
};

// librrd says nothing when a disk is full: so it is tried.
static int write_trial(const char *path)
{
    char trial[4096];
    static const char page[4096];
    if (snprintf(trial, sizeof trial, "%s.trial", path) >= (int)sizeof trial)
        return ENAMETOOLONG;
    int fd = open(trial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), code = 0;
    if (fd < 0)
        return errno;
    for (size_t n = 0; code == 0 && n < FILE_OCTETS; n += sizeof page)
        if (write(fd, page, sizeof page) < 0)
            code = errno;
    if (close(fd) != 0 && code == 0)
        code = errno;
    unlink(trial);
    return code;
}

// Before each call of librrd.
static void begin(void)
{
    rrd_clear_error();
    errno = 0;
}

static int failed(const char *path, int code, char error[static RRDFILE_ERROR_MAX])
{
    int system = errno; // of librrd's last system call, when it says nothing itself
    const char *text = rrd_test_error() ? rrd_get_error() : "";
    if (*text && strstr(text, path))
        snprintf(error, RRDFILE_ERROR_MAX, "%s", text);
    else if (*text) // librrd does not always say of which file
        snprintf(error, RRDFILE_ERROR_MAX, "%.120s: %s", path, text);
    else {
        int why = write_trial(path);
        why = why ? why : system;
        snprintf(error, RRDFILE_ERROR_MAX, "%.120s: %s", path,
                 why ? strerror(why) : "librrd gives no reason");
    }
    rrd_clear_error();
    return code;
}

struct rrdfile_shape rrdfile_shape_of(enum series_kind kind, enum series_layout layout)
{
    return (struct rrdfile_shape){
        .reduced = kind == SERIES_SUBSCRIBER && layout == SERIES_REDUCED,
        .sensor = kind == SERIES_SENSOR,
        .forecast = kind != SERIES_SUBSCRIBER,
    };
}

int64_t rrdfile_heartbeat_s(uint64_t identity, size_t source)
{
    bool carries = source < RRDFILE_IDENTITY_SOURCES;
    return SERIES_HEARTBEAT_S + (carries ? (int64_t)(identity >> 16 * source & 0xffff) : 0);
}

struct arguments {
    char text[ARGUMENTS_MAX][64];
    const char *argv[ARGUMENTS_MAX];
    int argc;
};

// Sources, AVERAGE of each archive, MAX of all but the first (a minute is its own maximum), then the
// forecast: a season is a day of minutes; slow weights, since a minute is noisy.
static void put_arguments(struct arguments *a, struct rrdfile_shape shape)
{
    const struct series_archive *archive =
        series_archives[shape.reduced ? SERIES_REDUCED : SERIES_FULL];
    enum { TEXT = sizeof a->text[0] };
    enum series_kind kind = shape.sensor ? SERIES_SENSOR : SERIES_SUBSCRIBER;
    a->argc = 0;
    for (unsigned s = 0; s < SERIES_SOURCES; s++)
        snprintf(a->text[a->argc++], TEXT, "DS:%s:GAUGE:%lld:0:U", series_source_name_of(kind, s),
                 (long long)rrdfile_heartbeat_s(shape.identity, s));
    for (int maximum = 0; maximum < 2; maximum++)
        for (int i = maximum; i < SERIES_ARCHIVES; i++)
            snprintf(a->text[a->argc++], TEXT, "RRA:%s:%g:%d:%d", maximum ? "MAX" : "AVERAGE",
                     RRDFILE_UNKNOWN_SHARE, (int)(archive[i].step_s / SERIES_STEP_S),
                     (int)archive[i].rows);
    if (shape.forecast) {
        // Archives refer to each other by their number from 1 on.
        int seasonal = ARCHIVES + 2;
        snprintf(a->text[a->argc++], TEXT, "RRA:HWPREDICT:%d:0.01:0.0001:%d:%d", FORECAST_ROWS,
                 DAY_MINUTES, seasonal);
        snprintf(a->text[a->argc++], TEXT, "RRA:SEASONAL:%d:0.2:%d", DAY_MINUTES, seasonal - 1);
        snprintf(a->text[a->argc++], TEXT, "RRA:DEVSEASONAL:%d:0.2:%d", DAY_MINUTES, seasonal - 1);
        snprintf(a->text[a->argc++], TEXT, "RRA:DEVPREDICT:%d:%d", FORECAST_ROWS, seasonal + 1);
        snprintf(a->text[a->argc++], TEXT, "RRA:FAILURES:%d:7:9:%d", FORECAST_ROWS, seasonal + 1);
    }
    for (int i = 0; i < a->argc; i++)
        a->argv[i] = a->text[i];
}

// How far from the forecast is a failure: four deviations (librrd's two cry wolf on small counts).
static int widen(const char *path, char error[static RRDFILE_ERROR_MAX])
{
    char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    char words[][12] = {"tune", "--deltapos", "4", "--deltaneg", "4"};
    char *argv[] = {words[0], copy, words[1], words[2], words[3], words[4]};
    begin();
    int rc = rrd_tune((int)(sizeof argv / sizeof argv[0]), argv) != 0 ? failed(path, -EIO, error)
                                                                      : 0;
    free(copy);
    return rc;
}

int rrdfile_create(const char *path, struct rrdfile_shape shape, int64_t start_s,
                   char error[static RRDFILE_ERROR_MAX])
{
    if (access(path, F_OK) == 0) {
        snprintf(error, RRDFILE_ERROR_MAX, "%.120s: exists", path);
        return -EEXIST;
    }
    struct arguments a;
    put_arguments(&a, shape);
    begin();
    if (rrd_create_r(path, SERIES_STEP_S, (time_t)start_s, a.argc, a.argv) != 0) {
        unlink(path);
        return failed(path, -EIO, error);
    }
    return shape.forecast ? widen(path, error) : 0;
}

int rrdfile_convert(const char *path, struct rrdfile_shape shape,
                    char error[static RRDFILE_ERROR_MAX])
{
    char fresh[4096];
    int64_t last_s;
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
        return -ENAMETOOLONG;
    int rc = rrdfile_last(path, &last_s, error);
    if (rc != 0)
        return rc;
    unlink(fresh);
    rc = rrdfile_create(fresh, shape, last_s, error);
    if (rc == 0)
        rc = rrdhead_transplant(path, fresh, error);
    if (rc == 0 && rename(fresh, path) != 0) {
        rc = -errno;
        snprintf(error, RRDFILE_ERROR_MAX, "%.120s: %s", path, strerror(-rc));
    }
    if (rc != 0)
        unlink(fresh);
    return rc;
}

int rrdfile_update_text(const struct rrdfile_update *u, char out[static RRDFILE_UPDATE_TEXT_MAX])
{
    int n = snprintf(out, RRDFILE_UPDATE_TEXT_MAX, "%lld", (long long)u->t_s);
    for (unsigned s = 0; s < SERIES_SOURCES; s++) {
        size_t room = (size_t)(RRDFILE_UPDATE_TEXT_MAX - n);
        n += isnan(u->value[s]) ? snprintf(out + n, room, ":U")
                                : snprintf(out + n, room, ":%.17g", u->value[s]);
    }
    return n;
}

int rrdfile_update(const char *path, const struct rrdfile_update *update, size_t count,
                   char error[static RRDFILE_ERROR_MAX])
{
    enum { BATCH = 64 };
    char text[BATCH][RRDFILE_UPDATE_TEXT_MAX];
    const char *argv[BATCH];
    if (rrdhead_check(path, error) != 0)
        return -EIO;
    for (size_t done = 0; done < count;) {
        int argc = 0;
        for (; argc < BATCH && done < count; argc++, done++) {
            rrdfile_update_text(&update[done], text[argc]);
            argv[argc] = text[argc];
        }
        begin();
        if (rrd_update_r(path, NULL, argc, argv) != 0)
            return failed(path, -EIO, error);
    }
    return 0;
}

int rrdfile_fetch(const char *path, enum rrdfile_cf cf, int64_t start_s, int64_t end_s,
                  int64_t step_s, struct rrdfile_rows *out, char error[static RRDFILE_ERROR_MAX])
{
    static const char *const cfs[] = {"AVERAGE", "MAX", "FAILURES"};
    time_t start = (time_t)start_s, end = (time_t)end_s;
    unsigned long step = (unsigned long)step_s, sources = 0;
    char **names = NULL;
    rrd_value_t *data = NULL;
    if (rrdhead_check(path, error) != 0)
        return -EIO;
    begin();
    if (rrd_fetch_r(path, cfs[cf], &start, &end, &step, &sources, &names, &data) != 0)
        return failed(path, access(path, F_OK) != 0 ? -ENOENT : -EIO, error);
    int rc = 0;
    struct rrdfile_rows rows = {0};
    if (sources != SERIES_SOURCES || step == 0) {
        snprintf(error, RRDFILE_ERROR_MAX, "%.120s: another layout (%lu sources)", path, sources);
        rc = -EPROTO;
    } else {
        rows.first_s = (int64_t)start + (int64_t)step;
        rows.step_s = (int64_t)step;
        // librrd gives one row beyond `end`: rows end at start + step ... end + step.
        rows.count = (size_t)(end - start) / step;
        rows.value = calloc(rows.count ? rows.count : 1, SERIES_SOURCES * sizeof(double));
        if (rows.value)
            memcpy(rows.value, data, rows.count * SERIES_SOURCES * sizeof(double));
        else
            rc = -ENOMEM;
    }
    for (unsigned long s = 0; s < sources; s++)
        rrd_freemem(names[s]);
    rrd_freemem(names);
    rrd_freemem(data);
    if (rc == 0)
        *out = rows;
    return rc;
}

int rrdfile_last(const char *path, int64_t *out_s, char error[static RRDFILE_ERROR_MAX])
{
    if (access(path, F_OK) != 0) {
        snprintf(error, RRDFILE_ERROR_MAX, "%.120s: %s", path,
                 errno == ENOENT ? "no such series" : strerror(errno));
        return -errno;
    }
    if (rrdhead_check(path, error) != 0)
        return -EIO;
    begin();
    time_t last = rrd_last_r(path);
    if (last == (time_t)-1)
        return failed(path, -EIO, error);
    *out_s = (int64_t)last;
    return 0;
}

int rrdfile_reach(const char *path, unsigned archive, int64_t *out_s)
{
    char error[RRDFILE_ERROR_MAX];
    if (rrdhead_check(path, error) != 0)
        return -EIO;
    rrd_clear_error();
    time_t first = rrd_first_r(path, (int)archive);
    begin();
    if (first == (time_t)-1)
        return -EIO;
    *out_s = (int64_t)first - series_archives[SERIES_FULL][archive].step_s;
    return 0;
}

static const rrd_info_t *find_info(const rrd_info_t *i, const char *source, const char *field)
{
    char key[64];
    snprintf(key, sizeof key, source ? "ds[%s].%s" : "%s%s", source ? source : "", field);
    while (i && strcmp(i->key, key) != 0)
        i = i->next;
    return i;
}

static bool has_sources(const rrd_info_t *info, enum series_kind kind)
{
    bool all = true;
    for (unsigned s = 0; all && s < SERIES_SOURCES; s++)
        all = find_info(info, series_source_name_of(kind, s), "type") != NULL;
    return all;
}

static uint64_t identity_of(const rrd_info_t *info, enum series_kind kind)
{
    uint64_t identity = 0;
    for (unsigned s = 0; s < RRDFILE_IDENTITY_SOURCES; s++) {
        const rrd_info_t *i = find_info(info, series_source_name_of(kind, s), "minimal_heartbeat");
        if (i && i->value.u_cnt >= SERIES_HEARTBEAT_S)
            identity |= (uint64_t)((i->value.u_cnt - SERIES_HEARTBEAT_S) & 0xffff) << 16 * s;
    }
    return identity;
}

static struct rrdfile_found found_in(const char *path, const rrd_info_t *info, uint64_t rows)
{
    struct stat st;
    const rrd_info_t *share = find_info(info, NULL, "rra[0].xff"),
                     *head = find_info(info, NULL, "header_size");
    struct rrdfile_found f = {.halves = share && share->value.u_val < 0.9};
    if (head && stat(path, &st) == 0)
        f.surplus = st.st_size - (int64_t)head->value.u_cnt -
                    (int64_t)(rows * SERIES_SOURCES * sizeof(rrd_value_t));
    return f;
}

int rrdfile_check(const char *path, struct rrdfile_shape *out, struct rrdfile_found *found,
                  char error[static RRDFILE_ERROR_MAX])
{
    if (rrdhead_check(path, error) != 0)
        return -EPROTO;
    begin();
    rrd_info_t *info = rrd_info_r(path);
    if (!info)
        return failed(path, access(path, F_OK) != 0 ? -ENOENT : -EPROTO, error);
    unsigned sources = 0, archives = 0;
    unsigned long rows[ARCHIVES + FORECAST_ARCHIVES] = {0};
    uint64_t all_rows = 0;
    bool step_right = false;
    for (const rrd_info_t *i = info; i; i = i->next) {
        if (strcmp(i->key, "step") == 0)
            step_right = i->value.u_cnt == SERIES_STEP_S;
        else if (strncmp(i->key, "ds[", 3) == 0 && strstr(i->key, "].index"))
            sources++;
        else if (strncmp(i->key, "rra[", 4) == 0 && strstr(i->key, "].rows")) {
            if (archives < ARCHIVES + FORECAST_ARCHIVES)
                rows[archives] = i->value.u_cnt;
            archives++;
            all_rows += i->value.u_cnt;
        }
    }
    struct rrdfile_shape shape = {
        .sensor = has_sources(info, SERIES_SENSOR),
        .forecast = archives == ARCHIVES + FORECAST_ARCHIVES,
        .reduced = rows[0] == (unsigned long)series_archives[SERIES_REDUCED][0].rows,
    };
    shape.identity = identity_of(info, shape.sensor ? SERIES_SENSOR : SERIES_SUBSCRIBER);
    struct rrdfile_found what = found_in(path, info, all_rows);
    bool right = step_right && sources == SERIES_SOURCES &&
                 (archives == ARCHIVES || shape.forecast) &&
                 (shape.sensor || has_sources(info, SERIES_SUBSCRIBER));
    for (unsigned a = 0; a < SERIES_ARCHIVES; a++)
        right = right && rows[a] == (unsigned long)series_archives[shape.reduced][a].rows;
    rrd_info_free(info);
    if (!right) {
        snprintf(error, RRDFILE_ERROR_MAX, "%.120s: another layout (%u sources, %u archives)", path,
                 sources, archives);
        return -EPROTO;
    }
    *out = shape;
    if (found)
        *found = what;
    return 0;
}
