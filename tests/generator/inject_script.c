// Dialogues cut to measure: the shortest one that fits is written, then lengthened where protocols
// allow any length: greeting lines of the server, body lines of the client.
#include "inject_script.h"

#include <stdio.h>

#include "tls.h"

enum { LINE_MIN = 8, LINE_MAX = 72, NAME_MAX_LEN = 64 };

static void turn(struct script *s, bool from_server)
{
    size_t before = 0;
    for (size_t i = 0; i < s->turns; i++)
        before += s->turn[i].from_server == from_server ? s->turn[i].len : 0;
    size_t len = s->text[from_server].len - before;
    if (len == 0)
        return;
    if (s->turns > 0 && s->turn[s->turns - 1].from_server == from_server)
        s->turn[s->turns - 1].len += len;
    else if (s->turns < SCRIPT_TURNS_MAX)
        s->turn[s->turns++] = (struct script_turn){from_server, len};
    else // more than anybody reads: the last turn of that side grows
        s->turn[s->turns - 2].len += len;
}

// Whole lines of exactly `len` octets (0, or at least LINE_MIN), each led by `lead`.
static void lines(struct buf *b, struct rng *r, size_t len, const char *lead)
{
    while (len > 0) {
        size_t n = len > LINE_MAX + LINE_MIN ? LINE_MAX : len > LINE_MAX ? len - LINE_MIN : len;
        buf_text(b, lead);
        for (size_t i = strlen(lead); i + 2 < n; i++) {
            char c = i % 9 == 8 ? ' ' : (char)('a' + rng_below(r, 26));
            buf_bytes(b, &c, 1);
        }
        buf_text(b, "\r\n");
        len -= n;
    }
}

static void noise(struct buf *b, struct rng *r, size_t len)
{
    uint8_t octets[512];
    while (len > 0 && !b->failed) {
        size_t n = len < sizeof octets ? len : sizeof octets;
        rng_bytes(r, octets, n);
        buf_bytes(b, octets, n);
        len -= n;
    }
}

static void opaque(struct script *s, struct rng *r, size_t client, size_t server, size_t rounds)
{
    if (rounds < 1)
        rounds = 1;
    if (rounds > SCRIPT_TURNS_MAX / 2)
        rounds = SCRIPT_TURNS_MAX / 2;
    noise(&s->text[0], r, client);
    noise(&s->text[1], r, server);
    for (size_t i = 0; i < rounds; i++) {
        size_t out = client * (i + 1) / rounds - client * i / rounds;
        size_t in = server * (i + 1) / rounds - server * i / rounds;
        if (out > 0)
            s->turn[s->turns++] = (struct script_turn){false, out};
        if (in > 0)
            s->turn[s->turns++] = (struct script_turn){true, in};
    }
}

// What is said between HELO and QUIT for each message, without the body.
#define MAIL_OK "250 2.1.0 Ok\r\n"
#define RCPT_OK "250 2.1.5 Ok\r\n"
#define RCPT_NO "550 5.1.1 User unknown\r\n"
#define DATA_OK "354 Go ahead\r\n"
#define END_OK  "250 2.0.0 Ok: queued\r\n"
#define BYE     "221 2.0.0 Bye\r\n"
#define BODY    "Subject: hello\r\n\r\n"

struct envelope {
    char helo[NAME_MAX_LEN + 16], from[NAME_MAX_LEN * 2 + 32], to[NAME_MAX_LEN * 2 + 32];
    char banner[NAME_MAX_LEN + 32];
};

static void draw_envelope(struct envelope *e, struct rng *r)
{
    char person[WORLD_NAME_MAX], domain[WORLD_NAME_MAX];
    world_domain(rng_below(r, WORLD_DOMAINS), domain);
    snprintf(e->helo, sizeof e->helo, "HELO %.60s\r\n", domain);
    world_person(rng_below(r, 2000000), person);
    snprintf(e->from, sizeof e->from, "MAIL FROM:<%.60s@%.60s>\r\n", person, domain);
    world_domain(rng_below(r, WORLD_DOMAINS), domain);
    world_person(rng_below(r, 2000000), person);
    snprintf(e->to, sizeof e->to, "RCPT TO:<%.60s@%.60s>\r\n", person, domain);
    snprintf(e->banner, sizeof e->banner, "220 mx1.%.50s ESMTP\r\n", domain);
}

