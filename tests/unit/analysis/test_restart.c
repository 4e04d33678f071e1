// A stop, a crash, a damaged state: the verdicts are the same, none is lost and none is said twice.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/control_socket.h"
#include "common/log.h"
#include "folder.h"
#include "follow.h"
#include "overrides.h"
#include "rig.h"
#include "snapshot.h"
#include "stream.h"

// Two bots one after the other, with a quiet time in which the first one's verdict is closed.
static void put_flows(struct rig *r, unsigned host, int64_t start_ms)
{
    struct rig_flow *f = calloc(120, sizeof *f);
    for (uint32_t i = 0; i < 120; i++)
        f[i] = (struct rig_flow){.start_ms = start_ms + i * 5000,
                                 .provider = i % 60 + 1,
                                 .outcome = i % 5 ? MINUTE_OUTCOME_UNANSWERED
                                                  : MINUTE_OUTCOME_GREETED};
    // A class that only one of them has: its name is saved with the state.
    const char *class_ = host == 8 ? "business" : NULL;
    rig_play(r, &(struct rig_who){.host = host, .line = true, .network_class = class_}, f, 120);
    free(f);
}

// Either the first part of the journal, or the rest.
static void write_journal(bool first, bool rest)
{
    struct rig r;
    struct journal_options options = {.segment_octets_max = 1 << 20};
    rig_init(&r, NULL);
    assert_int_equal(journal_writer_open("journal", &options, &r.journal), 0);
    if (first)
        put_flows(&r, 7, 0);
    if (rest) {
        assert_int_equal(journal_commit(r.journal, RIG_EPOCH_MS + 8 * 3600000LL), 0);
        put_flows(&r, 8, 9 * 3600000LL);
        put_flows(&r, 7, 10 * 3600000LL);
        assert_int_equal(journal_commit(r.journal, RIG_EPOCH_MS + 11 * 3600000LL), 0);
    }
    assert_int_equal(journal_writer_close(r.journal), 0);
    r.journal = NULL;
    rig_fini(&r);
}

struct said {
    char *text;
    size_t len;
    FILE *f;
};

static void say(const struct verdict *v, void *ctx)
{
    struct said *s = ctx;
    json_t *j = verdict_to_json(v);
    assert_int_equal(json_write_line(s->f, j), 0);
    json_decref(j);
}

// Plays the journal, taking the state over into another engine after every `each` entries.
static char *play_in_pieces(const struct rig *r, uint64_t each)
{
    struct said said = {0};
    said.f = open_memstream(&said.text, &said.len);
    struct engine_options options = {
        .settings = r->settings, .site = &r->site, .conf_hash = r->hash};
    struct snapshot_place place = {0};
    bool more = true;
    for (unsigned piece = 0; more; piece++) {
        struct engine *e = engine_new(&options, say, &said);
        struct follow f = {.engine = {e}};
        assert_non_null(e);
        if (piece > 0)
            assert_int_equal(snapshot_load(e, &place, "state"), 0);
        assert_int_equal(follow_open(&f, "journal", piece ? &place.cursor : NULL, NULL), 0);
        int rc = follow_take(&f, each);
        assert_true(rc >= 0);
        more = rc > 0;
        place.cursor = journal_reader_cursor(f.reader);
        assert_int_equal(snapshot_save(e, &place, "state"), 0);
        follow_close(&f);
        engine_free(e);
    }
    fclose(said.f);
    return said.text;
}

static void a_state_goes_on_where_it_was(void **state)
{
    (void)state;
    struct rig r;
    write_journal(true, true);
    rig_init(&r, NULL);
    char *whole = play_in_pieces(&r, 0);
    assert_non_null(strstr(whole, "\"event\":\"closed\""));
    assert_non_null(strstr(whole, "business"));
    for (uint64_t each = 1; each <= 64; each = each * 3 + 1) {
        char *pieces = play_in_pieces(&r, each);
        assert_string_equal(pieces, whole);
        free(pieces);
    }
    free(whole);
    rig_fini(&r);
}

