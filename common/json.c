// Canonical JSON: jansson writes, this file decides the one form. Keys sorted, no blanks, a whole
// number without a point, any other with at most 15 significant digits (what a double holds of any
// decimal), so that a number survives being read and written again.
#include "common/json.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CANONICAL_FLAGS (JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))
#define WHOLE_MAX       1e15 // whole doubles below are exact integers

static bool is_whole(double v)
{
    return v > -WHOLE_MAX && v < WHOLE_MAX && v == trunc(v);
}

json_t *json_number(double v, int digits)
{
    if (!isfinite(v))
        return json_null();
    // Through text, which rounds the decimal and not a product that was itself rounded.
    char text[400];
    snprintf(text, sizeof text, "%.*f", digits < 0 ? 0 : digits > 15 ? 15 : digits, v);
    double rounded = strtod(text, NULL);
    return is_whole(rounded) ? json_integer((json_int_t)rounded) : json_real(rounded);
}

// True when the real `value` is whole as it would be written; then `*out` is the integer. What is
// written is rounded to 15 digits: 999999999999998.9 is one of them.
static bool as_integer(const json_t *value, json_int_t *out)
{
    char text[32];
    if (!json_is_real(value))
        return false;
    snprintf(text, sizeof text, "%.15g", json_real_value(value));
    double v = strtod(text, NULL);
    if (is_whole(v))
        *out = (json_int_t)v;
    return is_whole(v);
}

static bool has_whole_real(const json_t *value)
{
    size_t i;
    const char *key;
    json_t *item;
    json_int_t whole;
    if (json_is_real(value))
        return as_integer(value, &whole);
    json_array_foreach (value, i, item) {
        if (has_whole_real(item))
            return true;
    }
    json_object_foreach ((json_t *)value, key, item) {
        if (has_whole_real(item))
            return true;
    }
    return false;
}

// Replaces, inside the copy `value`, whole reals by integers. -1: out of memory.
static int normalise(json_t *value)
{
    size_t i;
    const char *key;
    json_t *item;
    json_int_t whole;
    json_array_foreach (value, i, item) {
        int rc = as_integer(item, &whole) ? json_array_set_new(value, i, json_integer(whole))
                                          : normalise(item);
        if (rc != 0)
            return -1;
    }
    json_object_foreach (value, key, item) {
        // The key exists: only its value is exchanged, the iteration stays valid.
        int rc = as_integer(item, &whole)
                     ? json_object_set_new_nocheck(value, key, json_integer(whole))
                     : normalise(item);
        if (rc != 0)
            return -1;
    }
    return 0;
}

char *json_canonical(const json_t *value)
{
    json_int_t n;
    if (as_integer(value, &n)) {
        json_t *whole = json_integer(n);
        char *text = whole ? json_dumps(whole, CANONICAL_FLAGS) : NULL;
        json_decref(whole);
        return text;
    }
    if (!has_whole_real(value))
        return json_dumps(value, CANONICAL_FLAGS);
    json_t *copy = json_deep_copy(value);
    char *text = copy && normalise(copy) == 0 ? json_dumps(copy, CANONICAL_FLAGS) : NULL;
    json_decref(copy);
    return text;
}

int json_write_line(FILE *out, const json_t *value)
{
    char *text = json_canonical(value);
    if (!text)
        return -EIO;
    bool written = fputs(text, out) != EOF && putc('\n', out) != EOF;
    free(text);
    return written ? 0 : -EIO;
}

struct line {
    char *text;
    size_t len, cap;
    bool too_long;
};

static int line_put(struct line *line, size_t max, char c)
{
    if (line->too_long || line->len == max) {
        line->too_long = true;
        return 0;
    }
    if (line->len == line->cap) {
        size_t cap = line->cap ? line->cap * 2 : 512;
        char *text = realloc(line->text, cap);
        if (!text)
            return -ENOMEM;
        line->text = text;
        line->cap = cap;
    }
    line->text[line->len++] = c;
    return 0;
}

// 1: a line (perhaps without newline at the end of the file), 0: end of file, else negative errno.
static int line_read(FILE *in, size_t max, struct line *line)
{
    int c, rc = 0;
    bool any = false;
    while ((c = getc_unlocked(in)) != EOF) {
        any = true;
        if (c == '\n')
            break;
        // Without memory the rest of the line is still read, so that the next call starts at one.
        if (rc == 0)
            rc = line_put(line, max, (char)c);
    }
    if (rc != 0)
        return rc;
    if (c == EOF && ferror(in))
        return -EIO;
    return any;
}

int json_read_line(FILE *in, size_t max, json_t **out, char error[static 160])
{
    struct line line = {0};
    int rc = line_read(in, max, &line);
    if (rc < 0) {
        snprintf(error, 160, "cannot read: %s", strerror(-rc));
    } else if (rc == 1 && line.too_long) {
        snprintf(error, 160, "line is longer than %zu octets", max);
        rc = -EINVAL;
    } else if (rc == 1) {
        json_error_t why;
        json_t *value = json_loadb(line.text ? line.text : "", line.len,
                                   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
        if (value) {
            *out = value;
        } else {
            snprintf(error, 160, "column %d: %.120s", why.column, why.text);
            rc = -EINVAL;
        }
    }
    free(line.text);
    return rc;
}
