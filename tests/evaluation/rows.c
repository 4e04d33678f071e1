// Flows to minute rows. See rows.h.
#include "rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/record.h"
#include "order.h"

#define MINUTE_MS      60000
#define EARLY_OUTCOMES 1 // collector.early_outcomes
#define EARLY_CONNECTS 8 // collector.early_connections
#define DIGESTS        MINUTE_DIGESTS_DEFAULT
#define SHORT_TLS      1500
#define DAY_MS         86400000LL
#define KEPT_MAX       1000000

struct piece { // a row to be: events [from, to) of the list
    int64_t cut_ms;
    size_t from, to;
    bool closing;
};

struct rows {
    struct rows_options options;
    struct flows kept;
    struct order order;
    struct event *event;
    size_t events, event_cap;
    struct piece *piece;
    size_t pieces, piece_cap;
    struct minute_digest digest[DIGESTS];
    uint32_t digest_flow[DIGESTS];
    struct rng rng;
    unsigned touched; // whose counters the row has: a bit for each role and direction
    struct minute_row row;
};

struct rows *rows_new(const struct rows_options *options)
{
    struct rows *r = calloc(1, sizeof *r);
    if (r) {
        r->options = *options;
        r->rng.state = 4711;
    }
    return r;
}

void rows_free(struct rows *r)
{
    if (!r)
        return;
    free(r->kept.item);
    order_fini(&r->order);
    free(r->event);
    free(r->piece);
    free(r);
}

static void add_event(struct rows *r, const struct flow *f, uint32_t index, uint8_t what,
                      int64_t t_ms)
{
    if (r->events == r->event_cap) {
        r->event_cap = r->event_cap ? r->event_cap * 2 : 262144;
        r->event = realloc(r->event, r->event_cap * sizeof *r->event);
        if (!r->event)
            exit(1);
    }
    r->event[r->events++] = (struct event){t_ms, f->line, index, what};
}

static int by_cut(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->cut_ms != y->cut_ms)
        return x->cut_ms < y->cut_ms ? -1 : 1;
    return (x->from > y->from) - (x->from < y->from);
}

static bool is_failure(unsigned outcome)
{
    return outcome == MINUTE_OUTCOME_REFUSED || outcome == MINUTE_OUTCOME_UNANSWERED ||
           outcome == MINUTE_OUTCOME_CLOSED_EARLY || outcome == MINUTE_OUTCOME_TURNED_AWAY;
}

static void set_add(struct minute_row *r, enum minute_set set, uint64_t value)
{
    struct rng h = {value + 0x1234567 * (uint64_t)set};
    distinct_add(&r->set[set], 0, rng_next(&h), NULL);
}

static struct ip_addr address(uint32_t a)
{
    const uint8_t octet[4] = {(uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8),
                              (uint8_t)a};
    return ip_from_v4(octet);
}

static uint64_t hash_of(uint64_t value)
{
    struct rng h = {value};
    return rng_next(&h);
}

static uint64_t peer_of(const struct flow *f)
{
    return f->provider | (uint64_t)f->host << 32;
}

// Most of a row is counters, and most of these stay zero.
static void clear(struct rows *r)
{
    const size_t before = offsetof(struct minute_row, counter),
                 behind = before + sizeof r->row.counter;
    memset(&r->row, 0, before);
    memset((char *)&r->row + behind, 0, sizeof r->row - behind);
    for (unsigned i = 0; i < MINUTE_ROLES * MINUTE_DIRECTIONS; i++) {
        if (r->touched & 1u << i)
            memset(r->row.counter[i / MINUTE_DIRECTIONS][i % MINUTE_DIRECTIONS], 0,
                   sizeof r->row.counter[0][0]);
    }
    r->touched = 0;
}

