// What comes over a connection as records: who may say it, whether its clock is believed, into the intake.
#include <stdio.h>

#include "common/loop.h"
#include "session_parts.h"

#define VOICE_MS 1000 // a clock is heard so often

// An exporter counts its domains as it likes: a number of ours must not meet that of a sensor. FNV-1a of who it is.
uint32_t session_exporter_domain(const struct session *s, uint32_t domain)
{
    uint32_t h = 0x811c9dc5u ^ domain;
    for (const char *at = s->peer; *at; at++)
        h = (h ^ (uint8_t)*at) * 0x01000193u;
    return h | 0x80000000u;
}

static void owe(struct session *s, const struct record_id *id)
{
    size_t i = 0;
    while (i < s->owed_count && (s->owed[i].domain != id->domain || s->owed[i].epoch != id->epoch))
        i++;
    if (i == OWED_MAX) {
        s->room->full(s->room->ctx);
        i = s->owed_count; // fewer now, unless the sync failed
        if (i == OWED_MAX)
            return; // it will come again
    }
    if (i == s->owed_count)
        s->owed[s->owed_count++] = (struct transport_ack){.domain = id->domain, .epoch = id->epoch};
    if (id->sequence > s->owed[i].sequence)
        s->owed[i].sequence = id->sequence;
}

static void tell_foreign(const struct session *s, enum permit_answer why, uint32_t domain)
{
    char line[240], own[PERMIT_DOMAINS_TEXT];
    permit_domains(s->who.permit, own);
    if (why == PERMIT_DOMAIN)
        snprintf(line, sizeof line,
                 "records of domain %u are refused: it was enrolled for %.60s; leave sensor.domain "
                 "out, or enrol it with --domains %u",
                 domain, own, domain);
    else
        snprintf(line, sizeof line,
                 "a record of a prefix not its own is refused; more are counted");
    sources_tell(s->room->sources, s->peer, line, s->heard_ms);
}

static bool permitted(struct session *s, const struct record *r, enum permit_answer *why)
{
    struct permit *p = s->who.permit;
    *why = p ? permit_check(p, r) : PERMIT_YES;
    if (*why == PERMIT_YES)
        return true;
    permit_count(p, *why, r->id.domain);
    s->room->totals.foreign_domain += *why == PERMIT_DOMAIN;
    s->room->totals.foreign_prefix += *why == PERMIT_PREFIX;
    s->foreign++;
    if (!s->warned)
        tell_foreign(s, *why, r->id.domain);
    s->warned = true;
    return false;
}

static int64_t time_of(const struct record *r)
{
    return r->kind == RECORD_COVERAGE ? r->coverage.t_ms
           : r->kind == RECORD_MAIL   ? r->mail.t_ms
                                      : r->flow.end_ms;
}

static void tell_ahead(const struct session *s, int64_t by_ms)
{
    char line[160];
    snprintf(line, sizeof line,
             "its clock is %lld s ahead: what it tells is refused until both clocks agree",
             (long long)(by_ms / 1000));
    sources_refuse(s->room->sources, s->peer, SOURCE_ahead, 1, line, s->heard_ms);
    sources_ahead(s->room->sources, s->peer, by_ms);
}

// Other clocks are asked here, before the intake, for what is counted again after a crash must not depend on them. An exporter
// shows no capture to us; of what it says of times the latest counts, so the time of its message as well.
static bool believed(struct session *s, const struct record *r)
{
    const struct session_room *room = s->room;
    bool exporter = r->id.sequence == 0;
    int64_t t_ms = time_of(r);
    if (r->kind == RECORD_COVERAGE) {
        s->live = !(r->coverage.alarms & COVERAGE_REPLAY);
        s->room->last_sensor_ms = s->heard_ms;
    }
    if (!s->live && !exporter)
        return true;
    if (clock_watch_is_absurd(t_ms, s->heard_ms)) {
        s->room->totals.absurd++;
        s->absurd++;
        tell_ahead(s, t_ms - s->heard_ms);
        return false;
    }
    int64_t export_ms = exporter ? ipfix_decoder_export_ms(s->decoder) : t_ms;
    t_ms = export_ms > t_ms ? export_ms : t_ms;
    bool early = t_ms - s->heard_ms > room->ahead_max_ms;
    bool speaks = exporter || r->kind == RECORD_COVERAGE; // a flow may have ended long ago
    if (!early && (!speaks || s->heard_ms - s->voiced_ms < VOICE_MS))
        return true;
    s->voiced_ms = s->heard_ms;
    if (!clocks_is_ahead(room->clocks, s->voice, !exporter, t_ms, s->heard_ms, room->ahead_max_ms))
        return true;
    tell_ahead(s, t_ms - s->heard_ms);
    s->ahead++;
    return false;
}

static enum judgement judge(struct session *s, const struct record *r)
{
    enum permit_answer why;
    if (!permitted(s, r, &why)) // another's domain: its sequences are not this sensor's to use up
        return why == PERMIT_DOMAIN ? REFUSE_STRANGE : REFUSE_OWN;
    return believed(s, r) ? TAKE : REFUSE_LATER;
}

// True: the record says now that its clock differs.
static bool mark_clock(struct session *s, struct record *r)
{
    struct coverage *c = &r->coverage;
    if (r->kind != RECORD_COVERAGE || !s->live ||
        !clock_watch_take(&s->clock, c->t_ms, s->heard_ms) || (c->alarms & COVERAGE_CLOCK))
        return false;
    c->alarms |= COVERAGE_CLOCK;
    return true;
}

