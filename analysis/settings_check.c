// What the tables of settings.c cannot express: values that contradict each other, and what may be meant
// but rarely is. See settings.h.
#include "settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/timefmt.h"

// Shorter prefixes hold more lines than one reason does.
#define WIDE_V4 16
#define WIDE_V6 32

struct checked {
    const char *path; // of the configuration; NULL: there is none
    char *error;
};

// "FILE:LINE:COLUMN: KEY: what is wrong; what to do", a line behind those that are there.
__attribute__((format(printf, 3, 4))) static int wrong(const struct checked *c, const char *key,
                                                       const char *format, ...)
{
    char place[CONF_PLACE_MAX], text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    conf_place(c->path, key, place);
    size_t n = strlen(c->error);
    snprintf(c->error + n, SETTINGS_ERROR - n, "%s%s%s: %s", n > 0 ? "\n" : "", place, key, text);
    return -EINVAL;
}

static int check_exemptions(const struct settings *s, const struct checked *c)
{
    const struct exempt_entry *list = s->exemptions.item;
    int rc = 0;
    for (size_t i = 0; i < s->exemptions.count; i++) {
        char key[64], why[EXEMPT_WHY_MAX];
        const char *name = exempt_check(&list[i], why);
        snprintf(key, sizeof key, "analysis.exemptions[%zu].%s", i, name ? name : "");
        if (name)
            rc = wrong(c, key, "%s", why);
    }
    return rc;
}

static int check_classes(const struct settings *s, const struct checked *c)
{
    const struct settings_class *list = s->classes.item;
    uint32_t seen = 0;
    int rc = 0;
    for (size_t i = 0; i < s->classes.count; i++) {
        char key[64];
        snprintf(key, sizeof key, "analysis.classes[%zu].close", i);
        if (list[i].rule.close > list[i].rule.open)
            rc = wrong(c, key, "close is above open; lower it");
        snprintf(key, sizeof key, "analysis.classes[%zu].class", i);
        if (seen & 1u << list[i].class_)
            rc = wrong(c, key, "there is an entry of this class already; put them into one");
        seen |= 1u << list[i].class_;
    }
    return rc;
}

static int check_profiles(const struct settings *s, const struct checked *c)
{
    const struct settings_profile *list = s->profiles.item;
    int rc = 0;
    for (size_t i = 0; i < s->profiles.count; i++) {
        for (size_t k = 0; k < i; k++) {
            char key[64];
            snprintf(key, sizeof key, "analysis.profiles[%zu].network_class", i);
            if (strcmp(list[i].network_class, list[k].network_class) == 0)
                rc = wrong(c, key, "there is a profile of this network class already; leave one");
        }
    }
    return rc;
}

static int check_detectors(const struct settings *s, const struct checked *c)
{
    int rc = 0;
    for (size_t i = 0; i < s->detectors_off.count; i++) {
        size_t d = 0;
        char key[64];
        snprintf(key, sizeof key, "analysis.detectors_off[%zu]", i);
        while (detectors[d] && strcmp(detectors[d]->name, s->detectors_off.item[i]) != 0)
            d++;
        if (!detectors[d])
            rc = wrong(c, key, "there is no detector %.40s; see postern-analysis(8)",
                       s->detectors_off.item[i]);
    }
    for (size_t d = 0; detectors[d]; d++) {
        const char *name = NULL, *why = NULL;
        char key[96];
        if (detectors[d]->check)
            why = detectors[d]->check(settings_detector(s, d), &name);
        snprintf(key, sizeof key, "analysis.%s.%s", detectors[d]->section, name ? name : "");
        if (why)
            rc = wrong(c, key, "%s", why);
    }
    return rc;
}

int settings_check(const struct settings *s, const char *path, char error[static SETTINGS_ERROR])
{
    const struct checked c = {path, error};
    int rc = 0;
    error[0] = '\0';
    if (s->provisional_ceiling == VERDICT_QUARANTINE)
        rc = wrong(&c, "analysis.provisional_ceiling",
                   "quarantine is not allowed, the address may be somebody else's by now; use "
                   "restrict or ticket");
    rc |= check_exemptions(s, &c);
    rc |= check_classes(s, &c);
    rc |= check_profiles(s, &c);
    rc |= check_detectors(s, &c);
    return rc != 0 ? -EINVAL : 0;
}

void settings_say(char error[static SETTINGS_ERROR])
{
    char *rest;
    for (char *line = strtok_r(error, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        log_error("%s", line);
}

void settings_warn(const struct settings *s, const char *path, int64_t now_ms)
{
    const struct exempt_entry *list = s->exemptions.item;
    for (size_t i = 0; i < s->exemptions.count; i++) {
        char place[CONF_PLACE_MAX], key[64];
        struct ip_prefix prefix;
        int64_t end_ms;
        snprintf(key, sizeof key, "analysis.exemptions[%zu]", i);
        conf_place(path, key, place);
        if (time_parse(list[i].expires, &end_ms) == 0 && end_ms <= now_ms)
            log_warning("%s%s: expired at %s and exempts nobody; remove it, or give it a new end",
                        place, key, list[i].expires);
        if (exempt_prefix(list[i].subject, &prefix) == 0 &&
            prefix.len < (prefix.addr.family == IP_V6 ? WIDE_V6 : WIDE_V4))
            log_warning("%s%s: %s exempts very many lines; use smaller prefixes, or single parties",
                        place, key, list[i].subject);
    }
}
