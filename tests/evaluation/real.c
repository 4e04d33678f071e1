// Flow facts to flows. See real.h. The rules for what an answer was are those of tests/generator/inject.c, so that
// the same facts count the same when they are played as packets.
#include "real.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/minute.h"
#include "common/verdict.h"
#include "flow_facts.h"
#include "inject_syn.h"
#include "rates.h"

#define MINUTE_MS   60000
#define NS_PER_MS   1000000
#define SYN_WAIT_MS 4000
#define ETHERNET    14
#define PEERS_FROM  200000u // numbers of providers that generated ones do not reach
#define PEERS       4194304u

static uint8_t role_of(uint16_t port)
{
    switch (port) {
    case 25: return MINUTE_MX;
    case 465:
    case 587:
    case 2525: return MINUTE_SUBMISSION;
    case 110:
    case 143:
    case 993:
    case 995: return MINUTE_ACCESS;
    default: return MINUTE_OTHER;
    }
}

// Only port 25 says what its machine is: mail servers' clients are mail servers and bots.
static int expected_of(const struct flow_facts *f)
{
    size_t direct = 0;
    for (size_t i = 0; i < f->count; i++)
        direct += f->item[i].port == 25;
    return direct * 2 > f->count ? VERDICT_SPAMBOT_DIRECT : -1;
}

int real_load_one(const char *path, struct real_bot *out)
{
    struct real_bot b = {.facts = calloc(1, sizeof *b.facts)};
    if (!b.facts)
        exit(EX_OSERR);
    int rc = flow_facts_load(path, b.facts, stderr);
    if (rc == 0 && b.facts->count == 0) {
        fprintf(stderr, "%s:2:1: there is no flow\n", path);
        rc = EX_DATAERR;
    }
    if (rc != 0) {
        real_free_one(&b);
        return rc;
    }
    if (b.facts->repeated > 0)
        fprintf(stderr, "%s: %zu rows say the same as another; each counts once\n", path,
                b.facts->repeated);
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    snprintf(b.name, sizeof b.name, "%.*s", (int)(strlen(name) - strlen(".csv")), name);
    // The name stands in CSV files and in Markdown.
    for (char *c = b.name; *c; c++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._", *c))
            *c = '_';
    }
    b.expected = expected_of(b.facts);
    *out = b;
    return 0;
}

static int is_csv(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 4 && strcmp(e->d_name + n - 4, ".csv") == 0 && e->d_name[0] != '.';
}

int real_load(const char *folder, struct real_bots *out)
{
    struct dirent **entry;
    int n = scandir(folder, &entry, is_csv, alphasort), rc = 0;
    *out = (struct real_bots){0};
    if (n < 0) {
        fprintf(stderr, "evaluate: %s: %s\n", folder, strerror(errno));
        return EX_NOINPUT;
    }
    out->item = calloc((size_t)n + 1, sizeof out->item[0]);
    if (!out->item)
        exit(EX_OSERR);
    for (int i = 0; i < n; i++) {
        char path[4096];
        int length = snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
        if (rc == 0 && (size_t)length < sizeof path)
            rc = real_load_one(path, &out->item[out->count]);
        out->count += rc == 0;
        free(entry[i]);
    }
    free(entry);
    if (rc == 0 && out->count == 0) {
        fprintf(stderr, "evaluate: %s: no file ends in .csv\n", folder);
        rc = EX_NOINPUT;
    }
    if (rc != 0)
        real_free(out);
    return rc;
}

void real_free_one(struct real_bot *b)
{
    if (b->facts)
        flow_facts_free(b->facts);
    free(b->facts);
    b->facts = NULL;
}

void real_free(struct real_bots *b)
{
    for (size_t i = 0; i < b->count; i++)
        real_free_one(&b->item[i]);
    free(b->item);
    *b = (struct real_bots){0};
}

// The peer's network (/24, /48) as the number of a provider, and the rest of its address.
static void who(const struct flow_fact *n, struct flow *f)
{
    size_t network = n->peer.family == IP_V6 ? 6 : 3, length = n->peer.family == IP_V6 ? 16 : 4;
    uint64_t h = 0, host = 0;
    for (size_t i = 0; i < network; i++)
        h = h << 8 | n->peer.octet[i];
    for (size_t i = network; i < length; i++)
        host = host * 257 + n->peer.octet[i];
    f->provider = PEERS_FROM + (uint32_t)(seed_of("peer", h, network) % PEERS);
    f->host = (uint32_t)host;
}

