// The dialogue: who says what next, what is counted.
#include "smtp.h"

#include <stdio.h>

enum { TEXT_MAX = 1 << 20, BDAT_CHUNK = 60000 };

const struct smtp_client smtp_postfix = {.name = "postfix",
                                         .tls = &tls_client_openssl,
                                         .stack = &tcp_linux,
                                         .ehlo = true,
                                         .pipelining = true,
                                         .size = true,
                                         .quit = 1,
                                         .think_ms = 3};
const struct smtp_client smtp_exchange = {.name = "exchange",
                                          .tls = &tls_client_outlook,
                                          .stack = &tcp_windows,
                                          .ehlo = true,
                                          .pipelining = true,
                                          .chunking = true,
                                          .size = true,
                                          .quit = 1,
                                          .think_ms = 6};
const struct smtp_client smtp_mua = {.name = "mua",
                                     .tls = &tls_client_firefox,
                                     .stack = &tcp_windows,
                                     .ehlo = true,
                                     .size = true,
                                     .quit = 1,
                                     .think_ms = 40};
const struct smtp_client smtp_phone = {.name = "phone",
                                       .tls = &tls_client_apple,
                                       .stack = &tcp_apple,
                                       .ehlo = true,
                                       .pipelining = false,
                                       .quit = 0.9,
                                       .think_ms = 60};
const struct smtp_client smtp_ratware = {.name = "ratware",
                                         .tls = &tls_client_old,
                                         .stack = &tcp_xp,
                                         .ehlo = false,
                                         .careless = true,
                                         .early = 0.25,
                                         .quit = 0.3,
                                         .think_ms = 15};
const struct smtp_client smtp_ratware_polite = {.name = "ratware-polite",
                                                .tls = &tls_client_openssl,
                                                .stack = &tcp_windows,
                                                .ehlo = true,
                                                .early = 0.02,
                                                .quit = 0.85,
                                                .think_ms = 120};
const struct smtp_client smtp_callout = {.name = "callout",
                                         .tls = &tls_client_openssl,
                                         .stack = &tcp_linux,
                                         .ehlo = true,
                                         .quit = 1,
                                         .think_ms = 3};
const struct smtp_client smtp_appliance = {.name = "appliance",
                                           .tls = &tls_client_old,
                                           .stack = &tcp_appliance,
                                           .ehlo = true,
                                           .quit = 1,
                                           .think_ms = 30};

// Where to count what was sent last. Counts nothing once the capture has ended.
static struct smtp_tally *tally(struct smtp *s)
{
    static struct smtp_tally sink;
    struct party *p = channel_party(s->channel);
    if (!party_in_capture(p, s->channel->flow->began_ns))
        return &sink;
    return &p->tally.smtp[s->side][s->channel->tls == CHANNEL_CLEAR ? TALLY_CLEAR : TALLY_TLS];
}

static struct rng *rng_of(struct smtp *s)
{
    return &channel_party(s->channel)->rng;
}

static struct smtp_words words_of(struct smtp *s, const char *recipient)
{
    return (struct smtp_words){.dialect = s->server->dialect,
                               .host = s->server->host,
                               .helo = s->helo,
                               .recipient = recipient,
                               .client = s->client_addr,
                               .rng = rng_of(s)};
}

static void client_says(struct smtp *s, const struct buf *b)
{
    channel_pause(s->channel, rng_between(rng_of(s), 0, s->client->think_ms * NS_PER_MS));
    channel_send(s->channel, TCP_CLIENT, buf_span(b));
}

static void server_says(struct smtp *s, const struct buf *b)
{
    channel_pause(s->channel, rng_between(rng_of(s), NS_PER_MS / 5, 12 * NS_PER_MS));
    channel_send(s->channel, TCP_SERVER, buf_span(b));
}

static void client_line(struct smtp *s, const char *text)
{
    channel_pause(s->channel, rng_between(rng_of(s), 0, s->client->think_ms * NS_PER_MS));
    channel_printf(s->channel, TCP_CLIENT, "%s\r\n", text);
}

static void server_line(struct smtp *s, const char *text)
{
    channel_pause(s->channel, rng_between(rng_of(s), NS_PER_MS / 5, 12 * NS_PER_MS));
    channel_printf(s->channel, TCP_SERVER, "%s\r\n", text);
}

