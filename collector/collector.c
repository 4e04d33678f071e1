// The way of a record: its identity, its time, its subscriber.
#include "collector_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "journal_watch.h"

// 1990-01-01 and 2100-01-01: outside, a clock was never set or has run over. Public captures begin in 1998.
#define TIME_MIN_MS INT64_C(631152000000)
#define TIME_MAX_MS INT64_C(4102444800000)

static int add_prefixes(struct prefix_set **set, const struct conf_prefixes *p)
{
    *set = prefix_set_new();
    int rc = *set ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < p->count; i++)
        rc = prefix_set_add(*set, &p->item[i], 1);
    return rc;
}

static int make_prefixes(struct collector *c, const struct conf_site *site)
{
    int rc = add_prefixes(&c->smarthosts, &site->smarthosts);
    if (rc == 0)
        rc = add_prefixes(&c->hosting, &site->hosting);
    if (rc == 0)
        rc = add_prefixes(&c->subscribers, &site->subscribers);
    if (rc == 0 && site->subscribers.count == 0)
        rc = prefix_set_add_private(c->subscribers, 1);
    if (rc < 0)
        return rc;
    prefix_set_freeze(c->smarthosts);
    prefix_set_freeze(c->hosting);
    prefix_set_freeze(c->subscribers);
    return 0;
}

static int open_journal(struct collector *c, const char *journal, FILE *errors)
{
    const struct journal_options o = {.segment_octets_max = c->conf->segment_size,
                                      .key_dir = c->conf->journal_keys};
    return journal_watch_open(journal, &o, errors, &c->journal);
}

static void give_flow(const struct record_flow *f, int process, void *ctx)
{
    struct collector *c = ctx;
    aggregate_flow(c->aggregate, f, process, false);
}

static int make_tables(struct collector *c, const struct conf_site *site)
{
    const struct collector_conf *conf = c->conf;
    struct minutes_options minutes = {.early_outcomes = (uint32_t)conf->early_outcomes,
                                      .early_connections = (uint32_t)conf->early_connections};
    struct aggregate_options aggregate = {.subscriber_len_v4 = site->subscriber_len_v4,
                                          .subscriber_len_v6 = site->subscriber_len_v6,
                                          .long_flow_ms = conf->long_flow,
                                          .log_envelopes = conf->log_envelopes};
    acc_limits_init(&c->limits, (uint32_t)conf->digests, (size_t)conf->sketches);
    c->watermark = watermark_new(conf->silent_after, conf->future_max);
    c->sequence = sequence_new();
    c->actives = actives_new((size_t)conf->subscribers);
    if (!c->watermark || !c->sequence || !c->actives)
        return -ENOMEM;
    c->minutes = minutes_new(&minutes, c->journal, c->leases, c->watermark, &c->limits);
    if (!c->minutes)
        return -ENOMEM;
    struct aggregate_parts parts = {
        .smarthosts = c->smarthosts,
        .hosting = c->hosting,
        .subscribers = c->subscribers,
        .providers = c->providers,
        .leases = c->leases,
        .minutes = c->minutes,
        .actives = c->actives,
        .limits = &c->limits,
    };
    c->aggregate = aggregate_new(&aggregate, &parts, (size_t)conf->flows);
    c->pairs = pairs_new((size_t)conf->flows, give_flow, c);
    return c->aggregate && c->pairs ? 0 : -ENOMEM;
}

int collector_open(const struct collector_conf *conf, const struct conf_site *site,
                   const char *journal, const char *leases, FILE *errors, struct collector **out)
{
    struct collector *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->conf = conf;
    c->expired_ms = WATERMARK_NONE;
    int rc = make_prefixes(c, site);
    if (rc == 0)
        rc = network_file_load(site->provider_file, errors, &c->providers);
    if (rc == 0)
        rc = lease_sources_open(conf, leases, errors, &c->sources);
    if (rc == 0)
        c->leases = lease_sources_leases(c->sources);
    if (rc == 0)
        rc = open_journal(c, journal, errors);
    if (rc == 0)
        rc = make_tables(c, site);
    if (rc < 0) {
        collector_close(c);
        return rc;
    }
    *out = c;
    return 0;
}

