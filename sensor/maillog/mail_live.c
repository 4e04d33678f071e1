// The daemon that follows mail logs. Files are looked at four times a second; once a second what was told is
// made durable, and only then the position moves: after a crash lines may be read twice, and what is told
// of them has the identity of a new epoch. See mail_live.h.
#include "maillog/mail_live.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "maillog/mail_check.h"
#include "maillog/mail_job.h"
#include "maillog/mail_journal.h"

#define TICK_MS     250
#define SAVE_MS     1000
#define LAG_MS      2000 // what a server has logged has come through syslog by then
#define OCTETS_TURN (4u << 20)

struct followed {
    const char *path; // of the configuration
    struct mail_follow *follow;
    int error;
};

struct live {
    struct daemon *d;
    struct mail_setup setup;
    struct mail_state *state;
    struct mail_journal *journal;
    struct followed *file;
    size_t files;
    uint64_t repeated; // names of a file that is followed already
    int64_t saved_ms;
    int save_error;
    bool ended_well; // the one before this
};

static const struct mail_conf *conf_of(const struct live *l)
{
    const struct sensor_conf *c = l->d->conf;
    return &c->mail_log;
}

static void on_line(void *ctx, struct span line)
{
    mail_log_line(ctx, line);
}

// ---- Opening.

static int open_state(struct live *l)
{
    const char *path = conf_of(l)->state;
    int rc = mail_state_load(path, &l->state);
    if (rc == 0) {
        l->ended_well = mail_state_ended(l->state);
        rc = mail_state_put_ended(l->state, false);
    }
    if (rc == 0)
        rc = mail_state_write(l->state, path); // better now than after the first minute
    if (rc == 0)
        return 0;
    log_error("sensor.mail_log.state: %s: %s", path,
              rc == -EINVAL
                  ? "is no state of logs; move it away, and the logs are read from their end"
                  : strerror(-rc));
    return EX_CANTCREAT;
}

static int open_files(struct live *l)
{
    const struct conf_strings *names = &conf_of(l)->files;
    l->file = calloc(names->count + 1, sizeof *l->file);
    if (!l->file)
        return setup_out_of_memory();
    for (size_t i = 0; i < names->count; i++) {
        struct mail_position at;
        bool known = mail_state_get(l->state, names->item[i], &at);
        struct followed *f = &l->file[l->files];
        if (mail_check_repeats(names, i) < i) {
            l->repeated++;
            log_warning("%s: is the same file as %s; it is followed once", names->item[i],
                        names->item[mail_check_repeats(names, i)]);
            continue;
        }
        f->path = names->item[i];
        int rc = mail_follow_open(f->path, known ? &at : NULL, true, (size_t)conf_of(l)->warm_up,
                                  on_line, l->setup.log, &f->follow);
        if (rc < 0) {
            log_error("%s: %s; let the sensor's user read it (group adm on Debian)", f->path,
                      rc == -EINVAL ? "is no plain file" : strerror(-rc));
            return EX_NOINPUT;
        }
        l->files++;
        if (!mail_follow_present(f->follow))
            log_warning("%s: is not there yet; it is waited for", f->path);
        if (mail_follow_lost(f->follow))
            log_warning(
                "%s: is not the file that was read before, nor is that one beside it; lines "
                "may be missing",
                f->path);
    }
    return 0;
}

static int open_journal(struct live *l)
{
    const struct mail_conf *c = conf_of(l);
    const char *cursor = mail_state_cursor(l->state);
    int64_t last_ms = mail_state_cursor_ms(l->state);
    int rc = 0;
    if (!c->journal)
        return 0;
    if (cursor[0] && last_ms > 0)
        rc = mail_journal_warm_up(c->journal_command, cursor, last_ms, on_line, l->setup.log);
    if (rc >= 0)
        rc = mail_journal_open(c->journal_command, cursor, last_ms, loop_clock_ms(), &l->journal);
    if (rc >= 0)
        return 0;
    log_error("sensor.mail_log.journal_command: %s: %s", c->journal_command, strerror(-rc));
    return EX_UNAVAILABLE;
}

