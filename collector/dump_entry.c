// Journal entries as JSON objects: what is zero is left out, hashes are hexadecimal text.
#include "dump_entry.h"

#include <string.h>

#include "common/journal.h"
#include "common/json.h"
#include "common/record.h"
#include "common/timefmt.h"

struct named_bit {
    uint32_t bit;
    const char *name;
};

static const struct named_bit row_flags[] = {
    {MINUTE_EARLY, "early"},
    {MINUTE_CLOSING, "closing"},
    {MINUTE_AMENDMENT, "amendment"},
    {MINUTE_UNOBSERVED, "unobserved"},
    {MINUTE_LEASE_START, "lease-start"},
    {MINUTE_FROM_PACKETS, "from-packets"},
    {MINUTE_FROM_LOG, "from-log"},
    {MINUTE_FROM_EXPORT, "from-export"},
    {0, NULL},
};

static const struct named_bit digest_flags[] = {
    {MINUTE_DIGEST_START, "start"},
    {MINUTE_DIGEST_END, "end"},
    {MINUTE_DIGEST_ONE_SIDED, "one-sided"},
    {MINUTE_DIGEST_TLS, "tls"},
    {MINUTE_DIGEST_AUTH, "auth"},
    {MINUTE_DIGEST_AUTH_FAILED, "auth-failed"},
    {MINUTE_DIGEST_NULL_SENDER, "null-sender"},
    {MINUTE_DIGEST_POLICY_REPLY, "policy-reply"},
    {MINUTE_DIGEST_HOSTING, "hosting"},
    {MINUTE_DIGEST_SOCKS_GRANTED, "socks-granted"},
    {MINUTE_DIGEST_SUSPECT_SPOOF, "suspect-spoof"},
    {MINUTE_DIGEST_GAP, "gap"},
    {MINUTE_DIGEST_FROM_LOG, "from-log"},
    {MINUTE_DIGEST_OUTCOME, "outcome"},
    {MINUTE_DIGEST_SCAN, "scan"},
    {0, NULL},
};

static const struct named_bit doubts[] = {
    {IDENTITY_NEAR_CHANGE, "near-change"},
    {IDENTITY_CLOCKS_DIFFER, "clocks-differ"},
    {IDENTITY_BNG_REBOOT, "bng-reboot"},
    {IDENTITY_NO_PORT, "no-port"},
    {IDENTITY_OVERLAP, "overlap"},
    {IDENTITY_LOST_STOP, "lost-stop"},
    {0, NULL},
};

static const char *const confidences[] = {"unknown", "ambiguous", "stale", "likely", "certain"};
static const char *const outcomes[] = {"pending",      "established", "greeted",
                                       "refused",      "unanswered",  "icmp",
                                       "closed-early", "turned-away", "midstream"};
static const char *const providers[] = {"none", "sni", "asn", "network"};

static void set_number(json_t *o, const char *name, uint64_t v)
{
    if (v != 0)
        json_object_set_new(o, name, json_integer((json_int_t)(v > INT64_MAX ? INT64_MAX : v)));
}

static void set_text(json_t *o, const char *name, const char *text)
{
    if (text[0])
        json_object_set_new(o, name, json_string(text));
}

static void set_hash(json_t *o, const char *name, uint64_t v)
{
    char text[20];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)v);
    if (v != 0)
        json_object_set_new(o, name, json_string(text));
}

static void set_time(json_t *o, const char *name, int64_t t_ms)
{
    char text[TIME_TEXT_MAX];
    json_object_set_new(o, name, json_string(time_format(t_ms, text)));
}

static void set_bits(json_t *o, const char *name, uint32_t bits, const struct named_bit *names)
{
    json_t *list = json_array();
    for (; names->name; names++)
        if (bits & names->bit)
            json_array_append_new(list, json_string(names->name));
    if (json_array_size(list) > 0)
        json_object_set_new(o, name, list);
    else
        json_decref(list);
}

static json_t *digest_json(const struct minute_digest *d, int64_t minute)
{
    json_t *o = json_object();
    char text[IP_TEXT_MAX];
    const char *app = record_app_name(d->app), *inner = record_app_name(d->socks_inner);
    set_hash(o, "flow", d->flow_hash);
    set_text(o, "peer", ip_format(&d->peer, text));
    set_number(o, "peer_port", d->peer_port);
    set_number(o, "own_port", d->own_port);
    set_text(o, "role", minute_role_name(d->role));
    set_text(o, "direction", d->direction == MINUTE_OUT ? "out" : "in");
    set_text(o, "app", app ? app : "");
    set_text(o, "outcome", outcomes[d->outcome]);
    set_text(o, "provider_kind", providers[d->provider_kind]);
    set_hash(o, "provider", d->provider);
    set_bits(o, "flags", d->flags, digest_flags);
    set_time(o, "start", minute * 60000 + d->start_ms);
    set_time(o, "end", minute * 60000 + d->end_ms);
    if (d->flags & MINUTE_DIGEST_OUTCOME)
        set_time(o, "outcome_at", minute * 60000 + d->outcome_ms);
    set_number(o, "octets_up", d->octets_up);
    set_number(o, "octets_down", d->octets_down);
    set_number(o, "rcpt", d->rcpt);
    set_number(o, "rcpt_5xx", d->rcpt_5xx);
    set_number(o, "messages_ok", d->messages_ok);
    set_number(o, "messages_5xx", d->messages_5xx);
    set_number(o, "first_down_ms", d->first_down_ms);
    set_number(o, "socks_port", d->socks_port);
    set_text(o, "socks_inner", d->socks_inner && inner ? inner : "");
    set_hash(o, "user", d->user);
    set_hash(o, "recipient", d->recipient);
    set_hash(o, "sender", d->sender);
    set_hash(o, "tls_client", d->tls_client);
    set_hash(o, "relay_first", d->relay_first);
    set_number(o, "carrier_opened", d->carrier_opened);
    set_number(o, "carrier_behind", d->carrier_behind);
    set_number(o, "carrier_chance", d->carrier_chance);
    set_hash(o, "carrier_networks", d->carrier_networks);
    return o;
}