void collector_close(struct collector *c)
{
    if (!c)
        return;
    pairs_free(c->pairs);
    aggregate_free(c->aggregate);
    actives_free(c->actives, &c->limits);
    minutes_free(c->minutes);
    acc_limits_fini(&c->limits);
    sequence_free(c->sequence);
    watermark_free(c->watermark);
    journal_writer_close(c->journal);
    lease_sources_close(c->sources);
    network_file_free(c->providers);
    prefix_set_free(c->smarthosts);
    prefix_set_free(c->hosting);
    prefix_set_free(c->subscribers);
    free(c);
}

struct lease_sources *collector_leases(struct collector *c)
{
    return c->sources;
}

// ---- Records

static int refuse(struct collector *c, int process, enum refusal why)
{
    c->refused[why]++;
    if (process >= 0) {
        c->blame[process].count++;
        c->blame[process].last = why;
    }
    return 0;
}

// True when the record was taken before. Other exporters give no identity: what they repeat counts twice.
static bool is_repeat(struct collector *c, const struct record *r, bool *full)
{
    if (r->id.epoch == 0 && r->id.sequence == 0) {
        c->no_identity++;
        return false;
    }
    enum sequence_result result = sequence_take(c->sequence, &r->id);
    *full = result == SEQUENCE_FULL;
    return result == SEQUENCE_REPEAT || result == SEQUENCE_OLD;
}

static int64_t latest_of(const struct record *r)
{
    if (r->kind == RECORD_MAIL)
        return r->mail.t_ms;
    if (r->kind == RECORD_COVERAGE)
        return r->coverage.t_ms;
    return r->flow.outcome_ms > r->flow.end_ms ? r->flow.outcome_ms : r->flow.end_ms;
}

static int64_t earliest_of(const struct record *r)
{
    if (r->kind == RECORD_COVERAGE)
        return r->coverage.t_ms;
    return r->kind == RECORD_MAIL ? r->mail.t_ms : r->flow.start_ms;
}

static bool is_plausible(const struct record *r)
{
    return earliest_of(r) >= TIME_MIN_MS && latest_of(r) < TIME_MAX_MS;
}

static int advance(struct collector *c)
{
    int64_t now_ms = watermark_now(c->watermark);
    // A half whose other half is with a stalled sensor goes on alone: what both tell counts once all the same.
    if (now_ms != WATERMARK_NONE)
        pairs_advance(c->pairs, watermark_front(c->watermark));
    int rc = minutes_advance(c->minutes);
    if (rc == 0 && now_ms != WATERMARK_NONE &&
        (c->expired_ms == WATERMARK_NONE || now_ms - c->expired_ms >= 60000)) {
        aggregate_expire(c->aggregate, now_ms);
        c->expired_ms = now_ms;
    }
    return rc;
}

// A gap touches the minute in which it shows: that of the next word of its process.
static struct coverage with_gaps(struct collector *c, const struct record *r)
{
    struct coverage coverage = r->coverage;
    coverage.lost_records += sequence_take_missing(c->sequence, r->id.domain);
    return coverage;
}

static int finish_minutes(struct collector *c)
{
    pairs_advance(c->pairs, INT64_MAX);
    c->finishing = true;
    int rc = minutes_finish(c->minutes);
    c->finishing = rc < 0;
    return rc;
}

static int take_coverage(struct collector *c, const struct record *r, int process)
{
    c->coverage_records++;
    if (watermark_coverage(c->watermark, process, r->id.epoch, &r->coverage) != WATERMARK_TAKEN)
        return refuse(c, process, REFUSED_future);
    if (r->coverage.packets > 0 && !c->watches[process]) {
        c->watches[process] = true;
        c->watchers++;
    }
    struct coverage coverage = with_gaps(c, r);
    bool other = pairs_clock_differs(c->pairs, process);
    if (other)
        coverage.alarms |= COVERAGE_CLOCK;
    // A capture's times are all of one clock, whatever it did.
    bool differs = (coverage.alarms & (COVERAGE_CLOCK | COVERAGE_REPLAY)) == COVERAGE_CLOCK;
    aggregate_doubt(c->aggregate, process, other || differs ? IDENTITY_CLOCKS_DIFFER : 0);
    minutes_coverage(c->minutes, process, &coverage);
    // Nobody is left: what is open ends here, the minute that is not full too.
    if (r->coverage.last && watermark_alive(c->watermark) == 0)
        return finish_minutes(c);
    return advance(c);
}

