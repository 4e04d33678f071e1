// postern-evaluate: made-up sites in minute rows through the real analysis and through the baselines. Writes what was
// found when as CSV; judges nothing: report.mjs makes the page. The seeds' name keeps tuning and test apart.
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detector.h"
#include "engine.h"
#include "flow_facts.h"
#include "level.h"
#include "play.h"

static FILE *create(const char *folder, const char *name, const char *heading)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "we");
    if (!f) {
        fprintf(stderr, "evaluate: %s: %s\n", path, strerror(errno));
        exit(73);
    }
    fputs(heading, f);
    return f;
}

static void write_levels(const struct levels *all, const char *folder)
{
    FILE *out = create(folder, "levels.csv", "household,judge,level,days\n");
    for (unsigned firm = 0; firm < 2; firm++) {
        for (unsigned j = 0; j < JUDGES; j++) {
            for (unsigned l = 0; l < LEVELS; l++) {
                if (all->days[firm][j][l] > 0)
                    fprintf(out, "%d,%s,%.1f,%u\n", !firm, j == OURS ? "postern" : baseline_name(j),
                            (double)l / LEVEL_STEPS, all->days[firm][j][l]);
            }
        }
    }
    fclose(out);
}

static int play(const struct options *o, const struct rates *rates, const struct real_bots *real)
{
    static struct levels levels;
    static const enum play_set once[] = {PLAY_GUILTY,        PLAY_BLOCKED,   PLAY_KINDS,
                                         PLAY_KINDS_BLOCKED, PLAY_NEW_BLOCK, PLAY_PRINTS};
    struct play_files files = {
        create(o->out, "scores.csv", ""),
        create(o->out, "totals.csv", "set,kind,lines,days,household\n"),
        create(o->out, "verdicts.csv", "guilty,kind,event,class,ceiling,state,log_odds,evidence\n"),
        &levels, 0};
    int rc = 0;
    score_heading(files.scores);
    for (size_t i = 0; rc == 0 && o->each > 0 && i < sizeof once / sizeof once[0]; i++) {
        bool wanted = o->sets
                          ? play_wants(o->sets, play_set_name(once[i]))
                          : once[i] != PLAY_PRINTS && (once[i] != PLAY_NEW_BLOCK || o->sites > 0);
        if (wanted)
            rc = play_site(o, rates, real, once[i], o->first_site, &files);
    }
    for (unsigned n = o->first_site; rc == 0 && n < o->first_site + o->sites; n++)
        rc = play_site(o, rates, real, PLAY_SITES, n, &files);
    for (unsigned n = o->first_site; rc == 0 && n < o->first_site + o->blocked_sites; n++)
        rc = play_site(o, rates, real, PLAY_SITES_BLOCKED, n, &files);
    printf("rows,%" PRIu64
           "\nrules,%s\nseeds,%s\ndays,%u\nwarm,%u\nsites,%u\neach,%u\nattack days,%u\n",
           files.rows, ENGINE_RULES_VERSION, o->seeds, o->days, o->warm, o->sites, o->each,
           o->attack_days);
    write_levels(&levels, o->out);
    if (fclose(files.scores) != 0 || fclose(files.totals) != 0 || fclose(files.verdicts) != 0)
        rc = -EIO;
    if (rc != 0)
        fprintf(stderr, "evaluate: %s\n", strerror(-rc));
    return rc == 0 ? 0 : 1;
}

// What the page says of each real machine.
static void say_real(const struct real_bots *real)
{
    for (size_t i = 0; i < real->count; i++) {
        const struct flow_facts *f = real->item[i].facts;
        size_t answered = 0;
        for (size_t n = 0; n < f->count; n++)
            answered += f->item[n].packets_in > 0;
        printf("class,%s,%zu flows; %zu answered\n", real->item[i].name, f->count, answered);
    }
    printf("real bots,%zu\n", real->count);
}

static double share(const char *option, const char *text)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end != '\0' || !(v >= 0 && v < 1)) {
        fprintf(stderr, "evaluate: %s %s: not a number from 0 to under 1\n", option, text);
        exit(64);
    }
    return v;
}

static unsigned number(const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (*end != '\0' || n > 1000000) {
        fprintf(stderr, "evaluate: %s is no number up to a million\n", text);
        exit(64);
    }
    return (unsigned)n;
}

