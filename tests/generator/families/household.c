// Households: a desktop and phones with mail accounts at the ISP and at the big providers, nearly all
// of it TLS, and a little web and DNS around it.
#include "dns.h"
#include "families/registry.h"
#include "people.h"
#include "schedule.h"

enum { ACCOUNTS_MAX = 16 };

struct household {
    struct family_common common;
    int64_t desktops, phones;
    double submissions, desktop_polls, phone_polls, web, dns;
    double smarthost, pop3, starttls, v6, mx_queries;
    int64_t letter, news;
};

static const struct conf_key keys[] = {
    FAMILY_KEYS(household),
    FAMILY_INT(household, "desktops", desktops, 0, 8, "1", "computers with a mail program"),
    FAMILY_INT(household, "phones", phones, 0, 8, "2", "phones and tablets"),
    FAMILY_REAL(household, "submissions", submissions, 0, 10000, "1.3",
                "messages sent a day and device"),
    FAMILY_REAL(household, "desktop_polls", desktop_polls, 0, 10000, "3",
                "mailbox sessions a day and desktop"),
    FAMILY_REAL(household, "phone_polls", phone_polls, 0, 10000, "5",
                "mailbox sessions a day and phone"),
    FAMILY_REAL(household, "web", web, 0, 10000, "2", "HTTPS conversations a day"),
    FAMILY_REAL(household, "dns", dns, 0, 100000, "6", "DNS queries a day besides those of mail"),
    FAMILY_SHARE(household, "smarthost", smarthost, "0.4", "share of accounts at the ISP"),
    FAMILY_SHARE(household, "pop3", pop3, "0.12", "share of desktops that use POP3"),
    FAMILY_SHARE(household, "starttls", starttls, "0.45",
                 "share of accounts on 587/143/110 with STARTTLS"),
    FAMILY_SHARE(household, "v6", v6, "0.6", "share of conversations over IPv6 where both can"),
    FAMILY_REAL(household, "mx_queries", mx_queries, 0, 1000, "0.02",
                "MX queries a day (a spam filter, a curious user)"),
    FAMILY_INT(household, "letter_octets", letter, 200, 5000000, "1800",
               "median size of a message"),
    FAMILY_INT(household, "news_octets", news, 0, 5000000, "1500",
               "median size of what a poll fetches"),
    FAMILY_END,
};

static void device(struct party *p, const struct household *h, const struct account *a)
{
    struct rng *r = &p->rng;
    bool phone = a->device != PEOPLE_DESKTOP;
    struct schedule s = schedule_of(p, h->submissions, DAY_HOME);
    while (schedule_next(&s)) {
        size_t rcpts = 1 + (size_t)rng_exp(r, 0.6);
        people_submit(p, a, rcpts, (size_t)rng_lognormal(r, (double)h->letter, 2.2), h->v6, s.t_ns);
    }
    s = schedule_of(p, phone ? h->phone_polls : h->desktop_polls, DAY_HOME);
    while (schedule_next(&s)) {
        size_t news = rng_chance(r, 0.4) ? (size_t)rng_lognormal(r, (double)h->news, 2.2) : 0;
        int64_t end = people_poll(p, a, news, true, h->v6, s.t_ns);
        // Phones look into several folders in a row, each in a short session.
        for (int i = 0; phone && i < 3 && rng_chance(r, 0.25); i++)
            end = people_poll(p, a, 0, true, h->v6,
                              end + rng_between(r, 200 * NS_PER_MS, 3 * NS_PER_S));
    }
}

static void around(struct party *p, const struct household *h)
{
    struct rng *r = &p->rng;
    struct peer site;
    struct schedule s = schedule_of(p, h->web, DAY_HOME);
    while (schedule_next(&s))
        people_browse(p, (size_t)rng_lognormal(r, 3000, 2), h->v6, s.t_ns);
    s = schedule_of(p, h->dns, DAY_HOME);
    while (schedule_next(&s)) {
        world_site(p->run->seed, rng_zipf(r, 3000), &site);
        bool v6 = site.v6.family == IP_V6 && rng_chance(r, 0.4);
        dns_lookup(p, s.t_ns, NULL, site.host, v6 ? DNS_AAAA : DNS_A, v6 ? &site.v6 : &site.v4,
                   NULL);
    }
    s = schedule_of(p, h->mx_queries, DAY_HOME);
    while (schedule_next(&s)) {
        world_mx(p->run->seed, rng_zipf(r, WORLD_DOMAINS), 0, &site);
        dns_lookup(p, s.t_ns, NULL, site.domain, DNS_MX, NULL, site.host);
    }
}

static void play(struct party *p, const void *habits)
{
    const struct household *h = habits;
    for (int64_t i = 0; i < h->desktops + h->phones && i < ACCOUNTS_MAX; i++) {
        struct account a;
        enum people_device kind = i < h->desktops             ? PEOPLE_DESKTOP
                                  : rng_chance(&p->rng, 0.45) ? PEOPLE_PHONE
                                                              : PEOPLE_TABLET;
        account_draw(&a, &p->rng, kind, h->smarthost, h->pop3, h->starttls);
        device(p, h, &a);
    }
    around(p, h);
}

const struct family family_household = {.name = "household",
                                        .help = "a home: mail by TLS, phones, a little web and DNS",
                                        .place = FAMILY_HOME,
                                        .keys = keys,
                                        .size = sizeof(struct household),
                                        .play = play};
