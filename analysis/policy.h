// From evidence to a judgement of one class: what counts, what it sums to, how far one may go.
//
// Naive Bayes with brakes: log-odds of a prior by role plus the strongest evidence of each family
// (evidence of one family is correlated and counts once). Loss lowers what evidence weighs. A class
// is found when a detector that defines it takes part, two families agree or one piece is
// conclusive, and the score reaches the class's threshold.
#pragma once

#include "detector.h"

struct policy_class {
    double open;      // score from which a verdict is made
    double close;     // score below which evidence no longer supports it
    int64_t quiet_ms; // so long without support and it is closed
    int ceiling;      // enum verdict_ceiling
};

struct policy_priors {
    double by_role[ROLES]; // probability that a party of this role is what a class says
    double policy_limit;   // for the class that is a rule and no inference
};

// Facts about the party and the time that are no evidence.
struct policy_facts {
    enum role role;
    bool provisional;
    uint8_t provisional_ceiling; // enum verdict_ceiling
    bool identity_held;
    bool source_validated;
    bool one_direction, flow_only, sampled, short_history, digests_cut, tls, site_failing;
    bool exempt;
    bool relay_unseen; // what flows on ports of no mail
    uint32_t loss_ppm;
};

struct judgement {
    bool found;     // the class is found now
    bool supported; // evidence still supports an open verdict
    double prior, log_odds, score;
    uint8_t ceiling;
    uint32_t limitations;
    bool defines;      // a detector that may open the class takes part
    uint32_t families; // bits of families counted
    uint32_t count;
    struct verdict_evidence evidence[VERDICT_EVIDENCE_MAX]; // with `counted` set, strongest first
};

// Judges one class by all findings. Findings of other classes are passed over.
void policy_judge(unsigned class_, const struct policy_class *rule,
                  const struct policy_priors *priors, const struct policy_facts *facts,
                  const struct detector_finding *findings, size_t count, struct judgement *out);

// Probability to natural log-odds.
double policy_log_odds(double probability);
double policy_score(double log_odds);
