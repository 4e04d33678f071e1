// The walk of a YAML document beside a configuration table. Inside of conf_load.c and conf_walk.c.
#pragma once

#include <stdio.h>
#include <yaml.h>

#include "common/conf.h"

#define CONF_REPORTS_MAX 100 // lines written; further errors are only counted

struct conf_walk {
    const char *name;   // of the file, for errors
    const char *folder; // absolute; where relative paths start
    FILE *errors;       // NULL: not written
    size_t error_count; // also counts what is no longer written
    bool no_memory;
    yaml_document_t *doc;
};

// The way to a value, for errors: section, key, element.
struct conf_where {
    const struct conf_where *up;
    const char *name; // NULL: an element of a list
    size_t index;
};

// Writes "file:line:column: section.key: text" and counts it. `at` may be NULL.
void conf_report(struct conf_walk *w, yaml_mark_t mark, const struct conf_where *at,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

// A name from the file that stands in none of `names`, with the nearest of them.
void conf_report_unknown(struct conf_walk *w, yaml_mark_t mark, const struct conf_where *up,
                         const char *what, const char *name, const char *const *names,
                         size_t count);

void conf_report_repeated(struct conf_walk *w, yaml_mark_t mark, const struct conf_where *at,
                          yaml_mark_t first);

// The name of a mapping's key, or NULL after an error.
const char *conf_key_name(struct conf_walk *w, const yaml_node_t *node,
                          const struct conf_where *at);

// Fills `base` by `keys` from `node`; NULL or an empty node: from the defaults. `mark` is where a
// missing key is reported.
void conf_walk_keys(struct conf_walk *w, const yaml_node_t *node, const struct conf_key *keys,
                    void *base, const struct conf_where *at, yaml_mark_t mark);

// `key:` with nothing behind it.
bool conf_is_nothing(const yaml_node_t *node);
