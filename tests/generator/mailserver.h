// A subscriber's own mail server: its name, what it sends to other servers and what comes in.
#pragma once

#include "delivery.h"

// Who the party's server is: a domain of its own, by its name.
void mailserver_self(const struct party *p, struct peer *out);

// What deliveries of a kind of sender meet.
struct mail_fate {
    double starttls, v6;
    double unanswered; // share of connections to hosts that do not answer; the next MX does
    double unknown;    // share of recipients that do not exist
    double full;       // share of recipients put off (4xx)
    double greylisted; // share of hosts that greylist, besides those that always do
    double spam;       // share of messages refused at their end
};

// One message of the server: `rcpts` recipients at domain `i`. `sender`: NULL for somebody at home,
// "" for the null sender. Asks for the MX first. Returns when the last try was over.
struct mail_job {
    const struct smtp_client *client;
    const char *sender;
    uint32_t domain;
    size_t rcpts, octets;
    enum smtp_body body;
};
int64_t mailserver_send(struct party *p, const struct peer *self, const struct mail_fate *fate,
                        const struct mail_job *job, int64_t t_ns);

// A prepared message to domain `i`, for those who pass on what they were given.
int64_t mailserver_pass(struct party *p, const struct peer *self, const struct mail_fate *fate,
                        const struct smtp_message *m, uint32_t domain, int64_t t_ns);

// A message from domain `i` (its MX host is the client) to `rcpts` people at home.
int64_t mailserver_receive(struct party *p, const struct peer *self, const struct mail_fate *fate,
                           uint32_t domain, size_t rcpts, size_t octets, int64_t t_ns);

// A stranger at domain `i` tries whether the server relays; it does not.
int64_t mailserver_probed(struct party *p, const struct peer *self, uint32_t domain, int64_t t_ns);

// Fills recipients at domain `i` with the replies of the fate.
void mailserver_recipients(struct rng *r, const struct mail_fate *fate, uint32_t domain,
                           struct smtp_rcpt *out, size_t n);
