// The bench for analysis. See rig.h.
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_parts.h"
#include "hash.h"

#define MINUTE_MS 60000

static void keep(const struct verdict *v, void *ctx)
{
    struct rig *r = ctx;
    assert_true(r->verdicts < RIG_VERDICTS_MAX);
    r->verdict[r->verdicts++] = *v;
}

void rig_init(struct rig *r, const char *yaml)
{
    memset(r, 0, sizeof *r);
    r->settings = calloc(1, settings_size());
    assert_non_null(r->settings);
    r->sections[0] = (struct conf_section){"site", conf_site_keys, &r->site};
    r->sections[1] = (struct conf_section){"analysis", settings_keys(), r->settings};
    const char *text = yaml ? yaml : "{}\n";
    int rc = conf_load_text("rig.yaml", ".", text, strlen(text), r->sections, 2, stderr);
    assert_int_equal(rc, 0);
    conf_hash(r->sections, 2, r->hash);
    struct engine_options options = {
        .settings = r->settings, .site = &r->site, .conf_hash = r->hash};
    r->engine = engine_new(&options, keep, r);
    assert_non_null(r->engine);
}

void rig_fini(struct rig *r)
{
    engine_free(r->engine);
    conf_free(conf_site_keys, &r->site);
    conf_free(settings_keys(), r->settings);
    free(r->settings);
}

// One end of a flow: it begins, or its outcome is known, or it ends.
struct step {
    int64_t t_ms;
    size_t flow;
    enum { BEGINS, DECIDED, ENDS } kind;
};

