// The threshold random walk. See sprt.h.
#include "sprt.h"

#include <math.h>

// Above the bound the walk may save up this many failures, so that it stays convicted through a few
// successes and still comes down within the hour.
#define HEADROOM_FAILURES 6

struct sprt_rule sprt_rule(double theta0, double theta1, double alpha, double beta)
{
    return (struct sprt_rule){
        .failure = log((1 - theta1) / (1 - theta0)),
        .success = log(theta1 / theta0),
        .upper = log((1 - beta) / alpha),
        .lower = log(beta / (1 - alpha)),
    };
}

void sprt_fail(struct sprt *s, const struct sprt_rule *rule, int64_t t_ms, int64_t since_ms,
               double weight)
{
    if (s->failures == 0) {
        s->first_ms = since_ms;
        s->start = s->walk;
        s->successes = 0;
    }
    s->failures++;
    s->walk += weight * rule->failure;
    double top = rule->upper + HEADROOM_FAILURES * rule->failure;
    if (s->walk > top)
        s->walk = top;
    if (since_ms < s->first_ms)
        s->first_ms = since_ms;
    if (t_ms > s->last_ms)
        s->last_ms = t_ms;
    s->moved_ms = t_ms;
}

void sprt_succeed(struct sprt *s, const struct sprt_rule *rule, int64_t t_ms, double weight)
{
    s->successes++;
    s->walk += weight * rule->success;
    s->moved_ms = t_ms;
    if (s->walk > rule->lower)
        return;
    *s = (struct sprt){.walk = rule->lower, .start = rule->lower, .moved_ms = t_ms};
}

void sprt_decay(struct sprt *s, int64_t now_ms, int64_t half_life_ms)
{
    if (s->walk > 0 && now_ms > s->moved_ms && half_life_ms > 0)
        s->walk *= exp2(-(double)(now_ms - s->moved_ms) / (double)half_life_ms);
    if (now_ms > s->moved_ms)
        s->moved_ms = now_ms;
    // What is left of a climb after so long is none; a young one may begin low.
    if (s->walk > 0 && s->walk < 0.5 && now_ms - s->last_ms > half_life_ms)
        *s = (struct sprt){.moved_ms = s->moved_ms};
}
