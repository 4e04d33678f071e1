// See fixed.h.
#include "fixed.h"

#include <assert.h>
#include <string.h>

#include "common/log.h"

// sensor_declare takes these over. `mail_log` is another task's.
static const char *const reloadable[] = {"name",
                                         "leg",
                                         "nat",
                                         "port25",
                                         "tier",
                                         "syn_timeout",
                                         "half_open_timeout",
                                         "early_close",
                                         "idle_timeout",
                                         "closing_timeout",
                                         "reset_linger",
                                         "closed_timeout",
                                         "udp_timeout",
                                         "dns_timeout",
                                         "short_tls_octets",
                                         "mail_log"};

static bool is_reloadable(const char *name)
{
    for (size_t i = 0; i < sizeof reloadable / sizeof *reloadable; i++)
        if (strcmp(reloadable[i], name) == 0)
            return true;
    return false;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_list(const struct conf_strings *a, const struct conf_strings *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->item[i], b->item[i]) != 0)
            return false;
    return true;
}

static bool same_value(const struct conf_key *key, const void *a, const void *b)
{
    switch (key->type) {
    case CONF_INT:
    case CONF_DURATION:
    case CONF_SIZE: return *(const int64_t *)a == *(const int64_t *)b;
    case CONF_ENUM: return *(const int *)a == *(const int *)b;
    case CONF_STRING:
    case CONF_PATH: return same_text(*(char *const *)a, *(char *const *)b);
    case CONF_STRING_LIST: return same_list(a, b);
    default: assert(false); return false; // no key of this section has another type
    }
}

static bool differs(const struct conf_key *key, const struct sensor_conf *old,
                    const struct sensor_conf *now, bool asked)
{
    const char *wrong = NULL;
    if (is_reloadable(key->name) || (asked && strcmp(key->name, "interfaces") == 0) ||
        (now->domain == 0 && strcmp(key->name, "domain") == 0))
        return false;
    if (strcmp(key->name, "realm_layers") == 0) // the same layers in other words are the same
        return sensor_conf_realm_layers(old, &wrong) != sensor_conf_realm_layers(now, &wrong);
    return !same_value(key, (const char *)old + key->offset, (const char *)now + key->offset);
}

unsigned fixed_say(const char *key)
{
    log_error("%s: a change needs a restart of the sensor", key);
    return 1;
}

unsigned fixed_tell(const struct sensor_conf *old, const struct sensor_conf *now, bool asked)
{
    unsigned count = 0;
    char name[80];
    for (const struct conf_key *key = sensor_conf_keys; key->name; key++) {
        if (!differs(key, old, now, asked))
            continue;
        snprintf(name, sizeof name, "sensor.%s", key->name);
        count += fixed_say(name);
    }
    return count;
}
