// The command line: one table of options, read by getopt_long, shown by --help. What getopt would say
// by itself is said here, with the fix.
#include "common/daemon_parts.h"

#include <assert.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_value.h"

#define OPTIONS_MAX 64
#define LONG_BASE   256 // getopt's values of options, behind all characters

static const struct daemon_option skeleton_options[] = {
    {'c', "config", "FILE", false, "Configuration file (" DAEMON_CONFIG_DEFAULT " if it exists)."},
    {'C', "check", NULL, false, "Check the configuration, print the effective one, end."},
    {'h', "help", NULL, false, "Show this help, end."},
    {'V', "version", NULL, false, "Show the version, end."},
    {'v', "verbose", NULL, true, "Log more."},
    {0, "subscribers", "CIDR,...", false,
     "Subscribers' networks, in the place of site.subscribers."},
    {0, "status", "FILE", false, "Where a job from file to file writes its final status."},
    {0, "instance", "NAME", false, "Tells this one from others of its program: names its socket."},
    {0},
};

struct given {
    const struct daemon_option *option;
    const char *value; // of argv
};

struct daemon_args {
    struct given *given;
    size_t count;
    char **operand; // of argv
    size_t operands;
};

static const struct given *nth(const struct daemon_args *a, const char *name, size_t n)
{
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->given[i].option->name, name) == 0 && n-- == 0)
            return &a->given[i];
    }
    return NULL;
}

size_t daemon_count(const struct daemon_args *a, const char *name)
{
    size_t n = 0;
    while (nth(a, name, n))
        n++;
    return n;
}

bool daemon_has(const struct daemon_args *a, const char *name)
{
    return nth(a, name, 0) != NULL;
}

const char *daemon_nth(const struct daemon_args *a, const char *name, size_t n)
{
    const struct given *g = nth(a, name, n);
    return g ? g->value : NULL;
}

const char *daemon_value(const struct daemon_args *a, const char *name)
{
    size_t n = daemon_count(a, name);
    return n > 0 ? daemon_nth(a, name, n - 1) : NULL;
}

size_t daemon_operands(const struct daemon_args *a)
{
    return a->operands;
}

const char *daemon_operand(const struct daemon_args *a, size_t n)
{
    return n < a->operands ? a->operand[n] : NULL;
}

// The program's options, then the skeleton's, as one list.
static size_t all_options(const struct daemon_spec *spec,
                          const struct daemon_option *out[static OPTIONS_MAX])
{
    size_t n = 0;
    for (const struct daemon_option *o = spec->options; o && o->name; o++) {
        assert(n < OPTIONS_MAX);
        out[n++] = o;
    }
    for (const struct daemon_option *o = skeleton_options; o->name; o++) {
        for (size_t i = 0; i < n; i++)
            assert(strcmp(out[i]->name, o->name) != 0 &&
                   (!o->letter || out[i]->letter != o->letter));
        assert(n < OPTIONS_MAX);
        out[n++] = o;
    }
    return n;
}

struct getopt_tables {
    struct option longs[OPTIONS_MAX + 1];
    char letters[2 * OPTIONS_MAX + 2];
};

static void build_tables(const struct daemon_option *const *options, size_t count,
                         struct getopt_tables *t)
{
    size_t n = 0;
    t->letters[n++] = ':'; // a missing argument is told from an unknown option
    for (size_t i = 0; i < count; i++) {
        t->longs[i] = (struct option){.name = options[i]->name,
                                      .has_arg = options[i]->argument ? required_argument
                                                                      : no_argument,
                                      .val = LONG_BASE + (int)i};
        if (options[i]->letter) {
            t->letters[n++] = options[i]->letter;
            if (options[i]->argument)
                t->letters[n++] = ':';
        }
    }
    t->longs[count] = (struct option){0};
    t->letters[n] = '\0';
}

static const struct daemon_option *option_of(const struct daemon_option *const *options,
                                             size_t count, int value)
{
    if (value >= LONG_BASE)
        return (size_t)(value - LONG_BASE) < count ? options[value - LONG_BASE] : NULL;
    for (size_t i = 0; i < count; i++) {
        if (value != 0 && options[i]->letter == value)
            return options[i];
    }
    return NULL;
}

__attribute__((format(printf, 2, 3))) static int usage_error(const struct daemon_spec *spec,
                                                             const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s: ", spec->name);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return EX_USAGE;
}

