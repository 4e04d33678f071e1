// A session reads until its budget is used, the intake refuses, or nothing is there; then what is left of its buffer waits. Nothing
// that came is ever dropped: who is not read from stops sending.
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock_watch.h"
#include "common/buf.h"
#include "common/ipfix.h"
#include "common/log.h"
#include "common/loop.h"

#define IN_OCTETS   65536
#define TURN_OCTETS (1 << 20) // read at a time, before others have their turn
#define OWED_MAX    16
#define HELD_MAX    COLLECTOR_FETCH_MAX
#define OUT_MAX     65536
#define SHAKE_MS    10000
#define IDLE_MS     (5 * 60000)
#define TICKS_A_S   4

struct session {
    struct session_room *room;
    int fd;
    struct tls_peer *tls;
    bool open, ended, paused;
    char peer[SESSION_PEER_MAX];
    struct permit *permit; // NULL: everything is taken
    struct tls_identity identity;
    struct ipfix_decoder *decoder;
    struct record_reader_stats told;      // of the decoder, added to the totals so far
    struct record held[HELD_MAX];         // decoded; from `held_at` on not put yet
    struct ipfix_octets octets[HELD_MAX]; // as they came; of no template when changed
    bool allowed[HELD_MAX];
    size_t held_at, held_count;
    uint8_t in[IN_OCTETS];
    size_t in_at, in_len;
    struct clock_watch clock;
    bool live; // its last second was no capture's
    struct transport_ack owed[OWED_MAX];
    size_t owed_count;
    struct transport_ack_writer acks;
    struct buf out;
    int64_t tokens;
    int64_t begun_ms, heard_ms;
    uint64_t records, foreign, absurd;
    bool warned, warned_broken;
};

static void on_socket(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx);

static void end(struct session *s, const char *why)
{
    if (s->ended)
        return;
    s->ended = true;
    loop_watch(s->room->loop, s->fd, 0, NULL, NULL);
    if (why)
        log_warning("%s: %s", s->peer, why);
}

static void watch(struct session *s)
{
    if (s->ended)
        return;
    unsigned events = (s->paused ? 0u : LOOP_READ) | (s->out.len > 0 ? LOOP_WRITE : 0u);
    int rc = loop_watch(s->room->loop, s->fd, events, on_socket, s);
    if (rc < 0)
        end(s, strerror(-rc));
}

struct session *session_new(struct session_room *room, int fd, struct tls_context *tls,
                            const char *peer, int64_t now_ms)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s) {
        close(fd);
        return NULL;
    }
    s->room = room;
    s->fd = fd;
    s->begun_ms = s->heard_ms = now_ms;
    s->tokens = room->rate;
    s->open = !tls;
    snprintf(s->peer, sizeof s->peer, "%s", peer);
    buf_init(&s->out, OUT_MAX);
    s->tls = tls_peer_new(tls, fd);
    s->decoder = ipfix_decoder_new();
    if (!s->tls || !s->decoder) {
        session_free(s);
        return NULL;
    }
    watch(s);
    return s;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    end(s, NULL);
    tls_peer_free(s->tls);
    close(s->fd);
    ipfix_decoder_free(s->decoder);
    buf_fini(&s->out);
    free(s);
}

bool session_ended(const struct session *s)
{
    return s->ended;
}

const char *session_peer(const struct session *s)
{
    return s->peer;
}

// ---- Records

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

static bool permitted(struct session *s, const struct record *r)
{
    enum permit_answer a = s->permit ? permit_check(s->permit, r) : PERMIT_YES;
    if (a == PERMIT_YES)
        return true;
    permit_count(s->permit, a);
    s->room->totals.foreign_domain += a == PERMIT_DOMAIN;
    s->room->totals.foreign_prefix += a == PERMIT_PREFIX;
    s->foreign++;
    if (!s->warned)
        log_warning("%s: a record of %s is refused; more are counted", s->peer,
                    a == PERMIT_DOMAIN ? "another sensor's domain" : "a prefix not its own");
    s->warned = true;
    return false;
}

// An exporter counts its domains as it likes: a number of ours must not meet that of a sensor. FNV-1a of who it is.
static uint32_t domain_of_exporter(const struct session *s, uint32_t domain)
{
    uint32_t h = 0x811c9dc5u ^ domain;
    for (const char *at = s->peer; *at; at++)
        h = (h ^ (uint8_t)*at) * 0x01000193u;
    return h | 0x80000000u;
}

