// `postern sensor enroll|revoke NAME`: asks the running collector over its control socket.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "command/command.h"
#include "common/control_socket.h"

#define SOCKET  "/run/postern/postern-collector.sock"
#define WAIT_MS 10000

static const struct command_option options[] = {
    {'d', "domains", "N,...",
     "enroll: observation domains it may speak for, or any, or auto: some that no other sensor has "
     "(default: what it had, of a new one auto)"},
    {'p', "prefixes", "PREFIX,...", "enroll: its subscribers (default: all of the site's)"},
    {'s', "socket", "PATH", "the collector's control socket (default " SOCKET ")"},
    {0},
};

// "a,b" as a JSON list, of numbers or texts. NULL: out of memory, or not numbers.
static json_t *list_of(const char *text, bool numbers)
{
    json_t *list = json_array();
    while (list && *text) {
        size_t len = strcspn(text, ",");
        char *end;
        long n = numbers ? strtol(text, &end, 10) : 0;
        if (numbers && (end != text + len || len == 0)) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, numbers ? json_integer(n) : json_stringn(text, len));
        text += len + (text[len] == ',');
    }
    return list;
}

static int add_list(json_t *request, const struct command_args *a, const char *name, bool numbers)
{
    const char *text = command_value(a, name);
    if (!text)
        return 0;
    bool word = numbers && (strcmp(text, "any") == 0 || strcmp(text, "auto") == 0);
    json_t *list = word ? json_string(text) : list_of(text, numbers);
    if (!list || json_object_set_new(request, name, list) < 0) {
        fprintf(stderr, "postern: --%s: write them with commas between\n", name);
        return EX_USAGE;
    }
    return 0;
}

static int say(const char *what, const char *name, const json_t *result)
{
    const char *token = json_string_value(json_object_get(result, "token"));
    if (strcmp(what, "revoke") == 0) {
        printf("%s may no longer speak; its connection is closed\n", name);
        return 0;
    }
    if (!token)
        return EX_PROTOCOL;
    printf("On the sensor, within a day (collector.enroll says HOST:PORT):\n"
           "  postern-sensor --enroll %s@HOST:PORT\n",
           token);
    const char *domains = json_string_value(json_object_get(result, "domains"));
    if (domains && strcmp(domains, "any") != 0)
        printf(
            "It speaks for domains %s, and learns them so: sensor.domain need not be set there.\n",
            domains);
    return 0;
}

static int run(const struct command_args *a)
{
    const char *what = a->operands[0], *name = a->operands[1];
    const char *socket = command_value(a, "socket");
    char error[400];
    json_t *result = NULL;
    if (strcmp(what, "enroll") != 0 && strcmp(what, "revoke") != 0) {
        fprintf(stderr, "postern: sensor knows enroll and revoke, not %s\n", what);
        return EX_USAGE;
    }
    json_t *request = json_pack("{s:s, s:s}", "command", what, "name", name);
    if (!request)
        return EX_OSERR;
    int rc = add_list(request, a, "domains", true);
    if (rc == 0)
        rc = add_list(request, a, "prefixes", false);
    if (rc != 0) {
        json_decref(request);
        return rc;
    }
    int asked = control_ask(socket ? socket : SOCKET, request, WAIT_MS, &result, error);
    json_decref(request);
    if (asked < 0) {
        fprintf(stderr, "postern: %s\n", error);
        return asked == -EPROTO ? EX_DATAERR : EX_UNAVAILABLE;
    }
    rc = say(what, name, result);
    json_decref(result);
    return rc;
}

const struct command command_sensor = {
    .name = "sensor",
    .synopsis = "enroll|revoke NAME [--domains N,...] [--prefixes PREFIX,...]",
    .summary = "lets a sensor speak to the collector, or no longer",
    .options = options,
    .operands_min = 2,
    .operands_max = 2,
    .run = run,
};
