// Where an SMTP session becomes TLS (RFC 3207), as agreed or without a word of it seen, and where it
// does not although it was agreed.
#include "proto/smtp.h"

// A TLS record (RFC 8446) or an SSLv2 hello, by its first octet; no line of text begins so.
static bool begins_tls(struct span data)
{
    return data.len > 0 && ((data.data[0] >= 0x14 && data.data[0] <= 0x17) || data.data[0] >= 0x80);
}

static void to_tls(const struct smtp_at *at, enum proto_side side, struct span rest)
{
    at->s->tls_due = false;
    proto_switch(at->f, &proto_tls, side, rest, at->t_us);
}

bool smtp_in_clear(const struct smtp_at *at, enum proto_side side, struct span data)
{
    struct smtp *s = at->s;
    if (begins_tls(data)) {
        to_tls(at, side, data);
        return false;
    }
    smtp_result(at)->clear_after_tls = smtp_result(at)->starttls_state == RECORD_STARTTLS_ACCEPTED;
    s->tls_due = false;
    s->server.stop = false;
    if (s->client.mode == SMTP_CLIENT_STOP)
        smtp_client_enter(&s->client, SMTP_CLIENT_COMMAND);
    return true;
}

bool smtp_held_before_tls(const struct smtp_at *at)
{
    struct smtp *s = at->s;
    if (begins_tls(span_of(s->client.line.octet, s->client.held))) {
        uint8_t held[LINE_MAX_OCTETS];
        size_t len = smtp_client_unhold(&s->client, held);
        to_tls(at, s->client_side, span_of(held, len));
        explicit_bzero(held, sizeof held);
        return false;
    }
    smtp_client_enter(&s->client, SMTP_CLIENT_COMMAND);
    smtp_drain(at);
    s->wait = SMTP_WAIT_NONE;
    smtp_client_forget(&s->client);
    smtp_client_enter(&s->client, SMTP_CLIENT_STOP);
    return true;
}

#define HEAD_OCTETS 3

static bool is_tls_head(const uint8_t head[static HEAD_OCTETS])
{
    return head[0] == SMTP_TLS_HEAD && head[1] == 3 && head[2] <= 4;
}

size_t smtp_look_at_head(const struct smtp_at *at, struct span data, bool *over)
{
    struct smtp *s = at->s;
    uint8_t held[LINE_MAX_OCTETS];
    size_t used = 0;
    *over = false;
    if (s->wait != SMTP_WAIT_HEAD) {
        bool at_start = s->client.mode == SMTP_CLIENT_COMMAND && s->client.held == 0 &&
                        smtp_client_at_line_start(&s->client);
        if (!at_start || data.len == 0 || data.data[0] != SMTP_TLS_HEAD)
            return 0;
        smtp_client_enter(&s->client, SMTP_CLIENT_HOLD);
        s->wait = SMTP_WAIT_HEAD;
    }
    while (used < data.len && s->client.held < HEAD_OCTETS)
        smtp_client_hold(&s->client, data.data[used++]);
    if (s->client.held < HEAD_OCTETS)
        return used;
    s->wait = SMTP_WAIT_NONE;
    smtp_client_enter(&s->client, SMTP_CLIENT_COMMAND);
    if (is_tls_head(s->client.line.octet)) {
        size_t len = smtp_client_unhold(&s->client, held);
        *over = true;
        to_tls(at, s->client_side, span_of(held, len));
        proto_pass(at->f, s->client_side, span_cut(data, used, data.len), at->t_us);
    } else {
        smtp_drain(at);
    }
    return used;
}