static int by_time(const void *a, const void *b)
{
    const struct step *x = a, *y = b;
    if (x->t_ms != y->t_ms)
        return x->t_ms < y->t_ms ? -1 : 1;
    if (x->flow != y->flow)
        return x->flow < y->flow ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

struct player {
    struct rig *rig;
    const struct rig_who *who;
    const struct rig_flow *flows;
    size_t flow_count;
    struct minute_row *row;
    struct minute_digest *digests;
    size_t *digest_of; // by flow, 1 + index into the row's digests; 0: none
    struct distinct_budget budget;
    uint32_t failed, begun; // since the last row
};

static int64_t decided_after(const struct rig_flow *f)
{
    if (f->outcome_ms)
        return f->outcome_ms;
    return f->outcome == MINUTE_OUTCOME_UNANSWERED ? 4000 : 100;
}

static unsigned role_of_flow(const struct rig_flow *f)
{
    return f->port == 0 && f->role == 0 ? MINUTE_MX : f->role;
}

static void row_start(struct player *p, int64_t minute, size_t flow_count)
{
    struct minute_row *r = p->row;
    struct ip_prefix prefix;
    struct realm realm = {0};
    char text[32];
    memset(r, 0, sizeof *r);
    memset(p->digest_of, 0, flow_count * sizeof p->digest_of[0]);
    unsigned address = p->who->address ? p->who->address : p->who->host;
    if (p->who->v6)
        snprintf(text, sizeof text, "2001:db8:0:%x::/64", address);
    else
        snprintf(text, sizeof text, "10.0.%u.%u", address / 256, address % 256);
    assert_int_equal(prefix_parse(text, &prefix), 0);
    r->minute = minute;
    assert_int_equal(realm_parse(p->who->realm ? p->who->realm : "", &realm), 0);
    r->key = subscriber_key_of(&realm, &prefix);
    if (p->who->port_last > 0) {
        r->key.port_first = p->who->port_first;
        r->key.port_last = p->who->port_last;
    }
    r->party = party_provisional(&r->key);
    if (p->who->line) {
        r->party = (struct party){.kind = PARTY_LINE};
        snprintf(r->party.id, sizeof r->party.id, "%u", p->who->host);
        r->confidence = IDENTITY_CERTAIN;
    }
    if (p->who->confidence)
        r->confidence = p->who->confidence;
    r->doubts = p->who->doubts;
    r->loss_ppm = p->who->loss_ppm;
    r->observed_s = 60;
    if (p->who->network_class)
        snprintf(r->network_class, sizeof r->network_class, "%s", p->who->network_class);
    r->gauge[MINUTE_scan_syns] = p->who->scan_syns;
    r->digest = p->digests;
    p->failed = p->begun = 0;
}

static struct minute_digest *digest_of(struct player *p, size_t i)
{
    const struct rig_flow *f = &p->flows[i];
    if (p->digest_of[i])
        return &p->digests[p->digest_of[i] - 1];
    if (p->row->digest_count == MINUTE_DIGESTS_DEFAULT) {
        p->row->digests_cut++;
        return NULL;
    }
    struct minute_digest *d = &p->digests[p->row->digest_count++];
    p->digest_of[i] = p->row->digest_count;
    *d = (struct minute_digest){
        .flow_hash = hash_mix(i + 1),
        .peer = f->peer,
        .peer_port = f->port ? f->port : 25,
        .role = (uint8_t)role_of_flow(f),
        .direction = f->direction,
        .app = f->app,
        .start_ms = (int32_t)(RIG_EPOCH_MS + f->start_ms - p->row->minute * MINUTE_MS),
        .flags = f->digest_flags,
        .user = f->user,
        .recipient = f->recipient,
        .sender = f->sender,
        .tls_client = f->tls_client,
        .socks_port = f->socks_port,
        .socks_inner = f->socks_inner,
        .relay_first = f->relay_first,
    };
    if (f->provider) {
        uint8_t octet[4] = {100, (uint8_t)(64 + f->provider / 256 % 64), (uint8_t)f->provider, 25};
        d->peer = ip_from_v4(octet);
    }
    struct ip_prefix network = prefix_of(&d->peer, d->peer.family == IP_V6 ? 48 : 24);
    d->provider_kind = MINUTE_PROVIDER_NETWORK;
    d->provider = hash_octets(network.addr.octet, 16, 7);
    return d;
}

// A long flow stands in every row while it lasts.
static void put_long(struct player *p, int64_t cut_ms)
{
    for (size_t i = 0; i < p->flow_count; i++) {
        const struct rig_flow *f = &p->flows[i];
        int64_t start = RIG_EPOCH_MS + f->start_ms;
        if (f->row_up + f->row_down == 0 || start > cut_ms || start + f->lasts_ms < cut_ms)
            continue;
        struct minute_digest *d = digest_of(p, i);
        if (!d)
            continue;
        uint64_t times = 1 + (uint64_t)(cut_ms / 60000 % 3) * f->row_swing;
        d->octets_up = f->row_up * times;
        d->octets_down = f->row_down * times;
        int64_t minute = p->row->minute - RIG_EPOCH_MS / 60000;
        if (f->tells_every == 0 || minute % f->tells_every != 0)
            continue;
        d->carrier_opened = f->tells_opened;
        d->carrier_behind = f->tells_behind;
        d->carrier_chance = f->tells_chance;
        for (unsigned n = 0; n < 3; n++)
            d->carrier_networks |= UINT64_C(1)
                                   << (minute / f->tells_every * 3 + n) % f->tells_networks;
    }
}

// Minutes since the latest sign of the lease, rounded up.
static uint16_t unseen(const struct rig_who *who, int64_t cut_ms)
{
    if (who->signs_min == 0)
        return 0;
    int64_t t_ms = cut_ms - RIG_EPOCH_MS, every_ms = (int64_t)who->signs_min * MINUTE_MS;
    int64_t seen_ms = t_ms - t_ms % every_ms;
    if (who->last_sign_ms != 0 && seen_ms > who->last_sign_ms)
        seen_ms = who->last_sign_ms;
    return (uint16_t)((t_ms - seen_ms + MINUTE_MS - 1) / MINUTE_MS);
}

static void row_put(struct player *p, int64_t cut_ms, uint32_t flags)
{
    put_long(p, cut_ms);
    p->row->cut_ms = cut_ms;
    p->row->flags = flags | p->who->row_flags;
    p->row->lease_unseen = unseen(p->who, cut_ms);
    if (p->rig->journal) {
        assert_int_equal(journal_put_row(p->rig->journal, p->row), 0);
        assert_int_equal(journal_commit(p->rig->journal, cut_ms), 0);
    } else {
        static const struct journal_cursor from = {20261122, 1, 0, 0}, to = {20261122, 1, 9, 0};
        assert_int_equal(engine_row(p->rig->engine, p->row, &from, &to), 0);
    }
    for (unsigned i = 0; i < MINUTE_SET_N; i++)
        distinct_clear(&p->row->set[i], &p->budget);
}

static void count_outcome(struct player *p, const struct rig_flow *f)
{
    uint64_t *c = p->row->counter[role_of_flow(f)][f->direction];
    switch (f->outcome) {
    case MINUTE_OUTCOME_GREETED:
        c[MINUTE_established]++;
        c[MINUTE_banner_ok]++;
        c[MINUTE_helo]++;
        break;
    case MINUTE_OUTCOME_ESTABLISHED: c[MINUTE_established]++; break;
    case MINUTE_OUTCOME_REFUSED: c[MINUTE_refused]++; break;
    case MINUTE_OUTCOME_UNANSWERED:
        c[MINUTE_unanswered]++;
        p->row->gauge[MINUTE_scan_syns] += f->raw;
        break;
    case MINUTE_OUTCOME_ICMP: c[MINUTE_icmp_rejected]++; break;
    case MINUTE_OUTCOME_CLOSED_EARLY:
        c[MINUTE_established]++;
        c[MINUTE_closed_early]++;
        break;
    case MINUTE_OUTCOME_TURNED_AWAY:
        c[MINUTE_established]++;
        c[f->banner_5xx ? MINUTE_banner_5xx : MINUTE_banner_4xx]++;
        break;
    default: break;
    }
    c[MINUTE_mail] += f->mail;
    c[MINUTE_null_sender] += f->null_sender;
    c[MINUTE_rcpt] += f->rcpt_ok + f->rcpt_5xx;
    c[MINUTE_rcpt_ok] += f->rcpt_ok;
    c[MINUTE_rcpt_5xx] += f->rcpt_5xx;
    c[MINUTE_messages_ok] += f->messages_ok;
    c[MINUTE_auth] += f->auth;
    c[MINUTE_auth_failed] += f->auth_failed;
    c[MINUTE_blocklist_exploit] += f->blocklist_exploit;
    c[MINUTE_blocklist_policy] += f->blocklist_policy;
    c[MINUTE_tls_sessions] += f->tls;
    c[MINUTE_tls_short] += f->tls_short;
    c[MINUTE_starttls_unasked] += f->unasked;
    c[MINUTE_early_talker] += f->early;
    c[MINUTE_unoffered_pipelining] += f->pipelining;
    c[MINUTE_helo_literal] += f->helo_odd;
    c[MINUTE_sessions_550_no_data] += f->no_data;
    c[MINUTE_vrfy_expn] += f->vrfy;
    c[MINUTE_quit_missing] += f->no_quit;
}

static void count_sets(struct player *p, const struct rig_flow *f, const struct minute_digest *d)
{
    unsigned role = role_of_flow(f);
    if (!d || f->direction != MINUTE_OUT)
        return;
    if (role == MINUTE_MX)
        distinct_add(&p->row->set[MINUTE_SET_providers_mx], 0, d->provider, &p->budget);
    if (f->sender) // each of a domain of its own
        distinct_add(&p->row->set[MINUTE_SET_sender_domains], 1, f->sender, &p->budget);
    if (f->helo)
        distinct_add(&p->row->set[MINUTE_SET_helo_names], 1, f->helo, &p->budget);
    if (role == MINUTE_SUBMISSION)
        distinct_add(&p->row->set[MINUTE_SET_providers_submission], 0, d->provider, &p->budget);
    if (f->auth) {
        unsigned users = role == MINUTE_ACCESS ? MINUTE_SET_login_users : MINUTE_SET_auth_users;
        distinct_add(&p->row->set[MINUTE_SET_providers_login], 0, d->provider, &p->budget);
        distinct_add(&p->row->set[users], 1, f->user, &p->budget);
    }
}

static void take(struct player *p, const struct step *s)
{
    const struct rig_flow *f = &p->flows[s->flow];
    struct minute_digest *d = digest_of(p, s->flow);
    int32_t within = (int32_t)(s->t_ms - p->row->minute * MINUTE_MS);
    if (s->kind == BEGINS) {
        p->row->counter[role_of_flow(f)][f->direction][MINUTE_connections]++;
        p->row->counter[role_of_flow(f)][f->direction][MINUTE_packets_up] += f->raw ? 1 : 3;
        p->begun += role_of_flow(f) == MINUTE_MX;
        count_sets(p, f, d);
        if (d)
            d->flags |= MINUTE_DIGEST_START;
        return;
    }
    if (s->kind == ENDS) {
        p->row->counter[role_of_flow(f)][f->direction][MINUTE_octets_up] += f->octets_up;
        if (d) {
            d->flags |= MINUTE_DIGEST_END;
            d->end_ms = within;
            d->octets_up = f->octets_up;
            d->octets_down = f->octets_down;
        }
        return;
    }
    count_outcome(p, f);
    bool fails = f->outcome == MINUTE_OUTCOME_UNANSWERED || f->outcome == MINUTE_OUTCOME_REFUSED ||
                 f->outcome == MINUTE_OUTCOME_ICMP || f->outcome == MINUTE_OUTCOME_CLOSED_EARLY;
    p->failed += fails && role_of_flow(f) == MINUTE_MX;
    if (!d)
        return;
    d->flags |= MINUTE_DIGEST_OUTCOME;
    if (f->raw && f->outcome == MINUTE_OUTCOME_UNANSWERED)
        d->flags |= MINUTE_DIGEST_SCAN;
    d->outcome = f->outcome;
    d->outcome_ms = d->end_ms = within;
    d->rcpt = f->rcpt_ok + f->rcpt_5xx;
    d->rcpt_5xx = f->rcpt_5xx;
    d->messages_ok = f->messages_ok;
}

static size_t steps_of(const struct rig_flow *flows, size_t count, struct step *out)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t start = RIG_EPOCH_MS + flows[i].start_ms;
        out[n++] = (struct step){start + (flows[i].late ? decided_after(&flows[i]) : 0), i, BEGINS};
        out[n++] = (struct step){start + decided_after(&flows[i]), i, DECIDED};
        if (flows[i].lasts_ms)
            out[n++] = (struct step){start + flows[i].lasts_ms, i, ENDS};
    }
    qsort(out, n, sizeof out[0], by_time);
    return n;
}

