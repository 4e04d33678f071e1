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
#include "rows.h"
#include "score.h"

#define START_MS \
    1792360800000LL // 2026-10-18T22:00:00Z: midnight in Berlin, a week before the night that ends summer time
#define ADDRESS 0x0a000001u // 10.0.0.1

struct options {
    const char *seeds, *out, *rates, *bots, *scaled, *off, *level;
    double lines;
    unsigned days, warm, sites, each, attack_days, first_site;
    struct sight sight;
    bool blind;
};

struct site_run { // one site
    const char *set;
    const struct options *o;
    struct people people;
    struct flows flows;
    struct score *score;
    uint32_t lines;
    struct counting counting;
    struct engine *engine;
    struct rows *rows;
    uint64_t rows_count;
    FILE *verdicts;
    unsigned days;
};

struct config {
    struct conf_site site;
    struct settings *settings;
    char hash[33];
};

static const char *party_name(uint32_t line, void *ctx)
{
    static char name[16];
    (void)ctx;
    snprintf(name, sizeof name, "%u", line);
    return name;
}

static bool is_mailbox(uint32_t line, void *ctx)
{
    return ((struct site_run *)ctx)->score[line].line.kind == KIND_account;
}

// The guilty are far more than on a real site: their failures must not pass for the site's.
static bool counts(uint32_t line, void *ctx)
{
    return ((struct site_run *)ctx)->score[line].line.kind < KIND_GUILTY;
}

static int take_row(const struct minute_row *r, void *ctx)
{
    struct site_run *run = ctx;
    struct score *s = &run->score[strtoul(r->party.id, NULL, 10)];
    run->rows_count++;
    score_row(s, &run->counting, r);
    if (run->o->blind)
        return 0;
    return engine_row(run->engine, r, &(struct journal_cursor){0}, &(struct journal_cursor){0});
}

static void take_mark(int64_t mark_ms, const struct minute_site *site, void *ctx)
{
    struct site_run *run = ctx;
    engine_site(run->engine, site);
    engine_mark(run->engine, mark_ms);
}

static void take_verdict(const struct verdict *v, void *ctx)
{
    struct site_run *run = ctx;
    score_verdict(&run->score[strtoul(v->party.id, NULL, 10)], &run->counting, v, run->verdicts);
}

static int load_config(const struct options *o, bool blocked, struct config *out)
{
    char text[256];
    int length = snprintf(text, sizeof text,
                          "site: {timezone: Europe/Berlin, port25: %s}\nanalysis: {%s%s%s}\n",
                          blocked ? "blocked-after" : "open", o->off ? "detectors_off: [" : "",
                          o->off ? o->off : "", o->off ? "]" : "");
    *out = (struct config){.settings = calloc(1, settings_size())};
    const struct conf_section sections[] = {{"site", conf_site_keys, &out->site},
                                            {"analysis", settings_keys(), out->settings}};
    if (!out->settings ||
        conf_load_text("evaluate", ".", text, (size_t)length, sections, 2, stderr) != 0)
        return -EINVAL;
    conf_hash(sections, 2, out->hash);
    return 0;
}

static void free_config(struct config *c)
{
    conf_free(conf_site_keys, &c->site);
    conf_free(settings_keys(), c->settings);
    free(c->settings);
}

// An outage of transit strikes some days of a site.
static void draw_outage(struct site_run *run, uint64_t seed, int64_t day_ms)
{
    struct people *p = &run->people;
    struct rng r = {seed_of("outage", seed, (uint64_t)day_ms)};
    p->outage_from_ms = p->outage_to_ms = 0;
    if (rng_real(&r) >= p->rates->low[RATE_outage_chance])
        return;
    p->outage_from_ms = human_time(&r, day_ms);
    p->outage_to_ms = p->outage_from_ms +
                      (int64_t)(rate_draw(p->rates, RATE_outage_minutes, &r) * 60000);
}

static void add_line(struct site_run *run, unsigned kind, uint64_t site_seed)
{
    uint32_t i = run->lines;
    struct score *more = realloc(run->score, (i + 1) * sizeof *more);
    if (!more)
        exit(1);
    run->score = more;
    struct line l = line_make(&run->people, (uint8_t)kind, i, seed_of("line", site_seed, i),
                              run->counting.begin_ms, run->counting.end_ms);
    score_init(&run->score[i], &l);
    run->lines++;
}

