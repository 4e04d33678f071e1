// See mail_log.h. The form is told line by line, for one file may hold several programs' lines.
#include "maillog/mail_log.h"

#include <stdlib.h>

#include "maillog/exim.h"
#include "maillog/mail_event.h"
#include "maillog/mail_line.h"
#include "maillog/postfix.h"

#define CLOCK_BACK_MS  5000
#define CLOCK_AHEAD_MS 3600000
#define LAST_AHEAD_MS  (INT64_C(24) * 3600000) // the last line may be so far behind a quiet night
#define PATIENCE_MS    3000                    // nothing waits for longer

struct mail_log {
    struct mail_log_config config;
    struct mail_log_stats stats;
    struct mail_join *join;
    struct mail_emit *emit;
    struct mail_clock clock;
    struct mail_event event;
    struct mail_note note;
    int64_t latest_ms, advanced_ms;
    int64_t here_ms;  // the latest stamp of this file
    int64_t first_ms; // its first, when its stamps have no year; 0: not known
    int64_t wall_ms;  // this machine's clock; 0: not asked
    struct span line; // that is being read
    // A line that is far ahead of those before it waits for the next, which tells whether the time is the log's
    // or this line's alone.
    struct {
        size_t len; // 0: none waits
        int64_t t_ms;
        uint8_t text[MAIL_LINE_MAX];
    } held;
    bool settled;       // the line being read was judged already: `settled_ms` is its time
    int64_t settled_ms; // 0: its own
    bool again;         // the line was read for its time only
    bool quiet;
    char last_error[160];
    // Of the last line that named one: a filter with a file of its own names none.
    uint8_t host[64];
    size_t host_len;
};

static void on_record(void *ctx, struct record_mail *r)
{
    struct mail_log *l = ctx;
    if (!l->quiet)
        mail_emit_record(l->emit, r);
}

struct mail_log *mail_log_new(const struct mail_log_config *config)
{
    struct mail_log *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->config = *config;
    l->config.join.tell = on_record;
    l->config.join.ctx = l;
    l->clock.now_ms = config->now_ms;
    l->join = mail_join_new(&l->config.join);
    l->emit = mail_emit_new(&l->config.emit);
    if (!l->join || !l->emit) {
        mail_log_free(l);
        return NULL;
    }
    return l;
}

void mail_log_free(struct mail_log *l)
{
    if (!l)
        return;
    mail_event_fini(&l->event);
    mail_join_free(l->join);
    mail_emit_free(l->emit);
    free(l);
}

// ---- Time.

static void move(struct mail_log *l, int64_t t_ms)
{
    if (t_ms <= l->latest_ms) {
        l->stats.clock_back += t_ms + CLOCK_BACK_MS < l->latest_ms;
        return;
    }
    l->latest_ms = t_ms;
    if (t_ms - l->advanced_ms < 1000)
        return;
    l->advanced_ms = t_ms;
    mail_join_advance(l->join, t_ms);
    if (!l->quiet)
        mail_emit_advance(l->emit, t_ms);
}

void mail_log_clock(struct mail_log *l, int64_t now_ms)
{
    l->wall_ms = now_ms;
    l->clock.now_ms = now_ms;
}

// The file before may be of another year.
void mail_log_begin(struct mail_log *l, int64_t first_ms, int64_t ref_ms)
{
    l->here_ms = 0;
    l->first_ms = first_ms;
    l->clock.now_ms = ref_ms;
    if (first_ms > 0)
        l->clock = (struct mail_clock){.now_ms = ref_ms, .last_ms = first_ms};
}

int64_t mail_log_latest(const struct mail_log *l)
{
    return l->latest_ms;
}

int64_t mail_log_latest_here(const struct mail_log *l)
{
    return l->here_ms;
}

static void read_line(struct mail_log *l, struct span text);

// Names the year of stamps without one: a time that is not believed must not.
static void forget_stamp(struct mail_log *l, int64_t known_ms)
{
    known_ms = known_ms > l->first_ms ? known_ms : l->first_ms;
    if (l->clock.last_ms > known_ms)
        l->clock.last_ms = known_ms;
}

// Reads the line that waits, at its own time or, when that is not believed, at `t_ms`.
static void settle(struct mail_log *l, bool believed, int64_t t_ms)
{
    struct span text = span_of(l->held.text, l->held.len);
    l->held.len = 0;
    l->settled = true;
    l->settled_ms = believed ? 0 : t_ms;
    l->stats.clock_ahead += !believed;
    forget_stamp(l, l->latest_ms); // the line behind it was looked at already
    read_line(l, text);
    l->settled = false;
    if (!believed)
        forget_stamp(l, l->latest_ms);
}

