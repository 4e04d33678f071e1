// See login.h.
#include "proto/login.h"

#include "proto/base64.h"
#include "proto/sasl.h"
#include "proto/smtp_command.h"

static struct record_login *result(struct proto_flow *f)
{
    struct proto_result *r = proto_result(f);
    r->groups |= RECORD_HAS_LOGIN;
    return &r->login;
}

void login_challenged(struct proto_flow *f, struct login *l, struct span line)
{
    smtp_word(&line); // the plus sign
    if (l->oauth && !l->told && sasl_challenge_refuses(line)) {
        l->told = true;
        login_failed(f, (struct span){0});
    }
    if (l->due < UINT8_MAX)
        l->due++;
}

void login_user(struct proto_flow *f, struct span user)
{
    if (user.len > 0)
        proto_hash(f, KEYED_HASH_LOGIN_USER, user);
}

void login_try(struct proto_flow *f, struct span user)
{
    result(f)->tries++;
    login_user(f, user);
}

static bool says(struct span text, const char *word)
{
    for (size_t i = 0; i < text.len; i++)
        if (span_begins(span_cut(text, i, text.len), word))
            return true;
    return false;
}

void login_failed(struct proto_flow *f, struct span reply)
{
    // RFC 2449, 3206, 5530: refused for reasons that say nothing of the credentials.
    static const char *const not_theirs[] = {
        "[IN-USE]", "[SYS/", "[LOGIN-DELAY]", "[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]"};
    for (size_t i = 0; i < sizeof not_theirs / sizeof *not_theirs; i++)
        if (says(reply, not_theirs[i]))
            return;
    result(f)->failures++;
}

void login_sasl_user(struct proto_flow *f, struct span base64, bool plain)
{
    uint8_t text[LINE_MAX_OCTETS];
    struct span user = span_of(text, base64_decode(base64, text, sizeof text));
    if (plain) { // authzid NUL authcid NUL password
        const uint8_t *nul = user.len ? memchr(text, 0, user.len) : NULL;
        user = nul ? span_cut(user, (size_t)(nul - text) + 1, user.len) : (struct span){0};
        nul = user.len ? memchr(user.data, 0, user.len) : NULL;
        if (nul)
            user.len = (size_t)(nul - user.data);
    }
    login_user(f, user);
    explicit_bzero(text, sizeof text);
}

static bool begins_tls(struct span data)
{
    return data.data[0] >= 0x14 && data.data[0] <= 0x17;
}

void login_feed(struct proto_flow *f, struct login *l, enum proto_side side, struct span data,
                int64_t t_us, login_line_fn fn, login_raw_fn raw)
{
    struct line *line = &l->line[side];
    while (data.len > 0 && !l->over) {
        if (l->tls_due) {
            if (begins_tls(data)) {
                proto_switch(f, &proto_tls, side, data, t_us);
                return;
            }
            l->tls_due = false; // it goes on in clear
        }
        size_t used = raw ? raw(f, l, data) : 0;
        if (used == 0) {
            used = line_feed(line, data);
            if (line->done) {
                fn(f, l, line_span(line));
                line_wipe(line);
            }
        }
        data = span_cut(data, used, data.len);
    }
    if (l->over) {
        line_wipe(&l->line[0]);
        line_wipe(&l->line[1]);
    }
}

void login_gap(struct proto_flow *f, void *state, enum proto_side side, uint64_t missing,
               int64_t t_us)
{
    (void)side;
    (void)missing;
    (void)t_us;
    struct login *l = state;
    if (!l->over)
        proto_result(f)->incomplete |= RECORD_PARSER_LOST;
    l->over = true;
}
