// What people's mail programs do: submit a message, look into the mailbox, fetch a web page. Used by
// every family in which somebody sits before a screen.
#pragma once

#include "mailbox.h"
#include "smtp.h"

enum people_device { PEOPLE_DESKTOP, PEOPLE_PHONE, PEOPLE_TABLET };

// A mail account as one device uses it.
struct account {
    bool isp; // at the subscriber's own ISP, else at big provider `provider`
    uint32_t provider;
    enum people_device device;
    enum mailbox_protocol protocol;
    bool alternate; // submits on 2525 instead of 587
    bool starttls;  // 587, 143 and 110 with STARTTLS; else 465, 993 and 995
    char user[WORLD_NAME_MAX];
    char password[24];
};

// Draws an account; `smarthost` is the share of them at the ISP, `pop3` of those that use POP3.
void account_draw(struct account *a, struct rng *r, enum people_device device, double smarthost,
                  double pop3, double starttls);

// The server behind one of the account's services.
void account_server(const struct account *a, struct party *p, enum world_service service,
                    struct peer *out);

// One message to `rcpts` recipients, over TLS, with the password. Returns when it was over.
int64_t people_submit(struct party *p, const struct account *a, size_t rcpts, size_t octets,
                      double v6, int64_t t_ns);

// A look into the mailbox; `right`: the password is. Returns when it was over.
int64_t people_poll(struct party *p, const struct account *a, size_t octets, bool right, double v6,
                    int64_t t_ns);

// A page or a push message over HTTPS.
int64_t people_browse(struct party *p, size_t octets, double v6, int64_t t_ns);

const struct tcp_stack *people_stack(enum people_device device);
const struct tls_client *people_tls(enum people_device device);
// The ISP's server `label` ("smtp", "imap", "pop") at `addr`, as a peer.
void isp_peer(const struct run *run, const char *label, const struct ip_addr *addr,
              struct peer *out);
