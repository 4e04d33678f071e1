// What the files of the skeleton say to each other. Inside of daemon_*.c; programs use daemon.h.
#pragma once

#include "common/daemon.h"

#define DAEMON_CONFIG_DEFAULT "/etc/postern/postern.yaml"

// Parses the command line by the spec's options and the skeleton's. 0: `*out` is to be freed with
// daemon_args_free; else a sysexits code after a line to standard error.
int daemon_args_parse(int argc, char **argv, const struct daemon_spec *spec,
                      struct daemon_args **out);
void daemon_args_free(struct daemon_args *a);

// The text of --help. `sections`: the configuration tables, for the reference of keys.
void daemon_help(const struct daemon_spec *spec, const struct conf_section *sections, size_t count,
                 FILE *out);

// Gives up what a program no longer needs: becomes `user` when it was started by root (NULL: stays),
// clears capabilities, forbids new privileges, and checks that this held. 0 or a sysexits code after a
// line in the log.
int daemon_drop_rights(const char *user);

// Tells the service manager (sd_notify protocol) `text`; nothing when there is none.
void daemon_notify(const char *text);

// How often the service manager's watchdog wants to hear "WATCHDOG=1", halved; 0: there is none.
int64_t daemon_watchdog_ms(void);

// Puts the prefixes of `list` ("192.0.2.0/24,2001:db8::/32") in the place of site.subscribers. 0, or a
// sysexits code after a line in the log; `site` is to be freed as before.
int daemon_take_subscribers(struct conf_site *site, const char *list);

// The time zone exists. 0 or EX_CONFIG after a line in the log.
int daemon_check_site(const struct conf_site *site);
