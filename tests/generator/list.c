// The families' tables as text.
#include "list.h"

#include "families/registry.h"

static const char *const places[] = {"home", "business", "shared", "outside"};

static void list_key(FILE *out, const struct conf_key *k)
{
    fprintf(out, "    %-18s %-10s %s", k->name,
            k->def        ? k->def
            : k->optional ? "-"
                          : "required",
            k->help);
    for (size_t i = 0; k->names && k->names[i]; i++)
        fprintf(out, "%s%s", i ? " | " : ": ", k->names[i]);
    fputc('\n', out);
}

void list_families(FILE *out)
{
    for (size_t i = 0; families[i]; i++) {
        const struct family *f = families[i];
        fprintf(out, "%s (%s, %s)\n  %s\n", f->name, f->class ? f->class : "innocent",
                places[f->place], f->help);
        for (const struct conf_key *k = f->keys; k->name; k++)
            list_key(out, k);
        fputc('\n', out);
    }
}
