// A YAML document beside its table: every key found, read by its type, or said to be wrong with its
// place and the fix; then defaults for what was not given. Goes on after each error. The depth is
// that of the table, so the document cannot choose it.
#include "common/conf_walk.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "common/conf_value.h"

#define KEYS_MAX 128 // keys of one table

static void print_where(const struct conf_where *at, FILE *out)
{
    if (at->up)
        print_where(at->up, out);
    if (at->name)
        fprintf(out, "%s%s", at->up ? "." : "", at->name);
    else
        fprintf(out, "[%zu]", at->index + 1);
}

void conf_report(struct conf_walk *w, yaml_mark_t mark, const struct conf_where *at,
                 const char *fmt, ...)
{
    w->error_count++;
    if (!w->errors || w->error_count > CONF_REPORTS_MAX)
        return;
    fprintf(w->errors, "%s:%zu:%zu: ", w->name, mark.line + 1, mark.column + 1);
    if (at) {
        print_where(at, w->errors);
        fputs(": ", w->errors);
    }
    va_list ap;
    va_start(ap, fmt);
    vfprintf(w->errors, fmt, ap);
    va_end(ap);
    putc('\n', w->errors);
}

static const yaml_node_t *node_of(const struct conf_walk *w, int id)
{
    return yaml_document_get_node(w->doc, id);
}

