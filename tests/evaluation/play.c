// One site. See play.h.
#include "play.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "detector.h"
#include "engine.h"

#define ADDRESS       0x0a000001u // 10.0.0.1
#define KIND_DAYS_MAX 10          // so many show what a kind does
#define HOMES         5   // ordinary households for each line of an odd kind, behind a block
#define ID_NOBODY     'p' // begins the name of an address without a lease
#define PRINT_BOTS    3   // of a class and family, on a site

// Midnight in Berlin a week before summer time ends, and before it begins: 2026-10-18T22:00:00Z, 2027-03-21T23:00:00Z.
static const int64_t starts_ms[] = {1792360800000LL, 1805670000000LL};

// How many days after that the clocks change.
static const int32_t clock_days[] = {7, 6};

static const struct {
    const char *name;
    bool blocked, attacks;
} sets[PLAY_SETS] = {
    [PLAY_GUILTY] = {"guilty", false, true},
    [PLAY_BLOCKED] = {"blocked", true, true},
    [PLAY_KINDS] = {"kinds", false, false},
    [PLAY_KINDS_BLOCKED] = {"kinds-blocked", true, false},
    [PLAY_SITES] = {"sites", false, false},
    [PLAY_SITES_BLOCKED] = {"sites-blocked", true, false},
    [PLAY_NEW_BLOCK] = {"new-block", false, false},
    [PLAY_PRINTS] = {"prints", false, false},
};

struct site_run { // one site
    const struct options *o;
    enum play_set set;
    struct people people;
    struct flows flows;
    struct score *score; // of lines
    struct score
        *nobody; // of addresses without a lease, by address; allocated when the first speaks
    uint32_t lines;
    struct address_book book;
    struct counting counting;
    struct engine *engine;
    struct rows *rows;
    FILE *verdicts;
    unsigned days;
    uint64_t rows_count;
};

struct config {
    struct conf_site site;
    struct settings *settings;
    char hash[33];
};

const char *play_set_name(enum play_set set)
{
    return sets[set].name;
}

bool play_wants(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        if (strncmp(at, name, n) == 0 && (at[n] == '\0' || at[n] == ','))
            return true;
    }
    return !list;
}

static int64_t dials_in_ms(const struct site_run *run, const struct line *l)
{
    const struct rates *r = run->people.rates;
    double hours = r->low[RATE_reconnect_hours] +
                   (r->high[RATE_reconnect_hours] - r->low[RATE_reconnect_hours]) * l->r[4];
    return l->kind == KIND_reconnects ? (int64_t)(hours * (double)HOUR_MS) : 0;
}

// As "%u" would write it, of which there are millions.
static void name_of_line(uint32_t line, char *out)
{
    char digits[12];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + line % 10);
    while ((line /= 10) > 0);
    while (n > 0)
        *out++ = digits[--n];
    *out = '\0';
}

// While the line is told of a neighbour's bot, at the address that it had before, nobody gives a sign of that lease.
static void tell_of_bot(const struct site_run *run, const struct line *l, int64_t t_ms,
                        struct rows_whose *out)
{
    int64_t begin_ms = run->counting.begin_ms - run->o->warm * DAY_MS, from_ms, to_ms;
    for (int64_t day = (t_ms - begin_ms) / DAY_MS, k = 0; k < 2; k++) {
        if (!odd_told(&run->people, l, begin_ms + (day - k) * DAY_MS, &from_ms, &to_ms) ||
            t_ms < from_ms || t_ms >= to_ms)
            continue;
        out->address = run->lines * (uint32_t)(2 + day - k) + l->index; // no two times the same
        out->seen_ms = events_sign_ms(run->people.rates, l->index, from_ms);
    }
}

