// Configuration text to structs. Two passes over the text with libyaml: the events first, because
// anchors, aliases, tags and further documents are refused and only events show them; then the
// document tree with its positions, which conf_walk.c goes through beside the tables. Nothing stops
// at the first error but text that is no YAML at all.
#include "common/conf.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf_value.h"
#include "common/conf_walk.h"

#define SECTIONS_MAX 16
#define DEPTH_MAX    32

// libyaml names no position for octets that are no UTF-8, only their offset.
static yaml_mark_t mark_of_offset(const char *text, size_t len, size_t offset)
{
    yaml_mark_t mark = {.index = offset};
    for (size_t i = 0; i < len && i < offset; i++) {
        mark.column++;
        if (text[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

static void report_yaml(struct conf_walk *w, const yaml_parser_t *parser, const char *text,
                        size_t len)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        w->no_memory = true;
        return;
    }
    yaml_mark_t mark = parser->problem_mark;
    if (parser->error == YAML_READER_ERROR)
        mark = mark_of_offset(text, len, parser->problem_offset);
    conf_report(w, mark, NULL,
                "not valid YAML: %s%s%s; look at indentation, quotes and colons here",
                parser->problem ? parser->problem : "unknown problem", parser->context ? " " : "",
                parser->context ? parser->context : "");
}

static void refuse_tag(struct conf_walk *w, yaml_mark_t mark, const yaml_char_t *tag)
{
    char shown[80];
    if (tag)
        conf_report(w, mark, NULL, "the tag %s is not used here; remove it, the key gives the type",
                    conf_quote((const char *)tag, shown));
}

static void refuse_anchor(struct conf_walk *w, yaml_mark_t mark, const yaml_char_t *anchor)
{
    char shown[80];
    if (anchor)
        conf_report(w, mark, NULL,
                    "the anchor %s is not used here; write the value where it is "
                    "needed",
                    conf_quote((const char *)anchor, shown));
}

struct event_pass {
    size_t documents;
    size_t depth;
    bool stop;     // reading on is no use
    bool walkable; // the tree may be walked: valid YAML, no alias that could make it endless
};

// Lists and sections within each other; libyaml takes time with the square of it.
static void check_depth(struct conf_walk *w, const yaml_event_t *e, struct event_pass *pass)
{
    if (e->type == YAML_SEQUENCE_END_EVENT || e->type == YAML_MAPPING_END_EVENT)
        pass->depth--;
    if (e->type != YAML_SEQUENCE_START_EVENT && e->type != YAML_MAPPING_START_EVENT)
        return;
    if (++pass->depth <= DEPTH_MAX)
        return;
    conf_report(w, e->start_mark, NULL,
                "nested more than %d deep; no section is, look for a \"[\" "
                "or \"{\" too many",
                DEPTH_MAX);
    pass->walkable = false;
    pass->stop = true;
}

static void check_event(struct conf_walk *w, const yaml_event_t *e, struct event_pass *pass)
{
    char shown[80];
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (e->data.document_start.version_directive ||
            e->data.document_start.tag_directives.start !=
                e->data.document_start.tag_directives.end)
            conf_report(w, e->start_mark, NULL, "a %% directive is not used here; remove it");
        if (++pass->documents == 2)
            conf_report(w, e->start_mark, NULL,
                        "a second document begins here; write all sections in the first");
        break;
    case YAML_ALIAS_EVENT:
        conf_report(w, e->start_mark, NULL, "the alias %s is not used here; write the value itself",
                    conf_quote((const char *)e->data.alias.anchor, shown));
        pass->walkable = false;
        break;
    case YAML_SCALAR_EVENT:
        refuse_anchor(w, e->start_mark, e->data.scalar.anchor);
        refuse_tag(w, e->start_mark, e->data.scalar.tag);
        break;
    case YAML_SEQUENCE_START_EVENT:
        refuse_anchor(w, e->start_mark, e->data.sequence_start.anchor);
        refuse_tag(w, e->start_mark, e->data.sequence_start.tag);
        break;
    case YAML_MAPPING_START_EVENT:
        refuse_anchor(w, e->start_mark, e->data.mapping_start.anchor);
        refuse_tag(w, e->start_mark, e->data.mapping_start.tag);
        break;
    default: break;
    }
}

static struct event_pass check_events(struct conf_walk *w, const char *text, size_t len)
{
    struct event_pass pass = {.walkable = true};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        w->no_memory = true;
        return (struct event_pass){0};
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            report_yaml(w, &parser, text, len);
            pass.walkable = false;
            break;
        }
        check_event(w, &event, &pass);
        check_depth(w, &event, &pass);
        more = event.type != YAML_STREAM_END_EVENT && !pass.stop;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return pass;
}

struct top {
    const struct conf_section *sections;
    size_t count;
    bool given[SECTIONS_MAX];
};