static int play_days(struct site_run *run, uint64_t seed)
{
    const struct options *o = run->o;
    int rc = 0;
    for (unsigned d = 0; rc == 0 && d < o->warm + run->days; d++) {
        int64_t day_ms = START_MS + d * DAY_MS;
        run->flows.count = 0;
        draw_outage(run, seed, day_ms);
        for (uint32_t i = 0; i < run->lines; i++) {
            const struct line *l = &run->score[i].line;
            // A new server has no days before; neither has who is guilty from the beginning.
            if (l->kind == KIND_new_server && d < o->warm)
                continue;
            line_day(&run->people, l, day_ms);
        }
        rc = rows_day(run->rows, &run->flows, day_ms + DAY_MS, counts, take_row, take_mark, run);
    }
    return rc;
}

struct files {
    FILE *scores, *totals, *verdicts;
};

static void write_totals(const struct site_run *run, FILE *out)
{
    for (unsigned k = 0; k < KIND_N; k++) {
        unsigned n = 0;
        for (uint32_t i = 0; i < run->lines; i++)
            n += run->score[i].line.kind == k;
        if (n > 0)
            fprintf(out, "%s,%s,%u,%u,%u\n", run->set, kind_name(k), n, run->days,
                    kind_is_household(k) ? 1U : 0U);
    }
}

static unsigned as_on_a_site(const struct options *o, unsigned kind, struct rng *r)
{
    return kind < KIND_GUILTY ? rng_poisson(r, o->lines * kind_frequency(kind) / 1e6) : 0;
}

static unsigned each_innocent(const struct options *o, unsigned kind, struct rng *r)
{
    (void)r;
    return kind < KIND_GUILTY && kind != KIND_household ? o->each : 0;
}

static unsigned each_guilty(const struct options *o, unsigned kind, struct rng *r)
{
    (void)r;
    return kind >= KIND_GUILTY && !kind_is_blocked(kind) ? o->each : 0;
}

static unsigned each_blocked(const struct options *o, unsigned kind, struct rng *r)
{
    (void)r;
    return kind_is_blocked(kind) ? o->each : 0;
}

// A site with so many lines of each kind that `wanted` names.
static int play_site(const struct options *o, const struct people *people, const char *set,
                     unsigned number, bool blocked,
                     unsigned (*wanted)(const struct options *o, unsigned kind, struct rng *r),
                     struct files *files, uint64_t *rows)
{
    struct config config;
    bool attacks = wanted == each_guilty || wanted == each_blocked;
    unsigned days = attacks ? o->attack_days : o->days;
    uint64_t seed = seed_of(o->seeds, seed_of(set, 0, 0), number);
    struct site_run run = {
        .set = set,
        .o = o,
        .people = *people,
        .days = days,
        .counting = {START_MS + o->warm * DAY_MS, START_MS + (o->warm + days) * DAY_MS},
        .verdicts = files->verdicts};
    struct rng r = {seed};
    if (load_config(o, blocked, &config) != 0)
        return -EINVAL;
    run.people.out = &run.flows;
    for (unsigned k = 0; k < KIND_N; k++) {
        for (unsigned n = wanted(o, k, &r); n > 0; n--)
            add_line(&run, k, seed);
    }
    struct engine_options eo = {
        .settings = config.settings, .site = &config.site, .conf_hash = config.hash};
    struct rows_options ro = {.party = party_name,
                              .is_mailbox = is_mailbox,
                              .ctx = &run,
                              .address = ADDRESS,
                              .sight = &o->sight};
    run.engine = engine_new(&eo, take_verdict, &run);
    run.rows = rows_new(&ro);
    int rc = run.engine && run.rows ? play_days(&run, seed) : -ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < run.lines; i++) {
        if (run.score[i].line.kind >= KIND_GUILTY || score_is_flagged(&run.score[i]))
            score_write(&run.score[i], &run.counting, set, files->scores);
    }
    if (rc == 0)
        write_totals(&run, files->totals);
    if (number == o->first_site || number == 0)
        printf("configuration,%s,%s\n", set, config.hash);
    *rows += run.rows_count;
    for (uint32_t i = 0; i < run.lines; i++)
        score_fini(&run.score[i]);
    free(run.score);
    free(run.flows.item);
    rows_free(run.rows);
    engine_free(run.engine);
    free_config(&config);
    return rc;
}

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