static void count_refusal(struct smtp *s, enum smtp_reply reply)
{
    if (smtp_reply_is_blocklist(reply))
        tally(s)->blocklist_replies++;
}

void smtp_begin(struct smtp *s, struct channel *channel, const struct smtp_client *client,
                const struct peer *server, enum tally_side side, const char *helo)
{
    *s = (struct smtp){.channel = channel,
                       .client = client,
                       .server = server,
                       .side = side,
                       .client_addr = channel->flow->side[TCP_CLIENT].addr,
                       .alive = true};
    snprintf(s->helo, sizeof s->helo, "%s", helo);
    tally(s)->sessions++;
}

static void say_hello(struct smtp *s)
{
    channel_printf(s->channel, TCP_CLIENT, "%s %s\r\n", s->client->ehlo ? "EHLO" : "HELO", s->helo);
}

bool smtp_greet(struct smtp *s, enum smtp_reply refusal)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    struct smtp_words w = words_of(s, NULL);
    if (rng_chance(rng_of(s), s->client->early)) {
        say_hello(s);
        s->spoke_early = true;
    }
    if (refusal == SMTP_OK)
        smtp_say_banner(&b, &w);
    else
        smtp_say_refusal(&b, &w, refusal);
    channel_pause(s->channel, rng_between(rng_of(s), 5 * NS_PER_MS, 250 * NS_PER_MS));
    channel_send(s->channel, TCP_SERVER, buf_span(&b));
    buf_fini(&b);
    if (refusal == SMTP_OK)
        return true;
    count_refusal(s, refusal);
    channel_close(s->channel, rng_chance(rng_of(s), 0.5) ? TCP_SERVER : TCP_CLIENT);
    s->alive = false;
    return false;
}

void smtp_hello(struct smtp *s, bool offer_starttls, bool offer_auth)
{
    if (!s->spoke_early) {
        channel_pause(s->channel, rng_between(rng_of(s), 0, s->client->think_ms * NS_PER_MS));
        say_hello(s);
    }
    s->spoke_early = false;
    struct buf b;
    buf_init(&b, TEXT_MAX);
    struct smtp_words w = words_of(s, NULL);
    if (s->client->ehlo)
        smtp_say_ehlo(&b, &w, offer_starttls, offer_auth);
    else
        buf_printf(&b, "250 %s\r\n", s->server->host);
    server_says(s, &b);
    buf_fini(&b);
    s->pipelining = s->client->careless || (s->client->ehlo && s->client->pipelining &&
                                            smtp_offers_pipelining(s->server->dialect));
    s->chunking = s->client->ehlo && s->client->chunking &&
                  smtp_offers_chunking(s->server->dialect);
}

void smtp_starttls(struct smtp *s, bool refused, bool offer_auth)
{
    client_line(s, "STARTTLS");
    tally(s)->starttls++;
    if (refused) {
        server_line(s, "454 4.7.0 TLS not available due to local problem");
        return;
    }
    server_line(s, "220 2.0.0 Ready to start TLS");
    tls_handshake(s->channel, s->client->tls, s->server->host, s->server->host, NULL,
                  s->server->dialect % 4 != 3);
    smtp_hello(s, false, offer_auth);
}

static void base64(char *out, size_t cap, const char *text, size_t len)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;
    for (size_t i = 0; i < len && n + 5 < cap; i += 3) {
        uint32_t v = (uint32_t)(uint8_t)text[i] << 16;
        if (i + 1 < len)
            v |= (uint32_t)(uint8_t)text[i + 1] << 8;
        if (i + 2 < len)
            v |= (uint8_t)text[i + 2];
        out[n++] = alphabet[v >> 18];
        out[n++] = alphabet[v >> 12 & 63];
        out[n++] = i + 1 < len ? alphabet[v >> 6 & 63] : '=';
        out[n++] = i + 2 < len ? alphabet[v & 63] : '=';
    }
    out[n] = 0;
}

