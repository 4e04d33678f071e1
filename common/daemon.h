// The skeleton every program starts through: options, configuration, log, --check, rights, loop.
//
// A program is a table of options, a configuration table and five functions. The order is fixed:
//   1. options; --help and --version answer and end
//   2. configuration, all errors at once; --check prints the effective one and ends
//   3. `open`: what needs rights (sockets, capture, files)
//   4. rights drop to `user`, no new privileges; capabilities go but for those `sandbox` keeps; the
//      control socket; then paths and system calls are shut in as `sandbox` says
//   5. `start`: the first outside byte may be read from here on
//   6. the loop, until SIGTERM or SIGINT; SIGHUP calls `reload`, SIGUSR1 logs the status; the control
//      socket in site.run_directory answers status, reload and loglevel, and the program's `command`
//   7. `stop`
// A program with something to do from file to file does it in `run` instead of 5-7.
//
// Exit codes are sysexits: 64 usage, 65 input data, 66 no input, 69 unavailable, 70 internal,
// 71 system, 73 cannot create, 74 I/O, 77 no permission, 78 configuration.
#pragma once

#include <stdio.h>
#include <sysexits.h>

#include "common/conf.h"
#include "common/control_socket.h"
#include "common/loop.h"
#include "common/sandbox.h"

#define DAEMON_CONFIG_DEFAULT "/etc/postern/postern.yaml"

struct daemon_option {
    char letter;          // 0: long form only
    const char *name;     // long form without dashes; NULL ends the table
    const char *argument; // its name in --help ("FILE"), NULL: a flag
    bool repeats;         // may be given several times
    const char *help;
};

// Parsed command line: look-ups by long name.
struct daemon_args;

bool daemon_has(const struct daemon_args *a, const char *name);
const char *daemon_value(const struct daemon_args *a, const char *name); // last one, or NULL
size_t daemon_count(const struct daemon_args *a, const char *name);
const char *daemon_nth(const struct daemon_args *a, const char *name, size_t n);
size_t daemon_operands(const struct daemon_args *a); // words behind the options
const char *daemon_operand(const struct daemon_args *a, size_t n);
const char *daemon_config_path(const struct daemon_args *a); // NULL: there is none, all defaults

struct daemon {
    const struct daemon_spec *spec;
    const struct daemon_args *args;
    struct loop *loop; // NULL in `open` and `run`
    void *conf;        // the program's own section, `conf_size` octets
    const struct conf_site *site;
    char conf_hash[33]; // of `site` and the own section
    void *state;        // the program's own
    bool unasked;       // set in `open`: no control socket, another process speaks for this one
    int exit_code; // set in `stop`: sysexits, of a program whose loop ended well; 0: it did well
};

// What all programs share (section `site`).
struct conf_site {
    char *name;                       // stands in tickets and reports
    char *timezone;                   // IANA name, for hour-of-week and "a day"
    struct conf_prefixes subscribers; // empty: private, CGNAT and unique-local ranges
    struct conf_prefixes smarthosts;  // the ISP's own outbound mail servers
    struct conf_prefixes
        mail_servers;             // subscribers that may run one (static products, the desk's word)
    struct conf_prefixes hosting; // networks of hosting providers (for backconnect proxies)
    int64_t subscriber_len_v4;    // prefix length of a line, 32 by default
    int64_t subscriber_len_v6;    // 56 by default
    bool source_validated;        // BCP 38 in force towards subscribers
    int port25;                   // enum site_port25
    char *user;                   // runs as; NULL: stays who it is
    char *run_directory;          // of the control sockets
    int sandbox;                  // enum site_sandbox
    char *provider_file;          // operator's prefix-to-ASN file; NULL: /24 and /48 are providers
};

enum site_port25 { SITE_PORT25_OPEN, SITE_PORT25_BLOCKED_BEFORE, SITE_PORT25_BLOCKED_AFTER };

enum site_sandbox { SITE_SANDBOX_ON, SITE_SANDBOX_OFF };

extern const struct conf_key conf_site_keys[];

struct daemon_spec {
    const char *name;                    // "postern-sensor"
    const char *summary;                 // one line for --help
    const char *synopsis;                // "[-c FILE] -r CAPTURE -o RECORDS"
    const struct daemon_option *options; // the skeleton adds -c -C -h -V -v --subscribers --status
                                         // --instance
    const char *section;                 // configuration section of the program, NULL: none
    const struct conf_key *keys;
    size_t conf_size;
    // Each returns 0 or a sysexits code after having said why in one line. Any may be NULL.
    int (*check)(struct daemon *d); // what a table cannot express: contradictions between keys
    int (*run)(struct daemon *d, bool *done); // sets *done when the job was a file job
    int (*open)(struct daemon *d);
    // Adds what the program, once open, still needs (sandbox.h). The skeleton adds the configuration's
    // folder, the socket's and site's files. NULL: only rights are dropped. Called after `open`, as root
    // still; a reload does not widen it, so paths that changed need a restart.
    void (*sandbox)(const struct daemon *d, struct sandbox *s);
    int (*start)(struct daemon *d);
    // 0: takes it over, and the old one (still d->conf) is freed on return, so nothing may point into
    // it any more; else the old one stays. d->site is already the new one.
    int (*reload)(struct daemon *d, void *new_conf);
    void (*status)(
        struct daemon *d); // SIGUSR1 by its own words; NULL: what status_fill says is logged
    // What the program says of itself: counters, problems, time. The skeleton adds the rest. Called
    // every ten seconds as well (for rates), so it must be quick.
    void (*status_fill)(struct daemon *d, struct control_status *s);
    // The program's own commands, as a control_fn: for a name it does not know code "unknown-command".
    json_t *(*command)(struct daemon *d, const char *command, const json_t *request, int64_t now_ms,
                       struct control_error *error);
    void (*stop)(struct daemon *d);
    // Gives back what `open` made, where the program ends before `run` or `start` could take it.
    void (*abandon)(struct daemon *d);
};

// The whole of main().
int daemon_main(int argc, char **argv, const struct daemon_spec *spec);
