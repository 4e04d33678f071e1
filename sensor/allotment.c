// A claim is a file that is made whole under another name and linked: of two instances that start at once one has it.
#include "allotment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "renew.h"
#include "sensor_conf.h"

#define TEXT_MAX 1024

int allotment_parse(const char *text, struct allotment *out)
{
    struct allotment a = {0};
    while (*text) {
        char *end;
        errno = 0;
        unsigned long long first = strtoull(text, &end, 10), last = first;
        if (end == text || a.count == ALLOTMENT_RANGES_MAX)
            return -EINVAL;
        if (*end == '-') {
            text = end + 1;
            last = strtoull(text, &end, 10);
            if (end == text)
                return -EINVAL;
        }
        if (errno != 0 || first == 0 || last < first || last > UINT32_MAX ||
            (*end != '\0' && *end != ',') || (*end == ',' && end[1] == '\0'))
            return -EINVAL;
        a.range[a.count++] = (struct allotment_range){(uint32_t)first, (uint32_t)last};
        text = *end ? end + 1 : end;
    }
    *out = a;
    return a.count > 0 ? 0 : -EINVAL;
}

// The first line. Negative errno.
static int read_line(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return -errno;
    if (!fgets(out, (int)size, f))
        out[0] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    fclose(f);
    return 0;
}

int allotment_read(const char *folder, struct allotment *out)
{
    char path[600], line[TEXT_MAX];
    snprintf(path, sizeof path, "%s/" ALLOTMENT_FILE, folder);
    int rc = read_line(path, line, sizeof line);
    return rc < 0 ? rc : allotment_parse(line, out);
}

bool allotment_has(const struct allotment *a, uint32_t first, uint32_t count)
{
    for (unsigned i = 0; i < a->count; i++)
        if (first >= a->range[i].first && first <= a->range[i].last &&
            count - 1 <= a->range[i].last - first)
            return true;
    return false;
}

// 1: it is `who`'s, now or since before; 0: somebody else's; negative errno.
static int claim_one(const char *folder, const char *who, uint32_t first)
{
    char path[600], fresh[640], line[TEXT_MAX], text[TEXT_MAX];
    snprintf(path, sizeof path, "%s/domain-%u", folder, first);
    snprintf(fresh, sizeof fresh, "%s.%ld", path, (long)getpid());
    int rc = read_line(path, line, sizeof line);
    if (rc == -ENOENT) {
        snprintf(text, sizeof text, "%s\n", who);
        rc = renew_write(fresh, span_of_text(text));
        if (rc == 0 && link(fresh, path) < 0 && errno != EEXIST)
            rc = -errno;
        unlink(fresh);
        if (rc == 0)
            rc = read_line(path, line, sizeof line);
    }
    return rc < 0 ? rc : strcmp(line, who) == 0;
}

int allotment_claim(const struct allotment *a, const char *folder, const char *who, uint32_t count,
                    uint32_t *first)
{
    for (unsigned i = 0; i < a->count; i++) {
        const struct allotment_range *r = &a->range[i];
        // Where there is room, room for more processes later.
        uint32_t room = r->last - r->first >= SENSOR_PROCESSES_MAX ? SENSOR_PROCESSES_MAX : count;
        for (uint64_t at = r->first; at + count - 1 <= r->last; at += room) {
            int rc = claim_one(folder, who, (uint32_t)at);
            if (rc == 1)
                *first = (uint32_t)at;
            if (rc != 0)
                return rc < 0 ? rc : 0;
        }
    }
    return -ENOSPC;
}
