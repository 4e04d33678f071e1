// Rows into a party's window. See window.h.
#include "window.h"

#include <stdlib.h>

#include "common/verdict.h"

#define MINUTE_MS      60000
#define HOUR_MS        3600000
#define SYN_TIMEOUT_MS 4000 // after this an attempt was called unanswered (ADR 4)
#define SCAN_MIN       8
#define SCAN_SHARE     8 // of all attempts one in so many, at least
#define HASTY_MIN      8
#define HASTY_RATE     20 // connections a second
#define SCAN_WINDOW_S  600
#define DAY_S          86400
#define KIND_MIN       5 // sessions before a kind is told
#define KIND_WINDOW_S  3600
#define READS_MANY     4
#define CARRIES_MS     1740000 // a flow of half an hour that uploads may carry others' traffic
#define CARRIES_MIN    2000

static bool is_contact(const struct minute_digest *d, const struct window_options *options)
{
    if (d->direction != MINUTE_OUT || d->role != MINUTE_MX)
        return false;
    if (d->flags & MINUTE_DIGEST_SCAN)
        return false;
    // Not ours to blame: somebody may send in the subscriber's name.
    return options->source_validated || !(d->flags & MINUTE_DIGEST_SUSPECT_SPOOF);
}

// How an attempt ended, in the terms of a first contact. `turned_away` is how many greetings of the
// row were 5xx and not yet accounted for: digests do not tell 4xx from 5xx.
static enum provider_end end_of(const struct minute_digest *d, uint64_t *turned_away)
{
    switch (d->outcome) {
    case MINUTE_OUTCOME_GREETED:
    case MINUTE_OUTCOME_ESTABLISHED:
        return d->outcome_ms - d->start_ms >= SYN_TIMEOUT_MS ? PROVIDER_CORRECTED
                                                             : PROVIDER_ANSWERED;
    case MINUTE_OUTCOME_REFUSED:
    case MINUTE_OUTCOME_UNANSWERED:
    case MINUTE_OUTCOME_ICMP:
    case MINUTE_OUTCOME_CLOSED_EARLY: return PROVIDER_FAILED;
    case MINUTE_OUTCOME_TURNED_AWAY:
        // A policy listing is about the address range, not about this machine.
        if ((d->flags & MINUTE_DIGEST_POLICY_REPLY) || *turned_away == 0)
            return PROVIDER_UNDECIDED;
        --*turned_away;
        return PROVIDER_FAILED;
    default: return PROVIDER_UNDECIDED;
    }
}

// What a digest makes happen: an attempt begins, or one ends.
struct event {
    int64_t t_ms;
    uint32_t index; // of the digest: ties keep the digests' order
    bool ends;
};

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->t_ms != y->t_ms)
        return x->t_ms < y->t_ms ? -1 : 1;
    if (x->ends != y->ends)
        return x->ends ? 1 : -1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static size_t events_of(const struct minute_row *r, const struct window_options *options,
                        struct event out[static WINDOW_CONTACTS_MAX * 2])
{
    int64_t minute_ms = r->minute * MINUTE_MS;
    size_t n = 0;
    for (uint32_t i = 0; i < r->digest_count && n + 2 <= (size_t)WINDOW_CONTACTS_MAX * 2; i++) {
        const struct minute_digest *d = &r->digest[i];
        if (!is_contact(d, options))
            continue;
        if (d->flags & MINUTE_DIGEST_START)
            out[n++] = (struct event){.t_ms = minute_ms + d->start_ms, .index = i};
        if (d->flags & MINUTE_DIGEST_OUTCOME)
            out[n++] = (struct event){.t_ms = minute_ms + d->outcome_ms, .index = i, .ends = true};
    }
    qsort(out, n, sizeof out[0], by_time);
    return n;
}

