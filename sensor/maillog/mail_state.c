// See mail_state.h.
#include "maillog/mail_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/json.h"

struct mail_state {
    json_t *doc;
};

static bool is_state(const json_t *doc)
{
    return json_integer_value(json_object_get(doc, "v")) == 1 &&
           json_is_object(json_object_get(doc, "files"));
}

int mail_state_load(const char *path, struct mail_state **out)
{
    json_error_t error;
    struct mail_state *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    int rc = 0;
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        s->doc = json_pack("{s:i, s:{}}", "v", 1, "files");
        rc = s->doc ? 0 : -ENOMEM;
    } else {
        s->doc = json_load_file(path, 0, &error);
        rc = is_state(s->doc) ? 0 : access(path, R_OK) != 0 ? -errno : -EINVAL;
    }
    if (rc < 0) {
        mail_state_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void mail_state_free(struct mail_state *s)
{
    if (!s)
        return;
    json_decref(s->doc);
    free(s);
}

static uint64_t number(const json_t *o, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(o, key));
    return v > 0 ? (uint64_t)v : 0;
}

bool mail_state_get(const struct mail_state *s, const char *file, struct mail_position *out)
{
    const json_t *o = json_object_get(json_object_get(s->doc, "files"), file);
    const char *check = json_string_value(json_object_get(o, "check"));
    if (!json_is_object(o) || !check)
        return false;
    *out = (struct mail_position){.device = number(o, "device"),
                                  .inode = number(o, "inode"),
                                  .offset = number(o, "offset"),
                                  .check = strtoull(check, NULL, 16),
                                  .check_len = (uint32_t)number(o, "check_len")};
    return out->inode > 0;
}

int mail_state_put(struct mail_state *s, const char *file, const struct mail_position *p)
{
    char check[17];
    snprintf(check, sizeof check, "%016" PRIx64, p->check);
    json_t *o = json_pack("{s:I, s:I, s:I, s:s, s:I}", "device", (json_int_t)p->device, "inode",
                          (json_int_t)p->inode, "offset", (json_int_t)p->offset, "check", check,
                          "check_len", (json_int_t)p->check_len);
    return o && json_object_set_new(json_object_get(s->doc, "files"), file, o) == 0 ? 0 : -ENOMEM;
}

const char *mail_state_cursor(const struct mail_state *s)
{
    const char *cursor = json_string_value(json_object_get(s->doc, "journal"));
    return cursor ? cursor : "";
}

int64_t mail_state_cursor_ms(const struct mail_state *s)
{
    return (int64_t)number(s->doc, "journal_ms");
}

int mail_state_put_cursor(struct mail_state *s, const char *cursor, int64_t t_ms)
{
    bool put = json_object_set_new(s->doc, "journal", json_string(cursor)) == 0 &&
               json_object_set_new(s->doc, "journal_ms", json_integer(t_ms)) == 0;
    return put ? 0 : -ENOMEM;
}

bool mail_state_ended(const struct mail_state *s)
{
    return json_is_true(json_object_get(s->doc, "ended"));
}

int mail_state_put_ended(struct mail_state *s, bool ended)
{
    return json_object_set_new(s->doc, "ended", json_boolean(ended)) == 0 ? 0 : -ENOMEM;
}

int mail_state_write(const struct mail_state *s, const char *path)
{
    char temporary[4096];
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return -ENAMETOOLONG;
    FILE *out = fopen(temporary, "we");
    if (!out)
        return -errno;
    int rc = json_write_line(out, s->doc);
    if (rc == 0 && (fflush(out) != 0 || fdatasync(fileno(out)) != 0))
        rc = -errno;
    if (fclose(out) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(temporary, path) != 0)
        rc = -errno;
    if (rc != 0)
        unlink(temporary);
    return rc;
}