int collector_take(struct collector *c, const struct record *r)
{
    if (!record_check(r))
        return collector_take_checked(c, r);
    c->records++;
    return refuse(c, -1, REFUSED_value);
}

int collector_take_checked(struct collector *c, const struct record *r)
{
    bool full = false;
    c->records++;
    if (is_repeat(c, r, &full))
        return 0;
    int process = full ? -1 : watermark_process(c->watermark, r->id.domain);
    if (process < 0)
        return refuse(c, -1, REFUSED_domain);
    if (!is_plausible(r))
        return refuse(c, process, REFUSED_time);
    if (r->kind == RECORD_COVERAGE)
        return take_coverage(c, r, process);
    int64_t now_ms = watermark_now(c->watermark);
    if (now_ms != WATERMARK_NONE && now_ms - earliest_of(r) > c->conf->late_max)
        return refuse(c, process, REFUSED_late);
    if (watermark_record(c->watermark, process, r->id.epoch, latest_of(r)) != WATERMARK_TAKEN)
        return refuse(c, process, REFUSED_future);
    // A router's record carries no identity of ours.
    bool exported = r->id.epoch == 0 && r->id.sequence == 0;
    if (r->kind == RECORD_MAIL) {
        c->mail_records++;
        aggregate_mail(c->aggregate, &r->mail, process);
    } else {
        c->flow_records++;
        if (exported)
            aggregate_flow(c->aggregate, &r->flow, process, true);
        else
            pairs_take(c->pairs, &r->flow, process, c->watchers > 1);
    }
    return watermark_has_coverage(c->watermark, process) ? 0 : advance(c);
}

void collector_fetch(const struct collector *c, const struct record *r, size_t count)
{
    struct actives_hint hint[COLLECTOR_FETCH_MAX] = {0};
    size_t flows = 0;
    for (size_t i = 0; i < count && flows < COLLECTOR_FETCH_MAX; i++) {
        if (r[i].kind != RECORD_FLOW)
            continue;
        pairs_fetch(c->pairs, &r[i].flow);
        aggregate_fetch(c->aggregate, &r[i].flow, &hint[flows++]);
    }
    for (unsigned step = 1; step < ACTIVES_FETCH_STEPS; step++)
        for (size_t i = 0; i < flows; i++)
            actives_fetch_on(c->actives, &hint[i], step);
}

void collector_of_files(struct collector *c)
{
    watermark_of_files(c->watermark);
}

void collector_ended(struct collector *c, uint32_t domain)
{
    int process = watermark_process(c->watermark, domain);
    if (process >= 0)
        watermark_end(c->watermark, process);
}

int collector_finish(struct collector *c)
{
    for (size_t p = 0; p < watermark_processes(c->watermark); p++)
        watermark_end(c->watermark, (int)p);
    return finish_minutes(c);
}

// ---- Live

struct journal_writer *collector_journal(struct collector *c)
{
    return c->journal;
}

bool collector_knows(const struct collector *c, const struct record_id *id)
{
    return sequence_known(c->sequence, id);
}

void collector_refused(struct collector *c, const struct record_id *first, uint64_t count,
                       bool lost)
{
    struct record_id id = *first;
    for (uint64_t i = 0; i < count; i++, id.sequence++)
        if (sequence_take(c->sequence, &id) == SEQUENCE_NEW && lost)
            sequence_add_missing(c->sequence, id.domain);
}

int collector_retry(struct collector *c)
{
    return c->finishing ? finish_minutes(c) : advance(c);
}

void collector_positions(const struct collector *c, sequence_fn fn, void *ctx)
{
    sequence_each(c->sequence, fn, ctx);
}

void collector_seed(struct collector *c, const struct record_id *highest)
{
    sequence_seed(c->sequence, highest);
}

void collector_reload(struct collector *c, const struct collector_conf *conf)
{
    c->conf = conf;
    lease_sources_reload(c->sources, conf);
}

int collector_silent(struct collector *c)
{
    return collector_finish(c);
}

int collector_mute(struct collector *c)
{
    watermark_mute(c->watermark);
    return advance(c);
}

bool collector_waits_for_sensors(const struct collector *c)
{
    return watermark_waits_for_sensors(c->watermark);
}

int64_t collector_watermark(const struct collector *c)
{
    return watermark_now(c->watermark);
}
