// The lines of a made-up site and what they do on a day: innocents by kind, guilty by class.
#pragma once

#include "events.h"
#include "flow.h"
#include "real.h"

// X(name, lines in a million of a site, is a household, text). practice.md names the kinds; how frequent they are is
// assumed and printed with the results.
#define INNOCENTS(X)                                                                        \
    X(household, 960000, true, "mail programs and webmail")                                 \
    X(stale_phone, 5000, true, "a telephone with an old password")                          \
    X(device_retry, 5000, true, "DVR, NAS or printer that tries one dead host for ever")    \
    X(bcc_club, 3000, true, "a club's secretary, 150 recipients at most")                   \
    X(office, 5000, true, "school or office behind one address")                            \
    X(vpn, 8000, true, "VPN for hours to a hosting network")                                \
    X(monitor, 500, true, "a probe that greets a few mail servers")                         \
    X(zmap, 100, true, "a student who scans port 25")                                       \
    X(migration, 400, true, "mailboxes move: 500 logins")                                   \
    X(password_manager, 500, true, "the wrong password at several providers")               \
    X(autodiscovery, 500, true, "a client that guesses where its servers are")              \
    X(mail_server, 8000, false, "small business mail server, known for days")               \
    X(new_server, 300, false, "the same on its first days")                                 \
    X(newsletter, 500, false, "a mail server with a newsletter")                            \
    X(stale_list, 200, false, "a newsletter to a stale list")                               \
    X(forwarder, 1000, false, "a mail server that forwards")                                \
    X(mailing_list, 500, false, "a mail server with mailing lists")                         \
    X(callouts, 500, false, "a mail server that verifies senders")                          \
    X(dead_queue, 1000, false, "a mail server with a queue for dead destinations")          \
    X(phones, 10000, true, "several telephones: short TLS sessions in series")              \
    X(client25, 2000, true, "a mail program that still submits on port 25 elsewhere")       \
    X(direct_device, 1500, true, "printer, NAS or alarm panel that mails on its own")       \
    X(hobby_server, 300, true, "a mail server at home")                                     \
    X(resolver, 500, true, "unbound or rspamd at home: MX queries of its own")              \
    X(tor_exit, 20, true, "an exit node: strangers' submission, IMAP and web")              \
    X(reconnects, 3000, true, "a line that dials in anew every few hours")                  \
    X(hybrid_exchange, 500, false, "a mail server whose other half is with a provider")     \
    X(greylisted, 300, false, "a mail server that is put off everywhere")                   \
    X(dead_smarthost, 300, false, "a mail server whose provider's smarthost is gone")       \
    X(school, 200, true, "a school: hundreds log in at eight")                              \
    X(told_of_bot, 0, true, "told of a neighbour's bot while the start of a lease is lost") \
    X(cgnat, 0, true, "dozens of households behind one address, the port not known")        \
    X(unleased, 0, true, "an address while it changes hands")

// X(name, text, verdict class expected)
#define GUILTIES(X)                                                                          \
    X(fast_plain, "bot, 10 a minute and more, plain", VERDICT_SPAMBOT_DIRECT)                \
    X(fast_tls, "the same through STARTTLS", VERDICT_SPAMBOT_DIRECT)                         \
    X(fast_blocked, "fast and plain, into a block that is declared", VERDICT_SPAMBOT_DIRECT) \
    X(slow_plain, "bot, 10 an hour, plain", VERDICT_SPAMBOT_DIRECT)                          \
    X(slow_tls, "the same through STARTTLS", VERDICT_SPAMBOT_DIRECT)                         \
    X(slow_blocked, "slow and plain, into a block that is declared", VERDICT_SPAMBOT_DIRECT) \
    X(crafty, "bot below our thresholds, half TLS", VERDICT_SPAMBOT_DIRECT)                  \
    X(smarthost, "bot through the smarthost", VERDICT_SPAMBOT_SMARTHOST)                     \
    X(account, "stolen account, seen in the mail log", VERDICT_COMPROMISED_ACCOUNT)          \
    X(socks, "SOCKS relay for mail", VERDICT_SOCKS_RELAY)                                    \
    X(backconnect, "proxy that dials out", VERDICT_PROXY_ABUSE)                              \
    X(guesser, "password guesser, replies readable", VERDICT_AUTH_GUESSING)                  \
    X(guesser_tls, "password guesser through TLS", VERDICT_AUTH_GUESSING)                    \
    X(backscatter, "backscatterer", VERDICT_BACKSCATTER)                                     \
    X(harvester, "harvester of addresses", VERDICT_HARVESTER)                                \
    X(open_relay, "open relay", VERDICT_OPEN_RELAY)                                          \
    X(real, "flow facts of a real machine, no block declared", -1)                           \
    X(real_blocked, "the same on a site that declares its block of port 25", -1)

