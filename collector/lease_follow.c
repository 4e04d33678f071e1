// Appended: the same inode, longer, and the octets before the old end are still the same.
#include "lease_follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "file_watch.h"
#include "lease_swap.h"

#define END_OCTETS 4096 // compared before the old end

struct lease_follow {
    char *path;
    uint8_t source, number;
    uint16_t round; // of the last reading, also of one that was refused
    struct leases *leases;
    struct file_watch watch;
    char end[END_OCTETS]; // of what was read
    size_t end_len;
    bool whole_lines; // what was read ends with a line's end
    // Of a reading under way.
    FILE *in;
    struct lease_swap *swap;
    struct file_version reading;
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

static void end_reading(struct lease_follow *f)
{
    if (f->in)
        fclose(f->in);
    f->in = NULL;
    lease_swap_free(f->swap);
    f->swap = NULL;
}

void lease_follow_free(struct lease_follow *f)
{
    if (!f)
        return;
    end_reading(f);
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

static uint16_t next_round(const struct lease_follow *f)
{
    return f->round == UINT16_MAX ? 1 : (uint16_t)(f->round + 1);
}

static int open_regular(const char *path, FILE **out, struct file_version *version)
{
    struct stat st;
    FILE *in = fopen(path, "re");
    if (!in)
        return -errno;
    int rc = fstat(fileno(in), &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EISDIR;
    if (rc < 0) {
        fclose(in);
        return rc;
    }
    *version = file_version_of(&st);
    *out = in;
    return 0;
}

static void tell(const struct lease_follow *f, int rc, FILE *errors)
{
    if (rc < 0 && rc != -EINVAL)
        fprintf(errors, "%s: %s\n", f->path, strerror(-rc));
}

int lease_follow_load(struct lease_follow *f, FILE *errors)
{
    FILE *in = NULL;
    struct file_version now;
    int rc = open_regular(f->path, &in, &now);
    if (rc == 0) {
        f->round = next_round(f);
        rc = leases_file_read(f->leases, in, f->path, f->source, f->number, f->round, errors);
    }
    if (rc == 0) {
        remember_end(f, in, &now);
        file_watch_took(&f->watch, &now);
    }
    if (in)
        fclose(in);
    tell(f, rc, errors);
    return rc;
}

// ---- In slices

bool lease_follow_busy(const struct lease_follow *f)
{
    return f->swap != NULL;
}

static int begin_reading(struct lease_follow *f)
{
    int rc = open_regular(f->path, &f->in, &f->reading);
    if (rc < 0)
        return rc;
    bool appended = is_appended(f, &f->reading, f->in);
    if (!appended) {
        f->round = next_round(f);
        rewind(f->in);
    }
    f->swap = lease_swap_new(f->leases, f->in, f->path, f->source, f->number, f->round, appended);
    return f->swap ? 0 : -ENOMEM;
}

static int go_on_reading(struct lease_follow *f, FILE *errors)
{
    int rc = lease_swap_slice(f->swap);
    if (rc > 0)
        return LEASE_FOLLOW_MORE;
    if (rc == -EINVAL)
        lease_swap_tell(f->swap, errors);
    if (rc < 0)
        return rc;
    clearerr(f->in);
    remember_end(f, f->in, &f->reading);
    file_watch_took(&f->watch, &f->reading);
    return 1;
}

int lease_follow_poll(struct lease_follow *f, FILE *errors)
{
    int rc = 0;
    if (!f->swap) {
        if (!file_watch_look(&f->watch, f->path))
            return 0;
        rc = begin_reading(f);
    }
    if (rc == 0)
        rc = go_on_reading(f, errors);
    if (rc == LEASE_FOLLOW_MORE)
        return rc;
    end_reading(f);
    if (rc < 0) {
        tell(f, rc, errors);
        file_watch_refused(&f->watch, rc);
    }
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
