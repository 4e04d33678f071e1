// Configuration: a table says what keys there are, YAML says their values.
//
// One file, by default /etc/postern/postern.yaml, has a section a program (`sensor:`, `collector:`,
// ...) and `site:` for all. A program reads `site` and its own section; the other programs' sections
// are known by name and skipped. All errors of a file are reported at once, each with file, line,
// column and the fix. Unknown and repeated keys are errors. A scalar is read by its field's type,
// never by its looks (`no` in a string field is the text "no").
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/addr.h"

// The C type at `offset` is named behind each.
enum conf_type {
    CONF_BOOL,        // bool                     true/false
    CONF_INT,         // int64_t                  within [min, max]
    CONF_REAL,        // double                   within [min, max]
    CONF_DURATION,    // int64_t milliseconds     "250ms" "10s" "5m" "72h" "7d"; min/max in ms
    CONF_SIZE,        // int64_t octets           "512" "64k" "16M" "2G" (powers of 1024)
    CONF_STRING,      // char * (owned, never NULL unless nothing is set and there is no default)
    CONF_PATH,        // char * (owned); relative paths are taken from the configuration's folder
    CONF_ENUM,        // int                      index into `names`
    CONF_PREFIX_LIST, // struct conf_prefixes
    CONF_STRING_LIST, // struct conf_strings
    CONF_SECTION,     // a struct in place, described by `sub`
    CONF_LIST,        // struct conf_list of structs described by `sub`, `sub_size` octets each
};

struct conf_prefixes {
    struct ip_prefix *item; // owned
    size_t count;
};

struct conf_strings {
    char **item; // owned
    size_t count;
};

struct conf_list {
    void *item; // owned array of `sub_size` octets each
    size_t count;
};

// What a path in a configuration is to name when the program starts.
enum conf_opens {
    CONF_OPENS_NOTHING,    // not looked at: the program makes it
    CONF_OPENS_FILE,       // a file that can be read
    CONF_OPENS_FOLDER,     // a folder that can be read, or whose parent is there
    CONF_OPENS_OWN_FOLDER, // a folder that is there and can be written: the program does not make it
    CONF_OPENS_KEY,        // keyed_hash.h
    CONF_OPENS_NETWORKS,   // network_file.h
};

struct conf_key {
    const char *name; // NULL ends the table
    enum conf_type type;
    size_t offset;
    double min, max; // both zero: no bound; octets of a text, elements of a list
    // Default as it would be written, of a list "[a, b]"; NULL: required, unless `optional`. A section
    // has neither: its keys say.
    const char *def;
    bool optional;            // may be absent without default: zero, NULL or an empty list
    const char *unit;         // for people: "minutes", "octets"; NULL: none
    const char *help;         // one line, says what it does
    const char *const *names; // CONF_ENUM, NULL-terminated
    const struct conf_key *sub;
    size_t sub_size;       // CONF_LIST
    enum conf_opens opens; // CONF_PATH
};

// One top-level section of the file.
struct conf_section {
    const char *name; // "site", "sensor", ...
    const struct conf_key *keys;
    void *out; // the struct to fill; zeroed by conf_load
};

// Top-level sections there are, so that a typo is told from a section of another program.
extern const char *const conf_section_names[]; // NULL-terminated

// Read `path` (NULL: all defaults) into `sections`. Every error goes to `errors` as a line
//     postern.yaml:12:5: sensor.flows: 99999999999 is above 100000000; use a number from 1024 to 100000000
// Returns 0, -EINVAL (errors were written) or another negative errno (file not readable, also
// written). On failure nothing needs freeing and `out` is zeroed.
int conf_load(const char *path, const struct conf_section *sections, size_t count, FILE *errors);

// The same from text; `name` stands in the errors, `folder` is where relative paths start.
int conf_load_text(const char *name, const char *folder, const char *text, size_t len,
                   const struct conf_section *sections, size_t count, FILE *errors);

#define CONF_PLACE_MAX 256

// "FILE:LINE:COLUMN: " of a value ("sensor.key_file", "collector.lease_sources[0].path") in the file that was
// loaded, to be put before an error; "": it does not stand there, or there is no file (NULL).
void conf_place(const char *path, const char *key, char out[static CONF_PLACE_MAX]);

// Opens what the paths in `sections`, loaded from `path`, name, as `opens` of their keys says. Every error
// goes to `errors` as a line with its place, the key, the path and the fix. 0 or -EINVAL.
int conf_check_files(const char *path, const struct conf_section *sections, size_t count,
                     FILE *errors);

// Everything conf_load allocated in `out`.
void conf_free(const struct conf_key *keys, void *out);

// The effective configuration as YAML that conf_load reads back to the same values. With `comments`
// each key's help, unit and default stand beside it: the reference configuration.
int conf_print(const struct conf_section *sections, size_t count, bool comments, FILE *out);

// BLAKE2b-128 of conf_print's text without comments, as 32 hex digits: the `configuration hash` of a
// verdict.
void conf_hash(const struct conf_section *sections, size_t count, char out[static 33]);
