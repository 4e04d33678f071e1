// The IMAP tracker: RFC 9051 and 3501 (LOGIN, AUTHENTICATE, STARTTLS, literals), RFC 4959 (initial
// response), RFC 7628 (OAUTHBEARER), RFC 7888 (literals without waiting).
#include "proto/login.h"
#include "proto/sasl.h"
#include "proto/smtp_command.h"

#define IMAP_TAG_MAX  24
#define IMAP_USER_MAX 255

struct imap {
    struct login login;
    // The log-in or STARTTLS that is not answered yet.
    bool login_open, tls_open;
    uint8_t tag_len;
    uint8_t tag[IMAP_TAG_MAX];
    bool auth_plain, auth_user; // AUTHENTICATE: form of the user's message; the next one names it
    bool authenticating;
    // Literals: octets of the present one, and what it is.
    uint32_t literal_left;
    bool literal_ended;   // the line goes on behind a literal
    bool literal_is_user; // LOGIN's first argument
    uint16_t user_len;
    uint8_t user[IMAP_USER_MAX];
};

// "{123}" or "{123+}" at the line's end: its number, else 0.
static uint32_t literal_of(struct span line)
{
    if (line.len < 3 || line.data[line.len - 1] != '}')
        return 0;
    size_t at = line.len - 1;
    if (line.data[at - 1] == '+')
        at--;
    uint32_t v = 0, scale = 1;
    while (at > 0 && line.data[at - 1] >= '0' && line.data[at - 1] <= '9' && scale < 10000000) {
        v += scale * (uint32_t)(line.data[--at] - '0');
        scale *= 10;
    }
    return at > 0 && line.data[at - 1] == '{' ? v : 0;
}

// An astring: an atom, or a quoted string (whose escapes are left in).
static struct span astring(struct span *args)
{
    if (args->len == 0 || args->data[0] != '"')
        return smtp_word(args);
    size_t n = 1;
    while (n < args->len && args->data[n] != '"')
        n += args->data[n] == '\\' ? 2 : 1;
    struct span s = span_cut(*args, 1, n - 1);
    *args = span_cut(*args, n + 1, args->len);
    return s;
}

static void set_tag(struct imap *s, struct span tag)
{
    s->tag_len = (uint8_t)(tag.len < IMAP_TAG_MAX ? tag.len : IMAP_TAG_MAX);
    memcpy(s->tag, tag.data, s->tag_len);
}

static void begin_login(struct proto_flow *f, struct imap *s, struct span args)
{
    s->login_open = true;
    s->authenticating = s->login.told = false;
    bool literal = args.len > 0 && args.data[0] == '{';
    struct span user = {0};
    if (!literal)
        user = astring(&args);
    login_try(f, user);
    s->literal_is_user = literal;
}

static void begin_authenticate(struct proto_flow *f, struct imap *s, struct span args)
{
    struct span mechanism = smtp_word(&args);
    s->login_open = s->authenticating = true;
    s->login.due = 0;
    s->auth_plain = span_equal_text(mechanism, "PLAIN");
    s->auth_user = s->auth_plain || span_equal_text(mechanism, "LOGIN");
    s->login.oauth = sasl_is_oauth(mechanism);
    s->login.told = false;
    login_try(f, (struct span){0});
    if (args.len > 0 && s->auth_user) {
        login_sasl_user(f, args, s->auth_plain);
        s->auth_user = false;
    }
}

static void client_line(struct proto_flow *f, void *state, struct span line)
{
    struct imap *s = state;
    uint32_t literal = literal_of(line);
    if (s->literal_ended) {
        // What follows a literal on its line: further arguments, and credentials among them.
        s->literal_ended = false;
        s->literal_is_user = false;
        s->literal_left = literal;
        return;
    }
    if (s->authenticating && s->login.due > 0) {
        s->login.due--;
        if (s->auth_user)
            login_sasl_user(f, line, s->auth_plain);
        s->auth_user = false;
        return;
    }
    struct span args = line;
    struct span tag = smtp_word(&args);
    struct span verb = smtp_word(&args);
    if (span_equal_text(verb, "LOGIN")) {
        set_tag(s, tag);
        begin_login(f, s, args);
    } else if (span_equal_text(verb, "AUTHENTICATE")) {
        set_tag(s, tag);
        begin_authenticate(f, s, args);
    } else if (span_equal_text(verb, "STARTTLS")) {
        set_tag(s, tag);
        s->tls_open = true;
    }
    s->literal_left = literal;
}

