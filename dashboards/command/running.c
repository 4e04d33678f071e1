// Finds control sockets and asks them; see running.h. One after the other: a machine has a handful.
#include "command/running.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/job.h"
#include "command/outcome.h"
#include "common/control_socket.h"
#include "common/daemon.h"

enum { PATIENCE_MS = 5000, NONE_RUNS = 2 };

static const char socket_end[] = ".sock";

const char *const running_programs[] = {
    "postern-sensor",   "postern-collector", "postern-series",
    "postern-analysis", "postern-feed",      "postern-enforce",
    "postern-garden",   "postern-web",       NULL,
};

// ---- Where they are.

static int folder_of_config(const char *path, char out[RUNNING_DIR_MAX])
{
    struct conf_site site;
    struct conf_section section = {.name = "site", .keys = conf_site_keys, .out = &site};
    if (conf_load(path, &section, 1, stderr) != 0)
        return EX_CONFIG;
    snprintf(out, RUNNING_DIR_MAX, "%s", site.run_directory);
    conf_free(conf_site_keys, &site);
    return 0;
}

int running_folder(const struct command_args *a, const char *command, char out[RUNNING_DIR_MAX])
{
    const char *config = command_value(a, "config");
    if (command_has(a, "run")) {
        const char *run = command_value(a, "run");
        if (strlen(run) < RUNNING_DIR_MAX) {
            snprintf(out, RUNNING_DIR_MAX, "%s", run);
            return 0;
        }
        fprintf(stderr, "postern %s: --run: too long for the name of a socket\n", command);
        return EX_USAGE;
    }
    if (!config && access(DAEMON_CONFIG_DEFAULT, R_OK) == 0)
        config = DAEMON_CONFIG_DEFAULT;
    return folder_of_config(config, out);
}

// Place along the way of a record; programs that are not known come last.
static size_t rank(const char *name)
{
    size_t i = 0;
    for (; running_programs[i]; i++) {
        size_t n = strlen(running_programs[i]);
        if (strncmp(name, running_programs[i], n) == 0 && (name[n] == '\0' || name[n] == '@'))
            break;
    }
    return i;
}

static int by_rank(const void *a, const void *b)
{
    const struct running *x = a, *y = b;
    size_t m = rank(x->name), n = rank(y->name);
    return m != n ? (m < n ? -1 : 1) : strcmp(x->name, y->name);
}

// "sensor" means all sensors, "sensor@eth1" one; "postern-" may stand before.
static bool is_wanted(const char *name, const char *wanted)
{
    static const char prefix[] = "postern-";
    if (!wanted)
        return true;
    if (strncmp(wanted, prefix, sizeof prefix - 1) == 0)
        wanted += sizeof prefix - 1;
    name += sizeof prefix - 1;
    size_t n = strlen(wanted);
    return strncmp(name, wanted, n) == 0 && (name[n] == '\0' || name[n] == '@');
}

// The name of a socket without its ending, when it may be one of ours.
static bool socket_name(const char *file, char out[RUNNING_NAME_MAX])
{
    size_t len = strlen(file), end = sizeof socket_end - 1;
    if (strncmp(file, "postern-", 8) != 0 || len <= end || len - end >= RUNNING_NAME_MAX ||
        strcmp(file + len - end, socket_end) != 0)
        return false;
    snprintf(out, RUNNING_NAME_MAX, "%.*s", (int)(len - end), file);
    return true;
}

int running_find(struct running_list *l, const char *folder, const char *wanted)
{
    *l = (struct running_list){0};
    snprintf(l->folder, sizeof l->folder, "%s", folder);
    DIR *dir = opendir(folder);
    if (!dir)
        return -errno;
    for (struct dirent *e; l->count < RUNNING_MAX && (e = readdir(dir));) {
        struct running *r = &l->item[l->count];
        if (socket_name(e->d_name, r->name) && is_wanted(r->name, wanted))
            l->count++;
    }
    closedir(dir);
    qsort(l->item, l->count, sizeof l->item[0], by_rank);
    return l->count > 0 ? 0 : -ENOENT;
}

// ---- What they answer.

void running_ask(struct running_list *l, const char *command, const char *argument,
                 const char *value)
{
    for (size_t i = 0; i < l->count; i++) {
        struct running *r = &l->item[i];
        char path[256];
        json_t *request = json_pack("{s:s}", "command", command);
        if (request && argument)
            json_object_set_new(request, argument, json_string(value));
        r->rc = control_socket_path(l->folder, r->name, path, sizeof path);
        if (r->rc != 0)
            snprintf(r->error, sizeof r->error, "the folder's name is too long for a socket");
        else if (!request)
            r->rc = -ENOMEM;
        else
            r->rc = control_ask(path, request, PATIENCE_MS, &r->answer, r->error);
        json_decref(request);
    }
}

void running_free(struct running_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        json_decref(l->item[i].answer);
    l->count = 0;
}

// "sensor", "postern-sensor", "sensor@eth1".
static bool is_program(const char *wanted)
{
    for (size_t i = 0; running_programs[i]; i++)
        if (is_wanted(running_programs[i], wanted))
            return true;
    const char *at = strchr(wanted, '@');
    char program[RUNNING_NAME_MAX];
    snprintf(program, sizeof program, "%.*s", at ? (int)(at - wanted) : 0, wanted);
    return at && is_program(program);
}

static void say_no_program(const char *command, const char *wanted)
{
    char path[PATH_MAX];
    fprintf(stderr, "postern %s: ", command);
    print_text(wanted, stderr);
    fputs(" is no program of Postern; give ", stderr);
    for (size_t i = 0; running_programs[i]; i++)
        if (job_find_program(running_programs[i], path, sizeof path) == 0)
            fprintf(stderr, "%s, ", running_programs[i] + sizeof "postern-" - 1);
    fputs("or no name for all\n", stderr);
}

int running_start(struct running_list *l, const struct command_args *a, const char *command,
                  const char *wanted)
{
    char folder[RUNNING_DIR_MAX];
    if (wanted && !is_program(wanted)) {
        say_no_program(command, wanted);
        return EX_USAGE;
    }
    int status = running_folder(a, command, folder);
    if (status != 0)
        return status;
    int rc = running_find(l, folder, wanted);
    if (rc == 0)
        return 0;
    if (rc != -ENOENT) {
        fprintf(stderr, "postern %s: %s: %s; ask as root or as the programs' user\n", command,
                folder, strerror(-rc));
        return rc == -EACCES ? EX_NOPERM : EX_OSERR;
    }
    fprintf(stderr,
            "postern %s: no %s%s of Postern runs here: there is no socket of it in %s; start it "
            "(systemctl start postern.target), or name the folder with --run\n",
            command, wanted ? "" : "program", wanted ? wanted : "", folder);
    return NONE_RUNS;
}
