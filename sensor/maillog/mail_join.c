// See mail_join.h. A filter on the server hands a message back as a new one: the new one is its inner message,
// found again by the filter's word (orig_queue_id, "queued as") or by the Message-ID, and what becomes of
// it is told of the outer one's sender.
#include "maillog/mail_join.h"

#include <stdlib.h>

#include "maillog/mail_tell.h"

#define SESSION_TOLD_MS 2000
#define DONE_KEPT       1024

struct mail_join *mail_join_new(const struct mail_join_config *config)
{
    struct mail_join *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->config = *config;
    j->messages = mail_table_new(config->messages);
    j->sessions = mail_table_new(config->sessions);
    j->hold = mail_hold_new();
    j->delivered = mail_once_new(config->messages);
    j->done_room = config->messages / 8 < DONE_KEPT ? config->messages / 8 + 1 : DONE_KEPT;
    j->done = calloc(j->done_room, sizeof *j->done);
    if (!j->messages || !j->sessions || !j->hold || !j->delivered || !j->done) {
        mail_join_free(j);
        return NULL;
    }
    return j;
}

void mail_join_free(struct mail_join *j)
{
    if (!j)
        return;
    mail_table_free(j->messages);
    mail_table_free(j->sessions);
    mail_hold_free(j->hold);
    mail_once_free(j->delivered);
    free(j->done);
    free(j);
}

const struct mail_join_stats *mail_join_stats(const struct mail_join *j)
{
    return &j->stats;
}

void mail_join_clear_stats(struct mail_join *j)
{
    j->stats = (struct mail_join_stats){0};
}

uint64_t mail_join_told(const struct mail_join_stats *s)
{
    return s->sessions + s->messages + s->rejects + s->blocks + s->deliveries + s->bounces +
           s->logins;
}

uint64_t mail_join_evicted(const struct mail_join *j)
{
    return mail_table_evicted(j->messages) + mail_table_evicted(j->sessions);
}

// ---- Sessions.

static struct mail_entry *session_of(struct mail_join *j, const struct mail_note *n,
                                     uint64_t server)
{
    uint64_t key = mail_tell_session_key(n, server);
    struct mail_entry *s = mail_table_find(j->sessions, key);
    // Another client in one session: who connected was a proxy that speaks for it (XCLIENT). A process that
    // serves one client after another says so (on_connect).
    if (s && n->client.family != IP_NONE && !ip_equal(&s->client, &n->client)) {
        mail_table_drop(j->sessions, s);
        s = NULL;
    }
    if (s)
        return s;
    s = mail_table_get(j->sessions, key);
    s->t_ms = n->t_ms;
    s->server = server;
    s->client = n->client;
    s->client_port = n->client_port;
    s->server_port = n->server_port;
    return s;
}

// `given`: the recipients that its client gave and had accepted.
static void end_session(struct mail_join *j, struct mail_entry *s, uint32_t given, int64_t t_ms)
{
    mail_tell_session(j, s, t_ms);
    mail_hold_settle(j, s, given, t_ms);
    mail_table_drop(j->sessions, s);
}

static void on_connect(struct mail_join *j, const struct mail_note *n, uint64_t server)
{
    struct mail_entry *s = mail_table_find(j->sessions, mail_tell_session_key(n, server));
    if (s) // its end was not seen
        end_session(j, s, UINT32_MAX, n->t_ms);
    s = session_of(j, n, server);
    if (n->tls)
        s->flags |= MAIL_ENTRY_TLS;
}

static void on_tls(struct mail_join *j, const struct mail_note *n, uint64_t server)
{
    struct mail_entry *s = session_of(j, n, server);
    s->flags |= MAIL_ENTRY_TLS;
    mail_tell_session(j, s, n->t_ms);
}

static void on_disconnect(struct mail_join *j, const struct mail_note *n, uint64_t server)
{
    struct mail_entry *s = mail_table_find(j->sessions, mail_tell_session_key(n, server));
    if (!s)
        return;
    end_session(j, s, n->counted ? n->recipients : UINT32_MAX, n->t_ms);
}

static void on_auth(struct mail_join *j, const struct mail_note *n, uint64_t server)
{
    struct mail_entry *s = session_of(j, n, server), who = *s;
    mail_tell_session(j, s, n->t_ms);
    if (n->tls)
        who.flags |= MAIL_ENTRY_TLS;
    // A failed try names a mailbox that may be nobody's: a name among others.
    who.mailbox = (struct keyed_hash){0};
    if (!n->auth_failed) {
        s->mailbox = mail_tell_mailbox_of(j, n->user);
        mail_tell_login(j, s, n->t_ms);
        return;
    }
    struct record_mail *r = mail_tell_begin(j, RECORD_MAIL_AUTH, &who, n->t_ms);
    r->auth_failed = true;
    r->reply_code = 535;
    if (n->user.len > 0)
        mail_tell_add_hash(r, mail_tell_hash_of(j, KEYED_HASH_AUTH_USER, n->user));
    j->stats.logins++;
    j->stats.logins_failed++;
    mail_tell(j);
}

