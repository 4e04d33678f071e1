// The two dialogues, side by side.
#include "mailbox.h"

static void ask(struct mailbox *m, const char *imap, const char *pop)
{
    struct party *p = channel_party(m->channel);
    channel_pause(m->channel, rng_between(&p->rng, NS_PER_MS, 60 * NS_PER_MS));
    if (m->protocol == MAILBOX_IMAP)
        channel_printf(m->channel, TCP_CLIENT, "a%03u %s\r\n", ++m->tag, imap);
    else
        channel_printf(m->channel, TCP_CLIENT, "%s\r\n", pop);
}

static void answer(struct mailbox *m, const char *imap, const char *pop)
{
    struct party *p = channel_party(m->channel);
    channel_pause(m->channel, rng_between(&p->rng, NS_PER_MS / 2, 20 * NS_PER_MS));
    if (m->protocol == MAILBOX_IMAP)
        channel_printf(m->channel, TCP_SERVER, "%sa%03u OK done\r\n", imap, m->tag);
    else
        channel_printf(m->channel, TCP_SERVER, "%s", pop);
}

void mailbox_greet(struct mailbox *m, struct channel *c, enum mailbox_protocol protocol,
                   const char *host, const struct tls_client *starttls)
{
    *m = (struct mailbox){.channel = c, .protocol = protocol};
    if (protocol == MAILBOX_IMAP)
        channel_printf(c, TCP_SERVER,
                       "* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ "
                       "%s] %s ready.\r\n",
                       starttls ? "STARTTLS LOGINDISABLED" : "AUTH=PLAIN AUTH=LOGIN", host);
    else
        channel_printf(c, TCP_SERVER, "+OK %s POP3 ready\r\n", host);
    if (!starttls)
        return;
    ask(m, "STARTTLS", "STLS");
    answer(m, "", "+OK Begin TLS negotiation now.\r\n");
    tls_handshake(c, starttls, host, host, NULL, true);
}

// Whether what was said last began within the capture.
static bool is_seen(const struct mailbox *m)
{
    return party_in_capture(channel_party(m->channel), m->channel->flow->began_ns);
}

bool mailbox_login(struct mailbox *m, const char *user, const char *password, bool right)
{
    struct party *p = channel_party(m->channel);
    if (m->protocol == MAILBOX_IMAP) {
        channel_printf(m->channel, TCP_CLIENT, "a%03u LOGIN \"%s\" \"%s\"\r\n", ++m->tag, user,
                       password);
    } else {
        channel_printf(m->channel, TCP_CLIENT, "USER %s\r\n", user);
        answer(m, "", "+OK\r\n");
        channel_printf(m->channel, TCP_CLIENT, "PASS %s\r\n", password);
    }
    p->tally.logins += is_seen(m);
    if (right) {
        answer(m, "* CAPABILITY IMAP4rev1 IDLE NAMESPACE QUOTA MOVE\r\n", "+OK Logged in.\r\n");
        return true;
    }
    channel_pause(m->channel, rng_between(&p->rng, NS_PER_S, 3 * NS_PER_S));
    if (m->protocol == MAILBOX_IMAP)
        channel_printf(m->channel, TCP_SERVER,
                       "a%03u NO [AUTHENTICATIONFAILED] Authentication failed.\r\n", m->tag);
    else
        channel_printf(m->channel, TCP_SERVER, "-ERR [AUTH] Authentication failed.\r\n");
    p->tally.logins_failed += is_seen(m);
    return false;
}

void mailbox_fetch(struct mailbox *m, size_t octets)
{
    ask(m, "SELECT INBOX", "STAT");
    answer(
        m,
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* 212 EXISTS\r\n* 0 RECENT\r\n"
        "* OK [UIDVALIDITY 1650000000] UIDs valid\r\n",
        "+OK 212 4120331\r\n");
    if (octets == 0)
        return;
    ask(m, "UID FETCH 9121:* (UID FLAGS BODY.PEEK[])", "RETR 212");
    channel_noise(m->channel, TCP_SERVER, octets);
    answer(m, ")\r\n", "\r\n.\r\n");
}

void mailbox_leave(struct mailbox *m)
{
    ask(m, "LOGOUT", "QUIT");
    answer(m, "* BYE Logging out\r\n", "+OK Logging out.\r\n");
    channel_close(m->channel, TCP_SERVER);
}