static json_t *counters_json(const struct minute_row *r)
{
    json_t *all = json_object();
    for (unsigned role = 0; role < MINUTE_ROLES; role++)
        for (unsigned d = 0; d < MINUTE_DIRECTIONS; d++) {
            json_t *o = json_object();
            char name[32];
            for (unsigned c = 0; c < MINUTE_COUNTER_N; c++)
                set_number(o, minute_counter_name(c), r->counter[role][d][c]);
            snprintf(name, sizeof name, "%s/%s", minute_role_name(role),
                     d == MINUTE_OUT ? "out" : "in");
            if (json_object_size(o) > 0)
                json_object_set_new(all, name, o);
            else
                json_decref(o);
        }
    return all;
}

static json_t *row_json(const struct minute_row *r)
{
    json_t *o = json_object(), *gauges = json_object(), *sets = json_object();
    json_t *digests = json_array();
    char text[PARTY_TEXT_MAX > SUBSCRIBER_TEXT_MAX ? PARTY_TEXT_MAX : SUBSCRIBER_TEXT_MAX];
    json_object_set_new(o, "kind", json_string("row"));
    set_time(o, "minute", r->minute * 60000);
    set_time(o, "cut", r->cut_ms);
    set_text(o, "subscriber", subscriber_key_format(&r->key, text));
    set_text(o, "party", party_format(&r->party, text));
    set_text(o, "confidence", confidences[r->confidence]);
    set_bits(o, "doubts", r->doubts, doubts);
    set_bits(o, "flags", r->flags, row_flags);
    set_text(o, "class", r->network_class);
    set_text(o, "pop", r->pop);
    set_number(o, "observed_s", r->observed_s);
    set_number(o, "loss_ppm", r->loss_ppm);
    set_number(o, "lease_unseen_min", r->lease_unseen);
    json_object_set_new(o, "counters", counters_json(r));
    for (unsigned g = 0; g < MINUTE_GAUGE_N; g++)
        set_number(gauges, minute_gauge_name(g), r->gauge[g]);
    for (unsigned s = 0; s < MINUTE_SET_N; s++)
        if (distinct_count(&r->set[s]) > 0)
            json_object_set_new(sets, minute_set_name(s),
                                json_number(distinct_count(&r->set[s]), 0));
    for (uint32_t i = 0; i < r->digest_count; i++)
        json_array_append_new(digests, digest_json(&r->digest[i], r->minute));
    json_object_set_new(o, "gauges", gauges);
    json_object_set_new(o, "sets", sets);
    json_object_set_new(o, "digests", digests);
    set_number(o, "digests_cut", r->digests_cut);
    return o;
}

static json_t *coverage_json(const struct coverage_minute *m)
{
    json_t *o = json_object(), *counters = json_object();
    json_object_set_new(o, "kind", json_string("coverage"));
    set_time(o, "minute", m->minute * 60000);
    set_text(o, "sensor", m->sum.sensor);
    json_object_set_new(o, "process", json_integer(m->sum.process));
    json_object_set_new(o, "seconds", json_integer(m->seconds));
    set_number(o, "loss_ppm", m->loss_ppm);
    set_number(o, "alarms", m->alarms);
    if (m->closed_by_timeout)
        json_object_set_new(o, "closed_by_timeout", json_true());
#define X(name, element, text) set_number(counters, #name, m->sum.name);
    COVERAGE_COUNTERS(X)
#undef X
    json_object_set_new(o, "counters", counters);
    return o;
}

static json_t *site_json(const struct minute_site *s)
{
    json_t *o = json_object();
    json_object_set_new(o, "kind", json_string("site"));
    set_time(o, "minute", s->minute * 60000);
    set_text(o, "pop", s->pop);
    set_number(o, "active_parties", s->active_parties);
    set_number(o, "parties_mx", s->parties_mx);
    set_number(o, "parties_mx_failing", s->parties_mx_failing);
    set_number(o, "mx_connections", s->mx_connections);
    set_number(o, "mx_failures", s->mx_failures);
    set_number(o, "smarthost_connections", s->smarthost_connections);
    set_number(o, "smarthost_failures", s->smarthost_failures);
    set_number(o, "leases", s->leases);
    set_number(o, "lease_changes", s->lease_changes);
    return o;
}

json_t *dump_entry(const struct journal_entry *e)
{
    switch (e->kind) {
    case JOURNAL_ROW: return row_json(&e->row);
    case JOURNAL_COVERAGE: return coverage_json(&e->coverage);
    case JOURNAL_SITE: return site_json(&e->site);
    default: break;
    }
    json_t *o = json_object();
    json_object_set_new(o, "kind", json_string("mark"));
    set_time(o, "mark", e->mark_ms);
    return o;
}