static void say(struct script *s, bool from_server, const char *text)
{
    buf_text(&s->text[from_server], text);
    turn(s, from_server);
}

// Lengths that are zero or at least one line, so that `lines` can fill them.
static bool fills(size_t have, size_t need)
{
    return have == need || have >= need + LINE_MIN;
}

static void smtp_refused(struct script *s, struct rng *r, const struct envelope *e, size_t client,
                         size_t server)
{
    size_t c = strlen(e->helo) + strlen(e->from) + strlen(e->to) + 6;
    size_t v = strlen(e->banner) + strlen("250 Hello\r\n" MAIL_OK RCPT_NO BYE);
    lines(&s->text[1], r, server - v, "220-");
    say(s, true, e->banner);
    say(s, false, e->helo);
    say(s, true, "250 Hello\r\n");
    say(s, false, e->from);
    say(s, true, MAIL_OK);
    say(s, false, e->to);
    say(s, true, RCPT_NO);
    s->mail = s->refused = 1;
    lines(&s->text[0], r, client - c, "NOOP ");
    say(s, false, "QUIT\r\n");
    say(s, true, BYE);
}

static void smtp_messages(struct script *s, struct rng *r, const struct envelope *e, size_t client,
                          size_t server, size_t messages)
{
    size_t c = strlen(e->helo) + 6 +
               messages * (strlen(e->from) + strlen(e->to) + strlen("DATA\r\n" BODY ".\r\n"));
    size_t v = strlen(e->banner) + strlen("250 Hello\r\n" BYE) +
               messages * strlen(MAIL_OK RCPT_OK DATA_OK END_OK);
    size_t body = client - c, share = body / messages >= LINE_MIN ? body / messages : 0;
    lines(&s->text[1], r, server - v, "220-");
    say(s, true, e->banner);
    say(s, false, e->helo);
    say(s, true, "250 Hello\r\n");
    for (size_t i = 0; i < messages; i++) {
        size_t part = i == 0 ? body - share * (messages - 1)
                             : share; // the first takes the remainder
        say(s, false, e->from);
        say(s, true, MAIL_OK);
        say(s, false, e->to);
        say(s, true, RCPT_OK);
        s->mail++;
        say(s, false, "DATA\r\n");
        say(s, true, DATA_OK);
        buf_text(&s->text[0], BODY);
        lines(&s->text[0], r, part, "");
        say(s, false, ".\r\n");
        say(s, true, END_OK);
    }
    say(s, false, "QUIT\r\n");
    say(s, true, BYE);
}

// A client that says little: HELO or RSET and QUIT, or QUIT alone.
static bool smtp_short(struct script *s, struct rng *r, size_t client, size_t server)
{
    enum { QUIT_LEN = 6, HELO_MIN = 8, HELO_MAX = 70 };
    size_t hello = client > QUIT_LEN ? client - QUIT_LEN : 0;
    const char *answer = hello == 0 ? "" : hello == QUIT_LEN ? "250 2.0.0 Ok\r\n" : "250 Hello\r\n";
    size_t least = strlen(BYE) + strlen(answer) + LINE_MIN;
    if (client < QUIT_LEN || server < least || hello > HELO_MAX ||
        (hello != 0 && hello != QUIT_LEN && hello < HELO_MIN))
        return false;
    lines(&s->text[1], r, server - least + LINE_MIN, hello == 0 ? "554 " : "220 ");
    turn(s, true);
    if (hello == QUIT_LEN)
        say(s, false, "RSET\r\n");
    else if (hello > 0) {
        lines(&s->text[0], r, hello, "HELO ");
        turn(s, false);
    }
    say(s, true, answer);
    say(s, false, "QUIT\r\n");
    say(s, true, BYE);
    return true;
}

