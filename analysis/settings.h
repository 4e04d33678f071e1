// Configuration of postern-analysis: the section `analysis`, put together from its own keys and those
// of every detector in the registry.
#pragma once

#include "ballot.h"
#include "exempt.h"
#include "policy.h"

// Limits of one network class, against the defaults.
struct settings_profile {
    char *network_class;
    double limit_factor;
};

struct settings_class {
    int class_; // enum verdict_class
    struct policy_class rule;
};

struct settings {
    int64_t parties_max;
    int64_t memory_ms;
    int64_t update_ms;
    int64_t history_ms;
    int provisional_ceiling; // enum verdict_ceiling
    struct policy_priors priors;
    struct ballot_rule site_failure;
    struct conf_list classes;    // struct settings_class
    struct conf_list profiles;   // struct settings_profile
    struct conf_list exemptions; // struct exempt_entry
    struct conf_strings detectors_off;
    char *journal, *verdicts, *state; // of the running program
    int64_t poll_ms, snapshot_ms;
    char *journal_keys; // folder of the journal's day keys; NULL: not encrypted
    // Behind this follow the detectors' sections: settings_detector.
};

// The table, NULL-terminated; built at the first call, valid for good.
const struct conf_key *settings_keys(void);
size_t settings_size(void);

const void *settings_detector(const struct settings *s, size_t index);
bool settings_detector_on(const struct settings *s, size_t index);
struct policy_class settings_class_rule(const struct settings *s, unsigned class_);
double settings_limit_factor(const struct settings *s, const char *network_class);

// What the table cannot express. 0, or a line for each error in `error`, with its place in the file `path` (NULL:
// none); what does not fit is cut.
#define SETTINGS_ERROR 8192
int settings_check(const struct settings *s, const char *path, char error[static SETTINGS_ERROR]);

// Logs each line of such an error; takes it apart.
void settings_say(char error[static SETTINGS_ERROR]);

// Says in the log what may be meant but rarely is: exemptions that have ended or are very wide.
void settings_warn(const struct settings *s, const char *path, int64_t now_ms);
