// Sequential probability ratio test (Wald 1945) as a threshold random walk (Jung, Paxson, Berger,
// Balakrishnan, "Fast Portscan Detection Using Sequential Hypothesis Testing", 2004).
//
// Two hypotheses about a party: it succeeds with probability theta0 (innocent) or theta1 (not). Each
// trial moves the walk by the logarithm of the likelihood ratio. At ln((1-beta)/alpha) it says guilty.
// At ln(beta/(1-alpha)) it would say innocent; tests restart all day, so the walk is held there
// instead (a patient bot must not be able to save up goodwill). alpha is the chance that one test
// convicts an innocent: an ISP runs millions, hence 1e-5 where the paper takes 1e-2.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sprt_rule {
    double failure; // step of a failed trial, > 0
    double success; // step of a successful one, < 0
    double upper, lower;
};

// Zeroed is valid: nothing tried yet.
struct sprt {
    double walk;
    double start;                 // where the present climb began: 0, or the lower bound
    int64_t first_ms;             // first failure of the climb
    int64_t last_ms;              // last failure
    int64_t moved_ms;             // last trial, for the decay
    uint32_t failures, successes; // since the climb began
};

struct sprt_rule sprt_rule(double theta0, double theta1, double alpha, double beta);

// Counts a trial; `since_ms` is when it began. `weight` scales the step (1 for a whole trial).
void sprt_fail(struct sprt *s, const struct sprt_rule *rule, int64_t t_ms, int64_t since_ms,
               double weight);
void sprt_succeed(struct sprt *s, const struct sprt_rule *rule, int64_t t_ms, double weight);

// A climb loses half its height in `half_life_ms`: old failures weigh less.
void sprt_decay(struct sprt *s, int64_t now_ms, int64_t half_life_ms);

static inline bool sprt_convicts(const struct sprt *s, const struct sprt_rule *rule)
{
    return s->walk >= rule->upper;
}