static void hold(struct mail_log *l, int64_t t_ms)
{
    memcpy(l->held.text, l->line.data, l->line.len);
    l->held.len = l->line.len;
    l->held.t_ms = t_ms;
    forget_stamp(l, l->latest_ms);
}

// Nothing comes behind the line that waits. Live, this machine's clock has passed it; of a file nobody confirms
// it, so it is believed as far as a quiet night goes.
static void settle_last(struct mail_log *l)
{
    if (l->held.len > 0)
        settle(l,
               l->wall_ms != 0 || l->latest_ms == 0 || l->held.t_ms <= l->latest_ms + LAST_AHEAD_MS,
               l->latest_ms);
}

// The time of the line that is being read, in its place. False: it waits, or has to be read again.
static bool judge(struct mail_log *l, int64_t *t_ms)
{
    int64_t own_ms = *t_ms;
    l->here_ms = own_ms > l->here_ms ? own_ms : l->here_ms;
    if (l->settled) {
        *t_ms = l->settled_ms ? l->settled_ms : own_ms;
        return true;
    }
    if (l->wall_ms != 0 && own_ms > l->wall_ms + CLOCK_AHEAD_MS) {
        *t_ms = l->latest_ms > 0 ? l->latest_ms : l->wall_ms;
        l->stats.clock_ahead++;
        forget_stamp(l, *t_ms);
        return true;
    }
    if (l->held.len > 0) {
        struct span line = l->line;
        settle(l, own_ms + CLOCK_AHEAD_MS >= l->held.t_ms,
               l->latest_ms > 0 ? l->latest_ms : own_ms);
        l->line = line;
        l->again = true;
        return false;
    }
    bool near_clock = l->wall_ms != 0 && own_ms + CLOCK_AHEAD_MS >= l->wall_ms;
    if (near_clock || (l->latest_ms > 0 && own_ms <= l->latest_ms + CLOCK_AHEAD_MS))
        return true;
    hold(l, own_ms);
    return false;
}

void mail_log_advance(struct mail_log *l, int64_t t_ms)
{
    settle_last(l);
    move(l, t_ms);
}

// ---- Lines.

static void take(struct mail_log *l, struct mail_note *note, struct span host)
{
    if (!judge(l, &note->t_ms))
        return;
    move(l, note->t_ms);
    l->stats.odd_queue_ids += note->odd_id;
    if (note->t_ms < l->latest_ms) // lines of several processes overtake one another
        note->t_ms = l->latest_ms;
    if (note->kind != MAIL_NOTE_NONE)
        mail_join_note(l->join, note, host);
}

static void take_syslog(struct mail_log *l, const struct mail_line *line)
{
    bool known;
    if (span_begins(line->program, "exim") && l->config.format != MAIL_LOG_POSTFIX) {
        l->note = (struct mail_note){.t_ms = line->t_ms, .pid = line->pid};
        struct span text = line->message;
        int64_t own_ms;
        size_t n = mail_line_stamp(&l->clock, text, &own_ms);
        if (n > 0 && n < text.len && text.data[n] == ' ') // Exim stamps what it gives to syslog too
            text = span_cut(text, n + 1, text.len);
        l->note.pid = 0;
        known = exim_read(text, &l->note);
    } else {
        known = postfix_read(line, &l->note);
    }
    if (!known) {
        int64_t t_ms = line->t_ms;
        if (judge(l, &t_ms)) {
            l->stats.lines_other++;
            move(l, t_ms);
        }
        return;
    }
    struct span host = line->host;
    if (host.len == 0)
        host = span_of(l->host, l->host_len);
    else if (host.len <= sizeof l->host)
        memcpy(l->host, host.data, l->host_len = host.len);
    take(l, &l->note, host);
}

static void take_json(struct mail_log *l, struct span text)
{
    switch (mail_event_read(&l->event, text)) {
    case MAIL_EVENT_NOTE: take(l, &l->event.note, l->event.server); break;
    case MAIL_EVENT_LINE: take_syslog(l, &l->event.line); break;
    case MAIL_EVENT_OTHER: l->stats.lines_other++; break;
    case MAIL_EVENT_BROKEN:
    default:
        l->stats.lines_broken++;
        memcpy(l->last_error, l->event.error, sizeof l->last_error);
        break;
    }
}

