// The same journal under two configurations. See compare.h.
#include "compare.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/timefmt.h"
#include "follow.h"
#include "hash.h"
#include "overrides.h"

struct flag {
    struct verdict verdict; // the first, without its evidence
    char sentence[VERDICT_SENTENCE_MAX];
    uint8_t ceiling;
};

// Who is flagged under one configuration: a table by party and class.
struct flags {
    struct flag **place;
    size_t places, count; // places: a power of two
    bool failed;
};

static uint64_t hash_of(const struct verdict *v)
{
    return hash_octets(v->party.id, strlen(v->party.id),
                       (uint64_t)v->party.kind * VERDICT_CLASSES + v->class_);
}

static struct flag **find(const struct flags *f, const struct verdict *v)
{
    size_t at = (size_t)hash_of(v) & (f->places - 1);
    while (f->place[at] && (f->place[at]->verdict.class_ != v->class_ ||
                            f->place[at]->verdict.party.kind != v->party.kind ||
                            strcmp(f->place[at]->verdict.party.id, v->party.id) != 0))
        at = (at + 1) & (f->places - 1);
    return &f->place[at];
}

static bool grow(struct flags *f)
{
    if (f->places > 0 && f->count * 2 < f->places)
        return true;
    struct flags more = {.places = f->places ? f->places * 2 : 1024, .count = f->count};
    more.place = calloc(more.places, sizeof *more.place);
    if (!more.place)
        return false;
    for (size_t i = 0; i < f->places; i++) {
        if (f->place[i])
            *find(&more, &f->place[i]->verdict) = f->place[i];
    }
    free(f->place);
    *f = more;
    return true;
}

static void note(const struct verdict *v, void *ctx)
{
    struct flags *f = ctx;
    if (v->event == VERDICT_CLOSED || f->failed)
        return;
    struct flag **at = grow(f) ? find(f, v) : NULL;
    if (at && !*at) {
        *at = calloc(1, sizeof **at);
        if (*at) {
            f->count++;
            (*at)->verdict = *v;
            verdict_sentence(v, (*at)->sentence);
        }
    }
    if (!at || !*at)
        f->failed = true;
    else if (v->ceiling > (*at)->ceiling)
        (*at)->ceiling = v->ceiling;
}

static void flags_fini(struct flags *f)
{
    for (size_t i = 0; i < f->places; i++)
        free(f->place[i]);
    free(f->place);
}

static int by_detection(const void *a, const void *b)
{
    const struct flag *x = *(struct flag *const *)a, *y = *(struct flag *const *)b;
    if (x->verdict.made_ms != y->verdict.made_ms)
        return x->verdict.made_ms < y->verdict.made_ms ? -1 : 1;
    int party = strcmp(x->verdict.party.id, y->verdict.party.id);
    return party ? party : (int)x->verdict.class_ - (int)y->verdict.class_;
}

// The flags in the order in which they were raised; the caller frees the list.
static struct flag **sorted(const struct flags *f)
{
    struct flag **list = calloc(f->count + 1, sizeof *list);
    size_t n = 0;
    for (size_t i = 0; list && i < f->places; i++) {
        if (f->place[i])
            list[n++] = f->place[i];
    }
    if (list)
        qsort(list, n, sizeof *list, by_detection);
    return list;
}

static json_t *flag_to_json(const struct flag *f)
{
    char party[PARTY_TEXT_MAX], key[SUBSCRIBER_TEXT_MAX], first[TIME_TEXT_MAX], made[TIME_TEXT_MAX];
    const struct verdict *v = &f->verdict;
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s}", "party",
                     party_format(&v->party, party), "subscriber",
                     subscriber_key_format(&v->key, key), "class", verdict_class_name(v->class_),
                     "ceiling", verdict_ceiling_name(f->ceiling), "score", json_number(v->score, 6),
                     "first_seen", time_format(v->first_ms, first), "detected",
                     time_format(v->made_ms, made), "sentence", f->sentence);
}

static bool differs(const struct flag *a, const struct flag *b)
{
    return a->ceiling != b->ceiling || a->verdict.made_ms != b->verdict.made_ms;
}