void rig_play(struct rig *r, const struct rig_who *who, const struct rig_flow *flows, size_t count)
{
    struct player p = {
        .rig = r, .who = who, .flows = flows, .flow_count = count, .budget = {.sketches_max = 64}};
    struct step *steps = calloc(count * 3 + 1, sizeof *steps);
    p.row = calloc(1, sizeof *p.row);
    p.digests = calloc(MINUTE_DIGESTS_DEFAULT, sizeof *p.digests);
    p.digest_of = calloc(count + 1, sizeof *p.digest_of);
    assert_true(steps && p.row && p.digests && p.digest_of);
    size_t n = steps_of(flows, count, steps);
    bool open = false;
    int64_t cut_at = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        int64_t minute = steps[i].t_ms / MINUTE_MS;
        bool passed = open && p.row->minute != minute;
        if (passed && cut_at > (p.row->minute + 1) * MINUTE_MS) {
            row_put(&p, (p.row->minute + 1) * MINUTE_MS, MINUTE_CLOSING);
            open = false;
        } else if (open && steps[i].t_ms >= cut_at) {
            row_put(&p, cut_at, cut_at % MINUTE_MS == 0 ? MINUTE_CLOSING : MINUTE_EARLY);
            open = false;
        }
        if (!open) {
            row_start(&p, minute, count);
            cut_at = INT64_MAX;
            open = true;
        }
        take(&p, &steps[i]);
        if (cut_at == INT64_MAX && (p.failed >= 2 || p.begun >= 8))
            cut_at = (steps[i].t_ms / 1000 + 1) * 1000;
    }
    if (open)
        row_put(&p, (p.row->minute + 1) * MINUTE_MS, MINUTE_CLOSING);
    free(steps);
    free(p.row);
    free(p.digests);
    free(p.digest_of);
}

