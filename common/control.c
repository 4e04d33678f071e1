// The status document: built up member by member, written whole or not at all, read with a check.
//
// A program reports on what it was fed, so names in here may come from outside: text that is not
// UTF-8 is repaired, never a reason to have no status. Out of memory is remembered and told once, when
// the document is asked for.
#include "common/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/timefmt.h"
#include "common/utf8.h"

#define STATUS_OCTETS_MAX (16 << 20)
#define TEXT_MAX          1024

// An answer is a line of CONTROL_LINE_MAX octets: with thousands of sensors not everything fits. What is left out is counted.
#define PROBLEMS_ALIKE  8     // of one code that are told one by one
#define PROBLEMS_OCTETS 20480 // of all
#define INPUTS_OCTETS   20480
#define SKIPPED_OCTETS  8192
#define CODES_MAX       24

enum state { STATE_OK, STATE_DEGRADED, STATE_FAILED, STATES };

static const char *const states[STATES] = {"ok", "degraded", "failed"};

struct alike { // problems of one code
    const char *code;
    unsigned shown, more;
    json_t *last; // says how many more; borrowed of the list. NULL: all are shown
};

struct control_status {
    json_t *root;
    int state;
    bool failed; // out of memory: the document is not complete
    size_t problem_octets, input_octets, skipped_octets;
    struct alike alike[CODES_MAX];
    size_t codes;
    uint64_t inputs_more, skipped_more;
};

json_t *control_text(const char *s)
{
    char clean[TEXT_MAX];
    size_t n = 0;
    while (*s) {
        size_t len = utf8_character(s);
        if (n + (len ? len : 1) >= sizeof clean)
            break;
        if (len)
            memcpy(clean + n, s, len);
        else
            clean[n] = '?';
        n += len ? len : 1;
        s += len ? len : 1;
    }
    clean[n] = 0;
    return json_string(clean);
}

static void put(struct control_status *s, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        s->failed = true;
}

// A number under a key that may come from outside.
static void put_count(struct control_status *s, const char *part, const char *name, uint64_t value)
{
    json_t *key = control_text(name);
    json_int_t v = value > INT64_MAX ? INT64_MAX : (json_int_t)value;
    if (!key)
        s->failed = true;
    else
        put(s, json_object_get(s->root, part), json_string_value(key), json_integer(v));
    json_decref(key);
}

// Three texts as one object; a NULL name ends early. NULL: out of memory.
static json_t *texts(struct control_status *s, const char *const names[3],
                     const char *const values[3])
{
    json_t *o = json_object();
    for (int i = 0; o && i < 3 && names[i]; i++)
        put(s, o, names[i], control_text(values[i]));
    if (!o)
        s->failed = true;
    return o;
}

static void append(struct control_status *s, const char *list, json_t *o)
{
    if (o && json_array_append_new(json_object_get(s->root, list), o) != 0)
        s->failed = true;
}

// Is there room for it among the `octets` of its list?
static bool fits(const json_t *o, size_t *octets, size_t max)
{
    size_t len = o ? json_dumpb(o, NULL, 0, JSON_COMPACT) + 1 : 0;
    if (*octets + len > max)
        return false;
    *octets += len;
    return true;
}

struct control_status *control_status_new(const char *program)
{
    struct control_status *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->root = json_object();
    if (!s->root) {
        free(s);
        return NULL;
    }
    put(s, s->root, "v", json_integer(CONTROL_VERSION));
    put(s, s->root, "program", control_text(program));
    put(s, s->root, "version", json_string(POSTERN_VERSION));
    put(s, s->root, "state", json_string(states[STATE_OK]));
    put(s, s->root, "counters", json_object());
    put(s, s->root, "skipped", json_object());
    put(s, s->root, "problems", json_array());
    put(s, s->root, "not_visible", json_array());
    put(s, s->root, "inputs", json_array());
    if (s->failed) {
        control_status_free(s);
        return NULL;
    }
    return s;
}

