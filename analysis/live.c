// The running analysis. See live.h.
#include "live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "explain.h"
#include "follow.h"
#include "overrides.h"
#include "snapshot.h"
#include "stream.h"

#define ENTRIES_AT_ONCE 20000 // then the loop is served: a long backlog must not make it deaf

struct live {
    struct daemon *daemon;
    const struct settings *settings; // borrowed
    struct follow follow;
    struct engine *engine;
    struct stream stream;
    char *snapshot;
    char *overrides_path;
    struct overrides *overrides;
    int error;        // first failed write
    int64_t saved_ms; // mark of the last saved state
    int saves_failed;
    bool more_timer;
};

static void put(const struct verdict *v, void *ctx)
{
    struct live *l = ctx;
    int rc = stream_put(&l->stream, v);
    if (rc != 0 && l->error == 0)
        l->error = rc;
}

static int new_engine(struct live *l)
{
    struct engine_options options = {.settings = l->settings,
                                     .site = l->daemon->site,
                                     .overrides = l->overrides,
                                     .conf_hash = l->daemon->conf_hash};
    l->engine = engine_new(&options, put, l);
    l->follow.engine[0] = l->engine;
    return l->engine ? 0 : -ENOMEM;
}

// The saved state, or a fresh one. `*from` is where to read on; NULL: from the oldest segment.
static int take_up(struct live *l, struct snapshot_place *place, bool *resumed)
{
    int rc = new_engine(l);
    *resumed = false;
    if (rc != 0)
        return rc;
    rc = snapshot_load(l->engine, place, l->snapshot);
    if (rc == 0) {
        *resumed = true;
        l->follow.last_ms = l->saved_ms = place->last_ms;
        stream_skip(&l->stream, place->verdict_octets,
                    strcmp(place->conf_hash, l->daemon->conf_hash) == 0);
        return 0;
    }
    if (rc == -ENOMEM)
        return rc;
    if (rc != -ENOENT)
        log_warning("%s: %s; the journal is read from its start instead", l->snapshot,
                    rc == -EPROTO    ? "saved by another version"
                    : rc == -EBADMSG ? "damaged"
                                     : strerror(-rc));
    engine_free(l->engine);
    stream_skip(&l->stream, 0, false);
    return new_engine(l);
}

static int open_parts(struct live *l)
{
    const struct settings *s = l->settings;
    struct snapshot_place place;
    bool resumed;
    if (mkdir(s->state, 0750) != 0 && errno != EEXIST) {
        log_error("%s: %s; name a folder that can be written with analysis.state", s->state,
                  strerror(errno));
        return EX_CANTCREAT;
    }
    if (asprintf(&l->snapshot, "%s/state", s->state) < 0) {
        l->snapshot = NULL;
        return EX_OSERR;
    }
    char wrong[OVERRIDE_ERROR];
    l->overrides = overrides_new();
    if (!l->overrides || asprintf(&l->overrides_path, "%s/overrides.json", s->state) < 0) {
        l->overrides_path = NULL;
        return EX_OSERR;
    }
    if (overrides_load(l->overrides, l->overrides_path, wrong) != 0) {
        log_error("%s: %s; mend or move it away", l->overrides_path, wrong);
        return EX_DATAERR;
    }
    int rc = stream_open(&l->stream, s->verdicts);
    if (rc != 0) {
        log_error("%s: %s; name a file that can be written with analysis.verdicts", s->verdicts,
                  strerror(-rc));
        return EX_CANTCREAT;
    }
    rc = take_up(l, &place, &resumed);
    if (rc != 0) {
        log_error("out of memory; lower analysis.parties_max");
        return EX_OSERR;
    }
    return follow_open(&l->follow, s->journal, resumed ? &place.cursor : NULL, s->journal_keys);
}

int live_open(struct daemon *d, struct live **out)
{
    struct live *l = calloc(1, sizeof *l);
    if (!l)
        return EX_OSERR;
    l->daemon = d;
    l->settings = d->conf;
    l->stream.fd = -1;
    int code = open_parts(l);
    if (code != 0) {
        free(l->snapshot);
        l->snapshot = NULL;
        live_close(l);
        return code;
    }
    *out = l;
    return 0;
}

// Everything before this place is in the file of verdicts for good.
static void save(struct live *l)
{
    struct snapshot_place place = {.cursor = journal_reader_cursor(l->follow.reader),
                                   .last_ms = l->follow.last_ms};
    // While what was said before is only said again, the old state is the better one.
    if (l->stream.skip > 0 || l->follow.last_ms == l->saved_ms)
        return;
    place.verdict_octets = l->stream.octets;
    snprintf(place.conf_hash, sizeof place.conf_hash, "%s", l->daemon->conf_hash);
    int rc = stream_sync(&l->stream);
    if (rc == 0)
        rc = snapshot_save(l->engine, &place, l->snapshot);
    if (rc != 0) {
        l->saves_failed++;
        log_error("%s: %s; after a restart the journal is read from an older place", l->snapshot,
                  strerror(-rc));
        return;
    }
    l->saved_ms = l->follow.last_ms;
}

