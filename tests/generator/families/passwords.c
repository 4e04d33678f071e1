// Innocents who fail or repeat logins: a phone with an old password, a password manager that tries all
// it has, a mail migration; and a mail program that looks for its servers.
#include <stdio.h>

#include "families/registry.h"
#include "people.h"
#include "schedule.h"

struct login_habit {
    struct family_common common;
    int64_t every_ms, logins, over_ms;
};

static const struct conf_key stale_keys[] = {
    FAMILY_KEYS(login_habit),
    FAMILY_TIME(login_habit, "every", every_ms, 1000, 86400000, "5m", "between tries"), FAMILY_END};

// One user, one server, always the same wrong password.
static void play_stale(struct party *p, const void *habits)
{
    const struct login_habit *b = habits;
    struct account a;
    account_draw(&a, &p->rng, PEOPLE_PHONE, 0.5, 0, 0.2);
    for (int64_t t = p->from_ns + rng_between(&p->rng, 0, b->every_ms * NS_PER_MS); t < p->until_ns;
         t += b->every_ms * NS_PER_MS + rng_between(&p->rng, 0, 2 * NS_PER_S))
        people_poll(p, &a, 0, false, 0.3, t);
}

static const struct conf_key manager_keys[] = {
    FAMILY_KEYS(login_habit),
    FAMILY_INT(login_habit, "tries", logins, 2, 50, "6", "passwords tried, the last is right"),
    FAMILY_END};

static void play_manager(struct party *p, const void *habits)
{
    const struct login_habit *b = habits;
    struct account a;
    account_draw(&a, &p->rng, PEOPLE_DESKTOP, 0.3, 0, 0.3);
    int64_t t = p->from_ns + rng_between(&p->rng, 0, NS_PER_S);
    for (int64_t i = 1; i <= b->logins; i++)
        t = people_poll(p, &a, 0, i == b->logins, 0.3, t) +
            rng_between(&p->rng, NS_PER_S, 4 * NS_PER_S);
}

static const struct conf_key migration_keys[] = {
    FAMILY_KEYS(login_habit),
    FAMILY_INT(login_habit, "logins", logins, 1, 100000, "500", "mailboxes copied"),
    FAMILY_TIME(login_habit, "over", over_ms, 1000, 86400000, "1h", "in so much time"), FAMILY_END};

static void play_migration(struct party *p, const void *habits)
{
    const struct login_habit *b = habits;
    struct account a;
    account_draw(&a, &p->rng, PEOPLE_TABLET, 0, 0, 0);
    for (int64_t i = 0; i < b->logins; i++) {
        int64_t t = p->from_ns + b->over_ms * NS_PER_MS / b->logins * i +
                    rng_between(&p->rng, 0, NS_PER_S);
        world_person((uint32_t)i * 31, a.user); // another mailbox each time, the same server
        if (t < p->until_ns)
            people_poll(p, &a, 1500, true, 0, t);
    }
}

static const struct conf_key discovery_keys[] = {FAMILY_KEYS(login_habit), FAMILY_END};

// Tries the usual names and ports one after the other until one answers.
static void play_discovery(struct party *p, const void *habits)
{
    (void)habits;
    static const uint16_t ports[] = {443, 993, 995, 143, 110, 465, 587, 25};
    struct rng *r = &p->rng;
    struct peer host;
    world_mx(p->run->seed, WORLD_PROVIDERS + rng_below(r, 4000), 0, &host);
    int64_t t = p->from_ns + rng_between(r, 0, NS_PER_S);
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
        struct tcp_flow f;
        host.v4.octet[3] = (uint8_t)(host.v4.octet[3] % 200 + 20 +
                                     i % 3); // autodiscover., imap., smtp.
        tcp_begin(&f, p, TCP_CLIENT, &host, ports[i], &tcp_apple, false, t);
        if (i % 3 == 0)
            tcp_unanswered(&f);
        else
            tcp_refused(&f);
        t += rng_between(r, 100 * NS_PER_MS, 900 * NS_PER_MS);
    }
    struct account a;
    account_draw(&a, r, PEOPLE_PHONE, 1, 0, 0);
    t = people_poll(p, &a, 4000, true, 0.3, t + NS_PER_S);
    people_submit(p, &a, 1, 900, 0.3, t + NS_PER_S);
}

