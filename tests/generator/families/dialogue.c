// A line whose every dialogue stands in a file (dialogues.h): for comparing what sensor and collector count with what was
// said. Nothing but the words is drawn.
#include <errno.h>

#include "delivery.h"
#include "dialogues.h"
#include "families/registry.h"
#include "mailbox.h"
#include "socks.h"

struct dialogue_file {
    struct family_common common;
    char *file;
};

static const struct conf_key keys[] = {FAMILY_KEYS(dialogue_file),
                                       {.name = "file",
                                        .type = CONF_STRING,
                                        .offset = offsetof(struct dialogue_file, file),
                                        .optional = true,
                                        .help = "CSV of what is said; without one nothing is"},
                                       FAMILY_END};

static struct smtp_client program(void)
{
    struct smtp_client c = smtp_mua;
    c.quit = 1;
    return c;
}

static void write_message(const struct dialogue *d, struct rng *r, struct smtp_message *m,
                          struct smtp_rcpt *rcpt)
{
    *m = (struct smtp_message){.rcpt = rcpt, .octets = 1500, .end = SMTP_OK};
    delivery_address(m->sender, r, 9);
    for (size_t i = 0; i < (size_t)d->rcpt_ok + d->rcpt_4xx + d->rcpt_5xx; i++) {
        delivery_address(rcpt[i].address, r, 10);
        rcpt[i].reply = i < d->rcpt_ok                 ? SMTP_OK
                        : i < d->rcpt_ok + d->rcpt_4xx ? SMTP_GREYLISTED
                                                       : SMTP_UNKNOWN_USER;
        m->rcpts++;
    }
}

static void smtp_says(const struct dialogue *d, struct channel *c, struct peer *server)
{
    static struct smtp_rcpt rcpt[128];
    const struct smtp_client client = program();
    struct smtp s;
    struct smtp_message m;
    bool submits = d->what == DIALOGUE_SUBMISSION;
    server->starttls = true;
    smtp_begin(&s, c, &client, server, TALLY_OUT, "client.example");
    if (!smtp_greet(&s, d->what == DIALOGUE_REFUSED ? SMTP_LISTED_XBL : SMTP_OK))
        return;
    smtp_hello(&s, true, submits);
    if (d->what == DIALOGUE_STARTTLS)
        smtp_starttls(&s, false, submits);
    bool in = d->login == DIALOGUE_NONE ||
              smtp_auth(&s, SMTP_PLAIN, "somebody", "secret", d->login == DIALOGUE_RIGHT);
    write_message(d, &channel_party(c)->rng, &m, rcpt);
    if (in && m.rcpts > 0)
        smtp_send(&s, &m);
    smtp_end(&s);
}

static void mailbox_says(const struct dialogue *d, struct channel *c, const struct peer *server)
{
    struct mailbox m;
    mailbox_greet(&m, c, MAILBOX_IMAP, server->host, NULL);
    if (d->login != DIALOGUE_NONE &&
        mailbox_login(&m, "somebody", "secret", d->login == DIALOGUE_RIGHT))
        mailbox_fetch(&m, 0);
    mailbox_leave(&m);
}

// A stranger asks for a mail server; what is said there passes through.
static void relays(const struct dialogue *d, struct party *p, struct peer *server, int64_t t_ns)
{
    struct peer stranger;
    struct tcp_flow in, out;
    world_foreign(p->run->seed, 5, &stranger);
    tcp_begin(&in, p, TCP_SERVER, &stranger, 1080, &tcp_linux, false, t_ns);
    tcp_connect(&in);
    struct channel asking = {.flow = &in};
    socks_ask(&asking, SOCKS_5, server, 25, false, false);
    tcp_begin(&out, p, TCP_CLIENT, server, 25, &tcp_linux, false, in.now_ns + 5 * NS_PER_MS);
    if (d->what == DIALOGUE_SOCKS_FAILED) {
        tcp_unanswered(&out);
        tcp_wait_until(&in, out.now_ns + NS_PER_S);
        socks_answer(&asking, SOCKS_5, &p->v4, false);
        channel_close(&asking, TCP_SERVER);
        return;
    }
    tcp_connect(&out);
    tcp_wait_until(&in, out.now_ns + NS_PER_MS);
    socks_answer(&asking, SOCKS_5, &p->v4, true);
    struct channel both = {.flow = &out, .relay = &in};
    smtp_says(d, &both, server);
}

static void play_one(const struct dialogue *d, uint32_t index, struct party *p)
{
    struct peer server;
    struct tcp_flow f;
    int64_t t_ns = p->from_ns + (int64_t)(d->start_s * (double)NS_PER_S);
    world_mx(p->run->seed, WORLD_PROVIDERS + index, 0, &server);
    server.v6 = (struct ip_addr){0};
    if (d->what == DIALOGUE_SOCKS || d->what == DIALOGUE_SOCKS_FAILED) {
        relays(d, p, &server, t_ns);
        return;
    }
    uint16_t port = d->what == DIALOGUE_SUBMISSION ? 587 : d->what == DIALOGUE_ACCESS ? 143 : 25;
    tcp_begin(&f, p, TCP_CLIENT, &server, port, &tcp_linux, false, t_ns);
    tcp_connect(&f);
    struct channel c = {.flow = &f};
    if (d->what == DIALOGUE_ACCESS)
        mailbox_says(d, &c, &server);
    else
        smtp_says(d, &c, &server);
}

static void play(struct party *p, const void *habits)
{
    const struct dialogue_file *b = habits;
    struct dialogues all = {0};
    if (!b->file)
        return;
    if (dialogues_load(b->file, &all) != 0) {
        p->run->error = -EINVAL;
        return;
    }
    for (size_t i = 0; i < all.count; i++)
        play_one(&all.item[i], (uint32_t)i % 4000, p);
    dialogues_free(&all);
}

const struct family family_dialogue = {.name = "dialogue",
                                       .help = "what a file says is said, for comparing counts",
                                       .place = FAMILY_HOME,
                                       .keys = keys,
                                       .size = sizeof(struct dialogue_file),
                                       .play = play};
