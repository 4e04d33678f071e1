// `postern setup`: from installed programs to a configuration for one machine that watches one site. Writes
// the configuration and the two keys that it names, has every program look at it, and says what to do next.
// What is there already is never overwritten: a new key could not recognise what the old one hashed.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/command.h"
#include "common/daemon.h"
#include "common/json.h"

static const struct command_option options[] = {
    {0, "subscribers", "CIDR,...", "networks of the subscribers; needed"},
    {0, "profile", "NAME",
     "what the law of the place lets you look at: flow-only, own-smarthost-content or "
     "full-envelope; needed"},
    {0, "smarthosts", "CIDR,...", "the site's own outbound mail servers"},
    {'i', "interface", "IFACE", "where the mirror comes in; only for the advice at the end"},
    {0, "site", "NAME", "the site's name in tickets and reports"},
    {'c', "config", "FILE", "what to write (default " DAEMON_CONFIG_DEFAULT ")"},
    {0, "state", "DIR", "where the programs keep what they know (default /var/lib/postern)"},
    {0, "run", "DIR", "where their sockets are (default /run/postern)"},
    {0},
};

enum { KEY_OCTETS = 32, TEXT_MAX = 16384 };

extern const struct command command_check;

struct setup {
    const char *config, *state, *run;
    char folder[PATH_MAX]; // of the configuration, as it was given
    char draft[PATH_MAX];  // the configuration until all programs have agreed to it
    char site_key[PATH_MAX], case_key[PATH_MAX];
};

// ---- Text.

// A text as YAML and JSON both write it.
static void put_quoted(FILE *out, const char *text, size_t len)
{
    json_t *s = json_stringn(text, len);
    char *quoted = s ? json_dumps(s, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
    fputs(quoted ? quoted : "\"?\"", out);
    free(quoted);
    json_decref(s);
}

static void put_line(FILE *out, const char *key, const char *value)
{
    fprintf(out, "  %s: ", key);
    put_quoted(out, value, strlen(value));
    fputc('\n', out);
}

static void put_list(FILE *out, const char *key, const char *words)
{
    fprintf(out, "  %s: [", key);
    for (bool first = true; *words; first = false) {
        size_t len = strcspn(words, ", ");
        if (len > 0) {
            fputs(first ? "" : ", ", out);
            put_quoted(out, words, len);
        }
        words += len;
        words += strspn(words, ", ");
    }
    fputs("]\n", out);
}

// `folder`/`name`, without a doubled slash behind the root.
static void put_path(FILE *out, const char *key, const char *folder, const char *name)
{
    char path[PATH_MAX * 2];
    snprintf(path, sizeof path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
    put_line(out, key, path);
}

static void put_config(FILE *out, const struct setup *s, const struct command_args *a)
{
    char socket[PATH_MAX * 2];
    snprintf(socket, sizeof socket, "unix:%s/records.sock", s->run);
    fputs("# Postern on one machine. Every key is in postern.yaml(5); `postern check` says what is "
          "wrong here.\n"
          "site:\n",
          out);
    if (command_value(a, "site"))
        put_line(out, "name", command_value(a, "site"));
    put_list(out, "subscribers", command_value(a, "subscribers"));
    if (command_value(a, "smarthosts"))
        put_list(out, "smarthosts", command_value(a, "smarthosts"));
    put_line(out, "run_directory", s->run);
    fputs("sensor:\n  name: \"edge\"\n", out);
    put_line(out, "legal_profile", command_value(a, "profile"));
    put_line(out, "key_file", s->site_key);
    put_path(out, "spool", s->state, "spool");
    put_line(out, "collector", socket);
    fputs("collector:\n  # A sensor elsewhere: add HOST:PORT here, `ca` and `enroll`, then "
          "`postern sensor enroll`.\n"
          "  listen: [",
          out);
    put_quoted(out, socket, strlen(socket));
    fputs("]\n", out);
    put_path(out, "intake", s->state, "intake");
    put_path(out, "journal", s->state, "journal");
    fputs("series:\n", out);
    put_path(out, "journal", s->state, "journal");
    put_path(out, "rrd", s->state, "rrd");
    fputs("analysis:\n", out);
    put_path(out, "journal", s->state, "journal");
    put_path(out, "verdicts", s->state, "verdicts.jsonl");
    put_path(out, "state", s->state, "analysis");
    fputs("feed:\n", out);
    put_line(out, "case_key_file", s->case_key);
    put_path(out, "verdicts", s->state, "verdicts.jsonl");
    put_path(out, "database", s->state, "tickets.db");
    put_path(out, "output", s->state, "tickets.jsonl");
    fputs("web:\n", out);
    put_path(out, "tickets", s->state, "tickets.db");
    put_path(out, "rrd", s->state, "rrd");
}

// ---- Files.

// A new file of this content, for its owner and the folder's group. 0, -EEXIST, or another errno.
static int make_file(const char *path, const char *folder, const char *text)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    size_t len = strlen(text);
    bool good = write(fd, text, len) == (ssize_t)len && fchmod(fd, 0640) == 0;
    // Root's folder carries the group of the programs' user; anybody else's is their own.
    if (good && stat(folder, &st) == 0 && fchown(fd, (uid_t)-1, st.st_gid) != 0 && geteuid() == 0)
        good = false;
    good = fsync(fd) == 0 && good;
    int rc = good ? 0 : errno ? -errno : -EIO;
    close(fd);
    if (!good)
        unlink(path);
    return rc;
}

static int make_key(const char *path, const char *folder, const char *what, bool *made)
{
    uint8_t key[KEY_OCTETS];
    char line[2 * KEY_OCTETS + 8];
    size_t at = 2;
    if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key) {
        fprintf(stderr, "postern setup: no random numbers: %m\n");
        return EX_OSERR;
    }
    memcpy(line, "1 ", 3);
    for (size_t i = 0; i < sizeof key; i++, at += 2)
        snprintf(line + at, sizeof line - at, "%02x", key[i]);
    memcpy(line + at, "\n", 2);
    int rc = make_file(path, folder, line);
    explicit_bzero(key, sizeof key);
    explicit_bzero(line, sizeof line);
    if (rc != 0 && rc != -EEXIST) {
        fprintf(stderr, "postern setup: %s: %s\n", path, strerror(-rc));
        return EX_CANTCREAT;
    }
    *made = rc == 0;
    printf("%s: %s (%s)\n", path, *made ? "made" : "is there already, kept", what);
    return 0;
}

