// The POP3 tracker: RFC 1939 (USER, PASS, APOP), 5034 (AUTH), 7628 (OAUTHBEARER), 2595 (STLS), 2449 (CAPA, pipelining).
#include "proto/login.h"
#include "proto/sasl.h"
#include "proto/smtp_command.h"

#define POP3_PENDING_MAX 16

enum pending { PENDING_OTHER, PENDING_LIST, PENDING_LOGIN, PENDING_STLS };

struct pop3 {
    struct login login;
    bool greeted;
    bool in_list;    // of a reply that ends with a dot
    bool auth_open;  // AUTH began and is not answered
    bool auth_plain; // PLAIN, else LOGIN or something opaque
    bool auth_user;  // the next answer to a challenge names the user
    uint8_t count;
    uint8_t pending[POP3_PENDING_MAX];
};

static void expect(struct pop3 *s, enum pending what)
{
    if (s->count < POP3_PENDING_MAX)
        s->pending[s->count++] = (uint8_t)what;
}

static void begin_auth(struct proto_flow *f, struct pop3 *s, struct span args)
{
    struct span mechanism = smtp_word(&args);
    if (mechanism.len == 0) {
        expect(s, PENDING_LIST); // asks which mechanisms there are
        return;
    }
    s->auth_open = true;
    s->login.due = 0;
    s->auth_plain = span_equal_text(mechanism, "PLAIN");
    s->auth_user = s->auth_plain || span_equal_text(mechanism, "LOGIN");
    s->login.oauth = sasl_is_oauth(mechanism);
    login_try(f, (struct span){0});
    if (args.len > 0 && s->auth_user) {
        login_sasl_user(f, args, s->auth_plain);
        s->auth_user = false;
    }
    expect(s, PENDING_LOGIN);
}

static void client_line(struct proto_flow *f, void *state, struct span line)
{
    struct pop3 *s = state;
    if (s->auth_open && s->login.due > 0) {
        s->login.due--;
        if (s->auth_user)
            login_sasl_user(f, line, s->auth_plain);
        s->auth_user = false;
        return;
    }
    struct span args = line;
    struct span verb = smtp_word(&args);
    if (span_equal_text(verb, "USER")) {
        login_user(f, args);
        expect(s, PENDING_OTHER);
    } else if (span_equal_text(verb, "PASS")) {
        login_try(f, (struct span){0});
        expect(s, PENDING_LOGIN);
    } else if (span_equal_text(verb, "APOP")) {
        login_try(f, smtp_word(&args));
        expect(s, PENDING_LOGIN);
    } else if (span_equal_text(verb, "AUTH")) {
        begin_auth(f, s, args);
    } else if (span_equal_text(verb, "STLS")) {
        expect(s, PENDING_STLS);
    } else if (span_equal_text(verb, "CAPA")) {
        expect(s, PENDING_LIST);
    } else {
        expect(s, PENDING_OTHER);
    }
}

static void answered(struct proto_flow *f, struct pop3 *s, bool ok, struct span line)
{
    if (s->count == 0)
        return;
    uint8_t what = s->pending[0];
    s->count--;
    memmove(s->pending, s->pending + 1, s->count);
    switch (what) {
    case PENDING_LIST: s->in_list = ok; break;
    case PENDING_STLS: s->login.tls_due = ok; break;
    case PENDING_LOGIN:
        s->auth_open = false;
        if (ok)
            s->login.over = true;
        else if (!s->login.told)
            login_failed(f, line);
        s->login.told = false;
        break;
    default: break;
    }
}

static void server_line(struct proto_flow *f, void *state, struct span line)
{
    struct pop3 *s = state;
    if (s->in_list) {
        s->in_list = !span_equal_text(line, ".");
        return;
    }
    bool ok = span_begins(line, "+OK"), refused = span_begins(line, "-ERR");
    if (!s->greeted) {
        s->greeted = true;
        return;
    }
    if (ok || refused)
        answered(f, s, ok, line);
    else if (line.len > 0 && line.data[0] == '+' && s->auth_open)
        login_challenged(f, &s->login, line);
}

static void pop3_feed(struct proto_flow *f, void *state, enum proto_side side, struct span data,
                      int64_t t_us)
{
    login_feed(f, state, side, data, t_us, side == PROTO_INITIATOR ? client_line : server_line,
               NULL);
}

static void pop3_open(struct proto_flow *f, void *state, int64_t t_us)
{
    (void)state;
    (void)t_us;
    proto_result(f)->groups |= RECORD_HAS_LOGIN;
}

static enum proto_match pop3_match(const struct proto_peek *p)
{
    struct span c = p->first[PROTO_INITIATOR], s = p->first[PROTO_RESPONDER];
    if (p->ip_proto != 6 || p->midstream)
        return PROTO_NO;
    bool port = p->port[PROTO_RESPONDER] == 110;
    static const char ok[] = "+OK", refused[] = "-ERR";
    size_t n = s.len < 3 ? s.len : 3;
    if (n > 0 && memcmp(s.data, ok, n) != 0 && memcmp(s.data, refused, n) != 0)
        return PROTO_NO;
    if (s.len >= 3 && port)
        return PROTO_YES;
    bool command = span_begins(c, "USER ") || span_begins(c, "APOP ") || span_begins(c, "CAPA") ||
                   span_begins(c, "STLS") || span_begins(c, "AUTH");
    if (s.len >= 3 && command)
        return PROTO_YES;
    // One side only.
    if (p->final && port && command)
        return PROTO_YES;
    return s.len == 0 && c.len > 8 && !command ? PROTO_NO : PROTO_MAYBE;
}

const struct proto_descriptor proto_pop3 = {
    .name = "pop3",
    .state_size = sizeof(struct pop3),
    .app = RECORD_APP_POP3,
    .match = pop3_match,
    .open = pop3_open,
    .feed = pop3_feed,
    .gap = login_gap,
};