static int64_t time_of(const struct record *r)
{
    return r->kind == RECORD_COVERAGE ? r->coverage.t_ms
           : r->kind == RECORD_MAIL   ? r->mail.t_ms
                                      : r->flow.end_ms;
}

// Nobody else may contradict a lone sensor: what our own clock says is asked here, before the intake, for what is counted again
// after a crash must not depend on it.
static bool believed(struct session *s, const struct record *r)
{
    if (r->kind == RECORD_COVERAGE)
        s->live = !(r->coverage.alarms & COVERAGE_REPLAY);
    bool exporter = r->id.sequence == 0; // it shows no capture to us
    if ((!s->live && !exporter) || !clock_watch_is_absurd(time_of(r), s->heard_ms))
        return true;
    s->room->totals.absurd++;
    s->absurd++;
    return false;
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
        s->allowed[i] = permitted(s, r) && believed(s, r);
        s->octets[i] = ipfix_decoder_octets(s->decoder);
        if (mark_clock(s, r))
            s->octets[i].template_id = 0;
        if (r->id.sequence == 0) {
            r->id.domain = domain_of_exporter(s, r->id.domain);
            s->octets[i].template_id = 0;
        }
        s->held_count++;
    }
    intake_fetch(s->room->intake, s->held, s->held_count);
    return s->held_count > 0;
}

// Puts the first of the held records. False: the intake refuses, it stays held.
static bool put_held(struct session *s)
{
    size_t i = s->held_at;
    const struct record *r = &s->held[i];
    bool put = true;
    int rc = s->allowed[i] ? intake_put(s->room->intake, r, &s->octets[i], &put) : 0;
    if (put) {
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

// Once a connection, for the status forgets it with the connection.
static void warn_broken(struct session *s)
{
    const struct record_reader_stats *t = &s->told;
    const char *value = ipfix_decoder_bad_value(s->decoder);
    if (s->warned_broken || t->bad_set + t->bad_record + t->bad_value + t->unknown_template == 0)
        return;
    s->warned_broken = true;
    log_warning("%s: %s%s is refused; more are counted", s->peer,
                t->bad_value > 0    ? "a record with an impossible value: "
                : t->bad_record > 0 ? "a broken record"
                : t->bad_set > 0    ? "a broken set or template"
                                    : "a set without its template",
                t->bad_value > 0 && value ? value : "");
}

static void add_stats(struct session *s)
{
    const struct record_reader_stats *now = ipfix_decoder_stats(s->decoder);
    struct session_totals *t = &s->room->totals;
    t->bad_message += now->bad_message - s->told.bad_message;
    t->bad_set += now->bad_set - s->told.bad_set;
    t->bad_record += now->bad_record - s->told.bad_record;
    t->bad_value += now->bad_value - s->told.bad_value;
    t->unknown_template += now->unknown_template - s->told.unknown_template;
    s->told = *now;
    warn_broken(s);
}

// Works through the buffer. False: stopped in between.
static bool work(struct session *s)
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
        add_stats(s);
        if (s->told.bad_message > 0) {
            end(s, "what comes is no IPFIX; the connection is closed");
            return false;
        }
    }
}

static void read_more(struct session *s, int64_t now_ms)
{
    size_t turn = 0;
    s->paused = true;
    while (work(s)) {
        if (turn >= TURN_OCTETS && !tls_peer_pending(s->tls)) {
            s->paused = false;
            break;
        }
        ssize_t n = tls_peer_read(s->tls, s->in, sizeof s->in);
        if (n == -EAGAIN) {
            s->paused = false;
            break;
        }
        if (n <= 0) {
            const char *why = tls_peer_error(s->tls);
            end(s, why ? why : n < 0 ? strerror((int)-n) : NULL);
            break;
        }
        s->in_at = 0;
        s->in_len = (size_t)n;
        turn += (size_t)n;
        s->heard_ms = now_ms;
        s->room->last_record_ms = now_ms;
        s->room->totals.octets += (uint64_t)n;
    }
    add_stats(s);
}

// ---- Connection

static bool authenticated(struct session *s)
{
    if (!tls_peer_identity(s->tls, &s->identity))
        return false;
    snprintf(s->peer, sizeof s->peer, "%s", s->identity.name);
    s->permit = s->room->registry ? registry_find(s->room->registry, &s->identity) : NULL;
    return s->permit != NULL;
}