// ---- Messages.

// The message that a verdict or a delivery is about: the outer one of an inner.
static struct mail_entry *message_of(struct mail_join *j, const struct mail_note *n,
                                     uint64_t server)
{
    struct mail_entry *e = NULL;
    uint64_t name = mail_tell_name_hash(n->message_id);
    if (n->queue_id.len > 0)
        e = mail_table_find(j->messages, mail_tell_message_key(server, n->queue_id));
    if (!e && name) // a filter of another instance, or one that knows no queue id
        e = mail_table_named(j->messages, name, NULL);
    if (e && name && e->name && e->name != name) {
        j->stats.forged_name++;
        return NULL;
    }
    return e;
}

// An inner message takes over whose the outer one is.
static void inherit(struct mail_entry *inner, const struct mail_entry *outer)
{
    inner->client = outer->client;
    inner->client_port = outer->client_port;
    inner->server_port = outer->server_port;
    inner->mailbox = outer->mailbox;
    inner->sender = outer->sender;
    inner->sender_domain = outer->sender_domain;
    inner->helo = outer->helo;
    inner->flags = (uint16_t)((outer->flags & ~MAIL_ENTRY_BLOCKED) | MAIL_ENTRY_INNER |
                              MAIL_ENTRY_TOLD);
}

static void know(struct mail_join *j, uint64_t server)
{
    for (unsigned i = 0; i < MAIL_SERVERS; i++)
        if (j->server[i] == server)
            return;
    j->server[j->servers++ % MAIL_SERVERS] = server;
}

// A message by the queue id that another server named, most often another instance of its own.
static struct mail_entry *of_any_server(struct mail_join *j, uint64_t server, struct span id)
{
    struct mail_entry *e = mail_table_find(j->messages, mail_tell_message_key(server, id));
    for (unsigned i = 0; !e && id.len > 0 && i < MAIL_SERVERS; i++)
        if (j->server[i])
            e = mail_table_find(j->messages, mail_tell_message_key(j->server[i], id));
    return e;
}

static struct mail_entry *open_message(struct mail_join *j, const struct mail_note *n,
                                       uint64_t server)
{
    struct mail_entry *s = session_of(j, n, server);
    uint64_t key = mail_tell_message_key(server, n->queue_id);
    know(j, server);
    struct mail_entry *e = mail_table_get(j->messages,
                                          key ? key : mail_tell_session_key(n, server));
    mail_table_name(j->messages, e, 0);
    *e = (struct mail_entry){.key = e->key,
                             .chain = e->chain,
                             .newer = e->newer,
                             .older = e->older,
                             .t_ms = n->t_ms,
                             .server = server,
                             .client = n->client,
                             .client_port = n->client_port,
                             .server_port = n->server_port,
                             .flags = MAIL_ENTRY_CLIENT};
    if (n->tls)
        s->flags |= MAIL_ENTRY_TLS;
    e->flags |= s->flags & MAIL_ENTRY_TLS;
    if (mail_tell_loopback(&n->client) && n->user.len == 0) {
        struct mail_entry *outer = of_any_server(j, server, n->other_id);
        e->flags |= MAIL_ENTRY_INNER;
        if (n->other_id.len > 0 && outer)
            inherit(e, outer);
        return e;
    }
    if (n->user.len > 0)
        s->mailbox = mail_tell_mailbox_of(j, n->user);
    e->mailbox = s->mailbox;
    if (n->kind == MAIL_NOTE_OPEN && key) {
        e->session = s->key;
        e->message = s->message;
        s->message = key;
    }
    mail_tell_session(j, s, n->t_ms);
    mail_tell_login(j, s, n->t_ms);
    return e;
}

static void on_name(struct mail_join *j, const struct mail_note *n, uint64_t server)
{
    struct mail_entry *e = mail_table_find(j->messages, mail_tell_message_key(server, n->queue_id));
    if (!e)
        return;
    uint64_t name = mail_tell_name_hash(n->message_id);
    if ((e->flags & MAIL_ENTRY_INNER) && !(e->flags & MAIL_ENTRY_TOLD)) {
        struct mail_entry *outer = mail_table_named(j->messages, name, e);
        if (outer && outer->t_ms + 3600000 > n->t_ms)
            inherit(e, outer);
    }
    mail_table_name(j->messages, e, name);
}

