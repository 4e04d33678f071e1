// See log_merge.h. Memory is taken with the first of either kind and lives as long as the minute is open; that for what
// the log tells, which is ten times as much, only when it tells something.
#include "log_merge.h"

#include <stdlib.h>

enum {
    CONNECTIONS,
    TLS,
    MAIL,
    RCPT_OK,
    RCPT_4XX,
    RCPT_5XX,
    OK,
    LATER,
    REFUSED,
    AUTH,
    AUTH_FAILED,
    N
};

static const enum minute_counter counter_of[N] = {
    [CONNECTIONS] = MINUTE_connections,
    [TLS] = MINUTE_tls_sessions,
    [MAIL] = MINUTE_mail,
    [RCPT_OK] = MINUTE_rcpt_ok,
    [RCPT_4XX] = MINUTE_rcpt_4xx,
    [RCPT_5XX] = MINUTE_rcpt_5xx,
    [OK] = MINUTE_messages_ok,
    [LATER] = MINUTE_messages_4xx,
    [REFUSED] = MINUTE_messages_5xx,
    [AUTH] = MINUTE_auth,
    [AUTH_FAILED] = MINUTE_auth_failed,
};

struct session { // as one of both saw it
    uint16_t own_port, server_port;
    bool envelopes;
};

struct told {
    uint16_t own_port, server_port; // 0: not in the log
    uint32_t n[N];
    uint64_t octets;
};

struct acc_log {
    struct session seen[LOG_MERGE_SESSIONS];
    struct told *told; // LOG_MERGE_SESSIONS; owned, NULL until the log tells
    unsigned seen_count, told_count;
    bool any, any_envelopes; // seen in packets at all
};

static struct acc_log *log_of(struct acc *a, struct acc_limits *limits)
{
    if (!a->log && !(a->log = calloc(1, sizeof *a->log)))
        limits->out_of_memory++;
    return a->log;
}

void log_merge_free(struct acc_log *l)
{
    if (!l)
        return;
    free(l->told);
    free(l);
}

void log_merge_packets(struct acc *a, uint16_t own_port, uint16_t server_port, bool envelopes,
                       struct acc_limits *limits)
{
    struct acc_log *l = log_of(a, limits);
    if (!l)
        return;
    l->any = true;
    l->any_envelopes |= envelopes;
    for (unsigned i = 0; i < l->seen_count; i++)
        if (l->seen[i].own_port == own_port && l->seen[i].server_port == server_port) {
            l->seen[i].envelopes |= envelopes;
            return;
        }
    if (l->seen_count < LOG_MERGE_SESSIONS)
        l->seen[l->seen_count++] = (struct session){own_port, server_port, envelopes};
}

// The last place is for all that find no other; like those without a port they are judged together.
static struct told *told_of(struct acc_log *l, uint16_t own_port, uint16_t server_port)
{
    for (unsigned i = 0; i < l->told_count; i++)
        if (l->told[i].own_port == own_port && l->told[i].server_port == server_port)
            return &l->told[i];
    if (l->told_count < LOG_MERGE_SESSIONS) {
        l->told[l->told_count] = (struct told){.own_port = own_port, .server_port = server_port};
        return &l->told[l->told_count++];
    }
    l->told[LOG_MERGE_SESSIONS - 1].own_port = 0;
    return &l->told[LOG_MERGE_SESSIONS - 1];
}

void log_merge_event(struct acc *a, const struct record_mail *e, struct acc_limits *limits)
{
    struct acc_log *l = log_of(a, limits);
    if (!l)
        return;
    if (!l->told && !(l->told = calloc(LOG_MERGE_SESSIONS, sizeof *l->told))) {
        limits->out_of_memory++;
        return;
    }
    struct told *t = told_of(l, e->client_port, e->server_port);
    bool whole = e->recipients_4xx + e->recipients_5xx == 0;
    a->dirty = true;
    t->n[RCPT_OK] += e->recipients;
    t->n[RCPT_4XX] += e->recipients_4xx;
    t->n[RCPT_5XX] += e->recipients_5xx;
    t->octets += e->message_octets;
    switch (e->event) {
    case RECORD_MAIL_CONNECT:
        t->n[CONNECTIONS]++;
        t->n[TLS] += e->tls;
        break;
    case RECORD_MAIL_MESSAGE:
        t->n[OK]++;
        t->n[MAIL]++;
        break;
    case RECORD_MAIL_REJECT:
        t->n[e->reply_code / 100 == 4 ? LATER : REFUSED] += whole;
        t->n[MAIL] += whole;
        break;
    case RECORD_MAIL_AUTH:
        t->n[AUTH]++;
        t->n[AUTH_FAILED] += e->auth_failed;
        break;
    default: break;
    }
}

static const struct session *match(const struct acc_log *l, uint16_t own_port, uint16_t server_port)
{
    for (unsigned i = 0; own_port != 0 && i < l->seen_count; i++)
        if (l->seen[i].own_port == own_port && l->seen[i].server_port == server_port)
            return &l->seen[i];
    return NULL;
}

static void add(struct acc *a, unsigned what, uint64_t n, struct acc_limits *limits)
{
    acc_add(a, MINUTE_SMARTHOST, MINUTE_OUT, counter_of[what], n, limits);
}

static void add_told(struct acc *a, const struct told *t, struct acc_limits *limits)
{
    const struct acc_log *l = a->log;
    const struct session *s = match(l, t->own_port, t->server_port);
    // More sessions than are kept: as without a port.
    bool unsure = t->own_port == 0 || l->seen_count == LOG_MERGE_SESSIONS;
    bool connection = s || (unsure && l->any);
    bool envelopes = s ? s->envelopes : unsure && l->any_envelopes;
    if (!connection) {
        add(a, CONNECTIONS, t->n[CONNECTIONS], limits);
        acc_add(a, MINUTE_SMARTHOST, MINUTE_OUT, MINUTE_established, t->n[CONNECTIONS], limits);
        add(a, TLS, t->n[TLS], limits);
    }
    if (envelopes)
        return;
    for (unsigned i = MAIL; i < N; i++)
        add(a, i, t->n[i], limits);
    acc_add(a, MINUTE_SMARTHOST, MINUTE_OUT, MINUTE_rcpt,
            (uint64_t)t->n[RCPT_OK] + t->n[RCPT_4XX] + t->n[RCPT_5XX], limits);
    acc_add(a, MINUTE_SMARTHOST, MINUTE_OUT, MINUTE_message_octets, t->octets, limits);
}

// The log's digest names the client's port as the peer's, for its other end is we.
static void drop_digests(struct acc *a)
{
    const struct acc_log *l = a->log;
    unsigned kept = 0;
    for (unsigned i = 0; i < a->digest_count; i++) {
        const struct minute_digest *d = &a->digest[i].digest;
        bool from_log = d->flags & MINUTE_DIGEST_FROM_LOG;
        const struct session *s = from_log ? match(l, d->peer_port, d->own_port) : NULL;
        if (from_log && (s ? s->envelopes : d->peer_port == 0 && l->any_envelopes))
            continue;
        a->digest[kept++] = a->digest[i];
    }
    a->digest_count = (uint16_t)kept;
}

void log_merge_settle(struct acc *a, struct acc_limits *limits)
{
    struct acc_log *l = a->log;
    if (!l)
        return;
    for (unsigned i = 0; i < l->told_count; i++)
        add_told(a, &l->told[i], limits);
    if (l->any && l->told_count > 0)
        drop_digests(a);
    l->told_count = 0;
}