static int unknown_option(const struct daemon_spec *spec,
                          const struct daemon_option *const *options, size_t count,
                          const char *word)
{
    const char *names[OPTIONS_MAX];
    char bare[80], shown[80];
    for (size_t i = 0; i < count; i++)
        names[i] = options[i]->name;
    // getopt names a short option by its letter, a long one by where it stopped in argv.
    if (optopt > 0 && optopt < LONG_BASE)
        return usage_error(spec, "unknown option \"-%c\"; see %s --help", optopt, spec->name);
    snprintf(bare, sizeof bare, "%s", word && strncmp(word, "--", 2) == 0 ? word + 2 : "");
    bare[strcspn(bare, "=")] = '\0';
    if (optopt >= LONG_BASE)
        return usage_error(spec, "option --%s takes no value; write --%s alone",
                           options[optopt - LONG_BASE]->name, options[optopt - LONG_BASE]->name);
    const char *nearest = conf_nearest(bare, names, count);
    conf_quote(word ? word : "", shown);
    if (nearest)
        return usage_error(spec, "unknown option %s; did you mean --%s?", shown, nearest);
    return usage_error(spec, "unknown option %s; see %s --help", shown, spec->name);
}

static int take_option(const struct daemon_spec *spec, struct daemon_args *a,
                       const struct daemon_option *option)
{
    if (!option->repeats && daemon_has(a, option->name))
        return usage_error(spec, "option --%s is given twice; give it once", option->name);
    a->given[a->count++] = (struct given){.option = option, .value = optarg};
    return 0;
}

static int parse(int argc, char **argv, const struct daemon_spec *spec, struct daemon_args *a)
{
    const struct daemon_option *options[OPTIONS_MAX];
    struct getopt_tables tables;
    size_t count = all_options(spec, options);
    build_tables(options, count, &tables);
    optind = 0; // glibc: begin anew, with its order of words
    opterr = 0;
    int value, rc = 0;
    while (rc == 0 && (value = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
        if (value == '?')
            return unknown_option(spec, options, count, argv[optind - 1]);
        const struct daemon_option *option = option_of(options, count,
                                                       value == ':' ? optopt : value);
        assert(option);
        if (value == ':')
            return usage_error(spec, "option --%s needs a value; write --%s %s", option->name,
                               option->name, option->argument);
        rc = take_option(spec, a, option);
    }
    a->operand = argv + optind;
    a->operands = (size_t)(argc - optind);
    return rc;
}

int daemon_args_parse(int argc, char **argv, const struct daemon_spec *spec,
                      struct daemon_args **out)
{
    struct daemon_args *a = calloc(1, sizeof *a);
    // No more options can be given than the words have characters.
    size_t most = 1;
    for (int i = 0; i < argc; i++)
        most += strlen(argv[i]);
    if (a)
        a->given = calloc(most, sizeof *a->given);
    if (!a || !a->given) {
        free(a);
        fprintf(stderr, "%s: out of memory\n", spec->name);
        return EX_OSERR;
    }
    int rc = parse(argc, argv, spec, a);
    if (rc != 0) {
        daemon_args_free(a);
        return rc;
    }
    *out = a;
    return 0;
}

void daemon_args_free(struct daemon_args *a)
{
    if (!a)
        return;
    free(a->given);
    free(a);
}

// The keys as they are nested in the file; those of a list's elements begin with a dash, as there.
static void help_keys(const struct conf_key *keys, int indent, bool element, FILE *out)
{
    for (const struct conf_key *key = keys; key->name; key++) {
        const char *dash = !element ? "" : key == keys ? "- " : "  ";
        fprintf(out, "%*s%s%s: ", indent, "", dash, key->name);
        conf_describe(key, out);
        fprintf(out, "\n%*s%s\n", indent + 8, "", key->help);
        if (key->sub)
            help_keys(key->sub, indent + 2 + (element ? 2 : 0), key->type == CONF_LIST, out);
    }
}

// Not when the option's own help says so.
static bool says_repeats(const struct daemon_option *o)
{
    return o->repeats && o->argument && !strcasestr(o->help, "may be repeated");
}

void daemon_help(const struct daemon_spec *spec, const struct conf_section *sections, size_t count,
                 FILE *out)
{
    const struct daemon_option *options[OPTIONS_MAX];
    size_t n = all_options(spec, options);
    fprintf(out, "%s: %s\n\nUsage: %s %s\n\nOptions:\n", spec->name, spec->summary, spec->name,
            spec->synopsis ? spec->synopsis : "[-c FILE]");
    for (size_t i = 0; i < n; i++) {
        char left[80];
        char letter[8] = "    ";
        if (options[i]->letter)
            snprintf(letter, sizeof letter, "-%c, ", options[i]->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, options[i]->name,
                 options[i]->argument ? " " : "", options[i]->argument ? options[i]->argument : "");
        fprintf(out, "  %-28s %s%s\n", left, options[i]->help,
                says_repeats(options[i]) ? " May be repeated." : "");
    }
    fputs("\nConfiguration keys:\n", out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s:\n", sections[i].name);
        help_keys(sections[i].keys, 2, false, out);
    }
}