// Octets of a literal; the first of a LOGIN is its user.
static size_t client_raw(struct proto_flow *f, void *state, struct span data)
{
    struct imap *s = state;
    if (s->literal_left == 0)
        return 0;
    struct span part = span_cut(data, 0, s->literal_left);
    if (s->literal_is_user) {
        struct span kept = span_cut(part, 0, (size_t)(IMAP_USER_MAX - s->user_len));
        memcpy(s->user + s->user_len, kept.data, kept.len);
        s->user_len = (uint16_t)(s->user_len + kept.len);
    }
    s->literal_left -= (uint32_t)part.len;
    if (s->literal_left == 0) {
        s->literal_ended = true;
        if (s->literal_is_user)
            login_user(f, span_of(s->user, s->user_len));
        explicit_bzero(s->user, sizeof s->user);
        s->user_len = 0;
    }
    return part.len;
}

static void server_line(struct proto_flow *f, void *state, struct span line)
{
    struct imap *s = state;
    if (line.len > 0 && line.data[0] == '+') {
        if (s->authenticating && s->login_open)
            login_challenged(f, &s->login, line);
        return;
    }
    struct span args = line;
    struct span tag = smtp_word(&args);
    if ((!s->login_open && !s->tls_open) || tag.len == 0 ||
        !span_equal(span_cut(tag, 0, IMAP_TAG_MAX), span_of(s->tag, s->tag_len)))
        return;
    bool ok = span_begins(args, "OK");
    if (s->tls_open)
        s->login.tls_due = ok;
    else if (ok)
        s->login.over = true;
    else if (!s->login.told)
        login_failed(f, args);
    s->login.told = false;
    s->tls_open = s->login_open = s->authenticating = false;
}

static void imap_feed(struct proto_flow *f, void *state, enum proto_side side, struct span data,
                      int64_t t_us)
{
    bool client = side == PROTO_INITIATOR;
    login_feed(f, state, side, data, t_us, client ? client_line : server_line,
               client ? client_raw : NULL);
}

static void imap_open(struct proto_flow *f, void *state, int64_t t_us)
{
    (void)state;
    (void)t_us;
    proto_result(f)->groups |= RECORD_HAS_LOGIN;
}

static bool names_imap(struct span s)
{
    for (size_t i = 0; i < s.len && s.data[i] != '\n'; i++)
        if (span_begins(span_cut(s, i, s.len), "IMAP"))
            return true;
    return false;
}

static bool is_command(struct span c)
{
    struct span tag = smtp_word(&c);
    return tag.len > 0 && tag.len <= IMAP_TAG_MAX &&
           (span_begins(c, "LOGIN ") || span_begins(c, "AUTHENTICATE ") ||
            span_begins(c, "CAPABILITY") || span_begins(c, "STARTTLS"));
}

static enum proto_match imap_match(const struct proto_peek *p)
{
    struct span c = p->first[PROTO_INITIATOR], s = p->first[PROTO_RESPONDER];
    if (p->ip_proto != 6 || p->midstream)
        return PROTO_NO;
    bool port = p->port[PROTO_RESPONDER] == 143;
    static const char ok[] = "* OK", ready[] = "* PR", bye[] = "* BY";
    size_t n = s.len < 4 ? s.len : 4;
    if (n > 0 && memcmp(s.data, ok, n) != 0 && memcmp(s.data, ready, n) != 0 &&
        memcmp(s.data, bye, n) != 0)
        return PROTO_NO;
    if (s.len >= 4 && (port || names_imap(s) || is_command(c)))
        return PROTO_YES;
    if (p->final && port && is_command(c))
        return PROTO_YES;
    return s.len == 0 && c.len > IMAP_TAG_MAX + 16 && !is_command(c) ? PROTO_NO : PROTO_MAYBE;
}

const struct proto_descriptor proto_imap = {
    .name = "imap",
    .state_size = sizeof(struct imap),
    .app = RECORD_APP_IMAP,
    .match = imap_match,
    .open = imap_open,
    .feed = imap_feed,
    .gap = login_gap,
};
