// Where a key stands in a configuration file, for errors that are found when the file has been read: what is
// wrong with a value may show only when it is used. The file is read once more; it is small, and this is
// an error's way.
#include "common/conf_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The value of `name` (not terminated) in a mapping; NULL: it has none.
static yaml_node_t *member(yaml_document_t *doc, const yaml_node_t *node, const char *name,
                           size_t len)
{
    if (node->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *key = yaml_document_get_node(doc, p->key);
        if (key && key->type == YAML_SCALAR_NODE && key->data.scalar.length == len &&
            memcmp(key->data.scalar.value, name, len) == 0)
            return yaml_document_get_node(doc, p->value);
    }
    return NULL;
}

static yaml_node_t *element(yaml_document_t *doc, const yaml_node_t *node, size_t index)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return NULL;
    const yaml_node_item_t *first = node->data.sequence.items.start;
    return index < (size_t)(node->data.sequence.items.top - first)
               ? yaml_document_get_node(doc, first[index])
               : NULL;
}

// Follows "section.key[2].key".
static yaml_node_t *follow(yaml_document_t *doc, const char *key)
{
    yaml_node_t *node = yaml_document_get_root_node(doc);
    while (node && *key) {
        if (*key == '[') {
            char *end;
            node = element(doc, node, strtoul(key + 1, &end, 10));
            key = end + (*end == ']');
        } else {
            size_t len = strcspn(key, ".[");
            node = member(doc, node, key, len);
            key += len;
        }
        key += *key == '.';
    }
    return node;
}

void conf_place(const char *path, const char *key, char out[static CONF_PLACE_MAX])
{
    yaml_parser_t parser;
    yaml_document_t doc;
    FILE *f = path ? fopen(path, "re") : NULL;
    out[0] = '\0';
    if (!f)
        return;
    if (yaml_parser_initialize(&parser)) {
        yaml_parser_set_input_file(&parser, f);
        if (yaml_parser_load(&parser, &doc)) {
            const yaml_node_t *node = follow(&doc, key);
            if (node)
                snprintf(out, CONF_PLACE_MAX, "%.200s:%zu:%zu: ", path, node->start_mark.line + 1,
                         node->start_mark.column + 1);
            yaml_document_delete(&doc);
        }
        yaml_parser_delete(&parser);
    }
    fclose(f);
}
