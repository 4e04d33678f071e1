// postern-mangle: rewrites captures as other networks, mirrors and losses would have shown them, for
// tests. Several captures become one: each is rewritten by itself, with random numbers that depend on
// the seed and the file's name, and gets a slot of time of its own, an hour after the one before, so
// that their connections do not meet; --slots says which slot is whose. Longer silence inside a
// capture is shortened to that hour. Every output is Ethernet.
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "operation.h"

static const struct operation operations[] = {
    {"plain", "", {0}, NULL},
    {"qinq-pppoe", "", {0}, wrap_qinq_pppoe},
    {"mpls", "", {0}, wrap_mpls},
    {"pseudowire", "", {0}, wrap_pseudowire},
    {"vxlan", "", {0}, wrap_vxlan},
    {"gre", "", {0}, wrap_gre},
    {"erspan", "", {0}, wrap_erspan},
    {"ipip", "", {0}, wrap_ipip},
    {"ds-lite", "", {0}, wrap_ds_lite},
    {"fragments", "=OCTETS", {64}, cut_fragments},
    {"segments", "=OCTETS,KILOBYTES", {1, 2}, cut_segments},
    {"shuffle", "=MILLISECONDS,PACKETS", {20, 8}, disorder_shuffle},
    {"double", "=MICROSECONDS", {50}, disorder_double},
    {"drop", "=PACKETS_OF_TEN_THOUSAND", {100}, disorder_drop},
};

enum { OPERATIONS = sizeof operations / sizeof *operations, STEPS_MAX = 8 };

// Longer than any silent connection is waited for.
#define PAUSE_NS (INT64_C(3600) * 1000000000)

struct step {
    const struct operation *operation;
    uint32_t number[OPERATION_NUMBERS];
};

struct job {
    struct step step[STEPS_MAX];
    size_t steps;
    uint64_t seed;
    const char *output, *slots;
};

uint64_t operation_random(struct operation_input *o)
{
    uint64_t z = o->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void help(FILE *to)
{
    fprintf(to,
            "Usage: postern-mangle [-s SEED] [--slots FILE] -x OPERATION ... -o OUT CAPTURE ...\n"
            "Operations, done in the order given:\n");
    for (size_t i = 0; i < OPERATIONS; i++) {
        const struct operation *o = &operations[i];
        fprintf(to, "  %s%s", o->name, o->numbers);
        for (size_t n = 0; o->numbers[0] && n < OPERATION_NUMBERS && o->standard[n]; n++)
            fprintf(to, "%s%" PRIu32, n == 0 ? "   default " : ",", o->standard[n]);
        fprintf(to, "\n");
    }
}

// "name" or "name=number" or "name=number,number"
static bool add_step(struct job *j, const char *text)
{
    size_t name = strcspn(text, "=");
    for (size_t i = 0; i < OPERATIONS && j->steps < STEPS_MAX; i++) {
        const struct operation *o = &operations[i];
        if (strlen(o->name) != name || strncmp(o->name, text, name) != 0)
            continue;
        struct step *s = &j->step[j->steps++];
        s->operation = o;
        memcpy(s->number, o->standard, sizeof s->number);
        const char *at = text + name;
        for (size_t n = 0; n < OPERATION_NUMBERS && *at; n++) {
            char *end;
            errno = 0;
            unsigned long v = strtoul(at + 1, &end, 10);
            if (end == at + 1 || errno || v == 0 || v > 1000000)
                return false;
            s->number[n] = (uint32_t)v;
            at = end;
        }
        return *at == '\0';
    }
    return false;
}

static int parse(int argc, char **argv, struct job *j)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"seed", required_argument, NULL, 's'},
        {"slots", required_argument, NULL, 'S'},  {"operation", required_argument, NULL, 'x'},
        {"help", no_argument, NULL, 'h'},         {0}};
    int c;
    while ((c = getopt_long(argc, argv, "o:s:x:h", options, NULL)) != -1) {
        if (c == 'o')
            j->output = optarg;
        else if (c == 'S')
            j->slots = optarg;
        else if (c == 's')
            j->seed = strtoull(optarg, NULL, 10);
        else if (c == 'h')
            return help(stdout), EX_OK;
        else if (c != 'x' || !add_step(j, optarg))
            return help(stderr), EX_USAGE;
    }
    if (!j->output || optind == argc)
        return help(stderr), EX_USAGE;
    return -1;
}

