// Configuration: the file and its sections; conf_load.c reads the YAML, conf_value.c its scalars,
// conf_print.c writes it.
#include "common/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf_value.h"
#include "common/keyed_hash.h"

// Larger is no configuration; address lists of that size have files of their own.
#define FILE_MAX ((size_t)16 << 20)

const char *const conf_section_names[] = {"site",     "sensor",  "collector", "series",
                                          "analysis", "feed",    "web",       "garden",
                                          "enforce",  "postern", NULL};

static void free_field(const struct conf_key *key, void *field)
{
    switch (key->type) {
    case CONF_STRING:
    case CONF_PATH: free(*(char **)field); break;
    case CONF_PREFIX_LIST: free(((struct conf_prefixes *)field)->item); break;
    case CONF_STRING_LIST: {
        struct conf_strings *list = field;
        for (size_t i = 0; i < list->count; i++)
            free(list->item[i]);
        free(list->item);
        break;
    }
    case CONF_LIST: {
        struct conf_list *list = field;
        for (size_t i = 0; i < list->count; i++)
            conf_free(key->sub, (char *)list->item + i * key->sub_size);
        free(list->item);
        break;
    }
    case CONF_SECTION: conf_free(key->sub, field); return;
    case CONF_BOOL:
    case CONF_INT:
    case CONF_REAL:
    case CONF_DURATION:
    case CONF_SIZE:
    case CONF_ENUM: break;
    }
    memset(field, 0, conf_field_size(key));
}

void conf_free(const struct conf_key *keys, void *out)
{
    for (const struct conf_key *key = keys; key->name; key++)
        free_field(key, conf_field(key, out));
}

// The whole file, at most FILE_MAX octets, in memory the caller frees.
static int read_file(const char *path, char **text, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t cap = 0, used = 0;
    char *data = NULL;
    int rc = 0;
    for (;;) {
        if (used == cap) {
            cap = cap ? cap * 2 : 16384;
            char *more = cap <= 2 * FILE_MAX ? realloc(data, cap) : NULL;
            rc = cap > 2 * FILE_MAX ? -EFBIG : !more ? -ENOMEM : 0;
            if (rc != 0)
                break;
            data = more;
        }
        ssize_t n = read(fd, data + used, cap - used);
        if (n < 0 && errno == EINTR)
            continue;
        rc = n < 0 ? -errno : 0;
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    close(fd);
    if (rc == 0 && used > FILE_MAX)
        rc = -EFBIG;
    if (rc != 0) {
        free(data);
        return rc;
    }
    *text = data;
    *len = used;
    return 0;
}

int conf_load(const char *path, const struct conf_section *sections, size_t count, FILE *errors)
{
    if (!path)
        return conf_load_text("(defaults)", NULL, "", 0, sections, count, errors);
    char *text = NULL;
    size_t len = 0;
    int rc = read_file(path, &text, &len);
    if (rc != 0) {
        for (size_t i = 0; i < count; i++)
            conf_zero(sections[i].keys, sections[i].out);
        if (errors)
            fprintf(errors, "%s: cannot be read: %s; name a readable file with --config\n", path,
                    strerror(-rc));
        return rc;
    }
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash > path ? (size_t)(slash - path) : 1) : strdup(".");
    rc = folder ? conf_load_text(path, folder, text, len, sections, count, errors) : -ENOMEM;
    free(folder);
    free(text);
    return rc;
}

void conf_zero(const struct conf_key *keys, void *out)
{
    for (const struct conf_key *key = keys; key->name; key++) {
        if (key->type == CONF_SECTION)
            conf_zero(key->sub, conf_field(key, out));
        else
            memset(conf_field(key, out), 0, conf_field_size(key));
    }
}

void conf_hash(const struct conf_section *sections, size_t count, char out[static 33])
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    // Without memory for a page of text at start-up there is no going on; a false hash would be worse.
    if (!f || conf_print(sections, count, false, f) != 0 || fclose(f) != 0)
        abort();
    hash_text(span_of(text, len), out);
    free(text);
}
