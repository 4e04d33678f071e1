// Reading dialogues. See dialogues.h.
#include "dialogues.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define HEADING "start_s,what,rcpt_ok,rcpt_4xx,rcpt_5xx,login"

static const char *const whats[DIALOGUE_KINDS] = {"mx",     "refused", "starttls",    "submission",
                                                  "access", "socks",   "socks-failed"};
static const char *const logins[] = {"none", "right", "wrong"};

static int name_of(const char *text, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(text, names[i]) == 0)
            return (int)i;
    }
    return -1;
}

static bool read_row(const char *line, struct dialogue *out)
{
    char what[16], login[8];
    unsigned ok, later, no;
    double start_s;
    int end = 0;
    if (sscanf(line, "%lf,%15[a-z-],%3u,%3u,%3u,%7[a-z]%n", &start_s, what, &ok, &later, &no, login,
               &end) != 6 ||
        line[end] != '\0')
        return false;
    int w = name_of(what, whats, DIALOGUE_KINDS), l = name_of(login, logins, 3);
    if (w < 0 || l < 0 || start_s < 0 || start_s > 1e6 || ok + later + no > 100)
        return false;
    *out = (struct dialogue){.start_s = start_s,
                             .what = (uint8_t)w,
                             .login = (uint8_t)l,
                             .rcpt_ok = (uint8_t)ok,
                             .rcpt_4xx = (uint8_t)later,
                             .rcpt_5xx = (uint8_t)no};
    return true;
}

int dialogues_load(const char *path, struct dialogues *out)
{
    char line[256];
    unsigned number = 0;
    int rc = 0;
    FILE *f = fopen(path, "re");
    if (!f) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return EX_NOINPUT;
    }
    struct dialogues d = {calloc(DIALOGUES_MAX, sizeof *d.item), 0};
    while (d.item && rc == 0 && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\r\n")] = '\0';
        bool fits = ++number == 1 ? strcmp(line, HEADING) == 0
                                  : d.count < DIALOGUES_MAX && read_row(line, &d.item[d.count]);
        d.count += fits && number > 1;
        if (!fits) {
            fprintf(stderr, "%s:%u: not " HEADING "\n", path, number);
            rc = EX_DATAERR;
        }
    }
    fclose(f);
    if (!d.item)
        rc = EX_OSERR;
    if (rc != 0)
        dialogues_free(&d);
    else
        *out = d;
    return rc;
}

void dialogues_free(struct dialogues *d)
{
    free(d->item);
    *d = (struct dialogues){0};
}
