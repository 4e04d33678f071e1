// Records of a flow summed up, and the sum as canonical JSON. Memory is taken a flow at a time: this is
// for captures read by people and tests, not for the live path.
#include "print.h"

#include <errno.h>
#include <stdlib.h>

#include "common/json.h"
#include "common/timefmt.h"

struct print {
    FILE *out;
    struct record_flow **sum;
    size_t flows;
    int error;
};

struct print *print_new(FILE *out, size_t flows)
{
    struct print *p = calloc(1, sizeof *p);
    if (!p || !(p->sum = calloc(flows, sizeof *p->sum))) {
        free(p);
        return NULL;
    }
    p->out = out;
    p->flows = flows;
    return p;
}

void print_free(struct print *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->flows; i++)
        free(p->sum[i]);
    free(p->sum);
    free(p);
}

int print_failed(const struct print *p)
{
    return p->error;
}

// ---- Summing: counters add up, facts are those of the last record, except what was once true.

static void add_smtp(struct record_smtp *sum, const struct record_smtp *r)
{
    struct record_smtp old = *sum;
    *sum = *r;
#define X(name, element, text) sum->name += old.name;
    RECORD_SMTP_COUNTERS(X)
#undef X
    if (sum->banner_code == 0)
        sum->banner_code = old.banner_code;
    if (sum->starttls_state < old.starttls_state)
        sum->starttls_state = old.starttls_state;
    sum->early_talker |= old.early_talker;
}

static void add(struct record_flow *sum, const struct record_flow *r)
{
    struct record_flow old = *sum;
    *sum = *r;
    // Which sides were ever seen the last record knows: at a minute's end an answer may be on its way.
    sum->incomplete |= old.incomplete & ~(uint32_t)(RECORD_ONLY_INITIATOR | RECORD_ONLY_RESPONDER);
    sum->groups |= old.groups;
    sum->smtp = old.smtp;
    sum->tls = r->groups & RECORD_HAS_TLS ? r->tls : old.tls;
    sum->socks = r->groups & RECORD_HAS_SOCKS ? r->socks : old.socks;
    if (r->groups & RECORD_HAS_SMTP)
        add_smtp(&sum->smtp, &r->smtp);
    for (int i = 0; i < 2; i++) {
        sum->packets[i] += old.packets[i];
        sum->octets[i] += old.octets[i];
        sum->payload_octets[i] += old.payload_octets[i];
        sum->missing_octets[i] += old.missing_octets[i];
        sum->retransmissions[i] += old.retransmissions[i];
        if (r->groups & RECORD_HAS_TLS)
            sum->tls.application_octets[i] += old.tls.application_octets[i];
        if (r->groups & RECORD_HAS_SOCKS)
            sum->socks.relayed_octets[i] += old.socks.relayed_octets[i];
    }
    sum->duplicates += old.duplicates;
    sum->syn_count = (uint16_t)(sum->syn_count + old.syn_count);
    // What was decided earlier stays decided.
    if (sum->handshake == RECORD_HANDSHAKE_PENDING)
        sum->handshake = old.handshake;
    if (sum->app == RECORD_APP_UNKNOWN)
        sum->app = old.app;
}

// ---- JSON.

static void put(json_t *o, const char *key, json_t *value)
{
    json_object_set_new(o, key, value);
}

static json_t *pair(const uint64_t n[static 2])
{
    return json_pack("[I, I]", (json_int_t)n[0], (json_int_t)n[1]);
}

static json_t *end_json(const struct ip_addr *a, uint16_t port)
{
    char text[IP_TEXT_MAX];
    return json_pack("{s:s, s:i}", "addr", ip_format(a, text), "port", (int)port);
}

static json_t *time_json(int64_t t_ms)
{
    char text[TIME_TEXT_MAX];
    return json_string(time_format(t_ms, text));
}

static json_t *smtp_json(const struct record_smtp *s)
{
    static const char *const starttls[] = {"none", "offered", "asked", "accepted"};
    json_t *o = json_object();
#define X(name, element, text) put(o, #name, json_integer(s->name));
    RECORD_SMTP_COUNTERS(X)
#undef X
    put(o, "starttls", json_string(starttls[s->starttls_state & 3]));
    put(o, "banner_code", json_integer(s->banner_code));
    put(o, "early_talker", json_boolean(s->early_talker));
    put(o, "clear_after_tls", json_boolean(s->clear_after_tls));
    put(o, "blocklist_replies",
        json_integer((json_int_t)s->blocklist_policy + s->blocklist_exploit +
                     s->blocklist_unknown));
    return o;
}

