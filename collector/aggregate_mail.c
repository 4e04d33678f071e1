// Mail-log events into minutes: of the mailbox that authenticated, and of who connected, a line of ours or an
// outside network that uses our submission service. The other end is always our own server.
#include <assert.h>

#include "aggregate_parts.h"
#include "common/hash.h"
#include "log_merge.h"

#define LATELY_MS 3600000

struct row { // one row an event goes to
    struct acc *acc;
    bool mailbox;
    bool envelopes; // messages and recipients count here
    bool of_line;   // which packets may have seen too: counted when the row is settled
    bool lately;    // packets showed the line's envelopes within the hour
};

static void add(struct aggregate *g, const struct row *r, enum minute_counter counter, uint64_t n)
{
    acc_add(r->acc, MINUTE_SMARTHOST, MINUTE_OUT, counter, n, g->part.limits);
}

static void count_filter(struct aggregate *g, const struct row *r, const struct record_mail *e)
{
    switch (e->filter) {
    case RECORD_FILTER_SPAM: add(g, r, MINUTE_filter_spam, 1); break;
    case RECORD_FILTER_VIRUS: add(g, r, MINUTE_filter_virus, 1); break;
    case RECORD_FILTER_POLICY:
    case RECORD_FILTER_RATE: add(g, r, MINUTE_filter_policy, 1); break;
    default: break;
    }
}

static void count_blocklist(struct aggregate *g, const struct row *r, const struct record_mail *e)
{
    static const int counter[] = {-1, MINUTE_blocklist_policy, MINUTE_blocklist_exploit,
                                  MINUTE_blocklist_unknown};
    if (e->blocklist == 0 || e->blocklist > 3)
        return;
    add(g, r, (enum minute_counter)counter[e->blocklist], 1);
    add(g, r, MINUTE_destination_blocklist, 1);
}

static void count_envelope(struct aggregate *g, const struct row *r, const struct record_mail *e)
{
    add(g, r, MINUTE_rcpt, (uint64_t)e->recipients + e->recipients_4xx + e->recipients_5xx);
    add(g, r, MINUTE_rcpt_ok, e->recipients);
    add(g, r, MINUTE_rcpt_4xx, e->recipients_4xx);
    add(g, r, MINUTE_rcpt_5xx, e->recipients_5xx);
    add(g, r, MINUTE_message_octets, e->message_octets);
    count_hashes(g, r->acc, e->hash, e->hash_count);
}

// Servers that name recipients only when they deliver. That may be minutes behind the session, which packets may have
// shown then.
static void count_delivered(struct aggregate *g, const struct row *r, const struct record_mail *e)
{
    count_hashes(g, r->acc, e->hash, e->hash_count);
    if (e->recipients == 0)
        return;
    if (!r->of_line) {
        add(g, r, MINUTE_rcpt, e->recipients);
        add(g, r, MINUTE_rcpt_ok, e->recipients);
    } else if (!r->lately) {
        log_merge_event(r->acc, e, g->part.limits);
    }
}