// Moves the frames in time, so that they follow `*clock_ns` by a pause and are never silent for
// longer, nor jump back as far.
static void place(struct capture *c, int64_t *clock_ns)
{
    int64_t before_ns = c->frame[0].t_ns;
    int64_t shift_ns = *clock_ns ? *clock_ns + PAUSE_NS - before_ns : 0;
    for (size_t i = 0; i < c->count; i++) {
        int64_t step_ns = c->frame[i].t_ns - before_ns;
        before_ns = c->frame[i].t_ns;
        if (step_ns > PAUSE_NS || step_ns < -PAUSE_NS)
            shift_ns += PAUSE_NS - step_ns;
        c->frame[i].t_ns += shift_ns;
        if (c->frame[i].t_ns > *clock_ns)
            *clock_ns = c->frame[i].t_ns;
    }
}

// The seed and the file's name without its folders (FNV-1a).
static uint64_t seed_of(const struct job *j, const char *path)
{
    const char *slash = strrchr(path, '/');
    uint64_t h = 14695981039346656037u ^ j->seed;
    for (const char *s = slash ? slash + 1 : path; *s; s++)
        h = (h ^ (uint8_t)*s) * 1099511628211u;
    return h;
}

static void rewrite(const struct job *j, const char *path, struct capture *c)
{
    struct operation_input o = {.random = seed_of(j, path)};
    for (size_t i = 0; i < j->steps; i++) {
        const struct step *s = &j->step[i];
        struct capture out = {0};
        if (!s->operation->apply)
            continue;
        o.in = c;
        memcpy(o.number, s->number, sizeof o.number);
        s->operation->apply(&o, &out);
        capture_free(c);
        *c = out;
    }
}

// All captures, rewritten, behind each other. The first keeps its time.
static int gather(const struct job *j, char **paths, size_t count, struct capture *all)
{
    FILE *list = j->slots ? fopen(j->slots, "w") : NULL;
    int64_t clock_ns = 0;
    if (j->slots && !list) {
        fprintf(stderr, "postern-mangle: %s: %s\n", j->slots, strerror(errno));
        return EX_CANTCREAT;
    }
    for (size_t i = 0; i < count; i++) {
        char why[128] = "no packets";
        struct capture c = {0};
        if (!capture_read(&c, paths[i], why) || c.count == 0) {
            fprintf(stderr, "left out: %s: %s\n", paths[i], why);
            capture_free(&c);
            continue;
        }
        if (list)
            fprintf(list, "%" PRId64 "\t%s\n", (clock_ns + PAUSE_NS / 2) / 1000000, paths[i]);
        place(&c, &clock_ns);
        rewrite(j, paths[i], &c);
        capture_append(all, &c);
    }
    if (list && fclose(list) != 0)
        return EX_IOERR;
    return EX_OK;
}

int main(int argc, char **argv)
{
    struct job j = {.seed = 1};
    struct capture all = {0};
    char why[128] = "";
    int rc = parse(argc, argv, &j);
    if (rc != -1)
        return rc;
    rc = gather(&j, argv + optind, (size_t)(argc - optind), &all);
    if (rc == EX_OK && !capture_write(&all, j.output, why)) {
        fprintf(stderr, "postern-mangle: %s: %s\n", j.output, why);
        rc = EX_CANTCREAT;
    }
    capture_free(&all);
    return rc;
}