// The whole configuration as a draft beside its place.
static int write_draft(const struct setup *s, const struct command_args *a)
{
    char text[TEXT_MAX];
    FILE *out = fmemopen(text, sizeof text, "w");
    if (!out)
        return EX_OSERR;
    put_config(out, s, a);
    long len = ftell(out);
    if (fclose(out) != 0 || len < 0 || (size_t)len >= sizeof text - 1) {
        fprintf(stderr, "postern setup: too much for one configuration; write a few networks and "
                        "add the others by hand\n");
        return EX_USAGE;
    }
    text[len] = '\0';
    unlink(s->draft); // of a set-up that was interrupted
    int rc = make_file(s->draft, s->folder, text);
    if (rc == 0)
        return 0;
    fprintf(stderr, "postern setup: %s: %s%s\n", s->draft, strerror(-rc),
            rc == -EACCES ? "; as root" : "");
    return EX_CANTCREAT;
}

static int check_draft(const struct setup *s)
{
    char *operands[] = {(char *)s->draft, NULL};
    struct command_args a = {
        .options = command_check.options, .operands = operands, .operand_count = 1};
    return command_check.run(&a);
}

// ---- The command.

static bool names_interface(const char *name)
{
    return name[0] && strlen(name) < IFNAMSIZ && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0 && strcspn(name, "/ \t\n:") == strlen(name);
}

