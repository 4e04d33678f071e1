// Sessions of mail programs and phones.
#include "people.h"

#include <stdio.h>

// Programs that come back every few minutes hold a ticket from the last time, mostly.
#define PEOPLE_RESUME 0.55
// And some do not like the certificate they are shown.
#define PEOPLE_DISTRUST 0.004

void isp_peer(const struct run *run, const char *label, const struct ip_addr *addr,
              struct peer *out)
{
    *out = (struct peer){.v4 = *addr, .delay_ns = 2 * NS_PER_MS, .hops = 2, .starttls = true};
    snprintf(out->domain, sizeof out->domain, "%.50s", run->isp.domain);
    snprintf(out->host, sizeof out->host, "%.8s.%.50s", label, run->isp.domain);
}

void account_draw(struct account *a, struct rng *r, enum people_device device, double smarthost,
                  double pop3, double starttls)
{
    *a = (struct account){.isp = rng_chance(r, smarthost),
                          .provider = rng_zipf(r, WORLD_PROVIDERS),
                          .device = device,
                          .starttls = rng_chance(r, starttls)};
    // Phones have no POP3 to speak of.
    a->protocol = device == PEOPLE_DESKTOP && rng_chance(r, pop3) ? MAILBOX_POP3 : MAILBOX_IMAP;
    a->alternate = a->starttls && rng_chance(r, 0.03); // where somebody blocked 587
    world_person(rng_below(r, 2000000), a->user);
    snprintf(a->password, sizeof a->password, "pw-%08x", (unsigned)rng_u64(r));
}

void account_server(const struct account *a, struct party *p, enum world_service service,
                    struct peer *out)
{
    static const char *const label[] = {"smtp", "imap", "pop"};
    if (a->isp)
        isp_peer(p->run, label[service],
                 service == WORLD_SUBMISSION ? &p->run->isp.smarthost : &p->run->isp.mail, out);
    else
        world_provider(p->run->seed, a->provider, service, rng_below(&p->rng, 8), out);
}

const struct tcp_stack *people_stack(enum people_device device)
{
    return device == PEOPLE_DESKTOP ? &tcp_windows
           : device == PEOPLE_PHONE ? &tcp_apple
                                    : &tcp_linux;
}

const struct tls_client *people_tls(enum people_device device)
{
    return device == PEOPLE_DESKTOP ? &tls_client_outlook
           : device == PEOPLE_PHONE ? &tls_client_apple
                                    : &tls_client_android;
}

static const struct smtp_client *submitter(enum people_device device)
{
    static const struct smtp_client desktop = {.name = "desktop",
                                               .tls = &tls_client_outlook,
                                               .stack = &tcp_windows,
                                               .ehlo = true,
                                               .size = true,
                                               .quit = 1,
                                               .think_ms = 40};
    static const struct smtp_client tablet = {.name = "tablet",
                                              .tls = &tls_client_android,
                                              .stack = &tcp_linux,
                                              .ehlo = true,
                                              .pipelining = true,
                                              .size = true,
                                              .quit = 1,
                                              .think_ms = 40};
    return device == PEOPLE_DESKTOP ? &desktop : device == PEOPLE_PHONE ? &smtp_phone : &tablet;
}

