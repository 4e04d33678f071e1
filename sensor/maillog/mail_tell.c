// Whose a session or message is, names as keyed hashes, and the records that tell of them. See mail_tell.h.
#include "maillog/mail_tell.h"

#include "common/hash.h"

#define NAME_MAX_OCTETS 320

// ---- Names.

uint64_t mail_tell_name_hash(struct span s)
{
    return s.len ? hash_octets(HASH_SNI, s) | 1 : 0;
}

uint64_t mail_tell_server_of(const struct mail_note *n, struct span host)
{
    return mail_tell_name_hash(host) * 31 ^ mail_tell_name_hash(n->instance);
}

uint64_t mail_tell_message_key(uint64_t server, struct span queue_id)
{
    return queue_id.len ? hash_number(HASH_SNI, server ^ mail_tell_name_hash(queue_id)) : 0;
}

uint64_t mail_tell_session_key(const struct mail_note *n, uint64_t server)
{
    uint64_t who = n->pid ? n->pid : hash_address(&n->client) ^ (uint64_t)n->client_port << 20;
    return hash_number(HASH_ADDRESS, server ^ who);
}

struct keyed_hash mail_tell_hash_of(const struct mail_join *j, enum keyed_hash_kind kind,
                                    struct span s)
{
    return keyed_hash(j->config.key, kind, span_cut(s, 0, NAME_MAX_OCTETS));
}

static struct span domain_of(struct span address)
{
    const uint8_t *at = address.len ? memrchr(address.data, '@', address.len) : NULL;
    return at ? span_cut(address, (size_t)(at - address.data) + 1, address.len) : (struct span){0};
}

// "bob" and "bob@example.net" are one mailbox when the site says which domain a bare name has.
struct keyed_hash mail_tell_mailbox_of(struct mail_join *j, struct span user)
{
    char text[NAME_MAX_OCTETS];
    struct keyed_hash h = {0};
    if (user.len == 0)
        return h;
    user = span_cut(user, 0, NAME_MAX_OCTETS / 2);
    const char *domain = j->config.mailbox_domain;
    if (domain && domain_of(user).len == 0 && strlen(domain) < NAME_MAX_OCTETS / 2 - 1) {
        memcpy(text, user.data, user.len);
        text[user.len] = '@';
        memcpy(text + user.len + 1, domain, strlen(domain));
        user = span_of(text, user.len + 1 + strlen(domain));
    }
    h = mail_tell_hash_of(j, KEYED_HASH_MAILBOX, user);
    if (j->config.mailbox)
        j->config.mailbox(j->config.mailbox_ctx, &h, user);
    return h;
}

bool mail_tell_ours(const struct mail_join *j, const struct mail_entry *e)
{
    return e->mailbox.kind || e->server_port == 465 || e->server_port == 587 ||
           (e->client.family != IP_NONE &&
            prefix_set_find(j->config.subscribers, &e->client, NULL));
}

bool mail_tell_loopback(const struct ip_addr *a)
{
    return (a->family == IP_V4 && a->octet[0] == 127) ||
           (a->family == IP_V6 && memcmp(a->octet, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16) == 0);
}

// ---- Telling.

struct record_mail *mail_tell_begin(struct mail_join *j, uint8_t event, const struct mail_entry *e,
                                    int64_t t_ms)
{
    struct record_mail *r = &j->record;
    memset(r, 0, sizeof *r);
    r->t_ms = t_ms;
    r->event = event;
    r->server_hash = e->server;
    r->server_port = e->server_port;
    r->client = e->client;
    r->client_port = e->client_port;
    r->mailbox = e->mailbox;
    r->tls = (e->flags & MAIL_ENTRY_TLS) || e->server_port == 465;
    return r;
}

void mail_tell_add_hash(struct record_mail *r, struct keyed_hash h)
{
    if (h.kind && r->hash_count < RECORD_HASHES_MAX)
        r->hash[r->hash_count++] = h;
}

bool mail_tell_names(const struct mail_join *j)
{
    return j->config.profile != COVERAGE_FLOW_ONLY;
}

static void add_name(struct mail_join *j, struct record_mail *r, enum keyed_hash_kind kind,
                     struct span name)
{
    if (name.len > 0 && mail_tell_names(j))
        mail_tell_add_hash(r, mail_tell_hash_of(j, kind, name));
}

void mail_tell_add_recipient(struct mail_join *j, struct record_mail *r, struct span name)
{
    add_name(j, r, KEYED_HASH_RECIPIENT, name);
    add_name(j, r, KEYED_HASH_RECIPIENT_DOMAIN, domain_of(name));
}

void mail_tell_add_recipients(struct mail_join *j, struct record_mail *r, const struct mail_note *n)
{
    struct span rest = n->recipient_list;
    mail_tell_add_recipient(j, r, n->recipient);
    while (rest.len > 0) {
        const uint8_t *blank = memchr(rest.data, ' ', rest.len);
        size_t len = blank ? (size_t)(blank - rest.data) : rest.len;
        mail_tell_add_recipient(j, r, span_cut(rest, 0, len));
        rest = span_cut(rest, len + 1, rest.len);
    }
}

void mail_tell_add_sender(struct mail_join *j, struct mail_entry *e, const struct mail_note *n)
{
    if (!n->sender_seen || !mail_tell_names(j))
        return;
    e->flags |= MAIL_ENTRY_SENDER;
    if (n->sender.len == 0)
        return;
    e->sender = mail_tell_hash_of(j, KEYED_HASH_SENDER, n->sender);
    struct span domain = domain_of(n->sender);
    if (domain.len > 0)
        e->sender_domain = mail_tell_hash_of(j, KEYED_HASH_SENDER_DOMAIN, domain);
}

void mail_tell_add_envelope(struct record_mail *r, const struct mail_entry *e)
{
    mail_tell_add_hash(r, e->sender);
    mail_tell_add_hash(r, e->sender_domain);
    mail_tell_add_hash(r, e->helo);
}

void mail_tell(struct mail_join *j)
{
    j->config.tell(j->config.ctx, &j->record);
}

void mail_tell_session(struct mail_join *j, struct mail_entry *s, int64_t t_ms)
{
    if (s->flags & MAIL_ENTRY_TOLD)
        return;
    s->flags |= MAIL_ENTRY_TOLD;
    if (!mail_tell_ours(j, s) || mail_tell_loopback(&s->client))
        return;
    // A connection is the client's; the mailbox's is its login.
    mail_tell_begin(j, RECORD_MAIL_CONNECT, s, t_ms)->mailbox = (struct keyed_hash){0};
    j->stats.sessions++;
    mail_tell(j);
}

void mail_tell_login(struct mail_join *j, struct mail_entry *s, int64_t t_ms)
{
    if ((s->flags & MAIL_ENTRY_AUTH_TOLD) || !s->mailbox.kind)
        return;
    s->flags |= MAIL_ENTRY_AUTH_TOLD;
    mail_tell_begin(j, RECORD_MAIL_AUTH, s, t_ms);
    j->stats.logins++;
    mail_tell(j);
}
