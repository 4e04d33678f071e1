// A token for who is invited; the connections of who is revoked end at once.
#include "sensor_command.h"

#include <errno.h>
#include <stdio.h>

#include "common/log.h"

static json_t *fail(struct control_error *error, const char *code, const char *text,
                    const char *fix)
{
    error->code = code;
    snprintf(error->text, sizeof error->text, "%s", text);
    snprintf(error->fix, sizeof error->fix, "%s", fix);
    return NULL;
}

static json_t *enroll_command(struct registry *r, const json_t *request, int64_t now_ms,
                              struct control_error *error)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    char token[REGISTRY_TOKEN_MAX], why[160];
    if (!name)
        return fail(error, "bad-argument", "the sensor's name is missing", "give \"name\"");
    int rc = registry_invite(r, name, json_object_get(request, "domains"),
                             json_object_get(request, "prefixes"), now_ms, token, why);
    if (rc < 0)
        return fail(error, rc == -EINVAL ? "bad-argument" : "failed", why,
                    rc == -EINVAL ? "correct it" : "see whether collector.ca can be written");
    log_info("sensor %s was invited", name);
    char own[PERMIT_DOMAINS_TEXT];
    return json_pack("{s:s, s:s, s:i, s:s}", "name", name, "token", token, "valid_s", 86400,
                     "domains", registry_domains(r, name, own) ? own : "any");
}

static json_t *revoke_command(struct registry *r, struct sessions *s, const json_t *request,
                              int64_t now_ms, struct control_error *error)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    int rc = name ? registry_revoke(r, name) : -EINVAL;
    if (rc == -EINVAL)
        return fail(error, "bad-argument", "the sensor's name is missing", "give \"name\"");
    if (rc == -ENOENT)
        return fail(error, "not-found", "no sensor of that name was enrolled",
                    "see `sensors.json`");
    if (rc < 0)
        return fail(error, "failed", "the list of sensors cannot be written",
                    "see whether collector.ca can be written");
    sessions_tick(s, now_ms);
    log_info("sensor %s was revoked", name);
    return json_pack("{s:s, s:b}", "name", name, "revoked", 1);
}

json_t *sensor_command(struct registry *r, struct sessions *s, const char *command,
                       const json_t *request, int64_t now_ms, struct control_error *error)
{
    if (!r)
        return fail(error, "failed", "there is no certificate authority", "set collector.ca");
    if (strcmp(command, "enroll") == 0)
        return enroll_command(r, request, now_ms, error);
    return revoke_command(r, s, request, now_ms, error);
}
