// What the files of the skeleton say to each other. Inside of daemon_*.c; programs use daemon.h.
#pragma once

#include "common/daemon.h"

// Parses the command line by the spec's options and the skeleton's. 0: `*out` is to be freed with
// daemon_args_free; else a sysexits code after a line to standard error.
int daemon_args_parse(int argc, char **argv, const struct daemon_spec *spec,
                      struct daemon_args **out);
void daemon_args_free(struct daemon_args *a);

// The text of --help. `sections`: the configuration tables, for the reference of keys.
void daemon_help(const struct daemon_spec *spec, const struct conf_section *sections, size_t count,
                 FILE *out);

// Gives up what a program no longer needs: becomes `user` when it was started by root (NULL: stays),
// clears capabilities but for those of `rules` (NULL: none) that are held, forbids new privileges, and
// checks that this held. 0 or a sysexits code after a line in the log.
int daemon_drop_rights(const char *user, const struct sandbox *rules);

// What the program's `sandbox` says, and the skeleton's own needs. `*out` is NULL when the program has no
// sandbox. 0 or EX_OSERR after a line in the log.
int daemon_sandbox_rules(const struct daemon *d, const char *config_path, struct sandbox **out);

// Shuts the program in. What the kernel lacks is a warning; 0 or EX_OSERR after a line in the log.
int daemon_sandbox_apply(const struct daemon *d, const struct sandbox *rules,
                         struct sandbox_result *out);

// Tells the service manager (sd_notify protocol) `text`; nothing when there is none.
void daemon_notify(const char *text);

// What `systemctl status` shows of it, on one line whatever `text` holds.
void daemon_notify_status(const char *text);

// How often the service manager's watchdog wants to hear "WATCHDOG=1", halved; 0: there is none.
int64_t daemon_watchdog_ms(void);

// Puts the prefixes of `list` ("192.0.2.0/24,2001:db8::/32") in the place of site.subscribers. 0, or a
// sysexits code after a line in the log; `site` is to be freed as before.
int daemon_take_subscribers(struct conf_site *site, const char *list);

// The program's control socket (daemon_control.c).
struct daemon_control;

// Reads the configuration again. 0, or a sysexits code with `*error` filled.
typedef int (*daemon_reload_fn)(void *ctx, struct control_error *error);

// What stands in the socket's name. 0 or EX_USAGE after a line in the log.
int daemon_check_instance(const struct daemon_args *args);

// Makes site.run_directory for site.user, as far as this is permitted.
void daemon_make_run_directory(const struct conf_site *site);

// A socket that cannot be made is a warning with its fix. -ENOMEM.
int daemon_control_open(struct daemon *d, daemon_reload_fn reload, void *ctx,
                        struct daemon_control **out);
// Begins to look at the program's counters, once it has started. Negative errno.
int daemon_control_start(struct daemon_control *c);
// What the status says of the sandbox.
void daemon_control_sandbox(struct daemon_control *c, const struct sandbox_result *result);
void daemon_control_log_status(struct daemon_control *c);
void daemon_control_close(struct daemon_control *c);

// The time zone exists, sockets have room in the run directory. 0 or EX_CONFIG after a line in the log.
int daemon_check_site(const struct conf_site *site, const char *config_path);