void control_status_free(struct control_status *s)
{
    if (!s)
        return;
    json_decref(s->root);
    free(s);
}

void control_status_time(struct control_status *s, int64_t t_ms)
{
    char out[TIME_TEXT_MAX];
    put(s, s->root, "time", json_string(time_format(t_ms, out)));
}

void control_status_conf_hash(struct control_status *s, const char *hash)
{
    put(s, s->root, "conf_hash", control_text(hash));
}

void control_status_counter(struct control_status *s, const char *name, uint64_t value)
{
    put_count(s, "counters", name, value);
}

void control_status_skipped(struct control_status *s, const char *name, uint64_t count)
{
    size_t len = strlen(name) + 24;
    if (s->skipped_octets + len > SKIPPED_OCTETS) {
        s->skipped_more += count;
        put_count(s, "skipped", "others", s->skipped_more);
        return;
    }
    s->skipped_octets += len;
    put_count(s, "skipped", name, count);
}

// Codes beyond the table share its last place.
static struct alike *alike_of(struct control_status *s, const char *code)
{
    size_t i = 0;
    while (i < s->codes && strcmp(s->alike[i].code, code) != 0)
        i++;
    if (i == CODES_MAX)
        return &s->alike[CODES_MAX - 1];
    if (i == s->codes)
        s->alike[s->codes++] = (struct alike){.code = code};
    return &s->alike[i];
}

static const char *const problem_names[3] = {"code", "text", "fix"};

static void one_more(struct control_status *s, struct alike *a)
{
    char text[80];
    snprintf(text, sizeof text, "%u more like this are not shown", ++a->more);
    if (!a->last) {
        a->last = texts(s, problem_names, (const char *const[]){a->code, text, "see the log"});
        append(s, "problems", a->last);
    } else {
        put(s, a->last, "text", json_string(text));
    }
}

void control_status_problem(struct control_status *s, int state, const char *code,
                            const char *words, const char *fix)
{
    struct alike *a = alike_of(s, code);
    if (state > s->state)
        s->state = state < STATES ? state : STATE_FAILED;
    put(s, s->root, "state", json_string(states[s->state]));
    json_t *o = a->last ? NULL : texts(s, problem_names, (const char *const[]){code, words, fix});
    if (!o || a->shown == PROBLEMS_ALIKE || !fits(o, &s->problem_octets, PROBLEMS_OCTETS)) {
        json_decref(o);
        one_more(s, a);
        return;
    }
    a->shown++;
    append(s, "problems", o);
}

// A text may be sentences (an alarm's) or the beginning of one.
const char *control_joint(const char *text, const char *fix)
{
    size_t n = text ? strlen(text) : 0;
    return !fix || !fix[0] ? "" : n > 0 && strchr(".!?", text[n - 1]) ? " " : "; ";
}

void control_status_not_visible(struct control_status *s, const char *detector, const char *why)
{
    append(s, "not_visible",
           texts(s, (const char *const[]){"detector", "why", NULL},
                 (const char *const[]){detector, why, NULL}));
}

void control_status_input(struct control_status *s, const char *name, const char *state,
                          const char *words)
{
    json_t *o = texts(s, (const char *const[]){"name", "state", "text"},
                      (const char *const[]){name, state, words});
    if (fits(o, &s->input_octets, INPUTS_OCTETS)) {
        append(s, "inputs", o);
        return;
    }
    json_decref(o);
    put_count(s, "counters", "inputs_not_shown", ++s->inputs_more);
}

json_t *control_status_json(struct control_status *s)
{
    return s->failed ? NULL : json_incref(s->root);
}

// ---- Files.

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