struct result {
    json_t *newly, *no_longer, *changed;
    json_int_t same;
};

static void put_changed(struct result *r, const struct flag *was, const struct flag *is)
{
    char party[PARTY_TEXT_MAX];
    json_array_append_new(r->changed, json_pack("{s:s, s:s, s:o, s:o}", "party",
                                                party_format(&is->verdict.party, party), "class",
                                                verdict_class_name(is->verdict.class_), "old",
                                                flag_to_json(was), "new", flag_to_json(is)));
}

// -ENOMEM, or 0.
static int weigh(struct flags *was, struct flags *is, struct result *r)
{
    struct flag **old = sorted(was), **new = sorted(is);
    int rc = old && new &&grow(was) && grow(is) ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < is->count; i++) {
        const struct flag *before = *find(was, &new[i]->verdict);
        if (!before)
            json_array_append_new(r->newly, flag_to_json(new[i]));
        else if (differs(before, new[i]))
            put_changed(r, before, new[i]);
        else
            r->same++;
    }
    for (size_t i = 0; rc == 0 && i < was->count; i++) {
        if (!*find(is, &old[i]->verdict))
            json_array_append_new(r->no_longer, flag_to_json(old[i]));
    }
    free(old);
    free(new);
    return rc;
}

// The newest segment of a journal; its marks tell the journal's end.
static struct journal_cursor newest(const char *journal)
{
    struct journal_cursor best = {0};
    DIR *d = opendir(journal);
    for (struct dirent *e; d && (e = readdir(d));) {
        // "20261122.000001.pj" as a cursor is "20261122.000001:0".
        struct journal_cursor c;
        char text[JOURNAL_CURSOR_MAX];
        snprintf(text, sizeof text, "%.15s:0", e->d_name);
        if (journal_cursor_parse(text, &c) == 0 &&
            (c.day > best.day || (c.day == best.day && c.segment > best.segment)))
            best = c;
    }
    if (d)
        closedir(d);
    return best;
}

// 0 or a sysexits code after having said why.
static int end_of(const char *journal, const char *keys, int64_t *end_ms)
{
    struct follow f = {0};
    struct journal_cursor from = newest(journal);
    int code = follow_open(&f, journal, &from, keys);
    if (code == 0)
        (void)follow_take(&f, 0);
    follow_close(&f);
    *end_ms = f.last_ms;
    return code;
}

// "-7d", "-12h" or a time. 0 or -EINVAL.
static int parse_from(const char *text, int64_t end_ms, int64_t *out)
{
    if (*text != '-')
        return time_parse(text, out);
    char *unit;
    errno = 0;
    long n = strtol(text + 1, &unit, 10);
    int64_t each = *unit == 'd' ? 86400000 : *unit == 'h' ? 3600000 : *unit == 'm' ? 60000 : 0;
    if (errno != 0 || unit == text + 1 || each == 0 || unit[1] != '\0' || n < 0 || n > 100000)
        return -EINVAL;
    *out = end_ms - n * each;
    return 0;
}

// The proposed configuration and its engine.
struct proposal {
    struct conf_site site;
    struct settings *settings;
    char hash[33];
};

static int load(struct proposal *p, const char *config)
{
    p->settings = calloc(1, settings_size());
    if (!p->settings)
        return EX_OSERR;
    const struct conf_section sections[] = {{"site", conf_site_keys, &p->site},
                                            {"analysis", settings_keys(), p->settings}};
    char error[SETTINGS_ERROR];
    if (conf_load(config, sections, 2, stderr) != 0)
        return EX_CONFIG;
    conf_hash(sections, 2, p->hash);
    if (settings_check(p->settings, config, error) == 0)
        return 0;
    settings_say(error);
    return EX_CONFIG;
}

static json_t *side(const char *hash, const struct flags *f)
{
    return json_pack("{s:s, s:I}", "conf_hash", hash, "flagged", (json_int_t)f->count);
}