static bool take_exim(struct mail_log *l, struct span text)
{
    int64_t t_ms;
    size_t n = mail_line_stamp(&l->clock, text, &t_ms);
    if (n == 0 || n >= text.len || text.data[n] != ' ')
        return false;
    l->note = (struct mail_note){.t_ms = t_ms};
    if (!exim_read(span_cut(text, n + 1, text.len), &l->note))
        return false;
    take(l, &l->note, (struct span){0});
    return true;
}

static void read_line(struct mail_log *l, struct span text)
{
    struct mail_line line;
    int format = l->config.format;
    l->line = text;
    if (text.data[0] == '{' && (format == MAIL_LOG_AUTO || format == MAIL_LOG_EVENT)) {
        take_json(l, text);
        return;
    }
    if (format == MAIL_LOG_EVENT) {
        l->stats.lines_broken++;
        return;
    }
    if (format != MAIL_LOG_POSTFIX && take_exim(l, text))
        return;
    if (mail_line_parse(&l->clock, text, &line))
        take_syslog(l, &line);
    else
        l->stats.lines_unknown++;
}

void mail_log_line(struct mail_log *l, struct span text)
{
    l->stats.lines++;
    if (text.len > MAIL_LINE_MAX) {
        l->stats.lines_long++;
        text.len = MAIL_LINE_MAX;
    }
    while (text.len > 0 && (text.data[text.len - 1] == '\r' || text.data[text.len - 1] == '\n'))
        text.len--;
    if (text.len == 0)
        return;
    read_line(l, text);
    if (!l->again)
        return;
    l->again = false;
    read_line(l, text);
}

void mail_log_quiet(struct mail_log *l, bool quiet)
{
    l->quiet = quiet;
}

void mail_log_caught_up(struct mail_log *l, bool all_told)
{
    settle_last(l);
    if (all_told)
        mail_join_advance(l->join, l->latest_ms + PATIENCE_MS);
    l->quiet = false;
    l->stats = (struct mail_log_stats){0};
    mail_join_clear_stats(l->join);
}

void mail_log_finish(struct mail_log *l)
{
    settle_last(l);
    mail_join_advance(l->join, l->latest_ms + PATIENCE_MS);
    mail_emit_finish(l->emit);
}

int mail_log_error(const struct mail_log *l)
{
    return mail_emit_error(l->emit);
}

const char *mail_log_last_error(const struct mail_log *l)
{
    return l->last_error;
}

const struct mail_log_stats *mail_log_stats(const struct mail_log *l)
{
    return &l->stats;
}

const struct mail_join_stats *mail_log_join_stats(const struct mail_log *l)
{
    return mail_join_stats(l->join);
}

void mail_log_status(const struct mail_log *l, struct control_status *s)
{
    const struct mail_join_stats *joined = mail_join_stats(l->join);
    if (l->latest_ms > 0)
        control_status_time(s, l->latest_ms);
#define X(name, text) control_status_counter(s, #name, l->stats.name);
    MAIL_LOG_STATS(X)
#undef X
#define X(name, text) control_status_counter(s, #name, joined->name);
    MAIL_JOIN_STATS(X)
#undef X
    control_status_counter(s, "evicted", mail_join_evicted(l->join));
    control_status_counter(s, "records", mail_emit_count(l->emit));
    if (l->stats.lines_broken > 0)
        control_status_problem(s, 1, "broken-line", l->last_error,
                               "see docs/formats/mail-event.md; the line was passed over");
    if (l->stats.clock_ahead > 0)
        control_status_problem(s, 1, "clock-ahead",
                               "lines are stamped an hour and more ahead of this machine's clock, "
                               "or of the lines around them",
                               "compare the clocks; such lines count as of the latest time");
    if (l->stats.odd_queue_ids > 0)
        control_status_problem(s, 1, "odd-queue-ids",
                               "lines name messages by ids of no form known here, and tell nothing",
                               "docs/mail-log.md has the servers that are read; any other can "
                               "write mail events");
    if (l->stats.lines > 100 && l->stats.lines_unknown * 2 > l->stats.lines)
        control_status_problem(s, 1, "unknown-lines", "most lines are of no form known here",
                               "give a mail server's log, or set sensor.mail_log.format");
}