// Decodes the next records of the message that is there. False: there are none.
static bool hold(struct session *s)
{
    s->held_at = s->held_count = 0;
    while (s->held_count < HELD_MAX) {
        size_t i = s->held_count;
        struct record *r = &s->held[i];
        if (ipfix_decoder_next(s->decoder, r) != 1)
            break;
        s->judged[i] = (uint8_t)judge(s, r);
        s->octets[i] = ipfix_decoder_octets(s->decoder);
        if (mark_clock(s, r))
            s->octets[i].template_id = 0;
        if (r->id.sequence == 0) {
            r->id.domain = session_exporter_domain(s, r->id.domain);
            s->octets[i].template_id = 0;
        }
        s->held_count++;
    }
    intake_fetch(s->room->intake, s->held, s->held_count);
    return s->held_count > 0;
}

// What is refused of a sensor's own sequence is no gap in it. How many of the held, from the first on, are of one run.
static size_t refused_run(const struct session *s)
{
    size_t i = s->held_at, n = 1;
    const struct record_id *first = &s->held[i].id;
    while (i + n < s->held_count && s->judged[i + n] == s->judged[i] &&
           s->held[i + n].id.domain == first->domain && s->held[i + n].id.epoch == first->epoch &&
           s->held[i + n].id.sequence == first->sequence + n)
        n++;
    return n;
}

static int refuse_held(struct session *s, bool *put)
{
    const struct record_id *id = &s->held[s->held_at].id;
    bool strange = s->judged[s->held_at] == REFUSE_STRANGE || id->sequence == 0;
    struct intake_refused run = {.id = *id,
                                 .count = strange ? 1 : refused_run(s),
                                 .lost = s->judged[s->held_at] == REFUSE_LATER};
    int rc = strange ? 0 : intake_refuse(s->room->intake, &run, put);
    if (!*put)
        return rc;
    // The last of them stands for all: what put_held does for one is left to it.
    s->held_at += run.count - 1;
    s->records += run.count - 1;
    s->tokens -= (int64_t)run.count - 1;
    s->room->totals.taken += run.count - 1;
    return rc;
}

// Puts the first of the held records. False: the intake refuses, it stays held.
static bool put_held(struct session *s)
{
    size_t i = s->held_at;
    bool put = true;
    int rc = s->judged[i] == TAKE ? intake_put(s->room->intake, &s->held[i], &s->octets[i], &put)
                                  : refuse_held(s, &put);
    if (put) {
        const struct record *r = &s->held[s->held_at];
        s->held_at++;
        s->records++;
        s->tokens--;
        s->room->totals.taken++;
        if (r->id.sequence > 0)
            owe(s, &r->id);
        else
            s->room->totals.no_identity++;
    }
    if (rc < 0)
        s->room->stalled(s->room->ctx);
    return rc >= 0;
}

// Once a connection in words; counts stay with the source.
static void warn_broken(struct session *s)
{
    const struct record_reader_stats *t = &s->told;
    const char *value = ipfix_decoder_bad_value(s->decoder);
    char line[200];
    if (s->warned_broken || t->bad_set + t->bad_record + t->bad_value + t->unknown_template == 0)
        return;
    s->warned_broken = true;
    snprintf(line, sizeof line, "%s%s is refused; more are counted",
             t->bad_value > 0    ? "a record with an impossible value: "
             : t->bad_record > 0 ? "a broken record"
             : t->bad_set > 0    ? "a broken set or template"
                                 : "a set without its template",
             t->bad_value > 0 && value ? value : "");
    sources_tell(s->room->sources, s->peer, line, s->heard_ms);
}

void session_add_stats(struct session *s)
{
    const struct record_reader_stats *now = ipfix_decoder_stats(s->decoder);
    struct session_totals *t = &s->room->totals;
    const struct {
        uint64_t *total, more;
        enum source_reason why;
    } counts[] = {
        {&t->bad_message, now->bad_message - s->told.bad_message, SOURCE_message},
        {&t->bad_set, now->bad_set - s->told.bad_set, SOURCE_set},
        {&t->bad_record, now->bad_record - s->told.bad_record, SOURCE_record},
        {&t->bad_value, now->bad_value - s->told.bad_value, SOURCE_value},
        {&t->unknown_template, now->unknown_template - s->told.unknown_template, SOURCE_template_},
    };
    s->told = *now;
    warn_broken(s);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        *counts[i].total += counts[i].more;
        if (counts[i].more > 0)
            sources_count_more(s->room->sources, s->peer, counts[i].why, counts[i].more,
                               s->heard_ms);
    }
}

// Works through the buffer. False: stopped in between.
bool session_work(struct session *s)
{
    for (;;) {
        while (s->held_at < s->held_count && s->tokens > 0)
            if (!put_held(s))
                return false;
        if (s->tokens <= 0) {
            s->room->totals.throttled++;
            return false;
        }
        if (hold(s))
            continue;
        if (s->in_at == s->in_len)
            return true;
        struct span left = span_of(s->in + s->in_at, s->in_len - s->in_at);
        s->in_at += ipfix_decoder_feed(s->decoder, left);
        session_add_stats(s);
        if (s->told.bad_message > 0) {
            session_fail(s, "what comes is no IPFIX; the connection is closed");
            return false;
        }
    }
}
