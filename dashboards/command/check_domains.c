// The effective configuration is written by our own program: a section's keys stand in lines of their own, two
// columns in.
#include "command/check_domains.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_OCTETS = 1024 };

// "  KEY: NUMBER"
static bool number_of(const char *line, const char *key, uint64_t *out)
{
    size_t len = strlen(key);
    if (strncmp(line, "  ", 2) != 0 || strncmp(line + 2, key, len) != 0 ||
        strncmp(line + 2 + len, ": ", 2) != 0)
        return false;
    char *end;
    errno = 0;
    unsigned long long n = strtoull(line + len + 4, &end, 10);
    if (errno != 0 || *end != '\n')
        return false;
    *out = n;
    return true;
}

void check_domains_note(struct check_domains *d, const char *config, int fd)
{
    char line[LINE_OCTETS];
    uint64_t domain = 0, processes = 1;
    bool inside = false;
    FILE *in = d->count < CHECK_SENSORS_MAX ? fdopen(dup(fd), "r") : NULL;
    if (!in)
        return;
    rewind(in);
    while (fgets(line, sizeof line, in)) {
        if (line[0] != ' ')
            inside = strcmp(line, "sensor:\n") == 0;
        else if (inside && !number_of(line, "domain", &domain))
            number_of(line, "processes", &processes);
    }
    fclose(in);
    if (domain == 0)
        return;
    d->sensor[d->count++] = (struct check_domain){
        .config = config, .first = domain, .last = domain + processes - 1};
}

size_t check_domains_judge(const struct check_domains *d)
{
    size_t shared = 0;
    for (size_t i = 0; i < d->count; i++) {
        for (size_t k = i + 1; k < d->count; k++) {
            const struct check_domain *a = &d->sensor[i], *b = &d->sensor[k];
            if (a->last < b->first || b->last < a->first)
                continue;
            fprintf(stderr,
                    "postern check: warning: the sensors of %s and %s share observation domain "
                    "%llu: the "
                    "collector would take them for one; give each a sensor.domain of its own, or "
                    "leave the "
                    "key out\n",
                    a->config, b->config,
                    (unsigned long long)(a->first > b->first ? a->first : b->first));
            shared++;
        }
    }
    return shared;
}
