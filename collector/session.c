// A session reads until its budget is used, the intake refuses, or nothing is there; then what is left of its buffer waits. Nothing
// that came is ever dropped: who is not read from stops sending.
#include "session_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"

#define TURN_OCTETS (1 << 20) // read at a time, before others have their turn
#define IDLE_MS     (5 * 60000)
#define TICKS_A_S   4

static void on_socket(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx);

void session_fail(struct session *s, const char *why)
{
    if (s->ended)
        return;
    s->ended = true;
    loop_watch(s->room->loop, s->fd, 0, NULL, NULL);
    if (why)
        sources_tell(s->room->sources, s->peer, why, s->heard_ms);
}

void session_end(struct session *s, const char *why)
{
    session_fail(s, why);
}

static void watch(struct session *s)
{
    if (s->ended)
        return;
    unsigned events = (s->paused ? 0u : LOOP_READ) | (s->out.len > 0 ? LOOP_WRITE : 0u);
    int rc = loop_watch(s->room->loop, s->fd, events, on_socket, s);
    if (rc < 0)
        session_fail(s, strerror(-rc));
}

struct session *session_new(struct session_room *room, int fd, struct tls_peer *tls,
                            const struct session_who *who, int64_t now_ms)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s) {
        tls_peer_free(tls);
        close(fd);
        return NULL;
    }
    s->room = room;
    s->fd = fd;
    s->tls = tls;
    s->who = *who;
    s->who.peer = s->peer;
    s->heard_ms = now_ms;
    s->tokens = room->rate;
    snprintf(s->peer, sizeof s->peer, "%s", who->peer);
    s->voice = (uint64_t)session_exporter_domain(s, 0) << 32 | session_exporter_domain(s, 1);
    buf_init(&s->out, OUT_MAX);
    s->decoder = ipfix_decoder_new();
    if (!s->decoder) {
        session_free(s);
        return NULL;
    }
    return s;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    session_fail(s, NULL);
    tls_peer_free(s->tls);
    close(s->fd);
    ipfix_decoder_free(s->decoder);
    buf_fini(&s->out);
    free(s);
}

const struct session_who *session_who(const struct session *s)
{
    return &s->who;
}

int64_t session_heard_ms(const struct session *s)
{
    return s->heard_ms;
}

uint64_t session_records(const struct session *s)
{
    return s->records;
}

bool session_ended(const struct session *s)
{
    return s->ended;
}

// ---- Octets

static void read_more(struct session *s, int64_t now_ms)
{
    size_t turn = 0;
    s->paused = true;
    while (session_work(s)) {
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
            session_fail(s, why ? why : n < 0 ? strerror((int)-n) : NULL);
            break;
        }
        s->in_at = 0;
        s->in_len = (size_t)n;
        turn += (size_t)n;
        s->heard_ms = now_ms;
        s->room->last_record_ms = now_ms;
        s->room->totals.octets += (uint64_t)n;
    }
    session_add_stats(s);
}

// ---- Connection

static void flush(struct session *s)
{
    while (s->out.len > 0 && !s->ended) {
        ssize_t n = tls_peer_write(s->tls, buf_span(&s->out));
        if (n == -EAGAIN)
            return;
        if (n < 0)
            session_fail(s, strerror((int)-n));
        else
            buf_consume(&s->out, (size_t)n);
    }
}

static void on_socket(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    struct session *s = ctx;
    (void)l;
    (void)fd;
    if (events & LOOP_WRITE)
        flush(s);
    if (!s->paused && !s->ended)
        read_more(s, now_ms);
    watch(s);
}

void session_begin(struct session *s, int64_t now_ms)
{
    read_more(s, now_ms);
    watch(s);
}

void session_acknowledge(struct session *s, int64_t now_ms)
{
    // Who does not read them gets no more of them: later ones say it all.
    if (s->ended || s->owed_count == 0 || s->out.len > OUT_MAX / 2)
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
    if (s->who.permit && !permit_valid(s->who.permit, s->who.identity.serial)) {
        log_warning("%s: revoked; the connection is closed", s->peer);
        session_fail(s, NULL);
        return;
    }
    if (now_ms - s->heard_ms > IDLE_MS && !s->paused) {
        s->room->totals.timed_out++;
        session_fail(s, "nothing came for 5 minutes");
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

bool session_is_odd(const struct session *s)
{
    const struct record_reader_stats *t = &s->told;
    return s->foreign + s->absurd + s->ahead + t->bad_message + t->bad_set + t->bad_record +
                   t->bad_value + t->unknown_template >
               0 ||
           s->clock.differs;
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