bool smtp_auth(struct smtp *s, enum smtp_mechanism mechanism, const char *user,
               const char *password, bool right)
{
    char text[256], line[400];
    if (mechanism == SMTP_PLAIN) {
        size_t u = strnlen(user, 100), p = strnlen(password, 100);
        text[0] = 0;
        memcpy(text + 1, user, u);
        text[1 + u] = 0;
        memcpy(text + 2 + u, password, p);
        base64(line, sizeof line, text, 2 + u + p);
        channel_printf(s->channel, TCP_CLIENT, "AUTH PLAIN %s\r\n", line);
        tally(s)->auth++;
    } else {
        client_line(s, "AUTH LOGIN");
        tally(s)->auth++;
        server_line(s, "334 VXNlcm5hbWU6");
        base64(line, sizeof line, user, strlen(user));
        client_line(s, line);
        server_line(s, "334 UGFzc3dvcmQ6");
        base64(line, sizeof line, password, strlen(password));
        client_line(s, line);
    }
    if (!right) { // servers make the guesser wait
        channel_pause(s->channel, rng_between(rng_of(s), NS_PER_S / 2, 3 * NS_PER_S));
        server_line(s, "535 5.7.8 Error: authentication failed");
        tally(s)->auth_failed++;
        return false;
    }
    server_line(s, "235 2.7.0 Authentication successful");
    return true;
}

static void count_rcpt(struct smtp *s, enum smtp_reply reply)
{
    struct smtp_tally *t = tally(s);
    int class = smtp_reply_class(reply);
    t->rcpt_ok += class == 2;
    t->rcpt_4xx += class == 4;
    t->rcpt_5xx += class == 5;
    count_refusal(s, reply);
}

static void mail_from(struct smtp *s, struct buf *b, const struct smtp_message *m)
{
    buf_printf(b, "MAIL FROM:<%s>", m->sender);
    if (s->client->size && s->client->ehlo)
        buf_printf(b, " SIZE=%zu", m->octets);
    buf_text(b, "\r\n");
}

static void count_mail(struct smtp *s, const struct smtp_message *m)
{
    tally(s)->mail++;
    tally(s)->null_sender += m->sender[0] == 0;
}

static size_t accepted(const struct smtp_message *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->rcpts; i++)
        n += m->rcpt[i].reply == SMTP_OK;
    return n;
}

// MAIL and all RCPTs, one by one.
static void envelope_in_turn(struct smtp *s, const struct smtp_message *m, struct buf *b)
{
    buf_clear(b);
    struct smtp_words w = words_of(s, NULL);
    mail_from(s, b, m);
    client_says(s, b);
    count_mail(s, m);
    buf_clear(b);
    smtp_say_mail(b, &w);
    server_says(s, b);
    for (size_t i = 0; i < m->rcpts; i++) {
        buf_clear(b);
        buf_printf(b, "RCPT TO:<%s>\r\n", m->rcpt[i].address);
        client_says(s, b);
        tally(s)->rcpt++;
        buf_clear(b);
        w.recipient = m->rcpt[i].address;
        smtp_say_rcpt(b, &w, m->rcpt[i].reply);
        server_says(s, b);
        count_rcpt(s, m->rcpt[i].reply);
    }
}

// The same in one go, with `last` (DATA or nothing) behind.
static void envelope_at_once(struct smtp *s, const struct smtp_message *m, const char *last,
                             struct buf *b)
{
    buf_clear(b);
    struct smtp_words w = words_of(s, NULL);
    mail_from(s, b, m);
    for (size_t i = 0; i < m->rcpts; i++)
        buf_printf(b, "RCPT TO:<%s>\r\n", m->rcpt[i].address);
    buf_text(b, last);
    client_says(s, b);
    count_mail(s, m);
    tally(s)->rcpt += m->rcpts;
    tally(s)->data += last[0] != 0;
    buf_clear(b);
    smtp_say_mail(b, &w);
    for (size_t i = 0; i < m->rcpts; i++) {
        w.recipient = m->rcpt[i].address;
        smtp_say_rcpt(b, &w, m->rcpt[i].reply);
    }
    if (last[0])
        buf_text(b, accepted(m) ? "354 End data with <CR><LF>.<CR><LF>\r\n"
                                : "554 5.5.1 Error: no valid recipients\r\n");
    server_says(s, b);
    for (size_t i = 0; i < m->rcpts; i++)
        count_rcpt(s, m->rcpt[i].reply);
}

