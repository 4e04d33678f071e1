// Tickets and their changes as JSON, both ways. The document is docs/formats/ticket.md.
#include "common/ticket.h"

#include <errno.h>
#include <string.h>

#include "common/json_field.h"

#define CLOSE_REASONS 7
#define CHANGE_KINDS  3

static bool put_who(json_t *o, const struct ticket *t)
{
    char party[PARTY_TEXT_MAX];
    char key[SUBSCRIBER_TEXT_MAX];
    return json_put_int(o, "number", t->number) && json_put_text(o, "case_code", t->case_code) &&
           json_put_text(o, "verdict_id", t->verdict_id) &&
           json_put_text(o, "class", verdict_class_name(t->class_)) &&
           json_put_text(o, "party", party_format(&t->party, party)) &&
           json_put_text(o, "subscriber", subscriber_key_format(&t->key, key)) &&
           json_put_text(o, "pop", t->pop) && json_put_text(o, "network_class", t->network_class);
}

static bool put_state(json_t *o, const struct ticket *t)
{
    return json_put_text(o, "state", ticket_state_name(t->state)) &&
           json_put_bits(o, "actions", t->actions, ticket_action_name) &&
           json_put_bits(o, "actions_applied", t->actions_applied, ticket_action_name) &&
           json_put_text(o, "ceiling", verdict_ceiling_name(t->ceiling)) &&
           json_put_time(o, "first_seen", t->first_seen_ms) &&
           json_put_time(o, "detected", t->detected_ms) &&
           json_put_time(o, "last_seen", t->last_seen_ms) &&
           json_put_time(o, "changed", t->changed_ms) &&
           json_put_time(o, "expires", t->expires_ms) &&
           json_put(o, "score", json_number(t->score, 6)) &&
           json_put_text(o, "close_reason", ticket_close_reason_name(t->close_reason)) &&
           json_put_int(o, "offence", t->offence) &&
           json_put_int(o, "self_releases", t->self_releases) &&
           json_put_text(o, "held", t->held) && json_put_text(o, "sentence", t->sentence);
}

json_t *ticket_to_json(const struct ticket *t, const struct verdict *v)
{
    json_t *o = json_object();
    bool ok = o && json_put_int(o, "v", TICKET_VERSION) && put_who(o, t) && put_state(o, t) &&
              (!v || json_put(o, "verdict", verdict_to_json(v)));
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

json_t *ticket_change_to_json(const struct ticket_change *c)
{
    json_t *o = json_object();
    bool evidence = c->verdict.evidence_count > 0;
    bool ok = o && json_put_int(o, "v", TICKET_VERSION) && json_put_int(o, "change", c->number) &&
              json_put_time(o, "time", c->t_ms) &&
              json_put_text(o, "kind", ticket_change_kind_name(c->kind)) &&
              json_put_text(o, "by", c->by) &&
              json_put(o, "ticket", ticket_to_json(&c->ticket, NULL)) &&
              json_put(o, "verdict", evidence ? verdict_to_json(&c->verdict) : json_null());
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static void get_who(struct json_fields *f, struct ticket *t)
{
    char party[PARTY_TEXT_MAX] = "";
    char key[SUBSCRIBER_TEXT_MAX] = "";
    t->number = json_get_int(f, "number", 1, INT64_MAX);
    json_get_text(f, "case_code", t->case_code, sizeof t->case_code);
    json_get_text(f, "verdict_id", t->verdict_id, sizeof t->verdict_id);
    t->class_ = json_get_name(f, "class", verdict_class_name, VERDICT_CLASSES);
    json_get_text(f, "party", party, sizeof party);
    if (!f->failed && party_parse(party, &t->party) != 0)
        json_fields_fail(f, "party", "is no party");
    json_get_text(f, "subscriber", key, sizeof key);
    if (!f->failed && subscriber_key_parse(key, &t->key) != 0)
        json_fields_fail(f, "subscriber", "is no subscriber key");
    json_get_text(f, "pop", t->pop, sizeof t->pop);
    json_get_text(f, "network_class", t->network_class, sizeof t->network_class);
}

static void get_state(struct json_fields *f, struct ticket *t)
{
    t->state = json_get_name(f, "state", ticket_state_name, TICKET_STATES);
    t->actions = json_get_bits(f, "actions", ticket_action_name);
    t->actions_applied = json_get_bits(f, "actions_applied", ticket_action_name);
    t->ceiling = json_get_name(f, "ceiling", verdict_ceiling_name, VERDICT_QUARANTINE + 1);
    t->first_seen_ms = json_get_time(f, "first_seen");
    t->detected_ms = json_get_time(f, "detected");
    t->last_seen_ms = json_get_time(f, "last_seen");
    t->changed_ms = json_get_time(f, "changed");
    t->expires_ms = json_get_time(f, "expires");
    t->score = json_get_real(f, "score", 0, 1);
    t->close_reason = json_get_name(f, "close_reason", ticket_close_reason_name, CLOSE_REASONS);
    t->offence = (uint32_t)json_get_int(f, "offence", 0, UINT32_MAX);
    t->self_releases = (uint32_t)json_get_int(f, "self_releases", 0, UINT32_MAX);
    json_get_text(f, "held", t->held, sizeof t->held);
    json_get_text(f, "sentence", t->sentence, sizeof t->sentence);
}

int ticket_from_json(const json_t *j, struct ticket *t, char error[static 160])
{
    struct ticket read = {0};
    struct json_fields f = json_fields_of(j, error);
    json_get_int(&f, "v", TICKET_VERSION, TICKET_VERSION);
    get_who(&f, &read);
    get_state(&f, &read);
    if (f.failed)
        return -EINVAL;
    *t = read;
    return 0;
}

int ticket_change_from_json(const json_t *j, struct ticket_change *c, char error[static 160])
{
    struct ticket_change read = {0};
    char inner[160] = "";
    struct json_fields f = json_fields_of(j, error);
    json_get_int(&f, "v", TICKET_VERSION, TICKET_VERSION);
    read.number = json_get_int(&f, "change", 1, INT64_MAX);
    read.t_ms = json_get_time(&f, "time");
    read.kind = json_get_name(&f, "kind", ticket_change_kind_name, CHANGE_KINDS);
    json_get_text(&f, "by", read.by, sizeof read.by);
    if (!f.failed && ticket_from_json(json_object_get(j, "ticket"), &read.ticket, inner) != 0)
        json_fields_fail(&f, "ticket", inner);
    const json_t *verdict = f.failed ? NULL : json_object_get(j, "verdict");
    if (!f.failed && !verdict)
        json_fields_fail(&f, "verdict", "is missing");
    if (!f.failed && !json_is_null(verdict) &&
        verdict_from_json(verdict, &read.verdict, inner) != 0)
        json_fields_fail(&f, "verdict", inner);
    if (f.failed)
        return -EINVAL;
    *c = read;
    return 0;
}
