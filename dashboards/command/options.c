// Parses a command's words by its table, and writes the help from the same table.
#include <assert.h>
#include <getopt.h>
#include <string.h>
#include <sysexits.h>

#include "command/command.h"

// getopt_long returns this plus the option's place in the table.
enum { OPTION_BASE = 256, HELP_COLUMN = 28 };

static size_t option_count(const struct command_option *options)
{
    size_t n = 0;
    while (options[n].name)
        n++;
    assert(n <= COMMAND_OPTIONS_MAX);
    return n;
}

static size_t option_index(const struct command_args *a, const char *name)
{
    size_t i = 0;
    while (a->options[i].name && strcmp(a->options[i].name, name) != 0)
        i++;
    assert(a->options[i].name);
    return i;
}

bool command_has(const struct command_args *a, const char *name)
{
    return a->given[option_index(a, name)];
}

const char *command_value(const struct command_args *a, const char *name)
{
    return a->value[option_index(a, name)];
}

static size_t option_of_letter(const struct command_option *options, int letter)
{
    size_t i = 0;
    while (options[i].letter != letter)
        i++;
    return i;
}

// Says what is wrong with an option. `kind` is getopt's answer; `word` is what it stopped behind.
static int refuse(const struct command *c, int kind, const char *word, FILE *errors)
{
    bool is_long = strncmp(word, "--", 2) == 0;
    char letter[] = {'-', (char)optopt, '\0'};
    const char *what = "is no option of this command";
    if (kind == ':')
        what = "needs an argument";
    else if (optopt >= OPTION_BASE)
        what = "takes no argument";
    fprintf(errors, "postern %s: %s %s; see postern help %s\n", c->name,
            is_long || optopt >= OPTION_BASE || optopt == 0 ? word : letter, what, c->name);
    return EX_USAGE;
}

int command_parse(const struct command *c, int argc, char **argv, struct command_args *out,
                  FILE *errors)
{
    struct option longs[COMMAND_OPTIONS_MAX + 1] = {{0}};
    char shorts[2 * COMMAND_OPTIONS_MAX + 2] = ":"; // errors are ours to print
    size_t count = option_count(c->options), used = 1;

    for (size_t i = 0; i < count; i++) {
        const struct command_option *o = &c->options[i];
        longs[i] = (struct option){.name = o->name,
                                   .has_arg = o->argument ? required_argument : no_argument,
                                   .val = OPTION_BASE + (int)i};
        if (o->letter) {
            shorts[used++] = o->letter;
            if (o->argument)
                shorts[used++] = ':';
        }
    }
    *out = (struct command_args){.options = c->options};
    optind = 0; // glibc: begin anew, whatever was parsed before
    for (int found; (found = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        if (found == '?' || found == ':')
            return refuse(c, found, argv[optind - 1], errors);
        size_t i = found >= OPTION_BASE ? (size_t)(found - OPTION_BASE)
                                        : option_of_letter(c->options, found);
        out->given[i] = true;
        out->value[i] = optarg;
    }
    out->operands = argv + optind;
    out->operand_count = (size_t)(argc - optind);
    if (out->operand_count < c->operands_min) {
        fprintf(errors, "postern %s: too few words; use: postern %s %s\n", c->name, c->name,
                c->synopsis);
        return EX_USAGE;
    }
    if (out->operand_count > c->operands_max) {
        fprintf(errors, "postern %s: '%s' is one word too many; use: postern %s %s\n", c->name,
                out->operands[c->operands_max], c->name, c->synopsis);
        return EX_USAGE;
    }
    return 0;
}

static void help_options(const struct command_option *options, FILE *out)
{
    for (size_t i = 0; options[i].name; i++) {
        const struct command_option *o = &options[i];
        char left[64];
        char letter[8] = "    ";
        if (o->letter)
            snprintf(letter, sizeof letter, "-%c, ", o->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        fprintf(out, "      %-*s %s\n", HELP_COLUMN, left, o->help);
    }
}

void command_help(const struct command *c, FILE *out)
{
    fprintf(out, "usage: postern %s%s%s\n  %s\n", c->name, c->synopsis[0] ? " " : "", c->synopsis,
            c->summary);
    help_options(c->options, out);
}

void command_help_all(FILE *out)
{
    fprintf(out, "usage: postern COMMAND ...\n"
                 "  Postern tells which subscriber is a spam bot or a SOCKS relay, and why.\n\n");
    for (size_t i = 0; command_table[i]; i++) {
        const struct command *c = command_table[i];
        fprintf(out, "  %s%s%s\n      %s\n", c->name, c->synopsis[0] ? " " : "", c->synopsis,
                c->summary);
        help_options(c->options, out);
    }
    fprintf(out, "\nManual page: postern(1)\n");
}
