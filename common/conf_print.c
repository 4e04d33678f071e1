// The effective configuration as YAML that loads back to the same values. Values absent because they
// are optional are left out, or stand as a comment in the reference with comments.
#include "common/conf.h"

#include <errno.h>

#include "common/conf_value.h"

struct printer {
    FILE *out;
    bool comments;
};

static void print_keys(const struct printer *p, const struct conf_key *keys, const void *base,
                       int indent, bool in_list);

static const void *field_of(const struct conf_key *key, const void *base)
{
    return (const char *)base + key->offset;
}

static bool is_zero(const struct conf_key *key, const void *field)
{
    const unsigned char *octet = field;
    for (size_t i = 0; i < conf_field_size(key); i++) {
        if (octet[i] != 0)
            return false;
    }
    return true;
}

// An optional value that was not given; absent it loads as the same nothing.
static bool is_absent(const struct conf_key *key, const void *field)
{
    if (key->type == CONF_SECTION)
        return false;
    if (key->type == CONF_STRING || key->type == CONF_PATH)
        return *(char *const *)field == NULL;
    return key->optional && !key->def && is_zero(key, field);
}

static bool all_absent(const struct conf_key *keys, const void *base)
{
    for (const struct conf_key *key = keys; key->name; key++) {
        if (!is_absent(key, field_of(key, base)))
            return false;
    }
    return true;
}

static void print_prefixes(const struct printer *p, const struct conf_prefixes *list, int indent)
{
    char text[PREFIX_TEXT_MAX];
    for (size_t i = 0; i < list->count; i++) {
        fprintf(p->out, "%*s- ", indent, "");
        conf_text_print(prefix_format(&list->item[i], text), p->out);
        putc('\n', p->out);
    }
}

static void print_strings(const struct printer *p, const struct conf_strings *list, int indent)
{
    for (size_t i = 0; i < list->count; i++) {
        fprintf(p->out, "%*s- ", indent, "");
        conf_text_print(list->item[i], p->out);
        putc('\n', p->out);
    }
}

static void print_list(const struct printer *p, const struct conf_key *key,
                       const struct conf_list *list, int indent)
{
    for (size_t i = 0; i < list->count; i++) {
        const void *element = (const char *)list->item + i * key->sub_size;
        fprintf(p->out, "%*s- ", indent, "");
        if (all_absent(key->sub, element))
            fputs("{}\n", p->out);
        else
            print_keys(p, key->sub, element, indent + 2, true);
    }
}

static size_t list_count(const struct conf_key *key, const void *field)
{
    switch (key->type) {
    case CONF_PREFIX_LIST: return ((const struct conf_prefixes *)field)->count;
    case CONF_STRING_LIST: return ((const struct conf_strings *)field)->count;
    default: return ((const struct conf_list *)field)->count;
    }
}

// What stands behind "key:", with the newline.
static void print_value(const struct printer *p, const struct conf_key *key, const void *field,
                        int indent)
{
    if (conf_is_scalar(key->type)) {
        putc(' ', p->out);
        conf_value_print(key, field, p->out);
        putc('\n', p->out);
    } else if (key->type == CONF_SECTION) {
        bool empty = all_absent(key->sub, field) && !p->comments;
        fputs(empty ? " {}\n" : "\n", p->out);
        if (!empty)
            print_keys(p, key->sub, field, indent + 2, false);
    } else if (list_count(key, field) == 0) {
        fputs(" []\n", p->out);
    } else {
        putc('\n', p->out);
        if (key->type == CONF_PREFIX_LIST)
            print_prefixes(p, field, indent + 2);
        else if (key->type == CONF_STRING_LIST)
            print_strings(p, field, indent + 2);
        else
            print_list(p, key, field, indent + 2);
    }
}

static void print_comment(const struct printer *p, const struct conf_key *key, int indent)
{
    fprintf(p->out, "%*s# %s\n", indent, "", key->help);
    if (key->type != CONF_SECTION) {
        fprintf(p->out, "%*s# (", indent, "");
        conf_describe(key, p->out);
        fputs(")\n", p->out);
    }
    if (key->type != CONF_LIST)
        return;
    fprintf(p->out, "%*s# Each element:\n", indent, "");
    for (const struct conf_key *sub = key->sub; sub->name; sub++) {
        fprintf(p->out, "%*s#   %s: %s (", indent, "", sub->name, sub->help);
        conf_describe(sub, p->out);
        fputs(")\n", p->out);
    }
}

// `in_list`: the first key stands behind the "- " of its element; elements carry no comments.
static void print_keys(const struct printer *p, const struct conf_key *keys, const void *base,
                       int indent, bool in_list)
{
    struct printer own = {.out = p->out, .comments = p->comments && !in_list};
    bool behind_dash = in_list;
    for (const struct conf_key *key = keys; key->name; key++) {
        const void *field = field_of(key, base);
        if (own.comments)
            print_comment(&own, key, indent);
        if (is_absent(key, field)) {
            if (own.comments)
                fprintf(own.out, "%*s# %s:\n", indent, "", key->name);
            continue;
        }
        fprintf(own.out, "%*s%s:", behind_dash ? 0 : indent, "", key->name);
        behind_dash = false;
        print_value(&own, key, field, indent);
    }
}

int conf_print(const struct conf_section *sections, size_t count, bool comments, FILE *out)
{
    const struct printer p = {.out = out, .comments = comments};
    for (size_t i = 0; i < count; i++) {
        bool empty = all_absent(sections[i].keys, sections[i].out) && !comments;
        fprintf(out, "%s:%s\n", sections[i].name, empty ? " {}" : "");
        if (!empty)
            print_keys(&p, sections[i].keys, sections[i].out, 2, false);
    }
    return ferror(out) ? -EIO : 0;
}