struct club {
    struct family_common common;
    double per_day;
    int64_t recipients;
};

static const struct conf_key club_keys[] = {
    FAMILY_KEYS(club), FAMILY_REAL(club, "per_day", per_day, 0, 100, "2", "letters a day"),
    FAMILY_INT(club, "recipients", recipients, 1, 100, "70", "members, all in Bcc"), FAMILY_END};

static void play_club(struct party *p, const void *habits)
{
    const struct club *b = habits;
    struct account a;
    account_draw(&a, &p->rng, PEOPLE_DESKTOP, 1, 0, 1);
    struct schedule s = schedule_of(p, b->per_day, DAY_HOME);
    while (schedule_next(&s))
        people_submit(p, &a, (size_t)b->recipients, 9000, 0.3, s.t_ns);
}

struct school {
    struct family_common common;
    int64_t users;
    double submissions, polls, web;
};

static const struct conf_key school_keys[] = {
    FAMILY_KEYS(school),
    FAMILY_INT(school, "users", users, 1, 5000, "120", "people behind the one address"),
    FAMILY_REAL(school, "submissions", submissions, 0, 1000, "1.5", "messages a day each"),
    FAMILY_REAL(school, "polls", polls, 0, 1000, "3", "mailbox sessions a day each"),
    FAMILY_REAL(school, "web", web, 0, 1000, "1", "HTTPS conversations a day each"),
    FAMILY_END};

static void play_school(struct party *p, const void *habits)
{
    const struct school *b = habits;
    struct rng *r = &p->rng;
    for (int64_t i = 0; i < b->users; i++) {
        struct account a;
        account_draw(&a, r, (enum people_device)rng_below(r, 3), 0.15, 0.05, 0.4);
        // A few have never changed the password their phone still sends.
        bool right = i % 40 != 7;
        struct schedule s = schedule_of(p, right ? b->submissions : 0, DAY_OFFICE);
        while (schedule_next(&s))
            people_submit(p, &a, 1 + (size_t)rng_exp(r, 1), (size_t)rng_lognormal(r, 2000, 2), 0.5,
                          s.t_ns);
        s = schedule_of(p, b->polls, DAY_OFFICE);
        while (schedule_next(&s))
            people_poll(p, &a, rng_chance(r, 0.4) ? 2000 : 0, right, 0.5, s.t_ns);
        s = schedule_of(p, b->web, DAY_OFFICE);
        while (schedule_next(&s))
            people_browse(p, (size_t)rng_lognormal(r, 5000, 2), 0.5, s.t_ns);
    }
}

#define LOGIN(id, words, at, k, type, f)                            \
    const struct family family_##id = {.name = #id,                 \
                                       .help = words,               \
                                       .place = at,                 \
                                       .keys = k,                   \
                                       .size = sizeof(struct type), \
                                       .play = f}
LOGIN(stale_password, "a phone with an old password: one user, one server, many failures",
      FAMILY_HOME, stale_keys, login_habit, play_stale);
LOGIN(password_manager, "a password manager that tries all it has, then gets in", FAMILY_HOME,
      manager_keys, login_habit, play_manager);
LOGIN(mail_migration, "a migration: 500 logins in an hour, all right", FAMILY_BUSINESS,
      migration_keys, login_habit, play_migration);
LOGIN(autodiscovery, "a mail program that looks for its servers on all usual ports", FAMILY_HOME,
      discovery_keys, login_habit, play_discovery);
LOGIN(bcc_club, "a club secretary: 70 members in Bcc, over TLS", FAMILY_HOME, club_keys, club,
      play_club);
LOGIN(school, "a school or office: 120 people behind one address", FAMILY_BUSINESS, school_keys,
      school, play_school);