// Milliseconds in which the connections of a row were begun.
static int64_t row_span_ms(const struct minute_row *r)
{
    int64_t end_ms = r->cut_ms - r->minute * MINUTE_MS, first_ms = end_ms;
    for (uint32_t i = 0; i < r->digest_count; i++) {
        if ((r->digest[i].flags & MINUTE_DIGEST_START) && r->digest[i].start_ms < first_ms)
            first_ms = r->digest[i].start_ms;
    }
    return end_ms - first_ms > 1000 ? end_ms - first_ms : 1000;
}

// A scanner of addresses sends each SYN once and never speaks. The collector counts SYNs that nobody
// sent again and runs of neighbours; what is refused in between is the scanner's doing too. However much that is: no TCP
// leaves a silent SYN alone, so where most silent ones of a row are such, and not hardly any of all, it is a scanner's.
static bool is_scan(const struct window *w, const struct minute_row *r)
{
    const uint64_t *mx = r->counter[MINUTE_MX][MINUTE_OUT];
    uint64_t scans = window_sum(w, FEATURE_SCAN_SYNS, r->cut_ms, SCAN_WINDOW_S);
    uint64_t attempts = window_sum(w, FEATURE_MX_CONNECTIONS, r->cut_ms, SCAN_WINDOW_S);
    bool silent_once = r->gauge[MINUTE_scan_syns] > 0 &&
                       r->gauge[MINUTE_scan_syns] * 2 > mx[MINUTE_unanswered];
    return scans >= SCAN_MIN &&
           (scans * 2 > attempts || (silent_once && scans * SCAN_SHARE > attempts));
}

// A scan that is refused at once shows no SYN that might have been sent again. Until its silent ones
// have timed out, connections of a single packet at a rate no mail program reaches are left out; no
// longer, since a bot behind a block that resets looks the same.
static bool is_hasty(const struct minute_row *r)
{
    const uint64_t *c = r->counter[MINUTE_MX][MINUTE_OUT];
    uint64_t connections = c[MINUTE_connections];
    return connections >= HASTY_MIN && c[MINUTE_packets_up] > 0 &&
           c[MINUTE_packets_up] * 4 <= connections * 5 &&
           (int64_t)connections * 1000 >= HASTY_RATE * row_span_ms(r);
}

bool window_scans(const struct window *w, int64_t now_ms)
{
    return w->scan_ms != 0 && now_ms - w->scan_ms < SCAN_WINDOW_S * 1000LL;
}

static void add_contacts(struct window *w, const struct minute_row *r,
                         const struct window_options *options, struct window_contacts *out)
{
    struct event events[WINDOW_CONTACTS_MAX * 2];
    // A greeting that names a blocklist speaks of that, and is no failed contact besides.
    const uint64_t *mx = r->counter[MINUTE_MX][MINUTE_OUT];
    uint64_t named = mx[MINUTE_blocklist_exploit] + mx[MINUTE_blocklist_unknown];
    uint64_t turned_away = mx[MINUTE_banner_5xx];
    turned_away -= named < turned_away ? named : turned_away;
    size_t n = events_of(r, options, events);
    for (size_t i = 0; i < n; i++) {
        const struct minute_digest *d = &r->digest[events[i].index];
        int64_t t_ms = events[i].t_ms;
        uint32_t provider = providers_hash(d);
        if (!events[i].ends) {
            if (providers_attempt(&w->providers, provider, t_ms, options->memory_ms))
                feature_add(&w->features, t_ms, FEATURE_FIRST_CONTACTS, 1);
            continue;
        }
        enum provider_end end = end_of(d, &turned_away);
        bool failed = end == PROVIDER_FAILED;
        if (failed && options->site_failing)
            end = PROVIDER_UNDECIDED;
        struct contact c = providers_end(&w->providers, provider, t_ms, end, options->memory_ms);
        c.failed = failed;
        c.silent = d->outcome == MINUTE_OUTCOME_UNANSWERED || d->outcome == MINUTE_OUTCOME_ICMP;
        c.refused = d->outcome == MINUTE_OUTCOME_REFUSED;
        if (out->count < WINDOW_CONTACTS_MAX)
            out->contact[out->count++] = c;
    }
}