static void begin_row(struct rows *r, const struct event *e, const struct piece *piece)
{
    struct minute_row *row = &r->row;
    const struct rows_options *o = &r->options;
    clear(r);
    row->minute = e->t_ms / MINUTE_MS;
    row->cut_ms = piece->cut_ms;
    struct rows_whose whose = {0};
    o->whose(e->line, e->t_ms, o->ctx, &whose);
    struct ip_addr a = address(o->address + whose.address);
    struct ip_prefix prefix = prefix_of(&a, 32);
    row->key = subscriber_key_of(&(struct realm){0}, &prefix);
    row->party = whose.party;
    if (row->party.kind == PARTY_MAILBOX)
        row->key = subscriber_key_mailbox(&(struct realm){0}, 1, hash_of(o->address + e->line));
    row->confidence = whose.confidence;
    row->doubts = whose.doubts;
    if (whose.seen_ms != 0 && row->cut_ms > whose.seen_ms)
        row->lease_unseen = (uint16_t)((row->cut_ms - whose.seen_ms + MINUTE_MS - 1) / MINUTE_MS);
    row->flags = (piece->closing ? MINUTE_CLOSING : MINUTE_EARLY) |
                 (o->sight && o->sight->export ? MINUTE_FROM_EXPORT : MINUTE_FROM_PACKETS);
    row->observed_s = 60;
    row->loss_ppm = o->sight ? (uint32_t)(o->sight->loss * 1e6) : 0;
    row->digest = r->digest;
}

static struct minute_digest *digest_of(struct rows *r, const struct flow *f, uint32_t index)
{
    struct minute_row *row = &r->row;
    for (uint32_t i = 0; i < row->digest_count; i++) {
        if (r->digest_flow[i] == index)
            return &r->digest[i];
    }
    if (row->digest_count == DIGESTS) {
        row->digests_cut++;
        return NULL;
    }
    r->digest_flow[row->digest_count] = index;
    struct minute_digest *d = &r->digest[row->digest_count++];
    int64_t begun_ms = f->t_ms - f->begun_ago_ms, minute_ms = row->minute * MINUTE_MS;
    // The provider of a made-up peer is its own /24.
    *d = (struct minute_digest){
        .flow_hash = hash_of(f->id ? f->id : (uint64_t)f->t_ms ^ (uint64_t)f->provider << 44),
        .peer = address(0x64000000u + f->provider * 256 + (f->host ? f->host % 256 : 25)),
        .peer_port = f->direction == MINUTE_IN ? 40000 : f->port,
        .own_port = f->direction == MINUTE_IN ? f->port : 40000,
        .role = f->role,
        .direction = f->direction,
        .provider_kind = MINUTE_PROVIDER_NETWORK,
        .provider = hash_of(f->provider),
        .start_ms = (int32_t)(begun_ms - minute_ms),
        .end_ms = (int32_t)(f->t_ms - minute_ms),
        .relay_first = f->relay,
        .recipient = f->flags & FLOW_TLS && !(f->flags & FLOW_LOG) ? 0 : f->recipient,
        .sender = f->sender,
        .user = f->user,
        .tls_client = f->client && f->outcome == MINUTE_OUTCOME_GREETED ? hash_of(f->client) : 0};
    if (f->outcome == MINUTE_OUTCOME_GREETED || f->outcome == MINUTE_OUTCOME_ESTABLISHED)
        d->app = f->role == MINUTE_MX ? RECORD_APP_SMTP : 0;
    if (f->flags & FLOW_SOCKS) {
        d->app = RECORD_APP_SOCKS5;
        d->socks_port = 25;
        d->socks_inner = RECORD_APP_SMTP;
    }
    d->flags |= (f->flags & FLOW_HOSTING ? (uint32_t)MINUTE_DIGEST_HOSTING : 0) |
                (f->flags & FLOW_SCAN ? (uint32_t)MINUTE_DIGEST_SCAN : 0) |
                (f->flags & FLOW_TLS ? (uint32_t)MINUTE_DIGEST_TLS : 0) |
                (f->flags & FLOW_NULL ? (uint32_t)MINUTE_DIGEST_NULL_SENDER : 0) |
                (f->flags & FLOW_POLICY ? (uint32_t)MINUTE_DIGEST_POLICY_REPLY : 0) |
                (f->flags & FLOW_LOG ? (uint32_t)MINUTE_DIGEST_FROM_LOG : 0);
    return d;
}