static void take_some(struct loop *loop, int64_t now_ms, void *ctx)
{
    struct live *l = ctx;
    (void)now_ms;
    l->more_timer = false;
    int rc = follow_take(&l->follow, ENTRIES_AT_ONCE);
    if (rc >= 0 && l->error == 0)
        l->error = stream_sync(&l->stream);
    if (l->error != 0) {
        log_error("%s: %s; verdicts cannot be written, make room or mend the rights",
                  l->settings->verdicts, strerror(-l->error));
        loop_stop(loop, EX_IOERR);
        return;
    }
    if (rc < 0) {
        log_error("%s: %s", l->settings->journal, strerror(-rc));
        loop_stop(loop, rc == -ENOMEM ? EX_OSERR : EX_IOERR);
        return;
    }
    if (rc > 0)
        l->more_timer = loop_after(loop, 1, take_some, l) > 0;
}

static void poll_journal(struct loop *loop, int64_t now_ms, void *ctx)
{
    struct live *l = ctx;
    if (!l->more_timer)
        take_some(loop, now_ms, l);
}

static void save_now(struct loop *loop, int64_t now_ms, void *ctx)
{
    (void)loop;
    (void)now_ms;
    save(ctx);
}

int live_start(struct live *l)
{
    struct loop *loop = l->daemon->loop;
    int rc = loop_every(loop, l->settings->poll_ms, poll_journal, l);
    if (rc > 0)
        rc = loop_every(loop, l->settings->snapshot_ms, save_now, l);
    if (rc > 0)
        return 0;
    log_error("timer: %s", strerror(-rc));
    return EX_OSERR;
}

void live_close(struct live *l)
{
    if (!l)
        return;
    if (l->snapshot && l->follow.reader && l->error == 0)
        save(l);
    follow_close(&l->follow);
    stream_close(&l->stream);
    engine_free(l->engine);
    overrides_free(l->overrides);
    free(l->overrides_path);
    free(l->snapshot);
    free(l);
}

int live_reload(struct live *l, const struct settings *settings)
{
    // The skeleton takes its own hash over once this has succeeded. conf_print writes through no pointer.
    const struct conf_section sections[] = {
        {"site", conf_site_keys, (void *)(uintptr_t)l->daemon->site},
        {"analysis", settings_keys(), (void *)(uintptr_t)settings}};
    char hash[33];
    conf_hash(sections, 2, hash);
    struct engine_options options = {.settings = settings,
                                     .site = l->daemon->site,
                                     .overrides = l->overrides,
                                     .conf_hash = hash};
    int rc = engine_reconfigure(l->engine, &options);
    if (rc == 0)
        l->settings = settings;
    return rc;
}

void live_status(const struct live *l, struct control_status *out)
{
    const struct journal_stats *j = journal_reader_stats(l->follow.reader);
    control_status_time(out, l->follow.last_ms);
    control_status_counter(out, "journal_blocks", j->blocks);
    control_status_counter(out, "journal_bad_blocks", j->bad_blocks);
    control_status_counter(out, "verdicts_written", l->stream.written);
    control_status_counter(out, "verdicts_said_again", l->stream.skipped);
    engine_status(l->engine, out);
    if (j->bad_blocks > 0)
        control_status_problem(out, 1, "journal-damaged",
                               "blocks of the journal were passed over: their minutes are missing",
                               "postern-collector --verify names them");
    if (l->saves_failed > 0)
        control_status_problem(out, 1, "state-not-saved",
                               "the state could not be saved; a restart reads more of the journal",
                               "check space and rights of analysis.state");
}

static json_t *refused(struct control_error *error, const char *code, const char *text,
                       const char *fix)
{
    error->code = code;
    snprintf(error->text, sizeof error->text, "%.190s", text);
    snprintf(error->fix, sizeof error->fix, "%s", fix);
    return NULL;
}

static json_t *why(const struct live *l, const json_t *request, struct control_error *error)
{
    const char *who = json_string_value(json_object_get(request, "who"));
    json_t *result = who ? explain(l->engine, who, l->follow.last_ms) : NULL;
    if (result)
        return result;
    return refused(error, "bad-argument", "\"who\" is no party and no address",
                   "give a party (line:4711) or an address (192.0.2.7, vlan:101/192.0.2.7)");
}

// Adds or ends what is said of a subject; with nothing said, lists.
static json_t * override(struct live *l, const json_t *request, bool role,
                         struct control_error *error)
{
    char wrong[OVERRIDE_ERROR];
    bool lists = !json_object_get(request, "owner") && !json_object_get(request, "end");
    if (lists)
        return overrides_to_json(l->overrides);
    // From the next millisecond on: what was judged before it was said is judged the same after a crash.
    int64_t since_ms = l->follow.last_ms + 1;
    int rc = role ? overrides_role(l->overrides, request, since_ms, wrong)
                  : overrides_exempt(l->overrides, request, since_ms, wrong);
    if (rc != 0)
        return refused(error, "bad-argument", wrong,
                       role ? "give party, role, owner and reason"
                            : "give subject, class, owner, reason and expires, or end");
    rc = overrides_save(l->overrides, l->overrides_path);
    if (rc != 0)
        return refused(error, "failed", strerror(-rc),
                       "it holds until the next restart; make room in analysis.state");
    return overrides_to_json(l->overrides);
}

json_t *live_command(struct live *l, const char *command, const json_t *request,
                     struct control_error *error)
{
    if (strcmp(command, "why") == 0)
        return why(l, request, error);
    if (strcmp(command, "exempt") == 0 || strcmp(command, "role") == 0)
        return override(l, request, command[0] == 'r', error);
    return refused(error, "unknown-command", command, "why, exempt and role are known");
}
