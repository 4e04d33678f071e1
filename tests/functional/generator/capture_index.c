// Two hash tables with chains: addresses and conversations.
#include "capture_index.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUCKETS = 1 << 16 };

struct address {
    struct address *next;
    struct ip_addr addr;
    struct subscriber seen;
};

struct flow {
    struct flow *next;
    struct ip_addr client, server;
    uint16_t client_port, server_port;
    uint32_t isn;
    struct smtp_reader *reader; // of flows to mail ports
};

struct capture_index {
    struct address *address[BUCKETS];
    struct flow *flow[BUCKETS];
};

static void *must(void *memory)
{
    if (!memory) {
        fputs("check_capture: out of memory\n", stderr);
        exit(71);
    }
    return memory;
}

struct capture_index *capture_index_new(void)
{
    return must(calloc(1, sizeof(struct capture_index)));
}

void capture_index_free(struct capture_index *x)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct address *a = x->address[i], *next; a; a = next) {
            next = a->next;
            free(a);
        }
        for (struct flow *f = x->flow[i], *next; f; f = next) {
            next = f->next;
            free(f->reader);
            free(f);
        }
    }
    free(x);
}

static uint32_t hash(const struct ip_addr *a, uint32_t h)
{
    for (size_t i = 0; i < sizeof a->octet; i++)
        h = (h ^ a->octet[i]) * 16777619u;
    return h;
}

static struct subscriber *find(struct capture_index *x, const struct ip_addr *a)
{
    struct address **at = &x->address[hash(a, 2166136261u) % BUCKETS];
    for (struct address *i = *at; i; i = i->next)
        if (ip_equal(&i->addr, a))
            return &i->seen;
    struct address *made = must(calloc(1, sizeof *made));
    made->addr = *a;
    made->next = *at;
    *at = made;
    return &made->seen;
}

// The latest conversation between the two; the order of the ends does not matter to the bucket.
static struct flow **bucket(struct capture_index *x, const struct packet *p)
{
    uint32_t a = hash(&p->src, 2166136261u) + p->src_port,
             b = hash(&p->dst, 2166136261u) + p->dst_port;
    return &x->flow[(a ^ b) % BUCKETS];
}

static bool is_between(const struct flow *f, const struct packet *p, bool from_client)
{
    const struct ip_addr *client = from_client ? &p->src : &p->dst;
    const struct ip_addr *server = from_client ? &p->dst : &p->src;
    return f->client_port == (from_client ? p->src_port : p->dst_port) &&
           f->server_port == (from_client ? p->dst_port : p->src_port) &&
           ip_equal(&f->client, client) && ip_equal(&f->server, server);
}

static bool is_mail_port(uint16_t port)
{
    return port == 25 || port == 587 || port == 2525;
}

static void begin_flow(struct capture_index *x, const struct packet *p)
{
    struct flow **at = bucket(x, p);
    for (struct flow *f = *at; f; f = f->next)
        if (is_between(f, p, true) && f->isn == p->seq)
            return; // the SYN again
    struct flow *f = must(calloc(1, sizeof *f));
    *f = (struct flow){.next = *at,
                       .client = p->src,
                       .server = p->dst,
                       .client_port = p->src_port,
                       .server_port = p->dst_port,
                       .isn = p->seq};
    if (is_mail_port(p->dst_port))
        f->reader = must(calloc(1, sizeof *f->reader));
    *at = f;
    find(x, &p->src)->flows++;
    find(x, &p->dst)->flows++;
}

static void read_data(struct capture_index *x, const struct packet *p)
{
    for (struct flow *f = *bucket(x, p); f; f = f->next) {
        bool from_client = is_between(f, p, true);
        if (!from_client && !is_between(f, p, false))
            continue;
        if (!f->reader)
            return;
        struct smtp_seen now = {0};
        smtp_read(f->reader, !from_client, p->data, &now);
        const struct ip_addr *end[2] = {&f->client, &f->server};
        for (int i = 0; i < 2; i++) {
            struct smtp_seen *s = &find(x, end[i])->smtp[i];
            s->mail += now.mail;
            s->null_sender += now.null_sender;
            s->rcpt += now.rcpt;
            s->data += now.data;
            s->bdat += now.bdat;
            s->auth += now.auth;
            s->starttls += now.starttls;
            s->probes += now.probes;
        }
        return;
    }
}

void capture_index_add(struct capture_index *x, const struct packet *p)
{
    enum { TCP = 6, SYN = 2, ACK = 16 };
    const struct ip_addr *end[2] = {&p->src, &p->dst};
    for (int i = 0; i < 2; i++) {
        struct subscriber *s = find(x, end[i]);
        s->packets++;
        s->octets += p->wire_len;
    }
    if (p->protocol != TCP)
        return;
    if ((p->flags & (SYN | ACK)) == SYN)
        begin_flow(x, p);
    else if (p->data.len > 0)
        read_data(x, p);
}

void capture_index_take(struct capture_index *x, const struct ip_addr *a, struct subscriber *sum)
{
    const struct subscriber *s = find(x, a);
    sum->packets += s->packets;
    sum->octets += s->octets;
    sum->flows += s->flows;
    for (int i = 0; i < 2; i++) {
        sum->smtp[i].mail += s->smtp[i].mail;
        sum->smtp[i].null_sender += s->smtp[i].null_sender;
        sum->smtp[i].rcpt += s->smtp[i].rcpt;
        sum->smtp[i].data += s->smtp[i].data;
        sum->smtp[i].bdat += s->smtp[i].bdat;
        sum->smtp[i].auth += s->smtp[i].auth;
        sum->smtp[i].starttls += s->smtp[i].starttls;
        sum->smtp[i].probes += s->smtp[i].probes;
    }
}
