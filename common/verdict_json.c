// Verdicts as JSON, both ways. The document is docs/formats/verdict.md; what is read is checked
// member by member, since files pass through many hands.
#include "common/verdict.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/json_field.h"
#include "common/timefmt.h"

#define LOG_ODDS_MAX 1e6
#define NUMBER_MAX   1e15

static const char *confidence_name(unsigned c)
{
    static const char *const names[] = {"unknown", "ambiguous", "stale", "likely", "certain"};
    return c < sizeof names / sizeof names[0] ? names[c] : NULL;
}

#define CONFIDENCES 5

static const char *doubt_name(uint32_t bit)
{
    switch (bit) {
    case IDENTITY_NEAR_CHANGE: return "near-change";
    case IDENTITY_CLOCKS_DIFFER: return "clocks-differ";
    case IDENTITY_BNG_REBOOT: return "bng-reboot";
    case IDENTITY_NO_PORT: return "no-port";
    case IDENTITY_OVERLAP: return "overlap";
    case IDENTITY_LOST_STOP: return "lost-stop";
    case IDENTITY_UNCONFIRMED: return "unconfirmed";
    default: return NULL;
    }
}

static const char *source_name(uint32_t bit)
{
    switch (bit) {
    case VERDICT_FROM_PACKETS: return "packets";
    case VERDICT_FROM_LOG: return "log";
    case VERDICT_FROM_EXPORT: return "export";
    default: return NULL;
    }
}