int64_t people_submit(struct party *p, const struct account *a, size_t rcpts, size_t octets,
                      double v6, int64_t t_ns)
{
    enum { RCPT_MAX = 100 };
    static struct smtp_rcpt rcpt[RCPT_MAX];
    struct rng *r = &p->rng;
    struct peer server;
    account_server(a, p, WORLD_SUBMISSION, &server);
    struct tcp_flow f;
    const struct smtp_client *client = submitter(a->device);
    uint16_t port = !a->starttls ? 465 : a->alternate ? 2525 : 587;
    tcp_begin(&f, p, TCP_CLIENT, &server, port, client->stack, rng_chance(r, v6), t_ns);
    tcp_connect(&f);
    struct channel c = {.flow = &f};
    if (!a->starttls)
        tls_handshake(&c, client->tls, server.host, server.host, NULL, true);
    char helo[WORLD_NAME_MAX], local[IP_TEXT_MAX];
    snprintf(helo, sizeof helo, "[%s]", ip_format(&f.side[TCP_CLIENT].addr, local));
    struct smtp s;
    smtp_begin(&s, &c, client, &server, TALLY_OUT, helo);
    smtp_greet(&s, SMTP_OK);
    smtp_hello(&s, a->starttls, !a->starttls);
    if (a->starttls)
        smtp_starttls(&s, false, true);
    smtp_auth(&s, SMTP_PLAIN, a->user, a->password, true);
    struct smtp_message m = {.rcpt = rcpt,
                             .rcpts = rcpts < RCPT_MAX ? rcpts : RCPT_MAX,
                             .octets = octets,
                             .body = SMTP_LETTER};
    snprintf(m.sender, sizeof m.sender, "%s@%s", a->user, server.domain);
    for (size_t i = 0; i < m.rcpts; i++) {
        char person[WORLD_NAME_MAX], domain[WORLD_NAME_MAX];
        world_person(rng_below(r, 2000000), person);
        world_domain(rng_zipf(r, WORLD_DOMAINS), domain);
        snprintf(rcpt[i].address, sizeof rcpt[i].address, "%s@%s", person, domain);
        rcpt[i].reply = SMTP_OK;
    }
    smtp_send(&s, &m);
    smtp_end(&s);
    return f.now_ns;
}

int64_t people_poll(struct party *p, const struct account *a, size_t octets, bool right, double v6,
                    int64_t t_ns)
{
    struct rng *r = &p->rng;
    struct peer server;
    bool pop = a->protocol == MAILBOX_POP3;
    account_server(a, p, pop ? WORLD_POP : WORLD_IMAP, &server);
    struct tcp_flow f;
    uint16_t port = pop ? a->starttls ? 110 : 995 : a->starttls ? 143 : 993;
    tcp_begin(&f, p, TCP_CLIENT, &server, port, people_stack(a->device), rng_chance(r, v6), t_ns);
    tcp_connect(&f);
    struct channel c = {.flow = &f};
    const struct tls_client *tls = people_tls(a->device);
    if (!a->starttls && rng_chance(r, PEOPLE_DISTRUST)) { // bad_certificate
        tls_handshake_refused(&c, tls, server.host, server.host, 42);
        channel_close(&c, TCP_CLIENT);
        return f.now_ns;
    }
    if (!a->starttls && rng_chance(r, PEOPLE_RESUME))
        tls_resume(&c, tls, server.host, NULL);
    else if (!a->starttls)
        tls_handshake(&c, tls, server.host, server.host, NULL, true);
    struct mailbox m;
    mailbox_greet(&m, &c, a->protocol, server.host, a->starttls ? tls : NULL);
    if (mailbox_login(&m, a->user, a->password, right))
        mailbox_fetch(&m, octets);
    mailbox_leave(&m);
    return f.now_ns;
}

int64_t people_browse(struct party *p, size_t octets, double v6, int64_t t_ns)
{
    struct rng *r = &p->rng;
    struct peer server;
    world_site(p->run->seed, rng_zipf(r, 3000), &server);
    enum people_device device = (enum people_device)rng_below(r, 3);
    struct tcp_flow f;
    tcp_begin(&f, p, TCP_CLIENT, &server, 443, people_stack(device), rng_chance(r, v6), t_ns);
    tcp_connect(&f);
    struct channel c = {.flow = &f};
    if (rng_chance(r, PEOPLE_RESUME))
        tls_resume(&c, people_tls(device), server.host, "h2");
    else
        tls_handshake(&c, people_tls(device), server.host, server.host, "h2", true);
    channel_noise(&c, TCP_CLIENT, 300 + rng_below(r, 900));
    channel_pause(&c, rng_between(r, 5 * NS_PER_MS, 120 * NS_PER_MS));
    channel_noise(&c, TCP_SERVER, octets);
    channel_pause(&c, rng_between(r, NS_PER_S, 20 * NS_PER_S));
    if (device == PEOPLE_PHONE && rng_chance(r, 0.3))
        channel_reset(&c, TCP_CLIENT);
    else
        channel_close(&c, TCP_CLIENT);
    return f.now_ns;
}