static void starts(struct rows *r, const struct flow *f, struct minute_digest *d)
{
    struct minute_row *row = &r->row;
    uint64_t *c = row->counter[f->role][f->direction];
    if (f->flags & FLOW_CONTINUES) {
        if (d)
            d->flags &= ~(uint32_t)MINUTE_DIGEST_START;
    } else {
        c[MINUTE_connections]++;
        row->gauge[MINUTE_flows]++;
        if (d)
            d->flags |= MINUTE_DIGEST_START;
    }
    if (f->flags & FLOW_LOG)
        row->flags |= MINUTE_FROM_LOG;
    row->gauge[MINUTE_dns_mx_queries] += (f->flags & FLOW_MX_QUERY) != 0;
    row->gauge[MINUTE_scan_syns] += (f->flags & FLOW_SCAN) != 0;
    c[MINUTE_packets_up] += f->outcome == MINUTE_OUTCOME_UNANSWERED ? (f->flags & FLOW_SCAN ? 1 : 3)
                                                                    : 10;
    if (f->outcome != MINUTE_OUTCOME_UNANSWERED)
        c[MINUTE_packets_down] += 10;
    if (f->direction != MINUTE_OUT)
        return;
    if (f->role == MINUTE_MX) {
        set_add(row, MINUTE_SET_peers_mx, peer_of(f));
        set_add(row, MINUTE_SET_providers_mx, f->provider);
    } else if (f->role == MINUTE_SUBMISSION) {
        set_add(row, MINUTE_SET_providers_submission, f->provider);
    }
}

// As the sensor tells it: who is sent away and hangs up without a word has closed early; a mailbox without TLS has
// no greeting that counts.
static uint8_t outcome_told(const struct flow *f)
{
    if (f->outcome == MINUTE_OUTCOME_TURNED_AWAY && (f->flags & FLOW_NO_QUIT))
        return MINUTE_OUTCOME_CLOSED_EARLY;
    if (f->outcome == MINUTE_OUTCOME_GREETED && f->role == MINUTE_ACCESS && !(f->flags & FLOW_TLS))
        return MINUTE_OUTCOME_ESTABLISHED;
    return f->outcome;
}

static void answered(struct rows *r, const struct flow *f, struct minute_digest *d, int64_t t_ms)
{
    struct minute_row *row = &r->row;
    uint64_t *c = row->counter[f->role][f->direction];
    // A router says nothing of handshakes.
    if ((f->flags & FLOW_CONTINUES) || (row->flags & MINUTE_FROM_EXPORT))
        return;
    if (d) {
        d->outcome = outcome_told(f);
        d->outcome_ms = (int32_t)(t_ms - row->minute * MINUTE_MS);
        d->flags |= MINUTE_DIGEST_OUTCOME |
                    (f->flags & FLOW_SOCKS ? (uint32_t)MINUTE_DIGEST_SOCKS_GRANTED : 0);
    }
    bool out = f->direction == MINUTE_OUT;
    switch (f->outcome) {
    case MINUTE_OUTCOME_REFUSED: c[MINUTE_refused]++; break;
    case MINUTE_OUTCOME_UNANSWERED: c[MINUTE_unanswered]++; break;
    case MINUTE_OUTCOME_MIDSTREAM: c[MINUTE_midstream]++; break;
    case MINUTE_OUTCOME_CLOSED_EARLY: c[MINUTE_closed_early]++, c[MINUTE_established]++; break;
    case MINUTE_OUTCOME_TURNED_AWAY:
        c[MINUTE_established]++;
        c[MINUTE_banner_5xx]++;
        c[MINUTE_closed_early] += (f->flags & FLOW_NO_QUIT) != 0;
        c[MINUTE_blocklist_exploit] += (f->flags & FLOW_LISTED) != 0;
        break;
    default:
        c[MINUTE_established]++;
        c[MINUTE_banner_ok] += f->role == MINUTE_MX ||
                               (f->role != MINUTE_ACCESS && !(f->flags & FLOW_TLS));
    }
    if (f->role == MINUTE_MX && out && is_failure(f->outcome))
        set_add(row, MINUTE_SET_peers_mx_failed, peer_of(f));
    if (f->role == MINUTE_MX && !out && f->outcome == MINUTE_OUTCOME_GREETED)
        set_add(row, MINUTE_SET_networks_in_25, f->provider);
    if (f->flags & FLOW_SOCKS) {
        row->gauge[MINUTE_socks_in]++;
        row->gauge[MINUTE_socks_in_granted]++;
        row->gauge[MINUTE_socks_in_mail]++;
    }
}