static void free_live(struct live *l)
{
    mail_journal_close(l->journal);
    for (size_t i = 0; i < l->files; i++)
        mail_follow_close(l->file[i].follow);
    free(l->file);
    mail_state_free(l->state);
    mail_setup_close(&l->setup);
    free(l);
}

static int open_parts(struct live *l)
{
    const struct sensor_conf *c = l->d->conf;
    int rc = mail_check_live(l->d);
    if (rc == 0)
        rc = mail_setup_open(l->d, (uint8_t)(c->legal_profile - 1), false, loop_clock_ms(),
                             &l->setup);
    if (rc == 0)
        rc = open_state(l);
    if (rc != 0)
        return rc;
    mail_log_clock(l->setup.log, loop_clock_ms());
    mail_log_quiet(l->setup.log, true);
    rc = open_files(l);
    if (rc == 0)
        rc = open_journal(l);
    mail_log_caught_up(l->setup.log, l->ended_well);
    return rc;
}

int mail_live_open(struct daemon *d)
{
    struct live *l = calloc(1, sizeof *l);
    if (!l)
        return setup_out_of_memory();
    l->d = d;
    int rc = open_parts(l);
    if (rc == 0)
        d->state = l;
    else
        free_live(l);
    return rc;
}

// ---- What is needed later: logs that are made anew, the position, and journalctl when it has ended.

static void may_read_beside(struct sandbox *s, const char *path)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", path);
    sandbox_read(s, dirname(folder));
}

void mail_live_sandbox(const struct daemon *d, struct sandbox *s)
{
    static const char *const journal[] = {"/etc",     "/run/log", "/run/systemd",
                                          "/var/log", "/proc",    NULL};
    static const char *const programs[] = {"/usr", "/bin", "/lib", "/lib64", NULL};
    const struct sensor_conf *c = d->conf;
    char folder[4096];
    for (size_t i = 0; i < c->mail_log.files.count; i++)
        may_read_beside(s, c->mail_log.files.item[i]);
    snprintf(folder, sizeof folder, "%s", c->mail_log.state);
    sandbox_write(s, dirname(folder));
    setup_sandbox(d, true, s);
    if (!c->mail_log.journal)
        return;
    sandbox_allow(s, SANDBOX_PROCESSES | SANDBOX_EXEC | SANDBOX_CODE);
    for (size_t i = 0; journal[i]; i++)
        sandbox_read(s, journal[i]);
    for (size_t i = 0; programs[i]; i++)
        sandbox_run(s, programs[i]);
    sandbox_run(s, c->mail_log.journal_command);
}

// ---- Running.

static void say_change(struct followed *f, int error)
{
    if (error == f->error)
        return;
    f->error = error;
    if (error != 0)
        log_error("%s: %s; it is tried again", f->path, strerror(-error));
    else
        log_info("%s: can be read again", f->path);
}

// Durable first, then the position.
static void save(struct live *l, int64_t now_ms)
{
    struct sink *sink = &l->setup.job.sink;
    int rc = sink->kind ? sink_flush(sink, now_ms) : 0;
    for (size_t i = 0; rc == 0 && i < l->files; i++) {
        struct mail_position at = mail_follow_position(l->file[i].follow);
        if (at.inode)
            rc = mail_state_put(l->state, l->file[i].path, &at);
    }
    if (rc == 0 && l->journal)
        rc = mail_state_put_cursor(l->state, mail_journal_cursor(l->journal),
                                   mail_journal_latest_ms(l->journal));
    if (rc == 0)
        rc = mail_state_write(l->state, conf_of(l)->state);
    if (rc != l->save_error && rc != 0)
        log_error("the position in the logs cannot be kept: %s; it is tried again", strerror(-rc));
    l->save_error = rc;
    l->saved_ms = now_ms;
}

