// `postern lookup`: whose an address was at a time. Asks the running collector, or has postern-collector read
// lease files; the answer is the same object, shown as a few lines or as it is.
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/command.h"
#include "command/job.h"
#include "common/control_socket.h"
#include "common/json.h"

#define ANSWER_MAX (1 << 20)

static const struct command_option options[] = {
    {0, "purpose", "TEXT", "what for; needed, and logged"},
    {0, "window", "DURATION", "others that held it so long before or after (default: 30m)"},
    {'l', "leases", "FILE", "from this lease file; the running collector is not asked"},
    {'c', "config", "FILE", "from the lease sources of this configuration, likewise"},
    {0, "run", "DIR", "folder of the control sockets (default: /run/postern)"},
    {0, "json", NULL, "the answer as one JSON object"},
    {0},
};

// ---- Asking

static int ask_collector(const struct command_args *a, json_t **out)
{
    char path[108], error[400];
    const char *run = command_has(a, "run") ? command_value(a, "run") : "/run/postern";
    if (control_socket_path(run, "postern-collector", path, sizeof path) < 0) {
        fprintf(stderr, "postern lookup: %s: too long for the name of a socket\n", run);
        return EX_USAGE;
    }
    json_t *request = json_pack("{s:i, s:s, s:s, s:s, s:s*}", "v", 1, "command", "lookup",
                                "address", a->operands[0], "purpose", command_value(a, "purpose"),
                                "window", command_value(a, "window"));
    int rc = request ? control_ask(path, request, 10000, out, error) : -ENOMEM;
    json_decref(request);
    if (rc == 0)
        return 0;
    fprintf(stderr, "postern lookup: %s\n", rc == -ENOMEM ? strerror(ENOMEM) : error);
    return rc == -EPROTO ? EX_DATAERR : EX_UNAVAILABLE;
}

static int read_answer(const char *path, json_t **out)
{
    char error[160] = "no answer";
    FILE *in = fopen(path, "re");
    int rc = in ? json_read_line(in, ANSWER_MAX, out, error) : -errno;
    if (in)
        fclose(in);
    if (rc == 1)
        return 0;
    fprintf(stderr, "postern lookup: postern-collector's answer: %s\n", error);
    return EX_SOFTWARE;
}

static int ask_files(const struct command_args *a, json_t **out)
{
    char program[PATH_MAX], path[] = "/tmp/postern-lookup.XXXXXX";
    const char *words[16];
    size_t n = 0;
    if (job_find_program("postern-collector", program, sizeof program) != 0) {
        fprintf(stderr, "postern lookup: postern-collector is not installed here\n");
        return EX_UNAVAILABLE;
    }
    words[n++] = program;
    words[n++] = "-c";
    words[n++] = command_has(a, "config") ? command_value(a, "config") : "/dev/null";
    for (const char *const *o = (const char *const[]){"leases", "window", "purpose", NULL}; *o; o++)
        if (command_has(a, *o)) {
            words[n++] = strcmp(*o, "leases") == 0   ? "--leases"
                         : strcmp(*o, "window") == 0 ? "--window"
                                                     : "--purpose";
            words[n++] = command_value(a, *o);
        }
    words[n++] = "--lookup";
    words[n++] = a->operands[0];
    words[n] = NULL;
    int fd = mkstemp(path);
    if (fd < 0) {
        fprintf(stderr, "postern lookup: %s: %m\n", path);
        return EX_CANTCREAT;
    }
    close(fd);
    struct job job = {.label = "lookup", .argv = (char *const *)words, .output = path};
    struct job_result result;
    int rc = job_run(&job, &result);
    int code = rc < 0 || result.signal ? EX_OSERR : result.status;
    if (code == 0)
        code = read_answer(path, out);
    unlink(path);
    return code;
}

// ---- Showing

static const char *get(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "";
}

static void print_field(const json_t *o, const char *name, const char *label)
{
    if (get(o, name)[0])
        printf("  %-12s%s\n", label, get(o, name));
}

static void print_answer(const json_t *o)
{
    size_t i;
    json_t *entry;
    printf("%s at %s: %s, %s\n", get(o, "subscriber"), get(o, "time"), get(o, "party"),
           get(o, "confidence"));
    printf("  %s\n", get(o, "advice"));
    json_array_foreach(json_object_get(o, "doubts"), i, entry)
    {
        printf("  doubt: %s\n", get(entry, "text"));
    }
    print_field(o, "since", "since");
    print_field(o, "until", "until");
    print_field(o, "last_seen", "last seen");
    if (json_object_get(o, "unseen_s"))
        printf("  %-12s%lld s, stale after %lld s\n", "unseen for",
               (long long)json_integer_value(json_object_get(o, "unseen_s")),
               (long long)json_integer_value(json_object_get(o, "stale_after_s")));
    print_field(o, "source", "told by");
    print_field(o, "nas", "at");
    print_field(o, "pop", "POP");
    print_field(o, "class", "class");
    json_array_foreach(json_object_get(o, "others"), i, entry) printf(
        "  also within %lld min: %s, %s to %s\n",
        (long long)json_integer_value(json_object_get(o, "window_s")) / 60, get(entry, "party"),
        get(entry, "since"), get(entry, "until")[0] ? get(entry, "until") : "now");
}

static int run(const struct command_args *a)
{
    json_t *answer = NULL;
    if (!command_has(a, "purpose")) {
        fprintf(stderr, "postern lookup: say what for with --purpose TEXT: whose an address was is "
                        "personal data\n");
        return EX_USAGE;
    }
    bool files = command_has(a, "leases") || command_has(a, "config");
    int code = files ? ask_files(a, &answer) : ask_collector(a, &answer);
    if (code != 0)
        return code;
    if (command_has(a, "json"))
        code = json_write_line(stdout, answer) < 0 ? EX_IOERR : 0;
    else
        print_answer(answer);
    json_decref(answer);
    return fflush(stdout) != 0 ? EX_IOERR : code;
}

const struct command command_lookup = {
    .name = "lookup",
    .synopsis = "ADDRESS[:PORT][@TIME] --purpose TEXT [--window DURATION] [--leases FILE] [--json]",
    .summary = "says whose an address was at a time",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