static void whose(uint32_t line, int64_t t_ms, void *ctx, struct rows_whose *out)
{
    const struct site_run *run = ctx;
    const struct line *l = &run->score[line].line;
    struct events_whose w = address_book_whose(&run->book, line, t_ms, dials_in_ms(run, l));
    *out = (struct rows_whose){
        .address = w.address, .confidence = w.confidence, .doubts = w.doubts, .seen_ms = w.seen_ms};
    if (l->kind == KIND_told_of_bot)
        tell_of_bot(run, l, t_ms, out);
    out->party.kind = l->kind == KIND_account ? PARTY_MAILBOX : PARTY_LINE;
    name_of_line(w.line, out->party.id);
    if (l->kind == KIND_cgnat) { // nobody knows whose port it was
        out->party.kind = PARTY_PROVISIONAL;
        out->confidence = IDENTITY_AMBIGUOUS;
        out->doubts |= IDENTITY_NO_PORT;
    } else if (w.provisional && l->kind != KIND_account) {
        out->party.kind = PARTY_PROVISIONAL;
        snprintf(out->party.id, sizeof out->party.id, "%c%u", ID_NOBODY, w.address);
    }
}

// NULL: an address near a change of hands on a site of attackers, whose it was nobody can score.
static struct score *score_of(struct site_run *run, const char *id)
{
    if (id[0] != ID_NOBODY)
        return &run->score[strtoul(id, NULL, 10)];
    if (sets[run->set].attacks)
        return NULL;
    if (!run->nobody && !(run->nobody = calloc((size_t)run->lines * 2, sizeof *run->nobody)))
        exit(1);
    struct score *s = &run->nobody[strtoul(id + 1, NULL, 10)];
    if (!s->baseline)
        score_init(s, &(struct line){.kind = KIND_unleased, .from_ms = INT64_MAX});
    return s;
}

// The guilty are far more than on a real site: their failures must not pass for the site's.
static bool counts(uint32_t line, void *ctx)
{
    return ((struct site_run *)ctx)->score[line].line.kind < KIND_GUILTY;
}

static int take_row(const struct minute_row *r, void *ctx)
{
    struct site_run *run = ctx;
    struct score *s = score_of(run, r->party.id);
    run->rows_count++;
    if (s)
        score_row(s, &run->counting, r);
    if (run->o->blind)
        return 0;
    return engine_row(run->engine, r, &(struct journal_cursor){0}, &(struct journal_cursor){0});
}

static void take_mark(int64_t mark_ms, const struct minute_site *site, void *ctx)
{
    struct site_run *run = ctx;
    struct coverage_minute c;
    if (sight_declare(&run->o->sight, site->minute, &c))
        engine_coverage(run->engine, &c);
    engine_site(run->engine, site);
    engine_mark(run->engine, mark_ms);
}

static int expected_of(const struct site_run *run, const struct line *l)
{
    bool real = l->kind == KIND_real || l->kind == KIND_real_blocked;
    return real ? run->people.real->item[l->real].expected : kind_expected(l->kind);
}

static void take_verdict(const struct verdict *v, void *ctx)
{
    struct site_run *run = ctx;
    struct score *s = score_of(run, v->party.id);
    if (s)
        score_verdict(s, &run->counting, v, expected_of(run, &s->line), run->verdicts);
}

static int load_config(const struct options *o, bool blocked, struct config *out)
{
    char text[2048];
    int length = snprintf(text, sizeof text,
                          "site: {timezone: Europe/Berlin, port25: %s}\nanalysis:\n",
                          blocked ? "blocked-after" : "open");
    length += snprintf(text + length, sizeof text - (size_t)length, "  detectors_off: [%s]\n",
                       o->off ? o->off : "");
    if (o->open > 0)
        length += snprintf(text + length, sizeof text - (size_t)length, "  classes:\n");
    for (unsigned c = 0; o->open > 0 && c < VERDICT_CLASSES; c++)
        length += snprintf(text + length, sizeof text - (size_t)length,
                           "    - {class: %s, open: %g}\n", verdict_class_name(c), o->open);
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

static struct line *add_line(struct site_run *run, unsigned kind, unsigned which,
                             uint64_t site_seed, int64_t begin_ms)
{
    uint32_t i = run->lines;
    struct score *more = realloc(run->score, (i + 1) * sizeof *more);
    if (!more)
        exit(1);
    run->score = more;
    struct line l = line_make(&run->people, (uint8_t)kind, i, seed_of("line", site_seed, i),
                              begin_ms, run->counting.end_ms);
    l.real = (uint16_t)which;
    score_init(&run->score[i], &l);
    run->lines++;
    return &run->score[i].line;
}

static void add_families(struct site_run *run, uint64_t site_seed)
{
    static const uint8_t kinds[] = {KIND_fast_tls, KIND_slow_tls, KIND_crafty};
    for (uint8_t family = CLIENT_OWN; family <= CLIENT_LIBRARY; family++) {
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            // The fast ones come first: what is learnt from them may help with the others.
            int64_t begin_ms = run->counting.begin_ms + (k > 0 ? 2 * DAY_MS : 0);
            for (unsigned i = 0; i < PRINT_BOTS; i++) {
                struct line *l = add_line(run, kinds[k], 0, site_seed, begin_ms);
                l->family = family;
                if (k == 0) {
                    int64_t late_ms = l->from_ms - (begin_ms + (i + 1) * DAY_MS / 2);
                    l->from_ms -= late_ms > 0 ? late_ms : 0;
                    l->to_ms -= late_ms > 0 ? late_ms : 0;
                }
            }
        }
    }
}