static void send_chunks(struct smtp *s, const struct smtp_message *m, struct buf *b)
{
    struct buf body;
    buf_init(&body, TEXT_MAX);
    smtp_write_body(&body, rng_of(s), m, false);
    for (size_t at = 0; at < body.len; at += BDAT_CHUNK) {
        struct span part = span_cut(buf_span(&body), at, BDAT_CHUNK);
        bool last = at + part.len == body.len;
        buf_clear(b);
        buf_printf(b, "BDAT %zu%s\r\n", part.len, last ? " LAST" : "");
        buf_bytes(b, part.data, part.len);
        client_says(s, b);
        tally(s)->bdat++;
        if (!last) {
            buf_clear(b);
            buf_printf(b, "250 2.0.0 %zu octets received\r\n", part.len);
            server_says(s, b);
        }
    }
    buf_fini(&body);
}

static void send_data(struct smtp *s, const struct smtp_message *m, bool asked, struct buf *b)
{
    if (!asked) {
        client_line(s, "DATA");
        tally(s)->data++;
        server_line(s, "354 End data with <CR><LF>.<CR><LF>");
    }
    buf_clear(b);
    smtp_write_body(b, rng_of(s), m, true);
    buf_text(b, ".\r\n");
    client_says(s, b);
}

static void count_end(struct smtp *s, enum smtp_reply reply)
{
    struct smtp_tally *t = tally(s);
    int class = smtp_reply_class(reply);
    t->messages_ok += class == 2;
    t->messages_4xx += class == 4;
    t->messages_5xx += class == 5;
    count_refusal(s, reply);
}

void smtp_send(struct smtp *s, const struct smtp_message *m)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    bool chunks = s->chunking, ask = s->pipelining && !chunks;
    if (ask) {
        envelope_at_once(s, m, "DATA\r\n", &b);
    } else if (s->pipelining) {
        envelope_at_once(s, m, "", &b);
    } else {
        envelope_in_turn(s, m, &b);
    }
    if (accepted(m) > 0) {
        if (chunks) {
            send_chunks(s, m, &b);
        } else {
            send_data(s, m, ask, &b);
        }
        buf_clear(&b);
        struct smtp_words w = words_of(s, NULL);
        smtp_say_end(&b, &w, m->end);
        channel_pause(s->channel, rng_between(rng_of(s), 10 * NS_PER_MS, 200 * NS_PER_MS));
        channel_send(s->channel, TCP_SERVER, buf_span(&b));
        count_end(s, m->end);
    }
    buf_fini(&b);
}

void smtp_ask(struct smtp *s, const char *sender, const struct smtp_rcpt *rcpt, size_t rcpts)
{
    struct smtp_message m = {.rcpt = rcpt, .rcpts = rcpts};
    snprintf(m.sender, sizeof m.sender, "%s", sender);
    struct buf b;
    buf_init(&b, TEXT_MAX);
    envelope_in_turn(s, &m, &b);
    buf_fini(&b);
}

void smtp_rset(struct smtp *s)
{
    client_line(s, "RSET");
    server_line(s, "250 2.0.0 Ok");
}

void smtp_probe(struct smtp *s, const char *verb, const char *name, bool known)
{
    char text[SMTP_ADDRESS_MAX + 64];
    snprintf(text, sizeof text, "%s %s", verb, name);
    client_line(s, text);
    tally(s)->probes++;
    if (known)
        snprintf(text, sizeof text, "252 2.0.0 %s", name);
    else
        snprintf(text, sizeof text, "550 5.1.1 <%s>: Recipient address rejected: User unknown",
                 name);
    server_line(s, text);
}

void smtp_end(struct smtp *s)
{
    if (!s->alive)
        return;
    s->alive = false;
    if (rng_chance(rng_of(s), s->client->quit)) {
        client_line(s, "QUIT");
        server_line(s, "221 2.0.0 Bye");
        channel_close(s->channel, TCP_SERVER);
    } else if (rng_chance(rng_of(s), 0.5)) {
        channel_close(s->channel, TCP_CLIENT);
    } else {
        channel_reset(s->channel, TCP_CLIENT);
    }
}
