// Names of POPs, classes and sensors: a line each in KIND/names, since a file's name may be a hash.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/series.h"

enum { PATH_OCTETS = 4096, TEXT_MAX = 512 * 1024 };

static int names_path(const char *rrd_dir, enum series_kind kind, char out[static PATH_OCTETS])
{
    int n = snprintf(out, PATH_OCTETS, "%s/%s/names", rrd_dir, series_kind_name(kind));
    return n < PATH_OCTETS ? 0 : -ENAMETOOLONG;
}

static int read_text(const char *path, char *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    ssize_t n = read(fd, text, TEXT_MAX);
    int rc = n < 0 ? -errno : 0;
    text[n < 0 ? 0 : n] = '\0';
    close(fd);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int series_names(const char *rrd_dir, enum series_kind kind, char ***out, size_t *count)
{
    char path[PATH_OCTETS];
    int rc = names_path(rrd_dir, kind, path);
    if (rc != 0)
        return rc;
    // One block: the pointers, then the text they point into.
    char **list = calloc(1, SERIES_NAMES_MAX * sizeof(char *) + TEXT_MAX + 1);
    if (!list)
        return -ENOMEM;
    char *text = (char *)(list + SERIES_NAMES_MAX), *rest;
    rc = read_text(path, text);
    if (rc != 0) {
        free(list);
        return rc;
    }
    size_t n = 0;
    for (char *line = strtok_r(text, "\n", &rest); line && n < SERIES_NAMES_MAX;
         line = strtok_r(NULL, "\n", &rest))
        list[n++] = line;
    qsort(list, n, sizeof(char *), by_name);
    *out = list;
    *count = n;
    return 0;
}

static bool has_name(char **list, size_t count, const char *name)
{
    return bsearch(&name, list, count, sizeof(char *), by_name) != NULL;
}

int series_names_add(const char *rrd_dir, enum series_kind kind, const char *name)
{
    char path[PATH_OCTETS], **list;
    size_t count;
    int rc = names_path(rrd_dir, kind, path);
    if (rc == 0)
        rc = series_names(rrd_dir, kind, &list, &count);
    if (rc != 0)
        return rc;
    bool there = has_name(list, count, name) || count == SERIES_NAMES_MAX;
    free(list);
    if (there)
        return 0;
    for (const char *c = name; *c; c++)
        if (iscntrl((unsigned char)*c)) // would be two names; its file is there all the same
            return 0;
    FILE *out = fopen(path, "ae");
    if (!out)
        return -errno;
    rc = fprintf(out, "%s\n", name) < 0 ? -EIO : 0;
    if (fclose(out) != 0 && rc == 0)
        rc = -errno;
    return rc;
}
