// What a replay found, in sentences: who would be ticketed and why, then what was not seen.
#include <string.h>

#include "command/outcome.h"
#include "common/control.h"
#include "common/timefmt.h"
#include "common/utf8.h"

enum { NUMBER_TEXT_MAX = 32 };

void print_text(const char *text, FILE *out)
{
    for (size_t n; *text; text += n ? n : 1) {
        n = utf8_character(text);
        bool c1 = n == 2 && (uint8_t)text[0] == 0xc2 && (uint8_t)text[1] < 0xa0;
        if (n == 0 || c1 || (uint8_t)*text < 0x20 || *text == 0x7f)
            fputc('?', out);
        else
            fwrite(text, 1, n, out);
    }
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

static void print_limitations(uint32_t limitations, const char *before, FILE *out)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        const char *text = limitations >> bit & 1 ? verdict_limitation_text(1u << bit) : NULL;
        if (text)
            fprintf(out, "%s%s\n", before, text);
    }
}

// What holds for every ticket is said once. One alone says it itself.
static uint32_t shared_limitations(const struct ticket_list *l)
{
    uint32_t shared = l->count > 1 ? UINT32_MAX : 0;
    for (size_t i = 0; i < l->count; i++)
        shared &= l->item[i].verdict.limitations;
    return shared;
}

static void print_ticket(const struct ticket_entry *e, uint32_t shared, FILE *out)
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
    print_limitations(e->verdict.limitations & ~shared, "    note: ", out);
    if (t->held[0]) {
        fputs("    held: ", out);
        print_text(t->held, out);
        fputc('\n', out);
    }
}

void ticket_list_print(const struct ticket_list *l, FILE *out)
{
    uint32_t shared = shared_limitations(l);
    for (size_t i = 0; i < l->count; i++) {
        fputs(i > 0 ? "\n" : "", out);
        print_ticket(&l->item[i], shared, out);
    }
    if (shared) {
        fputs("\nFor all of them:\n", out);
        print_limitations(shared, "  ", out);
    }
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

void outcome_print_input(const json_t *input, FILE *out)
{
    const char *state = text_of(input, "state"), *text = text_of(input, "text");
    print_text(text_of(input, "name"), out);
    fprintf(out, " is %s", state);
    // The sensor's words are sentences about the file: "is empty" says nothing more.
    if (text[0] && strncmp(text, "is ", 3) != 0) {
        fputs(": ", out);
        print_text(text, out);
    }
    fputc('\n', out);
}

// True when all of them were whole.
static bool print_inputs(const struct outcome *o, FILE *out)
{
    bool whole = true;
    size_t i;
    json_t *input;
    json_array_foreach (o->inputs, i, input) {
        if (strcmp(text_of(input, "state"), "whole") == 0)
            continue;
        fputs("  ", out);
        outcome_print_input(input, out);
        whole = false;
    }
    return whole;
}

// The sensor's counters that tell of something not seen.
static const struct {
    const char *name;
    const char *text;
} losses[] = {
    {"dropped_card", "packets dropped by the interface"},
    {"dropped_ring", "packets dropped by the capture ring"},
    {"dropped_flow_table", "flows ended early because the flow table was full"},
    {"evicted_flows", "flows ended early because the flow table was full"},
    {"dropped_stream_memory", "octets passed over because reassembly memory was full"},
    {"no_memory_octets", "octets passed over because reassembly memory was full"},
    {"pool_empty", "dialogues not followed because their pool was empty"},
    {"dropped_spool", "records that could not be written"},
    {"missing_octets", "octets that were acknowledged but never seen"},
    {"duplicates", "packets that were mirrored twice, counted once"},
    {"sliced", "packets cut by the snap length"},
    {"skipped_layers", "packets not opened: unknown or broken layers"},
    {"fragments_lost", "IP fragments whose datagram was never complete"},
    {"fragments_evicted", "IP fragments given up because their table was full"},
    {"realms_refused", "packets whose realm could not be told"},
    {"midstream_flows", "flows whose beginning was not seen"},
    {"one_sided_flows", "flows of which one direction only was seen"},
};

static void print_loss(const struct outcome *o, bool whole, FILE *out)
{
    bool any = o->loss_ppm > 0;
    char number[NUMBER_TEXT_MAX];
    const char *name;
    json_t *count;
    if (any)
        fprintf(out, "  %.2f %% of the traffic is estimated lost\n", o->loss_ppm / 10000.0);
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        json_int_t v = json_integer_value(json_object_get(o->counters, losses[i].name));
        if (v <= 0)
            continue;
        fprintf(out, "  %s %s\n", number_text((uint64_t)v, number), losses[i].text);
        any = true;
    }
    json_object_foreach (o->skipped, name, count) {
        json_int_t v = json_integer_value(count);
        fputs("  skipped: ", out);
        print_text(name, out);
        fprintf(out, " %s\n", number_text(v > 0 ? (uint64_t)v : 0, number));
        any = true;
    }
    if (!any)
        fprintf(out, "  nothing of what was %s was lost or left unopened\n",
                whole ? "captured" : "readable");
}

static void print_not_visible(const struct outcome *o, FILE *out)
{
    size_t i;
    json_t *item;
    json_array_foreach (o->not_visible, i, item) {
        fputs("  off: ", out);
        print_text(text_of(item, "detector"), out);
        fputs(", not visible: ", out);
        print_text(text_of(item, "why"), out);
        fputc('\n', out);
    }
}

static void print_problems(const struct outcome *o, FILE *out)
{
    size_t i;
    json_t *item;
    fputs(json_array_size(o->problems) > 0 ? "\nTo know:\n" : "", out);
    json_array_foreach (o->problems, i, item) {
        fprintf(out, "  %s: ", text_of(item, "stage"));
        print_text(text_of(item, "text"), out);
        fputs(control_joint(text_of(item, "text"), text_of(item, "fix")), out);
        print_text(text_of(item, "fix"), out);
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
    if (o->subscribers == 0 && o->flows > 0)
        fputs("None of them has a subscriber at an end: say who they are with --subscribers.\n",
              out);
    fputs(o->tickets.count > 0 ? "\n" : "", out);
    ticket_list_print(&o->tickets, out);
    fputs("\nNot seen:\n", out);
    print_loss(o, print_inputs(o, out), out);
    print_not_visible(o, out);
    print_problems(o, out);
}