static int replay(const struct daemon *d, const struct proposal *p,
                  const struct overrides *overrides, struct follow *f, struct flags flags[2])
{
    struct engine_options options[2] = {
        {.settings = d->conf, .site = d->site, .overrides = overrides, .conf_hash = d->conf_hash},
        {.settings = p->settings, .site = &p->site, .overrides = overrides, .conf_hash = p->hash}};
    for (size_t i = 0; i < 2; i++) {
        f->engine[i] = engine_new(&options[i], note, &flags[i]);
        if (!f->engine[i])
            return -ENOMEM;
    }
    int rc = follow_take(f, 0);
    return rc == 0 && (flags[0].failed || flags[1].failed) ? -ENOMEM : rc;
}

static json_t *answer(const struct daemon *d, const struct proposal *p, const struct follow *f,
                      struct flags flags[2], int64_t from_ms)
{
    struct result r = {json_array(), json_array(), json_array(), 0};
    char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
    if (weigh(&flags[0], &flags[1], &r) != 0)
        return NULL;
    json_t *counts = json_pack("{s:I, s:I, s:I, s:I}", "newly_flagged",
                               (json_int_t)json_array_size(r.newly), "no_longer_flagged",
                               (json_int_t)json_array_size(r.no_longer), "changed",
                               (json_int_t)json_array_size(r.changed), "same", r.same);
    return json_pack("{s:i, s:s, s:s, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "v", 1, "from",
                     time_format(from_ms, from), "to", time_format(f->last_ms, to), "old",
                     side(d->conf_hash, &flags[0]), "new", side(p->hash, &flags[1]), "rows",
                     (json_int_t)journal_reader_stats(f->reader)->rows, "counts", counts,
                     "newly_flagged", r.newly, "no_longer_flagged", r.no_longer, "changed",
                     r.changed);
}

static int run(const struct daemon *d, const struct proposal *p, const char *journal,
               int64_t from_ms, json_t **out)
{
    const struct settings *s = d->conf;
    struct follow f = {0};
    struct flags flags[2] = {{0}};
    // What the desk said stands under both.
    struct overrides *overrides = overrides_of_state(s->state);
    if (!overrides)
        return EX_OSERR;
    int code = follow_open(&f, journal, NULL, s->journal_keys);
    if (code == 0) {
        if (from_ms != 0)
            journal_reader_skip_to(f.reader, from_ms / 60000);
        int rc = replay(d, p, overrides, &f, flags);
        if (f.last_ms < from_ms) {
            char text[TIME_TEXT_MAX];
            log_warning("%s: holds nothing from %s on; give an earlier --from", journal,
                        time_format(from_ms, text));
            f.last_ms = from_ms;
        }
        *out = rc == 0 ? answer(d, p, &f, flags, from_ms) : NULL;
        if (!*out) {
            log_error("%s: %s", journal, strerror(rc ? -rc : ENOMEM));
            code = rc == 0 || rc == -ENOMEM ? EX_OSERR : EX_IOERR;
        } else if (f.damaged > 0) {
            code = EX_DATAERR;
        }
    }
    follow_close(&f);
    for (size_t i = 0; i < 2; i++) {
        engine_free(f.engine[i]);
        flags_fini(&flags[i]);
    }
    overrides_free(overrides);
    return code;
}

int compare_rules(const struct daemon *d, const char *journal, const char *from, const char *config,
                  json_t **out)
{
    const struct settings *s = d->conf;
    struct proposal p = {0};
    int64_t from_ms = 0, end_ms = 0;
    int code = load(&p, config);
    if (code == 0 && from && *from == '-')
        code = end_of(journal, s->journal_keys, &end_ms);
    if (code == 0 && from && parse_from(from, end_ms, &from_ms) != 0) {
        log_error("%s is no time; give RFC 3339 or a span back from the journal's end as -7d",
                  from);
        code = EX_USAGE;
    }
    if (code == 0)
        code = run(d, &p, journal, from_ms, out);
    if (p.settings) {
        conf_free(conf_site_keys, &p.site);
        conf_free(settings_keys(), p.settings);
    }
    free(p.settings);
    return code;
}