static void on_accepted(struct mail_join *j, const struct mail_note *n, struct mail_entry *e)
{
    if (e->flags & MAIL_ENTRY_TOLD) // a deferred message becomes active again and again
        return;
    if (e->flags & (MAIL_ENTRY_INNER | MAIL_ENTRY_LOCAL)) {
        // Nobody's yet: the filter's word may still come ("queued as").
        j->stats.messages_local += (e->flags & MAIL_ENTRY_LOCAL) != 0;
        return;
    }
    mail_tell_add_sender(j, e, n);
    e->flags |= MAIL_ENTRY_TOLD;
    if (!mail_tell_ours(j, e)) {
        j->stats.messages_in++;
        return;
    }
    struct record_mail *r = mail_tell_begin(j, RECORD_MAIL_MESSAGE, e, n->t_ms);
    r->reply_code = 250;
    r->recipients = n->recipients;
    if (r->recipients == 0 && n->recipient_list.len + n->recipient.len > 0)
        r->recipients = 1;
    if (r->recipients == 0)
        e->flags |= MAIL_ENTRY_UNNAMED;
    r->message_octets = n->size;
    if (n->helo.len > 0 && mail_tell_names(j))
        e->helo = mail_tell_hash_of(j, KEYED_HASH_HELO, n->helo);
    mail_tell_add_envelope(r, e);
    mail_tell_add_recipients(j, r, n);
    j->stats.messages++;
    if (e->recipients > 0 && r->recipients > e->recipients)
        r->recipients = e->recipients;
    struct mail_entry *s = e->session ? mail_table_find(j->sessions, e->session) : NULL;
    if (s && r->recipients > 1) {
        mail_hold_put(j, s->key);
        return;
    }
    if (s)
        s->recipients += r->recipients;
    mail_tell(j);
}

static void on_handed_on(struct mail_join *j, const struct mail_note *n, struct mail_entry *e,
                         uint64_t server)
{
    struct mail_entry *inner = of_any_server(j, server, n->other_id);
    if (inner && !(inner->flags & MAIL_ENTRY_TOLD))
        inherit(inner, e);
}

// Exim names recipients at the arrival only when it is told to. Each counts with its first line, be it sent, put
// off or refused; an alias of several is one, for the line names whom the client named.
static bool counts_now(struct mail_join *j, const struct mail_note *n, const struct mail_entry *e)
{
    return (e->flags & MAIL_ENTRY_UNNAMED) && n->recipient.len > 0 &&
           mail_once_add(j->delivered,
                         e->key ^ mail_tell_hash_of(j, KEYED_HASH_RECIPIENT, n->recipient).value);
}

static void on_delivery(struct mail_join *j, const struct mail_note *n, struct mail_entry *e)
{
    if (!mail_tell_ours(j, e) || mail_tell_loopback(&e->client))
        return;
    struct record_mail *r = mail_tell_begin(j, RECORD_MAIL_DELIVERY, e, n->t_ms);
    r->reply_code = n->reply_code;
    r->blocklist = n->blocklist;
    r->recipients = counts_now(j, n, e);
    mail_tell_add_recipient(j, r, n->recipient);
    j->stats.deliveries++;
    mail_tell(j);
}

static void on_bounce(struct mail_join *j, const struct mail_note *n, struct mail_entry *e)
{
    if (!mail_tell_ours(j, e) || mail_tell_loopback(&e->client))
        return;
    mail_tell_begin(j, RECORD_MAIL_BOUNCE, e, n->t_ms);
    j->stats.bounces++;
    mail_tell(j);
}

// A message kept back, by the server itself or by a filter beside it: once.
static void on_block(struct mail_join *j, const struct mail_note *n, struct mail_entry *e)
{
    if ((e->flags & MAIL_ENTRY_BLOCKED) || !mail_tell_ours(j, e) || mail_tell_loopback(&e->client))
        return;
    e->flags |= MAIL_ENTRY_BLOCKED;
    mail_tell_add_sender(j, e, n);
    struct record_mail *r = mail_tell_begin(j, RECORD_MAIL_REJECT, e, n->t_ms);
    r->filter = n->filter;
    r->reply_code = n->reply_code >= 400 ? n->reply_code : 554;
    mail_tell_add_envelope(r, e);
    j->stats.blocks++;
    mail_tell(j);
}

