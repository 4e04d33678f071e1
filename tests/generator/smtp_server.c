// The words of six kinds of servers; which one a host is, `dialect` modulo six says.
#include "smtp_server.h"

enum { POSTFIX, EXIM, EXCHANGE, SENDMAIL, QMAIL, FRONTEND, DIALECTS };

static unsigned kind(const struct smtp_words *w)
{
    return w->dialect % DIALECTS;
}

int smtp_reply_class(enum smtp_reply reply)
{
    switch (reply) {
    case SMTP_OK: return 2;
    case SMTP_MAILBOX_FULL:
    case SMTP_GREYLISTED:
    case SMTP_TOO_FAST:
    case SMTP_BUSY: return 4;
    default: return 5;
    }
}

bool smtp_reply_is_blocklist(enum smtp_reply reply)
{
    return (reply >= SMTP_LISTED_ZEN && reply <= SMTP_LISTED_SPAMCOP) || reply == SMTP_NO_REVERSE;
}

bool smtp_offers_pipelining(uint8_t dialect)
{
    return dialect % DIALECTS != QMAIL;
}

bool smtp_offers_chunking(uint8_t dialect)
{
    unsigned d = dialect % DIALECTS;
    return d == EXCHANGE || d == FRONTEND || d == EXIM;
}

static void token(struct buf *out, struct rng *r, size_t len)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRSTVWXYZbcdfghjkmnpqrstvwxyz";
    for (size_t i = 0; i < len; i++)
        buf_bytes(out, &alphabet[rng_below(r, sizeof alphabet - 1)], 1);
}

void smtp_say_banner(struct buf *out, const struct smtp_words *w)
{
    static const char *const text[DIALECTS] = {
        "ESMTP Postfix",
        "ESMTP Exim 4.96 Mon, 02 Mar 2026 09:00:00 +0000",
        "Microsoft ESMTP MAIL Service ready at Mon, 2 Mar 2026 09:00:00 +0000",
        "ESMTP Sendmail 8.17.1/8.17.1; Mon, 2 Mar 2026 09:00:00 GMT",
        "ESMTP",
        "ESMTP"};
    if (kind(w) == FRONTEND) { // a greeting of two lines, as some big sites give
        buf_printf(out, "220-%s ESMTP ready\r\n220 ", w->host);
        token(out, w->rng, 18);
        buf_text(out, " - gsmtp\r\n");
        return;
    }
    buf_printf(out, "220 %s %s\r\n", w->host, text[kind(w)]);
}

void smtp_say_ehlo(struct buf *out, const struct smtp_words *w, bool starttls, bool auth)
{
    static const char *const lines[DIALECTS][10] = {
        {"PIPELINING", "SIZE 51200000", "ETRN", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN",
         "SMTPUTF8", "CHUNKING"},
        {"SIZE 52428800", "8BITMIME", "PIPELINING", "PIPECONNECT", "CHUNKING", "PRDR"},
        {"SIZE 37748736", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "8BITMIME", "BINARYMIME",
         "CHUNKING", "SMTPUTF8"},
        {"ENHANCEDSTATUSCODES", "PIPELINING", "8BITMIME", "SIZE 36700160", "DSN", "DELIVERBY",
         "HELP"},
        {"8BITMIME", "SIZE 20971520"},
        {"SIZE 157286400", "8BITMIME", "ENHANCEDSTATUSCODES", "PIPELINING", "CHUNKING",
         "SMTPUTF8"}};
    char client[IP_TEXT_MAX];
    ip_format(&w->client, client);
    switch (kind(w)) {
    case EXIM: buf_printf(out, "250-%s Hello %s [%s]\r\n", w->host, w->helo, client); break;
    case EXCHANGE: buf_printf(out, "250-%s Hello [%s]\r\n", w->host, client); break;
    case SENDMAIL:
        buf_printf(out, "250-%s Hello %s [%s], pleased to meet you\r\n", w->host, w->helo, client);
        break;
    case FRONTEND: buf_printf(out, "250-%s at your service, [%s]\r\n", w->host, client); break;
    default: buf_printf(out, "250-%s\r\n", w->host);
    }
    if (starttls)
        buf_text(out, "250-STARTTLS\r\n");
    if (auth)
        buf_text(out, kind(w) == EXCHANGE ? "250-AUTH LOGIN PLAIN XOAUTH2\r\n"
                                          : "250-AUTH PLAIN LOGIN\r\n");
    const char *const *line = lines[kind(w)];
    for (size_t i = 0; line[i]; i++)
        buf_printf(out, "250%c%s\r\n", line[i + 1] ? '-' : ' ', line[i]);
}

void smtp_say_mail(struct buf *out, const struct smtp_words *w)
{
    static const char *const text[DIALECTS] = {
        "250 2.1.0 Ok\r\n",        "250 OK\r\n", "250 2.1.0 Sender OK\r\n",
        "250 2.1.0 Sender ok\r\n", "250 ok\r\n", "250 2.1.0 OK\r\n"};
    buf_text(out, text[kind(w)]);
}