enum kind {
#define X(name, ...) KIND_##name,
    INNOCENTS(X) GUILTIES(X)
#undef X
        KIND_N
};
#define KIND_GUILTY KIND_fast_plain

// Lines that stand for nobody who has a contract: their days are not counted.
#define KIND_IS_NOBODY(kind) ((kind) == KIND_unleased)

const char *kind_name(unsigned kind);
const char *kind_text(unsigned kind);
int kind_expected(unsigned kind);       // verdict class; -1: innocent
unsigned kind_frequency(unsigned kind); // lines in a million
bool kind_is_household(unsigned kind);
bool kind_is_blocked(unsigned kind); // lives on a site that blocks port 25

struct line {
    uint32_t index;
    uint8_t kind;
    bool past; // guilty: was a household before
    uint64_t seed;
    uint16_t real;          // which of the real bots, of a line that is one
    int64_t from_ms, to_ms; // guilty: the attack; from the first flow on
    double r[8];            // what the line drew for its kind
    uint8_t family;         // of bots that share a TLS client (client.h); 0: none
};

struct people {
    const struct rates *rates;
    const struct real_bots *real;
    struct flows *out;
    struct events events; // of the day
    bool blocked;         // the site drops port 25 of households, behind the tap
};

// A line of that kind. `begin_ms`: when its days begin to count; `hours`: within which an attack begins.
struct line line_make(const struct people *p, uint8_t kind, uint32_t index, uint64_t seed,
                      int64_t begin_ms, int64_t end_ms);

// Appends what the line does on the day that begins at `day_ms`.
void line_day(const struct people *p, const struct line *l, int64_t day_ms);

// For the files of behaviours.
struct mail_spec { // a session with somebody's MX
    double dead, refused, turned_away, unknown, greylist, tls, tls_empty, listed;
    uint32_t quirks;
    uint16_t recipients;
};
struct flow *mail_session(const struct people *p, const struct line *l, struct rng *r, int64_t t_ms,
                          uint32_t provider, const struct mail_spec *s);
int64_t human_time(struct rng *r, int64_t day_ms); // in a day, as people are awake
void innocent_day(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r);
void household_day(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r);
// Those that stand in odd.c.
void odd_day(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r);
// When a line of its kind is told of a neighbour's bot on the day that begins at `day_ms`. False: not at all.
bool odd_told(const struct people *p, const struct line *l, int64_t day_ms, int64_t *from_ms,
              int64_t *to_ms);
struct flow *client_session(const struct people *p, const struct line *l, struct rng *r,
                            int64_t t_ms, uint8_t role, uint32_t provider);
struct mail_spec clean_list(const struct people *p, struct rng *r);
void takes_mail(const struct people *p, const struct line *l, struct rng *r, int64_t t_ms);
// What many do at once (together.c).
void together_home(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r);
void together_server(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r);
void together_school(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r);
uint32_t home_account(const struct line *l, uint32_t i); // its mail provider
// A fast bot of that line's draw, from one time to another.
void guilty_minutes(const struct people *p, const struct line *l, int64_t from_ms, int64_t to_ms,
                    struct rng *r);
void guilty_day(const struct people *p, const struct line *l, int64_t day_ms, struct rng *r);