static uint8_t outcome_of(const struct flow_fact *n)
{
    size_t header = n->peer.family == IP_V6 ? 74 : 54;
    if (n->packets_out == 0)
        return MINUTE_OUTCOME_MIDSTREAM;
    if (n->packets_in == 0)
        return MINUTE_OUTCOME_UNANSWERED;
    return inject_is_refused(n, header) ? MINUTE_OUTCOME_REFUSED : MINUTE_OUTCOME_ESTABLISHED;
}

static void fill(const struct flow_fact *n, struct flow *f)
{
    int64_t at_ns[INJECT_SYN_MAX];
    unsigned copies;
    who(n, f);
    f->role = role_of(n->port);
    f->port = n->port;
    f->outcome = outcome_of(n);
    f->answer_ms = 60;
    if (f->outcome == MINUTE_OUTCOME_UNANSWERED) {
        f->answer_ms = SYN_WAIT_MS;
        if (inject_syn_times(n->packets_out, n->duration_ns, at_ns, &copies) == 1)
            f->flags |= FLOW_SCAN;
    }
}

// Facts count frames, rows IP packets.
static uint32_t octets(uint64_t frames, uint32_t packets)
{
    uint64_t heads = (uint64_t)packets * ETHERNET, n = frames > heads ? frames - heads : 0;
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

// A flow is told minute by minute while it lasts, its octets spread evenly.
static void play_one(const struct flow_fact *n, uint32_t id, uint32_t line, int64_t zero_ms,
                     int64_t from_ms, int64_t to_ms, struct flows *out)
{
    int64_t begin_ms = zero_ms + n->start_ns / NS_PER_MS, lasts_ms = n->duration_ns / NS_PER_MS;
    int64_t end_ms = begin_ms + lasts_ms;
    bool spoken = n->packets_out > 0 && n->packets_in > 0;
    if (!spoken || lasts_ms < 2 * MINUTE_MS) {
        if (begin_ms < from_ms || begin_ms >= to_ms)
            return;
        struct flow *f = flow_new(out, line, begin_ms);
        fill(n, f);
        if (f->outcome == MINUTE_OUTCOME_REFUSED && f->answer_ms > lasts_ms)
            f->answer_ms = (int32_t)lasts_ms;
        f->lasts_ms = f->outcome == MINUTE_OUTCOME_UNANSWERED || f->answer_ms > lasts_ms
                          ? f->answer_ms
                          : (int32_t)lasts_ms;
        f->octets_up = octets(n->octets_out, n->packets_out);
        f->octets_down = octets(n->octets_in, n->packets_in);
        return;
    }
    for (int64_t t_ms = begin_ms; t_ms < end_ms; t_ms = (t_ms / MINUTE_MS + 1) * MINUTE_MS) {
        int64_t next_ms = (t_ms / MINUTE_MS + 1) * MINUTE_MS;
        bool last = next_ms >= end_ms;
        double share = (double)((last ? end_ms : next_ms) - t_ms) / (double)lasts_ms;
        if (t_ms < from_ms || t_ms >= to_ms)
            continue;
        struct flow *f = flow_new(out, line, t_ms);
        fill(n, f);
        f->id = id;
        f->begun_ago_ms = (uint32_t)(t_ms - begin_ms);
        f->flags |= (t_ms > begin_ms ? (uint32_t)FLOW_CONTINUES : 0) |
                    (last ? 0 : (uint32_t)FLOW_LASTS);
        f->lasts_ms = (int32_t)((last ? end_ms : next_ms - 1) - t_ms);
        if (f->answer_ms > f->lasts_ms)
            f->answer_ms = f->lasts_ms;
        f->octets_up = (uint32_t)(octets(n->octets_out, n->packets_out) * share);
        f->octets_down = (uint32_t)(octets(n->octets_in, n->packets_in) * share);
    }
}

void real_play(const struct real_bot *b, uint32_t line, int64_t zero_ms, int64_t from_ms,
               int64_t to_ms, struct flows *out)
{
    for (size_t i = 0; i < b->facts->count; i++)
        play_one(&b->facts->item[i], line * 31u + (uint32_t)i + 1, line, zero_ms, from_ms, to_ms,
                 out);
}