static void on_tick(struct loop *loop, int64_t now_ms, void *ctx)
{
    struct live *l = ctx;
    (void)loop;
    bool more = false;
    mail_log_clock(l->setup.log, now_ms);
    for (size_t i = 0; i < l->files; i++) {
        int rc = mail_follow_read(l->file[i].follow, OCTETS_TURN, on_line, l->setup.log);
        say_change(&l->file[i], rc < 0 ? rc : 0);
        more |= rc == 1;
    }
    if (l->journal && mail_journal_read(l->journal, now_ms, on_line, l->setup.log) == 1)
        more = true;
    // What lies behind is read first; its own stamps move the time.
    if (!more)
        mail_log_advance(l->setup.log, now_ms - LAG_MS);
    if (now_ms - l->saved_ms >= SAVE_MS || now_ms < l->saved_ms)
        save(l, now_ms);
}

int mail_live_start(struct daemon *d)
{
    struct live *l = d->state;
    for (size_t i = 0; i < l->files; i++)
        log_info("follows %s", l->file[i].path);
    if (loop_every(d->loop, TICK_MS, on_tick, l) < 0)
        return setup_out_of_memory();
    return l->setup.job.outlet ? outlet_start(l->setup.job.outlet, d->loop) : 0;
}

void mail_live_status(struct daemon *d, struct control_status *out)
{
    const struct live *l = d->state;
    uint64_t rotations = 0, truncations = 0, lost = 0;
    mail_log_status(l->setup.log, out);
    for (size_t i = 0; i < l->files; i++) {
        const struct followed *f = &l->file[i];
        bool there = mail_follow_present(f->follow);
        control_status_input(out, f->path,
                             f->error ? "broken"
                             : there  ? "whole"
                                      : "empty",
                             f->error ? strerror(-f->error)
                             : there  ? ""
                                      : "is not there");
        if (f->error || !there) {
            char text[512];
            snprintf(text, sizeof text, "%s: %s, so nothing of it is read", f->path,
                     f->error ? strerror(-f->error) : "is not there");
            control_status_problem(out, 1, "log-file", text,
                                   "correct sensor.mail_log.files, or let the sensor read it");
        }
        rotations += mail_follow_rotations(f->follow);
        truncations += mail_follow_truncations(f->follow);
        lost += mail_follow_lost(f->follow);
    }
    control_status_counter(out, "rotations", rotations);
    control_status_counter(out, "logs_repeated", l->repeated);
    if (l->repeated > 0)
        control_status_problem(out, 1, "same-log", "a log is named twice, and followed once",
                               "name it once in sensor.mail_log.files");
    control_status_counter(out, "truncations", truncations);
    control_status_counter(out, "positions_lost", lost);
    if (l->journal) {
        bool runs = mail_journal_running(l->journal);
        control_status_input(out, "journal", runs ? "whole" : "broken",
                             runs ? "" : "journalctl ended; it is started again");
        control_status_counter(out, "journal_restarts", mail_journal_restarts(l->journal));
    }
    if (l->save_error)
        control_status_problem(out, 1, "position", strerror(-l->save_error),
                               "make room for sensor.mail_log.state and sensor.spool");
    if (l->setup.map_error)
        control_status_problem(out, 1, "mailbox-map", strerror(-l->setup.map_error),
                               "make room for sensor.mail_log.mailbox_map");
    if (l->setup.job.outlet)
        outlet_status(l->setup.job.outlet, out, loop_clock_ms());
}

// What remains when the sensor has ended: --status.
static void write_status(struct live *l)
{
    const char *path = daemon_value(l->d->args, "status");
    struct control_status *s = path ? control_status_new("postern-sensor") : NULL;
    if (!s)
        return;
    control_status_conf_hash(s, l->d->conf_hash);
    mail_live_status(l->d, s);
    int rc = control_status_write(s, path);
    if (rc != 0)
        log_error("%s: %s; choose another status file", path, strerror(-rc));
    control_status_free(s);
}

void mail_live_stop(struct daemon *d)
{
    struct live *l = d->state;
    on_tick(d->loop, loop_clock_ms(), l);
    mail_log_finish(l->setup.log);
    mail_state_put_ended(l->state, mail_log_error(l->setup.log) == 0);
    save(l, loop_clock_ms());
    write_status(l);
    mail_live_abandon(d);
}

void mail_live_abandon(struct daemon *d)
{
    free_live(d->state);
    d->state = NULL;
}
