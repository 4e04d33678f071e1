// Day keys of a journal, a file each. Shredding a day is deleting its key file; a block's header stays readable, its rows
// do not.
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/journal_format.h"

#define NAME_SIZE 32

static void key_name(uint32_t day, char out[static NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "%08u.key", day);
}

static int key_read(int fd, uint32_t day, struct journal_key *out)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_mode & 077)
        return -EPERM;
    char text[2 * JOURNAL_KEY_SIZE + 2];
    ssize_t n = read(fd, text, sizeof text);
    size_t len = 0;
    struct journal_key key = {.day = day};
    if (n < 0)
        return -errno;
    if (n != 2 * JOURNAL_KEY_SIZE + 1 || text[n - 1] != '\n' ||
        sodium_hex2bin(key.octet, sizeof key.octet, text, 2 * JOURNAL_KEY_SIZE, NULL, &len, NULL) ||
        len != sizeof key.octet)
        return -EINVAL;
    key.id = journal_sum(span_of(key.octet, sizeof key.octet));
    *out = key;
    return 0;
}

// A new key is on disk, name and all, before anything is encrypted with it.
static int key_create(int dir, const char *name)
{
    uint8_t octet[JOURNAL_KEY_SIZE];
    char text[2 * JOURNAL_KEY_SIZE + 1];
    randombytes_buf(octet, sizeof octet);
    sodium_bin2hex(text, sizeof text, octet, sizeof octet);
    text[2 * JOURNAL_KEY_SIZE] = '\n';
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int rc = 0;
    ssize_t n = write(fd, text, sizeof text);
    if (n != (ssize_t)sizeof text)
        rc = n < 0 ? -errno : -EIO;
    else if (fsync(fd) < 0 || fsync(dir) < 0)
        rc = -errno;
    close(fd);
    if (rc < 0)
        unlinkat(dir, name, 0);
    sodium_memzero(octet, sizeof octet);
    sodium_memzero(text, sizeof text);
    return rc;
}

int journal_key_load(const char *key_dir, uint32_t day, bool create, struct journal_key *out)
{
    if (sodium_init() < 0)
        return -EIO;
    char name[NAME_SIZE];
    key_name(day, name);
    int dir = open(key_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int rc = fd < 0 ? -errno : 0;
    if (rc == -ENOENT && create) {
        rc = key_create(dir, name);
        fd = rc < 0 ? -1 : openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (rc == 0 && fd < 0)
            rc = -errno;
    }
    if (rc == 0)
        rc = key_read(fd, day, out);
    if (fd >= 0)
        close(fd);
    close(dir);
    return rc;
}

int journal_keys_check(const char *key_dir)
{
    struct stat st;
    if (stat(key_dir, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    return access(key_dir, R_OK | W_OK | X_OK) < 0 ? -errno : 0;
}

// Who cannot look does not say that it is gone.
bool journal_key_exists(const char *key_dir, uint32_t day)
{
    char name[NAME_SIZE];
    struct stat st;
    int dir = open(key_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno != ENOENT;
    key_name(day, name);
    bool gone = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
    close(dir);
    return !gone;
}

static bool can_be_read(int dir, const char *key_dir, uint32_t day, uint32_t number)
{
    char name[JOURNAL_NAME_MAX];
    struct journal_segment s;
    struct journal_key key;
    struct stat st;
    int fd = openat(dir, journal_segment_name(day, number, name), O_RDONLY | O_CLOEXEC);
    bool encrypted = fd >= 0 && fstat(fd, &st) == 0 &&
                     journal_segment_read(fd, (uint64_t)st.st_size, &s) == 0 &&
                     s.cipher != JOURNAL_PLAIN;
    if (fd >= 0)
        close(fd);
    return !encrypted || (journal_key_load(key_dir, s.day, false, &key) == 0 && key.id == s.key_id);
}

int journal_unreadable(const char *path, const char *key_dir,
                       void (*fn)(uint32_t day, uint64_t segments, void *ctx), void *ctx)
{
    uint32_t day = 0, number = 0, counted = 0;
    uint64_t segments = 0;
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
    if (dir < 0)
        return -errno;
    for (; (rc = journal_segment_find(dir, &day, &number)) > 0; number++) {
        if (day != counted && segments > 0)
            fn(counted, segments, ctx);
        if (day != counted)
            segments = 0;
        counted = day;
        segments += !can_be_read(dir, key_dir, day, number);
    }
    if (segments > 0)
        fn(counted, segments, ctx);
    close(dir);
    return rc;
}