static void note_quality(struct window *w, const struct minute_row *r)
{
    uint32_t hour = (uint32_t)(r->cut_ms / HOUR_MS);
    if (hour > w->quality_hour) {
        w->loss_ppm[1] = hour == w->quality_hour + 1 ? w->loss_ppm[0] : 0;
        w->loss_ppm[0] = 0;
        w->quality_hour = hour;
    }
    if (r->loss_ppm > w->loss_ppm[0])
        w->loss_ppm[0] = r->loss_ppm;
    if (r->digests_cut > 0 && r->minute > w->cut_minute)
        w->cut_minute = (uint32_t)r->minute;
    w->flags |= r->flags;
    static const uint32_t source[] = {MINUTE_FROM_PACKETS, MINUTE_FROM_LOG, MINUTE_FROM_EXPORT};
    for (size_t i = 0; i < sizeof source / sizeof source[0]; i++)
        if ((r->flags & source[i]) && r->minute >= w->source_end[i])
            w->source_end[i] = (uint32_t)r->minute + 1;
}

uint32_t window_sources(const struct window *w, int64_t since_ms)
{
    static const uint32_t source[] = {VERDICT_FROM_PACKETS, VERDICT_FROM_LOG, VERDICT_FROM_EXPORT};
    uint32_t sources = 0;
    for (size_t i = 0; i < sizeof source / sizeof source[0]; i++)
        if ((int64_t)w->source_end[i] * MINUTE_MS > since_ms)
            sources |= source[i];
    return sources ? sources : (uint32_t)VERDICT_FROM_PACKETS;
}

void window_add(struct window *w, const struct minute_row *r, const struct window_options *options,
                struct window_contacts *contacts)
{
    contacts->count = 0;
    if (w->first_ms == 0)
        w->first_ms = r->minute * MINUTE_MS;
    if (r->cut_ms > w->last_ms)
        w->last_ms = r->cut_ms;
    note_quality(w, r);
    feature_add_row(&w->features, r);
    feature_add(&w->features, r->minute * MINUTE_MS, FEATURE_MX_OCTETS,
                (r->counter[MINUTE_MX][MINUTE_OUT][MINUTE_octets_up] + FEATURE_OCTETS_UNIT - 1) /
                    FEATURE_OCTETS_UNIT);
    for (uint32_t i = 0; i < r->digest_count; i++) {
        if (role_is_delivery(&r->digest[i]))
            feature_add(&w->features, r->minute * MINUTE_MS, FEATURE_IN25_DELIVERED, 1);
    }
    role_observe(&w->role, r, options->named_server);
    if (is_scan(w, r)) {
        if (!window_scans(w, r->cut_ms))
            providers_forget(&w->providers, r->cut_ms - SCAN_WINDOW_S * 1000LL);
        w->scan_ms = r->cut_ms;
    }
    if (!window_scans(w, r->cut_ms) && !is_hasty(r))
        add_contacts(w, r, options, contacts);
}

bool window_concerns(const struct minute_row *r)
{
    if (r->gauge[MINUTE_socks_in_granted] || r->gauge[MINUTE_socks_reverse])
        return true;
    for (unsigned role = 0; role < MINUTE_ROLES; role++) {
        if (r->counter[role][MINUTE_OUT][MINUTE_packets_up] ||
            r->counter[role][MINUTE_OUT][MINUTE_connections] ||
            r->counter[role][MINUTE_IN][MINUTE_established] ||
            r->counter[role][MINUTE_IN][MINUTE_banner_ok])
            return true;
    }
    return (r->flags & MINUTE_FROM_LOG) != 0 || r->key.kind == SUBSCRIBER_MAILBOX;
}