static void on_reject(struct mail_join *j, const struct mail_note *n, uint64_t server)
{
    struct mail_entry *e = message_of(j, n, server);
    if (e && n->whole) {
        on_block(j, n, e);
        return;
    }
    struct mail_entry who = {.server = server,
                             .client = n->client,
                             .client_port = n->client_port,
                             .server_port = n->server_port};
    if (!n->aside) {
        struct mail_entry *s = session_of(j, n, server);
        if (n->user.len > 0)
            s->mailbox = mail_tell_mailbox_of(j, n->user);
        mail_tell_session(j, s, n->t_ms);
        who = *s;
    }
    if (!mail_tell_ours(j, &who) || mail_tell_loopback(&who.client))
        return;
    mail_tell_add_sender(j, &who, n);
    if (n->helo.len > 0 && mail_tell_names(j))
        who.helo = mail_tell_hash_of(j, KEYED_HASH_HELO, n->helo);
    struct record_mail *r = mail_tell_begin(j, RECORD_MAIL_REJECT, &who, n->t_ms);
    r->filter = n->filter;
    r->reply_code = n->reply_code >= 400 ? n->reply_code : 550;
    if (!n->whole && n->recipient.len > 0) {
        r->recipients_4xx = r->reply_code < 500;
        r->recipients_5xx = r->reply_code >= 500;
    }
    mail_tell_add_envelope(r, &who);
    mail_tell_add_recipient(j, r, n->recipient);
    j->stats.rejects++;
    mail_tell(j);
}

// Another file may still speak of it (a filter's, an instance's behind this one).
static void on_done(struct mail_join *j, struct mail_entry *e)
{
    uint64_t *place = &j->done[j->done_at++ % j->done_room];
    struct mail_entry *old = *place && *place != e->key ? mail_table_find(j->messages, *place)
                                                        : NULL;
    if (old && (old->flags & MAIL_ENTRY_DONE))
        mail_table_drop(j->messages, old);
    *place = e->key;
    e->flags |= MAIL_ENTRY_DONE;
}

static void on_message(struct mail_join *j, const struct mail_note *n, uint64_t server)
{
    struct mail_entry *e = message_of(j, n, server), own = {.server = server};
    if (!e && n->queue_id.len == 0 && (n->client.family != IP_NONE || n->user.len > 0)) {
        // An event that says itself whose it is.
        own.client = n->client;
        own.client_port = n->client_port;
        own.server_port = n->server_port;
        own.mailbox = mail_tell_mailbox_of(j, n->user);
        if (n->kind != MAIL_NOTE_DONE)
            e = &own;
    }
    if (!e) {
        // Its beginning lies before the log's, or its place was needed.
        j->stats.unknown_message++;
        return;
    }
    switch (n->kind) {
    case MAIL_NOTE_ACCEPTED: on_accepted(j, n, e); break;
    case MAIL_NOTE_BLOCK: on_block(j, n, e); break;
    case MAIL_NOTE_DELIVERY: on_delivery(j, n, e); break;
    case MAIL_NOTE_HANDED_ON: on_handed_on(j, n, e, server); break;
    case MAIL_NOTE_BOUNCE: on_bounce(j, n, e); break;
    case MAIL_NOTE_DONE: on_done(j, e); break;
    default: break;
    }
}

void mail_join_note(struct mail_join *j, const struct mail_note *n, struct span host)
{
    uint64_t server = mail_tell_server_of(n, host);
    struct mail_entry *e;
    switch (n->kind) {
    case MAIL_NOTE_CONNECT: on_connect(j, n, server); break;
    case MAIL_NOTE_TLS: on_tls(j, n, server); break;
    case MAIL_NOTE_DISCONNECT: on_disconnect(j, n, server); break;
    case MAIL_NOTE_AUTH: on_auth(j, n, server); break;
    case MAIL_NOTE_OPEN: open_message(j, n, server); break;
    case MAIL_NOTE_WHOLE:
        e = open_message(j, n, server);
        mail_table_name(j->messages, e, mail_tell_name_hash(n->message_id));
        on_accepted(j, n, e);
        break;
    case MAIL_NOTE_LOCAL:
        e = mail_table_get(j->messages, mail_tell_message_key(server, n->queue_id));
        e->flags = MAIL_ENTRY_LOCAL;
        break;
    case MAIL_NOTE_NAME: on_name(j, n, server); break;
    case MAIL_NOTE_REJECT: on_reject(j, n, server); break;
    case MAIL_NOTE_NONE: break;
    default: on_message(j, n, server); break;
    }
}

struct until {
    struct mail_join *join;
    int64_t t_ms;
};

static bool tell_old(void *ctx, struct mail_entry *s)
{
    struct until *u = ctx;
    if (s->flags & MAIL_ENTRY_TOLD)
        return s->t_ms + 60000 < u->t_ms; // all behind it were told long ago
    if (s->t_ms + SESSION_TOLD_MS <= u->t_ms)
        mail_tell_session(u->join, s, u->t_ms);
    return false;
}

void mail_join_advance(struct mail_join *j, int64_t t_ms)
{
    struct until until = {j, t_ms};
    mail_table_each(j->sessions, tell_old, &until);
    mail_hold_expire(j, t_ms);
}