void rig_site(struct rig *r, int64_t minute)
{
    struct minute_site m = {.minute = RIG_EPOCH_MS / MINUTE_MS + minute};
    engine_site(r->engine, &m);
}

void rig_mark(struct rig *r, int64_t ms)
{
    engine_mark(r->engine, RIG_EPOCH_MS + ms);
}

const struct verdict *rig_verdict(const struct rig *r, int class_, enum verdict_event event,
                                  size_t n)
{
    for (size_t i = 0; i < r->verdicts; i++) {
        if (r->verdict[i].class_ == class_ && r->verdict[i].event == event && n-- == 0)
            return &r->verdict[i];
    }
    return NULL;
}

const struct verdict_evidence *rig_evidence(const struct verdict *v, const char *detector)
{
    for (uint32_t i = 0; i < v->evidence_count; i++) {
        if (strcmp(v->evidence[i].detector, detector) == 0)
            return &v->evidence[i];
    }
    return NULL;
}

double rig_weight(const struct rig *r, const char *detector)
{
    struct judge_view views[VERDICT_CLASSES];
    struct party_state *p = party_older(r->engine->parties, NULL);
    double most = 0;
    assert_non_null(p);
    size_t n = judge_look(r->engine, p, p->window.last_ms, views);
    for (size_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < views[i].judgement.count; k++) {
            const struct verdict_evidence *e = &views[i].judgement.evidence[k];
            if (strcmp(e->detector, detector) == 0 && e->log_odds > most)
                most = e->log_odds;
        }
    }
    return most;
}

void rig_assert_innocent(const struct rig *r)
{
    for (size_t i = 0; i < r->verdicts; i++) {
        char sentence[VERDICT_SENTENCE_MAX];
        verdict_sentence(&r->verdict[i], sentence);
        print_error("verdict: %s\n", sentence);
    }
    assert_int_equal(r->verdicts, 0);
}