bool window_moves(const struct minute_row *r)
{
    static const uint8_t mail[] = {MINUTE_SMARTHOST, MINUTE_MX, MINUTE_SUBMISSION, MINUTE_ACCESS};
    if (r->digest_count > 0 || r->gauge[MINUTE_socks_in] || r->gauge[MINUTE_socks_reverse] ||
        (r->flags & MINUTE_FROM_LOG))
        return true;
    for (size_t i = 0; i < sizeof mail; i++) {
        const uint64_t *out = r->counter[mail[i]][MINUTE_OUT];
        if (out[MINUTE_packets_up] || out[MINUTE_connections] || out[MINUTE_octets_up])
            return true;
        for (unsigned c = 0; c < MINUTE_octets_up; c++) {
            if (out[c])
                return true;
        }
    }
    return false;
}

static bool may_carry(const struct minute_digest *d)
{
    bool kept_up = d->start_ms <= -CARRIES_MS && d->octets_up >= CARRIES_MIN;
    return d->role == MINUTE_OTHER && d->direction == MINUTE_OUT &&
           (kept_up || d->carrier_behind > 0) && d->octets_up > d->octets_down;
}

bool window_tells(const struct minute_row *r)
{
    static const uint8_t mail[] = {MINUTE_SMARTHOST, MINUTE_MX, MINUTE_SUBMISSION};
    const uint32_t telling = MINUTE_DIGEST_AUTH_FAILED | MINUTE_DIGEST_HOSTING;
    unsigned reads = 0; // sessions with mailboxes; one that fails is as good as many
    if (r->gauge[MINUTE_socks_in] || r->gauge[MINUTE_socks_reverse] ||
        (r->flags & MINUTE_FROM_LOG) || r->counter[MINUTE_ACCESS][MINUTE_OUT][MINUTE_auth_failed] ||
        r->counter[MINUTE_OTHER][MINUTE_OUT][MINUTE_auth_failed])
        return true;
    for (size_t i = 0; i < sizeof mail; i++) {
        if (r->counter[mail[i]][MINUTE_OUT][MINUTE_packets_up] ||
            r->counter[mail[i]][MINUTE_OUT][MINUTE_connections])
            return true;
    }
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        bool submits = d->role == MINUTE_SMARTHOST || d->role == MINUTE_MX ||
                       d->role == MINUTE_SUBMISSION;
        bool failed = d->outcome == MINUTE_OUTCOME_REFUSED || d->outcome == MINUTE_OUTCOME_ICMP ||
                      d->outcome == MINUTE_OUTCOME_UNANSWERED;
        reads += d->role == MINUTE_ACCESS && d->direction == MINUTE_OUT ? failed ? READS_MANY : 1
                                                                        : 0;
        if ((d->flags & telling) || may_carry(d) || (submits && d->direction == MINUTE_OUT) ||
            reads >= READS_MANY)
            return true;
    }
    return false;
}

uint64_t window_sum(const struct window *w, enum feature feature, int64_t now_ms, int32_t window_s)
{
    return feature_sum(&w->features, feature, now_ms, window_s);
}

int64_t window_first(const struct window *w, enum feature feature, int64_t now_ms, int32_t window_s)
{
    return feature_first(&w->features, feature, now_ms, window_s);
}

int64_t window_last(const struct window *w, enum feature feature, int64_t now_ms)
{
    return feature_last(&w->features, feature, now_ms);
}

int64_t window_last_contact(const struct window *w, int64_t now_ms)
{
    int64_t last_ms = providers_last(&w->providers, now_ms);
    return last_ms > 0 ? last_ms : window_last(w, FEATURE_MX_CONNECTIONS, now_ms);
}

double window_providers(const struct window *w, int64_t now_ms, int32_t window_s, int64_t *first_ms)
{
    double listed = providers_within(&w->providers, now_ms, (int64_t)window_s * 1000, first_ms);
    // A minute's set is exact within the minute even when its digests were cut.
    // Of a scan the sets hold whom it looked for.
    bool scanned = w->scan_ms != 0 &&
                   now_ms - w->scan_ms < (int64_t)window_s * 1000 + SCAN_WINDOW_S * 1000 + HOUR_MS;
    double set = scanned ? 0 : (double)window_sum(w, FEATURE_PROVIDERS_MX, now_ms, window_s);
    double most = listed > set ? listed : set;
    if (listed < PROVIDERS_MAX)
        return most;
    // The list is full: first contacts reach further, to the minute.
    double fresh = (double)window_sum(w, FEATURE_FIRST_CONTACTS, now_ms, window_s);
    return most > fresh ? most : fresh;
}

