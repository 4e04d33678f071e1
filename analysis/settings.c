// Configuration of postern-analysis. See settings.h.
#include "settings.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define ALIGN(n) (((n) + 15) / 16 * 16)

// In the order of enum verdict_class.
static const char *const class_names[VERDICT_CLASSES + 1] = {
    "spambot-direct",
    "spambot-smarthost",
    "compromised-account",
    "socks-relay",
    "proxy-abuse",
    "backscatter",
    "open-relay",
    "harvester",
    "auth-guessing",
    "policy-limit",
    NULL,
};

static const char *const ceiling_names[] = {"observe", "ticket", "restrict", "quarantine", NULL};

// Of a class: unset is what the class has by itself. In the order of enum verdict_ceiling, from 1.
static const char *const class_ceiling_names[] = {"default",  "observe",    "ticket",
                                                  "restrict", "quarantine", NULL};

#define CLASS(m) offsetof(struct settings_class, m)

static const struct conf_key class_keys[] = {
    {.name = "class",
     .type = CONF_ENUM,
     .offset = CLASS(class_),
     .names = class_names,
     .help = "Class these settings are of."},
    {.name = "open",
     .type = CONF_REAL,
     .offset = CLASS(rule.open),
     .min = 0.5,
     .max = 0.999999,
     .def = "0.99",
     .unit = "probability",
     .help = "Score from which a verdict is made."},
    {.name = "close",
     .type = CONF_REAL,
     .offset = CLASS(rule.close),
     .min = 0.01,
     .max = 0.99,
     .def = "0.5",
     .unit = "probability",
     .help = "Score below which evidence no longer supports an open verdict."},
    {.name = "quiet",
     .type = CONF_DURATION,
     .offset = CLASS(rule.quiet_ms),
     .min = 60000,
     .max = 2592000000.0,
     .def = "6h",
     .help = "Time without support after which a verdict is closed."},
    {.name = "ceiling",
     .type = CONF_ENUM,
     .offset = CLASS(rule.ceiling),
     .def = "default",
     .names = class_ceiling_names,
     .help = "How far the feed may go at most on a verdict of this class; default: as far as the "
             "class goes by "
             "itself."},
    {.name = NULL},
};

#define PROFILE(m) offsetof(struct settings_profile, m)

static const struct conf_key profile_keys[] = {
    {.name = "network_class",
     .type = CONF_STRING,
     .offset = PROFILE(network_class),
     .min = 1,
     .max = LEASE_NAME_MAX - 1,
     .help = "Network class as leases name it."},
    {.name = "limit_factor",
     .type = CONF_REAL,
     .offset = PROFILE(limit_factor),
     .min = 0.1,
     .max = 1000,
     .def = "1",
     .help = "Multiplies every detector's limits that are counts."},
    {.name = NULL},
};

#define PRIOR(m) offsetof(struct policy_priors, m)

static const struct conf_key prior_keys[] = {
    {.name = "household",
     .type = CONF_REAL,
     .offset = PRIOR(by_role[ROLE_HOUSEHOLD]),
     .min = 1e-9,
     .max = 0.5,
     .def = "0.001",
     .unit = "probability",
     .help = "Share of lines without a mail server that are what a class says, at any time."},
    {.name = "unknown",
     .type = CONF_REAL,
     .offset = PRIOR(by_role[ROLE_UNKNOWN]),
     .min = 1e-9,
     .max = 0.5,
     .def = "0.0005",
     .unit = "probability",
     .help = "The same of lines that may have a mail server."},
    {.name = "mail_server",
     .type = CONF_REAL,
     .offset = PRIOR(by_role[ROLE_MAIL_SERVER]),
     .min = 1e-9,
     .max = 0.5,
     .def = "0.0001",
     .unit = "probability",
     .help = "The same of known mail servers."},
    {.name = "policy_limit",
     .type = CONF_REAL,
     .offset = PRIOR(policy_limit),
     .min = 1e-9,
     .max = 0.99,
     .def = "0.5",
     .unit = "probability",
     .help = "Prior of the class policy-limit, which is a rule and no inference."},
    {.name = NULL},
};

#define SITE(m) offsetof(struct ballot_rule, m)

