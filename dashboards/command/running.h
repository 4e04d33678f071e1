// The programs that run on this machine, found by their control sockets, and what each of them answers.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "command/command.h"
#include "common/json.h"

enum { RUNNING_MAX = 64, RUNNING_NAME_MAX = 96, RUNNING_DIR_MAX = 108 };

struct running {
    char name[RUNNING_NAME_MAX]; // "postern-sensor@eth1"
    int rc;                      // of control_ask
    json_t *answer;              // owned, NULL when rc is not 0
    char error[400];             // why there is no answer, with the fix
};

struct running_list {
    struct running item[RUNNING_MAX]; // along the way of a record: sensors first
    size_t count;
    char folder[RUNNING_DIR_MAX];
};

// The options by which a command is told where the sockets are; running_folder reads them.
#define RUNNING_OPTIONS                                                          \
    {'c', "config", "FILE",                                                      \
     "configuration that says where the sockets are, in its section "            \
     "site"},                                                                    \
    {                                                                            \
        0, "run", "DIR", "folder of the control sockets (default: /run/postern)" \
    }

// --run, else site.run_directory of --config or of the installed configuration, else the default. 0 or a
// sysexits code after a line on standard error.
int running_folder(const struct command_args *a, const char *command, char out[RUNNING_DIR_MAX]);

// Finds the sockets in `folder`, of those whose name is `wanted` ("sensor", "postern-sensor",
// "sensor@eth1"; NULL: all). -ENOENT: none; another negative errno: the folder cannot be read.
int running_find(struct running_list *l, const char *folder, const char *wanted);

// Asks each; `argument` may be NULL.
void running_ask(struct running_list *l, const char *command, const char *argument,
                 const char *value);
void running_free(struct running_list *l);

// Names of the programs that are daemons, along the way of a record; NULL ends them.
extern const char *const running_programs[];

// Finds for a command: as running_find, after having said what is wrong. 0, or 2 (none runs), or a
// sysexits code.
int running_start(struct running_list *l, const struct command_args *a, const char *command,
                  const char *wanted);
