// What SMTP commands say, counted; names leave as keyed hashes only. RFC 5321, RFC 4954 (AUTH),
// RFC 4616 (PLAIN), RFC 2195 (CRAM-MD5), RFC 5802 (SCRAM), RFC 7628 (OAUTHBEARER). Of an AUTH exchange the user is decoded
// into a bounded buffer on the stack, hashed, and wiped with everything else of the line.
#include "proto/base64.h"
#include "proto/sasl.h"
#include "proto/smtp.h"

static void count_helo(const struct smtp_at *at, const struct smtp_command *c, bool cut)
{
    struct smtp *s = at->s;
    struct record_smtp *r = smtp_result(at);
    r->helo++;
    if (c->verb == SMTP_LHLO) {
        s->lmtp = true;
        proto_set_app(at->f, RECORD_APP_LMTP, RECORD_APP_BY_CONTENT);
    }
    bool literal;
    struct ip_addr addr;
    struct span name = smtp_helo_name(c->args, &literal, &addr);
    if (name.len == 0 || (cut && name.len == c->args.len))
        return;
    r->helo_is_literal = literal;
    const struct ip_addr *server = &at->f->addr[1 - s->client_side];
    struct keyed_hash hash = proto_hash_of(at->f, KEYED_HASH_HELO, name);
    r->helo_is_peer = (addr.family != IP_NONE && ip_equal(&addr, server)) ||
                      (s->server_name != 0 && hash.value == s->server_name);
    proto_hash_note(at->f, hash);
}

// Half an address would be another recipient's hash.
static bool is_whole(const struct smtp_path *path, bool cut)
{
    return path->address.len > 0 && path->complete && (path->bracketed || !cut);
}

static void count_mail(const struct smtp_at *at, const struct smtp_command *c, bool cut)
{
    struct record_smtp *r = smtp_result(at);
    r->mail++;
    struct smtp_path path;
    if (!smtp_path_parse(c->args, &path))
        return;
    if (path.null) {
        r->null_sender++;
        return;
    }
    if (!is_whole(&path, cut))
        return;
    proto_hash(at->f, KEYED_HASH_SENDER, path.address);
    if (path.domain.len > 0)
        proto_hash(at->f, KEYED_HASH_SENDER_DOMAIN, path.domain);
}

static void count_rcpt(const struct smtp_at *at, const struct smtp_command *c, bool cut)
{
    struct record_smtp *r = smtp_result(at);
    r->rcpt++;
    struct smtp_path path;
    if (!smtp_path_parse(c->args, &path))
        return;
    r->source_routed += path.routed;
    if (!is_whole(&path, cut))
        return;
    proto_hash(at->f, KEYED_HASH_RECIPIENT, path.address);
    if (path.domain.len > 0)
        proto_hash(at->f, KEYED_HASH_RECIPIENT_DOMAIN, path.domain);
}

void smtp_count_command(const struct smtp_at *at, const struct smtp_command *c, bool cut)
{
    struct record_smtp *r = smtp_result(at);
    switch (c->verb) {
    case SMTP_HELO:
    case SMTP_EHLO:
    case SMTP_LHLO: count_helo(at, c, cut); break;
    case SMTP_MAIL: count_mail(at, c, cut); break;
    case SMTP_RCPT: count_rcpt(at, c, cut); break;
    case SMTP_DATA: r->data++; break;
    case SMTP_BDAT: r->bdat++; break;
    case SMTP_AUTH: r->auth++; break;
    case SMTP_STARTTLS:
        r->starttls++;
        if (r->starttls_state < RECORD_STARTTLS_ASKED)
            r->starttls_state = RECORD_STARTTLS_ASKED;
        break;
    case SMTP_RSET: r->rset++; break;
    case SMTP_QUIT:
        r->quit++;
        r->quit_seen = true;
        break;
    case SMTP_VRFY: r->vrfy++; break;
    case SMTP_EXPN: r->expn++; break;
    case SMTP_XCLIENT:
    case SMTP_XFORWARD: r->xclient = true; break;
    case SMTP_UNKNOWN:
        r->unknown++;
        r->protocol_errors++;
        break;
    default: break;
    }
}