static const struct conf_key site_keys[] = {
    {.name = "parties_min",
     .type = CONF_INT,
     .offset = SITE(parties_min),
     .min = 3,
     .max = 1000000,
     .def = "10",
     .unit = "parties",
     .help = "With so many parties that have voted within five minutes the share that fails means "
             "something."},
    {.name = "share",
     .type = CONF_REAL,
     .offset = SITE(share),
     .min = 0.05,
     .max = 1,
     .def = "0.5",
     .help = "Share of them, whom nobody answers any more that used to, when the site is taken to "
             "be broken."},
    {.name = "jump",
     .type = CONF_REAL,
     .offset = SITE(jump),
     .min = 0.05,
     .max = 1,
     .def = "0.3",
     .help = "And so far above the average of the last hour."},
    {.name = NULL},
};

#define FIELD(m) offsetof(struct settings, m)

static const struct conf_key own_keys[] = {
    {.name = "parties_max",
     .type = CONF_INT,
     .offset = FIELD(parties_max),
     .min = 16,
     .max = 50000000,
     .def = "200000",
     .unit = "parties",
     .help = "Parties remembered; the one silent for longest makes room."},
    {.name = "contacts_memory",
     .type = CONF_DURATION,
     .offset = FIELD(memory_ms),
     .min = 3600000,
     .max = 2592000000.0,
     .def = "7d",
     .help = "How long a contacted mail provider is no first contact any more."},
    {.name = "update_every",
     .type = CONF_DURATION,
     .offset = FIELD(update_ms),
     .min = 60000,
     .max = 86400000,
     .def = "10m",
     .help = "An open verdict whose numbers change is written again at most so often."},
    {.name = "history",
     .type = CONF_DURATION,
     .offset = FIELD(history_ms),
     .min = 0,
     .max = 2592000000.0,
     .def = "3d",
     .help = "A party watched for less is said to have a short history."},
    {.name = "provisional_ceiling",
     .type = CONF_ENUM,
     .offset = FIELD(provisional_ceiling),
     .def = "ticket",
     .names = ceiling_names,
     .help = "How far to go when no lease says whose address it is; quarantine is not allowed."},
    {.name = "priors",
     .type = CONF_SECTION,
     .offset = FIELD(priors),
     .sub = prior_keys,
     .help = "Before any evidence."},
    {.name = "site_failure",
     .type = CONF_SECTION,
     .offset = FIELD(site_failure),
     .sub = site_keys,
     .help = "When failures say nothing, because mail fails for everybody."},
    {.name = "classes",
     .type = CONF_LIST,
     .offset = FIELD(classes),
     .optional = true,
     .sub = class_keys,
     .sub_size = sizeof(struct settings_class),
     .help = "Thresholds of single classes."},
    {.name = "profiles",
     .type = CONF_LIST,
     .offset = FIELD(profiles),
     .optional = true,
     .sub = profile_keys,
     .sub_size = sizeof(struct settings_profile),
     .help = "Limits by network class."},
    {.name = "exemptions",
     .type = CONF_LIST,
     .offset = FIELD(exemptions),
     .optional = true,
     .sub = exempt_keys,
     .sub_size = sizeof(struct exempt_entry),
     .help = "Who is measured and not acted on: owner, reason and end each."},
    {.name = "detectors_off",
     .type = CONF_STRING_LIST,
     .offset = FIELD(detectors_off),
     .optional = true,
     .help = "Names of detectors that do not run."},
    {.name = "journal",
     .type = CONF_PATH,
     .offset = FIELD(journal),
     .def = "/var/lib/postern/journal",
     .help = "Folder of the minute journal that is followed."},
    {.name = "verdicts",
     .type = CONF_PATH,
     .offset = FIELD(verdicts),
     .def = "/var/lib/postern/verdicts.jsonl",
     .help = "File that verdicts are appended to."},
    {.name = "state",
     .type = CONF_PATH,
     .offset = FIELD(state),
     .def = "/var/lib/postern/analysis",
     .help = "Folder of the saved state."},
    {.name = "poll",
     .type = CONF_DURATION,
     .offset = FIELD(poll_ms),
     .min = 100,
     .max = 60000,
     .def = "1s",
     .help = "How often the journal is looked at."},
    {.name = "save_every",
     .type = CONF_DURATION,
     .offset = FIELD(snapshot_ms),
     .min = 10000,
     .max = 86400000,
     .def = "10m",
     .help = "How often the state is saved; after a crash so much of the journal is read again."},
    {.name = "journal_keys",
     .type = CONF_PATH,
     .offset = FIELD(journal_keys),
     .opens = CONF_OPENS_FOLDER,
     .optional = true,
     .help = "Folder of the journal's day keys, when it is encrypted."},
};