json_t *verdict_evidence_to_json(const struct verdict_evidence *e)
{
    json_t *o = json_object();
    bool ok = o && json_put_text(o, "detector", e->detector) &&
              json_put_text(o, "family", verdict_family_name(e->family)) &&
              json_put(o, "measured", json_number(e->measured, 3)) &&
              json_put(o, "limit", json_number(e->limit, 3)) && json_put_text(o, "unit", e->unit) &&
              json_put_int(o, "window_s", e->window_s) &&
              json_put(o, "log_odds", json_number(e->log_odds, 4)) &&
              json_put(o, "conclusive", json_boolean(e->conclusive)) &&
              json_put(o, "counted", json_boolean(e->counted)) &&
              json_put_time(o, "first_seen", e->first_ms) &&
              json_put_time(o, "last_seen", e->last_ms) &&
              json_put_text(o, "sentence", e->sentence);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static bool put_identity(json_t *o, const struct verdict *v)
{
    char party[PARTY_TEXT_MAX];
    char key[SUBSCRIBER_TEXT_MAX];
    return json_put_text(o, "party", party_format(&v->party, party)) &&
           json_put_text(o, "subscriber", subscriber_key_format(&v->key, key)) &&
           json_put_text(o, "pop", v->pop) && json_put_text(o, "network_class", v->network_class) &&
           json_put_text(o, "confidence", confidence_name(v->confidence)) &&
           json_put_bits(o, "doubts", v->doubts, doubt_name) && json_put_text(o, "role", v->role);
}

static bool put_judgement(json_t *o, const struct verdict *v)
{
    return json_put_time(o, "first_seen", v->first_ms) &&
           json_put_time(o, "last_seen", v->last_ms) && json_put_time(o, "detected", v->made_ms) &&
           json_put(o, "prior", json_number(v->prior, 4)) &&
           json_put(o, "log_odds", json_number(v->log_odds, 4)) &&
           json_put(o, "score", json_number(v->score, 6)) &&
           json_put_text(o, "ceiling", verdict_ceiling_name(v->ceiling)) &&
           json_put_bits(o, "limitations", v->limitations, verdict_limitation_name) &&
           json_put_bits(o, "sources", v->sources, source_name) &&
           json_put_int(o, "loss_ppm", v->loss_ppm) &&
           json_put_int(o, "observed_s", v->observed_s) &&
           json_put_int(o, "window_s", v->window_s) &&
           json_put_text(o, "rules_version", v->rules_version) &&
           json_put_text(o, "conf_hash", v->conf_hash) && json_put_text(o, "inputs", v->inputs);
}

static const char *other_name(const struct verdict *v)
{
    return v->event == VERDICT_CLOSED ? "told_as" : "beside";
}

json_t *verdict_to_json(const struct verdict *v)
{
    char sentence[VERDICT_SENTENCE_MAX];
    verdict_sentence(v, sentence);
    json_t *o = json_object();
    json_t *list = json_array();
    bool ok = o && list && json_put_int(o, "v", VERDICT_VERSION) &&
              json_put_text(o, "event", verdict_event_name(v->event)) &&
              json_put_text(o, "id", v->id) &&
              json_put_text(o, "class", verdict_class_name(v->class_)) &&
              (!v->other_class ||
               json_put_text(o, other_name(v), verdict_class_name(v->other_class - 1u))) &&
              put_identity(o, v) && put_judgement(o, v) && json_put_text(o, "sentence", sentence);
    for (uint32_t i = 0; ok && i < v->evidence_count; i++)
        ok = json_array_append_new(list, verdict_evidence_to_json(&v->evidence[i])) == 0;
    if (ok)
        ok = json_object_set(o, "evidence", list) == 0;
    json_decref(list);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static void get_evidence(struct json_fields *f, struct verdict_evidence *e)
{
    json_get_text(f, "detector", e->detector, sizeof e->detector);
    e->family = json_get_name(f, "family", verdict_family_name, VERDICT_FAMILIES);
    e->measured = json_get_real(f, "measured", -NUMBER_MAX, NUMBER_MAX);
    e->limit = json_get_real(f, "limit", -NUMBER_MAX, NUMBER_MAX);
    json_get_text(f, "unit", e->unit, sizeof e->unit);
    e->window_s = (int32_t)json_get_int(f, "window_s", 0, INT32_MAX);
    e->log_odds = json_get_real(f, "log_odds", -LOG_ODDS_MAX, LOG_ODDS_MAX);
    e->conclusive = json_get_bool(f, "conclusive");
    e->counted = json_get_bool(f, "counted");
    e->first_ms = json_get_time(f, "first_seen");
    e->last_ms = json_get_time(f, "last_seen");
    json_get_text(f, "sentence", e->sentence, sizeof e->sentence);
}

static void get_identity(struct json_fields *f, struct verdict *v)
{
    char party[PARTY_TEXT_MAX] = "";
    char key[SUBSCRIBER_TEXT_MAX] = "";
    json_get_text(f, "party", party, sizeof party);
    if (!f->failed && party_parse(party, &v->party) != 0)
        json_fields_fail(f, "party", "is no party");
    json_get_text(f, "subscriber", key, sizeof key);
    if (!f->failed && subscriber_key_parse(key, &v->key) != 0)
        json_fields_fail(f, "subscriber", "is no subscriber key");
    json_get_text(f, "pop", v->pop, sizeof v->pop);
    json_get_text(f, "network_class", v->network_class, sizeof v->network_class);
    v->confidence = json_get_name(f, "confidence", confidence_name, CONFIDENCES);
    v->doubts = json_get_bits(f, "doubts", doubt_name);
    json_get_text(f, "role", v->role, sizeof v->role);
}

static void get_judgement(struct json_fields *f, struct verdict *v)
{
    v->first_ms = json_get_time(f, "first_seen");
    v->last_ms = json_get_time(f, "last_seen");
    v->made_ms = json_get_time(f, "detected");
    v->prior = json_get_real(f, "prior", -LOG_ODDS_MAX, LOG_ODDS_MAX);
    v->log_odds = json_get_real(f, "log_odds", -LOG_ODDS_MAX, LOG_ODDS_MAX);
    v->score = json_get_real(f, "score", 0, 1);
    v->ceiling = json_get_name(f, "ceiling", verdict_ceiling_name, VERDICT_QUARANTINE + 1);
    v->limitations = json_get_bits(f, "limitations", verdict_limitation_name);
    v->sources = json_get_bits(f, "sources", source_name);
    v->loss_ppm = (uint32_t)json_get_int(f, "loss_ppm", 0, 1000000);
    v->observed_s = (uint32_t)json_get_int(f, "observed_s", 0, UINT32_MAX);
    v->window_s = (uint32_t)json_get_int(f, "window_s", 0, UINT32_MAX);
    json_get_text(f, "rules_version", v->rules_version, sizeof v->rules_version);
    json_get_text(f, "conf_hash", v->conf_hash, sizeof v->conf_hash);
    json_get_text(f, "inputs", v->inputs, sizeof v->inputs);
}

int verdict_from_json(const json_t *j, struct verdict *v, char error[static 160])
{
    struct verdict read = {0};
    struct json_fields f = json_fields_of(j, error);
    json_get_int(&f, "v", VERDICT_VERSION, VERDICT_VERSION);
    read.event = json_get_name(&f, "event", verdict_event_name, VERDICT_CLOSED + 1);
    json_get_text(&f, "id", read.id, sizeof read.id);
    if (!f.failed && read.id[0] == '\0')
        json_fields_fail(&f, "id", "is empty");
    read.class_ = json_get_name(&f, "class", verdict_class_name, VERDICT_CLASSES);
    if (!f.failed && json_object_get(j, other_name(&read)))
        read.other_class = (uint8_t)(json_get_name(&f, other_name(&read), verdict_class_name,
                                                   VERDICT_CLASSES) +
                                     1);
    get_identity(&f, &read);
    get_judgement(&f, &read);
    const json_t *list = json_get_array(&f, "evidence", VERDICT_EVIDENCE_MAX);
    for (size_t i = 0; !f.failed && i < json_array_size(list); i++) {
        char inner[160];
        struct json_fields e = json_fields_of(json_array_get(list, i), inner);
        get_evidence(&e, &read.evidence[read.evidence_count++]);
        if (e.failed)
            json_fields_fail(&f, "evidence", inner);
    }
    if (f.failed)
        return -EINVAL;
    *v = read;
    return 0;
}
