// postern-generate: the traffic generator. Reads a scenario, plays its parties one after the other into
// the spool, writes the capture in the order of time, and the truth beside it.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

#include "capture.h"
#include "common/timefmt.h"
#include "families/registry.h"
#include "list.h"
#include "options.h"
#include "roster.h"
#include "site_config.h"
#include "spool.h"
#include "truth.h"

enum { PROGRESS_S = 2 };

struct generate {
    const struct options *o;
    struct scenario scenario;
    struct inject inject[OPTIONS_INJECT_MAX];
    size_t injects;
    struct run run;
    struct roster roster;
};

// Set by a timer each two seconds: packets know nothing of the machine's clock.
static volatile sig_atomic_t progress_due;

static void on_alarm(int number)
{
    (void)number;
    progress_due = 1;
}

static void progress_begin(void)
{
    const struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    const struct itimerval every = {.it_interval = {.tv_sec = PROGRESS_S},
                                    .it_value = {.tv_sec = PROGRESS_S}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

static void progress(const struct generate *g, const char *what, size_t done, size_t all)
{
    if (!progress_due)
        return;
    progress_due = 0;
    fprintf(stderr, "postern-generate: %s %zu of %zu, %llu packets\n", what, done, all,
            (unsigned long long)g->run.packets);
}

static int settle_time(struct generate *g)
{
    const struct options *o = g->o;
    struct run *run = &g->run;
    int64_t start_ms;
    if (o->start) {
        if (time_parse(o->start, &start_ms) < 0 || start_ms < 0) {
            fprintf(stderr, "postern-generate: --start %s: write it like 2026-03-02T00:00:00Z\n",
                    o->start);
            return EX_USAGE;
        }
        int64_t length = run->end_ns - run->start_ns;
        run->start_ns = start_ms * NS_PER_MS;
        run->end_ns = run->start_ns + length;
    }
    if (o->lasts_ms > 0) {
        run->end_ns = run->start_ns + o->lasts_ms * NS_PER_MS;
    } else if (!o->scenario) { // as long as what is injected
        int64_t end = 0;
        for (size_t i = 0; i < g->injects; i++)
            end = inject_end_ns(&g->inject[i]) > end ? inject_end_ns(&g->inject[i]) : end;
        run->end_ns = run->start_ns + end + NS_PER_S;
    }
    // Classic pcap counts seconds in 32 bits.
    if (run->end_ns / NS_PER_S > UINT32_MAX) {
        fputs("postern-generate: the capture would end after the year 2106\n", stderr);
        return EX_USAGE;
    }
    return 0;
}

static int set_wrap(struct generate *g)
{
    for (int i = 0; g->o->wrap && wrap_names[i]; i++)
        if (strcmp(wrap_names[i], g->o->wrap) == 0) {
            g->scenario.mirror.wrap = i;
            return 0;
        }
    if (!g->o->wrap)
        return 0;
    fprintf(stderr, "postern-generate: --wrap %s: use none, vlan, qinq, qinq+pppoe or mpls\n",
            g->o->wrap);
    return EX_USAGE;
}

static int prepare(struct generate *g)
{
    const struct options *o = g->o;
    int rc = o->scenario ? scenario_load(o->scenario, &g->scenario, stderr)
                         : scenario_default(&g->scenario, stderr);
    if (rc == 0)
        rc = set_wrap(g);
    for (size_t i = 0; rc == 0 && i < o->injects; i++) {
        rc = inject_load(o->inject[i], &g->inject[i], stderr);
        g->injects += rc == 0;
    }
    g->run.seed = o->seed;
    if (rc == 0)
        rc = scenario_apply(&g->scenario, o->scenario ? o->scenario : "defaults", &g->run, stderr);
    if (rc == 0)
        rc = settle_time(g);
    if (rc == 0)
        rc = roster_fill(&g->roster, &g->scenario, g->inject, g->injects, &g->run, stderr);
    return rc;
}

static int play(struct generate *g)
{
    for (size_t i = 0; i < g->roster.count; i++) {
        struct roster_entry *e = &g->roster.entry[i];
        if (e->inject)
            inject_play(e->inject, &e->party);
        else
            e->family->play(&e->party, e->habits);
        if (g->run.error) {
            fprintf(stderr, "postern-generate: packets could not be kept: %s\n",
                    strerror(-g->run.error));
            return EX_IOERR;
        }
        progress(g, "played party", i + 1, g->roster.count);
    }
    return 0;
}

struct writing {
    struct generate *g;
    struct capture *capture;
    size_t done;
};

static int write_packet(int64_t t_ns, struct span frame, uint32_t wire_len, void *ctx)
{
    struct writing *w = ctx;
    if (++w->done % 65536 == 0)
        progress(w->g, "wrote packet", w->done, (size_t)w->g->run.packets);
    return capture_write(w->capture, t_ns, frame, wire_len);
}

static int cannot_write(const char *path, int error)
{
    fprintf(stderr, "postern-generate: %s: %s\n", path, strerror(error));
    return EX_CANTCREAT;
}

static int write_capture(struct generate *g)
{
    const struct options *o = g->o;
    struct writing w = {.g = g};
    w.capture = capture_open(o->capture, !o->microseconds, (uint32_t)g->run.mirror.snaplen);
    if (!w.capture)
        return cannot_write(o->capture, errno);
    int rc = spool_drain(g->run.spool, write_packet, &w);
    int closed = capture_close(w.capture);
    rc = rc < 0 ? rc : closed;
    return rc < 0 ? cannot_write(o->capture, -rc) : 0;
}

static int write_truth(struct generate *g)
{
    const char *path = g->o->truth;
    if (!path)
        return 0;
    FILE *out = fopen(path, "w");
    if (!out)
        return cannot_write(path, errno);
    int rc = truth_head(out, &g->scenario, &g->run);
    for (size_t i = 0; rc == 0 && i < g->roster.count; i++)
        rc = truth_party(out, &g->roster.entry[i].party);
    if (fclose(out) != 0)
        rc = -errno;
    return rc < 0 ? cannot_write(path, -rc) : 0;
}

static void report(const struct generate *g)
{
    for (size_t i = 0; i < g->injects; i++)
        if (g->inject[i].unmatched > 0)
            fprintf(stderr, "postern-generate: %s: %llu octets of the facts could not be matched\n",
                    g->inject[i].path, (unsigned long long)g->inject[i].unmatched);
    fprintf(stderr, "postern-generate: %s: %zu parties, %llu packets, %.1f MB of them\n",
            g->o->capture, g->roster.count, (unsigned long long)g->run.packets,
            (double)g->run.octets / 1e6);
}

static int generate(struct generate *g)
{
    int rc = prepare(g);
    if (rc != 0 || g->o->action == OPTIONS_CHECK)
        return rc;
    char folder[4096];
    const char *slash = strrchr(g->o->capture, '/');
    int n = slash ? (int)(slash - g->o->capture) : 0;
    snprintf(folder, sizeof folder, "%.*s", n ? n : 1, n ? g->o->capture : slash ? "/" : ".");
    g->run.spool = spool_new(folder, (size_t)g->o->memory);
    if (!g->run.spool) {
        fputs("postern-generate: out of memory; give a smaller --memory\n", stderr);
        return EX_OSERR;
    }
    progress_begin();
    if (g->o->config_out)
        rc = site_config_write(g->o->config_out, &g->scenario, &g->roster, stderr);
    if (rc == 0)
        rc = play(g);
    if (rc == 0)
        rc = write_capture(g);
    if (rc == 0)
        rc = write_truth(g);
    if (rc == 0)
        report(g);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o;
    int rc = options_read(argc, argv, &o);
    if (rc != 0)
        return rc;
    switch (o.action) {
    case OPTIONS_HELP: options_help(); return 0;
    case OPTIONS_VERSION: puts("postern-generate " POSTERN_VERSION); return 0;
    case OPTIONS_LIST: list_families(stdout); return 0;
    default: break;
    }
    static struct generate g;
    g.o = &o;
    rc = generate(&g);
    spool_free(g.run.spool);
    roster_free(&g.roster);
    for (size_t i = 0; i < g.injects; i++)
        inject_free(&g.inject[i]);
    scenario_free(&g.scenario);
    return rc;
}
