// Members of a JSON object, read by type and range. See json_field.h.
#include "common/json_field.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/timefmt.h"
#include "common/utf8.h"

#define TEXT_MAX 1024

struct json_fields json_fields_of(const json_t *object, char error[static 160])
{
    struct json_fields f = {.object = object, .error = error};
    error[0] = '\0';
    if (!json_is_object(object))
        json_fields_fail(&f, "(line)", "is no JSON object");
    return f;
}

void json_fields_fail(struct json_fields *f, const char *key, const char *what)
{
    if (f->failed)
        return;
    f->failed = true;
    snprintf(f->error, 160, "%.60s: %.90s", key, what);
}

static const json_t *member(struct json_fields *f, const char *key)
{
    if (f->failed)
        return NULL;
    const json_t *v = json_object_get(f->object, key);
    if (!v)
        json_fields_fail(f, key, "is missing");
    return v;
}

void json_get_text(struct json_fields *f, const char *key, char *out, size_t size)
{
    const json_t *v = member(f, key);
    if (!v)
        return;
    if (!json_is_string(v)) {
        json_fields_fail(f, key, "is no text");
        return;
    }
    size_t len = json_string_length(v);
    const char *text = json_string_value(v);
    if (len >= size) {
        json_fields_fail(f, key, "is too long");
        return;
    }
    if (memchr(text, '\0', len)) {
        json_fields_fail(f, key, "holds a NUL character");
        return;
    }
    memset(out, 0, size);
    memcpy(out, text, len);
}

int64_t json_get_int(struct json_fields *f, const char *key, int64_t min, int64_t max)
{
    const json_t *v = member(f, key);
    if (!v)
        return 0;
    if (!json_is_integer(v)) {
        json_fields_fail(f, key, "is no whole number");
        return 0;
    }
    int64_t n = json_integer_value(v);
    if (n < min || n > max) {
        json_fields_fail(f, key, "is out of range");
        return 0;
    }
    return n;
}

double json_get_real(struct json_fields *f, const char *key, double min, double max)
{
    const json_t *v = member(f, key);
    if (!v)
        return 0;
    if (!json_is_number(v)) {
        json_fields_fail(f, key, "is no number");
        return 0;
    }
    double n = json_number_value(v);
    if (!(n >= min && n <= max)) {
        json_fields_fail(f, key, "is out of range");
        return 0;
    }
    return n;
}

bool json_get_bool(struct json_fields *f, const char *key)
{
    const json_t *v = member(f, key);
    if (!v)
        return false;
    if (!json_is_boolean(v))
        json_fields_fail(f, key, "is neither true nor false");
    return json_is_true(v);
}

int64_t json_get_time(struct json_fields *f, const char *key)
{
    const json_t *v = member(f, key);
    int64_t t_ms = 0;
    if (!v || json_is_null(v))
        return 0;
    if (!json_is_string(v) || time_parse(json_string_value(v), &t_ms) != 0) {
        json_fields_fail(f, key, "is no RFC 3339 time");
        return 0;
    }
    return t_ms;
}

uint8_t json_get_name(struct json_fields *f, const char *key, const char *(*name)(unsigned),
                      unsigned count)
{
    const json_t *v = member(f, key);
    if (!v)
        return 0;
    const char *text = json_string_value(v);
    for (unsigned i = 0; text && i < count; i++) {
        const char *n = name(i);
        if (n && strcmp(n, text) == 0)
            return (uint8_t)i;
    }
    json_fields_fail(f, key, "is none of the known names");
    return 0;
}

uint32_t json_get_bits(struct json_fields *f, const char *key, const char *(*name)(uint32_t))
{
    const json_t *list = json_get_array(f, key, 32);
    uint32_t bits = 0;
    size_t i;
    const json_t *item;
    json_array_foreach ((json_t *)list, i, item) {
        const char *text = json_string_value(item);
        uint32_t found = 0;
        for (uint32_t bit = 1; text && bit; bit <<= 1) {
            const char *n = name(bit);
            if (n && strcmp(n, text) == 0)
                found = bit;
        }
        if (!found) {
            json_fields_fail(f, key, "holds an unknown name");
            return 0;
        }
        bits |= found;
    }
    return bits;
}

const json_t *json_get_array(struct json_fields *f, const char *key, size_t max)
{
    const json_t *v = member(f, key);
    if (!v)
        return NULL;
    if (!json_is_array(v)) {
        json_fields_fail(f, key, "is no list");
        return NULL;
    }
    if (json_array_size(v) > max) {
        json_fields_fail(f, key, "holds too many entries");
        return NULL;
    }
    return v;
}

bool json_put(json_t *object, const char *key, json_t *value)
{
    return value && json_object_set_new(object, key, value) == 0;
}

// Names come from leases and files of others: what is no UTF-8 becomes "?" instead of no line at all.
bool json_put_text(json_t *object, const char *key, const char *value)
{
    char clean[TEXT_MAX];
    size_t n = 0;
    for (const char *at = value; *at;) {
        size_t len = utf8_character(at);
        size_t step = len ? len : 1;
        if (n + step >= sizeof clean)
            break;
        if (len)
            memcpy(clean + n, at, len);
        else
            clean[n] = '?';
        n += step;
        at += step;
    }
    clean[n] = '\0';
    return json_put(object, key, json_string(clean));
}

bool json_put_int(json_t *object, const char *key, int64_t value)
{
    return json_put(object, key, json_integer(value));
}

bool json_put_time(json_t *object, const char *key, int64_t t_ms)
{
    char text[TIME_TEXT_MAX];
    return json_put(object, key, t_ms ? json_string(time_format(t_ms, text)) : json_null());
}

bool json_put_bits(json_t *object, const char *key, uint32_t bits, const char *(*name)(uint32_t))
{
    json_t *list = json_array();
    if (!list)
        return false;
    for (uint32_t bit = 1; bit; bit <<= 1) {
        const char *n = bits & bit ? name(bit) : NULL;
        if (n && json_array_append_new(list, json_string(n)) != 0) {
            json_decref(list);
            return false;
        }
    }
    return json_put(object, key, list);
}