uint32_t window_loss_ppm(const struct window *w, int64_t now_ms)
{
    uint32_t hour = (uint32_t)(now_ms / HOUR_MS);
    if (hour > w->quality_hour + 1)
        return 0;
    return w->loss_ppm[0] > w->loss_ppm[1] ? w->loss_ppm[0] : w->loss_ppm[1];
}

bool window_digests_cut(const struct window *w, int64_t now_ms, int32_t window_s)
{
    return w->cut_minute > 0 &&
           (int64_t)w->cut_minute * MINUTE_MS + MINUTE_MS > now_ms - (int64_t)window_s * 1000;
}

bool window_is_cut_off(const struct window *w, int64_t now_ms)
{
    return window_sum(w, FEATURE_MX_ESTABLISHED, now_ms, DAY_S) * 10 <=
           window_sum(w, FEATURE_MX_CONNECTIONS, now_ms, DAY_S);
}

bool window_verifies(const struct window *w, int64_t now_ms)
{
    uint64_t mail = window_sum(w, FEATURE_MX_MAIL, now_ms, KIND_WINDOW_S);
    uint64_t null_sender = window_sum(w, FEATURE_MX_NULL_SENDER, now_ms, KIND_WINDOW_S);
    uint64_t recipients = window_sum(w, FEATURE_MX_RCPT_OK, now_ms, KIND_WINDOW_S) +
                          window_sum(w, FEATURE_MX_RCPT_5XX, now_ms, KIND_WINDOW_S);
    uint64_t messages = window_sum(w, FEATURE_MX_MESSAGES, now_ms, KIND_WINDOW_S);
    return mail > 0 && null_sender * 5 >= mail * 4 && recipients * 2 <= mail * 3 &&
           messages * 5 <= mail;
}

enum window_kind window_kind(const struct window *w, int64_t now_ms)
{
    uint64_t sessions = window_sum(w, FEATURE_MX_HELO, now_ms, KIND_WINDOW_S);
    uint64_t mail = window_sum(w, FEATURE_MX_MAIL, now_ms, KIND_WINDOW_S);
    uint64_t null_sender = window_sum(w, FEATURE_MX_NULL_SENDER, now_ms, KIND_WINDOW_S);
    uint64_t messages = window_sum(w, FEATURE_MX_MESSAGES, now_ms, KIND_WINDOW_S);
    uint64_t no_data = window_sum(w, FEATURE_MX_550_NO_DATA, now_ms, KIND_WINDOW_S);
    uint64_t failed = window_sum(w, FEATURE_LOGIN_FAILED, now_ms, KIND_WINDOW_S);
    uint64_t listed = window_sum(w, FEATURE_LISTED_EXPLOIT, now_ms, KIND_WINDOW_S) +
                      window_sum(w, FEATURE_LISTED_POLICY, now_ms, KIND_WINDOW_S) +
                      window_sum(w, FEATURE_LISTED_UNKNOWN, now_ms, KIND_WINDOW_S);
    if (failed >= KIND_MIN && failed * 2 >= sessions && mail * 5 <= failed && sessions > 0)
        return WINDOW_LOGINS;
    if (mail < KIND_MIN)
        return WINDOW_MAIL;
    bool nobody = null_sender * 5 >= mail * 4;
    if (messages * 10 >= mail)
        return nobody ? WINDOW_BOUNCES : WINDOW_MAIL;
    // Refused by name of a blocklist, a bot gets no further than RCPT either.
    bool refused = no_data * 2 >= mail && listed * 3 < no_data;
    return nobody || refused ? WINDOW_PROBES : WINDOW_MAIL;
}