#define OWN_KEYS (sizeof own_keys / sizeof own_keys[0])

static size_t detector_conf_offset(size_t index)
{
    size_t offset = ALIGN(sizeof(struct settings));
    for (size_t i = 0; i < index && detectors[i]; i++)
        offset += ALIGN(detectors[i]->conf_size);
    return offset;
}

const struct conf_key *settings_keys(void)
{
    static struct conf_key keys[OWN_KEYS + DETECTORS_MAX + 1];
    if (keys[0].name)
        return keys;
    size_t n = 0;
    for (size_t i = 0; i < OWN_KEYS; i++)
        keys[n++] = own_keys[i];
    for (size_t i = 0; detectors[i]; i++) {
        assert(i < DETECTORS_MAX);
        if (!detectors[i]->keys)
            continue;
        keys[n++] = (struct conf_key){.name = detectors[i]->section,
                                      .type = CONF_SECTION,
                                      .offset = detector_conf_offset(i),
                                      .sub = detectors[i]->keys,
                                      .help = detectors[i]->help};
    }
    return keys;
}

size_t settings_size(void)
{
    return detector_conf_offset(DETECTORS_MAX);
}

const void *settings_detector(const struct settings *s, size_t index)
{
    return (const char *)s + detector_conf_offset(index);
}

bool settings_detector_on(const struct settings *s, size_t index)
{
    for (size_t i = 0; i < s->detectors_off.count; i++) {
        if (strcmp(s->detectors_off.item[i], detectors[index]->name) == 0)
            return false;
    }
    return true;
}

struct policy_class settings_class_rule(const struct settings *s, unsigned class_)
{
    static const uint8_t ceilings[VERDICT_CLASSES] = {
        [VERDICT_SPAMBOT_DIRECT] = VERDICT_QUARANTINE,
        [VERDICT_SPAMBOT_SMARTHOST] = VERDICT_QUARANTINE,
        [VERDICT_COMPROMISED_ACCOUNT] = VERDICT_RESTRICT, // the account is the culprit, not the line
        [VERDICT_SOCKS_RELAY] = VERDICT_QUARANTINE,
        [VERDICT_PROXY_ABUSE] = VERDICT_TICKET, // may be consensual
        [VERDICT_BACKSCATTER] = VERDICT_RESTRICT,
        [VERDICT_OPEN_RELAY] = VERDICT_RESTRICT,
        [VERDICT_HARVESTER] = VERDICT_QUARANTINE,
        [VERDICT_AUTH_GUESSING] = VERDICT_QUARANTINE,
        [VERDICT_POLICY_LIMIT] = VERDICT_RESTRICT,
    };
    const struct settings_class *list = s->classes.item;
    for (size_t i = 0; i < s->classes.count; i++) {
        if (list[i].class_ == (int)class_) {
            struct policy_class rule = list[i].rule;
            rule.ceiling = rule.ceiling == 0 ? ceilings[class_] : rule.ceiling - 1;
            if (class_ == VERDICT_PROXY_ABUSE && rule.ceiling > VERDICT_TICKET)
                rule.ceiling = VERDICT_TICKET;
            return rule;
        }
    }
    return (struct policy_class){
        .open = 0.99, .close = 0.5, .quiet_ms = 6 * 3600000LL, .ceiling = ceilings[class_]};
}

double settings_limit_factor(const struct settings *s, const char *network_class)
{
    const struct settings_profile *list = s->profiles.item;
    for (size_t i = 0; i < s->profiles.count; i++) {
        if (strcmp(list[i].network_class, network_class) == 0)
            return list[i].limit_factor;
    }
    return 1;
}