static int play(const struct options *o, const struct people *people)
{
    struct files files = {create(o->out, "scores.csv", ""),
                          create(o->out, "totals.csv", "set,kind,lines,days,household\n"),
                          create(o->out, "verdicts.csv",
                                 "guilty,kind,event,class,ceiling,state,log_odds,evidence\n")};
    uint64_t rows = 0;
    score_heading(files.scores);
    int rc = o->each == 0 ? 0
                          : play_site(o, people, "guilty", 0, false, each_guilty, &files, &rows);
    if (rc == 0 && o->each > 0)
        rc = play_site(o, people, "blocked", 0, true, each_blocked, &files, &rows);
    if (rc == 0 && o->each > 0)
        rc = play_site(o, people, "kinds", 0, false, each_innocent, &files, &rows);
    for (unsigned n = o->first_site; rc == 0 && n < o->first_site + o->sites; n++)
        rc = play_site(o, people, "sites", n, false, as_on_a_site, &files, &rows);
    printf("rows,%" PRIu64
           "\nrules,%s\nseeds,%s\ndays,%u\nwarm,%u\nsites,%u\neach,%u\nattack days,%u\n",
           rows, ENGINE_RULES_VERSION, o->seeds, o->days, o->warm, o->sites, o->each,
           o->attack_days);
    if (fclose(files.scores) != 0 || fclose(files.totals) != 0 || fclose(files.verdicts) != 0)
        rc = -EIO;
    if (rc != 0)
        fprintf(stderr, "evaluate: %s\n", strerror(-rc));
    return rc == 0 ? 0 : 1;
}

static int count_row(const struct minute_row *r, void *ctx)
{
    const uint64_t *c = r->counter[MINUTE_MX][MINUTE_OUT];
    (void)ctx;
    printf("%" PRId64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", r->minute,
           c[MINUTE_connections], c[MINUTE_unanswered], c[MINUTE_refused], c[MINUTE_established]);
    return 0;
}

static void no_mark(int64_t mark_ms, const struct minute_site *site, void *ctx)
{
    (void)mark_ms;
    (void)site;
    (void)ctx;
}

// Flow facts as rows, counted: to be held against the same facts as packets through sensor and collector.
static int count_level(const struct options *o, const struct rates *rates)
{
    struct real_bot bot;
    struct flows flows = {0};
    struct site_run run = {.o = o};
    int rc = real_bot_load(o->level, &bot);
    if (rc != 0) {
        fprintf(stderr, "evaluate: %s: %s\n", o->level, strerror(-rc));
        return 66;
    }
    struct line l = {.kind = KIND_neris, .from_ms = START_MS, .to_ms = START_MS + DAY_MS};
    struct score score = {.line = l};
    struct rng r = {1};
    run.score = &score;
    const struct people people = {.rates = rates, .neris = &bot, .out = &flows};
    guilty_day(&people, &l, START_MS, &r);
    struct rows_options ro = {
        .party = party_name, .is_mailbox = is_mailbox, .ctx = &run, .address = ADDRESS};
    struct rows *rows = rows_new(&ro);
    rc = rows ? rows_day(rows, &flows, START_MS + DAY_MS, counts, count_row, no_mark, &run)
              : -ENOMEM;
    rows_free(rows);
    free(flows.item);
    free(bot.flow);
    return rc == 0 ? 0 : 1;
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
        {"attack-days", required_argument, NULL, 'a'},
        {"first-site", required_argument, NULL, 'i'},
        {"loss", required_argument, NULL, 'l'},
        {"sampling", required_argument, NULL, 'p'},
        {"one-direction", no_argument, NULL, '1'},
        {"blind", no_argument, NULL, 'B'},
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
        case 'a': o.attack_days = number(optarg); break;
        case 'i': o.first_site = number(optarg); break;
        case 'x': o.scaled = optarg; break;
        case 'f': o.off = optarg; break;
        case 'l': o.sight.loss = strtod(optarg, NULL); break;
        case 'p': o.sight.sampling = number(optarg); break;
        case '1': o.sight.one_direction = true; break;
        case 'B': o.blind = true; break;
        default: return 64;
        }
    }
    if (o.days < 1 || o.days > DAYS_MAX - 1 || o.attack_days < 2 || o.attack_days > DAYS_MAX - 1 ||
        (strcmp(o.seeds, "test") != 0 && strcmp(o.seeds, "tuning") != 0)) {
        fprintf(stderr, "evaluate: --days and --attack-days 1 to %d, --seeds tuning or test\n",
                DAYS_MAX - 1);
        return 64;
    }
    struct rates rates;
    struct real_bot neris = {0}, virut = {0};
    struct people people = {.rates = &rates, .neris = &neris, .virut = &virut};
    char path[4096];
    if (rates_load(o.rates, o.scaled, &rates) != 0)
        return 78;
    o.lines = rates.low[RATE_lines];
    if (o.level)
        return count_level(&o, &rates);
    snprintf(path, sizeof path, "%s/neris-port25.csv", o.bots ? o.bots : ".");
    bool real = real_bot_load(path, &neris) == 0;
    snprintf(path, sizeof path, "%s/virut-port25.csv", o.bots ? o.bots : ".");
    real = real_bot_load(path, &virut) == 0 && real;
    printf("real bots,%s\n", real ? "yes" : "no");
    int rc = play(&o, &people);
    free(neris.flow);
    free(virut.flow);
    return rc;
}