static void shake_hands(struct session *s)
{
    int rc = tls_peer_handshake(s->tls);
    if (rc == -EAGAIN) {
        loop_watch(s->room->loop, s->fd, tls_peer_wants(s->tls), on_socket, s);
        return;
    }
    if (rc < 0) {
        const char *why = tls_peer_error(s->tls);
        s->room->totals.refused += rc == -EACCES;
        end(s, why ? why : strerror(-rc));
        return;
    }
    if (!authenticated(s)) {
        s->room->totals.refused++;
        end(s, "its certificate was revoked, or replaced by a newer one; enrol the sensor again");
        return;
    }
    s->open = true;
    log_info("%s: connected", s->peer);
}

static void flush(struct session *s)
{
    while (s->out.len > 0 && !s->ended) {
        ssize_t n = tls_peer_write(s->tls, buf_span(&s->out));
        if (n == -EAGAIN)
            return;
        if (n < 0)
            end(s, strerror((int)-n));
        else
            buf_consume(&s->out, (size_t)n);
    }
}

static void on_socket(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    struct session *s = ctx;
    (void)l;
    (void)fd;
    if (!s->open) {
        shake_hands(s);
        if (!s->open || s->ended)
            return;
    }
    if (events & LOOP_WRITE)
        flush(s);
    if (!s->paused && !s->ended)
        read_more(s, now_ms);
    watch(s);
}

void session_acknowledge(struct session *s, int64_t now_ms)
{
    // Who does not read them gets no more of them: later ones say it all.
    if (s->ended || !s->open || s->owed_count == 0 || s->out.len > OUT_MAX / 2)
        return;
    for (size_t i = 0; i < s->owed_count; i++)
        transport_ack_put(&s->acks, &s->owed[i], now_ms, &s->out);
    s->owed_count = 0;
    flush(s);
    watch(s);
}

void session_tick(struct session *s, int64_t now_ms)
{
    int64_t more = s->room->rate / TICKS_A_S;
    s->tokens = s->tokens + more > s->room->rate ? s->room->rate : s->tokens + more;
    if (s->ended)
        return;
    if (s->permit && !permit_valid(s->permit, s->identity.serial)) {
        end(s, "revoked; the connection is closed");
        return;
    }
    if (now_ms - (s->open ? s->heard_ms : s->begun_ms) > (s->open ? IDLE_MS : SHAKE_MS) &&
        !s->paused) {
        s->room->totals.timed_out++;
        end(s, s->open ? "nothing came for 5 minutes" : "no handshake within 10 s");
        return;
    }
    if (s->paused && !intake_stalled(s->room->intake)) {
        s->heard_ms = now_ms;
        read_more(s, now_ms);
        watch(s);
    }
}

static void status_clock(const struct session *s, struct control_status *out)
{
    char text[240];
    if (s->absurd == 0 && !s->clock.differs)
        return;
    int64_t off_ms = s->clock.off_ms < 0 ? -s->clock.off_ms : s->clock.off_ms;
    if (s->clock.differs)
        snprintf(text, sizeof text, "the clock of %s is %lld.%lld s %s the collector's", s->peer,
                 (long long)(off_ms / 1000), (long long)(off_ms % 1000 / 100),
                 s->clock.off_ms > 0 ? "ahead of" : "behind");
    else
        snprintf(text, sizeof text,
                 "%llu records of %s were a day and more ahead of the collector's clock: refused",
                 (unsigned long long)s->absurd, s->peer);
    control_status_problem(out, 1, "clock", text, "synchronise both clocks (NTP or PTP)");
}

void session_status(const struct session *s, struct control_status *out)
{
    const struct record_reader_stats *t = ipfix_decoder_stats(s->decoder);
    uint64_t bad = t->bad_message + t->bad_set + t->bad_record + t->bad_value;
    const char *reason = ipfix_decoder_bad_value(s->decoder);
    char text[320];
    snprintf(text, sizeof text,
             "%llu records; %llu sets, %llu records broken, %llu refused%s%s; %llu not its own%s",
             (unsigned long long)s->records, (unsigned long long)t->bad_set,
             (unsigned long long)t->bad_record, (unsigned long long)t->bad_value,
             reason ? ", last for " : "", reason ? reason : "", (unsigned long long)s->foreign,
             t->no_identity > 0 ? "; no identity: what is lost on the way is not seen, what is "
                                  "repeated counts twice"
                                : "");
    status_clock(s, out);
    control_status_input(out, s->peer,
                         bad > 0          ? "broken"
                         : s->records > 0 ? "whole"
                                          : "empty",
                         text);
}
