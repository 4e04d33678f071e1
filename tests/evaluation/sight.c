// What a tap that loses, samples or sees one direction makes of flows. See rows.h.
#include <math.h>
#include <stdio.h>

#include "rows.h"

// Does the tap see a packet that matters?
static bool seen(const struct sight *s, struct rng *r)
{
    if (s->loss > 0 && rng_real(r) < s->loss)
        return false;
    return s->sampling <= 1 || rng_below(r, s->sampling) == 0;
}

// Without the log our own smarthost shows what any server does; who dials it from abroad is nobody's subscriber.
static bool forget_log(struct flow *f)
{
    if (!(f->flags & FLOW_LOG))
        return true;
    f->flags = (f->flags & FLOW_GUILTY) | FLOW_TLS;
    f->rcpt_ok = f->rcpt_4xx = f->rcpt_5xx = f->messages = 0;
    f->recipient = f->sender = f->user = 0;
    return f->country == 0;
}

static void close_dialogue(struct flow *f)
{
    f->flags &= FLOW_GUILTY | FLOW_CONTINUES | FLOW_LASTS | FLOW_HOSTING | FLOW_SCAN;
    f->rcpt_ok = f->rcpt_4xx = f->rcpt_5xx = f->messages = 0;
    f->recipient = f->sender = f->user = f->relay = f->client = 0;
    if (f->outcome == MINUTE_OUTCOME_GREETED || f->outcome == MINUTE_OUTCOME_TURNED_AWAY)
        f->outcome = MINUTE_OUTCOME_ESTABLISHED;
}

bool sight_declare(const struct sight *s, int64_t minute, struct coverage_minute *out)
{
    bool worse = s && (s->loss > 0 || s->sampling > 1 || s->one_direction || s->flow_only ||
                       s->export || s->tier_a);
    if (!worse || s->undeclared)
        return false;
    *out = (struct coverage_minute){.minute = minute,
                                    .seconds = 60,
                                    .loss_ppm = (uint32_t)(s->loss * 1e6),
                                    .alarms = s->one_direction ? COVERAGE_ONE_DIRECTION : 0};
    out->sum.t_ms = (minute + 1) * 60000;
    snprintf(out->sum.sensor, sizeof out->sum.sensor, "edge");
    out->sum.tier = s->export ? COVERAGE_TIER_C : s->tier_a ? COVERAGE_TIER_A : COVERAGE_TIER_B;
    out->sum.profile = s->flow_only ? COVERAGE_FLOW_ONLY : COVERAGE_FULL_ENVELOPE;
    out->sum.sampling = s->sampling > 1 ? s->sampling : 1;
    out->sum.packets = out->sum.octets = out->sum.seen_octets = 100000000;
    return true;
}

// Of ports that are neither mail nor DNS only the ends are mirrored: no dialogue, no octets, nothing between.
static bool keep_ends(struct flow *f)
{
    if (f->role != MINUTE_OTHER || (f->flags & FLOW_MX_QUERY))
        return true;
    if ((f->flags & FLOW_CONTINUES) && (f->flags & FLOW_LASTS))
        return false;
    f->flags &= FLOW_GUILTY | FLOW_CONTINUES | FLOW_LASTS | FLOW_HOSTING | FLOW_SCAN;
    f->relay = 0;
    f->octets_up = f->octets_up > 120 ? 120 : f->octets_up;
    f->octets_down = f->octets_down > 120 ? 120 : f->octets_down;
    if (f->outcome == MINUTE_OUTCOME_GREETED)
        f->outcome = MINUTE_OUTCOME_ESTABLISHED;
    return true;
}

// What is lost is taken from the flow before it is told: its first packet, the answer, the dialogue. False: nothing
// of it is seen.
bool sight_blur(const struct sight *s, struct rng *r, struct flow *f)
{
    if (!s)
        return true;
    if (s->no_log && !forget_log(f))
        return false;
    if (s->tier_a && !keep_ends(f))
        return false;
    if (s->flow_only && !(f->flags & FLOW_LOG))
        close_dialogue(f);
    if (s->sampling > 1) { // some packet of about a dozen
        double all = f->outcome == MINUTE_OUTCOME_UNANSWERED
                         ? 3
                         : 12 + (f->octets_up + f->octets_down) / 1000.0;
        if (rng_real(r) > 1 - pow(1 - 1.0 / s->sampling, all))
            return false;
        f->flags &= FLOW_GUILTY | FLOW_CONTINUES | FLOW_LASTS | FLOW_HOSTING;
        f->rcpt_ok = f->rcpt_4xx = f->rcpt_5xx = f->messages = 0;
        f->client = 0;
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