static void a_damaged_state_is_refused(void **state)
{
    (void)state;
    struct rig r;
    struct snapshot_place place;
    write_journal(true, false);
    rig_init(&r, NULL);
    free(play_in_pieces(&r, 0));
    struct stat st;
    assert_int_equal(stat("state", &st), 0);
    struct engine_options options = {.settings = r.settings, .site = &r.site, .conf_hash = r.hash};
    // Every 37th octet changed, and every length of a cut file in steps.
    for (off_t at = 0; at < st.st_size; at += st.st_size / 60 + 1) {
        for (int cut = 0; cut <= 1; cut++) {
            struct engine *e = engine_new(&options, say, NULL);
            int fd = open("state", O_RDWR);
            char *copy = malloc((size_t)st.st_size);
            assert_int_equal(pread(fd, copy, (size_t)st.st_size, 0), st.st_size);
            FILE *f = fopen("broken", "w");
            size_t len = cut ? (size_t)at : (size_t)st.st_size;
            if (!cut)
                copy[at] = (char)(copy[at] ^ 0x5a);
            assert_int_equal(fwrite(copy, 1, len, f), len);
            fclose(f);
            close(fd);
            free(copy);
            int rc = snapshot_load(e, &place, "broken");
            assert_true(rc == -EBADMSG || rc == -EPROTO);
            engine_free(e);
        }
    }
    struct engine *e = engine_new(&options, say, NULL);
    assert_int_equal(snapshot_load(e, &place, "nowhere"), -ENOENT);
    engine_free(e);
    rig_fini(&r);
}

static void a_cut_line_is_taken_back(void **state)
{
    (void)state;
    struct stream s;
    struct verdict v = {.event = VERDICT_OPENED, .id = "v1", .made_ms = RIG_EPOCH_MS};
    v.party = (struct party){.kind = PARTY_LINE, .id = "7"};
    snprintf(v.role, sizeof v.role, "household");
    struct ip_prefix p;
    assert_int_equal(prefix_parse("10.0.0.7", &p), 0);
    v.key = subscriber_key_of(&(struct realm){0}, &p);
    assert_int_equal(stream_open(&s, "v.jsonl"), 0);
    assert_int_equal(stream_put(&s, &v), 0);
    int64_t one = s.octets;
    stream_close(&s);
    int fd = open("v.jsonl", O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "{\"cut", 5), 5);
    close(fd);
    assert_int_equal(stream_open(&s, "v.jsonl"), 0);
    assert_int_equal(s.octets, one);
    assert_int_equal(s.last_ms, RIG_EPOCH_MS);
    // The same again is passed over, the next is not.
    stream_skip(&s, 0, true);
    assert_int_equal(stream_put(&s, &v), 0);
    assert_int_equal(s.octets, one);
    assert_int_equal(stream_put(&s, &v), 0);
    assert_int_equal(s.octets, 2 * one);
    // Under other rules the time decides.
    stream_skip(&s, 0, false);
    assert_int_equal(stream_put(&s, &v), 0);
    assert_int_equal(s.octets, 2 * one);
    v.made_ms++;
    assert_int_equal(stream_put(&s, &v), 0);
    assert_true(s.octets > 2 * one);
    stream_close(&s);
}

static void write_config(void)
{
    FILE *f = fopen("postern.yaml", "w");
    fprintf(f,
            "site:\n  run_directory: %s\nanalysis:\n  journal: %s/journal\n  verdicts: "
            "%s/verdicts.jsonl\n  state: %s/state.d\n  poll: 100ms\n  save_every: 10s\n",
            folder, folder, folder, folder);
    assert_int_equal(fclose(f), 0);
}

