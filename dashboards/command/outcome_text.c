// What a replay found, in sentences: who would be ticketed and why, then what was not seen.
#include <string.h>

#include "command/outcome.h"
#include "common/timefmt.h"

enum { NUMBER_TEXT_MAX = 32 };

void print_text(const char *text, FILE *out)
{
    for (const char *c = text; *c; c++)
        fputc((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c, out);
}

// 12,031
static const char *number_text(uint64_t v, char out[static NUMBER_TEXT_MAX])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)v);
    size_t at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

// "4 min 40 s", "2 h 5 min", "3 d 4 h"
static void print_span(int64_t ms, FILE *out)
{
    long long s = ms / 1000;
    if (s < 60)
        fprintf(out, "%lld s", s);
    else if (s < 3600)
        fprintf(out, "%lld min %lld s", s / 60, s % 60);
    else if (s < 86400)
        fprintf(out, "%lld h %lld min", s / 3600, s / 60 % 60);
    else
        fprintf(out, "%lld d %lld h", s / 86400, s / 3600 % 24);
}

static void print_evidence(const struct verdict *v, FILE *out)
{
    uint32_t left_out = 0;
    for (uint32_t i = 0; i < v->evidence_count; i++) {
        const struct verdict_evidence *e = &v->evidence[i];
        if (!e->counted) {
            left_out++;
            continue;
        }
        fputs("    - ", out);
        print_text(e->sentence, out);
        fprintf(out, " [%s, %+.1f]\n", e->detector, e->log_odds);
    }
    if (left_out > 0)
        fprintf(out, "    (%u more that stronger evidence of the same family covers)\n", left_out);
}

static void print_limitations(uint32_t limitations, FILE *out)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        const char *text = limitations >> bit & 1 ? verdict_limitation_text(1u << bit) : NULL;
        if (text)
            fprintf(out, "    note: %s\n", text);
    }
}

void ticket_entry_print(const struct ticket_entry *e, FILE *out)
{
    const struct ticket *t = &e->ticket;
    char text[SUBSCRIBER_TEXT_MAX], party[PARTY_TEXT_MAX], at[TIME_TEXT_MAX];
    print_text(subscriber_key_format(&t->key, text), out);
    fprintf(out, "  %s  score %.2f", verdict_class_name(t->class_),
            e->verdict.evidence_count > 0 ? e->verdict.score : t->score);
    if (t->party.kind != PARTY_PROVISIONAL) {
        fputs("  ", out);
        print_text(party_format(&t->party, party), out);
    }
    fprintf(out, "  %s\n", ticket_state_name(t->state));
    fprintf(out, "    since %s", time_format(t->first_seen_ms, at));
    fprintf(out, ", detected %s (after ", time_format(t->detected_ms, at));
    print_span(t->detected_ms - t->first_seen_ms, out);
    fputs(")\n", out);
    if (t->sentence[0]) {
        fputs("    ", out);
        print_text(t->sentence, out);
        fputc('\n', out);
    }
    print_evidence(&e->verdict, out);
    print_limitations(e->verdict.limitations, out);
    if (t->held[0]) {
        fputs("    held: ", out);
        print_text(t->held, out);
        fputc('\n', out);
    }
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static void print_inputs(const struct outcome *o, FILE *out)
{
    size_t i;
    json_t *input;
    json_array_foreach(o->inputs, i, input)
    {
        const char *state = text_of(input, "state");
        if (strcmp(state, "whole") == 0)
            continue;
        fputs("  ", out);
        print_text(text_of(input, "name"), out);
        fprintf(out, " is %s", state);
        if (text_of(input, "text")[0]) {
            fputs(": ", out);
            print_text(text_of(input, "text"), out);
        }
        fputc('\n', out);
    }
}

// The counters that tell of something not seen.
static bool is_loss(const char *name)
{
    static const char *const names[] = {"missing_octets", "duplicates",     "sliced",
                                        "skipped_layers", "fragments_lost", "one_sided_flows"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return strncmp(name, "dropped_", strlen("dropped_")) == 0;
}

static void print_counter(const char *name, uint64_t value, const char *text, bool *any, FILE *out)
{
    char number[NUMBER_TEXT_MAX];
    if (value == 0 || !is_loss(name))
        return;
    fprintf(out, "  %s %s\n", number_text(value, number), text);
    *any = true;
}

static void print_loss(const struct outcome *o, FILE *out)
{
    bool any = false;
    const char *name;
    json_t *count;
    if (o->loss_ppm > 0)
        fprintf(out, "  %.2f %% of the traffic is estimated lost\n", o->loss_ppm / 10000.0);
#define X(field, element, text) print_counter(#field, o->seen.field, text, &any, out);
    COVERAGE_COUNTERS(X)
#undef X
    json_object_foreach(o->skipped, name, count)
    {
        char number[NUMBER_TEXT_MAX];
        json_int_t v = json_integer_value(count);
        fputs("  skipped: ", out);
        print_text(name, out);
        fprintf(out, " %s\n", number_text(v > 0 ? (uint64_t)v : 0, number));
        any = true;
    }
    if (!any && o->loss_ppm == 0)
        fputs("  nothing of what was captured was lost or left unopened\n", out);
}

static void print_rest(const struct outcome *o, FILE *out)
{
    size_t i;
    json_t *item;
    json_array_foreach(o->not_visible, i, item)
    {
        fputs("  off: ", out);
        print_text(text_of(item, "detector"), out);
        fputs(", not visible: ", out);
        print_text(text_of(item, "why"), out);
        fputc('\n', out);
    }
    json_array_foreach(o->problems, i, item)
    {
        fprintf(out, "  %s: ", text_of(item, "stage"));
        print_text(text_of(item, "text"), out);
        if (text_of(item, "fix")[0]) {
            fputs("; ", out);
            print_text(text_of(item, "fix"), out);
        }
        fputc('\n', out);
    }
}

void outcome_print(const struct outcome *o, FILE *out)
{
    char a[NUMBER_TEXT_MAX], b[NUMBER_TEXT_MAX], c[NUMBER_TEXT_MAX];
    fprintf(out, "%s ticket%s; %s subscriber%s, %s TCP flow%s looked at.\n",
            o->tickets.count > 0 ? number_text(o->tickets.count, a) : "No",
            o->tickets.count == 1 ? "" : "s", number_text(o->subscribers, b),
            o->subscribers == 1 ? "" : "s", number_text(o->flows, c), o->flows == 1 ? "" : "s");
    for (size_t i = 0; i < o->tickets.count; i++) {
        fputc('\n', out);
        ticket_entry_print(&o->tickets.item[i], out);
    }
    fputs("\nNot seen:\n", out);
    print_inputs(o, out);
    print_loss(o, out);
    print_rest(o, out);
}