// The dialogue, in the clear or from the log.
static void dialogue(struct minute_row *row, const struct flow *f, uint64_t *c,
                     struct minute_digest *d)
{
    uint64_t rcpt = (uint64_t)f->rcpt_ok + f->rcpt_4xx + f->rcpt_5xx;
    c[MINUTE_rcpt] += rcpt;
    c[MINUTE_mail] += rcpt > 0;
    c[MINUTE_null_sender] += rcpt > 0 && (f->flags & FLOW_NULL);
    c[MINUTE_rcpt_ok] += f->rcpt_ok;
    c[MINUTE_rcpt_4xx] += f->rcpt_4xx;
    c[MINUTE_rcpt_5xx] += f->rcpt_5xx;
    c[MINUTE_messages_ok] += f->messages;
    c[MINUTE_sessions_550_no_data] += (f->flags & FLOW_NO_DATA) != 0;
    c[MINUTE_blocklist_exploit] += f->rcpt_5xx > 0 && (f->flags & FLOW_LISTED);
    if (d) {
        d->rcpt += (uint32_t)rcpt;
        d->rcpt_5xx += f->rcpt_5xx;
        d->messages_ok += f->messages;
    }
    if (f->direction != MINUTE_OUT)
        return;
    for (uint32_t i = 0; i < f->rcpt_ok; i++)
        set_add(row, MINUTE_SET_recipients, (uint64_t)f->recipient + ((uint64_t)i << 32));
    if (f->sender) {
        set_add(row, MINUTE_SET_senders, f->sender);
        set_add(row, MINUTE_SET_sender_domains, f->sender % 97);
    }
}

static void ends(struct rows *r, const struct flow *f, struct minute_digest *d, int64_t t_ms)
{
    struct minute_row *row = &r->row;
    uint64_t *c = row->counter[f->role][f->direction];
    bool spoke = f->outcome == MINUTE_OUTCOME_GREETED;
    c[MINUTE_octets_up] += f->octets_up;
    c[MINUTE_octets_down] += f->octets_down;
    if (d) {
        d->end_ms = (int32_t)(t_ms - row->minute * MINUTE_MS);
        d->octets_up += f->octets_up;
        d->octets_down += f->octets_down;
        if (!(f->flags & FLOW_LASTS))
            d->flags |= MINUTE_DIGEST_END;
    }
    if (!spoke)
        return;
    bool smtp = f->role == MINUTE_MX || f->role == MINUTE_SUBMISSION || f->role == MINUTE_SMARTHOST;
    bool tls = (f->flags & FLOW_TLS) != 0, read = !tls || (f->flags & FLOW_LOG);
    c[MINUTE_helo] += smtp;
    c[MINUTE_tls_sessions] += tls;
    if (f->client && f->direction == MINUTE_OUT)
        set_add(row, MINUTE_SET_tls_clients, f->client);
    c[MINUTE_tls_short] += tls && f->octets_up < SHORT_TLS;
    if (f->flags & FLOW_LOGIN) {
        c[MINUTE_auth]++;
        c[MINUTE_auth_failed] += (f->flags & FLOW_FAILED) != 0;
        set_add(row, f->role == MINUTE_ACCESS ? MINUTE_SET_login_users : MINUTE_SET_auth_users,
                f->user);
        set_add(row, MINUTE_SET_providers_login, f->provider);
        if (d)
            d->flags |= f->flags & FLOW_FAILED ? MINUTE_DIGEST_AUTH_FAILED : MINUTE_DIGEST_AUTH;
    }
    if (f->country) {
        set_add(row, MINUTE_SET_client_networks, f->provider);
        set_add(row, MINUTE_SET_client_countries, f->country);
    }
    if (!smtp || !read)
        return;
    c[MINUTE_early_talker] += (f->flags & FLOW_EARLY) != 0;
    c[MINUTE_unoffered_pipelining] += (f->flags & FLOW_PIPELINE) != 0;
    c[MINUTE_helo_literal] += (f->flags & FLOW_LITERAL) != 0;
    c[MINUTE_quit_missing] += (f->flags & FLOW_NO_QUIT) != 0;
    c[MINUTE_starttls_unasked] += f->role != MINUTE_SMARTHOST && f->direction == MINUTE_OUT && !tls;
    dialogue(row, f, c, d);
}