// What the options say, looked at before anything is written. 0 or EX_USAGE.
static int begin(struct setup *s, const struct command_args *a)
{
    const char *config = command_value(a, "config"), *iface = command_value(a, "interface");
    if (!command_value(a, "subscribers") || !command_value(a, "profile")) {
        fprintf(
            stderr,
            "postern setup: needs --subscribers CIDR,... and --profile flow-only, "
            "own-smarthost-content or full-envelope: the law of the place, there is no default\n");
        return EX_USAGE;
    }
    const char *subscribers = command_value(a, "subscribers");
    if (subscribers[strspn(subscribers, ", ")] == '\0' ||
        strcmp(command_value(a, "profile"), "not-chosen") == 0) {
        fprintf(stderr,
                "postern setup: --subscribers needs a network, --profile a choice: flow-only, "
                "own-smarthost-content or full-envelope\n");
        return EX_USAGE;
    }
    if (iface && !names_interface(iface)) {
        fprintf(stderr, "postern setup: --interface: %s is no name of an interface\n", iface);
        return EX_USAGE;
    }
    *s = (struct setup){
        .config = config ? config : DAEMON_CONFIG_DEFAULT,
        .state = command_has(a, "state") ? command_value(a, "state") : "/var/lib/postern",
        .run = command_has(a, "run") ? command_value(a, "run") : "/run/postern",
    };
    if (s->config[0] != '/' || s->state[0] != '/' || s->run[0] != '/' ||
        strlen(s->config) > PATH_MAX - 32) {
        fprintf(stderr, "postern setup: --config, --state and --run are whole paths, from / on\n");
        return EX_USAGE;
    }
    const char *slash = strrchr(s->config, '/');
    int len = slash == s->config ? 1 : (int)(slash - s->config);
    snprintf(s->folder, sizeof s->folder, "%.*s", len, s->config);
    snprintf(s->draft, sizeof s->draft, "%s.new", s->config);
    len = slash == s->config ? 0 : len;
    snprintf(s->site_key, sizeof s->site_key, "%.*s/site.key", len, s->config);
    snprintf(s->case_key, sizeof s->case_key, "%.*s/case.key", len, s->config);
    return 0;
}

static void say_next(const struct setup *s, const struct command_args *a)
{
    const char *iface = command_value(a, "interface");
    printf("%s: written\n\nNext:\n", s->config);
    printf("  postern-sensor check %s --seconds 30    # is the mirror what it should be?\n",
           iface ? iface : "IFACE");
    printf("  systemctl enable --now postern.target postern-sensor@%s\n", iface ? iface : "IFACE");
    printf("  postern status%s%s\n", command_has(a, "config") ? " -c " : "",
           command_has(a, "config") ? s->config : "");
    if (!iface)
        printf("with the interface of the mirror for IFACE.\n");
}

static int run(const struct command_args *a)
{
    struct setup s;
    int status = begin(&s, a);
    if (status != 0)
        return status;
    if (access(s.config, F_OK) == 0) {
        fprintf(stderr,
                "postern setup: %s is there already and is left alone; edit it, then `postern "
                "check %s`\n",
                s.config, s.config);
        return EX_CANTCREAT;
    }
    bool made_site = false, made_case = false;
    status = write_draft(&s, a);
    if (status == 0)
        status = make_key(s.site_key, s.folder, "names are hashed with it; keep a copy",
                          &made_site);
    if (status == 0)
        status = make_key(s.case_key, s.folder, "case codes are made with it", &made_case);
    if (status == 0)
        status = check_draft(&s);
    if (status == 0 && link(s.draft, s.config) != 0) {
        fprintf(stderr, "postern setup: %s: %m\n", s.config);
        status = EX_CANTCREAT;
    }
    unlink(s.draft);
    if (status != 0 && made_site)
        unlink(s.site_key);
    if (status != 0 && made_case)
        unlink(s.case_key);
    if (status == 0)
        say_next(&s, a);
    return status;
}

const struct command command_setup = {
    .name = "setup",
    .synopsis = "--subscribers CIDR,... --profile NAME [-i IFACE] [--smarthosts CIDR,...]",
    .summary = "writes the configuration of one machine that watches one site, with its keys",
    .options = options,
    .run = run,
};