static const char *detector_named(const char *name)
{
    for (size_t i = 0; detectors[i]; i++) {
        if (strcmp(detectors[i]->name, name) == 0)
            return name;
    }
    fprintf(stderr,
            "evaluate: --off %s: there is no such detector; analysis/registry.c lists them\n",
            name);
    exit(64);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"seeds", required_argument, NULL, 's'},
        {"out", required_argument, NULL, 'o'},
        {"rates", required_argument, NULL, 'r'},
        {"bots", required_argument, NULL, 'b'},
        {"days", required_argument, NULL, 'd'},
        {"warm", required_argument, NULL, 'w'},
        {"sites", required_argument, NULL, 'n'},
        {"each", required_argument, NULL, 'e'},
        {"scale", required_argument, NULL, 'x'},
        {"off", required_argument, NULL, 'f'},
        {"level", required_argument, NULL, 'v'},
        {"dialogues", required_argument, NULL, 'D'},
        {"attack-days", required_argument, NULL, 'a'},
        {"first-site", required_argument, NULL, 'i'},
        {"loss", required_argument, NULL, 'l'},
        {"sampling", required_argument, NULL, 'p'},
        {"one-direction", no_argument, NULL, '1'},
        {"flow-only", no_argument, NULL, 'F'},
        {"no-log", no_argument, NULL, 'L'},
        {"export", no_argument, NULL, 'E'},
        {"tier-a", no_argument, NULL, 'A'},
        {"undeclared", no_argument, NULL, 'U'},
        {"only", required_argument, NULL, 'k'},
        {"sets", required_argument, NULL, 'S'},
        {"open", required_argument, NULL, 't'},
        {"blocked-sites", required_argument, NULL, 'N'},
        {"blind", no_argument, NULL, 'B'},
        {"no-baselines", no_argument, NULL, 'O'},
        {NULL, 0, NULL, 0},
    };
    struct options o = {.seeds = "tuning",
                        .out = ".",
                        .rates = "rates.tsv",
                        .days = 6,
                        .warm = 4,
                        .sites = 1,
                        .attack_days = 4,
                        .each = 20};
    int c;
    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (c) {
        case 's': o.seeds = optarg; break;
        case 'o': o.out = optarg; break;
        case 'r': o.rates = optarg; break;
        case 'b': o.bots = optarg; break;
        case 'd': o.days = number(optarg); break;
        case 'w': o.warm = number(optarg); break;
        case 'n': o.sites = number(optarg); break;
        case 'e': o.each = number(optarg); break;
        case 'v': o.level = optarg; break;
        case 'D': o.dialogues = optarg; break;
        case 'a': o.attack_days = number(optarg); break;
        case 'i': o.first_site = number(optarg); break;
        case 'x': o.scaled = optarg; break;
        case 'f': o.off = detector_named(optarg); break;
        case 'l': o.sight.loss = share("--loss", optarg); break;
        case 't': o.open = share("--open", optarg); break;
        case 'k': o.only = optarg; break;
        case 'S': o.sets = optarg; break;
        case 'N': o.blocked_sites = number(optarg); break;
        case 'F': o.sight.flow_only = true; break;
        case 'L': o.sight.no_log = true; break;
        case 'E': o.sight.export = o.sight.flow_only = true; break;
        case 'A': o.sight.tier_a = true; break;
        case 'U': o.sight.undeclared = true; break;
        case 'p': o.sight.sampling = number(optarg); break;
        case '1': o.sight.one_direction = true; break;
        case 'B': o.blind = true; break;
        case 'O': o.no_baselines = true; break;
        default: return 64;
        }
    }
    if (o.days < 1 || o.days > DAYS_MAX - 1 || o.attack_days < 2 || o.attack_days > DAYS_MAX - 1 ||
        (strncmp(o.seeds, "test", 4) != 0 && strcmp(o.seeds, "tuning") != 0)) {
        fprintf(stderr, "evaluate: --days and --attack-days 1 to %d, --seeds tuning or test...\n",
                DAYS_MAX - 1);
        return 64;
    }
    if (o.level)
        return level_count(o.level);
    if (o.dialogues)
        return level_dialogues(o.dialogues);
    struct rates rates;
    struct real_bots real = {0};
    if (rates_load(o.rates, o.scaled, &rates) != 0)
        return 78;
    o.lines = rates.low[RATE_lines];
    int rc = o.bots ? real_load(o.bots, &real) : 0;
    if (rc != 0)
        return rc;
    say_real(&real);
    rc = play(&o, &rates, &real);
    real_free(&real);
    return rc;
}