static int hand_out(struct rows *r, const struct flows *flows, const struct piece *piece,
                    rows_fn fn, void *ctx)
{
    const struct event *first = &r->event[piece->from];
    begin_row(r, first, piece);
    for (size_t i = piece->from; i < piece->to; i++) {
        const struct event *e = &r->event[i];
        const struct flow *f = &flows->item[e->flow];
        struct minute_digest *d = digest_of(r, f, e->flow);
        r->touched |= 1u << (f->role * MINUTE_DIRECTIONS + f->direction);
        if (e->what == STARTS)
            starts(r, f, d);
        else if (e->what == ANSWERED)
            answered(r, f, d, e->t_ms);
        else
            ends(r, f, d, e->t_ms);
    }
    int rc = fn(&r->row, ctx);
    for (unsigned s = 0; s < MINUTE_SET_N; s++) {
        if (r->row.set[s].store)
            distinct_clear(&r->row.set[s], NULL);
    }
    return rc;
}

static void add_piece(struct rows *r, size_t from, size_t to, int64_t cut_ms, bool closing)
{
    if (r->pieces == r->piece_cap) {
        r->piece_cap = r->piece_cap ? r->piece_cap * 2 : 65536;
        r->piece = realloc(r->piece, r->piece_cap * sizeof *r->piece);
        if (!r->piece)
            exit(1);
    }
    r->piece[r->pieces++] = (struct piece){cut_ms, from, to, closing};
}

// Events in a line's order to pieces: at the next whole second after enough has happened, and at the minute's end.
static void divide(struct rows *r, const struct flows *flows)
{
    size_t from = 0;
    unsigned outcomes = 0, connects = 0;
    int64_t due_ms = INT64_MAX;
    r->pieces = 0;
    for (size_t i = 0; i < r->events; i++) {
        const struct event *e = &r->event[i];
        bool same = i > from && e->line == r->event[from].line &&
                    e->t_ms / MINUTE_MS == r->event[from].t_ms / MINUTE_MS;
        if (i > from && (!same || e->t_ms >= due_ms)) {
            int64_t end_ms = (r->event[from].t_ms / MINUTE_MS + 1) * MINUTE_MS;
            bool early = due_ms < end_ms;
            add_piece(r, from, i, early ? due_ms : end_ms, !early);
            from = i;
            outcomes = connects = 0;
            due_ms = INT64_MAX;
        }
        const struct flow *f = &flows->item[e->flow];
        bool mx = f->role == MINUTE_MX && f->direction == MINUTE_OUT;
        bool mail = mx || (f->role == MINUTE_SUBMISSION && f->direction == MINUTE_OUT);
        outcomes += e->what == ANSWERED && mx && is_failure(f->outcome);
        connects += e->what == STARTS && mail;
        bool socks = e->what == ANSWERED && (f->flags & FLOW_SOCKS);
        if (due_ms == INT64_MAX &&
            (outcomes >= EARLY_OUTCOMES || connects >= EARLY_CONNECTS || socks))
            due_ms = (e->t_ms / 1000 + 1) * 1000;
    }
    if (r->events > from) {
        int64_t end_ms = (r->event[from].t_ms / MINUTE_MS + 1) * MINUTE_MS;
        add_piece(r, from, r->events, due_ms < end_ms ? due_ms : end_ms, due_ms >= end_ms);
    }
}