// `key:` with nothing behind it.
bool conf_is_nothing(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0 &&
           node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

// The text of a scalar node, or NULL after an error.
static const char *scalar_text(struct conf_walk *w, const yaml_node_t *node,
                               const struct conf_where *at, const char *type)
{
    if (node->type != YAML_SCALAR_NODE) {
        conf_report(w, node->start_mark, at, "is a %s; write a single value (%s)",
                    node->type == YAML_SEQUENCE_NODE ? "list" : "section", type);
        return NULL;
    }
    if (conf_is_nothing(node)) {
        conf_report(w, node->start_mark, at, "has no value; write one, or remove the line");
        return NULL;
    }
    const char *text = (const char *)node->data.scalar.value;
    if (strlen(text) != node->data.scalar.length) {
        conf_report(w, node->start_mark, at, "holds a NUL character; remove it");
        return NULL;
    }
    return text;
}

static void load_scalar(struct conf_walk *w, const yaml_node_t *node, const struct conf_key *key,
                        void *field, const struct conf_where *at)
{
    char error[CONF_ERROR_MAX];
    const char *text = scalar_text(w, node, at, conf_type_name(key->type));
    if (!text)
        return;
    int rc = conf_value_parse(key, w->folder, text, field, error);
    if (rc == -ENOMEM)
        w->no_memory = true;
    else if (rc != 0)
        conf_report(w, node->start_mark, at, "%s", error);
}

// Number of elements of a sequence node, or -1 after an error.
static ssize_t sequence_count(struct conf_walk *w, const yaml_node_t *node,
                              const struct conf_key *key, const struct conf_where *at)
{
    char limits[CONF_ERROR_MAX];
    if (node->type != YAML_SEQUENCE_NODE) {
        conf_report(w, node->start_mark, at, "is no list; write a %s as [a, b], or [] for none",
                    conf_type_name(key->type));
        return -1;
    }
    ssize_t count = node->data.sequence.items.top - node->data.sequence.items.start;
    if (!conf_within(key, (double)count)) {
        conf_limits(key, limits);
        conf_report(w, node->start_mark, at, "has %zd elements; use a list %s", count, limits);
        return -1;
    }
    return count;
}

static void load_prefixes(struct conf_walk *w, const yaml_node_t *node, size_t count,
                          struct conf_prefixes *out, const struct conf_where *at)
{
    char error[CONF_ERROR_MAX];
    out->item = calloc(count, sizeof *out->item);
    if (!out->item) {
        w->no_memory = true;
        return;
    }
    out->count = count;
    for (size_t i = 0; i < count; i++) {
        struct conf_where element = {.up = at, .index = i};
        const yaml_node_t *item = node_of(w, node->data.sequence.items.start[i]);
        const char *text = scalar_text(w, item, &element, "prefix");
        if (text && conf_prefix_parse(text, &out->item[i], error) != 0)
            conf_report(w, item->start_mark, &element, "%s", error);
    }
}

static void load_strings(struct conf_walk *w, const yaml_node_t *node, size_t count,
                         struct conf_strings *out, const struct conf_where *at)
{
    out->item = calloc(count, sizeof *out->item);
    if (!out->item) {
        w->no_memory = true;
        return;
    }
    out->count = count;
    for (size_t i = 0; i < count; i++) {
        struct conf_where element = {.up = at, .index = i};
        const char *text = scalar_text(w, node_of(w, node->data.sequence.items.start[i]), &element,
                                       "text");
        if (text && !(out->item[i] = strdup(text)))
            w->no_memory = true;
    }
}

static void load_list(struct conf_walk *w, const yaml_node_t *node, size_t count,
                      const struct conf_key *key, struct conf_list *out,
                      const struct conf_where *at)
{
    out->item = calloc(count, key->sub_size);
    if (!out->item) {
        w->no_memory = true;
        return;
    }
    out->count = count;
    for (size_t i = 0; i < count; i++) {
        struct conf_where element = {.up = at, .index = i};
        const yaml_node_t *item = node_of(w, node->data.sequence.items.start[i]);
        conf_walk_keys(w, item, key->sub, (char *)out->item + i * key->sub_size, &element,
                       item->start_mark);
    }
}

static void load_value(struct conf_walk *w, const yaml_node_t *node, const struct conf_key *key,
                       void *field, const struct conf_where *at)
{
    if (conf_is_scalar(key->type)) {
        load_scalar(w, node, key, field, at);
        return;
    }
    if (key->type == CONF_SECTION) {
        conf_walk_keys(w, node, key->sub, field, at, node->start_mark);
        return;
    }
    ssize_t count = sequence_count(w, node, key, at);
    if (count <= 0)
        return;
    if (key->type == CONF_PREFIX_LIST)
        load_prefixes(w, node, (size_t)count, field, at);
    else if (key->type == CONF_STRING_LIST)
        load_strings(w, node, (size_t)count, field, at);
    else
        load_list(w, node, (size_t)count, key, field, at);
}

// A list's default, YAML text as it would stand in the file.
static void load_default_list(struct conf_walk *w, const struct conf_key *key, void *field,
                              const struct conf_where *at)
{
    yaml_parser_t parser;
    yaml_document_t doc;
    if (!yaml_parser_initialize(&parser)) {
        w->no_memory = true;
        return;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)key->def, strlen(key->def));
    if (yaml_parser_load(&parser, &doc)) {
        struct conf_walk own = {
            .name = w->name, .folder = w->folder, .doc = &doc, .errors = w->errors};
        const yaml_node_t *root = yaml_document_get_root_node(&doc);
        if (root)
            load_value(&own, root, key, field, at);
        w->error_count += own.error_count;
        w->no_memory |= own.no_memory;
        assert(own.error_count == 0 && "the table's default is wrong");
        yaml_document_delete(&doc);
    } else {
        conf_report(w, (yaml_mark_t){0}, at, "the built-in default is no YAML");
        assert(false && "the table's default is wrong");
    }
    yaml_parser_delete(&parser);
}

static void load_absent(struct conf_walk *w, const struct conf_key *key, void *field,
                        const struct conf_where *at, yaml_mark_t mark)
{
    char error[CONF_ERROR_MAX];
    if (key->type == CONF_SECTION) {
        conf_walk_keys(w, NULL, key->sub, field, at, mark);
    } else if (!key->def) {
        if (!key->optional)
            conf_report(w, mark, at, "is missing; add \"%s: ...\" (%s)", key->name, key->help);
    } else if (conf_is_scalar(key->type)) {
        int rc = conf_value_parse(key, w->folder, key->def, field, error);
        if (rc == -EINVAL)
            conf_report(w, mark, at, "the built-in default is wrong: %s", error);
        assert(rc != -EINVAL && "the table's default is wrong");
        w->no_memory |= rc == -ENOMEM;
    } else {
        load_default_list(w, key, field, at);
    }
}