// ---- AUTH.

// The part of a decoded message that names the user.
static struct span user_of(enum smtp_mechanism mechanism, struct span text)
{
    if (mechanism == SMTP_AUTH_LOGIN)
        return text;
    if (mechanism == SMTP_AUTH_PLAIN) { // authzid NUL authcid NUL password
        const uint8_t *nul = memchr(text.data, 0, text.len);
        if (!nul)
            return (struct span){0};
        struct span rest = span_cut(text, (size_t)(nul - text.data) + 1, text.len);
        const uint8_t *end = rest.len ? memchr(rest.data, 0, rest.len) : NULL;
        return end ? span_cut(rest, 0, (size_t)(end - rest.data)) : rest;
    }
    // SCRAM, DIGEST; XOAUTH2, OAUTHBEARER, whose tokens may hold anything: only at the beginning.
    static const char *const named[] = {"n=", "username=\""}, *const oauth[] = {"user=", "n,a="};
    bool token = mechanism == SMTP_AUTH_OAUTH;
    const char *const *before = token ? oauth : named;
    for (size_t i = 0; i < 2; i++) {
        const uint8_t *at = memmem(text.data, text.len, before[i], strlen(before[i]));
        if (!at || (token && at != text.data))
            continue;
        struct span s = span_cut(text, (size_t)(at - text.data) + strlen(before[i]), text.len);
        size_t n = 0;
        while (n < s.len && s.data[n] != ',' && s.data[n] != 1 && s.data[n] != '"')
            n++;
        return span_cut(s, 0, n);
    }
    if (token)
        return (struct span){0};
    // CRAM-MD5: the user, a blank, a digest of 32 hexadecimal digits.
    if (text.len > 33 && text.data[text.len - 33] == ' ')
        return span_cut(text, 0, text.len - 33);
    return (struct span){0};
}

static void hash_user(const struct smtp_at *at, struct span base64)
{
    uint8_t text[LINE_MAX_OCTETS];
    size_t len = base64_decode(base64, text, sizeof text);
    struct span user = len ? user_of(at->s->mechanism, span_of(text, len)) : (struct span){0};
    if (user.len > 0)
        proto_hash(at->f, KEYED_HASH_AUTH_USER, user);
    explicit_bzero(text, sizeof text);
}

void smtp_auth_begin(const struct smtp_at *at, struct span args)
{
    struct smtp *s = at->s;
    struct span mechanism = smtp_word(&args);
    s->auth_open = true;
    // One sent behind a refusal whose last reply is still to come leaves that as it is.
    if (smtp_queue_number(&s->queue, SMTP_EXPECT_AUTH) <= 1)
        s->auth_told = false;
    s->auth_step = 0;
    s->auth_lines = 0;
    s->auth_ahead = 0;
    if (span_equal_text(mechanism, "PLAIN"))
        s->mechanism = SMTP_AUTH_PLAIN;
    else if (span_equal_text(mechanism, "LOGIN"))
        s->mechanism = SMTP_AUTH_LOGIN;
    else if (span_begins(mechanism, "CRAM-") || span_begins(mechanism, "SCRAM-") ||
             span_begins(mechanism, "DIGEST-"))
        s->mechanism = SMTP_AUTH_NAMED;
    else if (sasl_is_oauth(mechanism))
        s->mechanism = SMTP_AUTH_OAUTH;
    else
        s->mechanism = SMTP_AUTH_OTHER;
    if (args.len > 0 && !span_equal_text(args, "="))
        smtp_auth_line(at, args);
}

void smtp_auth_line(const struct smtp_at *at, struct span line)
{
    struct smtp *s = at->s;
    bool first = s->auth_step == 0;
    if (s->auth_step < UINT8_MAX)
        s->auth_step++;
    // The user stands in the first message of each mechanism read here; a `*` gives up.
    if (first && s->mechanism != SMTP_AUTH_OTHER && !span_equal_text(line, "*"))
        hash_user(at, line);
}
