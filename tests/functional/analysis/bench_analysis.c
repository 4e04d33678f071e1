// How fast and how large analysis is: minute rows of a made-up site go straight into a journal, the journal
// through an engine, and through two as a comparison of rules does it. Figures are printed, none is judged.
//
// The rows are those of the generator's day: 23 active minutes a line and day, half of them reading mail, a
// third surfing, the rest sending; one line in a thousand is a bot for two hours a day.
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "detector.h"
#include "follow.h"
#include "hash.h"
#include "party.h"

#define START_MINUTE (1795305600000LL / 60000) // 2026-11-22T00:00:00Z
#define ACTIVE_A_DAY 23
#define BOT_EVERY    1000
#define BOT_MINUTES  120
#define DIGESTS_MAX  16

struct sums {
    uint64_t rows, bot_rows;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint32_t pick(uint64_t seed, uint32_t n)
{
    return (uint32_t)(hash_mix(seed) % n);
}

static void begin_row(struct minute_row *r, struct minute_digest *d, uint32_t host, int64_t minute)
{
    uint8_t octet[4] = {10, (uint8_t)(host >> 16), (uint8_t)(host >> 8), (uint8_t)host};
    struct ip_addr a = ip_from_v4(octet);
    struct ip_prefix prefix = prefix_of(&a, 32);
    memset(r, 0, sizeof *r);
    r->minute = minute;
    r->cut_ms = (minute + 1) * 60000;
    r->key = subscriber_key_of(&(struct realm){0}, &prefix);
    r->party.kind = PARTY_LINE;
    snprintf(r->party.id, sizeof r->party.id, "%u", host);
    r->confidence = IDENTITY_CERTAIN;
    r->flags = MINUTE_CLOSING | MINUTE_FROM_PACKETS;
    r->observed_s = 60;
    r->digest = d;
}

static void add_flow(struct minute_row *r, unsigned role, uint16_t port, uint32_t provider,
                     unsigned outcome, uint64_t seed)
{
    uint8_t octet[4] = {100, (uint8_t)(64 + provider / 256 % 64), (uint8_t)provider, 25};
    struct minute_digest *d = &r->digest[r->digest_count++];
    uint64_t *c = r->counter[role][MINUTE_OUT];
    *d = (struct minute_digest){.flow_hash = hash_mix(seed),
                                .peer = ip_from_v4(octet),
                                .peer_port = port,
                                .own_port = (uint16_t)(1024 + seed % 60000),
                                .role = (uint8_t)role,
                                .outcome = (uint8_t)outcome,
                                .provider_kind = MINUTE_PROVIDER_NETWORK,
                                .provider = hash_mix(provider),
                                .flags = MINUTE_DIGEST_START | MINUTE_DIGEST_END |
                                         MINUTE_DIGEST_OUTCOME,
                                .start_ms = (int32_t)pick(seed, 50000),
                                .octets_up = 3000,
                                .octets_down = 4000};
    d->end_ms = d->start_ms + 5000;
    d->outcome_ms = d->start_ms + (outcome == MINUTE_OUTCOME_UNANSWERED ? 4000 : 100);
    c[MINUTE_connections]++;
    c[outcome == MINUTE_OUTCOME_UNANSWERED ? MINUTE_unanswered : MINUTE_established]++;
    c[MINUTE_packets_up] += 12;
    c[MINUTE_packets_down] += 12;
    c[MINUTE_octets_up] += d->octets_up;
    c[MINUTE_octets_down] += d->octets_down;
}

static void fill_household(struct minute_row *r, uint64_t seed)
{
    uint32_t kind = pick(seed, 100);
    if (kind < 52) {
        add_flow(r, MINUTE_ACCESS, 993, pick(seed / ACTIVE_A_DAY, 20), MINUTE_OUTCOME_ESTABLISHED,
                 seed);
    } else if (kind < 87) {
        add_flow(r, MINUTE_OTHER, 443, pick(seed, 2000), MINUTE_OUTCOME_ESTABLISHED, seed);
    } else {
        unsigned role = kind < 94 ? MINUTE_SMARTHOST : MINUTE_SUBMISSION;
        uint64_t *c = r->counter[role][MINUTE_OUT];
        add_flow(r, role, 587, 5, MINUTE_OUTCOME_GREETED, seed);
        c[MINUTE_helo]++;
        c[MINUTE_mail]++;
        c[MINUTE_rcpt]++;
        c[MINUTE_rcpt_ok]++;
        c[MINUTE_messages_ok]++;
    }
}

static void put(struct journal_writer *w, struct minute_row *r)
{
    int rc = journal_put_row(w, r);
    if (rc != 0) {
        fprintf(stderr, "bench_analysis: writing a row: %s\n", strerror(-rc));
        exit(1);
    }
    for (unsigned i = 0; i < MINUTE_SET_N; i++)
        distinct_clear(&r->set[i], NULL);
}

static void write_minute(struct journal_writer *w, uint32_t hosts, int64_t minute, struct sums *s)
{
    static struct minute_row r;
    static struct minute_digest digests[DIGESTS_MAX];
    int64_t day = minute / 1440;
    for (uint32_t host = 1; host <= hosts; host++) {
        uint64_t seed = (uint64_t)minute * 16777216 + host;
        bool bot = host % BOT_EVERY == 0 &&
                   (minute - pick((uint64_t)(host + day), 1300)) % 1440 < BOT_MINUTES;
        if (!bot && pick(seed, 1440) >= ACTIVE_A_DAY)
            continue;
        begin_row(&r, digests, host, minute);
        for (uint32_t i = 0; bot && i < 10; i++) {
            bool fails = pick(seed + i, 10) < 3;
            add_flow(&r, MINUTE_MX, 25, pick(seed * 7 + i, 5000),
                     fails ? MINUTE_OUTCOME_UNANSWERED : MINUTE_OUTCOME_ESTABLISHED, seed + i);
        }
        if (!bot)
            fill_household(&r, seed);
        put(w, &r);
        s->rows++;
        s->bot_rows += bot;
    }
}

static struct sums write_journal(const char *folder, uint32_t hosts, unsigned days)
{
    struct journal_options options = {.segment_octets_max = 256 << 20};
    struct journal_writer *w;
    struct sums s = {0};
    int rc = journal_writer_open(folder, &options, &w);
    for (int64_t m = START_MINUTE; rc == 0 && m < START_MINUTE + (int64_t)days * 1440; m++) {
        write_minute(w, hosts, m, &s);
        rc = journal_commit(w, (m + 1) * 60000);
    }
    if (rc == 0)
        rc = journal_writer_close(w);
    if (rc != 0) {
        fprintf(stderr, "bench_analysis: %s: %s\n", folder, strerror(-rc));
        exit(1);
    }
    return s;
}

static void count(const struct verdict *v, void *ctx)
{
    uint64_t *n = ctx;
    *n += v->event == VERDICT_OPENED;
}

static double read_journal(const char *folder, const struct engine_options *options,
                           unsigned engines, uint64_t *opened, struct journal_stats *stats)
{
    struct follow f = {0};
    double begin = seconds();
    *opened = 0;
    for (unsigned i = 0; i < engines; i++)
        f.engine[i] = engine_new(options, count, opened);
    if (!f.engine[0] || follow_open(&f, folder, NULL, NULL) != 0 || follow_take(&f, 0) != 0)
        exit(1);
    *stats = *journal_reader_stats(f.reader);
    follow_close(&f);
    for (unsigned i = 0; i < engines; i++)
        engine_free(f.engine[i]);
    *opened /= engines;
    return seconds() - begin;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

int main(int argc, char **argv)
{
    uint32_t hosts = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 2000;
    unsigned days = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 7;
    char temporary[] = "/tmp/postern-bench-XXXXXX", *folder = argc > 3 ? argv[3] : temporary;
    struct conf_site site;
    struct settings *settings = calloc(1, settings_size());
    const struct conf_section sections[] = {{"site", conf_site_keys, &site},
                                            {"analysis", settings_keys(), settings}};
    if (!settings || (argc > 3 ? mkdir(folder, 0700) != 0 : !mkdtemp(folder)) ||
        conf_load_text("bench", ".", "{}\n", 3, sections, 2, stderr) != 0)
        return 1;
    char hash[33];
    conf_hash(sections, 2, hash);
    struct party_table *t = party_table_new(16, detector_state_size());
    printf("memory: %zu octets an active party\n", party_octets(t));
    party_table_free(t);
    double begin = seconds();
    struct sums s = write_journal(folder, hosts, days);
    printf("journal: %u lines, %u days, %llu active minutes (%llu of bots), made in %.1f s\n",
           hosts, days, (unsigned long long)s.rows, (unsigned long long)s.bot_rows,
           seconds() - begin);
    struct engine_options options = {.settings = settings, .site = &site, .conf_hash = hash};
    for (unsigned engines = 1; engines <= 2; engines++) {
        struct journal_stats stats;
        uint64_t opened;
        double took = read_journal(folder, &options, engines, &opened, &stats);
        printf("%s: %.1f s of one core, %.0f active minutes a second, %llu verdicts opened\n",
               engines == 1 ? "analysis" : "comparison", took, (double)stats.rows / took,
               (unsigned long long)opened);
        if (engines == 1)
            printf(
                "  10 million active minutes would take %.0f s, %.1f octets each in the journal\n",
                took * 1e7 / (double)stats.rows, (double)stats.octets / (double)stats.rows);
        else
            printf("  a week of 20,000 lines would take %.0f s\n",
                   took * 20000 * 7 / ((double)hosts * days));
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("largest: %ld kB\n", usage.ru_maxrss);
    if (argc > 3) // for `postern-analysis --compare` of the same journal
        return 0;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : 1;
}