// A table that is itself wrong is found by the first run of its program. Returns its length.
static size_t check_table(const struct conf_key *keys)
{
    size_t count = 0;
    for (const struct conf_key *key = keys; key->name; key++, count++) {
        assert(key->min <= key->max && key->help);
        assert(key->type != CONF_ENUM || (key->names && key->names[0]));
        assert((key->type != CONF_SECTION && key->type != CONF_LIST) || key->sub);
        assert(key->type != CONF_LIST || key->sub_size > 0);
        assert(key->type != CONF_SECTION || !key->def);
    }
    assert(count <= KEYS_MAX);
    return count;
}

void conf_report_unknown(struct conf_walk *w, yaml_mark_t mark, const struct conf_where *up,
                         const char *what, const char *name, const char *const *names, size_t count)
{
    char all[CONF_ERROR_MAX], shown[80];
    const char *nearest = conf_nearest(name, names, count);
    size_t n = 0;
    all[0] = '\0';
    for (size_t i = 0; i < count && n < sizeof all; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", names[i]);
    conf_quote(name, shown);
    if (nearest)
        conf_report(w, mark, up, "unknown %s %s; did you mean \"%s\"?", what, shown, nearest);
    else
        conf_report(w, mark, up, "unknown %s %s; known are %s%s", what, shown, all,
                    n < sizeof all ? "" : "...");
}

void conf_report_repeated(struct conf_walk *w, yaml_mark_t mark, const struct conf_where *at,
                          yaml_mark_t first)
{
    conf_report(w, mark, at, "is set a second time (first in line %zu); remove one of the two",
                first.line + 1);
}

// The name of a mapping's key, or NULL after an error.
const char *conf_key_name(struct conf_walk *w, const yaml_node_t *node, const struct conf_where *at)
{
    if (node->type == YAML_SCALAR_NODE &&
        strlen((const char *)node->data.scalar.value) == node->data.scalar.length)
        return (const char *)node->data.scalar.value;
    conf_report(w, node->start_mark, at, "a key must be a plain word");
    return NULL;
}

// Index of `name` in the table, or the table's length.
static size_t key_index(const struct conf_key *keys, const char *name)
{
    size_t i = 0;
    while (keys[i].name && strcmp(keys[i].name, name) != 0)
        i++;
    return i;
}

static void load_pair(struct conf_walk *w, const yaml_node_pair_t *pair,
                      const struct conf_key *keys, size_t count, const yaml_node_t **seen,
                      void *base, const struct conf_where *at)
{
    const yaml_node_t *key_node = node_of(w, pair->key);
    const char *name = conf_key_name(w, key_node, at);
    if (!name)
        return;
    size_t i = key_index(keys, name);
    struct conf_where here = {.up = at, .name = name};
    if (i == count) {
        const char *names[KEYS_MAX];
        for (size_t k = 0; k < count; k++)
            names[k] = keys[k].name;
        conf_report_unknown(w, key_node->start_mark, at, "key", name, names, count);
    } else if (seen[i]) {
        conf_report_repeated(w, key_node->start_mark, &here, seen[i]->start_mark);
    } else {
        seen[i] = key_node;
        load_value(w, node_of(w, pair->value), &keys[i], conf_field(&keys[i], base), &here);
    }
}

void conf_walk_keys(struct conf_walk *w, const yaml_node_t *node, const struct conf_key *keys,
                    void *base, const struct conf_where *at, yaml_mark_t mark)
{
    const yaml_node_t *seen[KEYS_MAX] = {0};
    size_t count = check_table(keys);
    if (node && node->type == YAML_MAPPING_NODE) {
        for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
             p < node->data.mapping.pairs.top; p++)
            load_pair(w, p, keys, count, seen, base, at);
    } else if (node && !conf_is_nothing(node)) {
        conf_report(w, node->start_mark, at,
                    "is no section; write its keys below it, as \"%s: ...\"",
                    count ? keys[0].name : "key");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct conf_where here = {.up = at, .name = keys[i].name};
        if (!seen[i])
            load_absent(w, &keys[i], conf_field(&keys[i], base), &here, mark);
    }
}
