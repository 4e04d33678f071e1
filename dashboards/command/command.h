// What a command of `postern` is: one file with one descriptor, and a line in commands.c.
//
// Nothing else names a command; the help, the option parser and the man page's check read the
// descriptor.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define COMMAND_OPTIONS_MAX 12

struct command_option {
    char letter;          // 0: long form only
    const char *name;     // long form without dashes; NULL ends the table
    const char *argument; // its name in the help ("FILE"), NULL: a flag
    const char *help;
};

// The words of one call. What it borrows, it borrows from argv.
struct command_args {
    const struct command_option *options; // the table it was parsed by
    const char *value[COMMAND_OPTIONS_MAX];
    bool given[COMMAND_OPTIONS_MAX];
    char **operands;
    size_t operand_count;
};

struct command {
    const char *name;
    const char *synopsis; // "FILE... [--json]"
    const char *summary;  // one line, begins in lower case
    const struct command_option *options;
    size_t operands_min, operands_max;
    // Returns 0 or a sysexits code after having said why in one line.
    int (*run)(const struct command_args *a);
};

extern const struct command *const command_table[]; // NULL-terminated, in the order of the help

const struct command *command_find(const char *name); // NULL: there is none

// Was the option given, and its argument (the last one; NULL when not given). `name` must be in the
// table.
bool command_has(const struct command_args *a, const char *name);
const char *command_value(const struct command_args *a, const char *name);

// Parses what stands behind the command's name; argv[0] is that name. Options and operands may mix,
// `--` ends the options. 0, or EX_USAGE after a line on `errors`. argv is reordered.
int command_parse(const struct command *c, int argc, char **argv, struct command_args *out,
                  FILE *errors);

// One command's help, or the table of all.
void command_help(const struct command *c, FILE *out);
void command_help_all(FILE *out);
