// Alarms of a line. See score.h.
#include "score.h"

#include <inttypes.h>
#include <string.h>

#define CONFIRM_SCORE    0.999   // feed.confirm_score
#define CONFIRM_AFTER_MS 1800000 // feed.confirm_after

void score_init(struct score *s, const struct line *l)
{
    *s = (struct score){.line = *l, .baseline = baseline_new()};
    for (unsigned i = 0; i < JUDGES; i++)
        s->alarm[i].after_ms = NOT_FOUND;
}

void score_fini(struct score *s)
{
    baseline_free(s->baseline);
}

static bool is_guilty(const struct score *s)
{
    return s->line.kind >= KIND_GUILTY;
}

static void raise(struct score *s, const struct counting *c, unsigned judge, int64_t t_ms)
{
    int64_t from_ms = is_guilty(s) ? s->line.from_ms : c->begin_ms;
    struct alarm *a = &s->alarm[judge];
    if (t_ms < from_ms)
        return;
    if (a->after_ms == NOT_FOUND) {
        a->after_ms = t_ms - from_ms;
        a->sessions = s->sessions;
    }
    int64_t day = (t_ms - c->begin_ms) / DAY_MS;
    if (day >= 0 && day < DAYS_MAX)
        a->days |= (uint64_t)1 << day;
}

void score_end(struct score *s, const struct counting *c)
{
    bool firm = !kind_is_household(s->line.kind);
    for (unsigned j = 0; j < JUDGES; j++) {
        double steps = (double)s->alarm[j].level * LEVEL_STEPS;
        if (steps >= 1 && c->levels)
            c->levels->days[firm][j][steps < LEVELS ? (size_t)steps : LEVELS - 1]++;
        s->alarm[j].level = 0;
    }
}

// A judge's level at a time, toward the party's highest.
static void reach(struct score *s, const struct counting *c, unsigned judge, int64_t t_ms,
                  double level)
{
    if (level <= 0 || t_ms < (is_guilty(s) ? s->line.from_ms : c->begin_ms))
        return;
    int32_t day = (int32_t)((t_ms - c->begin_ms) / DAY_MS);
    if (!is_guilty(s) && day != s->day) {
        score_end(s, c);
        s->day = day;
    }
    if (level > (double)s->alarm[judge].level)
        s->alarm[judge].level = (float)level;
}

void score_row(struct score *s, const struct counting *c, const struct minute_row *r)
{
    for (uint32_t i = 0; i < r->digest_count && r->cut_ms >= s->line.from_ms; i++)
        s->sessions += r->digest[i].direction == MINUTE_OUT &&
                       (r->digest[i].flags & MINUTE_DIGEST_START);
    if (c->no_baselines)
        return;
    float level[BASELINE_N];
    unsigned alarms = baseline_row(s->baseline, r, level);
    for (unsigned b = 0; b < BASELINE_N; b++) {
        reach(s, c, b, r->cut_ms, (double)level[b]);
        if (alarms & 1u << b)
            raise(s, c, b, r->cut_ms);
    }
}

static bool is_confirmed(const struct verdict *v, int64_t opened_ms)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < v->evidence_count; i++)
        seen |= v->evidence[i].counted ? 1u << v->evidence[i].family : 0;
    bool two = (seen & (seen - 1)) != 0;
    return (v->score >= CONFIRM_SCORE && two) || v->made_ms - opened_ms >= CONFIRM_AFTER_MS;
}

static void say(const struct score *s, const struct verdict *v, bool confirmed, FILE *out)
{
    fprintf(out, "%d,%s,%s,%s,%s,%s,%.1f,", is_guilty(s), kind_name(s->line.kind),
            verdict_event_name(v->event), verdict_class_name(v->class_),
            verdict_ceiling_name(v->ceiling), confirmed ? "confirmed" : "suspect", v->log_odds);
    for (uint32_t i = 0; i < v->evidence_count; i++)
        fprintf(out, "%s%s=%.0f/%.0f", i ? " " : "", v->evidence[i].detector,
                v->evidence[i].measured, v->evidence[i].limit);
    fputc('\n', out);
}

void score_verdict(struct score *s, const struct counting *c, const struct verdict *v, int expected,
                   FILE *out)
{
    if (v->event == VERDICT_CLOSED || v->ceiling < VERDICT_TICKET)
        return;
    raise(s, c, OURS, v->made_ms);
    reach(s, c, OURS, v->made_ms, v->log_odds);
    bool guilty = is_guilty(s);
    if (v->made_ms < (guilty ? s->line.from_ms : c->begin_ms))
        return;
    s->tickets += v->event == VERDICT_OPENED;
    s->right_class |= expected >= 0 && v->class_ == expected;
    if (v->log_odds > s->log_odds)
        s->log_odds = v->log_odds;
    int64_t day = (v->made_ms - c->begin_ms) / DAY_MS;
    if (day >= 0 && day < DAYS_MAX && v->log_odds > s->log_odds_by_day[day])
        s->log_odds_by_day[day] = v->log_odds;
    bool confirmed = v->ceiling == VERDICT_QUARANTINE && is_confirmed(v, v->first_ms);
    s->confirmed |= confirmed;
    if (confirmed && day >= 0 && day < DAYS_MAX)
        s->confirmed_days |= (uint64_t)1 << day;
    bool news = !guilty || (v->event == VERDICT_OPENED && s->tickets == 1);
    if (news && out)
        say(s, v, confirmed, out);
}

bool score_is_flagged(const struct score *s)
{
    for (unsigned i = 0; i < JUDGES; i++) {
        if (s->alarm[i].after_ms != NOT_FOUND)
            return true;
    }
    return false;
}

void score_heading(FILE *out)
{
    fprintf(
        out,
        "set,kind,guilty,past,judge,found_s,sessions,days_flagged,tickets,right_class,confirmed,"
        "confirmed_days,log_odds,level,clock_day,log_odds_days\n");
}

void score_write(const struct score *s, const struct counting *c, const char *set, const char *kind,
                 FILE *out)
{
    for (unsigned j = 0; j < JUDGES; j++) {
        const struct alarm *a = &s->alarm[j];
        bool ours = j == OURS;
        if (!is_guilty(s) && a->after_ms == NOT_FOUND)
            continue;
        fprintf(out, "%s,%s,%d,%d,%s,", set, kind, is_guilty(s), s->line.past,
                ours ? "postern" : baseline_name(j));
        if (a->after_ms != NOT_FOUND)
            fprintf(out, "%.1f", (double)a->after_ms / 1000);
        bool clock = c->clock_day >= 0 && (a->days >> c->clock_day & 1) != 0;
        fprintf(out, ",%" PRIu32 ",%d,%" PRIu32 ",%d,%d,%d,%.2f,%.1f,%d,", a->sessions,
                __builtin_popcountll(a->days), ours ? s->tickets : 0, ours && s->right_class,
                ours && s->confirmed, ours ? __builtin_popcountll(s->confirmed_days) : 0,
                ours ? s->log_odds : 0, (double)a->level, clock);
        for (int64_t day = 0; ours && day < DAYS_MAX && day < (c->end_ms - c->begin_ms) / DAY_MS;
             day++) {
            if (a->days & (uint64_t)1 << day)
                fprintf(out, "%.2f ", s->log_odds_by_day[day]);
        }
        fputc('\n', out);
    }
}
