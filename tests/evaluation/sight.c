// What a tap that loses, samples or sees one direction makes of flows. See rows.h.
#include <math.h>

#include "rows.h"

// Does the tap see a packet that matters?
static bool seen(const struct sight *s, struct rng *r)
{
    if (s->loss > 0 && rng_real(r) < s->loss)
        return false;
    return s->sampling <= 1 || rng_below(r, s->sampling) == 0;
}

// What is lost is taken from the flow before it is told: its first packet, the answer, the dialogue. False: nothing
// of it is seen.
bool sight_blur(const struct sight *s, struct rng *r, struct flow *f)
{
    if (!s)
        return true;
    if (s->sampling > 1) { // some packet of about a dozen
        double all = f->outcome == MINUTE_OUTCOME_UNANSWERED
                         ? 3
                         : 12 + (f->octets_up + f->octets_down) / 1000.0;
        if (rng_real(r) > 1 - pow(1 - 1.0 / s->sampling, all))
            return false;
        f->flags &= FLOW_GUILTY | FLOW_CONTINUES | FLOW_LASTS | FLOW_HOSTING;
        f->rcpt_ok = f->rcpt_4xx = f->rcpt_5xx = f->messages = 0;
        f->outcome = seen(s, r) ? f->outcome : MINUTE_OUTCOME_MIDSTREAM;
        return true;
    }
    if (s->one_direction) {
        f->octets_down = 0;
        f->outcome = MINUTE_OUTCOME_UNANSWERED;
        f->flags &= FLOW_GUILTY | FLOW_CONTINUES | FLOW_LASTS | FLOW_HOSTING | FLOW_LOG;
        if (!(f->flags & FLOW_LOG))
            f->rcpt_ok = f->rcpt_4xx = f->rcpt_5xx = f->messages = 0;
        return f->direction == MINUTE_OUT;
    }
    if (f->outcome == MINUTE_OUTCOME_UNANSWERED)
        return seen(s, r) || seen(s, r); // sent again
    if (!seen(s, r) && !seen(s, r))      // both answers of the handshake
        f->outcome = MINUTE_OUTCOME_MIDSTREAM;
    if (!seen(s, r))
        f->rcpt_ok = f->rcpt_4xx = f->rcpt_5xx = f->messages = 0;
    return true;
}
