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

// "FILE:LINE:COLUMN: KEY: what is wrong; what to do".
__attribute__((format(printf, 3, 4))) static int wrong(const struct checked *c, const char *key,
                                                       const char *format, ...)
{
    char place[CONF_PLACE_MAX], text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    conf_place(c->path, key, place);
    snprintf(c->error, SETTINGS_ERROR, "%s%s: %s", place, key, text);
    return -EINVAL;
}

static int check_exemptions(const struct settings *s, const struct checked *c)
{
    const struct exempt_entry *list = s->exemptions.item;
    for (size_t i = 0; i < s->exemptions.count; i++) {
        const char *why = exempt_check(&list[i]);
        char key[64];
        snprintf(key, sizeof key, "analysis.exemptions[%zu]", i);
        if (why)
            return wrong(c, key, "%s", why);
    }
    return 0;
}

static int check_classes(const struct settings *s, const struct checked *c)
{
    const struct settings_class *list = s->classes.item;
    uint32_t seen = 0;
    for (size_t i = 0; i < s->classes.count; i++) {
        char key[64];
        snprintf(key, sizeof key, "analysis.classes[%zu].close", i);
        if (list[i].rule.close > list[i].rule.open)
            return wrong(c, key, "close is above open; lower it");
        snprintf(key, sizeof key, "analysis.classes[%zu].class", i);
        if (seen & 1u << list[i].class_)
            return wrong(c, key, "there is an entry of this class already; put them into one");
        seen |= 1u << list[i].class_;
    }
    return 0;
}

static int check_profiles(const struct settings *s, const struct checked *c)
{
    const struct settings_profile *list = s->profiles.item;
    for (size_t i = 0; i < s->profiles.count; i++) {
        for (size_t k = 0; k < i; k++) {
            char key[64];
            snprintf(key, sizeof key, "analysis.profiles[%zu].network_class", i);
            if (strcmp(list[i].network_class, list[k].network_class) == 0)
                return wrong(c, key, "there is a profile of this network class already; leave one");
        }
    }
    return 0;
}

static int check_detectors(const struct settings *s, const struct checked *c)
{
    for (size_t i = 0; i < s->detectors_off.count; i++) {
        size_t d = 0;
        char key[64];
        snprintf(key, sizeof key, "analysis.detectors_off[%zu]", i);
        while (detectors[d] && strcmp(detectors[d]->name, s->detectors_off.item[i]) != 0)
            d++;
        if (!detectors[d])
            return wrong(c, key, "there is no detector %.40s; see postern-analysis(8)",
                         s->detectors_off.item[i]);
    }
    for (size_t d = 0; detectors[d]; d++) {
        const char *name = NULL, *why = NULL;
        char key[96];
        if (detectors[d]->check)
            why = detectors[d]->check(settings_detector(s, d), &name);
        snprintf(key, sizeof key, "analysis.%s.%s", detectors[d]->section, name ? name : "");
        if (why)
            return wrong(c, key, "%s", why);
    }
    return 0;
}

int settings_check(const struct settings *s, const char *path, char error[static SETTINGS_ERROR])
{
    const struct checked c = {path, error};
    if (s->provisional_ceiling == VERDICT_QUARANTINE)
        return wrong(&c, "analysis.provisional_ceiling",
                     "quarantine is not allowed, the address may be somebody else's by now; use "
                     "restrict or ticket");
    int rc = check_exemptions(s, &c);
    rc = rc ? rc : check_classes(s, &c);
    rc = rc ? rc : check_profiles(s, &c);
    return rc ? rc : check_detectors(s, &c);
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