// Where everybody is guilty no client is common among the innocent: there none is shown.
static void show_clients(struct site_run *run)
{
    for (size_t i = 0; i < run->flows.count && !sets[run->set].attacks; i++) {
        struct flow *f = &run->flows.item[i];
        f->client = client_of(run->people.rates, &run->score[f->line].line, f);
    }
}

// While the BNG boots there is no line and nothing on it.
static void darken(struct site_run *run)
{
    size_t kept = 0;
    if (run->people.events.reboot.to_ms == 0)
        return;
    for (size_t i = 0; i < run->flows.count; i++) {
        if (!events_dark(&run->people.events, run->flows.item[i].t_ms))
            run->flows.item[kept++] = run->flows.item[i];
    }
    run->flows.count = kept;
}

static int play_days(struct site_run *run, uint64_t seed, int64_t start_ms)
{
    const struct options *o = run->o;
    int rc = 0;
    for (unsigned d = 0; rc == 0 && d < o->warm + run->days; d++) {
        int64_t day_ms = start_ms + d * DAY_MS;
        run->flows.count = 0;
        events_draw(run->people.rates, seed, day_ms, &run->people.events);
        if (run->set == PLAY_NEW_BLOCK && d == o->warm + 1)
            run->people.events.block_ms = day_ms + 11 * HOUR_MS;
        for (uint32_t i = 0; i < run->lines; i++) {
            const struct line *l = &run->score[i].line;
            // A new server has no days before; neither has who is guilty from the beginning.
            if (l->kind == KIND_new_server && d < o->warm)
                continue;
            line_day(&run->people, l, day_ms);
        }
        darken(run);
        show_clients(run);
        address_book_day(&run->book, &run->people.events);
        rc = rows_day(run->rows, &run->flows, day_ms + DAY_MS, counts, take_row, take_mark, run);
    }
    return rc;
}

static unsigned wanted(const struct site_run *run, unsigned kind, struct rng *r)
{
    const struct options *o = run->o;
    bool guilty = kind >= KIND_GUILTY;
    size_t real = run->people.real->count;
    unsigned each = kind == KIND_real || kind == KIND_real_blocked ? o->each * (unsigned)real
                                                                   : o->each;
    if (!play_wants(o->only, kind_name(kind)) || KIND_IS_NOBODY(kind))
        return 0;
    switch (run->set) {
    case PLAY_GUILTY: return guilty && !kind_is_blocked(kind) ? each : 0;
    case PLAY_BLOCKED: return kind_is_blocked(kind) ? each : 0;
    case PLAY_KINDS: return guilty || kind == KIND_household ? 0 : each;
    case PLAY_KINDS_BLOCKED:
        return guilty || !kind_is_household(kind) || kind == KIND_cgnat ? 0
               : kind == KIND_household                                 ? each * HOMES
                                                                        : each;
    default: return guilty ? 0 : rng_poisson(r, o->lines * kind_frequency(kind) / 1e6);
    }
}

static const char *name_of(const struct site_run *run, const struct line *l, char out[static 96])
{
    if (l->family != CLIENT_NO_FAMILY) {
        snprintf(out, 96, "%s_%s", kind_name(l->kind), l->family == CLIENT_OWN ? "own" : "library");
        return out;
    }
    if (l->kind != KIND_real && l->kind != KIND_real_blocked)
        return kind_name(l->kind);
    snprintf(out, 96, "%s_%s", run->people.real->item[l->real].name,
             l->kind == KIND_real ? "open" : "declared");
    return out;
}