void smtp_say_refusal(struct buf *out, const struct smtp_words *w, enum smtp_reply reply)
{
    char client[IP_TEXT_MAX];
    ip_format(&w->client, client);
    switch (reply) {
    case SMTP_LISTED_ZEN:
        if (kind(w) == EXIM)
            buf_printf(out,
                       "550 %s is listed at zen.spamhaus.org (127.0.0.4): "
                       "https://www.spamhaus.org/query/ip/%s\r\n",
                       client, client);
        else
            buf_printf(out,
                       "554 5.7.1 Service unavailable; Client host [%s] blocked using "
                       "zen.spamhaus.org; https://www.spamhaus.org/query/ip/%s\r\n",
                       client, client);
        break;
    case SMTP_LISTED_XBL:
        buf_printf(out,
                   "550 5.7.1 Service unavailable, Client host [%s] blocked using "
                   "xbl.spamhaus.org. Please visit https://www.spamhaus.org/xbl/\r\n",
                   client);
        break;
    case SMTP_LISTED_PBL:
        buf_printf(
            out,
            "550-5.7.1 [%s] is on the Policy Block List (PBL).\r\n550 5.7.1 Dynamic addresses send "
            "through their provider, see https://www.spamhaus.org/pbl/query/%s\r\n",
            client, client);
        break;
    case SMTP_LISTED_SPAMCOP:
        buf_printf(out,
                   "554 5.7.1 Service unavailable; Client host [%s] blocked using bl.spamcop.net; "
                   "Blocked - see https://www.spamcop.net/bl.shtml?%s\r\n",
                   client, client);
        break;
    case SMTP_LISTED_LOCAL:
        buf_printf(out, "554 5.7.1 <%s>: Client host rejected: Access denied\r\n", client);
        break;
    case SMTP_NO_REVERSE:
        buf_printf(
            out, "550 5.7.25 [%s] has no or a generic PTR record, mail is not accepted from it\r\n",
            client);
        break;
    case SMTP_BUSY:
        buf_printf(out, "421 4.3.2 %s Service not available, closing transmission channel\r\n",
                   w->host);
        break;
    case SMTP_UNKNOWN_USER:
        buf_printf(out,
                   kind(w) == EXCHANGE  ? "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient %s "
                                          "not found by SMTP address lookup\r\n"
                   : kind(w) == EXIM    ? "550 Unrouteable address: <%s>\r\n"
                   : kind(w) == POSTFIX ? "550 5.1.1 <%s>: Recipient address rejected: User "
                                          "unknown in virtual mailbox table\r\n"
                                        : "550 5.1.1 <%s>... User unknown\r\n",
                   w->recipient ? w->recipient : "");
        break;
    case SMTP_MAILBOX_FULL:
        buf_printf(out, "452 4.2.2 <%s>: Mailbox full\r\n", w->recipient ? w->recipient : "");
        break;
    case SMTP_GREYLISTED:
        if (kind(w) == EXIM)
            buf_text(out, "451-You are greylisted. Please try again in 300 seconds.\r\n451 "
                          "Temporary local problem\r\n");
        else
            buf_printf(out,
                       "451 4.7.1 <%s>: Recipient address rejected: Greylisted, please try again "
                       "later\r\n",
                       w->recipient ? w->recipient : "");
        break;
    case SMTP_TOO_FAST:
        buf_printf(out, "450 4.7.1 Error: too much mail from %s\r\n", client);
        break;
    case SMTP_RELAY_DENIED:
        buf_printf(out, "554 5.7.1 <%s>: Relay access denied\r\n",
                   w->recipient ? w->recipient : "");
        break;
    case SMTP_SPAM:
        buf_printf(out, "550 5.7.1 Message rejected as spam by content filtering (%08x)\r\n",
                   (unsigned)rng_below(w->rng, UINT32_MAX));
        break;
    case SMTP_BAD_SENDER:
        buf_text(out, "553 5.1.8 Sender address rejected: Domain not found\r\n");
        break;
    default: buf_text(out, "550 5.0.0 Refused\r\n");
    }
}

void smtp_say_rcpt(struct buf *out, const struct smtp_words *w, enum smtp_reply reply)
{
    static const char *const text[DIALECTS] = {
        "250 2.1.5 Ok\r\n",           "250 Accepted\r\n", "250 2.1.5 Recipient OK\r\n",
        "250 2.1.5 Recipient ok\r\n", "250 ok\r\n",       "250 2.1.5 OK\r\n"};
    if (reply == SMTP_OK)
        buf_text(out, text[kind(w)]);
    else
        smtp_say_refusal(out, w, reply);
}

void smtp_say_end(struct buf *out, const struct smtp_words *w, enum smtp_reply reply)
{
    if (reply != SMTP_OK) {
        smtp_say_refusal(out, w, reply);
        return;
    }
    switch (kind(w)) {
    case POSTFIX:
        buf_text(out, "250 2.0.0 Ok: queued as ");
        token(out, w->rng, 13);
        break;
    case EXIM:
        buf_text(out, "250 OK id=1");
        token(out, w->rng, 6);
        buf_text(out, "-00");
        token(out, w->rng, 4);
        buf_text(out, "-Ab");
        break;
    case EXCHANGE:
        buf_text(out, "250 2.6.0 <");
        token(out, w->rng, 24);
        buf_printf(out, "@%s> Queued mail for delivery", w->host);
        break;
    case SENDMAIL:
        buf_text(out, "250 2.0.0 ");
        token(out, w->rng, 14);
        buf_text(out, " Message accepted for delivery");
        break;
    case QMAIL:
        buf_printf(out, "250 ok 1772442%03u qp %u", rng_below(w->rng, 1000),
                   rng_below(w->rng, 60000));
        break;
    default:
        buf_text(out, "250 2.0.0 OK  ");
        token(out, w->rng, 30);
        buf_text(out, " - gsmtp");
    }
    buf_text(out, "\r\n");
}