static json_t *tls_json(const struct record_tls *t)
{
    json_t *o = json_object(), *lengths = json_array();
    put(o, "version", json_integer(t->version));
    put(o, "cipher", json_integer(t->cipher));
    put(o, "ja4", json_string(t->ja4));
    put(o, "sni_domain", json_string(t->sni_domain));
    put(o, "alpn", json_string(t->alpn));
    put(o, "alert", t->alert == 255 ? json_null() : json_integer(t->alert));
    put(o, "application_octets", pair(t->application_octets));
    for (size_t i = 0; i < RECORD_TLS_LENGTHS && t->record_lengths[i] != 0; i++)
        json_array_append_new(lengths, json_integer(t->record_lengths[i]));
    put(o, "record_lengths", lengths);
    put(o, "time_to_close_ms", json_integer(t->time_to_close_ms));
    put(o, "handshake_done", json_boolean(t->handshake_done));
    return o;
}

static json_t *socks_json(const struct record_socks *s)
{
    static const char *const command[] = {"none", "connect", "bind", "udp"};
    json_t *o = json_object();
    put(o, "version", json_integer(s->version));
    put(o, "method", s->method == 0xff ? json_null() : json_integer(s->method));
    put(o, "command", json_string(command[s->command & 3]));
    put(o, "target_port", json_integer(s->target_port));
    put(o, "reply", s->reply == 0xff ? json_null() : json_integer(s->reply));
    put(o, "granted", json_boolean(s->granted));
    put(o, "auth_failed", json_boolean(s->auth_failed));
    put(o, "reverse", json_boolean(s->reverse));
    put(o, "relayed_octets", pair(s->relayed_octets));
    const char *inner = record_app_name(s->inner_app);
    put(o, "inner_app", json_string(inner ? inner : "unknown"));
    return o;
}

static json_t *flow_json(const struct record_flow *r, int64_t last_us)
{
    json_t *o = json_object();
    const char *app = record_app_name(r->app), *handshake = record_handshake_name(r->handshake);
    put(o, "start", time_json(r->flow_start_ms));
    put(o, "end", time_json(last_us / 1000));
    put(o, "realm", json_string(r->realm.name));
    put(o, "initiator", end_json(&r->initiator, r->initiator_port));
    put(o, "responder", end_json(&r->responder, r->responder_port));
    put(o, "encap", json_string(r->encap));
    put(o, "app", json_string(app ? app : "unknown"));
    put(o, "handshake", json_string(handshake ? handshake : "pending"));
    put(o, "complete", json_boolean(r->incomplete == 0));
    put(o, "incomplete", json_integer(r->incomplete));
    put(o, "packets", pair(r->packets));
    put(o, "octets", pair(r->octets));
    put(o, "missing_octets", pair(r->missing_octets));
    put(o, "syn_count", json_integer(r->syn_count));
    put(o, "duplicates", json_integer(r->duplicates));
    if (r->groups & RECORD_HAS_SMTP)
        put(o, "smtp", smtp_json(&r->smtp));
    if (r->groups & RECORD_HAS_TLS)
        put(o, "tls", tls_json(&r->tls));
    if (r->groups & RECORD_HAS_SOCKS)
        put(o, "socks", socks_json(&r->socks));
    return o;
}

static bool asked_for(const struct record_flow *r)
{
    if (r->groups & (RECORD_HAS_SMTP | RECORD_HAS_SOCKS))
        return true;
    switch (r->app) {
    case RECORD_APP_SMTP:
    case RECORD_APP_SMTPS:
    case RECORD_APP_LMTP:
    case RECORD_APP_SOCKS4:
    case RECORD_APP_SOCKS4A:
    case RECORD_APP_SOCKS5: return true;
    default: break;
    }
    return r->responder_port == 25 || r->responder_port == 465 || r->responder_port == 587 ||
           r->responder_port == 2525;
}

void print_record(void *ctx, uint32_t flow, const struct record_flow *r, int64_t last_us)
{
    struct print *p = ctx;
    struct record_flow *sum = p->sum[flow];
    p->sum[flow] = NULL;
    // START stands in the first record: what an evicted flow left in its place is gone.
    if (sum && (r->flags & RECORD_START)) {
        free(sum);
        sum = NULL;
    }
    if (!sum) {
        sum = malloc(sizeof *sum);
        if (!sum) {
            p->error = -ENOMEM;
            return;
        }
        *sum = *r;
    } else {
        add(sum, r);
    }
    if (!(r->flags & RECORD_END)) {
        p->sum[flow] = sum;
        return;
    }
    if (asked_for(sum)) {
        json_t *o = flow_json(sum, last_us);
        int rc = o ? json_write_line(p->out, o) : -ENOMEM;
        if (rc != 0 && p->error == 0)
            p->error = rc;
        json_decref(o);
    }
    free(sum);
}