static void add_site(struct minute_site *m, const struct minute_row *r)
{
    const uint64_t *mx = r->counter[MINUTE_MX][MINUTE_OUT];
    const uint64_t *own = r->counter[MINUTE_SMARTHOST][MINUTE_OUT];
    uint64_t failed = mx[MINUTE_unanswered] + mx[MINUTE_refused] + mx[MINUTE_icmp_rejected];
    uint64_t ended = failed + mx[MINUTE_established];
    m->active_parties++;
    m->parties_mx += ended > 0;
    m->parties_mx_failing += failed * 2 > ended;
    m->mx_connections += mx[MINUTE_connections];
    m->mx_failures += failed;
    m->smarthost_connections += own[MINUTE_connections];
    m->smarthost_failures += own[MINUTE_unanswered] + own[MINUTE_refused];
}

static int play(struct rows *r, struct flows *flows, bool (*site_counts)(uint32_t line, void *ctx),
                rows_fn fn, rows_mark_fn mark, void *ctx)
{
    struct minute_site site = {0};
    for (size_t i = 0; i < r->pieces; i++) {
        const struct piece *piece = &r->piece[i];
        int rc = hand_out(r, flows, piece, fn, ctx);
        if (rc != 0)
            return rc;
        if (site_counts(r->event[piece->from].line, r->options.ctx))
            add_site(&site, &r->row);
        int64_t minute_ms = piece->cut_ms / MINUTE_MS * MINUTE_MS;
        if (i + 1 == r->pieces || r->piece[i + 1].cut_ms >= minute_ms + MINUTE_MS) {
            site.minute = (piece->cut_ms - 1) / MINUTE_MS;
            mark(piece->cut_ms, &site, ctx);
            site = (struct minute_site){0};
        }
    }
    return 0;
}

int rows_day(struct rows *r, struct flows *flows, int64_t until_ms,
             bool (*site_counts)(uint32_t line, void *ctx), rows_fn fn, rows_mark_fn mark,
             void *ctx)
{
    size_t fresh = flows->count, kept = 0;
    int64_t since_ms = until_ms - DAY_MS;
    r->events = 0;
    for (size_t i = 0; i < r->kept.count;
         i++) // behind the day's own: what began before, or was to come
        *flow_new(flows, 0, 0) = r->kept.item[i];
    r->kept.count = 0;
    for (size_t i = 0; i < flows->count; i++) {
        struct flow *f = &flows->item[i];
        if (i < fresh && !sight_blur(r->options.sight, &r->rng, f))
            continue;
        const int64_t t_ms[] = {f->t_ms, f->t_ms + f->answer_ms, f->t_ms + f->lasts_ms};
        bool later = false;
        for (uint8_t what = STARTS; what <= ENDS; what++) {
            later |= t_ms[what] >= until_ms;
            if (t_ms[what] >= since_ms && t_ms[what] < until_ms)
                add_event(r, f, (uint32_t)i, what, t_ms[what]);
        }
        if (later && kept++ < KEPT_MAX)
            *flow_new(&r->kept, 0, 0) = *f;
    }
    order_events(&r->order, r->event, r->events);
    divide(r, flows);
    qsort(r->piece, r->pieces, sizeof r->piece[0], by_cut);
    return play(r, flows, site_counts, fn, mark, ctx);
}
