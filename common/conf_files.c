// Opens what a configuration names, for --check: a missing key file is to be found at the desk and not at the next
// start by night. Nothing is written, made or kept.
#include "common/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf_value.h"
#include "common/keyed_hash.h"
#include "common/network_file.h"

#define PATH_OCTETS 200 // of a key's name, with its sections

// Reads one octet: a file that opens may still be a folder, or on a disk that does not answer.
static int open_file(const char *path)
{
    char c;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int rc = read(fd, &c, 1) < 0 && errno != EAGAIN ? -errno : 0;
    close(fd);
    return rc;
}

// It is there, or its parent is, so that it can be made.
static int open_folder(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0)
        return !S_ISDIR(st.st_mode) ? -ENOTDIR : access(path, R_OK | X_OK) == 0 ? 0 : -errno;
    const char *slash = strrchr(path, '/');
    if (errno != ENOENT || !slash)
        return -errno;
    char *parent = strndup(path, slash > path ? (size_t)(slash - path) : 1);
    int rc = !parent ? -ENOMEM : access(parent, X_OK) == 0 ? 0 : -errno;
    free(parent);
    return rc;
}

static int open_own_folder(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    return access(path, R_OK | W_OK | X_OK) == 0 ? 0 : -errno;
}

static const char *fix_of(enum conf_opens opens, int rc)
{
    if (opens == CONF_OPENS_KEY && rc == -EINVAL)
        return "is no key file: it is one line, ID HEX64 with an ID from 1 to 254";
    if (opens == CONF_OPENS_KEY && rc == -EPERM)
        return "others may read it, or its group may write it; chmod 640";
    if (opens == CONF_OPENS_OWN_FOLDER && rc == -ENOENT)
        return "there is no such folder; make it (mkdir -m 700) for the user of the program, or "
               "correct the path";
    if (opens == CONF_OPENS_OWN_FOLDER && rc == -EACCES)
        return "permission denied; let the user of the program read and write it";
    if (rc == -EACCES)
        return "permission denied; let the user of the program read it";
    if (rc == -ENOENT)
        return "there is no such file; make it, or correct the path";
    return strerror(-rc);
}

// Where errors go, and the file that they are in.
struct report {
    const char *file;
    FILE *errors;
};

static int check_path(const struct conf_key *key, const char *name, const char *path,
                      const struct report *report)
{
    char place[CONF_PLACE_MAX];
    struct keyed_hash_key secret;
    struct network_file *networks = NULL;
    int rc = 0;
    switch (key->opens) {
    case CONF_OPENS_NOTHING: return 0;
    case CONF_OPENS_FILE: rc = open_file(path); break;
    case CONF_OPENS_FOLDER: rc = open_folder(path); break;
    case CONF_OPENS_OWN_FOLDER: rc = open_own_folder(path); break;
    case CONF_OPENS_KEY:
        rc = keyed_hash_key_load(path, &secret);
        explicit_bzero(&secret, sizeof secret);
        break;
    case CONF_OPENS_NETWORKS:
        rc = open_file(path);
        if (rc == 0 && network_file_load(path, report->errors, &networks) != 0)
            return -EINVAL; // it has said where
        network_file_free(networks);
        break;
    }
    if (rc == 0)
        return 0;
    conf_place(report->file, name, place);
    fprintf(report->errors, "%s%s: %s: %s\n", place, name, path, fix_of(key->opens, rc));
    return rc;
}

static int check_keys(const struct conf_key *keys, void *base, const char *name,
                      const struct report *report)
{
    int worst = 0;
    for (const struct conf_key *key = keys; key->name; key++) {
        char full[PATH_OCTETS];
        void *field = conf_field(key, base);
        int rc = 0;
        if (key->type == CONF_PATH) {
            char *path;
            memcpy(&path, field, sizeof path);
            snprintf(full, sizeof full, "%s.%s", name, key->name);
            rc = path ? check_path(key, full, path, report) : 0;
        } else if (key->type == CONF_SECTION) {
            snprintf(full, sizeof full, "%s.%s", name, key->name);
            rc = check_keys(key->sub, field, full, report);
        } else if (key->type == CONF_LIST) {
            struct conf_list list;
            memcpy(&list, field, sizeof list);
            for (size_t i = 0; i < list.count; i++) {
                snprintf(full, sizeof full, "%s.%s[%zu]", name, key->name, i);
                int one = check_keys(key->sub, (char *)list.item + i * key->sub_size, full, report);
                rc = one != 0 ? one : rc;
            }
        }
        worst = rc != 0 ? rc : worst;
    }
    return worst;
}

int conf_check_files(const char *path, const struct conf_section *sections, size_t count,
                     FILE *errors)
{
    const struct report report = {.file = path, .errors = errors};
    int worst = 0;
    for (size_t i = 0; i < count; i++) {
        int rc = check_keys(sections[i].keys, sections[i].out, sections[i].name, &report);
        worst = rc != 0 ? rc : worst;
    }
    return worst != 0 ? -EINVAL : 0;
}