static pid_t start(void)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("said", O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, 2);
        execl(ANALYSIS, ANALYSIS, "-c", "postern.yaml", (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

static int run_job(const char *output)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        execl(ANALYSIS, ANALYSIS, "-c", "postern.yaml", "-j", "journal", "-o", output,
              (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *read_whole(const char *path)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len), *in = fopen(path, "r");
    for (int c; in && (c = getc(in)) != EOF;)
        putc(c, out);
    if (in)
        fclose(in);
    fclose(out);
    return text;
}

// Waits until the file of verdicts is that long; ten seconds at most.
static void await(size_t len)
{
    struct stat st = {0};
    for (int i = 0; i < 200; i++) {
        if (stat("verdicts.jsonl", &st) == 0 && (size_t)st.st_size >= len)
            return;
        usleep(50000);
    }
    fail_msg("only %zu of %zu octets of verdicts came", (size_t)st.st_size, len);
}

static void end(pid_t pid, int signal, bool cleanly)
{
    int status;
    assert_int_equal(kill(pid, signal), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(cleanly, WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_service_is_stopped_and_crashes(void **state)
{
    (void)state;
    write_config();
    write_journal(true, false);
    assert_int_equal(run_job("first.jsonl"), 0);
    char *first = read_whole("first.jsonl");
    assert_true(strlen(first) > 0);
    // Killed before it has saved anything: the next one begins anew and says nothing twice.
    pid_t pid = start();
    await(strlen(first));
    end(pid, SIGKILL, false);
    pid = start();
    char path[128], error[400];
    json_t *why = NULL;
    assert_int_equal(control_socket_path(folder, "postern-analysis", path, sizeof path), 0);
    int rc = -ENOENT;
    for (int i = 0; i < 100; i++) {
        json_t *q = json_pack("{s:i, s:s, s:s}", "v", 1, "command", "why", "who", "line:7");
        rc = control_ask(path, q, 2000, &why, error);
        json_decref(q);
        if (rc == 0 && json_array_size(json_object_get(why, "open_verdicts")) > 0)
            break;
        json_decref(why);
        why = NULL;
        usleep(50000);
    }
    if (rc != 0)
        fail_msg("why: %s", error);
    assert_int_equal(json_array_size(json_object_get(why, "open_verdicts")), 1);
    json_decref(why);
    // Stopped in good order, it goes on from its state.
    end(pid, SIGTERM, true);
    assert_int_equal(access("state.d/state", R_OK), 0);
    char *now = read_whole("verdicts.jsonl");
    assert_string_equal(now, first);
    free(now);
    pid = start();
    write_journal(false, true);
    assert_int_equal(run_job("all.jsonl"), 0);
    char *all = read_whole("all.jsonl");
    await(strlen(all));
    end(pid, SIGTERM, true);
    now = read_whole("verdicts.jsonl");
    assert_string_equal(now, all);
    free(now);
    free(all);
    free(first);
}

static json_t *said(const char *text)
{
    json_t *j = json_loads(text, 0, NULL);
    assert_non_null(j);
    return j;
}

static void what_the_desk_says(void **state)
{
    (void)state;
    struct overrides *o = overrides_new();
    struct party seven = {.kind = PARTY_LINE, .id = "7"}, eight = {.kind = PARTY_LINE, .id = "8"};
    struct ip_prefix p;
    char error[OVERRIDE_ERROR];
    assert_int_equal(prefix_parse("10.0.0.7", &p), 0);
    struct subscriber_key key = subscriber_key_of(&(struct realm){0}, &p);
    static const struct {
        bool role;
        const char *text;
        int rc;
    } cases[] = {
        {false,
         "{\"subject\":\"line:7\",\"class\":\"spambot-direct\",\"owner\":\"desk\",\"reason\":"
         "\"lab\","
         "\"expires\":\"2026-12-01T00:00:00Z\"}",
         0},
        {false, "{\"subject\":\"line:7\",\"class\":\"all\",\"owner\":\"desk\",\"reason\":\"lab\"}",
         -EINVAL},
        {false,
         "{\"subject\":\"line:7\",\"class\":\"spam\",\"owner\":\"desk\",\"reason\":\"lab\","
         "\"expires\":\"2026-12-01T00:00:00Z\"}",
         -EINVAL},
        {false, "{\"end\":\"line:9\"}", -EINVAL},
        {true,
         "{\"party\":\"line:8\",\"role\":\"mail-server\",\"owner\":\"desk\",\"reason\":"
         "\"contract\"}",
         0},
        {true, "{\"party\":\"line:8\",\"role\":\"king\",\"owner\":\"desk\",\"reason\":\"x\"}",
         -EINVAL},
        {true, "{\"party\":\"8\",\"role\":\"household\",\"owner\":\"desk\",\"reason\":\"x\"}",
         -EINVAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *j = said(cases[i].text);
        int rc = cases[i].role ? overrides_role(o, j, RIG_EPOCH_MS, error)
                               : overrides_exempt(o, j, RIG_EPOCH_MS, error);
        assert_int_equal(rc, cases[i].rc);
        json_decref(j);
    }
    for (int loaded = 0; loaded <= 1; loaded++) {
        const int64_t t = RIG_EPOCH_MS;
        assert_true(overrides_is_exempt(o, VERDICT_SPAMBOT_DIRECT, &seven, &key, t));
        assert_false(overrides_is_exempt(o, VERDICT_SPAMBOT_DIRECT, &seven, &key, t - 1));
        assert_false(
            overrides_is_exempt(o, VERDICT_SPAMBOT_DIRECT, &seven, &key, t + 30 * 86400000LL));
        assert_false(overrides_is_exempt(o, VERDICT_HARVESTER, &seven, &key, t));
        assert_false(overrides_is_exempt(o, VERDICT_SPAMBOT_DIRECT, &eight, &key, t));
        assert_int_equal(overrides_role_of(o, &eight, ROLE_HOUSEHOLD, t), ROLE_MAIL_SERVER);
        assert_int_equal(overrides_role_of(o, &eight, ROLE_HOUSEHOLD, t - 1), ROLE_HOUSEHOLD);
        assert_int_equal(overrides_role_of(o, &seven, ROLE_UNKNOWN, t), ROLE_UNKNOWN);
        assert_int_equal(overrides_save(o, "overrides.json"), 0);
        overrides_free(o);
        o = overrides_new();
        assert_int_equal(overrides_load(o, "overrides.json", error), 0);
    }
    // Ended, both hold no more, and what was before stays as it was.
    json_t *j = said("{\"end\":\"line:7\"}");
    assert_int_equal(overrides_exempt(o, j, RIG_EPOCH_MS + 1000, error), 0);
    json_decref(j);
    j = said("{\"party\":\"line:8\",\"role\":\"auto\",\"owner\":\"desk\",\"reason\":\"left\"}");
    assert_int_equal(overrides_role(o, j, RIG_EPOCH_MS + 1000, error), 0);
    json_decref(j);
    assert_false(overrides_is_exempt(o, VERDICT_SPAMBOT_DIRECT, &seven, &key, RIG_EPOCH_MS + 1000));
    assert_true(overrides_is_exempt(o, VERDICT_SPAMBOT_DIRECT, &seven, &key, RIG_EPOCH_MS + 999));
    assert_int_equal(overrides_role_of(o, &eight, ROLE_HOUSEHOLD, RIG_EPOCH_MS + 1000),
                     ROLE_HOUSEHOLD);
    overrides_free(o);
    o = overrides_new();
    FILE *f = fopen("broken.json", "w");
    fputs("{\"v\":1}", f);
    fclose(f);
    assert_int_equal(overrides_load(o, "broken.json", error), -EINVAL);
    assert_int_equal(overrides_load(o, "nowhere.json", error), 0);
    overrides_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_state_goes_on_where_it_was),     FOLDER_TEST(a_damaged_state_is_refused),
        FOLDER_TEST(a_cut_line_is_taken_back),         FOLDER_TEST(what_the_desk_says),
        FOLDER_TEST(a_service_is_stopped_and_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
