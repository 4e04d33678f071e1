// Gathers what a replay found. A status document comes from a program that has parsed outside bytes:
// what is not of the expected kind is left out, never trusted.
#include "command/outcome.h"

#include <errno.h>
#include <string.h>

#include "common/coverage.h"

int outcome_init(struct outcome *o)
{
    *o = (struct outcome){
        .counters = json_object(),
        .skipped = json_object(),
        .not_visible = json_array(),
        .inputs = json_array(),
        .problems = json_array(),
    };
    if (o->counters && o->skipped && o->not_visible && o->inputs && o->problems)
        return 0;
    outcome_fini(o);
    return -ENOMEM;
}

void outcome_fini(struct outcome *o)
{
    json_decref(o->counters);
    json_decref(o->skipped);
    json_decref(o->not_visible);
    json_decref(o->inputs);
    json_decref(o->problems);
    ticket_list_free(&o->tickets);
    *o = (struct outcome){0};
}

static uint64_t counter(const json_t *status, const char *name)
{
    json_int_t v = json_integer_value(json_object_get(json_object_get(status, "counters"), name));
    return v > 0 ? (uint64_t)v : 0;
}

// Adds up numbers by name.
static int add_numbers(json_t *to, const json_t *from)
{
    const char *name;
    json_t *count;
    json_object_foreach ((json_t *)from, name, count) {
        json_int_t old = json_integer_value(json_object_get(to, name));
        json_int_t more = json_integer_value(count);
        if (more > 0 && more > INT64_MAX - old)
            more = INT64_MAX - old;
        if (json_object_set_new(to, name, json_integer(more > 0 ? old + more : old)) != 0)
            return -ENOMEM;
    }
    return 0;
}

// Appends copies of `from`'s objects that have the texts `first` and `second`.
static int add_objects(json_t *to, const json_t *from, const char *first, const char *second,
                       const char *stage)
{
    size_t i;
    json_t *item;
    json_array_foreach (from, i, item) {
        if (!json_is_string(json_object_get(item, first)) ||
            !json_is_string(json_object_get(item, second)))
            continue;
        json_t *copy = json_deep_copy(item);
        if (!copy || (stage && json_object_set_new(copy, "stage", json_string(stage)) != 0) ||
            json_array_append_new(to, copy) != 0)
            return -ENOMEM;
    }
    return 0;
}

static int add_sensor(struct outcome *o, const json_t *status)
{
    struct coverage seen = {0};
#define X(name, element, text) seen.name = counter(status, #name);
    COVERAGE_COUNTERS(X)
#undef X
    o->packets = seen.packets;
    o->flows = seen.tcp_flows;
    o->loss_ppm = coverage_loss_ppm(&seen);
    int rc = add_numbers(o->counters, json_object_get(status, "counters"));
    if (rc == 0)
        rc = add_numbers(o->skipped, json_object_get(status, "skipped"));
    if (rc == 0)
        rc = add_objects(o->inputs, json_object_get(status, "inputs"), "name", "state", NULL);
    return rc;
}

int outcome_add_status(struct outcome *o, enum stage_id stage, const json_t *status)
{
    int rc = 0;
    if (stage == STAGE_SENSOR)
        rc = add_sensor(o, status);
    if (stage == STAGE_COLLECTOR)
        o->subscribers = counter(status, "subscribers");
    if (rc == 0)
        rc = add_objects(o->not_visible, json_object_get(status, "not_visible"), "detector", "why",
                         NULL);
    if (rc == 0)
        rc = add_objects(o->problems, json_object_get(status, "problems"), "code", "text",
                         stage_name(stage));
    return rc;
}

bool outcome_inputs_whole(const struct outcome *o)
{
    size_t i;
    json_t *input;
    json_array_foreach (o->inputs, i, input) {
        if (strcmp(json_string_value(json_object_get(input, "state")), "whole") != 0)
            return false;
    }
    return true;
}

json_t *ticket_entry_to_json(const struct ticket_entry *e)
{
    json_t *evidence = json_array();
    json_t *o = ticket_to_json(&e->ticket, NULL);
    bool whole = o && evidence;
    for (uint32_t i = 0; whole && i < e->verdict.evidence_count; i++) {
        json_t *item = verdict_evidence_to_json(&e->verdict.evidence[i]);
        whole = json_array_append_new(evidence, item) == 0;
    }
    // The ticket's own score may since have sunk below that of the evidence shown.
    if (whole && e->verdict.evidence_count > 0)
        whole = json_object_set_new(o, "score", json_number(e->verdict.score, 6)) == 0;
    whole = whole && json_object_set(o, "evidence", evidence) == 0;
    json_decref(evidence);
    if (whole)
        return o;
    json_decref(o);
    return NULL;
}

static json_t *loss_to_json(const struct outcome *o)
{
    json_t *loss = json_copy(o->counters);
    if (loss && json_object_set_new(loss, "ppm", json_integer(o->loss_ppm)) == 0 &&
        json_object_set(loss, "skipped", o->skipped) == 0)
        return loss;
    json_decref(loss);
    return NULL;
}

json_t *outcome_to_json(const struct outcome *o)
{
    json_t *tickets = json_array();
    for (size_t i = 0; tickets && i < o->tickets.count; i++) {
        if (json_array_append_new(tickets, ticket_entry_to_json(&o->tickets.item[i])) != 0) {
            json_decref(tickets);
            return NULL;
        }
    }
    return json_pack("{s:I, s:I, s:o, s:O, s:O, s:O, s:o}", "subscribers",
                     (json_int_t)o->subscribers, "flows", (json_int_t)o->flows, "loss",
                     loss_to_json(o), "not_visible", o->not_visible, "inputs", o->inputs,
                     "problems", o->problems, "tickets", tickets);
}
