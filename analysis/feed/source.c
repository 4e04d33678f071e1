// Lines of verdicts and the place in their file. See source.h.
#include "feed/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

#define LINE_MAX_OCTETS (256 * 1024)

static bool read_number(const char **at, int base, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(*at, &end, base);
    if (errno != 0 || end == *at)
        return false;
    *out = v;
    *at = end;
    return true;
}

static int parse_cursor(struct source *s, const char *cursor)
{
    uint64_t offset, octets;
    if (cursor[0] == '\0')
        return 0;
    if (!read_number(&cursor, 10, &offset) || *cursor++ != ':' ||
        !read_number(&cursor, 10, &octets) || *cursor++ != ':' ||
        !read_number(&cursor, 16, &s->line_hash) || *cursor != '\0' || offset > INT64_MAX ||
        octets > offset)
        return -EINVAL;
    s->offset = (int64_t)offset;
    s->line_octets = (int64_t)octets;
    return 0;
}

// The line before the cursor must be the one that was read there.
static int verify(struct source *s)
{
    if (s->offset == 0)
        return 0;
    if (s->line_octets <= 0 || s->line_octets > LINE_MAX_OCTETS)
        return -ESTALE;
    char *line = malloc((size_t)s->line_octets);
    if (!line)
        return -ENOMEM;
    int rc = -ESTALE;
    if (fseeko(s->in, s->offset - s->line_octets, SEEK_SET) == 0 &&
        fread(line, 1, (size_t)s->line_octets, s->in) == (size_t)s->line_octets &&
        hash_octets(line, (size_t)s->line_octets, 0) == s->line_hash)
        rc = 0;
    free(line);
    return rc;
}

int source_open(struct source *s, const char *path, const char *cursor)
{
    *s = (struct source){0};
    int rc = parse_cursor(s, cursor);
    if (rc != 0)
        return rc;
    s->in = fopen(path, "r");
    if (!s->in)
        return -errno;
    rc = verify(s);
    if (rc != 0)
        source_close(s);
    return rc;
}

void source_close(struct source *s)
{
    if (s->in)
        fclose(s->in);
    s->in = NULL;
}

int source_next(struct source *s, struct verdict *v, char error[static 160])
{
    char *line = NULL;
    size_t room = 0;
    if (fseeko(s->in, s->offset, SEEK_SET) != 0)
        return -errno;
    ssize_t n = getline(&line, &room, s->in);
    if (n < 0 || line[n - 1] != '\n') { // a line that is being written is not there yet
        int rc = ferror(s->in) ? -EIO : 0;
        clearerr(s->in);
        free(line);
        return rc;
    }
    s->offset += n;
    s->line_octets = n;
    s->line_hash = hash_octets(line, (size_t)n, 0);
    s->lines++;
    json_error_t where;
    json_t *j = json_loadb(line, (size_t)n, JSON_REJECT_DUPLICATES, &where);
    int rc;
    if (j) {
        rc = verdict_from_json(j, v, error);
    } else {
        snprintf(error, 160, "no JSON: %.120s", where.text);
        rc = -EINVAL;
    }
    json_decref(j);
    free(line);
    if (rc != 0)
        s->bad_lines++;
    return rc == 0 ? 1 : rc;
}

const char *source_cursor(const struct source *s, char out[static SOURCE_CURSOR_MAX])
{
    snprintf(out, SOURCE_CURSOR_MAX, "%" PRId64 ":%" PRId64 ":%016" PRIx64, s->offset,
             s->line_octets, s->line_hash);
    return out;
}