// Beside the target, so that the rename stays within one file system.
static int write_beside(const char *path, const char *data, size_t len)
{
    char beside[4096];
    int n = snprintf(beside, sizeof beside, "%s.%ld.new", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof beside)
        return -ENAMETOOLONG;
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    int rc = write_all(fd, data, len);
    if (rc == 0 && fdatasync(fd) != 0)
        rc = -errno;
    if (close(fd) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(beside, path) != 0)
        rc = -errno;
    if (rc != 0)
        unlink(beside);
    return rc;
}

// A pipe or terminal cannot be replaced: it is written to.
static int write_through(const char *path, const char *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = write_all(fd, data, len);
    if (close(fd) != 0 && rc == 0)
        rc = -errno;
    return rc;
}

int control_status_write(struct control_status *s, const char *path)
{
    struct stat st;
    char *line = s->failed ? NULL : json_canonical(s->root);
    if (!line)
        return -ENOMEM;
    size_t len = strlen(line);
    line[len++] = '\n'; // in place of the NUL
    bool replace = stat(path, &st) != 0 || S_ISREG(st.st_mode);
    int rc = replace ? write_beside(path, line, len) : write_through(path, line, len);
    free(line);
    return rc;
}

static int not_a_status(char error[static 160], const char *what)
{
    snprintf(error, 160, "no status document: %s", what);
    return -EINVAL;
}

static bool is_state(const char *name)
{
    for (size_t i = 0; name && i < STATES; i++)
        if (strcmp(name, states[i]) == 0)
            return true;
    return false;
}

static bool all_counts(const json_t *object)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return false;
    json_object_foreach ((json_t *)object, key, value) {
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return false;
    }
    return true;
}

// Every member of the list is an object in which all the names are texts.
static bool all_texts(const json_t *list, const char *const names[3])
{
    size_t i;
    json_t *value;
    if (!json_is_array(list))
        return false;
    json_array_foreach (list, i, value) {
        for (int k = 0; k < 3 && names[k]; k++)
            if (!json_is_string(json_object_get(value, names[k])))
                return false;
    }
    return true;
}

static int check(const json_t *j, char error[static 160])
{
    static const char *const problem[3] = {"code", "text", "fix"};
    static const char *const not_visible[3] = {"detector", "why", NULL};
    static const char *const input[3] = {"name", "state", "text"};
    if (!json_is_object(j))
        return not_a_status(error, "no object");
    if (json_integer_value(json_object_get(j, "v")) != CONTROL_VERSION)
        return not_a_status(error, "`v` is not 1: another version wrote it");
    if (!json_is_string(json_object_get(j, "program")))
        return not_a_status(error, "`program` is no text");
    if (!json_is_string(json_object_get(j, "version")))
        return not_a_status(error, "`version` is no text");
    if (!is_state(json_string_value(json_object_get(j, "state"))))
        return not_a_status(error, "`state` is not ok, degraded or failed");
    if (!all_counts(json_object_get(j, "counters")))
        return not_a_status(error, "`counters` are not all whole numbers");
    if (!all_counts(json_object_get(j, "skipped")))
        return not_a_status(error, "`skipped` are not all whole numbers");
    if (!all_texts(json_object_get(j, "problems"), problem))
        return not_a_status(error, "`problems` need code, text and fix");
    if (!all_texts(json_object_get(j, "not_visible"), not_visible))
        return not_a_status(error, "`not_visible` need detector and why");
    if (!all_texts(json_object_get(j, "inputs"), input))
        return not_a_status(error, "`inputs` need name, state and text");
    return 0;
}

int control_status_read(const char *path, json_t **out, char error[static 160])
{
    FILE *in = fopen(path, "re");
    if (!in) {
        int rc = -errno;
        snprintf(error, 160, "%s", strerror(errno));
        return rc;
    }
    json_t *j = NULL;
    int rc = json_read_line(in, STATUS_OCTETS_MAX, &j, error);
    if (rc == 0)
        rc = not_a_status(error, "empty");
    else if (rc == 1)
        rc = check(j, error);
    fclose(in);
    if (rc == 0)
        *out = j;
    else
        json_decref(j);
    return rc;
}