static bool smtp(struct script *s, struct rng *r, size_t client, size_t server, size_t rounds)
{
    struct envelope e = {0};
    draw_envelope(&e, r);
    if (client == 0) { // sent away by the greeting
        if (!fills(server, 0))
            return false;
        lines(&s->text[1], r, server, "554 ");
        turn(s, true);
        return true;
    }
    size_t c1 = strlen(e.from) + strlen(e.to) + strlen("DATA\r\n" BODY ".\r\n");
    size_t v1 = strlen(MAIL_OK RCPT_OK DATA_OK END_OK);
    size_t c0 = strlen(e.helo) + 6, v0 = strlen(e.banner) + strlen("250 Hello\r\n" BYE);
    size_t n = client > c0 ? (client - c0) / (c1 + 400) : 0;
    if (server <= v0 || n > (server - v0) / v1)
        n = server > v0 ? (server - v0) / v1 : 0;
    if (n > rounds / 5)
        n = rounds / 5;
    if (n == 0 && client >= c0 + c1 && server >= v0 + v1)
        n = 1;
    for (; n > 0; n--)
        if (fills(client, c0 + n * c1) && fills(server, v0 + n * v1)) {
            smtp_messages(s, r, &e, client, server, n);
            return true;
        }
    size_t c = c0 + strlen(e.from) + strlen(e.to);
    size_t v = v0 + strlen(MAIL_OK RCPT_NO);
    if (client < c || server < v || !fills(client, c) || !fills(server, v))
        return smtp_short(s, r, client, server);
    smtp_refused(s, r, &e, client, server);
    return true;
}

// Application records that take up exactly `len` octets; too short a rest is one of noise.
static void records(struct buf *b, struct rng *r, size_t len)
{
    while (len > 0) {
        size_t n = len > 16389 ? 16389 : len;
        if (n > 5) {
            buf_be(b, 0x170303, 3);
            buf_be(b, n - 5, 2);
            noise(b, r, n - 5);
        } else {
            noise(b, r, n);
        }
        len -= n;
    }
}

static bool tls(struct script *s, struct rng *r, size_t client, size_t server, size_t rounds)
{
    struct buf hello, reply;
    char name[WORLD_NAME_MAX];
    world_domain(rng_below(r, WORLD_DOMAINS), name);
    buf_init(&hello, TLS_HELLO_MAX);
    buf_init(&reply, TLS_HELLO_MAX);
    tls_client_hello(&hello, r, &tls_client_old, name, NULL, false);
    tls_server_hello(&reply, r, TLS_SERVER_12, NULL);
    bool fit = client >= hello.len && server >= reply.len;
    if (fit) {
        buf_bytes(&s->text[0], hello.data, hello.len);
        turn(s, false);
        buf_bytes(&s->text[1], reply.data, reply.len);
        client -= hello.len;
        server -= reply.len;
        size_t n = rounds > 2 ? rounds - 1 : 1;
        if (n > 100)
            n = 100;
        for (size_t i = 0; i < n; i++) {
            records(&s->text[1], r, server * (i + 1) / n - server * i / n);
            turn(s, true);
            records(&s->text[0], r, client * (i + 1) / n - client * i / n);
            turn(s, false);
        }
    }
    buf_fini(&hello);
    buf_fini(&reply);
    return fit;
}

void script_write(struct script *s, struct rng *r, uint16_t port, size_t client, size_t server,
                  size_t rounds)
{
    *s = (struct script){0};
    buf_init(&s->text[0], SCRIPT_TEXT_MAX);
    buf_init(&s->text[1], SCRIPT_TEXT_MAX);
    bool fit = false;
    if (port == 25 || port == 587)
        s->smtp = fit = smtp(s, r, client, server, rounds);
    else if (port == 443 || port == 465 || port == 993 || port == 995)
        fit = tls(s, r, client, server, rounds);
    if (!fit)
        opaque(s, r, client, server, rounds);
}

void script_fini(struct script *s)
{
    buf_fini(&s->text[0]);
    buf_fini(&s->text[1]);
}
