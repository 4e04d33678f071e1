// Families of behaviour: each is one descriptor (a name under `parties:`, a table of keys, a function
// that plays one party from its first packet to its last) and one line in the registry.
#pragma once

#include "common/conf.h"
#include "party.h"

// Whose addresses it gets; FAMILY_OUTSIDE is no line of the ISP and gets none.
enum family_place { FAMILY_HOME, FAMILY_BUSINESS, FAMILY_SHARED, FAMILY_OUTSIDE };

enum family_line { LINE_USUAL, LINE_HOME, LINE_BUSINESS, LINE_SHARED };
extern const char *const family_line_names[]; // NULL-terminated

// What every entry under `parties:` has; the first member of each family's own struct.
struct family_common {
    char *name;
    int64_t count;
    char *address; // of the first party; NULL: chosen from its place's range
    int line;      // enum family_line: another kind of line than the family's own
    int64_t start_ms;
    int64_t lasts_ms; // 0: to the end
    bool declared;    // the ISP knows that a mail server runs there (a static product)
};

#define FAMILY_KEYS(owner)                                                                        \
    {.name = "name",                                                                              \
     .type = CONF_STRING,                                                                         \
     .offset = offsetof(struct owner, common.name),                                               \
     .help = "name of the party; the parties of an entry are NAME-1, NAME-2, ..."},               \
        {.name = "count",                                                                         \
         .type = CONF_INT,                                                                        \
         .offset = offsetof(struct owner, common.count),                                          \
         .min = 0,                                                                                \
         .max = 100000,                                                                           \
         .def = "1",                                                                              \
         .help = "how many of them"},                                                             \
        {.name = "address",                                                                       \
         .type = CONF_STRING,                                                                     \
         .offset = offsetof(struct owner, common.address),                                        \
         .optional = true,                                                                        \
         .help = "IPv4 address of the first; the others follow it"},                              \
        {.name = "line",                                                                          \
         .type = CONF_ENUM,                                                                       \
         .offset = offsetof(struct owner, common.line),                                           \
         .names = family_line_names,                                                              \
         .def = "usual",                                                                          \
         .help = "kind of line it has, when not the family's usual one"},                         \
        {.name = "start",                                                                         \
         .type = CONF_DURATION,                                                                   \
         .offset = offsetof(struct owner, common.start_ms),                                       \
         .max = 366.0 * 86400000,                                                                 \
         .def = "0s",                                                                             \
         .help = "begins so long after the capture does"},                                        \
        {.name = "lasts",                                                                         \
         .type = CONF_DURATION,                                                                   \
         .offset = offsetof(struct owner, common.lasts_ms),                                       \
         .max = 366.0 * 86400000,                                                                 \
         .def = "0s",                                                                             \
         .help = "ends so long after; 0s: at the capture's end"},                                 \
    {                                                                                             \
        .name = "declared", .type = CONF_BOOL, .offset = offsetof(struct owner, common.declared), \
        .def = "false", .help = "the ISP knows it as a mail server (site.mail_servers)"           \
    }

// Shorthands for the tables of the families: share of one, number, duration.
#define FAMILY_SHARE(owner, key, member, value, text)                                       \
    {                                                                                       \
        .name = key, .type = CONF_REAL, .offset = offsetof(struct owner, member), .min = 0, \
        .max = 1, .def = value, .help = text                                                \
    }
#define FAMILY_REAL(owner, key, member, low, high, value, text)                               \
    {                                                                                         \
        .name = key, .type = CONF_REAL, .offset = offsetof(struct owner, member), .min = low, \
        .max = high, .def = value, .help = text                                               \
    }
#define FAMILY_INT(owner, key, member, low, high, value, text)                               \
    {                                                                                        \
        .name = key, .type = CONF_INT, .offset = offsetof(struct owner, member), .min = low, \
        .max = high, .def = value, .help = text                                              \
    }
#define FAMILY_TIME(owner, key, member, low_ms, high_ms, value, text)                 \
    {                                                                                 \
        .name = key, .type = CONF_DURATION, .offset = offsetof(struct owner, member), \
        .min = low_ms, .max = high_ms, .def = value, .help = text                     \
    }
#define FAMILY_ENUM(owner, key, member, list, value, text)                                       \
    {                                                                                            \
        .name = key, .type = CONF_ENUM, .offset = offsetof(struct owner, member), .names = list, \
        .def = value, .help = text                                                               \
    }
#define FAMILY_END   \
    {                \
        .name = NULL \
    }

struct family {
    const char *name;
    const char *help;
    const char *class; // verdict class of verdict.h, NULL: innocent
    enum family_place place;
    const struct conf_key *keys;
    size_t size; // of the struct the keys fill
    void (*play)(struct party *p, const void *habits);
};

extern const struct family *const families[]; // NULL-terminated
