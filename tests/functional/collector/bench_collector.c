// How many records a second one core takes, what an active subscriber costs in memory, and what a row costs in
// the journal: bench_collector [SUBSCRIBERS [MINUTES]]. Households: mostly web flows, some mail over TLS with
// four hashes each, a bot in ten thousand. Not a test: it prints, it does not judge.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "collector.h"

#define T0 INT64_C(1795326720000)

static uint64_t state = 1;

static uint64_t next(void)
{
    uint64_t n = state += 0x9e3779b97f4a7c15u;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9u;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
    return n ^ (n >> 31);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct ip_addr address(uint8_t first, uint64_t n)
{
    uint8_t o[4] = {first, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    return ip_from_v4(o);
}

static void make_flow(struct record *r, unsigned subscriber, int64_t t_ms)
{
    bool bot = subscriber % 10000 == 17, mail = bot || next() % 8 == 0;
    struct record_flow *f = &r->flow;
    memset(r, 0, sizeof *r);
    r->version = RECORD_VERSION;
    r->kind = RECORD_FLOW;
    f->flow_hash = next();
    f->ip_proto = 6;
    f->initiator = address(10, subscriber);
    // A household's web goes to a few dozen places; a bot's mail everywhere.
    f->responder = address(bot ? 198 : 203, bot ? next() : next() % 4000 * 64 + subscriber % 40);
    f->initiator_port = (uint16_t)(1024 + next() % 60000);
    f->responder_port = bot ? 25 : mail ? (next() % 2 ? 993 : 587) : 443;
    f->side = RECORD_SIDE_INITIATOR;
    f->flags = RECORD_START | RECORD_END | RECORD_OUTCOME;
    f->handshake = bot ? RECORD_HANDSHAKE_UNANSWERED : RECORD_HANDSHAKE_ESTABLISHED;
    f->app = RECORD_APP_TLS;
    f->sampling = 1;
    f->start_ms = f->flow_start_ms = t_ms;
    f->end_ms = f->outcome_ms = t_ms;
    f->packets[0] = next() % 100 + 1;
    f->packets[1] = next() % 200;
    f->octets[0] = f->packets[0] * (40 + next() % 200);
    f->octets[1] = f->packets[1] * (40 + next() % 1400);
    f->ttl_min = f->ttl_max = 63;
    if (!mail || bot)
        return;
    f->groups = RECORD_HAS_TLS | RECORD_HAS_SMTP;
    f->tls.alert = 255;
    f->tls.handshake_done = true;
    f->tls.version = 0x304;
    f->tls.application_octets[0] = 4000;
    snprintf(f->tls.ja4, sizeof f->tls.ja4, "t13d1516h2_8daaf6152771_b186095e22b6");
    snprintf(f->tls.sni_domain, sizeof f->tls.sni_domain, "mail%u.example", (unsigned)(next() % 9));
    f->smtp.banner_code = 220;
    f->smtp.helo = 1;
    f->hash_count = 4;
    for (uint8_t i = 0; i < 4; i++)
        f->hash[i] = (struct keyed_hash){(uint8_t)(KEYED_HASH_RECIPIENT + i), 1, next()};
}

static struct record coverage(int64_t t_ms)
{
    struct record r = {.version = RECORD_VERSION, .kind = RECORD_COVERAGE};
    r.coverage = (struct coverage){.t_ms = t_ms, .sampling = 1, .sensor = "bench", .packets = 1000};
    return r;
}

static void give(struct collector *c, struct record *r, uint64_t *sequence)
{
    r->id = (struct record_id){1, 1, ++*sequence};
    if (collector_take(c, r) < 0)
        abort();
}

int main(int argc, char **argv)
{
    unsigned subscribers = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
    unsigned minutes = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5;
    struct collector_conf conf;
    struct conf_site site;
    struct conf_section sections[] = {{"site", conf_site_keys, &site},
                                      {"collector", collector_conf_keys, &conf}};
    char dir[] = "/tmp/bench_collector.XXXXXX";
    struct collector *c;
    if (!mkdtemp(dir) || conf_load(NULL, sections, 2, stderr) < 0 ||
        collector_open(&conf, &site, dir, NULL, stderr, &c) < 0)
        return 1;
    uint64_t sequence = 0, records = 0;
    double making = 0, taking = 0, closing = 0;
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd, peak = 0;
    static struct record batch[4096];
    for (unsigned m = 0; m < minutes; m++) {
        for (unsigned s = 0; s < 60; s++) {
            unsigned left = subscribers / 60 * 3 / 2; // each has nine flows in six minutes
            int64_t t = T0 + m * 60000 + s * 1000;
            while (left > 0) {
                unsigned n = left < 4096 ? left : 4096;
                double a = seconds();
                for (unsigned i = 0; i < n; i++)
                    make_flow(&batch[i], (unsigned)(next() % subscribers), t + i % 1000);
                double b = seconds();
                for (unsigned i = 0; i < n; i++)
                    give(c, &batch[i], &sequence);
                making += b - a;
                taking += seconds() - b;
                records += n;
                left -= n;
            }
            if (s == 59) {
                size_t now = mallinfo2().uordblks + mallinfo2().hblkhd;
                peak = now > peak ? now : peak;
            }
            struct record r = coverage(t + 1000);
            double a = seconds();
            give(c, &r, &sequence);
            closing += seconds() - a;
        }
    }
    collector_finish(c);
    struct control_status *s = control_status_new("bench");
    collector_status(c, true, s);
    json_t *doc = control_status_json(s), *counters = json_object_get(doc, "counters");
    double rows = (double)json_integer_value(json_object_get(counters, "rows"));
    double seen = (double)json_integer_value(json_object_get(counters, "subscribers"));
    collector_close(c);
    struct journal_reader *r;
    const struct journal_entry *e;
    double a = seconds();
    if (journal_reader_open(dir, NULL, NULL, &r) < 0)
        return 1;
    while (journal_next(r, &e) == 1)
        ;
    double reading = seconds() - a;
    double octets = (double)journal_reader_stats(r)->octets;
    printf("%llu records of %.0f subscribers in %u minutes, struct record %zu octets\n",
           (unsigned long long)records, seen, minutes, sizeof(struct record));
    printf("taken       %8.0f records/s, closing of minutes included\n",
           (double)records / (taking + closing));
    printf("            %8.0f records/s without\n", (double)records / taking);
    printf("memory      %8.0f octets a subscriber in the table, at most\n",
           (double)(peak - before) / seen);
    printf("journal     %8.1f octets a row, %.0f rows, %.0f rows/s read back\n", octets / rows,
           rows, rows / reading);
    journal_reader_close(r);
    json_decref(doc);
    control_status_free(s);
    printf("left in %s\n", dir);
    return 0;
}