static void count_event(struct aggregate *g, const struct row *r, const struct record_mail *e)
{
    unsigned reply = e->reply_code / 100u;
    bool told = e->event != RECORD_MAIL_DELIVERY && e->event != RECORD_MAIL_BOUNCE;
    if (r->of_line && told) {
        if (e->event == RECORD_MAIL_REJECT)
            count_filter(g, r, e);
        if (r->envelopes) {
            log_merge_event(r->acc, e, g->part.limits);
            count_hashes(g, r->acc, e->hash, e->hash_count);
        }
        return;
    }
    switch (e->event) {
    case RECORD_MAIL_CONNECT:
        if (!r->envelopes)
            break;
        add(g, r, MINUTE_connections, 1);
        add(g, r, MINUTE_established, 1);
        add(g, r, MINUTE_tls_sessions, e->tls);
        break;
    case RECORD_MAIL_MESSAGE:
        if (!r->envelopes)
            break;
        add(g, r, MINUTE_messages_ok, 1);
        add(g, r, MINUTE_mail, 1);
        count_envelope(g, r, e);
        break;
    case RECORD_MAIL_REJECT:
        count_filter(g, r, e);
        if (!r->envelopes)
            break;
        // A recipient that was refused is no message refused.
        if (e->recipients_4xx + e->recipients_5xx == 0) {
            add(g, r, reply == 4 ? MINUTE_messages_4xx : MINUTE_messages_5xx, 1);
            add(g, r, MINUTE_mail, 1);
        }
        count_envelope(g, r, e);
        break;
    case RECORD_MAIL_AUTH:
        if (!r->envelopes)
            break;
        add(g, r, MINUTE_auth, 1);
        add(g, r, MINUTE_auth_failed, e->auth_failed);
        count_hashes(g, r->acc, e->hash, e->hash_count);
        break;
    case RECORD_MAIL_DELIVERY:
        add(g, r, MINUTE_deferred, reply == 4);
        add(g, r, MINUTE_destination_5xx, reply == 5);
        count_blocklist(g, r, e);
        if (r->envelopes)
            count_delivered(g, r, e);
        break;
    case RECORD_MAIL_BOUNCE: add(g, r, MINUTE_bounces, 1); break;
    default: break;
    }
}

// Where a mailbox is used from.
static void count_client(struct aggregate *g, const struct row *r, const struct record_mail *e)
{
    if (e->client.family == IP_NONE)
        return;
    uint64_t network = e->client_asn ? hash_number(HASH_ASN, e->client_asn)
                                     : hash_network(&e->client);
    acc_set(r->acc, MINUTE_SET_client_networks, 0, network, g->part.limits);
    if (e->client_country[0])
        acc_set(r->acc, MINUTE_SET_client_countries, 0,
                hash_octets(HASH_COUNTRY, span_of_text(e->client_country)), g->part.limits);
}

static uint64_t first_hash(const struct record_mail *e, enum keyed_hash_kind kind)
{
    for (unsigned i = 0; i < e->hash_count; i++)
        if (e->hash[i].kind == kind)
            return e->hash[i].value;
    return 0;
}

// Of a client without a port (Postfix names none by itself) the logins that failed are told apart by the name that was
// tried: one who guesses shows by how many there are.
static uint64_t session_of(const struct record_mail *e)
{
    uint64_t of[3] = {e->server_hash, hash_address(&e->client),
                      (uint64_t)e->client_port << 16 | e->server_port};
    bool guess = e->event == RECORD_MAIL_AUTH && e->auth_failed && e->client_port == 0;
    uint64_t h = e->mailbox.value ^ (guess ? first_hash(e, KEYED_HASH_AUTH_USER) : 0);
    for (unsigned i = 0; i < 3; i++)
        h = hash_number(HASH_ADDRESS, h ^ of[i]);
    return h;
}

// A client's session as far as the log tells: one digest for client, port and mailbox.
static void digest_event(struct aggregate *g, const struct row *r, const struct record_mail *e)
{
    uint64_t session = session_of(e);
    int32_t at_ms = (int32_t)(e->t_ms - r->acc->minute * 60000);
    struct minute_digest *d = acc_digest(r->acc, session);
    if (!d) {
        d = acc_digest_new(r->acc, session, 1, g->part.limits);
        if (!d)
            return;
        struct provider p = provider_of(g->part.providers, &e->client, "");
        d->peer = e->client;
        d->peer_port = e->client_port;
        d->own_port = e->server_port;
        d->role = MINUTE_SMARTHOST;
        d->direction = MINUTE_OUT;
        d->app = e->server_port == 465 ? RECORD_APP_SMTPS : RECORD_APP_SMTP;
        d->outcome = MINUTE_OUTCOME_ESTABLISHED;
        d->provider_kind = p.kind;
        d->provider = p.hash;
        d->start_ms = at_ms;
        d->flags = MINUTE_DIGEST_FROM_LOG;
    }
    d->end_ms = at_ms > d->end_ms ? at_ms : d->end_ms;
    bool in = e->event == RECORD_MAIL_MESSAGE ||
              (e->event == RECORD_MAIL_AUTH && e->mailbox.kind && !e->auth_failed);
    d->flags |= (e->tls ? MINUTE_DIGEST_TLS : 0u) |
                (in && e->mailbox.kind ? MINUTE_DIGEST_AUTH : 0u) |
                (e->auth_failed ? MINUTE_DIGEST_AUTH_FAILED : 0u) |
                (e->blocklist == 1 ? MINUTE_DIGEST_POLICY_REPLY : 0u);
    d->rcpt += e->recipients + e->recipients_4xx + e->recipients_5xx;
    d->rcpt_5xx += e->recipients_5xx;
    d->messages_ok += e->event == RECORD_MAIL_MESSAGE;
    d->messages_5xx += e->event == RECORD_MAIL_REJECT && e->reply_code / 100 != 4 &&
                       e->recipients_5xx == 0;
    if (!d->user)
        d->user = e->mailbox.kind ? e->mailbox.value : first_hash(e, KEYED_HASH_AUTH_USER);
    if (!d->recipient)
        d->recipient = first_hash(e, KEYED_HASH_RECIPIENT);
    if (!d->sender)
        d->sender = first_hash(e, KEYED_HASH_SENDER);
}

