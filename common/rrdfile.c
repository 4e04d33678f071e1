// librrd's command-like interface behind typed calls.
#include "common/rrdfile.h"

#include <errno.h>
#include <math.h>
#include <rrd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int failed(int code, char error[static RRDFILE_ERROR_MAX])
{
    const char *text = rrd_test_error() ? rrd_get_error() : "unknown error";
    snprintf(error, RRDFILE_ERROR_MAX, "%s", text);
    rrd_clear_error();
    return code;
}

int rrdfile_create(const char *path, int64_t start_s, char error[static RRDFILE_ERROR_MAX])
{
    if (access(path, F_OK) == 0) {
        snprintf(error, RRDFILE_ERROR_MAX, "%s: exists", path);
        return -EEXIST;
    }
    // Sources, then AVERAGE for each archive, MAX for all but the first: a minute is its own maximum.
    char text[SERIES_SOURCES + 2 * SERIES_ARCHIVES][64];
    const char *argv[SERIES_SOURCES + 2 * SERIES_ARCHIVES];
    int argc = 0;
    for (unsigned s = 0; s < SERIES_SOURCES; s++)
        snprintf(text[argc++], sizeof text[0], "DS:%s:GAUGE:%d:0:U", series_source_name(s),
                 SERIES_HEARTBEAT_S);
    for (int maximum = 0; maximum < 2; maximum++)
        for (int a = maximum; a < SERIES_ARCHIVES; a++)
            snprintf(text[argc++], sizeof text[0], "RRA:%s:0.5:%d:%d", maximum ? "MAX" : "AVERAGE",
                     (int)(series_archives[a].step_s / SERIES_STEP_S),
                     (int)series_archives[a].rows);
    for (int i = 0; i < argc; i++)
        argv[i] = text[i];
    rrd_clear_error();
    if (rrd_create_r(path, SERIES_STEP_S, (time_t)start_s, argc, argv) != 0)
        return failed(-EIO, error);
    return 0;
}

int rrdfile_update(const char *path, const struct rrdfile_update *update, size_t count,
                   char error[static RRDFILE_ERROR_MAX])
{
    enum { BATCH = 64, TEXT_MAX = 24 + SERIES_SOURCES * 26 };
    char text[BATCH][TEXT_MAX];
    const char *argv[BATCH];
    for (size_t done = 0; done < count;) {
        int argc = 0;
        for (; argc < BATCH && done < count; argc++, done++) {
            int n = snprintf(text[argc], TEXT_MAX, "%lld", (long long)update[done].t_s);
            for (unsigned s = 0; s < SERIES_SOURCES; s++) {
                double v = update[done].value[s];
                n += isnan(v) ? snprintf(text[argc] + n, (size_t)(TEXT_MAX - n), ":U")
                              : snprintf(text[argc] + n, (size_t)(TEXT_MAX - n), ":%.17g", v);
            }
            argv[argc] = text[argc];
        }
        rrd_clear_error();
        if (rrd_update_r(path, NULL, argc, argv) != 0)
            return failed(-EIO, error);
    }
    return 0;
}

int rrdfile_fetch(const char *path, bool maximum, int64_t start_s, int64_t end_s, int64_t step_s,
                  struct rrdfile_rows *out, char error[static RRDFILE_ERROR_MAX])
{
    time_t start = (time_t)start_s, end = (time_t)end_s;
    unsigned long step = (unsigned long)step_s, sources = 0;
    char **names = NULL;
    rrd_value_t *data = NULL;
    rrd_clear_error();
    if (rrd_fetch_r(path, maximum ? "MAX" : "AVERAGE", &start, &end, &step, &sources, &names,
                    &data) != 0)
        return failed(access(path, F_OK) != 0 ? -ENOENT : -EIO, error);
    int rc = 0;
    struct rrdfile_rows rows = {0};
    if (sources != SERIES_SOURCES || step == 0) {
        snprintf(error, RRDFILE_ERROR_MAX, "%s: another layout (%lu sources)", path, sources);
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
        snprintf(error, RRDFILE_ERROR_MAX, "%s: no such series", path);
        return -ENOENT;
    }
    rrd_clear_error();
    time_t last = rrd_last_r(path);
    if (last == (time_t)-1)
        return failed(-EIO, error);
    *out_s = (int64_t)last;
    return 0;
}

int rrdfile_check(const char *path, char error[static RRDFILE_ERROR_MAX])
{
    rrd_clear_error();
    rrd_info_t *info = rrd_info_r(path);
    if (!info)
        return failed(access(path, F_OK) != 0 ? -ENOENT : -EPROTO, error);
    unsigned sources = 0, archives = 0;
    bool step_right = false, names_right = true;
    for (const rrd_info_t *i = info; i; i = i->next) {
        if (strcmp(i->key, "step") == 0)
            step_right = i->value.u_cnt == SERIES_STEP_S;
        else if (strncmp(i->key, "ds[", 3) == 0 && strstr(i->key, "].index"))
            sources++;
        else if (strncmp(i->key, "rra[", 4) == 0 && strstr(i->key, "].rows"))
            archives++;
    }
    for (unsigned s = 0; s < SERIES_SOURCES; s++) {
        char key[64];
        bool found = false;
        snprintf(key, sizeof key, "ds[%s].type", series_source_name(s));
        for (const rrd_info_t *i = info; i && !found; i = i->next)
            found = strcmp(i->key, key) == 0;
        names_right = names_right && found;
    }
    rrd_info_free(info);
    if (step_right && names_right && sources == SERIES_SOURCES &&
        archives == 2 * SERIES_ARCHIVES - 1)
        return 0;
    snprintf(error, RRDFILE_ERROR_MAX, "%s: another layout (%u sources, %u archives)", path,
             sources, archives);
    return -EPROTO;
}
