// Appended: the same inode, longer, and the octets before the old end are still the same.
#include "lease_follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "file_watch.h"

#define END_OCTETS 4096 // compared before the old end

struct lease_follow {
    char *path;
    uint8_t source, number, round;
    struct leases *leases;
    struct file_watch watch;
    char end[END_OCTETS]; // of what was read
    size_t end_len;
    bool whole_lines; // what was read ends with a line's end
};

struct lease_follow *lease_follow_new(const char *path, uint8_t source, uint8_t number,
                                      struct leases *leases)
{
    struct lease_follow *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->path = strdup(path);
    f->source = source;
    f->number = number;
    f->leases = leases;
    if (f->path)
        return f;
    free(f);
    return NULL;
}

void lease_follow_free(struct lease_follow *f)
{
    if (!f)
        return;
    free(f->path);
    free(f);
}

const char *lease_follow_path(const struct lease_follow *f)
{
    return f->path;
}

// ---- Reading

static void remember_end(struct lease_follow *f, FILE *in, struct file_version *read)
{
    off_t size = ftello(in);
    size_t len = size < END_OCTETS ? (size_t)size : END_OCTETS;
    f->end_len = 0;
    if (fseeko(in, size - (off_t)len, SEEK_SET) == 0)
        f->end_len = fread(f->end, 1, len, in);
    f->whole_lines = f->end_len == len && (len == 0 || f->end[len - 1] == '\n');
    read->size = size; // as much as was read, when it grew meanwhile
}

// Is `in` what was read, with more behind it? Leaves the position where that begins.
static bool is_appended(const struct lease_follow *f, const struct file_version *now, FILE *in)
{
    char end[END_OCTETS];
    const struct file_version *was = &f->watch.read;
    return was->there && f->whole_lines && f->end_len > 0 && was->device == now->device &&
           was->inode == now->inode && now->size > was->size &&
           fseeko(in, was->size - (off_t)f->end_len, SEEK_SET) == 0 &&
           fread(end, 1, f->end_len, in) == f->end_len && memcmp(end, f->end, f->end_len) == 0;
}

static int read_version(struct lease_follow *f, FILE *in, FILE *errors)
{
    struct stat st;
    if (fstat(fileno(in), &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EISDIR;
    struct file_version now = file_version_of(&st);
    int rc;
    if (is_appended(f, &now, in)) {
        rc = leases_file_append(f->leases, in, f->path, f->source, f->number, f->round, errors);
    } else {
        uint8_t round = f->round == UINT8_MAX ? 1 : (uint8_t)(f->round + 1);
        rewind(in);
        rc = leases_file_read(f->leases, in, f->path, f->source, f->number, round, errors);
        if (rc == 0)
            f->round = round;
    }
    if (rc < 0)
        return rc;
    remember_end(f, in, &now);
    file_watch_took(&f->watch, &now);
    return 0;
}

static int open_and_read(struct lease_follow *f, FILE *errors)
{
    FILE *in = fopen(f->path, "re");
    int rc = in ? read_version(f, in, errors) : -errno;
    if (in)
        fclose(in);
    if (rc < 0 && rc != -EINVAL)
        fprintf(errors, "%s: %s\n", f->path, strerror(-rc));
    return rc;
}

int lease_follow_load(struct lease_follow *f, FILE *errors)
{
    return open_and_read(f, errors);
}

int lease_follow_poll(struct lease_follow *f, FILE *errors)
{
    if (!file_watch_look(&f->watch, f->path))
        return 0;
    int rc = open_and_read(f, errors);
    if (rc == 0)
        return 1;
    file_watch_refused(&f->watch, rc);
    return rc;
}

void lease_file_status(const char *path, int error, struct control_status *s)
{
    char text[400];
    if (error == 0)
        return;
    snprintf(text, sizeof text, "%.300s cannot be used (%s): what was read of it before counts",
             path, error == -EINVAL ? "lines that are wrong" : strerror(-error));
    control_status_problem(s, 1, "lease-file", text,
                           "mend or restore the file; the log names its lines");
}

void lease_follow_status(const struct lease_follow *f, struct control_status *s)
{
    lease_file_status(f->path, f->watch.error, s);
}