static bool is_known(const struct top *top, const char *name)
{
    for (size_t i = 0; conf_section_names[i]; i++) {
        if (strcmp(conf_section_names[i], name) == 0)
            return true;
    }
    for (size_t i = 0; i < top->count; i++) {
        if (strcmp(top->sections[i].name, name) == 0)
            return true;
    }
    return false;
}

static void report_unknown(struct conf_walk *w, yaml_mark_t mark, const char *name)
{
    size_t names = 0;
    while (conf_section_names[names])
        names++;
    conf_report_unknown(w, mark, NULL, "section", name, conf_section_names, names);
}

// Another program's section is passed over.
static void load_section(struct conf_walk *w, struct top *top, const char *name,
                         const yaml_node_t *node)
{
    for (size_t i = 0; i < top->count; i++) {
        const struct conf_section *s = &top->sections[i];
        if (strcmp(s->name, name) != 0)
            continue;
        struct conf_where at = {.name = name};
        top->given[i] = true;
        conf_walk_keys(w, node, s->keys, s->out, &at, node->start_mark);
    }
}

// True when an earlier pair of the mapping has the same name; then it is reported.
static bool is_repeated(struct conf_walk *w, const yaml_node_t *root, const yaml_node_pair_t *pair,
                        const char *name)
{
    const yaml_node_t *key = yaml_document_get_node(w->doc, pair->key);
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; p < pair; p++) {
        const yaml_node_t *other = yaml_document_get_node(w->doc, p->key);
        if (other->type == YAML_SCALAR_NODE &&
            strcmp((const char *)other->data.scalar.value, name) == 0) {
            struct conf_where at = {.name = name};
            conf_report_repeated(w, key->start_mark, &at, other->start_mark);
            return true;
        }
    }
    return false;
}

static void load_root(struct conf_walk *w, struct top *top, const yaml_node_t *root)
{
    if (root && root->type == YAML_MAPPING_NODE) {
        for (const yaml_node_pair_t *p = root->data.mapping.pairs.start;
             p < root->data.mapping.pairs.top; p++) {
            const yaml_node_t *key = yaml_document_get_node(w->doc, p->key);
            const char *name = conf_key_name(w, key, NULL);
            if (name && !is_known(top, name))
                report_unknown(w, key->start_mark, name);
            else if (name && !is_repeated(w, root, p, name))
                load_section(w, top, name, yaml_document_get_node(w->doc, p->value));
        }
    } else if (root && !conf_is_nothing(root)) {
        conf_report(w, root->start_mark, NULL,
                    "the file must consist of sections; begin with \"site:\"");
        return;
    }
    for (size_t i = 0; i < top->count; i++) {
        struct conf_where at = {.name = top->sections[i].name};
        if (!top->given[i])
            conf_walk_keys(w, NULL, top->sections[i].keys, top->sections[i].out, &at,
                           (yaml_mark_t){0});
    }
}

static void load_document(struct conf_walk *w, struct top *top, const char *text, size_t len)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        w->no_memory = true;
        return;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (yaml_parser_load(&parser, w->doc)) {
        load_root(w, top, yaml_document_get_root_node(w->doc));
        yaml_document_delete(w->doc);
    } else {
        report_yaml(w, &parser, text, len);
    }
    yaml_parser_delete(&parser);
}

// `folder` made absolute, so that what is printed loads again from anywhere.
static char *absolute_folder(const char *folder)
{
    char here[PATH_MAX];
    char *out = NULL;
    if (folder && folder[0] == '/')
        return strdup(folder);
    if (!getcwd(here, sizeof here))
        snprintf(here, sizeof here, "/");
    if (!folder || strcmp(folder, ".") == 0)
        return strdup(here);
    return asprintf(&out, "%s/%s", here, folder) < 0 ? NULL : out;
}

int conf_load_text(const char *name, const char *folder, const char *text, size_t len,
                   const struct conf_section *sections, size_t count, FILE *errors)
{
    assert(count <= SECTIONS_MAX);
    for (size_t i = 0; i < count; i++)
        conf_zero(sections[i].keys, sections[i].out);
    char *from = absolute_folder(folder);
    if (!from)
        return -ENOMEM;
    yaml_document_t doc;
    struct conf_walk w = {.name = name, .folder = from, .errors = errors, .doc = &doc};
    struct top top = {.sections = sections, .count = count};
    struct event_pass pass = check_events(&w, text, len);
    if (pass.walkable)
        load_document(&w, &top, text, len);
    free(from);
    if (w.error_count > CONF_REPORTS_MAX && errors)
        fprintf(errors, "%s: %zu more errors are not shown\n", name,
                w.error_count - CONF_REPORTS_MAX);
    if (w.error_count == 0 && !w.no_memory)
        return 0;
    for (size_t i = 0; i < count; i++)
        conf_free(sections[i].keys, sections[i].out);
    if (w.no_memory && errors)
        fprintf(errors, "%s: out of memory\n", name);
    return w.no_memory ? -ENOMEM : -EINVAL;
}