static void write_score(struct site_run *run, struct score *s, FILE *out)
{
    char name[96];
    bool guilty = s->line.kind >= KIND_GUILTY;
    if (!guilty)
        score_end(s, &run->counting);
    if (guilty || score_is_flagged(s))
        score_write(s, &run->counting, sets[run->set].name, name_of(run, &s->line, name), out);
    score_fini(s);
}

static void write_all(struct site_run *run, struct play_files *files)
{
    unsigned lines[KIND_N] = {0};
    for (uint32_t i = 0; i < run->lines; i++) {
        lines[run->score[i].line.kind]++;
        write_score(run, &run->score[i], files->scores);
    }
    for (uint32_t i = 0; run->nobody && i < run->lines * 2; i++) {
        if (!run->nobody[i].baseline)
            continue;
        lines[KIND_unleased]++;
        write_score(run, &run->nobody[i], files->scores);
    }
    for (unsigned k = 0; k < KIND_N; k++) {
        if (lines[k] > 0)
            fprintf(files->totals, "%s,%s,%u,%u,%u\n", sets[run->set].name, kind_name(k), lines[k],
                    KIND_IS_NOBODY(k) ? 0 : run->days, kind_is_household(k) ? 1U : 0U);
    }
}

int play_site(const struct options *o, const struct rates *rates, const struct real_bots *real,
              enum play_set set, unsigned number, struct play_files *files)
{
    struct config config;
    bool sites = set == PLAY_SITES || set == PLAY_SITES_BLOCKED;
    unsigned days = sets[set].attacks                   ? o->attack_days
                    : !sites && o->days > KIND_DAYS_MAX ? KIND_DAYS_MAX
                                                        : o->days;
    int32_t clock_day = clock_days[number % 2] - (int32_t)o->warm;
    uint64_t seed = seed_of(o->seeds, seed_of(sets[set].name, 0, 0), number);
    int64_t start_ms = starts_ms[number % 2];
    struct site_run run = {.o = o,
                           .set = set,
                           .people = {.rates = rates, .real = real, .blocked = sets[set].blocked},
                           .days = days,
                           .counting = {.begin_ms = start_ms + o->warm * DAY_MS,
                                        .end_ms = start_ms + (o->warm + days) * DAY_MS,
                                        .levels = set == PLAY_SITES ? files->levels : NULL,
                                        .no_baselines = o->no_baselines,
                                        .clock_day = clock_day < (int32_t)days ? clock_day : -1},
                           .verdicts = files->verdicts};
    struct rng r = {seed};
    if (load_config(o, sets[set].blocked, &config) != 0)
        return -EINVAL;
    run.people.out = &run.flows;
    for (unsigned k = 0; k < KIND_N; k++) {
        for (unsigned n = wanted(&run, k, &r), i = 0; i < n; i++)
            add_line(&run, k, real->count ? i % (unsigned)real->count : 0, seed,
                     run.counting.begin_ms);
    }
    if (set == PLAY_PRINTS)
        add_families(&run, seed);
    run.book.lines = run.lines;
    run.book.signs = rates;
    run.book.rates = sets[set].attacks ? NULL : rates;
    struct engine_options eo = {
        .settings = config.settings, .site = &config.site, .conf_hash = config.hash};
    struct rows_options ro = {.whose = whose, .ctx = &run, .address = ADDRESS, .sight = &o->sight};
    run.engine = engine_new(&eo, take_verdict, &run);
    run.rows = rows_new(&ro);
    int rc = run.engine && run.rows ? play_days(&run, seed, start_ms) : -ENOMEM;
    write_all(&run, files);
    if (number == o->first_site || number == 0)
        printf("configuration,%s,%s\n", sets[set].name, config.hash);
    files->rows += run.rows_count;
    free(run.score);
    free(run.nobody);
    free(run.flows.item);
    rows_free(run.rows);
    engine_free(run.engine);
    free_config(&config);
    return rc;
}
