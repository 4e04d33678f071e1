// Names, places and times of series; the reading is in series_fetch.c, the coverage in
// series_coverage.c and series_sight.c.
#include "common/series.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/keyed_hash.h"
#include "common/series_coverage.h"
#include "common/timefmt.h"

const struct series_archive series_archives[SERIES_LAYOUTS][SERIES_ARCHIVES] = {
    [SERIES_FULL] = {{60, 1440}, {600, 1008}, {3600, 744}, {86400, 366}},
    [SERIES_REDUCED] = {{60, 240}, {600, 288}, {3600, 336}, {86400, 366}},
};

const char *series_source_name_of(enum series_kind kind, unsigned source)
{
    static const char *const names[2][SERIES_SOURCES] = {
        {
            [SERIES_ESTABLISHED] = "established",
            [SERIES_REFUSED] = "refused",
            [SERIES_UNANSWERED] = "unanswered",
            [SERIES_PEERS] = "peers",
            [SERIES_MESSAGES] = "messages",
            [SERIES_RECIPIENTS] = "recipients",
            [SERIES_SOCKS_IN] = "socks_in",
            [SERIES_SOCKS_OUT] = "socks_out",
        },
        {
            [SERIES_SENSOR_PACKETS] = "packets",
            [SERIES_SENSOR_OCTETS] = "octets",
            [SERIES_SENSOR_DROPPED] = "dropped",
            [SERIES_SENSOR_TCP_FLOWS] = "tcp_flows",
            [SERIES_SENSOR_MAIL_FLOWS] = "mail_flows",
            [SERIES_SENSOR_SUBSCRIBER_FLOWS] = "subscriber_flows",
            [SERIES_SENSOR_RECORDS] = "records",
            [SERIES_SENSOR_LOSS_PPM] = "loss_ppm",
        },
    };
    return source < SERIES_SOURCES ? names[kind == SERIES_SENSOR][source] : NULL;
}

const char *series_source_name(unsigned source)
{
    return series_source_name_of(SERIES_SUBSCRIBER, source);
}

static const char *const kinds[] = {
    [SERIES_SUBSCRIBER] = "subscriber", [SERIES_SITE] = "site",     [SERIES_POP] = "pop",
    [SERIES_CLASS] = "class",           [SERIES_SENSOR] = "sensor",
};

const char *series_kind_name(enum series_kind kind)
{
    return kinds[kind];
}

int series_kind_parse(const char *name)
{
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        if (strcmp(name, kinds[k]) == 0)
            return (int)k;
    return -EINVAL;
}

static bool plain_name(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > 100 || name[0] == '.')
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr(":.-/", *name))
            return false;
    return true;
}

const char *series_path(enum series_kind kind, const char *name, char out[static SERIES_PATH_MAX])
{
    char hex[33];
    hash_text(span_of_text(name), hex);
    char file[128];
    snprintf(file, sizeof file, "%s", plain_name(name) ? name : hex);
    for (char *c = file; *c; c++)
        if (*c == '/')
            *c = '_';
    snprintf(out, SERIES_PATH_MAX, "%s/%.2s/%.2s/%s.rrd", kinds[kind], hex, hex + 2, file);
    return out;
}

uint64_t series_identity(const char *relative_path)
{
    char hex[33];
    hash_text(span_of_text(relative_path), hex);
    hex[16] = '\0';
    return strtoull(hex, NULL, 16);
}

const char *series_sensor_word(const char *name, char out[static SERIES_SENSOR_WORD_MAX])
{
    size_t len = strlen(name);
    bool plain = len > 0 && len < SERIES_SENSOR_WORD_MAX && name[0] != '.';
    for (const char *c = name; plain && *c; c++)
        plain = isalnum((unsigned char)*c) || strchr("-_.:", *c);
    if (plain)
        memcpy(out, name, len + 1);
    else
        hash_text(span_of_text(name), out);
    return out;
}

// "now-24h": a number and one of s m h d w y.
static int parse_offset(const char *text, int64_t *out_s)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    static const char units[] = "smhdwy";
    static const int64_t seconds[] = {1, 60, 3600, 86400, 7 * 86400, 366 * 86400};
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (errno != 0 || end == text || !isdigit((unsigned char)*text) || !unit || end[1] != '\0' ||
        n > 100LL * 366 * 86400)
        return -EINVAL;
    *out_s = n * seconds[unit - units];
    return 0;
}

int series_parse_time(const char *text, int64_t now_s, int64_t *out_s)
{
    if (strncmp(text, "now", 3) == 0) {
        int64_t offset = 0;
        if (text[3] == '\0') {
            *out_s = now_s;
            return 0;
        }
        if ((text[3] != '-' && text[3] != '+') || parse_offset(text + 4, &offset) != 0)
            return -EINVAL;
        *out_s = text[3] == '-' ? now_s - offset : now_s + offset;
        return 0;
    }
    int64_t t_ms;
    if (time_parse(text, &t_ms) == 0) {
        *out_s = t_ms / 1000;
        return 0;
    }
    char *end;
    errno = 0;
    long long epoch = strtoll(text, &end, 10);
    if (errno != 0 || !isdigit((unsigned char)*text) || *end != '\0' || epoch > 253402300799LL)
        return -EINVAL;
    *out_s = epoch;
    return 0;
}