static void give(struct aggregate *g, const struct record_mail *e, struct active *a,
                 const struct lease_answer *answer, int process, bool mailbox, bool envelopes)
{
    struct row r = {.mailbox = mailbox,
                    .envelopes = envelopes,
                    .of_line = a && a->key.kind == SUBSCRIBER_ADDRESS,
                    .lately = a && a->envelopes_ms > e->t_ms - LATELY_MS};
    if (!a)
        return;
    r.acc = aggregate_acc(g, a, answer, e->t_ms, process, MINUTE_FROM_LOG);
    if (!r.acc)
        return;
    aggregate_sent(g, a);
    count_event(g, &r, e);
    if (mailbox)
        count_client(g, &r, e);
    bool of_client = e->event != RECORD_MAIL_DELIVERY && e->event != RECORD_MAIL_BOUNCE;
    if (envelopes && of_client && e->client.family != IP_NONE)
        digest_event(g, &r, e);
}

static struct active *named(struct aggregate *g, const struct subscriber_key *key, int64_t t_ms,
                            const struct lease_answer *answer)
{
    bool is_new;
    struct active *a = actives_get(g->part.actives, key, answer, t_ms, &is_new);
    g->stats.no_room += !a;
    return a;
}

void aggregate_mail(struct aggregate *g, const struct record_mail *e, int process)
{
    // A mailbox is its own party, known for certain.
    struct lease_answer own = {.confidence = IDENTITY_CERTAIN, .port_last = 65535}, lease;
    bool mailbox = e->mailbox.kind == KEYED_HASH_MAILBOX;
    bool client = e->client.family != IP_NONE;
    bool ours = client && prefix_set_find(g->part.subscribers, &e->client, NULL);
    if (mailbox) {
        struct subscriber_key key = {.kind = SUBSCRIBER_MAILBOX,
                                     .mailbox_key_id = e->mailbox.key_id,
                                     .mailbox = e->mailbox.value,
                                     .port_last = 65535};
        give(g, e, named(g, &key, e->t_ms, &own), &own, process, true, true);
    }
    if (ours) {
        struct active *a = aggregate_active(g, &e->realm, &e->client, e->client_port, e->t_ms,
                                            &lease);
        give(g, e, a, &lease, process, false, g->options.log_envelopes);
    } else if (client) {
        struct ip_prefix p = prefix_of(&e->client, e->client.family == IP_V4 ? 24 : 48);
        struct subscriber_key key = subscriber_key_of(&e->realm, &p);
        key.kind = SUBSCRIBER_CLIENT;
        struct lease_answer unknown = {.confidence = IDENTITY_UNKNOWN, .port_last = 65535};
        give(g, e, named(g, &key, e->t_ms, &unknown), &unknown, process, false, true);
    }
    g->stats.no_mailbox += !mailbox && !client;
}
